//! One error for every call: its kind says what to do, the rest says what the store said.
//!
//! [`kind_of`] is the one place where a status and a code become a kind. The store's code is believed before its
//! status, and a 404 means "absent" only when an S3 server says so in its own words: an error page of a proxy
//! never does (see [`Asked`]).
//!
//! ```
//! use holdfs::s3::ops::{CreateBucket, GetObject, PutObject, WriteCondition};
//! use holdfs::s3::{Error, ErrorKind};
//! # use holdfs::s3::{Client, Config, Credentials, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
//! # let pair = server.key_pair();
//! # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! # let client = Client::new(config)?;
//! # client.send(&CreateBucket { bucket: "photos".into(), ..CreateBucket::default() }).await?;
//! // A kind is what a program decides by; the rest is for people and for the store's support.
//! let about = |error: &Error| match error.kind() {
//!     ErrorKind::NoSuchKey | ErrorKind::NoSuchVersion => "absent",
//!     ErrorKind::PreconditionFailed | ErrorKind::Conflict => "somebody was faster: read it again",
//!     ErrorKind::Denied | ErrorKind::Credentials | ErrorKind::NoCredentials => "not allowed",
//!     ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::TimedOut => "later",
//!     _ => "else",
//! };
//! let get = GetObject { bucket: "photos".into(), key: "none".into(), ..GetObject::default() };
//! let error = client.send(&get).await.map(drop).expect_err("there is none");
//! assert_eq!((about(&error), error.code(), error.status()), ("absent", "NoSuchKey", 404));
//! assert_eq!((error.operation(), error.resource()), ("GetObject", "photos/none"));
//! assert!(!error.request_id().is_empty());
//!
//! let create = PutObject { condition: WriteCondition::Absent, ..PutObject::new("photos", "k", "first") };
//! client.send(&create).await?;
//! let error = client.send(&create).await.expect_err("it is there by now");
//! assert_eq!(about(&error), "somebody was faster: read it again");
//! # Ok(())
//! # }
//! ```

mod classify;
mod document;

use std::fmt;

pub use classify::{Asked, kind_of, kind_of_code};
pub use document::{Document, parse_document};

/// What a caller can do about it. Never guessed from a status alone where the reply has a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 404 on an object: the store's own word that the key is absent.
    NoSuchKey,
    /// The bucket is absent.
    NoSuchBucket,
    /// The version is absent.
    NoSuchVersion,
    /// The upload is absent: completed, aborted or never begun.
    NoSuchUpload,
    /// A configuration document or tag set that was never put.
    NoSuchSetting,
    /// 304 on a conditional read.
    NotModified,
    /// 403: permissions.
    Denied,
    /// 403 or 400: the credentials themselves (unknown key, wrong secret, expired token).
    Credentials,
    /// No usable credentials were found at all.
    NoCredentials,
    /// 412: If-Match or If-None-Match did not hold.
    PreconditionFailed,
    /// 409 ConditionalRequestConflict, OperationAborted: read the state again, then decide.
    Conflict,
    /// There is a bucket of this name, ours or not.
    BucketExists,
    /// It has objects, versions, delete markers or uploads.
    BucketNotEmpty,
    /// 416.
    InvalidRange,
    /// 405, for one: a delete marker was named.
    MethodNotAllowed,
    /// 501, or an answer that says the store has no such feature.
    Unsupported,
    /// 403 InvalidObjectState: the bytes are in an archive class.
    Archived,
    /// InvalidPart, InvalidPartOrder, EntityTooSmall at completion.
    InvalidPart,
    /// 400 and kin: the request itself is wrong.
    Invalid,
    /// EntityTooLarge.
    TooLarge,
    /// Beyond the bytes that a key may have.
    KeyTooLong,
    /// Beyond the bytes that user metadata may have.
    MetadataTooLarge,
    /// Over a quota of the store (507 and kin).
    Quota,
    /// Still throttled (503 SlowDown, 429) when the deadline came.
    Throttled,
    /// 5xx, refused or cut connections, until the deadline.
    Unavailable,
    /// No answer, or no byte of one, in time.
    TimedOut,
    /// Wrong length, wrong checksum, torn or malformed reply, until the deadline.
    Corrupt,
    /// Certificate or protocol failure of TLS.
    Tls,
    /// A region or host that redirects elsewhere and cannot be followed.
    Redirect,
    /// The clock differs by more than the store allows and could not be corrected.
    Skew,
    /// The source of a request body failed locally.
    Source,
    /// A fault of ours.
    Bug,
}

