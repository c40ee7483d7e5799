//! Listings, page by page.

use futures_util::TryStreamExt;
use holdfs::s3::ops::{ListObjectVersions, ListObjectsV2};
use holdfs::s3::settings::{PutSetting, Versioning, VersioningStatus};
use holdfs::s3::transfer::pages::{self, ListedAny};

use super::holds_or_lacks;
use crate::mounted::harness::{Bucket, Store, block_on};

fn list(bucket: &Bucket<'_>, list: ListObjectsV2) -> Vec<String> {
    let list = ListObjectsV2 { bucket: bucket.name.clone(), ..list };
    let names = pages::objects(&bucket.client, list).map_ok(|listed| listed.name().to_owned()).try_collect();
    block_on(names).unwrap()
}

#[test]
fn pages_join_without_a_gap_or_a_double() {
    let bucket = Bucket::new(Store::shared());
    let mut keys: Vec<String> = (0..7).map(|n| format!("dir/{n}")).collect();
    keys.extend(
        ["a", "dir-", "dir0", "z/1/2", "z/2", "odd/plus+plus", "odd/%2F", "ü/1", "\u{1}c"].map(String::from),
    );
    keys.iter().for_each(|key| bucket.put(key, "x"));
    keys.sort();
    let mut level: Vec<String> =
        keys.iter().map(|key| key.split_inclusive('/').next().unwrap().to_owned()).collect();
    level.dedup();
    for max_keys in [1, 2, 3, 5, 1000] {
        let max_keys = Some(max_keys);
        assert_eq!(
            list(&bucket, ListObjectsV2 { max_keys, ..ListObjectsV2::default() }),
            keys,
            "{max_keys:?}"
        );
        let delimiter = Some("/".to_owned());
        let leveled = ListObjectsV2 { max_keys, delimiter, ..ListObjectsV2::default() };
        assert_eq!(list(&bucket, leveled.clone()), level, "{max_keys:?}");
        let below = list(&bucket, ListObjectsV2 { prefix: "dir/".into(), ..leveled });
        assert_eq!(below, (0..7).map(|n| format!("dir/{n}")).collect::<Vec<_>>());
    }
}

/// failures.md KY-01; MinIO shows the object alone.
#[test]
fn a_key_does_not_hide_the_keys_below_it() {
    let bucket = Bucket::new(Store::shared());
    ["dir", "dir/1"].iter().for_each(|key| bucket.put(key, "x"));
    let seen = list(&bucket, ListObjectsV2::default());
    holds_or_lacks("ListObjectsV2: keys below a key", &seen, &vec!["dir".to_owned(), "dir/1".to_owned()]);
    assert!(bucket.get("dir/1").is_some());
}

#[test]
fn a_listing_starts_after_a_key() {
    let bucket = Bucket::new(Store::shared());
    ["a", "b", "c/1", "c/2", "d"].iter().for_each(|key| bucket.put(key, "x"));
    let after = |key: &str| {
        list(
            &bucket,
            ListObjectsV2 { start_after: Some(key.into()), max_keys: Some(1), ..ListObjectsV2::default() },
        )
    };
    assert_eq!(after("b"), ["c/1", "c/2", "d"]);
    assert_eq!(after("c/1"), ["c/2", "d"]);
    assert_eq!(after("bb"), ["c/1", "c/2", "d"]);
    assert_eq!(after("z"), [""; 0]);
}

#[test]
fn entries_agree_with_head() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "hello");
    let list = ListObjectsV2 { bucket: bucket.name.clone(), with_metadata: true, ..ListObjectsV2::default() };
    let listed = bucket.send(&list).unwrap().objects.remove(0);
    let head = bucket.head("k").object_ref("k").unwrap();
    assert!(
        holdfs::s3::ObjectRef {
            last_modified: listed.last_modified,
            etag: listed.etag,
            size: listed.size,
            ..head.clone()
        }
        .same_content(&head)
    );
}

#[test]
fn versions_come_newest_first_with_their_markers() {
    let bucket = Bucket::new(Store::shared());
    let document = Versioning::of(VersioningStatus::Enabled);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    for (key, bodies) in
        [("a", &["1", "22"][..]), ("b/1", &["1"]), ("b/2", &["1"]), ("c", &["1", "22", "333"])]
    {
        bodies.iter().for_each(|body| bucket.put(key, body));
    }
    bucket.delete("a");
    let seen = |max_keys, delimiter: Option<&str>| {
        let (bucket_name, delimiter) = (bucket.name.clone(), delimiter.map(str::to_owned));
        let list =
            ListObjectVersions { bucket: bucket_name, max_keys, delimiter, ..ListObjectVersions::default() };
        let entries: Vec<ListedAny> = block_on(pages::versions(&bucket.client, list).try_collect()).unwrap();
        entries
            .iter()
            .map(|entry| match entry {
                ListedAny::Prefix(prefix) => prefix.clone(),
                ListedAny::Version(version) => {
                    let size =
                        version.object.as_ref().map_or("gone".to_owned(), |object| object.size.to_string());
                    format!("{} {size}{}", version.key, if version.is_latest { " *" } else { "" })
                }
            })
            .collect::<Vec<_>>()
    };
    let all = ["a gone *", "a 2", "a 1", "b/1 1 *", "b/2 1 *", "c 3 *", "c 2", "c 1"];
    for max_keys in [1, 2, 3, 1000] {
        assert_eq!(seen(Some(max_keys), None), all, "{max_keys}");
        assert_eq!(
            seen(Some(max_keys), Some("/")),
            ["a gone *", "a 2", "a 1", "b/", "c 3 *", "c 2", "c 1"],
            "{max_keys}"
        );
    }
}
