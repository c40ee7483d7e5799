//! Verbs beyond those that a mount needs.

use std::time::{Duration, SystemTime};

use holdfs::s3::ops::{CustomerKey, GetObjectAttributes, HeadObject, ListObjects, PutObject, With};
use holdfs::s3::post::PostPolicy;
use holdfs::s3::transfer::pages;
use holdfs::s3::{ErrorKind, Operation};

use super::forms::post;
use super::{holds_or_lacks, kind, taken};
use crate::mounted::harness::{Bucket, Store, block_on, observed};

#[test]
fn the_first_version_of_the_listing_pages_by_names() {
    use futures_util::TryStreamExt;

    let bucket = Bucket::new(Store::shared());
    for key in ["a", "b/1", "b/2", "c d+", "e"] {
        bucket.put(key, "x");
    }
    let list = |delimiter: Option<&str>| {
        let list = ListObjects {
            bucket: bucket.name.clone(),
            delimiter: delimiter.map(str::to_owned),
            max_keys: Some(2),
            ..ListObjects::default()
        };
        let listed = block_on(pages::objects_v1(&bucket.client, list).try_collect());
        let entries: Vec<_> = observed("ListObjects", listed).expect("all pages");
        entries.iter().map(|entry: &pages::Listed| entry.name().to_owned()).collect::<Vec<_>>()
    };
    for (delimiter, wanted) in
        [(None, vec!["a", "b/1", "b/2", "c d+", "e"]), (Some("/"), vec!["a", "b/", "c d+", "e"])]
    {
        let wanted: Vec<_> = wanted.into_iter().map(str::to_owned).collect();
        holds_or_lacks("ListObjects: small pages", &list(delimiter), &wanted);
    }
}

#[test]
fn attributes_tell_the_checksum_of_an_object() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let get = GetObjectAttributes { bucket: bucket.name.clone(), key: "k".into(), ..Default::default() };
    if let Some(attributes) = taken("GetObjectAttributes", bucket.send(&get)) {
        assert_eq!((attributes.size, attributes.etag), (Some(5), bucket.head("k").etag));
    }
}

#[test]
fn what_goes_with_a_request_is_heard() {
    let store = Store::shared();
    if store.server.is_none() {
        return;
    }
    let bucket = Bucket::new(store);
    let put = |owner: &str| With::new(PutObject::new(&bucket.name, "k", "x")).expected_bucket_owner(owner);
    assert_eq!(kind(bucket.send(&put("111122223333").unwrap())), ErrorKind::Denied);
    bucket.send(&put("000000000000").unwrap()).unwrap();
    let head = HeadObject { bucket: bucket.name.clone(), key: "k".into(), ..HeadObject::default() };
    let head = With::new(head).customer_key(&CustomerKey::new(&[1; 32])).unwrap();
    assert!(head.encode().is_ok());
}

#[test]
fn a_form_uploads_what_its_policy_allows() {
    let store = Store::shared();
    let bucket = Bucket::new(store);
    let policy = PostPolicy::new(&bucket.name, SystemTime::now() + Duration::from_secs(60))
        .key_prefix("in/")
        .equals("Content-Type", "text/plain")
        .and_then(|policy| policy.length(1..=10))
        .unwrap();
    let form = block_on(bucket.client.presign_post(&policy)).unwrap();
    let post = |key: &str, file: &str| post(&form, key, file);
    let (status, said) = post("in/k", "hello");
    assert_eq!(status / 100, 2, "{said}");
    assert_eq!(bucket.get("in/k").unwrap(), b"hello");
    assert!(matches!(post("out/k", "hello").0, 400 | 403), "the embedded server says 400");
    assert_eq!(post("in/long", "more than ten bytes").0, 400);
    assert_eq!(bucket.keys(), ["in/k"]);
    let (status, said) = post("in/${filename}", "by name");
    assert_eq!(status / 100, 2, "{said}");
    holds_or_lacks(
        "PostObject: the name of the file",
        &bucket.get("in/f").as_deref(),
        &Some(&b"by name"[..]),
    );
}
