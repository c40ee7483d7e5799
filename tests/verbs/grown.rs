//! Objects that grow, get other names, have notes pinned to them or come back from an archive.

use std::time::{Duration, SystemTime};

use holdfs::embedded::{Options, Times};
use holdfs::s3::ops::{
    AppendObject, DeleteObjectAnnotation, GetObject, GetObjectAnnotation, GetObjectTorrent, HeadObject,
    ListObjectAnnotations, ListObjectsV2, NewObject, PutObject, PutObjectAnnotation, RenameObject,
    RestoreObject, Restoring, UpdateObjectEncryption,
};
use holdfs::s3::settings::{PutSetting, Versioning, VersioningStatus};
use holdfs::s3::{Body, ETag, ErrorKind};

use super::kind;
use crate::mounted::harness::{Bucket, Store, block_on};

/// What these tests are about few stores have.
fn embedded() -> Option<&'static Store> {
    Some(Store::shared()).filter(|store| store.server.is_some())
}

fn append(bucket: &Bucket<'_>, key: &str, offset: u64, text: &str) -> holdfs::s3::Result<Option<u64>> {
    let body = Body::Bytes(text.to_owned().into());
    let append = AppendObject { bucket: bucket.name.clone(), key: key.into(), offset, body };
    bucket.send(&append).map(|appended| appended.size)
}

#[test]
fn an_object_grows_at_its_end_only() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    assert_eq!(append(&bucket, "log", 0, "one ").unwrap(), Some(4));
    assert_eq!(append(&bucket, "log", 4, "two ").unwrap(), Some(8));
    let before = bucket.head("log");
    for offset in [0, 4, 9] {
        let refused = append(&bucket, "log", offset, "x").unwrap_err();
        assert_eq!(refused.code(), "InvalidWriteOffset", "{offset}");
    }
    assert_eq!(append(&bucket, "log", 8, "three").unwrap(), Some(13));
    assert_eq!(bucket.get("log").unwrap(), b"one two three");
    assert_ne!(bucket.head("log").etag, before.etag);
    assert_eq!(append(&bucket, "none", 5, "x").unwrap_err().code(), "InvalidWriteOffset");
}

#[test]
fn what_was_uploaded_whole_can_grow_too() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let object =
        NewObject { metadata: [("colour".to_owned(), "red".to_owned())].into(), ..NewObject::default() };
    let put = PutObject { object, ..PutObject::new(&bucket.name, "k", "begin ") };
    bucket.send(&put).unwrap();
    let document = Versioning::of(VersioningStatus::Enabled);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    append(&bucket, "k", 6, "end").unwrap();
    let head = bucket.head("k");
    assert_eq!(head.metadata.get("colour").map(String::as_str), Some("red"));
    assert_eq!(bucket.get("k").unwrap(), b"begin end");
}

#[test]
fn an_object_gets_another_name_at_once() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("old/ä", "text");
    bucket.put("taken", "other");
    let before = bucket.head("old/ä");
    let rename = |source: &str, key: &str, token: Option<&str>| RenameObject {
        bucket: bucket.name.clone(),
        key: key.into(),
        source: source.into(),
        client_token: token.map(str::to_owned),
        ..RenameObject::default()
    };
    let token = Some("550e8400-e29b-41d4-a716-446655440000");
    bucket.send(&rename("old/ä", "new name", token)).unwrap();
    let after = bucket.head("new name");
    assert_eq!((after.etag.clone(), after.last_modified), (before.etag, before.last_modified));
    assert_eq!(bucket.keys(), ["new name", "taken"]);
    bucket.send(&rename("old/ä", "new name", token)).expect("the same again does nothing more");
    let other = bucket.send(&rename("taken", "new name", token)).unwrap_err();
    assert_eq!(other.code(), "IdempotencyParameterMismatch");
    assert_eq!(kind(bucket.send(&rename("old/ä", "x", None))), ErrorKind::NoSuchKey);
    let wrong = RenameObject { source_if_match: Some(ETag("e".into())), ..rename("taken", "x", None) };
    assert_eq!(kind(bucket.send(&wrong)), ErrorKind::PreconditionFailed);
    bucket.send(&rename("new name", "taken", None)).unwrap();
    assert_eq!((bucket.keys(), bucket.get("taken").unwrap()), (vec!["taken".to_owned()], b"text".to_vec()));
}

