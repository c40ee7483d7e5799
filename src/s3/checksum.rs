//! How both sides prove to each other that bytes arrived whole.
//!
//! Uploads carry a CRC-64/NVME, which costs next to nothing and which stores keep for the whole object: ahead of
//! the bytes where these are at hand, behind them where they are read only once ([`Method::Trailer`]). Stores that
//! refuse get the next method of [`Method::ORDER`]; `dialect` remembers. What the store echoes must agree with what
//! was sent, and the body of a download with the checksum that came along.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderMap;

use super::body::{Body, Verify};
use super::sign::chunked::Trailer;
use super::{Error, ErrorKind};
use crate::base::digest::{self, Crc32, Crc32C, Crc64Nvme, Md5, Sha1, Sha256};

pub const CRC64NVME: &str = "x-amz-checksum-crc64nvme";
/// Characters of eight bytes in base64.
const CRC64NVME_VALUE_LEN: u64 = 12;

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
    pub sha256: bool,
    pub crc64: bool,
    pub md5: bool,
}

/// Digests of one body, as headers spell them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    pub sha256: Option<String>,
    pub crc64: Option<String>,
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
    crc64: Option<Crc64Nvme>,
    md5: Option<Md5>,
}

/// Bytes after which other tasks of the thread get their turn.
const TURN_BYTES: usize = 1 << 20;

impl Sum {
    fn new(wanted: Wanted) -> Self {
        Self {
            sha256: wanted.sha256.then(Sha256::new),
            crc64: wanted.crc64.then(Crc64Nvme::new),
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
        if let Some(crc64) = &mut self.crc64 {
            crc64.update(piece);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(piece);
        }
    }
    fn finish(self) -> Digests {
        Digests {
            sha256: self.sha256.map(|sha256| digest::hex(&sha256.finish())),
            crc64: self.crc64.map(|crc64| spell(&crc64)),
            md5: self.md5.map(|md5| digest::base64(&md5.finish())),
        }
    }
}

fn spell(crc: &Crc64Nvme) -> String {
    digest::base64(&crc.value().to_be_bytes())
}

/// The checksum behind a chunked body.
#[derive(Default)]
pub struct CrcTrailer(Crc64Nvme);

impl Trailer for CrcTrailer {
    fn name(&self) -> &'static str {
        CRC64NVME
    }
    fn value_len(&self) -> u64 {
        CRC64NVME_VALUE_LEN
    }
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }
    fn value(&self) -> String {
        spell(&self.0)
    }
}

/// The store's word for what it got, where it says one, must be ours.
pub fn check_echo(sent: Option<&str>, reply: &HeaderMap) -> Result<(), Error> {
    let (Some(sent), Some(echoed)) = (sent, echo(reply)) else { return Ok(()) };
    if sent == echoed {
        return Ok(());
    }
    let message =
        format!("the store got other bytes than were sent: its CRC64NVME is {echoed}, ours is {sent}");
    Err(Error::new(ErrorKind::Corrupt, message))
}

/// The CRC-64/NVME that a reply to an upload carries.
pub fn echo(reply: &HeaderMap) -> Option<&str> {
    reply.get(CRC64NVME)?.to_str().ok()
}

/// Verifies the body of a whole object with the best checksum that came along. Those of single parts
/// (`value-N`) say nothing about the bytes in their order, and a range cannot be verified at all.
pub fn verifier(status: http::StatusCode, headers: &HeaderMap) -> Option<Box<dyn Verify>> {
    if status != http::StatusCode::OK {
        return None;
    }
    let value = |name: &str| {
        let value = headers.get(format!("x-amz-checksum-{name}"))?.to_str().ok()?;
        (!value.contains('-')).then(|| value.to_owned())
    };
    let found = |name, hasher| value(name).map(|expected| Box::new(Verifier { name, expected, hasher }) as _);
    found("crc64nvme", Hasher::Crc64Nvme(Crc64Nvme::new()))
        .or_else(|| found("crc32c", Hasher::Crc32C(Crc32C::new())))
        .or_else(|| found("crc32", Hasher::Crc32(Crc32::new())))
        .or_else(|| found("sha1", Hasher::Sha1(Sha1::new())))
        .or_else(|| found("sha256", Hasher::Sha256(Sha256::new())))
}

struct Verifier {
    name: &'static str,
    expected: String,
    hasher: Hasher,
}

enum Hasher {
    Crc64Nvme(Crc64Nvme),
    Crc32C(Crc32C),
    Crc32(Crc32),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Verify for Verifier {
    fn update(&mut self, piece: &[u8]) {
        match &mut self.hasher {
            Hasher::Crc64Nvme(crc) => crc.update(piece),
            Hasher::Crc32C(crc) => crc.update(piece),
            Hasher::Crc32(crc) => crc.update(piece),
            Hasher::Sha1(sha) => sha.update(piece),
            Hasher::Sha256(sha) => sha.update(piece),
        }
    }
    fn finish(&mut self) -> Result<(), Error> {
        let found = match &self.hasher {
            Hasher::Crc64Nvme(crc) => spell(crc),
            Hasher::Crc32C(crc) => digest::base64(&crc.value().to_be_bytes()),
            Hasher::Crc32(crc) => digest::base64(&crc.value().to_be_bytes()),
            Hasher::Sha1(sha) => digest::base64(&sha.clone().finish()),
            Hasher::Sha256(sha) => digest::base64(&sha.clone().finish()),
        };
        if found == self.expected {
            return Ok(());
        }
        let message =
            format!("the bytes have the {} {found}, but the store says {}", self.name, self.expected);
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
