//! Groups of headers that several verbs share. Each group is encoded and decoded here and nowhere else.
//!
//! What a request cannot carry (a line break in a metadata value, say) is `ErrorKind::Invalid` before anything is
//! sent; a reply without what it must have (a size, an ETag) is `ErrorKind::Corrupt`. Anything else in a reply is
//! taken as it comes: stores send garbage in optional headers, and none of it may hide an object.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{NewObject, ObjectFacts, encoded_word};
use crate::base::ranges::ByteRange;
use crate::base::timestamp;
use crate::s3::endpoint::arn::is_arn;
use crate::s3::operation::Replay;
use crate::s3::{ETag, Error, ErrorKind, ObjectRef, Result, VersionId};

const METADATA_PREFIX: &str = "x-amz-meta-";
const LOCK_MODE: HeaderName = HeaderName::from_static("x-amz-object-lock-mode");
const LOCK_UNTIL: HeaderName = HeaderName::from_static("x-amz-object-lock-retain-until-date");
const LOCK_HOLD: HeaderName = HeaderName::from_static("x-amz-object-lock-legal-hold");
const TAGGING: HeaderName = HeaderName::from_static("x-amz-tagging");
const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");
const SSE: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const SSE_KMS_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
const BYPASS_GOVERNANCE: HeaderName = HeaderName::from_static("x-amz-bypass-governance-retention");

/// Conditions on the target of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// Whatever is there.
    #[default]
    None,
    /// `If-None-Match: *`: create only.
    Absent,
    /// `If-Match`: replace exactly this.
    Matches(ETag),
}

/// Conditions on what is read, or copied from.
#[derive(Clone, Debug, Default)]
pub struct ReadConditions {
    /// Only this.
    pub if_match: Option<ETag>,
    /// Only another.
    pub if_none_match: Option<ETag>,
    /// Only what was stored later.
    pub if_modified_since: Option<SystemTime>,
    /// Only what was not stored later.
    pub if_unmodified_since: Option<SystemTime>,
}

/// Headers that describe the content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// MIME type.
    pub content_type: Option<String>,
    /// Such as `gzip`.
    pub content_encoding: Option<String>,
    /// Such as `de-AT`.
    pub content_language: Option<String>,
    /// What a browser does with it, and how it names it.
    pub content_disposition: Option<String>,
    /// How long others may keep it.
    pub cache_control: Option<String>,
    /// Kept as text: stores pass garbage through.
    pub expires: Option<String>,
    /// A web site sends whoever asks there.
    pub website_redirect: Option<String>,
}

/// User metadata: lower-case names without `x-amz-meta-`, values as text. What is not ASCII travels in words of RFC
/// 2047, as AWS has it; such words, also those of others, are read as the text that they stand for.
pub type Metadata = BTreeMap<String, String>;

/// How firmly a version is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionMode {
    /// Who has the permission may shorten it.
    Governance,
    /// Nobody may.
    Compliance,
}

/// Until when an object version cannot be overwritten or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How firmly.
    pub mode: RetentionMode,
    /// Until when.
    pub until: SystemTime,
}

/// Object lock of one object version. `None` where the reply did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockHeaders {
    /// Until when it cannot be overwritten or deleted.
    pub retention: Option<Retention>,
    /// Kept until the hold is taken off.
    pub legal_hold: Option<bool>,
}

/// The tag set of an object, sorted by key (S3 keeps no order).
pub type Tags = BTreeMap<String, String>;

