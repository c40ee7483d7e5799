//! Objects: get, head, put, delete, delete many.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{
    ContentHeaders, ContentRange, LockHeaders, Metadata, ObjectHeaders, ReadConditions, Tags, WriteCondition,
    checksums, content_length, content_range, etag, expiration, on_object, on_version, own_version, put,
    put_some,
};
use crate::base::ranges::ByteRange;
use crate::base::timestamp::parse_http_date;
use crate::s3::checksum::part_verifier;
use crate::s3::operation::{Payload, Replay, Reply, ReplyBody, Request};
use crate::s3::{Body, ByteStream, ETag, Error, ErrorKind, Operation, Result, VersionId};

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

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
    /// Ask for the stored checksum and verify a whole body with it, or that of a part with the part's.
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
    /// Ask for the stored checksum: that of the part where one is asked for and the store keeps it.
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
        let ReplyBody::Stream(body) = reply.body else {
            return Err(Error::new(ErrorKind::Bug, "The reply was collected, not streamed."));
        };
        let is_part = self.part_number.is_some() && reply.status == StatusCode::PARTIAL_CONTENT;
        let body = match is_part {
            true => body.verified_by(part_verifier(range.len() == headers.size, &reply.headers)),
            false => body,
        };
        Ok(GetObjectOutput { headers, range, body })
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
                    ("x-amz-meta-who", "from =?UTF-8?Q?J=C3=BC?= =?UTF-8?B?cmdlbg==?= =?UTF-8?X?"),
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
        let metadata = [("family", "Muñoz"), ("old", "1"), ("who", "from Jürgen =?UTF-8?X?")];
        assert_eq!(object.metadata, metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
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
}
