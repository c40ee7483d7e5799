//! Checksums between the words of `s3s` and those of the storage.
//!
//! `s3s` has fields for five algorithms. What is of a newer one takes the seat of SHA-256, and gets its own name
//! where the message leaves ([`Seat`]) or has it taken away where it comes in: an object has one checksum, so that
//! nobody else sits there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use s3s::dto::ChecksumType;
use s3s::{Body, S3Response};

use crate::base::checksum::Algorithm;
use crate::embedded::storage::checksum::{Checksum, Checksums, Kind};
use crate::embedded::storage::refusal::Refusal;

/// A checksum in the fields that every message has for it.
#[derive(Default)]
pub struct Sums {
    pub crc32: Option<String>,
    pub crc32c: Option<String>,
    pub crc64nvme: Option<String>,
    pub sha1: Option<String>,
    pub sha256: Option<String>,
    pub kind: Option<ChecksumType>,
    /// Whose value is in the field of SHA-256.
    pub seat: Option<Seat>,
}

/// Fills in the fields of a message from [`Sums`], beside those that are written out.
macro_rules! with_sums {
    ($sums:ident; $message:ident { $($fields:tt)* }) => {
        $message {
            checksum_crc32: $sums.crc32,
            checksum_crc32c: $sums.crc32c,
            checksum_crc64nvme: $sums.crc64nvme,
            checksum_sha1: $sums.sha1,
            checksum_sha256: $sums.sha256,
            $($fields)*
        }
    };
}
pub(super) use with_sums;

/// [`Sums`] from the fields of a message.
macro_rules! sums_of {
    ($message:expr, $seat:expr) => {
        $crate::embedded::api::sums::Sums {
            crc32: $message.checksum_crc32,
            crc32c: $message.checksum_crc32c,
            crc64nvme: $message.checksum_crc64nvme,
            sha1: $message.checksum_sha1,
            sha256: $message.checksum_sha256,
            kind: None,
            seat: $seat,
        }
    };
}
pub(super) use sums_of;

impl Sums {
    pub fn of(checksum: &Checksum) -> Self {
        let mut sums = Self { kind: Some(kind_name(checksum.kind)), ..Self::default() };
        sums.set(checksum.algorithm, checksum.value.clone());
        sums
    }

    /// Of a part, which has no type.
    pub fn of_part(checksums: &Checksums, algorithm: Algorithm) -> Self {
        let mut sums = Self::default();
        if let Some(value) = checksums.get(&algorithm) {
            sums.set(algorithm, STANDARD.encode(value));
        }
        sums
    }

    fn set(&mut self, algorithm: Algorithm, value: String) {
        let field = match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            _ => &mut self.sha256,
        };
        *field = Some(value);
        self.seat = Seat::of(algorithm);
    }

    /// What a message says, by algorithm.
    pub fn given(self) -> impl Iterator<Item = (Algorithm, String)> {
        let pairs = [
            (Algorithm::Crc32, self.crc32),
            (Algorithm::Crc32c, self.crc32c),
            (Algorithm::Crc64Nvme, self.crc64nvme),
            (Algorithm::Sha1, self.sha1),
            (self.seat.map_or(Algorithm::Sha256, |seat| seat.0), self.sha256),
        ];
        pairs.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value?)))
    }
}

/// The algorithm that sits in the place of SHA-256, where that is not SHA-256 itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(Algorithm);

const TAKEN: Algorithm = Algorithm::Sha256;

impl Seat {
    /// `None` for those that `s3s` has a place for.
    pub fn of(algorithm: Algorithm) -> Option<Self> {
        use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
        (!matches!(algorithm, Crc32 | Crc32c | Crc64Nvme | Sha1 | Sha256)).then_some(Self(algorithm))
    }

    /// A message whose fields were filled by [`Sums`] of this seat.
    pub fn answer<T>(seat: Option<Self>, output: T) -> S3Response<T> {
        let mut response = S3Response::new(output);
        if let Some(seat) = seat {
            response.extensions.insert(seat);
        }
        response
    }

