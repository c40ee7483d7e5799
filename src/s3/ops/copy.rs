//! Copies on the server.

use std::collections::BTreeMap;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, Method};

use super::multipart::{checksum_algorithm, on_part};
use super::{
    LockHeaders, NewObject, Part, ReadConditions, WriteCondition, copy_source, expiration, on_object,
    own_version, parse_etag, put, put_some, version,
};
use crate::base::ranges::ByteRange;
use crate::s3::operation::{Replay, Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{ETag, Error, Operation, Result, VersionId};

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
const SOURCE_VERSION: HeaderName = HeaderName::from_static("x-amz-copy-source-version-id");
const METADATA_DIRECTIVE: HeaderName = HeaderName::from_static("x-amz-metadata-directive");
const TAGGING_DIRECTIVE: HeaderName = HeaderName::from_static("x-amz-tagging-directive");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");

/// What is copied: an object, or a version of it.
#[derive(Clone, Debug, Default)]
pub struct CopySource {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// What must hold of it.
    pub conditions: ReadConditions,
}

/// Up to 5 GiB in one request; `s3::transfer` does larger ones in parts.
#[derive(Clone, Debug, Default)]
pub struct CopyObject {
    /// What is copied.
    pub source: CopySource,
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// Stores only where this holds: `PreconditionFailed` else.
    pub condition: WriteCondition,
    /// `Some` replaces metadata and content headers, `None` copies them. Required onto itself. Its `tags` field
    /// replaces tags when `Some` (directive REPLACE), else they are copied. Lock, class and ACL go by header.
    pub replace: Option<NewObject>,
    /// With `replace: None`: the lock of the copy (a store copies none by itself).
    pub lock: LockHeaders,
    /// With `replace: None`: the class of the copy (a store takes its default, not the source's).
    pub storage_class: Option<String>,
}

/// What the store says of a copy.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// Of its bytes.
    pub etag: Option<ETag>,
    /// When it was stored.
    pub last_modified: Option<SystemTime>,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// The version that was copied.
    pub source_version: Option<VersionId>,
    /// As in [`super::ObjectHeaders::checksums`].
    pub checksums: BTreeMap<String, String>,
    /// When a lifecycle rule removes it, as it was sent.
    pub expiration: Option<String>,
}

/// S3 API: [UploadPartCopy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html).
#[derive(Clone, Debug, Default)]
pub struct UploadPartCopy {
    /// What is copied.
    pub source: CopySource,
    /// `None` copies the whole source.
    pub range: Option<ByteRange>,
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The id of the upload, as its beginning said.
    pub upload_id: String,
    /// 1..=10,000.
    pub part_number: u32,
}

impl CopySource {
    fn encode(&self, headers: &mut HeaderMap) -> Result<()> {
        if self.bucket.is_empty() || self.key.is_empty() {
            return Err(Error::invalid("A copy needs a bucket and a key to copy from."));
        }
        put(headers, SOURCE, &copy_source(&self.bucket, &self.key, self.version.as_ref()))?;
        self.conditions.encode_for_source(headers)
    }
}

impl Operation for CopyObject {
    type Output = Copied;
    const NAME: &'static str = "CopyObject";

    fn encode(&self) -> Result<Request> {
        let mut request = on_object(Method::PUT, &self.bucket, &self.key)?;
        let headers = &mut request.headers;
        self.source.encode(headers)?;
        self.condition.encode(headers)?;
        match &self.replace {
            Some(object) => {
                put(headers, METADATA_DIRECTIVE, "REPLACE")?;
                put_some(headers, TAGGING_DIRECTIVE, object.tags.as_ref().map(|_| "REPLACE"))?;
                object.encode(headers)?;
            }
            None => {
                self.lock.encode(headers)?;
                put_some(headers, STORAGE_CLASS, self.storage_class.as_deref())?;
            }
        }
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Copied> {
        decode_copied(&reply, "CopyObjectResult")
    }

    fn replay(&self) -> Replay {
        self.condition.replay()
    }
}

impl Operation for UploadPartCopy {
    type Output = Part;
    const NAME: &'static str = "UploadPartCopy";

