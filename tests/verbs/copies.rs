//! Copies on the server.

use holdfs::s3::ops::{
    CopyObject, CopySource, GetObjectTagging, NewObject, PutObject, ReadConditions, Tags, WriteCondition,
};
use holdfs::s3::{ETag, ErrorKind};

use super::{holds_or_lacks, kind};
use crate::mounted::harness::{Bucket, Store};

fn copy(bucket: &Bucket<'_>, from: &str, to: &str) -> CopyObject {
    CopyObject {
        source: CopySource { bucket: bucket.name.clone(), key: from.into(), ..CopySource::default() },
        bucket: bucket.name.clone(),
        key: to.into(),
        ..CopyObject::default()
    }
}

fn tags(bucket: &Bucket<'_>, key: &str) -> Tags {
    bucket.send(&GetObjectTagging { bucket: bucket.name.clone(), key: key.into(), version: None }).unwrap()
}

fn labelled(bucket: &Bucket<'_>, key: &str) {
    let mut put = PutObject::new(&bucket.name, key, "hello");
    put.object.content.content_type = Some("text/x-test".into());
    put.object.metadata = [("a".to_owned(), "1".to_owned())].into();
    put.object.tags = Some([("t".to_owned(), "1".to_owned())].into());
    bucket.send(&put).unwrap();
}

#[test]
fn a_copy_keeps_what_the_source_was_given() {
    let bucket = Bucket::new(Store::shared());
    for source in ["s", "odd key/+ü%&?#", "new\nline"] {
        labelled(&bucket, source);
        let copied = bucket.send(&copy(&bucket, source, "t/copy")).unwrap();
        let head = bucket.head("t/copy");
        assert_eq!(copied.etag, head.etag);
        assert_eq!(head.content.content_type.as_deref(), Some("text/x-test"));
        assert_eq!((head.size, head.metadata["a"].as_str()), (5, "1"));
        assert_eq!(tags(&bucket, "t/copy"), tags(&bucket, source), "{source:?}");
        bucket.delete("t/copy");
    }
}

#[test]
fn a_copy_onto_itself_replaces_the_metadata() {
    let bucket = Bucket::new(Store::shared());
    labelled(&bucket, "k");
    let replace = NewObject { metadata: [("b".to_owned(), "2".to_owned())].into(), ..NewObject::default() };
    bucket.send(&CopyObject { replace: Some(replace.clone()), ..copy(&bucket, "k", "k") }).unwrap();
    assert_eq!(bucket.head("k").metadata, replace.metadata);
    if !holds_or_lacks("CopyObject: tags beside replaced metadata", &tags(&bucket, "k").len(), &1) {
        return;
    }
    let retagged = NewObject { tags: Some([("u".to_owned(), "2".to_owned())].into()), ..replace };
    bucket.send(&CopyObject { replace: Some(retagged.clone()), ..copy(&bucket, "k", "k") }).unwrap();
    assert_eq!(Some(tags(&bucket, "k")), retagged.tags);
    assert_eq!(bucket.get("k").as_deref(), Some(&b"hello"[..]));
}

#[test]
fn a_copy_is_pinned_and_conditional() {
    let bucket = Bucket::new(Store::shared());
    labelled(&bucket, "s");
    labelled(&bucket, "t");
    let mut stale = copy(&bucket, "s", "new");
    stale.source.conditions = ReadConditions {
        if_match: Some(ETag("00000000000000000000000000000000".into())),
        ..ReadConditions::default()
    };
    assert_eq!(kind(bucket.send(&stale)), ErrorKind::PreconditionFailed);
    assert_eq!(kind(bucket.send(&copy(&bucket, "nothing", "new"))), ErrorKind::NoSuchKey);
    assert_eq!(bucket.get("new"), None);
    let taken = CopyObject { condition: WriteCondition::Absent, ..copy(&bucket, "s", "t") };
    let seen = bucket.send(&taken).map(drop).map_err(|error| error.kind());
    holds_or_lacks("CopyObject: If-None-Match", &seen, &Err(ErrorKind::PreconditionFailed));
}