    /// Gives the value its own name in a reply that `s3s` has written.
    pub fn name(self, headers: &mut HeaderMap, body: &mut Body) {
        if let Some(value) = headers.remove(TAKEN.header()) {
            headers.insert(self.0.header(), value);
        }
        // The bytes of an object are a stream; only documents are at hand.
        if let Some(bytes) = body.bytes().filter(|bytes| !bytes.is_empty()) {
            headers.remove(CONTENT_LENGTH);
            *body = Body::from(renamed(&bytes, TAKEN, self.0));
        }
    }

    /// The seat that a document of a request needs, and the document as `s3s` can read it.
    pub fn take(document: Bytes) -> (Option<Self>, Bytes) {
        let found = |seat: &Self| contains(&document, format!("<{}>", seat.0.element()).as_bytes());
        match Algorithm::ALL.into_iter().filter_map(Self::of).find(found) {
            Some(seat) => (Some(seat), renamed(&document, seat.0, TAKEN)),
            None => (None, document),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The elements of one algorithm become those of another. Text has no `>` of its own, so only tags are meant.
fn renamed(document: &[u8], from: Algorithm, to: Algorithm) -> Bytes {
    let (from, to) = (format!("{}>", from.element()), format!("{}>", to.element()));
    String::from_utf8_lossy(document).replace(&from, &to).into()
}

pub fn kind_name(kind: Kind) -> ChecksumType {
    ChecksumType::from_static(match kind {
        Kind::FullObject => ChecksumType::FULL_OBJECT,
        Kind::Composite => ChecksumType::COMPOSITE,
    })
}

pub fn kind(name: &str) -> Result<Kind, Refusal> {
    match name {
        ChecksumType::FULL_OBJECT => Ok(Kind::FullObject),
        ChecksumType::COMPOSITE => Ok(Kind::Composite),
        _ => Err(Refusal::request("Value for x-amz-checksum-type header is invalid.")),
    }
}

pub fn algorithm(name: &str) -> Result<Algorithm, Refusal> {
    let unknown = || {
        let known = Algorithm::ALL.map(Algorithm::name).join(", ");
        Refusal::request(format!(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{known}]"
        ))
    };
    Algorithm::parse(name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_comes_back_by_its_name() {
        for algorithm in Algorithm::ALL {
            let sums = Sums::of(&Checksum::whole(algorithm, &vec![7; algorithm.value_len()]));
            let seat = sums.seat;
            let value = STANDARD.encode(vec![7; algorithm.value_len()]);
            assert_eq!(sums.given().collect::<Vec<_>>(), [(algorithm, value.clone())]);
            // What `s3s` would write for it.
            let field = seat.map_or(algorithm, |_| TAKEN);
            let mut headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(field.header()),
                value.parse().unwrap(),
            )]);
            let mut body = Body::from(format!("<A><{0}>{value}</{0}></A>", field.element()));
            if let Some(seat) = seat {
                seat.name(&mut headers, &mut body);
            }
            assert_eq!(headers[algorithm.header()], value);
            let said = body.bytes().unwrap();
            assert_eq!(said, format!("<A><{0}>{value}</{0}></A>", algorithm.element()));
            let (taken, readable) = Seat::take(said);
            assert_eq!(
                (taken, readable),
                (seat, format!("<A><{0}>{value}</{0}></A>", field.element()).into())
            );
        }
    }

    #[test]
    fn names_of_kinds_and_algorithms_are_known_or_refused() {
        assert_eq!(kind("COMPOSITE").ok(), Some(Kind::Composite));
        assert_eq!(kind("composite").unwrap_err().code, "InvalidRequest");
        assert_eq!(algorithm("xxhash128").ok(), Some(Algorithm::XxHash128));
        assert!(algorithm("CRC16").unwrap_err().message.contains("XXHASH128]"));
    }
}
