//! Lifecycle rules, on an embedded server whose days are short.

use std::time::{Duration, Instant};

use holdfs::embedded::{Options, Times};
use holdfs::s3::ops::{
    CreateMultipartUpload, ListMultipartUploads, ListObjectVersions, NewObject, PutObject,
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
