//! Verbs beyond those that a mount needs.

use holdfs::s3::ops::{CustomerKey, GetObjectAttributes, HeadObject, ListObjects, PutObject, With};
use holdfs::s3::transfer::pages;
use holdfs::s3::{ErrorKind, Operation};

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
