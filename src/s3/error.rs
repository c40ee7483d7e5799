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

use std::fmt;

use quick_xml::Reader;
use quick_xml::events::Event;

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

/// What a request named: decides what a 404 without a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing but the service.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Key,
    /// A version of an object.
    Version,
    /// A sub-resource that may not have been put (`?tagging`, `?lifecycle`).
    Setting,
}

/// Status and code to kind. `code` is empty where the reply carried no S3 error document.
pub fn kind_of(status: u16, code: &str, asked: Asked) -> ErrorKind {
    kind_of_code(code).unwrap_or_else(|| kind_of_status(status, asked))
}

/// Codes by which stores say that they are asked for too much.
const THROTTLED: &[&str] = &[
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "XMinioServerNotInitialized",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "TooManyRequests",
    "TooManyRequestsException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "EC2ThrottledException",
    "KMS.ThrottlingException",
];

/// The kind of a code that says enough by itself (also in the entries of DeleteObjects).
pub fn kind_of_code(code: &str) -> Option<ErrorKind> {
    use ErrorKind::*;
    Some(match code {
        "NoSuchKey" => NoSuchKey,
        "NoSuchBucket" => NoSuchBucket,
        "NoSuchVersion" => NoSuchVersion,
        "NoSuchUpload" => NoSuchUpload,
        "NoSuchTagSet"
        | "NoSuchTagSetError"
        | "NoSuchBucketPolicy"
        | "NoSuchCORSConfiguration"
        | "NoSuchWebsiteConfiguration"
        | "NoSuchConfiguration"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchPublicAccessBlockConfiguration"
        | "NoSuchAnnotation"
        | "NoLoggingStatusForKey"
        | "NoSuchObjectLockConfiguration"
        | "ObjectLockConfigurationNotFoundError"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError" => NoSuchSetting,
        "NotModified" => NotModified,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "NotSignedUp" | "InvalidPayer"
        | "UnauthorizedAccess" => Denied,
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "InvalidSecurity"
        | "MissingAuthenticationToken"
        | "TokenRefreshRequired" => Credentials,
        "PreconditionFailed" => PreconditionFailed,
        "ConditionalRequestConflict"
        | "OperationAborted"
        | "InvalidBucketState"
        | "RestoreAlreadyInProgress"
        | "ObjectAlreadyInActiveTierError" => Conflict,
        "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" => BucketExists,
        "BucketNotEmpty" => BucketNotEmpty,
        "InvalidRange" => InvalidRange,
        "MethodNotAllowed" => MethodNotAllowed,
        "NotImplemented" | "XNotImplemented" | "AccessControlListNotSupported" => Unsupported,
        "InvalidObjectState" | "ObjectNotInActiveTierError" => Archived,
        "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => InvalidPart,
        "EntityTooLarge" | "MaxMessageLengthExceeded" | "InlineDataTooLarge" => TooLarge,
        "KeyTooLongError" | "KeyTooLong" => KeyTooLong,
        "MetadataTooLarge" => MetadataTooLarge,
        "QuotaExceeded" | "InsufficientStorage" | "XMinioAdminBucketQuotaExceeded" | "XMinioStorageFull" => {
            Quota
        }
        _ if THROTTLED.contains(&code) => Throttled,
        // A key that is off, gone or not for us.
        _ if code.starts_with("KMS.") => Denied,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" | "PriorRequestNotComplete" => Unavailable,
        "RequestTimeout" | "RequestTimeoutException" => TimedOut,
        "BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => {
            Corrupt
        }
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "Redirect"
        | "AuthorizationHeaderMalformed"
        | "InvalidRegion"
        | "IllegalLocationConstraintException" => Redirect,
        "RequestTimeTooSkewed" => Skew,
        "CrossLocationLoggingProhibited" | "UnexpectedContent" | "MissingContentLength" => Invalid,
        "TooManyBuckets" | "TooManyConfigurations" | "AnnotationLimitExceeded" => Quota,
        _ => return None,
    })
}

