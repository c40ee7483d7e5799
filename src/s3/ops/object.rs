//! Objects: get, head, put, delete, delete many.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{
    ContentHeaders, ContentRange, LockHeaders, Metadata, ObjectHeaders, ReadConditions, Tags, WriteCondition,
    checksums, content_length, content_range, etag, expiration, flag, on_bucket, on_object, on_version,
    own_version, put, put_bypass_governance, put_some,
};
use crate::base::ranges::ByteRange;
use crate::base::timestamp::parse_http_date;
use crate::s3::operation::{Payload, Replay, Reply, ReplyBody, Request};
use crate::s3::xml::{self, Reader, Writer};
use crate::s3::{Body, ByteStream, ETag, Error, ErrorKind, Operation, Result, VersionId};

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// Keys of one DeleteObjects; a constant of the protocol, refused beyond by every store.
const DELETE_KEYS_MAX: usize = 1000;

/// GET an object or a range of it.
#[derive(Clone, Debug, Default)]
pub struct GetObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Must not be empty; a reply to it must be a 206 of exactly this start.
    pub range: Option<ByteRange>,
    /// The part of this number, 1 to 10,000.
    pub part_number: Option<u32>,
    /// Answers only where these hold: `NotModified` or `PreconditionFailed` else.
    pub conditions: ReadConditions,
    /// Ask for the stored checksum and verify a whole body with it.
    pub checksum_mode: bool,
}

/// An object on its way.
pub struct GetObjectOutput {
    /// What the headers say of it.
    pub headers: ObjectHeaders,
    /// What the body holds of the object.
    pub range: ByteRange,
    /// The bytes.
    pub body: ByteStream,
}

/// S3 API: [HeadObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
#[derive(Clone, Debug, Default)]
pub struct HeadObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// The part of this number, 1 to 10,000.
    pub part_number: Option<u32>,
    /// Answers only where these hold: `NotModified` or `PreconditionFailed` else.
    pub conditions: ReadConditions,
    /// Ask for the stored checksum.
    pub checksum_mode: bool,
}

/// What a new object is given beside its bytes (PUT, multipart, copy with REPLACE).
#[derive(Clone, Debug, Default)]
pub struct NewObject {
    /// Headers that describe the content.
    pub content: ContentHeaders,
    /// User metadata.
    pub metadata: Metadata,
    /// `None` sends no tagging header.
    pub tags: Option<Tags>,
    /// Object lock of it.
    pub lock: LockHeaders,
    /// `None` where the store does not say.
    pub storage_class: Option<String>,
    /// A canned ACL.
    pub acl: Option<String>,
    /// `AES256` or `aws:kms`.
    pub sse: Option<String>,
    /// Id or ARN of the KMS key.
    pub sse_kms_key_id: Option<String>,
}

/// S3 API: [PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html).
#[derive(Clone)]
pub struct PutObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The bytes.
    pub body: Body,
    /// Stores only where this holds: `PreconditionFailed` else.
    pub condition: WriteCondition,
    /// What it is given beside its bytes.
    pub object: NewObject,
}

/// What a store says of an object that it has just stored (PUT, complete).
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Of its bytes.
    pub etag: Option<ETag>,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// When the store answered, by its own clock: of a PutObject, that is when the object was modified.
    pub date: Option<SystemTime>,
    /// As in [`ObjectHeaders::checksums`].
    pub checksums: std::collections::BTreeMap<String, String>,
    /// The URL of the object, as a completed upload says it.
    pub location: Option<String>,
    /// When a lifecycle rule removes it, as it was sent.
    pub expiration: Option<String>,
}

/// S3 API: [DeleteObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html).
#[derive(Clone, Debug, Default)]
pub struct DeleteObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Only while it has this ETag.
    pub if_match: Option<ETag>,
    /// Also what a retention of mode GOVERNANCE keeps, where the caller may.
    pub bypass_governance: bool,
}

/// What the store says of a removal.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    /// A delete marker was made, or was what was deleted.
    pub delete_marker: bool,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
}