/// What HEAD and GET say of an object.
#[derive(Clone, Debug, Default)]
pub struct ObjectHeaders {
    /// Of its bytes.
    pub etag: Option<ETag>,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// When it was stored.
    pub last_modified: Option<SystemTime>,
    /// The whole object's size in bytes: from Content-Range of a 206, else Content-Length.
    pub size: u64,
    /// Headers that describe the content.
    pub content: ContentHeaders,
    /// User metadata.
    pub metadata: Metadata,
    /// Metadata values that cannot be shown as headers (`x-amz-missing-meta`).
    pub missing_metadata: u32,
    /// `None` where the store does not say.
    pub storage_class: Option<String>,
    /// Object lock of it.
    pub lock: LockHeaders,
    /// How many tags it has.
    pub tag_count: Option<u32>,
    /// Of an object that was uploaded in parts, where a part was asked for.
    pub parts_count: Option<u32>,
    /// Where its restore from an archive stands, as it was sent.
    pub restore: Option<String>,
    /// When a lifecycle rule removes it, as it was sent.
    pub expiration: Option<String>,
    /// `COMPLETED`, `PENDING`, `FAILED` or `REPLICA`.
    pub replication_status: Option<String>,
    /// `AES256` or `aws:kms`.
    pub sse: Option<String>,
    /// Id or ARN of the KMS key.
    pub sse_kms_key_id: Option<String>,
    /// Algorithm in lower case (`crc64nvme`) → base64 value, composite ones with their `-N`.
    pub checksums: BTreeMap<String, String>,
    /// `COMPOSITE` or `FULL_OBJECT`.
    pub checksum_type: Option<String>,
    /// What most readers do not ask.
    pub facts: ObjectFacts,
}

/// Bytes that go unescaped into header forms of keys and tags: RFC 3986 unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path, whose slashes stay.
const ESCAPED_PATH: &AsciiSet = &ESCAPED.remove(b'/');

impl WriteCondition {
    pub(super) fn encode(&self, headers: &mut HeaderMap) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Absent => put(headers, header::IF_NONE_MATCH, "*"),
            Self::Matches(etag) => put(headers, header::IF_MATCH, &etag.quoted()),
        }
    }

    /// A condition that held makes itself fail: after a lost answer a second try would be refused by the first.
    pub(super) fn replay(&self) -> Replay {
        match self {
            Self::None => Replay::Idempotent,
            Self::Absent | Self::Matches(_) => Replay::LookFirst,
        }
    }
}

impl ReadConditions {
    pub(super) fn encode(&self, headers: &mut HeaderMap) -> Result<()> {
        let names =
            [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];
        self.encode_as(names, headers)
    }

    /// As conditions on the source of a copy.
    pub(super) fn encode_for_source(&self, headers: &mut HeaderMap) -> Result<()> {
        let names = ["match", "none-match", "modified-since", "unmodified-since"]
            .map(|condition| HeaderName::try_from(format!("x-amz-copy-source-if-{condition}")));
        let [Ok(matches), Ok(none), Ok(modified), Ok(unmodified)] = names else {
            return Err(Error::new(ErrorKind::Bug, "A header name of ours is none."));
        };
        self.encode_as([matches, none, modified, unmodified], headers)
    }

    fn encode_as(&self, names: [HeaderName; 4], headers: &mut HeaderMap) -> Result<()> {
        let [matches, none_match, modified, unmodified] = names;
        put_some(headers, matches, self.if_match.as_ref().map(ETag::quoted).as_deref())?;
        put_some(headers, none_match, self.if_none_match.as_ref().map(ETag::quoted).as_deref())?;
        put_some(headers, modified, self.if_modified_since.map(timestamp::http_date).as_deref())?;
        put_some(headers, unmodified, self.if_unmodified_since.map(timestamp::http_date).as_deref())
    }
}

impl ContentHeaders {
    pub(super) fn encode(&self, headers: &mut HeaderMap) -> Result<()> {
        let fields = [
            (header::CONTENT_TYPE, &self.content_type),
            (header::CONTENT_ENCODING, &self.content_encoding),
            (header::CONTENT_LANGUAGE, &self.content_language),
            (header::CONTENT_DISPOSITION, &self.content_disposition),
            (header::CACHE_CONTROL, &self.cache_control),
            (header::EXPIRES, &self.expires),
            (REDIRECT, &self.website_redirect),
        ];
        fields.into_iter().try_for_each(|(name, value)| put_some(headers, name, value.as_deref()))
    }

