//! MinIO's own, on the embedded server: what happens as it happens, archives that unpack themselves, deletes of all.

use std::time::{Duration, SystemTime};

use holdfs::s3::ops::{
    CopyObject, CopySource, DeleteBucket, DeleteObject, GetObject, HeadBucket, NewObject, With,
};
use holdfs::s3::settings::{PutSetting, Versioning, VersioningStatus};
use holdfs::s3::vendor::minio::{EventRecord, ListenNotification, PromptObject, Snowball};
use holdfs::s3::{ErrorKind, Operation};

use super::kind;
use crate::mounted::harness::{Bucket, Store, block_on};

fn embedded() -> Option<&'static Store> {
    Some(Store::shared()).filter(|store| store.server.is_some())
}

/// The first `count` events that come while `act` is under way.
fn heard(
    bucket: &Bucket<'_>,
    listen: &ListenNotification,
    count: usize,
    act: impl FnOnce(),
) -> Vec<EventRecord> {
    let mut events = block_on(bucket.client.send(listen)).unwrap();
    act();
    block_on(async {
        let mut heard = Vec::new();
        while heard.len() < count {
            let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
            heard.push(event.expect("an event in time").unwrap().expect("the server goes on"));
        }
        heard
    })
}

#[test]
fn listeners_hear_of_objects() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let listen = ListenNotification { bucket: Some(bucket.name.clone()), ..ListenNotification::default() };
    let events = heard(&bucket, &listen, 4, || {
        bucket.put("in/a b", "hello");
        bucket.get("in/a b");
        let (name, key) = (bucket.name.clone(), "in/a b".to_owned());
        let source = CopySource { bucket: name.clone(), key, ..CopySource::default() };
        let copy = CopyObject { source, bucket: name, key: "copy".into(), ..CopyObject::default() };
        bucket.send(&copy).unwrap();
        bucket.delete("copy");
    });
    let seen: Vec<_> =
        events.iter().map(|event| (event.name.as_str(), event.key.as_str(), event.size)).collect();
    let expected = [
        ("s3:ObjectCreated:Put", "in/a b", Some(5)),
        ("s3:ObjectAccessed:Get", "in/a b", Some(5)),
        ("s3:ObjectCreated:Copy", "copy", Some(5)),
        ("s3:ObjectRemoved:Delete", "copy", None),
    ];
    assert_eq!(seen, expected);
    assert!(events.iter().all(|event| event.bucket == bucket.name && event.time.is_some()));
    assert!(events[0].sequencer < events[2].sequencer);
}

#[test]
fn listeners_choose_what_they_hear() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let document = Versioning::of(VersioningStatus::Enabled);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    let listen = ListenNotification {
        bucket: None,
        prefix: format!("{}/", bucket.name),
        suffix: ".txt".into(),
        events: vec!["s3:ObjectCreated:*".into(), "s3:ObjectRemoved:DeleteMarkerCreated".into()],
    };
    let key = |name: &str| format!("{}/{name}", bucket.name);
    let events = heard(&bucket, &listen, 2, || {
        bucket.put(&key("a.jpg"), "x");
        bucket.put("else/a.txt", "x");
        bucket.put(&key("a.txt"), "x");
        bucket.get(&key("a.txt"));
        bucket.delete(&key("a.txt"));
    });
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["s3:ObjectCreated:Put", "s3:ObjectRemoved:DeleteMarkerCreated"]);
    assert!(events.iter().all(|event| event.key == key("a.txt") && event.version.is_some()));
    let wrong = ListenNotification { bucket: Some("no-such-bucket".into()), ..ListenNotification::default() };
    assert_eq!(kind(bucket.send(&wrong).map(drop)), ErrorKind::NoSuchBucket);
}

#[test]
fn an_archive_becomes_its_members() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let long = format!("deep/{}/ü", "x".repeat(120));
    let mut snowball = Snowball::default();
    snowball.add("a.txt", "first", modified).unwrap();
    snowball.add(&long, "second", modified).unwrap();
    snowball.add("empty", "", modified).unwrap();
    let object =
        NewObject { metadata: [("from".to_owned(), "archive".to_owned())].into(), ..NewObject::default() };
    bucket.send(&snowball.upload(&bucket.name, "in/batch.tar", object)).unwrap();
    assert_eq!(bucket.keys(), ["in/a.txt".to_owned(), format!("in/{long}"), "in/empty".to_owned()]);
    assert_eq!(bucket.get(&format!("in/{long}")).unwrap(), b"second");
    let head = bucket.head("in/a.txt");
    assert_eq!(head.metadata.get("from").map(String::as_str), Some("archive"));
    assert_eq!(head.metadata.len(), 1);
    assert_eq!(head.last_modified, Some(modified));
}

#[test]
fn everything_below_goes_at_once() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let document = Versioning::of(VersioningStatus::Enabled);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    for key in ["a/1", "a/2", "a/2", "b"] {
        bucket.put(key, "x");
    }
    bucket.delete("a/1");
    let below = DeleteObject { bucket: bucket.name.clone(), key: "a/".into(), ..DeleteObject::default() };
    bucket.send(&With::new(below).minio_force_delete().unwrap()).unwrap();
    assert_eq!(bucket.keys(), ["b"]);
    let all = DeleteBucket { bucket: bucket.name.clone() };
    assert_eq!(kind(bucket.send(&all)), ErrorKind::BucketNotEmpty);
    bucket.send(&With::new(all).minio_force_delete().unwrap()).unwrap();
    assert_eq!(kind(bucket.send(&HeadBucket { bucket: bucket.name.clone() })), ErrorKind::NoSuchBucket);
}

#[test]
fn there_is_no_model_to_ask() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("cat.jpg", "x");
    let prompt = PromptObject {
        bucket: bucket.name.clone(),
        key: "cat.jpg".into(),
        prompt: "what is it?".into(),
        ..PromptObject::default()
    };
    assert!(prompt.encode().is_ok());
    assert_eq!(kind(bucket.send(&prompt).map(drop)), ErrorKind::Unsupported);
    let get = GetObject { bucket: bucket.name.clone(), key: "cat.jpg".into(), ..GetObject::default() };
    bucket.send(&get).map(drop).unwrap();
}
