//! The checksum algorithms that S3 stores values of, running, and combined from those of parts.
//!
//! Values are big-endian bytes, as S3 writes them (in base64). A CRC of two pieces follows from the CRC of each
//! and the length of the second, so that a whole object's CRC needs no second reading; hashes have no such rule.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

#![warn(missing_docs)]

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::{
    Crc32, Crc32C, Crc64Nvme, Md5, Sha1, Sha256, Sha512, XxHash3, XxHash64, XxHash128, base64,
};

/// A row for each algorithm: variant, name as in `x-amz-checksum-algorithm`, header or trailer of its value, length
/// of the value in bytes, what computes it, how that ends.
macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident: $name:literal, $header:literal, $len:literal, $state:ident, $finish:expr;)*) => {
        /// An algorithm that objects, parts and documents can be checked by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Algorithm {
            $($(#[$doc])* $variant,)*
        }

        impl Algorithm {
            /// All of them.
            pub const ALL: [Self; 10] = [$(Self::$variant),*];

            /// As in `x-amz-checksum-algorithm`: `CRC64NVME`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The header or trailer that carries the value: `x-amz-checksum-crc64nvme`.
            pub fn header(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("x-amz-checksum-", $header),)*
                }
            }

            /// The element that carries the value: `ChecksumCRC64NVME`.
            pub fn element(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("Checksum", $name),)*
                }
            }

            /// Bytes of a value; in base64 it is longer by a third.
            pub fn value_len(self) -> usize {
                match self {
                    $(Self::$variant => $len,)*
                }
            }
        }

        /// A checksum in the making.
        #[derive(Clone)]
        pub enum Running {
            $(#[doc = $name] $variant($state),)*
        }

        impl Running {
            /// Of no bytes yet.
            pub fn new(algorithm: Algorithm) -> Self {
                match algorithm {
                    $(Algorithm::$variant => Self::$variant($state::new()),)*
                }
            }

            /// What is computed.
            pub fn algorithm(&self) -> Algorithm {
                match self {
                    $(Self::$variant(_) => Algorithm::$variant,)*
                }
            }

            /// The next bytes.
            pub fn update(&mut self, data: &[u8]) {
                match self {
                    $(Self::$variant(state) => state.update(data),)*
                }
            }

            /// Big-endian.
            pub fn finish(self) -> Vec<u8> {
                match self {
                    $(Self::$variant(state) => $finish(state).to_vec(),)*
                }
            }
        }
    };
}

algorithms! {
    /// CRC-32 of zlib.
    Crc32: "CRC32", "crc32", 4, Crc32, |state: Crc32| state.value().to_be_bytes();
    /// CRC-32 of Castagnoli.
    Crc32c: "CRC32C", "crc32c", 4, Crc32C, |state: Crc32C| state.value().to_be_bytes();
    /// What S3 and this client compute where nobody asks for another.
    Crc64Nvme: "CRC64NVME", "crc64nvme", 8, Crc64Nvme, |state: Crc64Nvme| state.value().to_be_bytes();
    /// SHA-1.
    Sha1: "SHA1", "sha1", 20, Sha1, Sha1::finish;
    /// SHA-256.
    Sha256: "SHA256", "sha256", 32, Sha256, Sha256::finish;
    /// SHA-512.
    Sha512: "SHA512", "sha512", 64, Sha512, Sha512::finish;
    /// MD5; unlike Content-MD5 it is kept with the object.
    Md5: "MD5", "md5", 16, Md5, Md5::finish;
    /// XXH64, seeded with 0.
    XxHash64: "XXHASH64", "xxhash64", 8, XxHash64, |state: XxHash64| state.value().to_be_bytes();
    /// XXH3 of 64 bits.
    XxHash3: "XXHASH3", "xxhash3", 8, XxHash3, |state: XxHash3| state.value().to_be_bytes();
    /// XXH3 of 128 bits.
    XxHash128: "XXHASH128", "xxhash128", 16, XxHash128, |state: XxHash128| state.value().to_be_bytes();
}