    fn encode(&self) -> Result<Request> {
        let mut request = on_part(Method::PUT, &self.bucket, &self.key, &self.upload_id, self.part_number)?;
        self.source.encode(&mut request.headers)?;
        if let Some(range) = self.range {
            if range.is_empty() {
                return Err(Error::invalid("A part cannot be copied from an empty range."));
            }
            put(&mut request.headers, SOURCE_RANGE, &format!("bytes={}-{}", range.start, range.end - 1))?;
        }
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Part> {
        let copied = decode_copied(&reply, "CopyPartResult")?;
        let etag = copied.etag.ok_or_else(|| Error::decode("The reply has no ETag of the copied part."))?;
        let checksum = copied.checksums.into_iter().next();
        Ok(Part { number: self.part_number, etag, size: 0, checksum, modified: copied.last_modified })
    }
}

fn decode_copied(reply: &Reply, root: &str) -> Result<Copied> {
    let mut copied = Copied {
        version: own_version(&reply.headers),
        source_version: version(&reply.headers, &SOURCE_VERSION),
        expiration: expiration(&reply.headers),
        ..Copied::default()
    };
    Reader::open(reply.document()?, root)?.children(|name, xml| {
        match name {
            "ETag" => copied.etag = parse_etag(&xml.text()?),
            "LastModified" => copied.last_modified = Some(xml.time()?),
            name => {
                if let Some(algorithm) = checksum_algorithm(name) {
                    copied.checksums.insert(algorithm, xml.string()?);
                }
            }
        }
        Ok(())
    })?;
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, wire};
    use super::*;
    use crate::base::timestamp;
    use crate::s3::ErrorKind;

    fn source(key: &str) -> CopySource {
        CopySource { bucket: "bucket".into(), key: key.into(), ..CopySource::default() }
    }

    #[test]
    fn copy_object_as_in_the_reference() {
        let copy = CopyObject {
            source: CopySource { version: Some(VersionId("3/L4kq=".into())), ..source("my-image.jpg") },
            bucket: "bucket".into(),
            key: "my-second-image.jpg".into(),
            ..CopyObject::default()
        };
        assert_eq!(
            wire(&copy),
            "PUT /bucket/my-second-image.jpg\nx-amz-copy-source: bucket/my-image.jpg?versionId=3%2FL4kq%3D"
        );
        let headers = [
            ("x-amz-version-id", "QUpfdndhfd8438MNFDN93jdnJFkdmqnh893"),
            ("x-amz-copy-source-version-id", "s"),
        ];
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<CopyObjectResult>
   <LastModified>2009-10-12T17:50:30.000Z</LastModified>
   <ETag>"9b2cf535f27731c974343645a3985328"</ETag>
</CopyObjectResult>"#;
        let copied = copy.decode(reply(200, &headers, document)).unwrap();
        assert_eq!(copied.etag, Some(ETag("9b2cf535f27731c974343645a3985328".into())));
        assert_eq!(copied.last_modified, timestamp::parse_rfc3339("2009-10-12T17:50:30Z"));
        assert_eq!(copied.version, Some(VersionId("QUpfdndhfd8438MNFDN93jdnJFkdmqnh893".into())));
        assert_eq!(copied.source_version, Some(VersionId("s".into())));
    }