/// Boxed inside, so that `Result<T>` stays small. `Display` is one line for people: operation, bucket/key, code,
/// message, both request ids; control characters escaped.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    /// `bucket` or `bucket/key`.
    resource: String,
    code: String,
    message: String,
    status: u16,
    request_id: String,
    host_id: String,
    details: Vec<(&'static str, String)>,
    ambiguous: bool,
}

impl Error {
    /// What a verb finds wrong by itself; `Client::send` adds the operation, the names and the request ids.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: "",
            resource: String::new(),
            code: String::new(),
            message: message.into(),
            status: 0,
            request_id: String::new(),
            host_id: String::new(),
            details: Vec::new(),
            ambiguous: false,
        }))
    }
    /// A reply that cannot be understood: worth another try, since it may be torn.
    pub fn decode(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }
    /// A request that cannot be sent as it was asked for.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }
    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// `NoSuchKey`, `AccessDenied`, …; empty when no S3 server answered.
    pub fn code(&self) -> &str {
        &self.0.code
    }
    /// What the store, or the client itself, says about it.
    pub fn message(&self) -> &str {
        &self.0.message
    }
    /// 0 when no server answered.
    pub fn status(&self) -> u16 {
        self.0.status
    }
    /// `x-amz-request-id`; empty when no S3 server answered.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }
    /// `x-amz-id-2`.
    pub fn host_id(&self) -> &str {
        &self.0.host_id
    }
    /// `bucket` or `bucket/key` that the request was about; empty for what failed before it was known.
    pub fn resource(&self) -> &str {
        &self.0.resource
    }
    /// What else the error document says, by the name of the element: `Region`, `Endpoint`, `Condition`,
    /// `ServerTime`, `BucketName`, `Key`, `ArgumentName` and the like. Nothing of it is shown by itself.
    pub fn detail(&self, element: &str) -> Option<&str> {
        self.0.details.iter().find(|(name, _)| *name == element).map(|(_, value)| value.as_str())
    }
    /// The S3 action that failed; empty for what failed before one was named.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }
    /// The request may have been applied although no definite answer came: look before you act.
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }

    /// The store refused because of a legal hold or retention. Most stores say so only in the message (AWS with
    /// AccessDenied, MinIO with InvalidRequest); many do not say it at all.
    pub fn is_object_lock(&self) -> bool {
        const WORDS: [&str; 3] = ["object lock", "worm", "legal hold"];
        let message = self.0.message.to_lowercase();
        match self.0.kind {
            _ if self.0.code == "ObjectLocked" => true,
            ErrorKind::Denied => WORDS.iter().any(|words| message.contains(words)),
            ErrorKind::Invalid => message.contains("worm protected"),
            _ => false,
        }
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }
    pub(super) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = code.into();
        self
    }
    pub(super) fn with_details(mut self, details: Vec<(&'static str, String)>) -> Self {
        self.0.details = details;
        self
    }
    pub(super) fn with_ambiguity(mut self, ambiguous: bool) -> Self {
        self.0.ambiguous |= ambiguous;
        self
    }
    /// Fills in what is not known yet; what an inner layer said stays.
    pub(super) fn about(mut self, operation: &'static str, resource: &str) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation;
        }
        if self.0.resource.is_empty() {
            self.0.resource = resource.to_owned();
        }
        self
    }
    pub(super) fn with_request_ids(mut self, request_id: &str, host_id: &str) -> Self {
        if self.0.request_id.is_empty() {
            self.0.request_id = request_id.to_owned();
        }
        if self.0.host_id.is_empty() {
            self.0.host_id = host_id.to_owned();
        }
        self
    }
    pub(super) fn explain(mut self, more: &str) -> Self {
        if !self.0.message.is_empty() {
            self.0.message.push_str("; ");
        }
        self.0.message.push_str(more);
        self
    }
}

