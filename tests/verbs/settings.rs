//! Buckets and their documents.

use futures_util::TryStreamExt;
use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{
    CreateBucket, DeleteBucket, GetBucketLocation, HeadBucket, ListBuckets, RetentionMode,
};
use holdfs::s3::settings::{
    DefaultRetention, GetSetting, ObjectLockConfiguration, PutSetting, RetentionPeriod, Versioning,
    VersioningStatus,
};
use holdfs::s3::transfer::pages;

use super::kind;
use crate::mounted::harness::{Bucket, ObjectLock, Store, block_on};

#[test]
fn a_bucket_is_found_listed_and_removed_when_empty() {
    let bucket = Bucket::new(Store::shared());
    let name = bucket.name.clone();
    bucket.send(&HeadBucket { bucket: name.clone() }).unwrap();
    bucket.send(&GetBucketLocation { bucket: name.clone() }).unwrap();
    let names = || {
        let buckets: Vec<_> =
            block_on(pages::buckets(&bucket.client, ListBuckets::default()).try_collect()).unwrap();
        buckets.into_iter().map(|bucket| bucket.name).collect::<Vec<_>>()
    };
    assert!(names().contains(&name));
    bucket.put("k", "x");
    assert_eq!(kind(bucket.send(&DeleteBucket { bucket: name.clone() })), ErrorKind::BucketNotEmpty);
    bucket.delete("k");
    bucket.send(&DeleteBucket { bucket: name.clone() }).unwrap();
    assert_eq!(kind(bucket.send(&HeadBucket { bucket: name.clone() })), ErrorKind::NoSuchBucket);
    assert_eq!(kind(bucket.send(&DeleteBucket { bucket: name.clone() })), ErrorKind::NoSuchBucket);
    assert!(!names().contains(&name));
    bucket.send(&CreateBucket { bucket: name, ..CreateBucket::default() }).unwrap();
}

#[test]
fn versioning_goes_on_and_is_suspended() {
    let bucket = Bucket::new(Store::shared());
    let status = || {
        bucket
            .send(&GetSetting::<Versioning>::new(&bucket.name))
            .unwrap()
            .and_then(|document| document.status)
    };
    assert_eq!(status(), None);
    for wanted in [VersioningStatus::Enabled, VersioningStatus::Suspended] {
        let document = Versioning::of(wanted);
        bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
        assert_eq!(status(), Some(wanted));
    }
}

#[test]
fn object_lock_has_a_default_only_when_given_one() {
    let plain = Bucket::new(Store::shared());
    let get =
        |bucket: &Bucket<'_>| bucket.send(&GetSetting::<ObjectLockConfiguration>::new(&bucket.name)).unwrap();
    assert_eq!(get(&plain), None);
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let without = ObjectLockConfiguration { enabled: true, default_retention: None };
    assert_eq!(get(&bucket), Some(without.clone()));
    let versioning = bucket.send(&GetSetting::<Versioning>::new(&bucket.name)).unwrap().unwrap();
    assert_eq!(versioning.status, Some(VersioningStatus::Enabled));
    for period in [RetentionPeriod::Days(2), RetentionPeriod::Years(1)] {
        let default_retention = Some(DefaultRetention { mode: RetentionMode::Governance, period });
        let document = ObjectLockConfiguration { enabled: true, default_retention };
        bucket.send(&PutSetting { bucket: bucket.name.clone(), document: document.clone() }).unwrap();
        assert_eq!(get(&bucket), Some(document));
    }
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: without.clone() }).unwrap();
    assert_eq!(get(&bucket), Some(without));
}
