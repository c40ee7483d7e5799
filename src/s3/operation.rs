//! A verb of S3 as data.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::{Body, ByteStream, Error};

/// What a verb wants sent, before endpoint, style, checksum and signature are decided.
pub struct Request {
    pub method: Method,
    pub bucket: Option<String>,
    pub key: Option<String>,
    /// Names and values unencoded; a sub-resource has an empty value.
    pub query: Vec<(&'static str, String)>,
    pub headers: HeaderMap,
    pub body: Body,
    /// Needs Content-MD5 or a checksum (s3-client 2.7).
    pub needs_checksum: bool,
}

/// A successful reply (2xx that is not an error in disguise).
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: ReplyBody,
}

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
    type Output: Send;
    /// The S3 API action, such as `GetObject`.
    const NAME: &'static str;
    /// The body of a good reply is object data.
    const STREAMED: bool = false;

    fn encode(&self) -> Result<Request, Error>;
    fn payload(&self) -> Payload {
        Payload::Document
    }
    fn decode(&self, reply: Reply) -> Result<Self::Output, Error>;
    /// The output that a refusal of the store amounts to, such as an empty set for NoSuchTagSet; `None` passes the
    /// error on. Asked once the verdict is final.
    fn recover(&self, _error: &Error) -> Option<Self::Output> {
        None
    }
    fn replay(&self) -> Replay {
        Replay::Idempotent
    }
    /// Whether the request is signed; not where its body has a proof of its own.
    fn is_signed(&self) -> bool {
        true
    }
}
