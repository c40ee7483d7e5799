//! What few stores do: select, archives, torrents, annotations, renames, other keys for stored objects.

use holdfs::s3::ops::{
    CsvHeader, CsvInput, CsvOutput, DeleteObjectAnnotation, GetObjectAnnotation, GetObjectTorrent,
    ListObjectAnnotations, PutObjectAnnotation, RenameObject, RestoreObject, SelectInput,
    SelectObjectContent, SelectOutput, UpdateObjectEncryption,
};
use holdfs::s3::{Body, ErrorKind, Operation};

use super::{answers_with, holds_or_lacks, kind, lacks_or_fails, taken};
use crate::mounted::harness::{Bucket, Store, block_on};

fn select(bucket: &Bucket<'_>, expression: &str) -> SelectObjectContent {
    let csv = CsvInput { header: Some(CsvHeader::Use), ..CsvInput::default() };
    SelectObjectContent {
        bucket: bucket.name.clone(),
        key: "k.csv".into(),
        expression: expression.into(),
        input: SelectInput { csv: Some(csv), ..SelectInput::default() },
        output: SelectOutput { csv: Some(CsvOutput::default()), json: None },
        progress: false,
        scan_range: None,
    }
}

#[test]
fn rows_are_selected() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k.csv", "name,size\na,1\nb,22\nc,3\n");
    let answer = bucket.send(&select(&bucket, "select s.name from s3object s where cast(s.size as int) > 2"));
    let Some(selected) = taken("SelectObjectContent", answer) else { return };
    let Some(records) = taken("SelectObjectContent", block_on(selected.records(1 << 20))) else { return };
    assert_eq!(records, "b\nc\n");
    let broken = bucket.send(&select(&bucket, "select from where")).map(drop);
    assert!(broken.is_err(), "what is no SQL");
}

#[test]
fn only_what_is_archived_is_restored() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let restore = RestoreObject {
        bucket: bucket.name.clone(),
        key: "k".into(),
        days: Some(1),
        ..RestoreObject::default()
    };
    answers_with(
        "RestoreObject",
        &[ErrorKind::Archived, ErrorKind::Denied, ErrorKind::Invalid],
        bucket.send(&restore),
    );
    let none = RestoreObject { key: "none".into(), ..restore };
    assert_ne!(kind(bucket.send(&none)), ErrorKind::Corrupt);
}

#[test]
fn a_torrent_names_the_object() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let get = GetObjectTorrent { bucket: bucket.name.clone(), key: "k".into() };
    if let Some(torrent) = taken("GetObjectTorrent", bucket.send(&get)) {
        let torrent = block_on(torrent.collect(1 << 20)).unwrap();
        holds_or_lacks("GetObjectTorrent: a torrent", &torrent.starts_with(b"d"), &true);
    }
}

/// The object must be as it was where a store takes the request for another.
fn keeps<O: Operation>(bucket: &Bucket<'_>, operation: &O) {
    let done = taken(O::NAME, bucket.send(operation)).is_some();
    let now = bucket.get("k");
    if now.as_deref() != Some(b"hello") {
        lacks_or_fails(&format!("{}: takes it for another request", O::NAME), &format!("{now:?}"));
        bucket.put("k", "hello");
    } else if done {
        lacks_or_fails(&format!("{}: taken, nothing happens", O::NAME), "an answer without an error");
    }
}

#[test]
fn a_rename_is_one_step() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let rename = RenameObject {
        bucket: bucket.name.clone(),
        key: "new".into(),
        source: "k".into(),
        ..RenameObject::default()
    };
    if taken("RenameObject", bucket.send(&rename)).is_some() {
        let seen = (bucket.get("k"), bucket.get("new"));
        holds_or_lacks("RenameObject: moves it", &seen, &(None, Some(b"hello".to_vec())));
    }
}

#[test]
fn an_object_gets_another_key() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let update = UpdateObjectEncryption {
        bucket: bucket.name.clone(),
        key: "k".into(),
        kms_key: "arn:aws:kms:us-east-1:1:key/k".into(),
        ..UpdateObjectEncryption::default()
    };
    if Store::shared().server.is_none() {
        return keeps(&bucket, &update);
    }
    bucket.send(&update).unwrap();
    let head = bucket.head("k");
    assert_eq!((head.sse.as_deref(), head.sse_kms_key_id), (Some("aws:kms"), Some(update.kms_key)));
    assert_eq!(bucket.get("k").unwrap(), b"hello");
}

#[test]
fn annotations_lie_beside_an_object() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let (name, key) = (bucket.name.clone(), "k".to_owned());
    let list = ListObjectAnnotations { bucket: name.clone(), key: key.clone(), ..Default::default() };
    let known = taken("ListObjectAnnotations", bucket.send(&list)).is_some();
    let put = PutObjectAnnotation {
        bucket: name.clone(),
        key: key.clone(),
        version: None,
        name: "note".into(),
        payload: Body::Bytes("text".into()),
        if_match: None,
    };
    let get =
        GetObjectAnnotation { bucket: name.clone(), key: key.clone(), version: None, name: "note".into() };
    let delete = DeleteObjectAnnotation { bucket: name, key, name: "note".into(), ..Default::default() };
    if known {
        bucket.send(&put).unwrap();
        assert_eq!(bucket.send(&list).unwrap().list.unwrap().entries[0].name, "note");
        bucket.send(&get).unwrap();
        bucket.send(&delete).unwrap();
    } else {
        keeps(&bucket, &put);
        keeps(&bucket, &get);
        keeps(&bucket, &delete);
    }
}
