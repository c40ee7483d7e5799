//! A verb of S3 as data.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::{Body, ByteStream, Error};
use crate::base::checksum::Algorithm;

/// What a verb wants sent, before endpoint, style, checksum and signature are decided.
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// `None` asks the service itself.
    pub bucket: Option<String>,
    /// Percent-encoded when it is sent, not here.
    pub key: Option<String>,
    /// Names and values unencoded; a sub-resource has an empty value.
    pub query: Vec<(&'static str, String)>,
    /// Besides those of signature, checksum and transport.
    pub headers: HeaderMap,
    /// What it carries.
    pub body: Body,
    /// Needs Content-MD5 or a checksum (s3-client 2.7).
    pub needs_checksum: bool,
    /// By which its bytes are checked.
    pub checksum: RequestChecksum,
}

/// By which checksum the bytes of a request are checked on their way, and later where the store keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestChecksum {
    /// By what the client thinks best: CRC64NVME of objects and parts, where the store takes it.
    #[default]
    Usual,
    /// By this one, or the request fails.
    Computed(Algorithm),
    /// By what the headers of the request say already.
    Given,
}

/// A successful reply (2xx that is not an error in disguise).
pub struct Reply {
    /// 2xx.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// What it carries.
    pub body: ReplyBody,
}

/// The body of a reply.
pub enum ReplyBody {
    /// Read to its end, within the limit of the operation.
    Collected(Bytes),
    /// Only for operations with `STREAMED`.
    Stream(ByteStream),
}

/// May the request be sent again after an ambiguous failure (it may have been applied)?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Same end state however often it is applied.
    Idempotent,
    /// The caller must look first: the client returns the ambiguous error.
    LookFirst,
}

/// What the body of a request is: decides how its arrival is proved (see `checksum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A small document, or nothing.
    Document,
    /// The bytes of an object or a part.
    Object,
    /// Opens an upload whose parts will be of kind `Object`.
    Upload,
    /// The same, and some of its parts will be copied by the store itself.
    UploadWithCopies,
}

/// One S3 operation: request in, typed output out.
pub trait Operation: Sync {
    /// What a good reply means.
    type Output: Send;
    /// The S3 API action, such as `GetObject`.
    const NAME: &'static str;
    /// The body of a good reply is object data.
    const STREAMED: bool = false;

    /// What is sent; `Invalid` for what cannot be.
    fn encode(&self) -> Result<Request, Error>;
    /// What its body is.
    fn payload(&self) -> Payload {
        Payload::Document
    }
    /// What a good reply means; `Corrupt` where it makes no sense.
    fn decode(&self, reply: Reply) -> Result<Self::Output, Error>;
    /// The output that a refusal of the store amounts to, such as an empty set for NoSuchTagSet; `None` passes the
    /// error on. Asked once the verdict is final.
    fn recover(&self, _error: &Error) -> Option<Self::Output> {
        None
    }
    /// Whether it may be sent again after a lost answer.
    fn replay(&self) -> Replay {
        Replay::Idempotent
    }
    /// Whether the request is signed; not where its body has a proof of its own.
    fn is_signed(&self) -> bool {
        true
    }
}