    fn decode(headers: &HeaderMap) -> Self {
        Self {
            content_type: text(headers, &header::CONTENT_TYPE),
            content_encoding: text(headers, &header::CONTENT_ENCODING).and_then(without_chunking),
            content_language: text(headers, &header::CONTENT_LANGUAGE),
            content_disposition: text(headers, &header::CONTENT_DISPOSITION),
            cache_control: text(headers, &header::CACHE_CONTROL),
            expires: text(headers, &header::EXPIRES),
            website_redirect: text(headers, &REDIRECT),
        }
    }
}

/// Some stores keep the transfer's own `aws-chunked` as if it described the object.
fn without_chunking(encoding: String) -> Option<String> {
    let kept: Vec<&str> = encoding.split(',').map(str::trim).filter(|part| *part != "aws-chunked").collect();
    Some(kept.join(",")).filter(|kept| !kept.is_empty())
}

pub(in crate::s3) fn encode_metadata(metadata: &Metadata, headers: &mut HeaderMap) -> Result<()> {
    metadata.iter().try_for_each(|(name, value)| {
        let header = HeaderName::try_from(format!("{METADATA_PREFIX}{name}")).map_err(|_| {
            Error::invalid(format!(
                "The metadata name {name:?} is no header name: use letters, digits, `-`, `_`, `.`."
            ))
        })?;
        put(headers, header, &encoded_word::encode(value))
    })
}

pub(in crate::s3) fn decode_metadata(headers: &HeaderMap) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(METADATA_PREFIX) else { continue };
        let value = decoded(value);
        let text = encoded_word::decode(&value);
        metadata
            .entry(name.to_owned())
            // A header that comes twice is one list (RFC 9110, 5.3).
            .and_modify(|list| *list = format!("{list},{text}"))
            .or_insert_with(|| text.into_owned());
    }
    metadata
}

impl RetentionMode {
    /// As the store spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// In any case; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance].into_iter().find(|mode| word.eq_ignore_ascii_case(mode.as_str()))
    }
}

impl LockHeaders {
    /// Nothing locks.
    pub fn is_empty(&self) -> bool {
        self.retention.is_none() && self.legal_hold.is_none()
    }

    pub(super) fn encode(&self, headers: &mut HeaderMap) -> Result<()> {
        if let Some(Retention { mode, until }) = self.retention {
            put(headers, LOCK_MODE, mode.as_str())?;
            put(headers, LOCK_UNTIL, &timestamp::rfc3339_millis(until))?;
        }
        put_some(headers, LOCK_HOLD, self.legal_hold.map(hold_word))
    }

    /// A mode that is none, or a date that is none, must not read as "not locked".
    fn decode(headers: &HeaderMap) -> Result<Self> {
        let mode = text(headers, &LOCK_MODE).map(|mode| parse_mode(&mode)).transpose()?;
        let until = text(headers, &LOCK_UNTIL).map(|until| parse_until(&until)).transpose()?;
        let retention = match (mode, until) {
            (Some(mode), Some(until)) => Some(Retention { mode, until }),
            (None, None) => None,
            _ => return Err(Error::decode("The reply has half of a retention: a mode or a date alone.")),
        };
        let legal_hold = text(headers, &LOCK_HOLD).map(|word| parse_hold(&word)).transpose()?;
        Ok(Self { retention, legal_hold })
    }
}

