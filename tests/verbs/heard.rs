//! MinIO's own, on the embedded server: what happens as it happens, archives that unpack themselves, deletes of all.

use std::time::{Duration, SystemTime};

use holdfs::embedded::{Options, Times};
use holdfs::s3::ops::{
    CopyObject, CopySource, DeleteBucket, DeleteObject, DeleteObjectTagging, GetObject, HeadBucket,
    NewObject, PutObject, PutObjectCannedAcl, PutObjectLegalHold, PutObjectRetention, PutObjectTagging,
    RestoreObject, Retention, RetentionMode, Tags, With,
};
use holdfs::s3::settings::lifecycle::{Expiration, LifecycleFilter};
use holdfs::s3::settings::{Lifecycle, LifecycleRule, PutSetting, Versioning, VersioningStatus};
use holdfs::s3::vendor::minio::{EventRecord, ListenNotification, PromptObject, Snowball};
use holdfs::s3::{ErrorKind, Operation, VersionId};

use super::kind;
use crate::mounted::harness::{Bucket, ObjectLock, Store, block_on};

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
fn listeners_hear_of_what_lies_on_objects() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::with(store, ObjectLock::On);
    bucket.put("k", "hello");
    let listen = |events: &[&str]| ListenNotification {
        bucket: Some(bucket.name.clone()),
        events: events.iter().map(|name| (*name).to_owned()).collect(),
        ..ListenNotification::default()
    };
    let (name, key, version) = (|| bucket.name.clone(), || "k".to_owned(), None::<VersionId>);
    let tags = Tags::from([("t".to_owned(), "v".to_owned())]);
    let act = || {
        let put =
            PutObjectTagging { bucket: name(), key: key(), version: version.clone(), tags: tags.clone() };
        bucket.send(&put).unwrap();
        bucket.send(&DeleteObjectTagging { bucket: name(), key: key(), version: version.clone() }).unwrap();
        let acl = "private".to_owned();
        let put = PutObjectCannedAcl { bucket: name(), key: key(), version: version.clone(), acl };
        bucket.send(&put).unwrap();
        for on in [true, false] {
            let put = PutObjectLegalHold { bucket: name(), key: key(), version: version.clone(), on };
            bucket.send(&put).unwrap();
        }
        let until = SystemTime::now() + Duration::from_secs(1);
        let retention = Some(Retention { mode: RetentionMode::Governance, until });
        let put =
            PutObjectRetention { bucket: name(), key: key(), retention, ..PutObjectRetention::default() };
        bucket.send(&put).unwrap();
    };
    let events = heard(&bucket, &listen(&["s3:*"]), 6, act);
    let seen: Vec<_> = events.iter().map(|event| (event.name.as_str(), event.size)).collect();
    let expected = [
        "s3:ObjectTagging:Put",
        "s3:ObjectTagging:Delete",
        "s3:ObjectAcl:Put",
        "s3:ObjectCreated:PutLegalHold",
        "s3:ObjectCreated:PutLegalHold",
        "s3:ObjectCreated:PutRetention",
    ];
    assert_eq!(seen, expected.map(|name| (name, Some(5))));
    assert!(events.iter().all(|event| event.key == "k" && event.version.is_some()));
    let minios = heard(&bucket, &listen(&["s3:ObjectCreated:PutTagging"]), 1, || {
        let put =
            PutObjectTagging { bucket: name(), key: key(), version: version.clone(), tags: tags.clone() };
        bucket.send(&put).unwrap();
    });
    assert_eq!(minios[0].name, "s3:ObjectTagging:Put", "MinIO's name is understood, too");
}

#[test]
fn listeners_hear_of_restores_and_of_what_expires() {
    let day = Duration::from_secs(2);
    let times = Times { day, restore: Duration::from_millis(300) };
    let store = Store::embedded(Options { times, ..Options::default() });
    let bucket = Bucket::new(&store);
    let listen = ListenNotification {
        bucket: Some(bucket.name.clone()),
        events: vec!["s3:ObjectRestore:*".into(), "s3:LifecycleExpiration:*".into()],
        ..ListenNotification::default()
    };
    let events = heard(&bucket, &listen, 4, || {
        let object = NewObject { storage_class: Some("GLACIER".into()), ..NewObject::default() };
        bucket.send(&PutObject { object, ..PutObject::new(&bucket.name, "cold", "x") }).unwrap();
        let (name, key) = (bucket.name.clone(), "cold".to_owned());
        let restore = RestoreObject { bucket: name, key, days: Some(1), ..RestoreObject::default() };
        bucket.send(&restore).unwrap();
        std::thread::sleep(day + Duration::from_millis(600));
        let filter = LifecycleFilter { prefix: Some("cold".into()), ..LifecycleFilter::default() };
        let expiration = Some(Expiration { days: Some(1), ..Expiration::default() });
        let rules = vec![LifecycleRule { expiration, ..LifecycleRule::new("all", filter) }];
        let document = Lifecycle { rules, transition_minimum: None };
        bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    });
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    let expected = [
        "s3:ObjectRestore:Post",
        "s3:ObjectRestore:Completed",
        "s3:ObjectRestore:Delete",
        "s3:LifecycleExpiration:Delete",
    ];
    assert_eq!(names, expected);
    assert!(events.iter().all(|event| event.key == "cold"));
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