fn kind_of_status(status: u16, asked: Asked) -> ErrorKind {
    use ErrorKind::*;
    match status {
        304 => NotModified,
        300..=399 => Redirect,
        401 => Credentials,
        403 => Denied,
        404 => absent(asked),
        405 => MethodNotAllowed,
        408 => TimedOut,
        409 => Conflict,
        412 => PreconditionFailed,
        413 => TooLarge,
        416 => InvalidRange,
        429 => Throttled,
        501 => Unsupported,
        507 => Quota,
        500..=599 => Unavailable,
        400..=499 => Invalid,
        _ => Corrupt,
    }
}

fn absent(asked: Asked) -> ErrorKind {
    match asked {
        Asked::Service => ErrorKind::Invalid,
        Asked::Bucket => ErrorKind::NoSuchBucket,
        Asked::Key => ErrorKind::NoSuchKey,
        Asked::Version => ErrorKind::NoSuchVersion,
        Asked::Setting => ErrorKind::NoSuchSetting,
    }
}

/// What an error document says. Nothing else of it is kept: `StringToSign` and its like must reach no log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The word of the store, such as `NoSuchKey`.
    pub code: String,
    /// What it says to people.
    pub message: String,
    /// The number of the request.
    pub request_id: String,
    /// Which of its hosts answered.
    pub host_id: String,
    /// The region that the bucket is in, in redirects and malformed authorizations.
    pub region: String,
    /// Elements of `DETAILS` that it has, with their text.
    pub details: Vec<(&'static str, String)>,
}

/// What callers may want to know of an error document besides.
const DETAILS: &[&str] = &[
    "ArgumentName",
    "ArgumentValue",
    "BucketName",
    "Condition",
    "Endpoint",
    "Key",
    "MaxAllowedSkewMilliseconds",
    "MaxSizeAllowed",
    "Method",
    "MinSizeAllowed",
    "PartNumber",
    "ProposedSize",
    "RangeRequested",
    "Region",
    "RequestTime",
    "Resource",
    "ResourceType",
    "ServerTime",
    "UploadId",
    "VersionId",
];
const DETAIL_BYTES_MAX: usize = 2048;

/// Elements of an error document are shallow; deeper nesting is an attack or no error document.
const DEPTH_MAX: usize = 4;

/// Reads an S3 error document; `None` if `document` is none. Entities beyond XML's own five are not known, so
/// nothing can grow, and reading stops at the first fault.
pub fn parse_document(document: &[u8]) -> Option<Document> {
    let text = std::str::from_utf8(document).ok()?.trim_start_matches('\u{feff}').trim_start();
    let mut reader = Reader::from_str(text);
    let (mut found, mut path, mut value) = (Document::default(), Vec::<String>::new(), String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                value.clear();
                if path.len() > DEPTH_MAX || !matches!(path[0].as_str(), "Error" | "ErrorResponse") {
                    return None;
                }
            }
            Event::Text(text) => value.push_str(text.as_ref()),
            Event::CData(data) => value.push_str(data.as_ref()),
            Event::GeneralRef(entity) => value.push(resolve(&entity)?),
            Event::End(_) => {
                found.take(&path.pop()?, std::mem::take(&mut value));
                if path.is_empty() {
                    return (!found.code.is_empty()).then_some(found);
                }
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::DocType(_) | Event::Eof => return None,
        }
    }
}

fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Some(char) = entity.resolve_char_ref().ok()? {
        return Some(char);
    }
    match entity.as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

