//! Which checksum an object keeps, and that of an object made of parts.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::base::checksum::Algorithm;

/// Of the bytes as a whole, or of the checksums of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    FullObject,
    Composite,
}

/// The one checksum that is kept with an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub algorithm: Algorithm,
    pub kind: Kind,
    /// Base64, with `-N` for N parts when composite.
    pub value: String,
}

/// Raw values of what was computed over the same bytes.
pub type Checksums = BTreeMap<Algorithm, Vec<u8>>;

/// What a multipart upload was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub algorithm: Algorithm,
    pub kind: Kind,
}

impl Default for Choice {
    /// What S3 computes for those who ask for nothing.
    fn default() -> Self {
        Self { algorithm: Algorithm::Crc64Nvme, kind: Kind::FullObject }
    }
}

impl Choice {
    /// CRC64NVME is of whole objects only, hashes of parts only; the others are of parts unless asked.
    pub fn new(algorithm: Algorithm, kind: Option<Kind>) -> Result<Self, Refusal> {
        let kind = kind.unwrap_or(match algorithm {
            Algorithm::Crc64Nvme => Kind::FullObject,
            _ => Kind::Composite,
        });
        let legal = match kind {
            Kind::FullObject => algorithm.is_crc(),
            Kind::Composite => algorithm != Algorithm::Crc64Nvme,
        };
        if !legal {
            let name = algorithm.name().to_lowercase();
            let message =
                format!("The {kind:?} checksum type cannot be used with the {name} checksum algorithm.");
            return Err(Refusal::request(message));
        }
        Ok(Self { algorithm, kind })
    }

    /// The checksum of an object whose parts have these, in order, with their lengths.
    pub fn of_parts(self, parts: &[(Vec<u8>, u64)]) -> Checksum {
        let value = match self.kind {
            Kind::Composite => {
                let all: Vec<u8> = parts.iter().flat_map(|(value, _)| value.iter().copied()).collect();
                format!("{}-{}", STANDARD.encode(self.algorithm.of(&all)), parts.len())
            }
            Kind::FullObject => STANDARD.encode(self.combined(parts)),
        };
        Checksum { algorithm: self.algorithm, kind: self.kind, value }
    }

    fn combined(self, parts: &[(Vec<u8>, u64)]) -> Vec<u8> {
        let start = self.algorithm.of(b"");
        parts.iter().fold(start, |whole, (value, len)| {
            self.algorithm
                .combine(&whole, value, *len)
                .expect("only CRCs are of whole objects: `new` refuses others")
        })
    }
}

impl Checksum {
    pub fn whole(algorithm: Algorithm, value: &[u8]) -> Self {
        Self { algorithm, kind: Kind::FullObject, value: STANDARD.encode(value) }
    }

    /// The raw value, unless it is composite.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_algorithm() {
        use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
        use Kind::{Composite, FullObject};
        let cases = [
            (Crc64Nvme, None, Some(FullObject)),
            (Crc64Nvme, Some(Composite), None),
            (Crc32, None, Some(Composite)),
            (Crc32, Some(FullObject), Some(FullObject)),
            (Crc32c, Some(FullObject), Some(FullObject)),
            (Sha1, None, Some(Composite)),
            (Sha256, Some(FullObject), None),
        ];
        for (algorithm, asked, kind) in cases {
            let choice = Choice::new(algorithm, asked).ok().map(|choice| choice.kind);
            assert_eq!(choice, kind, "{algorithm:?} {asked:?}");
        }
    }

    #[test]
    fn whole_object_crc_of_parts_is_that_of_the_bytes() {
        let (first, second) = (b"12345".as_slice(), b"6789".as_slice());
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_crc()) {
            let choice = Choice { algorithm, kind: Kind::FullObject };
            let parts = [(algorithm.of(first), 5), (algorithm.of(second), 4)];
            assert_eq!(choice.of_parts(&parts).value, STANDARD.encode(algorithm.of(b"123456789")));
        }
    }

    #[test]
    fn composite_hashes_the_parts_hashes() {
        let choice = Choice::new(Algorithm::Sha256, None).unwrap();
        let (first, second) = (Algorithm::Sha256.of(b"a"), Algorithm::Sha256.of(b"b"));
        let expected = STANDARD.encode(Algorithm::Sha256.of(&[first.clone(), second.clone()].concat()));
        assert_eq!(choice.of_parts(&[(first, 1), (second, 1)]).value, format!("{expected}-2"));
    }
}