/// POST `?delete`: up to 1,000 keys. Keys that XML cannot carry are refused here (send them one by one).
#[derive(Clone, Debug, Default)]
pub struct DeleteObjects {
    /// The bucket.
    pub bucket: String,
    /// Each with the version that is meant; without one a versioned bucket hides the object behind a delete marker.
    pub keys: Vec<(String, Option<VersionId>)>,
    /// Also what a retention of mode GOVERNANCE keeps, where the caller may.
    pub bypass_governance: bool,
    /// Also tell what was deleted, and not only what was not.
    pub verbose: bool,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct DeleteObjectsOutput {
    /// What was not deleted.
    pub failed: Vec<DeleteFailure>,
    /// What was, when that was asked for.
    pub deleted: Vec<DeletedObject>,
}

/// A key that was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedObject {
    /// The key.
    pub key: String,
    /// The version that was named.
    pub version: Option<VersionId>,
    /// A delete marker was made, or was what was deleted.
    pub delete_marker: bool,
    /// The version of that marker.
    pub delete_marker_version: Option<VersionId>,
}

/// A key that was not deleted, and why.
#[derive(Clone, Debug)]
pub struct DeleteFailure {
    /// The key.
    pub key: String,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// The word of the store, such as `AccessDenied`.
    pub code: String,
    /// What the store says to people.
    pub message: String,
}

impl PutObject {
    /// Without conditions, metadata or anything else.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            body: Body::Bytes(body.into()),
            condition: WriteCondition::None,
            object: NewObject::default(),
        }
    }
}

/// `HeadObject` answers with headers alone.
pub type HeadObjectOutput = ObjectHeaders;

fn encode_read(
    request: Request,
    part_number: Option<u32>,
    conditions: &ReadConditions,
    checksum_mode: bool,
) -> Result<Request> {
    let mut request = request.with_some("partNumber", part_number);
    conditions.encode(&mut request.headers)?;
    put_some(&mut request.headers, CHECKSUM_MODE, checksum_mode.then_some("ENABLED"))?;
    Ok(request)
}

impl Operation for GetObject {
    type Output = GetObjectOutput;
    const NAME: &'static str = "GetObject";
    const STREAMED: bool = true;

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?;
        let mut request = encode_read(request, self.part_number, &self.conditions, self.checksum_mode)?;
        match self.range {
            None => {}
            Some(range) if range.is_empty() || self.part_number.is_some() => {
                return Err(Error::invalid("A read asks for a range that is not empty, or for a part."));
            }
            Some(range) => {
                put(
                    &mut request.headers,
                    header::RANGE,
                    &format!("bytes={}-{}", range.start, range.end - 1),
                )?;
            }
        }
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<GetObjectOutput> {
        let headers = ObjectHeaders::decode(&reply.headers)?;
        check_object(&headers)?;
        let range = self.range_of(&reply, headers.size)?;
        match reply.body {
            ReplyBody::Stream(body) => Ok(GetObjectOutput { headers, range, body }),
            ReplyBody::Collected(_) => {
                Err(Error::new(ErrorKind::Bug, "The reply was collected, not streamed."))
            }
        }
    }
}

/// Some stores write an error behind a good status: it has the head of a document, not that of an object.
fn check_object(headers: &ObjectHeaders) -> Result<()> {
    let is_document =
        headers.content.content_type.as_deref().is_some_and(|kind| kind.starts_with("application/xml"));
    if is_document && headers.etag.is_none() && headers.last_modified.is_none() {
        return Err(Error::decode(
            "The reply is a document and no object: it has neither ETag nor Last-Modified.",
        ));
    }
    Ok(())
}

impl GetObject {
    /// Which bytes the body holds: exactly those that were asked for, cut at the end of the object.
    fn range_of(&self, reply: &Reply, size: u64) -> Result<ByteRange> {
        let partial = reply.status == StatusCode::PARTIAL_CONTENT;
        if !partial && reply.status != StatusCode::OK {
            return Err(Error::decode(format!("An object does not come with the status {}.", reply.status)));
        }
        let held = match (partial, content_range(&reply.headers)?) {
            (true, Some(ContentRange { range, .. })) => range,
            (false, None) => ByteRange::new(0, size),
            (true, None) => {
                return Err(Error::decode("The reply is partial (206) but does not say which part it is."));
            }
            (false, Some(_)) => return Err(Error::decode("The reply is whole (200) but names a part.")),
        };
        if let Some(asked) = self.range {
            let due = asked.intersect(ByteRange::new(0, size));
            if !partial || due != Some(held) {
                return Err(Error::decode(format!(
                    "Bytes {}..{} were asked for, bytes {}..{} of {size} came.",
                    asked.start, asked.end, held.start, held.end
                )));
            }
        }
        match content_length(&reply.headers)? {
            length if length == held.len() => Ok(held),
            length => {
                Err(Error::decode(format!("The reply names {} bytes but carries {length}.", held.len())))
            }
        }
    }
}

