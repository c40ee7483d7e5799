//! How both sides prove to each other that bytes arrived whole.
//!
//! Uploads carry a CRC-64/NVME, which costs next to nothing and which stores keep for the whole object: ahead of
//! the bytes where these are at hand, behind them where they are read only once ([`Method::Trailer`]). Stores that
//! refuse get the next method of [`Method::ORDER`]; `dialect` remembers. A request that asks for another algorithm
//! (`ops::With::checksum`) carries that one. What the store echoes must agree with what was sent, and the body of a
//! download with the checksum that came along.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderMap;

use super::body::{Body, Verify};
use super::sign::chunked::Trailer;
use super::{Error, ErrorKind};
use crate::base::checksum::{Algorithm, Running};
use crate::base::digest::{self, Md5, Sha256};

/// What uploads carry where nobody asks for another.
pub const USUAL: Algorithm = Algorithm::Crc64Nvme;

/// Ways to protect an upload, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// CRC-64/NVME: behind a body that is read once, ahead of one that is in memory.
    Trailer,
    /// CRC-64/NVME, always ahead of the body.
    Header,
    ContentMd5,
    None,
}

impl Method {
    pub const ORDER: [Self; 4] = [Self::Trailer, Self::Header, Self::ContentMd5, Self::None];

    pub fn index(self) -> u8 {
        self as u8
    }
    pub fn is_crc(self) -> bool {
        matches!(self, Self::Trailer | Self::Header)
    }
}

/// Which digests of a body are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// For the signature.
    pub sha256: bool,
    /// For a header of its own.
    pub checksum: Option<Algorithm>,
    /// For Content-MD5.
    pub md5: bool,
}

/// Digests of one body, as headers spell them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    pub sha256: Option<String>,
    pub checksum: Option<(Algorithm, String)>,
    pub md5: Option<String>,
}

/// Reads the body once for all that is wanted.
pub async fn digests(body: &Body, wanted: Wanted) -> Result<Digests, Error> {
    if wanted == Wanted::default() {
        return Ok(Digests::default());
    }
    let mut sum = Sum::new(wanted);
    match body {
        Body::Empty => {}
        Body::Bytes(bytes) => sum.update_kindly(bytes).await,
        Body::Segments(segments) => {
            for segment in segments.iter() {
                sum.update_kindly(segment).await;
            }
        }
        Body::Source(source) => {
            let mut pieces = source.open();
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| {
                    Error::new(ErrorKind::Source, format!("the data to send could not be read: {error}"))
                })?;
                sum.update_kindly(&piece).await;
            }
        }
    }
    Ok(sum.finish())
}

struct Sum {
    sha256: Option<Sha256>,
    checksum: Option<Running>,
    md5: Option<Md5>,
}

/// Bytes after which other tasks of the thread get their turn.
const TURN_BYTES: usize = 1 << 20;

impl Sum {
    fn new(wanted: Wanted) -> Self {
        Self {
            sha256: wanted.sha256.then(Sha256::new),
            checksum: wanted.checksum.map(Running::new),
            md5: wanted.md5.then(Md5::new),
        }
    }
    async fn update_kindly(&mut self, bytes: &Bytes) {
        for piece in bytes.chunks(TURN_BYTES) {
            self.update(piece);
            if piece.len() == TURN_BYTES {
                tokio::task::yield_now().await;
            }
        }
    }
    fn update(&mut self, piece: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(piece);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(piece);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(piece);
        }
    }
    fn finish(self) -> Digests {
        Digests {
            sha256: self.sha256.map(|sha256| digest::hex(&sha256.finish())),
            checksum: self.checksum.map(|checksum| (checksum.algorithm(), checksum.spell())),
            md5: self.md5.map(|md5| digest::base64(&md5.finish())),
        }
    }
}

/// The checksum behind a chunked body.
pub struct ChecksumTrailer(Running);

impl ChecksumTrailer {
    pub fn new(algorithm: Algorithm) -> Self {
        Self(Running::new(algorithm))
    }
}

impl Trailer for ChecksumTrailer {
    fn name(&self) -> &'static str {
        self.0.algorithm().header()
    }
    fn value_len(&self) -> u64 {
        4 * self.0.algorithm().value_len().div_ceil(3) as u64
    }
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }
    fn value(&self) -> String {
        self.0.clone().spell()
    }
}

/// The store's word for what it got, where it says one, must be ours.
pub fn check_echo(sent: Option<&(Algorithm, String)>, reply: &HeaderMap) -> Result<(), Error> {
    let Some((algorithm, sent)) = sent else { return Ok(()) };
    let Some(echoed) = echo(*algorithm, reply).filter(|echoed| echoed != sent) else { return Ok(()) };
    let message =
        format!("the store got other bytes than were sent: its {algorithm} is {echoed}, ours is {sent}");
    Err(Error::new(ErrorKind::Corrupt, message))
}

/// The checksum that a reply to an upload carries.
pub fn echo(algorithm: Algorithm, reply: &HeaderMap) -> Option<&str> {
    reply.get(algorithm.header())?.to_str().ok()
}

