//! Multipart uploads, verb by verb.

use futures_util::TryStreamExt;
use holdfs::base::ranges::ByteRange;
use holdfs::s3::ops::{
    AbortMultipartUpload, CompleteMultipartUpload, CopySource, CreateMultipartUpload, ListMultipartUploads,
    ListParts, NewObject, Part, PartOrigin, ReadConditions, Stored, UploadPart, UploadPartCopy,
    WriteCondition,
};
use holdfs::s3::transfer::pages;
use holdfs::s3::{Body, ETag, ErrorKind, Result};

use super::{holds_or_lacks, kind};
use crate::mounted::harness::{Bucket, Store, block_on, noise};

const PART: usize = 5 << 20;

struct Upload<'a> {
    bucket: &'a Bucket<'a>,
    key: &'static str,
    id: String,
}

impl<'a> Upload<'a> {
    fn begin(bucket: &'a Bucket<'a>, key: &'static str, object: NewObject) -> Self {
        Self::begin_with(bucket, key, object, PartOrigin::Sent)
    }

    fn begin_with(bucket: &'a Bucket<'a>, key: &'static str, object: NewObject, parts: PartOrigin) -> Self {
        let create = CreateMultipartUpload { bucket: bucket.name.clone(), key: key.into(), object, parts };
        Self { bucket, key, id: bucket.send(&create).unwrap() }
    }

    fn part(&self, part_number: u32, bytes: &[u8]) -> Part {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.to_owned(), self.id.clone());
        let body = Body::Bytes(bytes.to_vec().into());
        self.bucket.send(&UploadPart { bucket, key, upload_id, part_number, body }).unwrap()
    }

    fn copy(&self, part_number: u32, source: CopySource, range: Option<ByteRange>) -> Result<Part> {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.to_owned(), self.id.clone());
        self.bucket.send(&UploadPartCopy { source, range, bucket, key, upload_id, part_number })
    }

    fn complete(&self, parts: Vec<Part>, condition: WriteCondition) -> Result<Stored> {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.to_owned(), self.id.clone());
        self.bucket.send(&CompleteMultipartUpload { bucket, key, upload_id, parts, condition })
    }

    fn list(&self, max_parts: u32) -> Result<Vec<Part>> {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.to_owned(), self.id.clone());
        let list = ListParts { bucket, key, upload_id, part_number_marker: None, max_parts: Some(max_parts) };
        block_on(pages::parts(&self.bucket.client, list).try_collect())
    }

    fn abort(&self) -> Result<()> {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.to_owned(), self.id.clone());
        self.bucket.send(&AbortMultipartUpload { bucket, key, upload_id })
    }

    fn is_listed(&self) -> bool {
        let list = ListMultipartUploads {
            bucket: self.bucket.name.clone(),
            prefix: self.key.into(),
            ..ListMultipartUploads::default()
        };
        let uploads: Vec<_> = block_on(pages::uploads(&self.bucket.client, list).try_collect()).unwrap();
        uploads.iter().any(|upload| (upload.key.as_str(), &upload.upload_id) == (self.key, &self.id))
    }
}

#[test]
fn parts_sent_in_any_order_make_one_object() {
    let bucket = Bucket::new(Store::shared());
    let object = NewObject {
        metadata: [("a".to_owned(), "b".to_owned())].into(),
        tags: Some([("t".to_owned(), "v".to_owned())].into()),
        ..NewObject::default()
    };
    let upload = Upload::begin(&bucket, "big/file+1", object);
    let (first, last) = (noise(1, PART), noise(2, 100));
    let second = upload.part(7, &last);
    upload.part(2, &noise(3, 10));
    let first_part = upload.part(2, &first);
    assert!(upload.is_listed());
    assert_eq!(bucket.get("big/file+1"), None, "not before it is complete");
    for max_parts in [1, 1000] {
        let listed: Vec<_> = upload
            .list(max_parts)
            .unwrap()
            .iter()
            .map(|part| (part.number, part.size, part.etag.clone()))
            .collect();
        assert_eq!(listed, [(2, PART as u64, first_part.etag.clone()), (7, 100, second.etag.clone())]);
    }
    let stored = upload.complete(vec![first_part, second], WriteCondition::None).unwrap();
    let head = bucket.head("big/file+1");
    assert!(stored.etag.is_none() || stored.etag == head.etag, "Ceph does not say");
    assert_eq!(head.metadata["a"], "b");
    holds_or_lacks("CreateMultipartUpload: tags", &head.tag_count, &Some(1));
    assert_eq!(bucket.get("big/file+1").unwrap(), [first, last].concat());
    assert!(!upload.is_listed());
}

