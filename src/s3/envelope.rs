//! One attempt's request as it goes over the wire: address, headers, protected body, signature.
//!
//! How a body is protected depends on what it is, on who can be trusted on the way, and on what the store takes:
//!
//! | body | over TLS | over plain HTTP |
//! |---|---|---|
//! | document | SHA-256 in the signature, Content-MD5 where S3 wants one | the same |
//! | object in memory | checksum ahead | checksum ahead, SHA-256 in the signature |
//! | object read once | checksum behind, chunks unsigned | checksum behind, every chunk signed |

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderName,
    HeaderValue, USER_AGENT,
};
use http::{Method as Verb, Uri};

use super::checksum::{self, ChecksumTrailer, Digests, Method, USUAL, Wanted};
use super::endpoint::{Address, Scheme};
use super::operation::{Payload, Request, RequestChecksum};
use super::sign::canonical;
use super::sign::chunked::{Chain, Encoder};
use super::sign::header::{self, Seed};
use super::sign::{EMPTY_SHA256, Signer};
use super::transport::{Outgoing, Progress};
use super::{Body, Error, ErrorKind, PayloadSigning};
use crate::base::checksum::Algorithm;
use crate::base::secret::Secret;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");
const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const STREAMING_UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const STREAMING_SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";

/// How one body is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    pub wanted: Wanted,
    pub chunks: Chunks,
    /// Of the body, where it has one.
    pub algorithm: Algorithm,
    /// Without a body, the store is told by what it shall check (a copy) or be brought the parts (an upload).
    announce: Option<Announcement>,
}

/// What a store hears of checksums that are not of this request's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announcement {
    Copy,
    Upload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    None,
    Unsigned,
    Signed,
}

/// What the protection of a body depends on.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    pub payload: Payload,
    /// S3 refuses this request without an integrity header.
    pub needs_checksum: bool,
    pub checksum: RequestChecksum,
    /// There is a body.
    pub has_body: bool,
    /// The bytes come from a source that is best read once.
    pub read_once: bool,
    pub method: Method,
    /// No signature: anonymous, or a bearer token.
    pub unsigned: bool,
    pub scheme: Scheme,
    /// The signature covers no chunks (Version 4A).
    pub whole: bool,
    pub signing: PayloadSigning,
}

pub fn protection(case: Circumstances) -> Protection {
    let signed = !case.unsigned
        && match case.signing {
            PayloadSigning::Auto => case.scheme == Scheme::Http,
            PayloadSigning::Always => true,
            PayloadSigning::Never => false,
        };
    let algorithm = match case.checksum {
        RequestChecksum::Computed(algorithm) => algorithm,
        RequestChecksum::Usual | RequestChecksum::Given => USUAL,
    };
    let none = Protection { wanted: Wanted::default(), chunks: Chunks::None, algorithm, announce: None };
    let asked = matches!(case.checksum, RequestChecksum::Computed(_));
    let usual = case.checksum == RequestChecksum::Usual;
    // One that was asked for is sent whatever the store's own taste.
    let checksum = (asked || usual && case.method.is_crc()).then_some(algorithm);
    match case.payload {
        Payload::Document | Payload::Upload | Payload::UploadWithCopies => {
            let of_document = checksum.filter(|_| asked && case.has_body);
            let md5 = case.needs_checksum && usual;
            let announce = match case.payload {
                Payload::Document => asked.then_some(Announcement::Copy),
                _ => checksum.map(|_| Announcement::Upload),
            };
            Protection {
                wanted: Wanted { sha256: !case.unsigned, md5, checksum: of_document },
                announce: announce.filter(|_| !case.has_body),
                ..none
            }
        }
        Payload::Object
            if case.read_once
                && case.method == Method::Trailer
                && checksum.is_some()
                && !case.unsigned
                && !(signed && case.whole) =>
        {
            Protection { chunks: if signed { Chunks::Signed } else { Chunks::Unsigned }, ..none }
        }
        Payload::Object => {
            let md5 = usual
                && (case.method == Method::ContentMd5 || case.method == Method::None && case.needs_checksum);
            Protection { wanted: Wanted { sha256: signed, checksum, md5 }, ..none }
        }
    }
}

/// What is needed to seal an envelope.
pub struct Sealing<'a> {
    pub request: &'a Request,
    pub address: &'a Address,
    pub protection: Protection,
    pub digests: &'a Digests,
    pub voucher: Voucher<'a>,
    pub user_agent: &'a HeaderValue,
}

