//! What answers tell, and what refusals do.

use std::time::{Duration, SystemTime};

use holdfs::s3::ops::{
    self, DeleteFailure, DeleteObjects, DeleteObjectsOutput, GetObject, HeadObject, ListBuckets,
    ListObjectsV2, ListedObject, PutObject, Stored,
};
use holdfs::s3::{Error, ErrorKind};

use super::scripted::{Answer, Scripted};
use crate::mounted::harness::{Bucket, ObjectLock, Store, block_on};

/// Within an hour of now: clocks of other machines.
fn is_recent(time: SystemTime) -> bool {
    let hour = Duration::from_secs(3600);
    time.duration_since(SystemTime::now() - hour).is_ok_and(|since| since < 2 * hour)
}

#[test]
fn what_listings_tell() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("d/k", "hello");
    let listed = bucket.send(&ListBuckets::default()).unwrap().buckets;
    let found: ops::Bucket = listed.into_iter().find(|listed| listed.name == bucket.name).unwrap();
    assert!(found.created.is_some_and(is_recent));
    let list = ListObjectsV2 {
        bucket: bucket.name.clone(),
        delimiter: Some("/".into()),
        fetch_owner: true,
        ..ListObjectsV2::default()
    };
    let page = bucket.send(&list).unwrap();
    assert_eq!((page.objects.len(), page.common_prefixes), (0, vec!["d/".to_owned()]));
    let below = ListObjectsV2 { prefix: "d/".into(), ..list };
    let object: ListedObject = bucket.send(&below).unwrap().objects.remove(0);
    let head = bucket.head("d/k");
    assert_eq!((object.key.as_str(), object.size, Some(object.etag)), ("d/k", 5, head.etag));
    assert!(is_recent(object.last_modified));
    assert_eq!(object.storage_class.as_deref().unwrap_or("STANDARD"), "STANDARD");
    assert!(object.owner.is_some_and(|owner| !owner.id.is_empty()));
}

#[test]
fn what_writes_tell() {
    let bucket = Bucket::new(Store::shared());
    let stored: Stored = bucket.send(&PutObject::new(&bucket.name, "k", "hello")).unwrap();
    assert_eq!(stored.etag.as_ref().map(|etag| &*etag.0), Some("5d41402abc4b2a76b9719d911017c592"));
    assert!(stored.date.is_some_and(is_recent));
    assert_eq!(stored.version, None, "the bucket has no versions");
}

#[test]
fn what_deletes_tell() {
    let bucket = Bucket::with(Store::shared(), ObjectLock::On);
    let mut put = PutObject::new(&bucket.name, "held", "x");
    put.object.lock.legal_hold = Some(true);
    let held = bucket.send(&put).unwrap().version;
    bucket.put("free", "x");
    let free = bucket.head("free").version;
    let keys = vec![("held".to_owned(), held.clone()), ("free".to_owned(), free)];
    let delete = DeleteObjects { bucket: bucket.name.clone(), keys, ..DeleteObjects::default() };
    let DeleteObjectsOutput { failed, .. } = bucket.send(&delete).unwrap();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let failure: &DeleteFailure = &failed[0];
    assert_eq!((failure.key.as_str(), &failure.version), ("held", &held));
    assert!(!failure.code.is_empty());
    let lift =
        ops::PutObjectLegalHold { bucket: bucket.name.clone(), key: "held".into(), version: held, on: false };
    bucket.send(&lift).unwrap();
}

#[test]
fn an_error_tells_what_the_store_said() {
    let bucket = Bucket::new(Store::shared());
    let get = GetObject { bucket: bucket.name.clone(), key: "none".into(), ..GetObject::default() };
    let error: Error = bucket.send(&get).map(drop).unwrap_err();
    assert_eq!((error.kind(), error.code(), error.status()), (ErrorKind::NoSuchKey, "NoSuchKey", 404));
    assert_eq!(error.operation(), "GetObject");
    assert!(!error.request_id().is_empty());
    let line = error.to_string();
    assert!(
        line.contains(&bucket.name) && line.contains("none") && line.contains(error.request_id()),
        "{line}"
    );
    // HEAD has no body to say it in.
    let head = HeadObject { bucket: bucket.name.clone(), key: "none".into(), ..HeadObject::default() };
    let error: Error = bucket.send(&head).unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NoSuchKey, 404));
}

const PAGE: Answer = (200, &["content-type: text/html"], "<html>hello</html>");
const SILENCE: Answer = (500, &[], "");

#[test]
fn answers_of_no_store_are_errors_of_their_own() {
    let list = ListObjectsV2 { bucket: "b".into(), ..ListObjectsV2::default() };
    // Nonsense is asked for a few times only, whatever the deadline.
    let error = Scripted::answering(&[PAGE; 4]).send(&list).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let server = Scripted::answering(&[SILENCE; 200]);
    let error = block_on(server.client.with_deadline(Duration::from_secs(3)).send(&list)).unwrap_err();
    // The last attempt may be the one that the deadline ends.
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut), "{error}");
    assert!(!server.heard().is_empty(), "somebody asked");
}