#[test]
fn an_aborted_upload_is_gone() {
    let bucket = Bucket::new(Store::shared());
    let upload = Upload::begin(&bucket, "k", NewObject::default());
    upload.part(1, b"x");
    upload.abort().unwrap();
    // The second is Ceph's word.
    assert!(matches!(kind(upload.list(10)), ErrorKind::NoSuchUpload | ErrorKind::NoSuchKey));
    assert!(!upload.is_listed());
}

#[test]
fn a_completion_with_wrong_parts_is_refused() {
    let bucket = Bucket::new(Store::shared());
    let upload = Upload::begin(&bucket, "k", NewObject::default());
    let (one, two) = (upload.part(1, &noise(1, 1000)), upload.part(2, b"y"));
    let missing = Part { number: 3, ..two.clone() };
    assert_eq!(
        kind(upload.complete(vec![one.clone(), missing], WriteCondition::None)),
        ErrorKind::InvalidPart
    );
    let foreign = Part { etag: ETag("00000000000000000000000000000000".into()), ..two.clone() };
    assert_eq!(kind(upload.complete(vec![foreign], WriteCondition::None)), ErrorKind::InvalidPart);
    let small = upload.complete(vec![one, two], WriteCondition::None).map(drop).map_err(|error| error.kind());
    assert_eq!(small, Err(ErrorKind::InvalidPart), "a part that is not the last is too small");
    assert_eq!(bucket.get("k"), None);
    let _ = upload.abort();
}

#[test]
fn a_completion_can_be_create_only() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "old");
    let upload = Upload::begin(&bucket, "k", NewObject::default());
    let part = upload.part(1, b"new");
    let seen = upload.complete(vec![part], WriteCondition::Absent).map(drop).map_err(|error| error.kind());
    if holds_or_lacks("CompleteMultipartUpload: If-None-Match", &seen, &Err(ErrorKind::PreconditionFailed)) {
        assert_eq!(bucket.get("k").as_deref(), Some(&b"old"[..]));
        upload.abort().unwrap();
    }
}

#[test]
fn copied_and_sent_parts_mix() {
    let bucket = Bucket::new(Store::shared());
    let content = noise(4, PART + 1000);
    bucket.put("source", &content);
    let source = |etag: Option<ETag>| CopySource {
        bucket: bucket.name.clone(),
        key: "source".into(),
        conditions: ReadConditions { if_match: etag, ..ReadConditions::default() },
        ..CopySource::default()
    };
    let etag = bucket.head("source").etag;
    let upload = Upload::begin_with(&bucket, "target", NewObject::default(), PartOrigin::AlsoCopied);
    let stale = upload.copy(1, source(Some(ETag("00000000000000000000000000000000".into()))), None);
    let seen = stale.map(drop).map_err(|error| error.kind());
    holds_or_lacks("UploadPartCopy: If-Match on the source", &seen, &Err(ErrorKind::PreconditionFailed));
    let sent = noise(5, PART);
    let parts = vec![
        upload.copy(1, source(etag.clone()), None).unwrap(),
        upload.part(2, &sent),
        upload.copy(3, source(etag), Some(ByteRange::new(500, 700))).unwrap(),
    ];
    upload.complete(parts, WriteCondition::None).unwrap();
    assert!(bucket.get("target").unwrap() == [&content[..], &sent, &content[500..700]].concat());
}