/// What tells the store who sends a request.
pub enum Voucher<'a> {
    Nothing,
    Signature(Signer<'a>),
    Bearer(&'a Secret),
}

pub struct Sealed {
    pub request: http::Request<Outgoing>,
    pub progress: Arc<Progress>,
}

pub fn seal(sealing: &Sealing<'_>) -> Result<Sealed, Error> {
    let query = query_of(sealing.request);
    let mut headers = headers_of(sealing)?;
    let seed = match &sealing.voucher {
        Voucher::Nothing => None,
        Voucher::Bearer(token) => {
            headers.insert(AUTHORIZATION, bearer(sealing.address.scheme, token)?);
            None
        }
        Voucher::Signature(signer) => {
            let target = header::Target {
                method: &sealing.request.method,
                path: &sealing.address.path,
                query: &query,
                payload_hash: payload_hash(sealing),
            };
            Some(header::sign(signer, &target, &mut headers)?)
        }
    };
    let (outgoing, len) = outgoing(sealing, seed);
    if len == 0 && matches!(sealing.request.method, Verb::PUT | Verb::POST) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers.insert(USER_AGENT, sealing.user_agent.clone());
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let progress = outgoing.progress();
    let mut request = http::Request::new(outgoing);
    *request.method_mut() = sealing.request.method.clone();
    *request.uri_mut() = uri_of(sealing.address, &query)?;
    *request.headers_mut() = headers;
    Ok(Sealed { request, progress })
}

/// Whoever hears the token can use it: it goes over TLS only.
fn bearer(scheme: Scheme, token: &Secret) -> Result<HeaderValue, Error> {
    if scheme == Scheme::Http {
        return Err(Error::invalid(
            "a bearer token is sent over https:// only: give an endpoint that begins so",
        ));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        Error::new(ErrorKind::Credentials, "the bearer token has characters that no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub fn query_of(request: &Request) -> String {
    canonical::query(request.query.iter().map(|(name, value)| (*name, value.as_str())))
}

fn headers_of(sealing: &Sealing<'_>) -> Result<HeaderMap, Error> {
    let mut headers = sealing.request.headers.clone();
    headers.insert(HOST, value(&sealing.address.authority)?);
    if let Some(md5) = &sealing.digests.md5 {
        headers.insert(CONTENT_MD5, value(md5)?);
    }
    if let Some((algorithm, checksum)) = &sealing.digests.checksum {
        headers.insert(algorithm.header(), value(checksum)?);
    }
    announce(sealing.protection, &mut headers);
    if sealing.protection.chunks != Chunks::None {
        headers.insert(CONTENT_ENCODING, chunked_encoding(headers.get(CONTENT_ENCODING))?);
        headers.insert(DECODED_LENGTH, sealing.request.body.len().into());
        headers.insert(TRAILER, HeaderValue::from_static(sealing.protection.algorithm.header()));
    }
    Ok(headers)
}

/// Of an upload the value is for the whole object where the algorithm has such, unless the request says itself.
fn announce(protection: Protection, headers: &mut HeaderMap) {
    let Some(announcement) = protection.announce else { return };
    headers.insert(CHECKSUM_ALGORITHM, HeaderValue::from_static(protection.algorithm.name()));
    if announcement == Announcement::Upload {
        let kind = if protection.algorithm.is_crc() { "FULL_OBJECT" } else { "COMPOSITE" };
        headers.entry(CHECKSUM_TYPE).or_insert(HeaderValue::from_static(kind));
    }
}

/// The store keeps what stands before `aws-chunked`.
fn chunked_encoding(own: Option<&HeaderValue>) -> Result<HeaderValue, Error> {
    match own.map(HeaderValue::to_str) {
        None => Ok(HeaderValue::from_static("aws-chunked")),
        Some(Ok(own)) => value(&format!("{own},aws-chunked")),
        Some(Err(_)) => Err(Error::invalid("the content encoding is not plain text")),
    }
}

fn payload_hash<'a>(sealing: &'a Sealing<'_>) -> &'a str {
    match sealing.protection.chunks {
        Chunks::Signed => STREAMING_SIGNED,
        Chunks::Unsigned => STREAMING_UNSIGNED,
        Chunks::None => match &sealing.digests.sha256 {
            Some(sha256) => sha256,
            None if sealing.request.body.is_empty() => EMPTY_SHA256,
            None => UNSIGNED,
        },
    }
}

fn outgoing(sealing: &Sealing<'_>, seed: Option<Seed>) -> (Outgoing, u64) {
    let body = &sealing.request.body;
    let chain = match sealing.protection.chunks {
        Chunks::None => return (Outgoing::new(body), body.len()),
        Chunks::Unsigned => None,
        Chunks::Signed => seed.and_then(Chain::of),
    };
    let trailer = Box::new(ChecksumTrailer::new(sealing.protection.algorithm));
    let encoder = Encoder::new(checksum::pieces_of(body), body.len(), chain, Some(trailer));
    let len = encoder.encoded_len();
    (Outgoing::streamed(Some(encoder.into_pieces()), len), len)
}

fn uri_of(address: &Address, query: &str) -> Result<Uri, Error> {
    let separator = if query.is_empty() { "" } else { "?" };
    Uri::builder()
        .scheme(address.scheme.name())
        .authority(address.authority.as_str())
        .path_and_query(format!("{}{separator}{query}", address.path))
        .build()
        .map_err(|error| Error::new(ErrorKind::Bug, format!("the address cannot be written: {error}")))
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|_| Error::invalid("a header value has characters that cannot be sent"))
}

/// Whether the body is one that is best read once.
pub fn is_read_once(body: &Body) -> bool {
    matches!(body, Body::Source(source) if !source.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_protected_by_what_they_are_and_where_they_go() {
        let object = Circumstances {
            payload: Payload::Object,
            needs_checksum: false,
            checksum: RequestChecksum::Usual,
            has_body: true,
            read_once: false,
            method: Method::Trailer,
            unsigned: false,
            scheme: Scheme::Https,
            whole: false,
            signing: PayloadSigning::Auto,
        };
        let http = Circumstances { scheme: Scheme::Http, ..object };
        let document = Circumstances { payload: Payload::Document, ..object };
        let once = Circumstances { read_once: true, ..object };
        let wanted = |sha256, usual: bool, md5| {
            let checksum = usual.then_some(Algorithm::Crc64Nvme);
            Wanted { sha256, checksum, md5 }
        };
        let nothing = Wanted::default();
        for (case, expected, chunks) in [
            (object, wanted(false, true, false), Chunks::None),
            (http, wanted(true, true, false), Chunks::None),
            (
                Circumstances { signing: PayloadSigning::Never, ..http },
                wanted(false, true, false),
                Chunks::None,
            ),
            (
                Circumstances { signing: PayloadSigning::Always, ..object },
                wanted(true, true, false),
                Chunks::None,
            ),
            (once, nothing, Chunks::Unsigned),
            (Circumstances { scheme: Scheme::Http, ..once }, nothing, Chunks::Signed),
            (
                Circumstances { whole: true, signing: PayloadSigning::Always, ..once },
                wanted(true, true, false),
                Chunks::None,
            ),
            (Circumstances { whole: true, ..once }, nothing, Chunks::Unsigned),
            (Circumstances { method: Method::Header, ..once }, wanted(false, true, false), Chunks::None),
            (Circumstances { unsigned: true, ..once }, wanted(false, true, false), Chunks::None),
            (
                Circumstances { method: Method::ContentMd5, ..object },
                wanted(false, false, true),
                Chunks::None,
            ),
            (Circumstances { method: Method::None, ..object }, nothing, Chunks::None),
            (
                Circumstances { method: Method::None, needs_checksum: true, ..object },
                wanted(false, false, true),
                Chunks::None,
            ),
            (document, wanted(true, false, false), Chunks::None),
            (Circumstances { needs_checksum: true, ..document }, wanted(true, false, true), Chunks::None),
            (Circumstances { unsigned: true, ..document }, nothing, Chunks::None),
        ] {
            let protection = protection(case);
            assert_eq!((protection.wanted, protection.chunks), (expected, chunks), "{case:?}");
        }
        let upload = Circumstances { payload: Payload::Upload, has_body: false, ..object };
        assert_eq!(protection(upload).announce, Some(Announcement::Upload));
        assert_eq!(protection(Circumstances { method: Method::ContentMd5, ..upload }).announce, None);
    }

    #[test]
    fn a_checksum_that_was_asked_for_is_sent_by_whatever_method() {
        let asked = Circumstances {
            payload: Payload::Object,
            needs_checksum: true,
            checksum: RequestChecksum::Computed(Algorithm::XxHash3),
            has_body: true,
            read_once: false,
            method: Method::None,
            unsigned: false,
            scheme: Scheme::Https,
            whole: false,
            signing: PayloadSigning::Auto,
        };
        let only = |checksum| Wanted { sha256: false, checksum, md5: false };
        assert_eq!(protection(asked).wanted, only(Some(Algorithm::XxHash3)));
        let once = protection(Circumstances { read_once: true, method: Method::Trailer, ..asked });
        assert_eq!((once.wanted, once.algorithm), (Wanted::default(), Algorithm::XxHash3));
        assert_eq!(once.chunks, Chunks::Unsigned);
        let given = Circumstances { checksum: RequestChecksum::Given, ..asked };
        assert_eq!(protection(given).wanted, only(None), "it is in the headers already");
        let document = protection(Circumstances { payload: Payload::Document, ..asked });
        assert_eq!((document.wanted.checksum, document.wanted.md5), (Some(Algorithm::XxHash3), false));
        let told = |payload, checksum| {
            let case = Circumstances { payload, checksum, has_body: false, ..asked };
            let mut headers = HeaderMap::new();
            announce(protection(case), &mut headers);
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            (text(CHECKSUM_ALGORITHM), text(CHECKSUM_TYPE))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told(Payload::Document, asked.checksum), (some("XXHASH3"), None), "a copy");
        assert_eq!(told(Payload::Upload, asked.checksum), (some("XXHASH3"), some("COMPOSITE")));
        let crc = RequestChecksum::Computed(Algorithm::Crc32c);
        assert_eq!(told(Payload::Upload, crc), (some("CRC32C"), some("FULL_OBJECT")));
        assert_eq!(told(Payload::Upload, RequestChecksum::Given), (None, None));
    }
}
