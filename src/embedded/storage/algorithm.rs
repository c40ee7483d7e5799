//! The checksum algorithms that S3 stores values of, running, and combined from those of parts.
//!
//! Values are big-endian bytes, as S3 writes them (in base64). A CRC of two pieces follows from the CRC of each
//! and the length of the second, so that a whole object's CRC needs no second reading; hashes have no such rule.

use serde::{Deserialize, Serialize};

use crate::base::digest::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As in `x-amz-checksum-algorithm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header or trailer that carries the value.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub fn value_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Case does not matter, as in the services.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

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
            Self::Sha1 | Self::Sha256 => return None,
        })
    }
}

/// A checksum in the making.
pub enum Running {
    Crc32(Crc32),
    Crc32c(Crc32C),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Running {
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32C::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Crc32(_) => Algorithm::Crc32,
            Self::Crc32c(_) => Algorithm::Crc32c,
            Self::Crc64Nvme(_) => Algorithm::Crc64Nvme,
            Self::Sha1(_) => Algorithm::Sha1,
            Self::Sha256(_) => Algorithm::Sha256,
        }
    }

    pub fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc32(crc) => crc.update(data),
            Self::Crc32c(crc) => crc.update(data),
            Self::Crc64Nvme(crc) => crc.update(data),
            Self::Sha1(sha) => sha.update(data),
            Self::Sha256(sha) => sha.update(data),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(crc) => crc.value().to_be_bytes().to_vec(),
            Self::Crc32c(crc) => crc.value().to_be_bytes().to_vec(),
            Self::Crc64Nvme(crc) => crc.value().to_be_bytes().to_vec(),
            Self::Sha1(sha) => sha.finish().to_vec(),
            Self::Sha256(sha) => sha.finish().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::hex;

    #[test]
    fn values_are_those_of_the_catalogue() {
        let cases = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for (algorithm, expected) in cases {
            let value = algorithm.of(b"123456789");
            assert_eq!(
                (hex(&value).as_str(), value.len()),
                (expected, algorithm.value_len()),
                "{algorithm:?}"
            );
        }
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
