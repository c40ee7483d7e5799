//! What MinIO added: appends, events as they happen, archives that unpack themselves, listings with metadata,
//! questions to an object.

use std::time::{Duration, SystemTime};

use holdfs::s3::ops::{AppendObject, ListObjectsV2, NewObject, PutObject};
use holdfs::s3::vendor::minio::{ListenNotification, PromptObject, Snowball};
use holdfs::s3::{Body, ErrorKind};

use super::{holds_or_lacks, taken};
use crate::mounted::harness::{Bucket, Store, block_on};

#[test]
fn an_object_grows_where_its_end_is() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "one ");
    let append = |offset, text: &'static str| {
        let body = Body::Bytes(text.into());
        bucket.send(&AppendObject { bucket: bucket.name.clone(), key: "k".into(), offset, body })
    };
    let appended = append(4, "two");
    let seen = (appended.is_ok(), bucket.get("k"));
    if !holds_or_lacks("PutObject: appends", &seen, &(true, Some(b"one two".to_vec()))) {
        return;
    }
    let appended = appended.unwrap();
    assert!(appended.size.is_none_or(|size| size == 7));
    assert_eq!(append(4, "three").map(drop).map_err(|error| error.kind()), Err(ErrorKind::Invalid));
    assert_eq!(bucket.get("k").unwrap(), b"one two");
}

#[test]
fn events_are_heard_as_they_happen() {
    let bucket = Bucket::new(Store::shared());
    let listen = ListenNotification {
        bucket: Some(bucket.name.clone()),
        prefix: "in/".into(),
        suffix: ".txt".into(),
        events: vec!["s3:ObjectCreated:*".into()],
    };
    let Some(mut events) = taken("ListenNotification", bucket.send(&listen)) else { return };
    for key in ["out/a.txt", "in/a.jpg", "in/a b+ü.txt"] {
        bucket.put(key, "hello");
    }
    let heard = block_on(async {
        tokio::time::timeout(Duration::from_secs(20), events.next()).await.expect("an event within 20 s")
    });
    let event = heard.unwrap().expect("the stream goes on");
    assert_eq!((event.bucket.as_str(), event.key.as_str()), (bucket.name.as_str(), "in/a b+ü.txt"));
    assert_eq!((event.name.as_str(), event.size), ("s3:ObjectCreated:Put", Some(5)));
    assert_eq!(event.etag, Some(bucket.head("in/a b+ü.txt").etag.unwrap().0.to_string()));
}

#[test]
fn an_archive_is_unpacked_by_the_store() {
    let bucket = Bucket::new(Store::shared());
    let mut snowball = Snowball::default();
    let long = format!("d/{}/ö", "x".repeat(150));
    for (key, body) in [("a.txt", "hello"), ("empty", ""), (&long, "far")] {
        snowball.add(key, body, SystemTime::now()).unwrap();
    }
    bucket.send(&snowball.upload(&bucket.name, "snowball.tar", NewObject::default())).unwrap();
    let mut wanted = vec!["a.txt".to_owned(), long, "empty".to_owned()];
    wanted.sort();
    let keys: Vec<_> = bucket.keys().into_iter().filter(|key| key != "snowball.tar").collect();
    if holds_or_lacks("PutObject: unpacks archives", &keys, &wanted) {
        assert_eq!(bucket.get("a.txt").unwrap(), b"hello");
    }
}

#[test]
fn a_listing_shows_metadata_and_tags() {
    let bucket = Bucket::new(Store::shared());
    let mut put = PutObject::new(&bucket.name, "k", "x");
    put.object.metadata = [("colour".to_owned(), "green".to_owned())].into();
    put.object.tags = Some([("team".to_owned(), "a b".to_owned())].into());
    bucket.send(&put).unwrap();
    let list = ListObjectsV2 { bucket: bucket.name.clone(), with_metadata: true, ..ListObjectsV2::default() };
    let listed = bucket.send(&list).unwrap().objects.remove(0);
    let colour = listed.metadata.as_ref().and_then(|metadata| metadata.get("colour").cloned());
    holds_or_lacks("ListObjectsV2: metadata", &colour.as_deref(), &Some("green"));
    holds_or_lacks("ListObjectsV2: tags", &listed.tags, &put.object.tags);
}

#[test]
fn an_object_is_asked_a_question() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let (name, key) = (bucket.name.clone(), "k".to_owned());
    let ask = PromptObject { bucket: name, key, prompt: "What is this?".into(), ..PromptObject::default() };
    if let Some(answer) = taken("PromptObject", bucket.send(&ask)) {
        assert!(!block_on(answer.collect(1 << 20)).unwrap().is_empty());
    }
}
