//! Every listing as one stream, in pages of one or two.

use futures_util::TryStreamExt;
use holdfs::s3::Body;
use holdfs::s3::ops::{
    AbortMultipartUpload, CreateMultipartUpload, ListBuckets, ListMultipartUploads, ListParts, UploadPart,
};
use holdfs::s3::transfer::pages;

use super::holds_or_lacks;
use crate::mounted::harness::{Bucket, Store, block_on, noise, observed};

#[test]
fn buckets_come_in_pages() {
    let store = Store::shared();
    let buckets = [Bucket::new(store), Bucket::new(store), Bucket::new(store)];
    let listed =
        pages::buckets(&buckets[0].client, ListBuckets::default()).map_ok(|bucket| bucket.name).try_collect();
    let listed: Vec<String> = block_on(listed).unwrap();
    assert!(buckets.iter().all(|bucket| listed.iter().filter(|name| **name == bucket.name).count() == 1));
}

#[test]
fn parts_come_in_pages() {
    let bucket = Bucket::new(Store::shared());
    let (name, key) = (bucket.name.clone(), "k".to_owned());
    let create = CreateMultipartUpload { bucket: name.clone(), key: key.clone(), ..Default::default() };
    let upload_id = bucket.send(&create).unwrap();
    for part_number in 1..=5 {
        let upload = UploadPart {
            bucket: name.clone(),
            key: key.clone(),
            upload_id: upload_id.clone(),
            part_number,
            body: Body::Bytes(noise(u64::from(part_number), 10).into()),
        };
        bucket.send(&upload).unwrap();
    }
    let list = ListParts {
        bucket: name.clone(),
        key: key.clone(),
        upload_id: upload_id.clone(),
        max_parts: Some(2),
        part_number_marker: None,
    };
    let numbers = pages::parts(&bucket.client, list).map_ok(|part| part.number).try_collect();
    let numbers: Vec<u32> = observed("ListParts", block_on(numbers)).unwrap();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    bucket.send(&AbortMultipartUpload { bucket: name, key, upload_id }).unwrap();
}

#[test]
fn uploads_come_in_pages() {
    let bucket = Bucket::new(Store::shared());
    let keys = ["a/1", "a/2", "b"];
    for key in keys {
        let create =
            CreateMultipartUpload { bucket: bucket.name.clone(), key: key.into(), ..Default::default() };
        bucket.send(&create).unwrap();
    }
    let listed = |prefix: &str, max_uploads| {
        let (bucket_name, prefix) = (bucket.name.clone(), prefix.to_owned());
        let list = ListMultipartUploads { bucket: bucket_name, prefix, max_uploads, ..Default::default() };
        let uploads: Vec<_> = block_on(pages::uploads(&bucket.client, list).try_collect()).unwrap();
        uploads
    };
    let names =
        |prefix: &str| listed(prefix, Some(1)).into_iter().map(|upload| upload.key).collect::<Vec<_>>();
    holds_or_lacks("ListMultipartUploads: of all keys", &names(""), &keys.map(str::to_owned).to_vec());
    let below = ["a/1", "a/2"].map(str::to_owned).to_vec();
    assert_eq!(names("a/"), below);
    for upload in listed("", None) {
        let (name, key) = (bucket.name.clone(), upload.key);
        bucket.send(&AbortMultipartUpload { bucket: name, key, upload_id: upload.upload_id }).unwrap();
    }
}