#[test]
fn annotations_come_and_go_without_the_object() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("k", "object");
    let put = |name: &str, text: &str| PutObjectAnnotation {
        bucket: bucket.name.clone(),
        key: "k".into(),
        version: None,
        name: name.into(),
        payload: Body::Bytes(text.to_owned().into()),
        if_match: None,
    };
    let etag = bucket.head("k").etag;
    for (name, text) in [("caption", "a cat"), ("camera", "x100"), ("notes", "first"), ("notes", "second")] {
        assert!(bucket.send(&put(name, text)).unwrap().is_some());
    }
    let get = |name: &str| {
        let (bucket_name, name) = (bucket.name.clone(), name.to_owned());
        let get = GetObjectAnnotation { bucket: bucket_name, key: "k".into(), version: None, name };
        block_on(async { bucket.client.send(&get).await?.collect(100).await })
    };
    assert_eq!(get("notes").unwrap(), "second");
    assert_eq!(get("none").unwrap_err().code(), "NoSuchAnnotation");
    let list = |prefix: Option<&str>, token: Option<String>| {
        let list = ListObjectAnnotations {
            bucket: bucket.name.clone(),
            key: "k".into(),
            prefix: prefix.map(str::to_owned),
            max_results: Some(2),
            continuation_token: token,
            ..ListObjectAnnotations::default()
        };
        let page = bucket.send(&list).unwrap();
        let entries = page.list.map(|list| list.entries).unwrap_or_default();
        (entries.into_iter().map(|entry| (entry.name, entry.size)).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = list(None, None);
    assert_eq!(first, [("camera".to_owned(), 4), ("caption".to_owned(), 5)]);
    assert_eq!(list(None, next), (vec![("notes".to_owned(), 6)], None));
    assert_eq!(list(Some("n"), None).0.len(), 1);
    assert_eq!(bucket.send(&put("empty", "")).unwrap_err().code(), "InvalidRequest");
    let conditional = PutObjectAnnotation { if_match: Some(ETag("e".into())), ..put("notes", "third") };
    assert_eq!(kind(bucket.send(&conditional)), ErrorKind::PreconditionFailed);
    let (name, key) = ("notes".to_owned(), "k".to_owned());
    let delete = DeleteObjectAnnotation { bucket: bucket.name.clone(), key, name, ..Default::default() };
    bucket.send(&delete).unwrap();
    assert_eq!(get("notes").unwrap_err().code(), "NoSuchAnnotation");
    assert_eq!(bucket.head("k").etag, etag);
}

#[test]
fn archived_objects_must_be_restored() {
    let times = Times { day: Duration::from_millis(700), restore: Duration::from_millis(300) };
    let store = Store::embedded(Options { times, ..Options::default() });
    let bucket = Bucket::new(&store);
    let object = NewObject { storage_class: Some("GLACIER".into()), ..NewObject::default() };
    bucket.send(&PutObject { object, ..PutObject::new(&bucket.name, "cold", "ice") }).unwrap();
    bucket.put("warm", "tea");
    let get = || {
        let get = GetObject { bucket: bucket.name.clone(), key: "cold".into(), ..GetObject::default() };
        kind_or_ok(bucket.send(&get).map(drop))
    };
    let restore = |key: &str| {
        let (bucket_name, key) = (bucket.name.clone(), key.to_owned());
        bucket.send(&RestoreObject { bucket: bucket_name, key, days: Some(2), ..RestoreObject::default() })
    };
    assert_eq!(get(), Err(ErrorKind::Archived));
    assert_eq!(restore("warm").unwrap_err().code(), "InvalidObjectState");
    assert_eq!(restore("cold").unwrap(), Restoring::Begun);
    assert_eq!(restore("cold").unwrap_err().code(), "RestoreAlreadyInProgress");
    std::thread::sleep(Duration::from_millis(350));
    assert_eq!(get(), Ok(()));
    assert_eq!(restore("cold").unwrap(), Restoring::Extended);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(get(), Err(ErrorKind::Archived));
}

fn kind_or_ok(result: holdfs::s3::Result<()>) -> Result<(), ErrorKind> {
    result.map_err(|error| error.kind())
}

#[test]
fn another_key_of_kms_is_remembered() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("k", "text");
    let before = bucket.head("k");
    let update = UpdateObjectEncryption {
        bucket: bucket.name.clone(),
        key: "k".into(),
        kms_key: "arn:aws:kms:us-east-1:000000000000:key/1".into(),
        bucket_key: Some(true),
        version: None,
    };
    bucket.send(&update).unwrap();
    let after = bucket.head("k");
    assert_eq!((after.etag, after.last_modified), (before.etag, before.last_modified));
    let missing = UpdateObjectEncryption { key: "none".into(), ..update };
    assert_eq!(kind(bucket.send(&missing)), ErrorKind::NoSuchKey);
}

#[test]
fn there_are_no_torrents() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.put("k", "text");
    let torrent = GetObjectTorrent { bucket: bucket.name.clone(), key: "k".into() };
    assert_eq!(kind(bucket.send(&torrent).map(drop)), ErrorKind::Unsupported);
}

#[test]
fn listings_tell_metadata_and_tags_to_who_asks() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let object = NewObject {
        metadata: [("mode".to_owned(), "33188".to_owned()), ("two-words".to_owned(), "a & b".to_owned())]
            .into(),
        tags: Some([("k".to_owned(), "v w".to_owned())].into()),
        ..NewObject::default()
    };
    bucket.send(&PutObject { object: object.clone(), ..PutObject::new(&bucket.name, "a/k", "x") }).unwrap();
    bucket.put("b", "plain");
    let list = |with_metadata, delimiter: Option<&str>| {
        let list = ListObjectsV2 {
            bucket: bucket.name.clone(),
            with_metadata,
            delimiter: delimiter.map(str::to_owned),
            ..ListObjectsV2::default()
        };
        bucket.send(&list).unwrap()
    };
    let listed = list(true, None).objects;
    assert_eq!(listed[0].metadata.as_ref(), Some(&object.metadata));
    assert_eq!(listed[0].tags, object.tags);
    assert!(listed[1].metadata.as_ref().is_some_and(|metadata| metadata.is_empty()));
    let head = HeadObject { bucket: bucket.name.clone(), key: "a/k".into(), ..HeadObject::default() };
    assert_eq!(bucket.send(&head).unwrap().etag, Some(listed[0].etag.clone()));
    assert!(listed[0].last_modified <= SystemTime::now());
    assert_eq!(list(true, Some("/")).common_prefixes, ["a/"]);
    assert!(list(false, None).objects[0].metadata.is_none());
}
