//! Lifecycle rules, on an embedded server whose days are short.

use std::time::{Duration, Instant};

use holdfs::base::timestamp::http_date;
use holdfs::embedded::{Options, Times};
use holdfs::s3::Body;
use holdfs::s3::ops::{
    CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, GetObject, ListMultipartUploads,
    ListObjectVersions, NewObject, PutObject, UploadPart, WriteCondition,
};
use holdfs::s3::settings::lifecycle::{
    AbortIncompleteUpload, Expiration, LifecycleFilter, NoncurrentExpiration,
};
use holdfs::s3::settings::{Lifecycle, LifecycleRule, PutSetting, Tag, Versioning, VersioningStatus};

use crate::mounted::harness::{Bucket, Store};

const DAY: Duration = Duration::from_millis(600);

fn store() -> Store {
    let times = Times { day: DAY, ..Times::default() };
    Store::embedded(Options { times, ..Options::default() })
}

fn rules(bucket: &Bucket<'_>, rules: Vec<LifecycleRule>) {
    let document = Lifecycle { rules, transition_minimum: None };
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
}

fn below(id: &str, prefix: &str) -> LifecycleRule {
    let filter = LifecycleFilter { prefix: Some(prefix.into()), ..LifecycleFilter::default() };
    LifecycleRule::new(id, filter)
}

fn days(days: u32) -> Option<Expiration> {
    Some(Expiration { days: Some(days), ..Expiration::default() })
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn versions(bucket: &Bucket<'_>) -> Vec<String> {
    let list = ListObjectVersions { bucket: bucket.name.clone(), ..ListObjectVersions::default() };
    let listed = bucket.send(&list).unwrap().versions;
    let shown = |object: bool| if object { "" } else { " marker" };
    listed.iter().map(|version| format!("{}{}", version.key, shown(version.object.is_some()))).collect()
}

#[test]
fn objects_expire_by_prefix_and_tag() {
    let store = store();
    let bucket = Bucket::new(&store);
    let by_tag =
        LifecycleFilter { tag: Some(Tag { key: "k".into(), value: "v".into() }), ..Default::default() };
    let tagged = LifecycleRule { expiration: days(1), ..LifecycleRule::new("by tag", by_tag) };
    rules(&bucket, vec![LifecycleRule { expiration: days(1), ..below("by prefix", "tmp/") }, tagged]);
    let object = NewObject { tags: Some([("k".to_owned(), "v".to_owned())].into()), ..NewObject::default() };
    bucket.send(&PutObject { object, ..PutObject::new(&bucket.name, "tagged", "x") }).unwrap();
    bucket.put("tmp/a", "x");
    bucket.put("stays", "x");
    eventually("the two expire", || bucket.keys() == ["stays"]);
}

/// Long enough for a test to ask in peace.
const LONG_DAY: Duration = Duration::from_secs(3600);

#[test]
fn replies_say_when_an_object_expires() {
    let times = Times { day: LONG_DAY, ..Times::default() };
    let store = Store::embedded(Options { times, ..Options::default() });
    let bucket = Bucket::new(&store);
    rules(&bucket, vec![LifecycleRule { expiration: days(2), ..below("two days", "tmp/") }]);
    let put = |key: &str| bucket.send(&PutObject::new(&bucket.name, key, "x")).unwrap();
    assert_eq!(put("stays").expiration, None);
    let said = put("tmp/a").expiration.unwrap();
    let due = bucket.head("tmp/a").last_modified.unwrap() + 2 * LONG_DAY;
    assert_eq!(said, format!("expiry-date=\"{}\", rule-id=\"two days\"", http_date(due)));
    assert_eq!(bucket.head("tmp/a").expiration.as_ref(), Some(&said));
    let (name, key) = (bucket.name.clone(), "tmp/a".to_owned());
    let got = bucket.send(&GetObject { bucket: name, key, ..GetObject::default() }).unwrap();
    assert_eq!(got.headers.expiration.as_ref(), Some(&said));
    let source = CopySource { bucket: bucket.name.clone(), key: "stays".into(), ..CopySource::default() };
    let (name, key) = (bucket.name.clone(), "tmp/copy".to_owned());
    let copied = bucket.send(&CopyObject { source, bucket: name, key, ..CopyObject::default() }).unwrap();
    assert!(copied.expiration.unwrap().ends_with("rule-id=\"two days\""));
    let (name, key) = (|| bucket.name.clone(), || "tmp/parts".to_owned());
    let create = CreateMultipartUpload { bucket: name(), key: key(), ..CreateMultipartUpload::default() };
    let upload_id = bucket.send(&create).unwrap();
    let (part_number, body) = (1, Body::Bytes("x".into()));
    let part = UploadPart { bucket: name(), key: key(), upload_id: upload_id.clone(), part_number, body };
    let parts = vec![bucket.send(&part).unwrap()];
    let condition = WriteCondition::None;
    let complete = CompleteMultipartUpload { bucket: name(), key: key(), upload_id, parts, condition };
    let completed = bucket.send(&complete).unwrap();
    assert!(completed.expiration.unwrap().ends_with("rule-id=\"two days\""));
    assert_eq!(bucket.head("stays").expiration, None);
}

#[test]
fn versions_markers_and_uploads_go_too() {
    let store = store();
    let bucket = Bucket::new(&store);
    let document = Versioning::of(VersioningStatus::Enabled);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    for key in ["a", "a", "b"] {
        bucket.put(key, "x");
    }
    bucket.delete("b");
    let (name, key) = (bucket.name.clone(), "never".to_owned());
    let upload = CreateMultipartUpload { bucket: name, key, ..CreateMultipartUpload::default() };
    bucket.send(&upload).unwrap();
    assert_eq!(versions(&bucket).len(), 4);
    rules(
        &bucket,
        vec![LifecycleRule {
            noncurrent_expiration: Some(NoncurrentExpiration { days: Some(1), newer_versions: None }),
            abort_uploads: Some(AbortIncompleteUpload { days: Some(1) }),
            expiration: Some(Expiration { expired_delete_marker: Some(true), ..Expiration::default() }),
            ..below("all", "")
        }],
    );
    eventually("only the current version stays", || versions(&bucket) == ["a"]);
    let uploads = ListMultipartUploads { bucket: bucket.name.clone(), ..ListMultipartUploads::default() };
    eventually("the upload is aborted", || bucket.send(&uploads).unwrap().uploads.is_empty());
}
