//! Conditions on reads and writes.

use holdfs::s3::ops::{DeleteObject, GetObject, PutObject, ReadConditions, WriteCondition};
use holdfs::s3::{ETag, ErrorKind};

use super::{holds_or_lacks, kind};
use crate::mounted::harness::{Bucket, Store};

const OTHER: &str = "00000000000000000000000000000000";

fn put(bucket: &Bucket<'_>, key: &str, condition: WriteCondition) -> Result<(), ErrorKind> {
    let put = PutObject { condition, ..PutObject::new(&bucket.name, key, "new") };
    bucket.send(&put).map(drop).map_err(|error| error.kind())
}

#[test]
fn a_read_is_pinned_by_its_etag() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let etag = bucket.head("k").etag;
    let get = |if_match, if_none_match| {
        let conditions = ReadConditions { if_match, if_none_match, ..ReadConditions::default() };
        let get =
            GetObject { bucket: bucket.name.clone(), key: "k".into(), conditions, ..GetObject::default() };
        bucket.send(&get).map(drop)
    };
    let other = Some(ETag(OTHER.into()));
    get(etag.clone(), None).unwrap();
    get(None, other.clone()).unwrap();
    assert_eq!(kind(get(other, None)), ErrorKind::PreconditionFailed);
    assert_eq!(kind(get(None, etag)), ErrorKind::NotModified);
}

#[test]
fn create_only_never_replaces() {
    let bucket = Bucket::new(Store::shared());
    assert_eq!(put(&bucket, "k", WriteCondition::Absent), Ok(()));
    let again = put(&bucket, "k", WriteCondition::Absent);
    holds_or_lacks("PutObject: If-None-Match", &again, &Err(ErrorKind::PreconditionFailed));
}

#[test]
fn replace_only_what_is_expected() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "old");
    let wrong = put(&bucket, "k", WriteCondition::Matches(ETag(OTHER.into())));
    if holds_or_lacks("PutObject: If-Match", &wrong, &Err(ErrorKind::PreconditionFailed)) {
        assert_eq!(bucket.get("k").as_deref(), Some(&b"old"[..]));
    }
    let etag = bucket.head("k").etag.unwrap();
    assert_eq!(put(&bucket, "k", WriteCondition::Matches(etag)), Ok(()));
}

#[test]
fn delete_only_what_is_expected() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let delete = |etag| {
        let delete = DeleteObject {
            bucket: bucket.name.clone(),
            key: "k".into(),
            if_match: Some(etag),
            ..DeleteObject::default()
        };
        bucket.send(&delete).map(drop).map_err(|error| error.kind())
    };
    let etag = bucket.head("k").etag.unwrap();
    if holds_or_lacks(
        "DeleteObject: If-Match",
        &delete(ETag(OTHER.into())),
        &Err(ErrorKind::PreconditionFailed),
    ) {
        assert!(bucket.get("k").is_some());
        assert_eq!(delete(etag), Ok(()));
    }
    assert_eq!(bucket.get("k"), None);
}
