//! Objects: put, get, head, delete, one or many, under any key.

use holdfs::base::ranges::ByteRange;
use holdfs::s3::ops::{
    ContentHeaders, DeleteObject, DeleteObjects, GetObject, HeadObject, NewObject, PutObject, Tags,
};
use holdfs::s3::{ErrorKind, VersionId};

use super::{holds_or_lacks, kind, lacks_or_fails};
use crate::mounted::harness::{Bucket, Store, block_on, noise};

fn get(bucket: &Bucket<'_>, key: &str, range: Option<(u64, u64)>) -> GetObject {
    let range = range.map(|(start, end)| ByteRange::new(start, end));
    GetObject { bucket: bucket.name.clone(), key: key.into(), range, ..GetObject::default() }
}

#[test]
fn what_an_object_is_given_comes_back() {
    let bucket = Bucket::new(Store::shared());
    let mut put = PutObject::new(&bucket.name, "a/b c.txt", "hello");
    put.object = NewObject {
        content: ContentHeaders {
            content_type: Some("text/plain; charset=utf-8".into()),
            content_disposition: Some("attachment; filename=\"x y\"".into()),
            content_language: Some("de".into()),
            cache_control: Some("no-cache".into()),
            ..ContentHeaders::default()
        },
        metadata: [("author", "Jane Doe"), ("mode", "33188"), ("odd-name.x", "=;,\"'%20+")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        tags: Some([("k 1".to_owned(), "v/+=@:".to_owned()), ("empty".to_owned(), String::new())].into()),
        ..NewObject::default()
    };
    let stored = bucket.send(&put).unwrap();
    let head = bucket.head("a/b c.txt");
    assert_eq!(head.size, 5);
    assert_eq!(head.etag, stored.etag);
    assert_eq!(head.content, put.object.content);
    assert_eq!(head.metadata, put.object.metadata);
    assert_eq!(head.tag_count, Some(2));
    assert!(head.last_modified.is_some());
    assert_eq!(bucket.get("a/b c.txt").as_deref(), Some(&b"hello"[..]));
}

#[test]
fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
    let bucket = Bucket::new(Store::shared());
    let content = noise(1, 300_000);
    bucket.put("k", &content);
    bucket.put("empty", "");
    for (start, end) in [(0, 1), (0, 300_000), (100_000, 200_001), (299_999, 300_000), (299_999, 400_000)] {
        let output = bucket.send(&get(&bucket, "k", Some((start, end)))).unwrap();
        let cut = end.min(300_000);
        assert_eq!((output.range, output.headers.size), (ByteRange::new(start, cut), 300_000));
        let bytes = block_on(output.body.collect(1 << 20)).unwrap();
        assert_eq!(bytes, content[start as usize..cut as usize]);
    }
    assert_eq!(kind(bucket.send(&get(&bucket, "k", Some((300_000, 300_001))))), ErrorKind::InvalidRange);
    assert_eq!(kind(bucket.send(&get(&bucket, "empty", Some((0, 1))))), ErrorKind::InvalidRange);
    let empty = bucket.send(&get(&bucket, "empty", None)).unwrap();
    assert_eq!((empty.range, empty.headers.size), (ByteRange::new(0, 0), 0));
}

#[test]
fn a_whole_body_is_verified_where_the_store_keeps_a_checksum() {
    let bucket = Bucket::new(Store::shared());
    let content = noise(2, 3 << 20);
    bucket.put("k", &content);
    let output = bucket.send(&GetObject { checksum_mode: true, ..get(&bucket, "k", None) }).unwrap();
    holds_or_lacks("GetObject: checksums", &output.headers.checksums.is_empty(), &false);
    assert_eq!(block_on(output.body.collect(4 << 20)).unwrap(), content);
}

#[test]
fn what_is_missing_is_named_by_its_kind() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    assert_eq!(kind(bucket.send(&get(&bucket, "nothing", None))), ErrorKind::NoSuchKey);
    let head = HeadObject { bucket: bucket.name.clone(), key: "nothing".into(), ..HeadObject::default() };
    assert_eq!(kind(bucket.send(&head)), ErrorKind::NoSuchKey);
    let elsewhere = GetObject { bucket: format!("{}-not", bucket.name), ..get(&bucket, "k", None) };
    assert_eq!(kind(bucket.send(&elsewhere)), ErrorKind::NoSuchBucket);
    let version = Some(VersionId("3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY".into()));
    let old = bucket.send(&GetObject { version, ..get(&bucket, "k", None) });
    let refused = [ErrorKind::NoSuchVersion, ErrorKind::NoSuchKey, ErrorKind::Invalid];
    assert!(refused.contains(&kind(old)), "a version that never was");
}

#[test]
fn deleting_what_is_not_there_succeeds() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let delete = DeleteObject { bucket: bucket.name.clone(), key: "k".into(), ..DeleteObject::default() };
    for _ in 0..2 {
        assert!(!bucket.send(&delete).unwrap().delete_marker);
        assert_eq!(bucket.get("k"), None);
    }
}