    #[test]
    fn an_error_in_a_good_reply_is_never_a_copy() {
        let copy =
            CopyObject { source: source("a"), bucket: "b".into(), key: "k".into(), ..CopyObject::default() };
        for document in ["<Error><Code>InternalError</Code></Error>", "", "   "] {
            assert_eq!(copy.decode(reply(200, &[], document)).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn odd_keys_of_a_source_are_escaped() {
        let copy = CopyObject { bucket: "b".into(), key: "k".into(), ..CopyObject::default() };
        let cases = [
            ("a b", "bucket/a%20b"),
            ("a+b?c", "bucket/a%2Bb%3Fc"),
            ("/x//y/", "bucket//x//y/"),
            ("ü\n\u{1}%", "bucket/%C3%BC%0A%01%25"),
            ("../.", "bucket/../."),
        ];
        for (key, expected) in cases {
            let copy = CopyObject { source: source(key), ..copy.clone() };
            assert_eq!(wire(&copy), format!("PUT /b/k\nx-amz-copy-source: {expected}"));
        }
        assert_eq!(refusal(&copy), ErrorKind::Invalid, "an empty source");
    }

    #[test]
    fn replacing_says_so_and_copying_carries_only_the_lock() {
        let plain = CopyObject {
            source: source("k"),
            bucket: "bucket".into(),
            key: "k".into(),
            ..CopyObject::default()
        };
        let mut object = NewObject { storage_class: Some("STANDARD_IA".into()), ..NewObject::default() };
        let replace = CopyObject { replace: Some(object.clone()), ..plain.clone() };
        assert_eq!(
            wire(&replace),
            "PUT /bucket/k\nx-amz-copy-source: bucket/k\nx-amz-metadata-directive: REPLACE\n\
             x-amz-storage-class: STANDARD_IA"
        );
        object.tags = Some([("a b".to_owned(), "c&d".to_owned())].into());
        let tagged = CopyObject { replace: Some(object), condition: WriteCondition::Absent, ..plain.clone() };
        assert_eq!(
            wire(&tagged),
            "PUT /bucket/k\nif-none-match: *\nx-amz-copy-source: bucket/k\nx-amz-metadata-directive: REPLACE\n\
             x-amz-storage-class: STANDARD_IA\nx-amz-tagging: a%20b=c%26d\nx-amz-tagging-directive: REPLACE"
        );
        let held = CopyObject {
            lock: LockHeaders { legal_hold: Some(true), retention: None },
            storage_class: Some("GLACIER_IR".into()),
            ..plain
        };
        assert_eq!(
            wire(&held),
            "PUT /bucket/k\nx-amz-copy-source: bucket/k\nx-amz-object-lock-legal-hold: ON\n\
             x-amz-storage-class: GLACIER_IR"
        );
    }

    #[test]
    fn upload_part_copy_as_in_the_reference() {
        let mut copy = UploadPartCopy {
            source: source("source-object"),
            range: Some(ByteRange::new(500, 6_291_457)),
            bucket: "target-bucket".into(),
            key: "newobject".into(),
            upload_id: "VCVsb2FkIElEIGZvciBlbZZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZR".into(),
            part_number: 2,
        };
        copy.source.conditions.if_match = Some(ETag("e".into()));
        assert_eq!(
            wire(&copy),
            "PUT /target-bucket/newobject?uploadId=VCVsb2FkIElEIGZvciBlbZZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZR\
             &partNumber=2\nx-amz-copy-source: bucket/source-object\n\
             x-amz-copy-source-if-match: \"e\"\nx-amz-copy-source-range: bytes=500-6291456"
        );
        let document = "<CopyPartResult><LastModified>2009-10-28T22:32:00.000Z</LastModified>\
                        <ETag>\"9b2cf535f27731c974343645a3985328\"</ETag></CopyPartResult>";
        let part = copy.decode(reply(200, &[], document)).unwrap();
        assert_eq!((part.number, &*part.etag.0), (2, "9b2cf535f27731c974343645a3985328"));
        let nothing = copy.decode(reply(200, &[], "<CopyPartResult/>"));
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Corrupt);
        copy.range = Some(ByteRange::new(5, 5));
        assert_eq!(refusal(&copy), ErrorKind::Invalid);
    }
}
