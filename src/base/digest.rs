//! Digests and checksums behind one face, each by the fastest instructions the CPU has.
//!
//! `sha2` finds the SHA extensions at run time, `crc-fast` the carry-less multiplication and `twox-hash` the vector
//! units, so one binary serves every machine. S3 writes checksums as base64 of the big-endian value: [`base64()`] of
//! `value.to_be_bytes()`.

use std::hash::Hasher as _;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use sha2::Digest as _;

/// The algorithm that HMAC is built over, for who signs.
pub type HmacAlgorithm = sha2::Sha256;

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Standard alphabet, with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn sha256(data: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(data).into()
}

pub fn sha1(data: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(data).into()
}

pub fn md5(data: &[u8]) -> [u8; 16] {
    md5::Md5::digest(data).into()
}

pub fn crc32(data: &[u8]) -> u32 {
    crc_fast::crc32_iso_hdlc(data)
}

pub fn crc32c(data: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(data)
}

macro_rules! running_hash {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub struct $name($inner);

        impl $name {
            pub fn new() -> Self {
                Self::default()
            }
            pub fn update(&mut self, data: &[u8]) {
                self.0.update(data);
            }
            pub fn finish(self) -> [u8; $len] {
                self.0.finalize().into()
            }
        }
    };
}

running_hash!(
    /// A running SHA-256.
    Sha256, sha2::Sha256, 32
);
running_hash!(
    /// A running SHA-1 (only as an S3 checksum).
    Sha1, sha1::Sha1, 20
);
running_hash!(
    /// A running SHA-512 (only as an S3 checksum).
    Sha512, sha2::Sha512, 64
);
running_hash!(
    /// A running MD5 (for ETags and Content-MD5, and as an S3 checksum).
    Md5, md5::Md5, 16
);

macro_rules! running_xxhash {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $seeded:expr, $finish:ident -> $value:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name($inner);

        impl $name {
            /// Of no bytes yet, seeded with 0.
            pub fn new() -> Self {
                Self($seeded)
            }
            pub fn update(&mut self, data: &[u8]) {
                self.0.write(data);
            }
            pub fn value(&self) -> $value {
                self.0.$finish()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

running_xxhash!(
    /// A running XXH64 (only as an S3 checksum).
    XxHash64, twox_hash::XxHash64, twox_hash::XxHash64::with_seed(0), finish -> u64
);
running_xxhash!(
    /// A running XXH3 of 64 bits (only as an S3 checksum).
    XxHash3, twox_hash::XxHash3_64, twox_hash::XxHash3_64::new(), finish -> u64
);
running_xxhash!(
    /// A running XXH3 of 128 bits (only as an S3 checksum).
    XxHash128, twox_hash::XxHash3_128, twox_hash::XxHash3_128::new(), finish_128 -> u128
);

macro_rules! running_crc {
    ($(#[$doc:meta])* $name:ident, $algorithm:expr, $value:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(crc_fast::Digest);

        impl $name {
            pub fn new() -> Self {
                Self(crc_fast::Digest::new($algorithm))
            }
            pub fn update(&mut self, data: &[u8]) {
                self.0.update(data);
            }
            pub fn value(&self) -> $value {
                self.0.finalize() as $value
            }
            /// The checksum of the bytes behind `first` followed by `second_len` bytes behind `second`.
            pub fn combine(first: $value, second: $value, second_len: u64) -> $value {
                crc_fast::checksum_combine($algorithm, first.into(), second.into(), second_len) as $value
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

running_crc!(
    /// A running CRC-64/NVME, whose pieces can be combined without reading them again.
    Crc64Nvme, CrcAlgorithm::Crc64Nvme, u64
);
running_crc!(
    /// A running CRC-32 (ISO-HDLC, the one of zlib).
    Crc32, CrcAlgorithm::Crc32IsoHdlc, u32
);
running_crc!(
    /// A running CRC-32C (Castagnoli).
    Crc32C, CrcAlgorithm::Crc32Iscsi, u32
);

pub fn crc64nvme(data: &[u8]) -> u64 {
    crc_fast::crc64_nvme(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_standards() {
        assert_eq!(hex(&sha256(b"")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc64nvme(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(base64(&crc32(b"123456789").to_be_bytes()), "y/Q5Jg==");
    }

    #[test]
    fn running_digests_agree_with_one_shot_ones() {
        let data: Vec<u8> = (0..10_000u32).map(|n| (n * 31) as u8).collect();
        let (mut sha, mut md, mut crc) = (Sha256::new(), Md5::new(), Crc32C::new());
        data.chunks(777).for_each(|piece| {
            sha.update(piece);
            md.update(piece);
            crc.update(piece);
        });
        assert_eq!((sha.finish(), md.finish(), crc.value()), (sha256(&data), md5(&data), crc32c(&data)));
    }

    #[test]
    fn pieces_of_a_crc_combine_to_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|n| (n ^ (n >> 7)) as u8).collect();
        for cut in [0, 1, 4096, 99_999, 100_000] {
            let (first, second) = data.split_at(cut);
            let whole = Crc64Nvme::combine(crc64nvme(first), crc64nvme(second), second.len() as u64);
            assert_eq!(whole, crc64nvme(&data));
            assert_eq!(Crc32::combine(crc32(first), crc32(second), second.len() as u64), crc32(&data));
        }
    }
}