#[test]
fn a_batch_deletes_all_its_keys() {
    let bucket = Bucket::new(Store::shared());
    let keys = ["a", "b/c", "d e&<>\"'", "new\nline", "\ttab", "plus+plus", "%41", "ü😀"];
    keys.iter().for_each(|key| bucket.put(key, "x"));
    bucket.put("stays", "x");
    let doomed = keys.iter().chain(&["was-never-there"]).map(|key| ((*key).to_owned(), None)).collect();
    let delete = DeleteObjects { bucket: bucket.name.clone(), keys: doomed, ..DeleteObjects::default() };
    assert_eq!(bucket.send(&delete).unwrap().failed.len(), 0);
    assert_eq!(bucket.keys(), ["stays"]);
}

/// failures.md KY-01 to KY-08: every key that S3 allows is an object of its own, whatever it looks like.
#[test]
fn odd_keys_are_kept_apart_byte_for_byte() {
    const KEYS: &[&str] = &[
        "plain",
        "a",
        "a/b",
        "m",
        "m/",
        "/x/y",
        "x/y",
        "x//y",
        "//",
        "./p",
        "p/.",
        "d/../e",
        "..",
        "e",
        "a b",
        " lead",
        "trail ",
        "plus+plus",
        "per%cent",
        "per%2Fcent",
        "per%25cent",
        "q?r=s&t",
        "hash#tag",
        "semi;colon",
        "back\\slash",
        "quote\"s'",
        "<xml>&amp;",
        "new\nline",
        "cr\rlf\r\n",
        "tab\t",
        "\u{1}\u{8}\u{1f}\u{7f}",
        "\u{FFFE}",
        "é",
        "e\u{301}",
        "😀/日本",
        "colon:star*pipe|",
        "~tilde!$'()@,=",
        "long/0123456789/0123456789",
    ];
    let bucket = Bucket::new(Store::shared());
    let mut kept = Vec::new();
    for key in KEYS {
        // MinIO takes `/x/y` for `x/y`, which comes after it.
        match bucket.send(&PutObject::new(&bucket.name, *key, key.as_bytes().to_vec())) {
            Ok(_) => kept.push(*key),
            Err(error) if error.kind() == ErrorKind::Invalid => {
                lacks_or_fails(&format!("PutObject: the key {key:?}"), &error.to_string());
            }
            Err(error) => panic!("{key:?}: {error}"),
        }
    }
    let listed = bucket.keys();
    for key in &kept {
        if !listed.iter().any(|listed| listed == key) {
            lacks_or_fails(&format!("ListObjectsV2: the key {key:?}"), "it is not there");
            continue;
        }
        assert_eq!(bucket.get(key).as_deref(), Some(key.as_bytes()), "{key:?}");
        assert_eq!(bucket.head(key).size, key.len() as u64, "{key:?}");
    }
    assert!(listed.iter().all(|listed| kept.contains(&listed.as_str())), "{listed:?}");
    kept.iter().for_each(|key| bucket.delete(key));
    assert_eq!(bucket.keys(), [""; 0]);
}

#[test]
fn the_longest_key_is_stored_and_a_longer_one_refused() {
    let bucket = Bucket::new(Store::shared());
    let key = |bytes: usize| "0123456789abcde/".repeat(65)[..bytes].trim_end_matches('/').to_owned() + "x";
    let longest = key(1023);
    assert_eq!(longest.len(), 1024);
    bucket.put(&longest, "x");
    assert_eq!(bucket.keys(), [longest]);
    let longer = bucket.send(&PutObject::new(&bucket.name, key(1023) + "y", "x"));
    assert!(matches!(kind(longer), ErrorKind::KeyTooLong | ErrorKind::Invalid));
}

#[test]
fn names_of_metadata_are_kept() {
    let bucket = Bucket::new(Store::shared());
    let mut put = PutObject::new(&bucket.name, "k", "x");
    put.object.metadata = [("a_b".to_owned(), "1".to_owned())].into();
    bucket.send(&put).unwrap();
    holds_or_lacks("HeadObject: `_` in names of metadata", &bucket.head("k").metadata, &put.object.metadata);
}

#[test]
fn metadata_beyond_ascii_travels_encoded() {
    let bucket = Bucket::new(Store::shared());
    let mut put = PutObject::new(&bucket.name, "k", "x");
    let pairs =
        [("name", "Jürgen"), ("long", "日本語 und so weiter, über mehrere Wörter hinweg, bis ans Ende")];
    put.object.metadata = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    bucket.send(&put).unwrap();
    assert_eq!(bucket.head("k").metadata, put.object.metadata);
}

#[test]
fn tags_are_set_read_and_removed() {
    use holdfs::s3::ops::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
    let bucket = Bucket::new(Store::shared());
    bucket.put("k/1", "x");
    let (name, key) = (bucket.name.clone(), "k/1".to_owned());
    let show =
        || bucket.send(&GetObjectTagging { bucket: name.clone(), key: key.clone(), version: None }).unwrap();
    let put = |tags: &Tags| {
        let tags = tags.clone();
        bucket
            .send(&PutObjectTagging { bucket: name.clone(), key: key.clone(), version: None, tags })
            .unwrap();
    };
    assert_eq!(show(), Tags::new());
    let tags: Tags = (0..10).map(|n| (format!("key {n}"), format!("value +-=._:/@ {n}"))).collect();
    put(&tags);
    assert_eq!(show(), tags);
    put(&Tags::new());
    assert_eq!(show(), Tags::new());
    put(&tags);
    bucket.send(&DeleteObjectTagging { bucket: name.clone(), key: key.clone(), version: None }).unwrap();
    assert_eq!(show(), Tags::new());
}