pub(super) fn hold_word(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

pub(super) fn parse_hold(word: &str) -> Result<bool> {
    match word.trim() {
        word if word.eq_ignore_ascii_case("ON") => Ok(true),
        word if word.eq_ignore_ascii_case("OFF") => Ok(false),
        _ => Err(Error::decode(format!("The reply has a legal hold that is neither ON nor OFF: {word:?}."))),
    }
}

pub(in crate::s3) fn parse_mode(word: &str) -> Result<RetentionMode> {
    RetentionMode::parse(word.trim())
        .ok_or_else(|| Error::decode(format!("The reply has the unknown retention mode {word:?}.")))
}

fn parse_until(text: &str) -> Result<SystemTime> {
    timestamp::parse_rfc3339(text.trim()).ok_or_else(|| {
        Error::decode(format!("The reply has a retention until {text:?}, which is not a date."))
    })
}

/// `k1=v1&k2=v2`, both sides percent-encoded.
pub fn form_encoded(tags: &Tags) -> String {
    let pairs = tags.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

impl NewObject {
    pub(super) fn encode(&self, headers: &mut HeaderMap) -> Result<()> {
        self.content.encode(headers)?;
        encode_metadata(&self.metadata, headers)?;
        put_some(headers, TAGGING, self.tags.as_ref().map(form_encoded).as_deref())?;
        self.lock.encode(headers)?;
        put_some(headers, STORAGE_CLASS, self.storage_class.as_deref())?;
        put_some(headers, HeaderName::from_static("x-amz-acl"), self.acl.as_deref())?;
        put_some(headers, SSE, self.sse.as_deref())?;
        put_some(headers, SSE_KMS_KEY, self.sse_kms_key_id.as_deref())
    }
}

impl ObjectHeaders {
    /// From a GET or HEAD of a whole object, whose size is its Content-Length, or of a range of it (206).
    pub(super) fn decode(headers: &HeaderMap) -> Result<Self> {
        let size = match content_range(headers)? {
            Some(part) => part.whole,
            None => content_length(headers)?,
        };
        Ok(Self {
            etag: etag(headers),
            version: version(headers, &VERSION),
            last_modified: text(headers, &header::LAST_MODIFIED)
                .and_then(|date| timestamp::parse_http_date(&date)),
            size,
            content: ContentHeaders::decode(headers),
            metadata: decode_metadata(headers),
            missing_metadata: number(headers, "x-amz-missing-meta").unwrap_or(0),
            storage_class: text(headers, &STORAGE_CLASS),
            lock: LockHeaders::decode(headers)?,
            tag_count: number(headers, "x-amz-tagging-count"),
            parts_count: number(headers, "x-amz-mp-parts-count"),
            restore: text(headers, &HeaderName::from_static("x-amz-restore")),
            expiration: expiration(headers),
            replication_status: text(headers, &HeaderName::from_static("x-amz-replication-status")),
            sse: text(headers, &SSE),
            sse_kms_key_id: text(headers, &SSE_KMS_KEY),
            checksums: checksums(headers),
            checksum_type: text(headers, &HeaderName::from_static("x-amz-checksum-type")),
            facts: ObjectFacts::decode(headers),
        })
    }
}

impl ObjectHeaders {
    /// The name of the version that these headers are about. An object without an ETag or a date cannot be pinned.
    pub fn object_ref(&self, key: &str) -> Result<ObjectRef> {
        match (&self.etag, self.last_modified) {
            (Some(etag), Some(last_modified)) => Ok(ObjectRef {
                key: key.into(),
                etag: etag.clone(),
                last_modified,
                version: self.version.clone(),
                size: self.size,
            }),
            _ => Err(Error::decode("The reply has no ETag or no Last-Modified.")),
        }
    }
}

/// Which bytes a 206 holds, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) range: ByteRange,
    pub(super) whole: u64,
}

pub(super) fn content_range(headers: &HeaderMap) -> Result<Option<ContentRange>> {
    let Some(value) = text(headers, &header::CONTENT_RANGE) else { return Ok(None) };
    parse_content_range(&value)
        .map(Some)
        .ok_or_else(|| Error::decode(format!("The reply has a Content-Range that is none: {value:?}.")))
}

/// `bytes first-last/size`, both ends inclusive.
fn parse_content_range(value: &str) -> Option<ContentRange> {
    let (range, whole) = value.strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, whole): (u64, u64, u64) = (digits(first)?, digits(last)?, digits(whole)?);
    let in_order = first <= last && last < whole;
    in_order.then(|| ContentRange { range: ByteRange::new(first, last + 1), whole })
}

