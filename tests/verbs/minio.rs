//! What MinIO added: appends, events as they happen, archives that unpack themselves, listings with metadata,
//! questions to an object.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use holdfs::s3::ops::{AppendObject, ListObjectsV2, NewObject, PutObject};
use holdfs::s3::transfer::{Progress, Tuning};
use holdfs::s3::vendor::minio::{
    FanOut, FanOutEntry, FannedOut, ListenNotification, PromptObject, Snowball, SnowballContent,
    SnowballObject, SnowballOptions, put_object_fan_out, upload_snowball,
};
use holdfs::s3::{Body, ErrorKind};

use super::{holds_or_lacks, taken};
use crate::mounted::harness::{Bucket, Store, block_on, observed};

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

#[test]
fn archives_come_from_files_and_readers_with_gzip_and_by_way_of_a_file() {
    let bucket = Bucket::new(Store::shared());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "from a file").unwrap();
    for staging in [None, Some(folder.path().join("archive"))] {
        let prefix = if staging.is_some() { "staged" } else { "memory" };
        let now = SystemTime::now();
        let objects = [
            ("bytes", SnowballContent::Bytes("from memory".into(), now)),
            ("file", SnowballContent::File(path.clone())),
            ("reader", SnowballContent::Reader(Box::new(&b"from a reader"[..]), 13, now)),
        ];
        let objects =
            objects.map(|(name, content)| SnowballObject { key: format!("{prefix}/{name}"), content });
        let options = SnowballOptions { gzip: true, staging, object: NewObject::default() };
        let moved = Arc::new(AtomicU64::new(0));
        let seen = moved.clone();
        let progress = Progress::new(move |step| seen.store(step.done, Ordering::Relaxed));
        let tuning = Tuning { progress: Some(progress), ..Tuning::default() };
        let place = (bucket.name.as_str(), "snowball.tar.gz");
        block_on(upload_snowball(&bucket.client, &tuning, place, objects, options)).unwrap();
        assert!(moved.load(Ordering::Relaxed) > 100);
        let keys: Vec<_> = bucket.keys().into_iter().filter(|key| key.starts_with(prefix)).collect();
        let wanted = ["bytes", "file", "reader"].map(|name| format!("{prefix}/{name}"));
        if holds_or_lacks("PutObject: unpacks archives", &keys, &wanted.to_vec()) {
            assert_eq!(bucket.get(&wanted[1]).unwrap(), b"from a file");
            assert_eq!(bucket.get(&wanted[2]).unwrap(), b"from a reader");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the archive is gone");
}

fn fanned_out(bucket: &Bucket<'_>, fan_out: &FanOut) -> Option<Vec<FannedOut>> {
    let answer = block_on(put_object_fan_out(&bucket.client, fan_out));
    taken("PutObjectFanOut", observed("PutObjectFanOut", answer))
}

#[test]
fn the_same_bytes_go_under_many_keys() {
    let bucket = Bucket::new(Store::shared());
    let entry = |key: &str| FanOutEntry { key: key.into(), ..FanOutEntry::default() };
    let metadata = [("colour".to_owned(), "red".to_owned())].into();
    let entries = vec![entry("a"), FanOutEntry { metadata, ..entry("d/b") }, entry("c")];
    let fan_out = FanOut { bucket: bucket.name.clone(), body: "the same".into(), entries };
    let done = fanned_out(&bucket, &fan_out);
    let Some(done) = done else { return };
    assert!(done.iter().all(|object| object.error.is_none() && object.etag.is_some()), "{done:?}");
    for key in ["a", "d/b", "c"] {
        assert_eq!(bucket.get(key).unwrap(), b"the same");
    }
    assert_eq!(bucket.head("d/b").metadata["colour"], "red");
}

#[test]
fn some_of_many_may_fail_and_say_so() {
    let bucket = Bucket::new(Store::shared());
    let entry = |key: &str| FanOutEntry { key: key.into(), ..FanOutEntry::default() };
    let tags = |name: &str| [(name.to_owned(), "v".to_owned())].into();
    let kind = Some("text/plain".to_owned());
    let entries = vec![
        FanOutEntry { tags: tags("t"), content_type: kind, ..entry("good") },
        FanOutEntry { tags: tags("&"), ..entry("bad") },
    ];
    let fan_out = FanOut { bucket: bucket.name.clone(), body: "the same".into(), entries };
    let done = fanned_out(&bucket, &fan_out);
    let Some(done) = done else { return };
    let seen: Vec<_> = done.iter().map(|object| (object.key.as_str(), object.error.is_none())).collect();
    if holds_or_lacks("PutObjectFanOut: refuses what is no tag", &seen, &vec![("good", true), ("bad", false)])
    {
        assert_eq!(bucket.keys(), ["good"]);
    }
    let head = bucket.head("good");
    assert_eq!(head.tag_count, Some(1));
    let kind = head.content.content_type.as_deref();
    holds_or_lacks("PutObjectFanOut: types of content", &kind, &Some("text/plain"));
}