/// `GetObject photos/a.jpg: AccessDenied (403): Access Denied [request 4442587FB7D0A2F9, host q1w2]`
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if !inner.operation.is_empty() {
            write!(f, "{}", inner.operation)?;
            if !inner.resource.is_empty() {
                write!(f, " {}", Printable(&inner.resource))?;
            }
            f.write_str(": ")?;
        }
        match (inner.code.is_empty(), inner.status) {
            (true, 0) => {}
            (true, status) => write!(f, "status {status}: ")?,
            (false, 0) => write!(f, "{}: ", Printable(&inner.code))?,
            (false, status) => write!(f, "{} ({status}): ", Printable(&inner.code))?,
        }
        let message = if inner.message.is_empty() { "no message" } else { &inner.message };
        write!(f, "{}", Printable(message))?;
        if inner.ambiguous {
            f.write_str(" (it may have been applied all the same)")?;
        }
        match (inner.request_id.is_empty(), inner.host_id.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => write!(f, " [request {}]", Printable(&inner.request_id)),
            _ => write!(f, " [request {}, host {}]", Printable(&inner.request_id), Printable(&inner.host_id)),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl std::error::Error for Error {}

/// Text that cannot move a terminal's cursor nor forge a line of a log; cut where a hostile server goes on and on.
struct Printable<'a>(&'a str);

const PRINTED_CHARS_MAX: usize = 1024;

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, char) in self.0.chars().enumerate() {
            match char {
                _ if index == PRINTED_CHARS_MAX => return f.write_str("…"),
                char if char.is_control() || is_bidi_control(char) => write!(f, "{}", char.escape_default())?,
                char => fmt::Write::write_char(f, char)?,
            }
        }
        Ok(())
    }
}

fn is_bidi_control(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_what_its_document_says() {
        let text = "<Error><Code>PreconditionFailed</Code><Message>m</Message><Condition>If-Match</Condition>\
            <StringToSign>secret</StringToSign><Resource>/b/k</Resource></Error>";
        let document = parse_document(text.as_bytes()).unwrap();
        let error = Error::new(ErrorKind::PreconditionFailed, "m").with_details(document.details);
        assert_eq!(error.detail("Condition"), Some("If-Match"));
        assert_eq!((error.detail("Resource"), error.detail("StringToSign")), (Some("/b/k"), None));
        assert_eq!(error.about("GetObject", "b/k").resource(), "b/k");
    }

    #[test]
    fn stores_say_in_their_own_words_that_an_object_is_locked() {
        for (kind, code, message, is_lock) in [
            (
                ErrorKind::Denied,
                "AccessDenied",
                "Access Denied because object protected by object lock.",
                true,
            ),
            (
                ErrorKind::Invalid,
                "InvalidRequest",
                "Object is WORM protected and cannot be overwritten",
                true,
            ),
            (ErrorKind::Denied, "AccessDenied", "forbidden by object lock", true),
            (ErrorKind::Invalid, "ObjectLocked", "", true),
            (ErrorKind::Denied, "AccessDenied", "Access Denied", false),
            (ErrorKind::Denied, "AccessDenied", "not authorized to perform: s3:PutObjectLegalHold", false),
            (ErrorKind::Invalid, "InvalidRequest", "Bucket is missing Object Lock Configuration", false),
        ] {
            let error = Error::new(kind, message).with_code(code);
            assert_eq!(error.is_object_lock(), is_lock, "{error}");
        }
    }

    #[test]
    fn what_a_server_says_cannot_move_the_cursor_nor_fill_the_log() {
        let error = Error::new(ErrorKind::Denied, format!("a\r\nb\u{1b}[2J\u{202e}{}", "x".repeat(100_000)));
        let text = error.about("GetObject", "b/k\u{7}").with_code("X\n").with_status(403).to_string();
        assert!(!text.chars().any(|char| char.is_control() || char == '\u{202e}'), "{text:?}");
        assert!(text.len() < 2_000);
        assert!(
            text.starts_with("GetObject b/k\\u{7}: X\\n (403): a\\r\\nb\\u{1b}[2J\\u{202e}xxx"),
            "{text}"
        );
    }
}