impl Algorithm {
    /// Case does not matter, as in the services.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Whether the value of a whole follows from those of its parts.
    pub fn is_crc(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    /// The checksum of all of `data`.
    pub fn of(self, data: &[u8]) -> Vec<u8> {
        let mut running = Running::new(self);
        running.update(data);
        running.finish()
    }

    /// The checksum of two pieces in a row, the second of which is `second_len` bytes long. Only for CRCs.
    pub fn combine(self, first: &[u8], second: &[u8], second_len: u64) -> Option<Vec<u8>> {
        let short = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_be_bytes);
        let long = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
        Some(match self {
            Self::Crc32 => Crc32::combine(short(first)?, short(second)?, second_len).to_be_bytes().to_vec(),
            Self::Crc32c => Crc32C::combine(short(first)?, short(second)?, second_len).to_be_bytes().to_vec(),
            Self::Crc64Nvme => {
                Crc64Nvme::combine(long(first)?, long(second)?, second_len).to_be_bytes().to_vec()
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Running {
    /// As headers and documents spell it: base64.
    pub fn spell(self) -> String {
        base64(&self.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::hex;

    /// Of the check string, as the catalogue of CRCs, the standards and the reference implementation of xxHash have it.
    #[test]
    fn values_are_those_of_the_catalogue() {
        let cases = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (
                Algorithm::Sha512,
                "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d4\
                 99c95455b6b5bb503acf574fba8ffe85",
            ),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::XxHash64, "8cb841db40e6ae83"),
            (Algorithm::XxHash3, "72dcb18b67a17dff"),
            (Algorithm::XxHash128, "33119477ede5dcd5e9716427681d5860"),
        ];
        assert_eq!(cases.map(|(algorithm, _)| algorithm), Algorithm::ALL);
        for (algorithm, expected) in cases {
            let value = algorithm.of(b"123456789");
            assert_eq!(
                (hex(&value).as_str(), value.len()),
                (expected, algorithm.value_len()),
                "{algorithm:?}"
            );
        }
    }

    /// Of nothing, of few and of many bytes: XXH3 has a way of its own for each.
    #[test]
    fn xxhashes_are_those_of_the_reference_at_every_length() {
        let cycled: Vec<u8> = (0..=255).cycle().take(10_240).collect();
        let cases: [(&[u8], [&str; 3]); 3] = [
            (b"", ["ef46db3751d8e999", "2d06800538d394c2", "99aa06d3014798d86001c324468d497f"]),
            (&[b'a'; 1000], ["56e43b712eda4223", "b3e7af627147db7c", "b01da365eddaa29cb3e7af627147db7c"]),
            (&cycled, ["58b820aa7970dbe2", "c03d2231ab9348f3", "1cb22534d0d96975c03d2231ab9348f3"]),
        ];
        for (data, expected) in cases {
            let algorithms = [Algorithm::XxHash64, Algorithm::XxHash3, Algorithm::XxHash128];
            assert_eq!(algorithms.map(|algorithm| hex(&algorithm.of(data))), expected, "{}", data.len());
        }
    }

    /// Those of the common runtime of the AWS SDKs, for zeros and for the first bytes.
    #[test]
    fn crcs_are_those_of_the_common_runtime() {
        let (zeros, counted) = ([0; 32], std::array::from_fn::<u8, 32, _>(|at| at as u8));
        let cases = [
            (Algorithm::Crc32, "190a55ad", "91267e8a"),
            (Algorithm::Crc32c, "8a9136aa", "46dd794e"),
            (Algorithm::Crc64Nvme, "cf3473434d4ecf3b", "b9d9d4a8492cbd7f"),
        ];
        for (algorithm, of_zeros, of_counted) in cases {
            let seen = (hex(&algorithm.of(&zeros)), hex(&algorithm.of(&counted)));
            assert_eq!(seen, (of_zeros.to_owned(), of_counted.to_owned()), "{algorithm}");
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let data: Vec<u8> = (0..10_000u32).map(|n| (n * 31) as u8).collect();
        for algorithm in Algorithm::ALL {
            let mut running = Running::new(algorithm);
            data.chunks(777).for_each(|piece| running.update(piece));
            assert_eq!((running.algorithm(), running.finish()), (algorithm, algorithm.of(&data)));
        }
    }

    #[test]
    fn names_headers_and_elements_agree() {
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            assert_eq!(algorithm.header(), format!("x-amz-checksum-{}", name.to_lowercase()));
            assert_eq!(algorithm.element(), format!("Checksum{name}"));
            assert_eq!(Algorithm::parse(&name.to_lowercase()), Some(algorithm));
        }
        assert_eq!(Algorithm::parse("CRC"), None);
    }

    #[test]
    fn crcs_combine_and_hashes_do_not() {
        let (first, second) = (vec![7; 100_000], vec![9; 12_345]);
        let whole = [first.clone(), second.clone()].concat();
        for algorithm in Algorithm::ALL {
            let combined = algorithm.combine(&algorithm.of(&first), &algorithm.of(&second), 12_345);
            assert_eq!(combined, algorithm.is_crc().then(|| algorithm.of(&whole)), "{algorithm:?}");
        }
    }
}