pub(super) fn content_length(headers: &HeaderMap) -> Result<u64> {
    text(headers, &header::CONTENT_LENGTH).and_then(|length| digits(&length)).ok_or_else(|| {
        Error::decode("The reply has no Content-Length, so the size of the object is unknown.")
    })
}

/// Unlike `parse`, without a sign.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Algorithm → value, from `x-amz-checksum-ALGORITHM`.
pub(super) fn checksums(headers: &HeaderMap) -> BTreeMap<String, String> {
    let about = ["type", "algorithm", "mode"];
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix("x-amz-checksum-")?, value)))
        .filter(|(algorithm, _)| !about.contains(algorithm))
        .map(|(algorithm, value)| (algorithm.to_owned(), decoded(value).into_owned()))
        .collect()
}

/// When a lifecycle rule removes the object: `expiry-date="…", rule-id="…"`.
pub(super) fn expiration(headers: &HeaderMap) -> Option<String> {
    text(headers, &HeaderName::from_static("x-amz-expiration"))
}

/// `None` for an empty one.
pub(super) fn parse_etag(text: &str) -> Option<ETag> {
    Some(ETag::parse(text)).filter(|etag| !etag.0.is_empty())
}

pub(super) fn etag(headers: &HeaderMap) -> Option<ETag> {
    text(headers, &header::ETAG).and_then(|etag| parse_etag(&etag))
}

/// The ETag of a reply that is useless without one.
pub(super) fn required_etag(headers: &HeaderMap) -> Result<ETag> {
    etag(headers).ok_or_else(|| Error::decode("The reply has no ETag."))
}

pub(super) fn version(headers: &HeaderMap, name: &HeaderName) -> Option<VersionId> {
    text(headers, name).filter(|version| !version.is_empty()).map(|version| VersionId(version.into()))
}

/// The version that a reply is about.
pub(super) fn own_version(headers: &HeaderMap) -> Option<VersionId> {
    version(headers, &VERSION)
}

pub(super) fn flag(headers: &HeaderMap, name: &'static str) -> bool {
    text(headers, &HeaderName::from_static(name)).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn number<N: std::str::FromStr>(headers: &HeaderMap, name: &'static str) -> Option<N> {
    text(headers, &HeaderName::from_static(name)).and_then(|value| digits(value.trim()))
}

pub(in crate::s3) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| decoded(value).into_owned())
}

/// UTF-8 where it is that, else byte for byte as Latin-1 (RFC 9110 leaves no third reading).
fn decoded(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
    }
}

pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<()> {
    // Beyond ASCII too: foreign clients store such content headers, and a copy sends them as they came.
    let encoded = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| Error::invalid(format!("The value of {name} cannot travel in a header: {value:?}.")))?;
    headers.insert(name, encoded);
    Ok(())
}

pub(in crate::s3) fn put_some(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) -> Result<()> {
    value.map_or(Ok(()), |value| put(headers, name, value))
}

pub(super) fn put_bypass_governance(headers: &mut HeaderMap, bypass: bool) -> Result<()> {
    put_some(headers, BYPASS_GOVERNANCE, bypass.then_some("true"))
}

/// `bucket/key`, or `arn/object/key` of an access point, percent-encoded but for the slashes, and the version.
pub(super) fn copy_source(bucket: &str, key: &str, version: Option<&VersionId>) -> String {
    let version = version.map(|version| format!("?versionId={}", escaped(&version.0))).unwrap_or_default();
    let object = if is_arn(bucket) { "/object" } else { "" };
    format!("{}{object}/{}{version}", escaped(bucket), utf8_percent_encode(key, ESCAPED_PATH))
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