impl Operation for HeadObject {
    type Output = HeadObjectOutput;
    const NAME: &'static str = "HeadObject";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::HEAD, &self.bucket, &self.key, self.version.as_ref())?;
        encode_read(request, self.part_number, &self.conditions, self.checksum_mode)
    }

    fn decode(&self, reply: Reply) -> Result<HeadObjectOutput> {
        ObjectHeaders::decode(&reply.headers)
    }
}

impl Operation for PutObject {
    type Output = Stored;
    const NAME: &'static str = "PutObject";

    fn payload(&self) -> Payload {
        Payload::Object
    }

    fn encode(&self) -> Result<Request> {
        let mut request = on_object(Method::PUT, &self.bucket, &self.key)?;
        self.condition.encode(&mut request.headers)?;
        self.object.encode(&mut request.headers)?;
        request.body = self.body.clone();
        request.needs_checksum = !self.object.lock.is_empty();
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Stored> {
        Ok(Stored::decode(&reply.headers))
    }

    fn replay(&self) -> Replay {
        self.condition.replay()
    }
}

impl Stored {
    pub(super) fn decode(headers: &HeaderMap) -> Self {
        let date = headers.get(http::header::DATE).and_then(|date| parse_http_date(date.to_str().ok()?));
        let (version, checksums) = (own_version(headers), checksums(headers));
        Self {
            etag: etag(headers),
            version,
            date,
            checksums,
            location: None,
            expiration: expiration(headers),
        }
    }
}

impl Operation for DeleteObject {
    type Output = Deleted;
    const NAME: &'static str = "DeleteObject";

    fn encode(&self) -> Result<Request> {
        let mut request = on_version(Method::DELETE, &self.bucket, &self.key, self.version.as_ref())?;
        put_some(
            &mut request.headers,
            header::IF_MATCH,
            self.if_match.as_ref().map(ETag::quoted).as_deref(),
        )?;
        put_bypass_governance(&mut request.headers, self.bypass_governance)?;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Deleted> {
        Ok(Deleted {
            delete_marker: flag(&reply.headers, "x-amz-delete-marker"),
            version: own_version(&reply.headers),
        })
    }

    /// S3 says 204 whether or not the key was there; some stores say 404.
    fn recover(&self, error: &Error) -> Option<Deleted> {
        let absent = matches!(error.kind(), ErrorKind::NoSuchKey | ErrorKind::NoSuchVersion);
        (absent && self.if_match.is_none()).then(Deleted::default)
    }

    fn replay(&self) -> Replay {
        if self.if_match.is_some() { Replay::LookFirst } else { Replay::Idempotent }
    }
}

impl DeleteObjects {
    /// Whether a batch can name this key; others are deleted one by one.
    pub fn carries(key: &str) -> bool {
        !key.is_empty() && xml::carries(key)
    }
}

impl Operation for DeleteObjects {
    type Output = DeleteObjectsOutput;
    const NAME: &'static str = "DeleteObjects";

    fn encode(&self) -> Result<Request> {
        if self.keys.is_empty()
            || self.keys.len() > DELETE_KEYS_MAX
            || self.keys.iter().any(|(key, _)| key.is_empty())
        {
            return Err(Error::invalid("A batch delete takes 1 to 1,000 keys, none of them empty."));
        }
        let mut request = on_bucket(Method::POST, &self.bucket)?;
        put_bypass_governance(&mut request.headers, self.bypass_governance)?;
        let document = Writer::document("Delete", |xml| {
            self.keys.iter().try_for_each(|(key, version)| {
                xml.nested("Object", |xml| {
                    xml.element("Key", key)?;
                    version.as_ref().map_or(Ok(()), |version| xml.element("VersionId", &version.0))
                })
            })?;
            xml.element("Quiet", if self.verbose { "false" } else { "true" })
        })?;
        Ok(request.with("delete", "").with_document(document))
    }

