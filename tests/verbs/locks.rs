//! Legal hold and retention.

use std::time::{Duration, SystemTime};

use holdfs::base::timestamp;
use holdfs::s3::ops::{
    DeleteObject, GetObjectLegalHold, GetObjectRetention, LockHeaders, PutObject, PutObjectLegalHold,
    PutObjectRetention, Retention, RetentionMode,
};
use holdfs::s3::{ErrorKind, Result, VersionId};

use super::{holds_or_lacks, kind};
use crate::mounted::harness::{Bucket, ObjectLock, Store};

/// To the second, as every store keeps it.
fn in_days(days: u64) -> SystemTime {
    let then = SystemTime::now() + Duration::from_secs(days * 86_400);
    timestamp::parse_rfc3339(&timestamp::rfc3339(then)).unwrap()
}

fn governance(days: u64) -> Retention {
    Retention { mode: RetentionMode::Governance, until: in_days(days) }
}

struct Object<'a> {
    bucket: &'a Bucket<'a>,
    version: Option<VersionId>,
}

impl<'a> Object<'a> {
    fn put(bucket: &'a Bucket<'a>, lock: LockHeaders) -> Self {
        let mut put = PutObject::new(&bucket.name, "k", "x");
        put.object.lock = lock;
        Self { bucket, version: bucket.send(&put).unwrap().version }
    }

    fn hold(&self, on: bool) {
        let (bucket, version) = (self.bucket.name.clone(), self.version.clone());
        self.bucket.send(&PutObjectLegalHold { bucket, key: "k".into(), version, on }).unwrap();
    }

    fn is_held(&self) -> bool {
        let (bucket, version) = (self.bucket.name.clone(), self.version.clone());
        self.bucket.send(&GetObjectLegalHold { bucket, key: "k".into(), version }).unwrap()
    }

    fn retain(&self, retention: Option<Retention>, bypass_governance: bool) -> Result<()> {
        let (bucket, version) = (self.bucket.name.clone(), self.version.clone());
        self.bucket.send(&PutObjectRetention {
            bucket,
            key: "k".into(),
            version,
            retention,
            bypass_governance,
        })
    }

    fn retention(&self) -> Option<Retention> {
        let (bucket, version) = (self.bucket.name.clone(), self.version.clone());
        self.bucket.send(&GetObjectRetention { bucket, key: "k".into(), version }).unwrap()
    }

    fn delete(&self, bypass_governance: bool) -> Result<()> {
        let (bucket, version) = (self.bucket.name.clone(), self.version.clone());
        let delete = DeleteObject { bucket, key: "k".into(), version, if_match: None, bypass_governance };
        self.bucket.send(&delete).map(drop)
    }
}

fn refused(kind: ErrorKind) -> bool {
    // MinIO says InvalidRequest, others AccessDenied.
    matches!(kind, ErrorKind::Denied | ErrorKind::Invalid)
}

#[test]
fn a_hold_keeps_a_version_until_it_is_lifted() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let object = Object::put(&bucket, LockHeaders::default());
    assert!(!object.is_held());
    object.hold(true);
    assert!(object.is_held());
    assert_eq!(bucket.head("k").lock.legal_hold, Some(true));
    assert!(refused(kind(object.delete(false))));
    assert!(refused(kind(object.delete(true))), "no bypass for a hold");
    object.hold(false);
    assert!(!object.is_held());
    object.delete(false).unwrap();
}

#[test]
fn governance_can_be_bypassed() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let object = Object::put(&bucket, LockHeaders::default());
    assert_eq!(object.retention(), None);
    let retention = governance(2);
    object.retain(Some(retention), false).unwrap();
    assert_eq!(object.retention(), Some(retention));
    assert_eq!(bucket.head("k").lock.retention, Some(retention));
    assert!(refused(kind(object.delete(false))));
    assert!(refused(kind(object.retain(Some(governance(1)), false))), "it cannot be shortened");
    object.retain(Some(governance(3)), false).unwrap();
    object.retain(Some(governance(1)), true).unwrap();
    let removed = object.retain(None, true).map_err(|error| error.kind());
    if holds_or_lacks("PutObjectRetention: removing it", &removed, &Ok(())) {
        assert_eq!(object.retention(), None);
        object.delete(false).unwrap();
    } else {
        object.delete(true).unwrap();
    }
}

#[test]
fn an_object_is_born_locked() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let lock = LockHeaders { retention: Some(governance(1)), legal_hold: Some(true) };
    let object = Object::put(&bucket, lock);
    assert_eq!(bucket.head("k").lock, lock);
    assert!(refused(kind(object.delete(true))));
    object.hold(false);
    object.delete(true).unwrap();
}

#[test]
fn a_bucket_without_object_lock_refuses_locks() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let object = Object { bucket: &bucket, version: None };
    assert!(object.retain(Some(governance(1)), false).is_err());
    let hold = PutObjectLegalHold { bucket: bucket.name.clone(), key: "k".into(), version: None, on: true };
    assert!(bucket.send(&hold).is_err());
}