/// The fastest first.
const VERIFIED: [Algorithm; 10] = [
    Algorithm::XxHash128,
    Algorithm::XxHash3,
    Algorithm::Crc64Nvme,
    Algorithm::XxHash64,
    Algorithm::Crc32c,
    Algorithm::Crc32,
    Algorithm::Sha1,
    Algorithm::Sha256,
    Algorithm::Sha512,
    Algorithm::Md5,
];

/// Verifies the body of a whole object with the best checksum that came along. Those of single parts (`value-N`) say
/// nothing about the bytes in their order, what is no value of its algorithm nothing at all, and a range cannot be
/// verified.
pub fn verifier(status: http::StatusCode, headers: &HeaderMap) -> Option<Box<dyn Verify>> {
    if status == http::StatusCode::OK { verifier_of(headers) } else { None }
}

/// The same for one part of an object, with what a store keeps of that part: MinIO says no type with it, others that
/// the object's is made of those of its parts. What is said to be of the whole is of use for a part that is all of it.
pub fn part_verifier(is_all: bool, headers: &HeaderMap) -> Option<Box<dyn Verify>> {
    let is_of_whole = headers.get(TYPE).is_some_and(|kind| kind == "FULL_OBJECT");
    if is_of_whole && !is_all { None } else { verifier_of(headers) }
}

const TYPE: &str = "x-amz-checksum-type";

fn verifier_of(headers: &HeaderMap) -> Option<Box<dyn Verify>> {
    let found = |algorithm| {
        let running = Running::new(algorithm);
        let value = echo(algorithm, headers).filter(|value| !value.contains('-'))?;
        if !is_digest(value, &running) {
            tracing::warn!("the store sent a {algorithm} that is none and verifies nothing: {value:?}");
            return None;
        }
        let expected = value.to_owned();
        Some(Box::new(Verifier { expected, running }) as _)
    };
    VERIFIED.into_iter().find_map(found)
}

/// Whether it is as long as a value of this algorithm, in base64.
fn is_digest(value: &str, running: &Running) -> bool {
    value.len() == running.clone().spell().len() && STANDARD.decode(value).is_ok()
}

struct Verifier {
    expected: String,
    running: Running,
}

impl Verify for Verifier {
    fn update(&mut self, piece: &[u8]) {
        self.running.update(piece);
    }
    fn finish(&mut self) -> Result<(), Error> {
        let (algorithm, found) = (self.running.algorithm(), self.running.clone().spell());
        if found == self.expected {
            return Ok(());
        }
        let message = format!("the bytes have the {algorithm} {found}, but the store says {}", self.expected);
        Err(Error::new(ErrorKind::Corrupt, message))
    }
}

/// A source of a body that is sent in one go, for the encoder of chunks.
pub fn pieces_of(body: &Body) -> std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> {
    match body {
        Body::Empty => Box::pin(futures_util::stream::empty()),
        Body::Bytes(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes.clone())])),
        Body::Segments(segments) => {
            let segments: Vec<_> = segments.iter().cloned().map(Ok).collect();
            Box::pin(futures_util::stream::iter(segments))
        }
        Body::Source(source) => source.open(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(algorithm: Algorithm, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(algorithm.header()),
            value.parse().expect("a value"),
        )])
    }

    #[test]
    fn every_algorithm_verifies_what_came() {
        for algorithm in Algorithm::ALL {
            assert!(VERIFIED.contains(&algorithm), "{algorithm}");
            let value = digest::base64(&algorithm.of(b"right"));
            let verdict = |headers: &HeaderMap| {
                let mut verifier = verifier(http::StatusCode::OK, headers)?;
                verifier.update(b"ri");
                verifier.update(b"ght");
                Some(verifier.finish().map_err(|error| error.kind()))
            };
            assert_eq!(verdict(&headers(algorithm, &value)), Some(Ok(())), "{algorithm}");
            let wrong = digest::base64(&algorithm.of(b"wrong"));
            assert_eq!(verdict(&headers(algorithm, &wrong)), Some(Err(ErrorKind::Corrupt)), "{algorithm}");
            for other in [&format!("{value}-2"), "", "{}{!!#{})!{)@$(}", &value[1..], &format!("{value}AAAA")]
            {
                assert_eq!(verdict(&headers(algorithm, other)), None, "{algorithm} {other}");
            }
        }
    }

    #[test]
    fn trailers_are_as_long_as_they_say() {
        for algorithm in Algorithm::ALL {
            let mut trailer = ChecksumTrailer::new(algorithm);
            trailer.update(b"123456789");
            assert_eq!(trailer.value(), digest::base64(&algorithm.of(b"123456789")));
            assert_eq!(trailer.value().len() as u64, trailer.value_len(), "{algorithm}");
        }
    }

    #[test]
    fn an_echo_must_be_what_was_sent() {
        let sent = (Algorithm::XxHash3, "AAAAAAAAAAA=".to_owned());
        assert!(check_echo(Some(&sent), &headers(Algorithm::XxHash3, &sent.1)).is_ok());
        assert!(check_echo(Some(&sent), &headers(Algorithm::Crc32, "other")).is_ok(), "of something else");
        let wrong = check_echo(Some(&sent), &headers(Algorithm::XxHash3, "other"));
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