    /// Keys that were not there are deleted: that is what was asked for.
    fn decode(&self, reply: Reply) -> Result<DeleteObjectsOutput> {
        let mut output = DeleteObjectsOutput::default();
        Reader::open(reply.document()?, "DeleteResult")?.children(|name, xml| {
            match name {
                "Error" => output.failed.push(failure(xml)?),
                "Deleted" if self.verbose => output.deleted.push(deleted(xml)?),
                _ => {}
            }
            Ok(())
        })?;
        output.failed.retain(|failure| !matches!(failure.code.as_str(), "NoSuchKey" | "NoSuchVersion"));
        Ok(output)
    }
}

fn deleted(xml: &mut Reader<'_>) -> Result<DeletedObject> {
    let mut deleted = DeletedObject::default();
    let version = |text: Option<String>| text.map(|version| VersionId(version.into()));
    xml.children(|name, xml| {
        match name {
            "Key" => deleted.key = xml.string()?,
            "VersionId" => deleted.version = version(xml.non_empty()?),
            "DeleteMarker" => deleted.delete_marker = xml.boolean()?,
            "DeleteMarkerVersionId" => deleted.delete_marker_version = version(xml.non_empty()?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(deleted)
}

fn failure(xml: &mut Reader<'_>) -> Result<DeleteFailure> {
    let mut failure =
        DeleteFailure { key: String::new(), version: None, code: String::new(), message: String::new() };
    xml.children(|name, xml| {
        match name {
            "Key" => failure.key = xml.string()?,
            "VersionId" => failure.version = xml.non_empty()?.map(|version| VersionId(version.into())),
            "Code" => failure.code = xml.string()?,
            "Message" => failure.message = xml.string()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(failure)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, streamed, wire};
    use super::super::{Retention, RetentionMode};
    use super::*;
    use crate::base::timestamp;

    fn get(range: Option<(u64, u64)>) -> GetObject {
        GetObject {
            bucket: "example-bucket".into(),
            key: "example-object".into(),
            range: range.map(|(start, end)| ByteRange::new(start, end)),
            ..GetObject::default()
        }
    }

    #[test]
    fn get_object_as_in_the_reference() {
        assert_eq!(wire(&get(None)), "GET /example-bucket/example-object");
        let ranged = GetObject {
            version: Some(VersionId("3/L4kqtJlcpXroDTDmpUMLUo".into())),
            conditions: ReadConditions { if_match: Some(ETag("e-1".into())), ..ReadConditions::default() },
            checksum_mode: true,
            ..get(Some((0, 10)))
        };
        assert_eq!(
            wire(&ranged),
            "GET /example-bucket/example-object?versionId=3/L4kqtJlcpXroDTDmpUMLUo\nif-match: \"e-1\"\n\
             range: bytes=0-9\nx-amz-checksum-mode: ENABLED"
        );
        assert_eq!(refusal(&get(Some((5, 5)))), ErrorKind::Invalid);
        assert_eq!(refusal(&GetObject { part_number: Some(1), ..get(Some((0, 1))) }), ErrorKind::Invalid);
    }

    #[test]
    fn all_that_a_head_says_is_kept() {
        let head = HeadObject { bucket: "b".into(), key: "k".into(), ..HeadObject::default() };
        assert_eq!(wire(&head), "HEAD /b/k");
        let object = head
            .decode(reply(
                200,
                &[
                    ("last-modified", "Sun, 1 Jan 2006 12:00:00 GMT"),
                    ("etag", "\"fba9dede5f27731c9771645a39863328\""),
                    ("content-length", "434234"),
                    ("content-type", "text/plain"),
                    ("content-encoding", "aws-chunked,gzip"),
                    ("expires", "never, honestly"),
                    ("x-amz-version-id", "3HL4kqtJlcpXrof3vjVBH40Nrjfkd"),
                    ("x-amz-meta-family", "Muñoz"),
                    ("x-amz-meta-Old".to_ascii_lowercase().leak(), "1"),
                    ("x-amz-missing-meta", "2"),
                    ("x-amz-object-lock-mode", "COMPLIANCE"),
                    ("x-amz-object-lock-retain-until-date", "2027-01-31T00:00:00.000Z"),
                    ("x-amz-object-lock-legal-hold", "ON"),
                    ("x-amz-tagging-count", "3"),
                    ("x-amz-mp-parts-count", "nonsense"),
                    ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
                    ("x-amz-checksum-type", "FULL_OBJECT"),
                    ("x-amz-storage-class", "STANDARD_IA"),
                ],
                "",
            ))
            .unwrap();
        assert_eq!(object.size, 434_234);
        assert_eq!(object.etag, Some(ETag("fba9dede5f27731c9771645a39863328".into())));
        assert_eq!(object.last_modified, timestamp::parse_rfc3339("2006-01-01T12:00:00Z"));
        assert_eq!(object.content.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(object.content.expires.as_deref(), Some("never, honestly"));
        let metadata = [("family".to_owned(), "Muñoz".to_owned()), ("old".to_owned(), "1".to_owned())];
        assert_eq!(object.metadata, metadata.into());
        assert_eq!((object.missing_metadata, object.tag_count, object.parts_count), (2, Some(3), None));
        let until = timestamp::parse_rfc3339("2027-01-31T00:00:00Z").unwrap();
        let retention = Some(Retention { mode: RetentionMode::Compliance, until });
        assert_eq!(object.lock, LockHeaders { retention, legal_hold: Some(true) });
        assert_eq!(object.checksums, [("crc64nvme".to_owned(), "AAAAAAAAAAA=".to_owned())].into());
        assert_eq!(object.checksum_type.as_deref(), Some("FULL_OBJECT"));
    }

    #[test]
    fn a_size_that_is_missing_or_garbled_is_an_error() {
        let head = HeadObject { bucket: "b".into(), key: "k".into(), ..HeadObject::default() };
        for length in [None, Some(""), Some("-1"), Some("+1"), Some("1e3"), Some("99999999999999999999")] {
            let headers: Vec<_> = length.map(|length| ("content-length", length)).into_iter().collect();
            assert_eq!(
                head.decode(reply(200, &headers, "")).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "{length:?}"
            );
        }
    }

    #[test]
    fn half_a_lock_never_reads_as_none() {
        let head = HeadObject { bucket: "b".into(), key: "k".into(), ..HeadObject::default() };
        let date = "x-amz-object-lock-retain-until-date";
        let cases: [&[(&'static str, &str)]; 4] = [
            &[("x-amz-object-lock-mode", "GOVERNANCE")],
            &[(date, "2027-01-31T00:00:00Z")],
            &[("x-amz-object-lock-mode", "GOVERNANCE"), (date, "soon")],
            &[("x-amz-object-lock-legal-hold", "PERHAPS")],
        ];
        for lock in cases {
            let headers = [lock, &[("content-length", "1")]].concat();
            assert_eq!(
                head.decode(reply(200, &headers, "")).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "{lock:?}"
            );
        }
    }

    #[test]
    fn a_range_must_come_as_it_was_asked_for() {
        let of = |asked, status, range: Option<&'static str>, length: &'static str| {
            let headers: Vec<_> = [("content-length", length)]
                .into_iter()
                .chain(range.map(|range| ("content-range", range)))
                .collect();
            get(asked)
                .decode(streamed(status, &headers, ""))
                .map(|output| (output.range, output.headers.size))
        };
        let good = |start, end, size| (ByteRange::new(start, end), size);
        assert_eq!(of(None, 200, None, "9").unwrap(), good(0, 9, 9));
        assert_eq!(of(None, 200, None, "0").unwrap(), good(0, 0, 0));
        assert_eq!(of(Some((0, 10)), 206, Some("bytes 0-9/434234"), "10").unwrap(), good(0, 10, 434_234));
        assert_eq!(
            of(Some((5, 100)), 206, Some("bytes 5-8/9"), "4").unwrap(),
            good(5, 9, 9),
            "cut at the end"
        );
        let bad = [
            (Some((0, 10)), 200, None, "10"),
            (Some((0, 10)), 200, None, "434234"),
            (Some((0, 10)), 206, None, "10"),
            (Some((0, 10)), 200, Some("bytes 0-9/20"), "10"),
            (Some((0, 10)), 206, Some("bytes 0-8/20"), "9"),
            (Some((0, 10)), 206, Some("bytes 1-10/20"), "10"),
            (Some((0, 10)), 206, Some("bytes 0-9/20"), "9"),
            (Some((0, 10)), 206, Some("bytes 0-9/*"), "10"),
            (Some((0, 10)), 206, Some("bytes 9-0/20"), "10"),
            (Some((0, 10)), 206, Some("bytes 0-9/5"), "10"),
            (Some((0, 10)), 206, Some("bytes=0-9/20"), "10"),
            (Some((0, 10)), 206, Some("bytes 0-18446744073709551615/20"), "10"),
            (None, 206, None, "10"),
            (None, 204, None, "10"),
            (None, 201, None, "10"),
        ];
        for (asked, status, range, length) in bad {
            let error = of(asked, status, range, length)
                .expect_err(&format!("{asked:?} {status} {range:?} {length}"));
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn put_object_carries_everything_in_headers() {
        let mut put = PutObject::new("myBucket", "my-image.jpg", "bytes");
        assert_eq!(wire(&put), "PUT /myBucket/my-image.jpg\nbytes");
        assert!(!put.encode().unwrap().needs_checksum);
        put.condition = WriteCondition::Matches(ETag("W/\"weak\"".into()));
        put.object = NewObject {
            content: ContentHeaders { content_type: Some("image/jpeg".into()), ..ContentHeaders::default() },
            metadata: [
                ("author".to_owned(), "CarlosSmith".to_owned()),
                ("name".to_owned(), "Jürgen".to_owned()),
            ]
            .into(),
            tags: Some([("Key+1".to_owned(), "Value 1/ü".to_owned())].into()),
            lock: LockHeaders {
                retention: Some(Retention {
                    mode: RetentionMode::Governance,
                    until: timestamp::parse_rfc3339("2027-01-31T00:00:00Z").unwrap(),
                }),
                legal_hold: Some(false),
            },
            ..NewObject::default()
        };
        assert_eq!(
            wire(&put),
            "PUT /myBucket/my-image.jpg\ncontent-type: image/jpeg\nif-match: W/\"weak\"\n\
             x-amz-meta-author: CarlosSmith\nx-amz-meta-name: =?UTF-8?B?SsO8cmdlbg==?=\n\
             x-amz-object-lock-legal-hold: OFF\nx-amz-object-lock-mode: GOVERNANCE\n\
             x-amz-object-lock-retain-until-date: 2027-01-31T00:00:00.000Z\nx-amz-tagging: Key%2B1=Value%201%2F%C3%BC\n\
             bytes"
        );
        assert!(put.encode().unwrap().needs_checksum, "stores want one with a lock");
        assert_eq!(put.replay(), Replay::LookFirst);
    }

    #[test]
    fn what_headers_cannot_carry_is_refused_before_it_is_sent() {
        let put = |name: &str, value: &str| {
            let mut put = PutObject::new("b", "k", "");
            put.object.metadata = [(name.to_owned(), value.to_owned())].into();
            put
        };
        assert_eq!(wire(&put("a", "b")), "PUT /b/k\nx-amz-meta-a: b\n");
        for (name, value) in [("a", "x\ny"), ("a", "x\0"), ("a b", "x"), ("a:b", "x"), ("ü", "x")] {
            assert_eq!(refusal(&put(name, value)), ErrorKind::Invalid, "{name:?} {value:?}");
        }
        assert_eq!(refusal(&PutObject::new("b", "", "")), ErrorKind::Invalid, "that would be PutBucket");
    }

    #[test]
    fn a_put_answers_with_etag_version_and_checksum() {
        let headers = [
            ("etag", "\"1b2cf535f27731c974343645a3985328\""),
            ("x-amz-version-id", "43jfkodU8493jnFJD9fjj3HHNVfdsQUIFDNsidf038jfdsjGFDSIRp"),
            ("x-amz-checksum-crc32c", "yZRlqg=="),
        ];
        let stored = PutObject::new("b", "k", "").decode(reply(200, &headers, "")).unwrap();
        assert_eq!(stored.etag, Some(ETag("1b2cf535f27731c974343645a3985328".into())));
        assert!(stored.version.is_some());
        assert_eq!(stored.checksums, [("crc32c".to_owned(), "yZRlqg==".to_owned())].into());
    }

    #[test]
    fn delete_object_tells_a_marker_from_a_deletion() {
        let delete = DeleteObject {
            bucket: "b".into(),
            key: "k".into(),
            version: Some(VersionId("UIORUnfnd89493jJFJ".into())),
            bypass_governance: true,
            ..DeleteObject::default()
        };
        assert_eq!(
            wire(&delete),
            "DELETE /b/k?versionId=UIORUnfnd89493jJFJ\nx-amz-bypass-governance-retention: true"
        );
        let marker = [("x-amz-delete-marker", "true"), ("x-amz-version-id", "m")];
        let deleted = delete.decode(reply(204, &marker, "")).unwrap();
        assert_eq!((deleted.delete_marker, deleted.version), (true, Some(VersionId("m".into()))));
        let empty = DeleteObject { version: Some(VersionId("".into())), ..delete };
        assert_eq!(refusal(&empty), ErrorKind::Invalid);
    }

    #[test]
    fn a_missing_key_is_deleted_unless_a_condition_named_it() {
        let delete = DeleteObject { bucket: "b".into(), key: "k".into(), ..DeleteObject::default() };
        let absent = Error::new(ErrorKind::NoSuchKey, "");
        assert!(delete.recover(&absent).is_some());
        assert!(delete.recover(&Error::new(ErrorKind::NoSuchBucket, "")).is_none());
        assert!(DeleteObject { if_match: Some(ETag("e".into())), ..delete }.recover(&absent).is_none());
    }

    #[test]
    fn delete_objects_as_in_the_reference() {
        let delete = DeleteObjects {
            bucket: "bucketname".into(),
            keys: vec![
                ("SampleDocument.txt".into(), Some(VersionId("OYcLXagmS.WaD..oyH4KRguB95_YhLs7".into()))),
                ("a<b>&\r\n c".into(), None),
            ],
            ..DeleteObjects::default()
        };
        assert_eq!(
            wire(&delete),
            "POST /bucketname?delete=\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object>\
             <Key>SampleDocument.txt</Key><VersionId>OYcLXagmS.WaD..oyH4KRguB95_YhLs7</VersionId></Object><Object>\
             <Key>a&lt;b&gt;&amp;&#xD;&#xA; c</Key></Object><Quiet>true</Quiet></Delete>"
        );
        assert!(delete.encode().unwrap().needs_checksum);
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
 <Deleted><Key>sample1.txt</Key></Deleted>
 <Error><Key>sample2.txt</Key><VersionId>v</VersionId><Code>AccessDenied</Code><Message>Access Denied</Message></Error>
 <Deleted><Key>sample4.txt</Key></Deleted>
 <Error><Key>gone</Key><Code>NoSuchVersion</Code><Message/></Error>
</DeleteResult>"#;
        let failed = delete.decode(reply(200, &[], document)).unwrap().failed;
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0].key.as_str(), failed[0].code.as_str()), ("sample2.txt", "AccessDenied"));
        assert_eq!(failed[0].version, Some(VersionId("v".into())));
    }

    #[test]
    fn a_batch_that_could_do_harm_is_refused() {
        let batch = |keys: Vec<&str>| DeleteObjects {
            bucket: "b".into(),
            keys: keys.into_iter().map(|key| (key.to_owned(), None)).collect(),
            ..DeleteObjects::default()
        };
        for keys in [vec![], vec![""], vec!["ok", ""], vec!["\u{1}"], vec!["\u{FFFE}"], vec!["k"; 1001]] {
            assert_eq!(refusal(&batch(keys.clone())), ErrorKind::Invalid, "{:?}", keys.first());
        }
        assert!(batch(vec!["k"; 1000]).encode().is_ok());
    }

    #[test]
    fn a_verbose_batch_tells_what_was_deleted() {
        let keys = vec![("a".to_owned(), None)];
        let delete = DeleteObjects { bucket: "b".into(), keys, verbose: true, ..DeleteObjects::default() };
        assert!(wire(&delete).contains("<Quiet>false</Quiet>"));
        let document = "<DeleteResult><Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker>\
            <DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted></DeleteResult>";
        let output = delete.decode(reply(200, &[], document)).unwrap();
        let marker = output.deleted[0].delete_marker_version.clone();
        assert_eq!((output.deleted[0].delete_marker, marker), (true, Some(VersionId("m".into()))));
        let quiet = DeleteObjects { verbose: false, ..delete };
        assert!(quiet.decode(reply(200, &[], document)).unwrap().deleted.is_empty());
    }
}
