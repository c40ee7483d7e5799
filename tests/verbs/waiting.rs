//! Waiting until a bucket or an object is there, or is gone.

use std::time::Duration;

use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{DeleteBucket, HeadObject};
use holdfs::s3::transfer::wait::{self, Patience};

use super::kind;
use crate::mounted::harness::{Bucket, Store, block_on};

const SOON: Patience = Patience { delay: Duration::from_millis(100), attempts: 3 };

#[test]
fn buckets_are_waited_for() {
    let store = Store::shared();
    let bucket = Bucket::new(store);
    let (client, name) = (&bucket.client, &bucket.name);
    block_on(wait::until_bucket_is_there(client, name, SOON)).unwrap();
    assert!(block_on(wait::bucket_is_there(client, name)).unwrap());
    assert_eq!(kind(block_on(wait::until_bucket_is_gone(client, name, SOON))), ErrorKind::TimedOut);
    bucket.send(&DeleteBucket { bucket: name.clone() }).unwrap();
    block_on(wait::until_bucket_is_gone(client, name, SOON)).unwrap();
    assert!(!block_on(wait::bucket_is_there(client, name)).unwrap());
    assert_eq!(kind(block_on(wait::until_bucket_is_there(client, name, SOON))), ErrorKind::TimedOut);
}

#[test]
fn objects_are_waited_for() {
    let bucket = Bucket::new(Store::shared());
    let head = HeadObject { bucket: bucket.name.clone(), key: "k".into(), ..HeadObject::default() };
    block_on(wait::until_object_is_gone(&bucket.client, &head, SOON)).unwrap();
    assert_eq!(kind(block_on(wait::until_object_is_there(&bucket.client, &head, SOON))), ErrorKind::TimedOut);
    bucket.put("k", "x");
    block_on(wait::until_object_is_there(&bucket.client, &head, SOON)).unwrap();
    assert_eq!(kind(block_on(wait::until_object_is_gone(&bucket.client, &head, SOON))), ErrorKind::TimedOut);
}