impl Document {
    fn take(&mut self, element: &str, value: String) {
        let value = value.trim().to_owned();
        let detail = DETAILS.iter().find(|name| **name == element);
        if let Some(name) = detail.filter(|_| !value.is_empty() && value.len() <= DETAIL_BYTES_MAX) {
            self.details.push((name, value.clone()));
        }
        match element {
            "Code" => self.code = value,
            "Message" => self.message = value,
            "RequestId" => self.request_id = value,
            "HostId" => self.host_id = value,
            "Region" => self.region = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_a_status() {
        use ErrorKind::*;
        for (status, code, kind) in [
            (404, "NoSuchKey", NoSuchKey),
            (404, "NoSuchBucket", NoSuchBucket),
            (404, "NoSuchVersion", NoSuchVersion),
            (404, "NoSuchUpload", NoSuchUpload),
            (404, "NoSuchTagSet", NoSuchSetting),
            (404, "ObjectLockConfigurationNotFoundError", NoSuchSetting),
            (403, "AccessDenied", Denied),
            (403, "InvalidAccessKeyId", Credentials),
            (403, "SignatureDoesNotMatch", Credentials),
            (400, "ExpiredToken", Credentials),
            (412, "PreconditionFailed", PreconditionFailed),
            (409, "ConditionalRequestConflict", Conflict),
            (409, "OperationAborted", Conflict),
            (409, "BucketAlreadyOwnedByYou", BucketExists),
            (409, "BucketNotEmpty", BucketNotEmpty),
            (416, "InvalidRange", InvalidRange),
            (405, "MethodNotAllowed", MethodNotAllowed),
            (501, "NotImplemented", Unsupported),
            (403, "InvalidObjectState", Archived),
            (400, "InvalidPart", InvalidPart),
            (400, "EntityTooSmall", InvalidPart),
            (400, "EntityTooLarge", TooLarge),
            (400, "KeyTooLongError", KeyTooLong),
            (400, "MetadataTooLarge", MetadataTooLarge),
            (403, "QuotaExceeded", Quota),
            (403, "SlowDown", Throttled),
            (400, "RequestTimeout", TimedOut),
            (500, "InternalError", Unavailable),
            (400, "BadDigest", Corrupt),
            (301, "PermanentRedirect", Redirect),
            (400, "AuthorizationHeaderMalformed", Redirect),
            (403, "RequestTimeTooSkewed", Skew),
            (400, "MalformedXML", Invalid),
            (409, "InvalidBucketState", Conflict),
            (403, "SomethingNew", Denied),
            (503, "SomethingNew", Unavailable),
        ] {
            assert_eq!(kind_of(status, code, Asked::Key), kind, "{status} {code}");
        }
    }

    /// The others are the catch-all of their status.
    #[test]
    fn every_code_of_the_reference_has_a_kind() {
        use ErrorKind::*;
        let mut codes = 0;
        for (status, kind, of_kind) in [
            (301, Redirect, "PermanentRedirect"),
            (307, Redirect, "Redirect TemporaryRedirect"),
            (400, Corrupt, "BadDigest IncompleteBody"),
            (400, Credentials, "ExpiredToken InvalidToken TokenRefreshRequired"),
            (
                400,
                Invalid,
                "AmbiguousGrantByEmailAddress CredentialsNotSupported \
                IllegalVersioningConfigurationException IncorrectNumberOfFilesInPostRequest \
                InvalidAddressingHeader InvalidArgument InvalidBucketName InvalidDigest \
                InvalidEncryptionAlgorithmError InvalidLocationConstraint InvalidPolicyDocument \
                InvalidRequest InvalidSOAPRequest InvalidStorageClass InvalidTargetBucketForLogging \
                InvalidURI MalformedACLError MalformedPOSTRequest MalformedXML \
                MaxPostPreDataLengthExceededError MissingAttachment MissingRequestBodyError \
                MissingSecurityElement MissingSecurityHeader RequestIsNotMultiPartContent \
                RequestTorrentOfBucketError UnexpectedContent UnresolvableGrantByEmailAddress \
                UserKeyMustBeSpecified",
            ),
            (400, InvalidPart, "EntityTooSmall InvalidPart InvalidPartOrder"),
            (400, KeyTooLong, "KeyTooLongError"),
            (400, MetadataTooLarge, "MetadataTooLarge"),
            (400, NoSuchSetting, "NoLoggingStatusForKey"),
            (400, Quota, "TooManyBuckets"),
            (400, Redirect, "AuthorizationHeaderMalformed"),
            (400, TimedOut, "RequestTimeout"),
            (400, TooLarge, "EntityTooLarge InlineDataTooLarge MaxMessageLengthExceeded"),
            (403, Archived, "InvalidObjectState"),
            (403, Credentials, "InvalidAccessKeyId InvalidSecurity SignatureDoesNotMatch"),
            (403, Denied, "AccessDenied AccountProblem AllAccessDisabled InvalidPayer NotSignedUp"),
            (403, Invalid, "CrossLocationLoggingProhibited"),
            (403, Skew, "RequestTimeTooSkewed"),
            (404, NoSuchBucket, "NoSuchBucket"),
            (404, NoSuchKey, "NoSuchKey"),
            (404, NoSuchSetting, "NoSuchBucketPolicy NoSuchLifecycleConfiguration"),
            (404, NoSuchUpload, "NoSuchUpload"),
            (404, NoSuchVersion, "NoSuchVersion"),
            (405, MethodNotAllowed, "MethodNotAllowed"),
            (409, BucketExists, "BucketAlreadyExists BucketAlreadyOwnedByYou"),
            (409, BucketNotEmpty, "BucketNotEmpty"),
            (409, Conflict, "InvalidBucketState OperationAborted RestoreAlreadyInProgress"),
            (411, Invalid, "MissingContentLength"),
            (412, PreconditionFailed, "PreconditionFailed"),
            (416, InvalidRange, "InvalidRange"),
            (500, Unavailable, "InternalError"),
            (501, Unsupported, "NotImplemented"),
            (503, Throttled, "SlowDown"),
            (503, Unavailable, "ServiceUnavailable"),
        ] {
            for code in of_kind.split_whitespace() {
                assert_eq!(kind_of(status, code, Asked::Key), kind, "{status} {code}");
                codes += 1;
            }
        }
        assert_eq!(codes, 80);
    }

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
    fn a_status_without_a_code_means_what_was_asked_for() {
        for (asked, kind) in [
            (Asked::Key, ErrorKind::NoSuchKey),
            (Asked::Version, ErrorKind::NoSuchVersion),
            (Asked::Bucket, ErrorKind::NoSuchBucket),
            (Asked::Service, ErrorKind::Invalid),
        ] {
            assert_eq!(kind_of(404, "", asked), kind);
        }
        for (status, kind) in [
            (304, ErrorKind::NotModified),
            (307, ErrorKind::Redirect),
            (400, ErrorKind::Invalid),
            (403, ErrorKind::Denied),
            (412, ErrorKind::PreconditionFailed),
            (416, ErrorKind::InvalidRange),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
            (501, ErrorKind::Unsupported),
            (507, ErrorKind::Quota),
            (599, ErrorKind::Unavailable),
            (199, ErrorKind::Corrupt),
        ] {
            assert_eq!(kind_of(status, "", Asked::Key), kind, "{status}");
        }
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
    fn documents_of_every_spelling_are_read() {
        let full = Document {
            code: "NoSuchKey".to_owned(),
            message: "not <there> & \u{fc}\u{1f600}".to_owned(),
            request_id: "R".to_owned(),
            host_id: "H".to_owned(),
            region: "eu-west-1".to_owned(),
            details: vec![("Region", "eu-west-1".to_owned())],
        };
        for text in [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>not &lt;there&gt; &amp; \
             \u{fc}&#x1F600;</Message><StringToSign>x</StringToSign><RequestId>R</RequestId><HostId>H</HostId><Region>eu-west-1</Region>\
             </Error>",
            "  \n <Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code> NoSuchKey </Code><Message><![CDATA[not \
             <there> & \u{fc}\u{1f600}]]></Message><Region>eu-west-1</Region><RequestId>R</RequestId><HostId>H</HostId>\
             <Resource/></Error>",
            "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchKey</Code><Message>not &lt;there&gt; &amp; \u{fc}&#128512;\
             </Message><Region>eu-west-1</Region><HostId>H</HostId></Error><RequestId>R</RequestId></ErrorResponse>",
        ] {
            assert_eq!(parse_document(text.as_bytes()), Some(full.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_error_document_is_none() {
        let bomb = "<!DOCTYPE e [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>";
        let deep = "<Error>".repeat(10_000);
        let attributes = format!("<Error {}><Code>X</Code></Error>", "a='1' ".repeat(100_000));
        for text in [
            "",
            "no XML",
            "<html><body>404</body></html>",
            "<ListBucketResult><Code>X</Code></ListBucketResult>",
            "<Error></Error>",
            "<Error><Code>X</Code>",
            "<Error><Code>X</Message></Error>",
            "<Error><Code>&unknown;</Code></Error>",
            bomb,
            &deep,
        ] {
            assert_eq!(parse_document(text.as_bytes()), None, "{}", &text[..text.len().min(80)]);
        }
        assert_eq!(parse_document(&[b'<', 0xff, 0xfe]), None);
        assert!(parse_document(attributes.as_bytes()).is_some(), "attributes are passed over in one go");
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
