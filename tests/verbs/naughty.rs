//! The big list of naughty strings (fixtures/blns), each as a key, as metadata and as bytes.

use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{ListObjectsV2, PutObject};
use holdfs::s3::transfer::pages;

use futures_util::TryStreamExt;

use super::kind;
use crate::mounted::harness::{Bucket, Store, block_on};

const STRINGS: &str = include_str!("../fixtures/blns/blns.txt");

/// What one store takes another refuses: only of ours it is known that it takes all.
#[test]
fn naughty_strings_are_kept_to_the_byte() {
    let Some(store) = Some(Store::shared()).filter(|store| store.server.is_some()) else { return };
    let bucket = Bucket::new(store);
    let strings = || STRINGS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut keys, mut refused) = (Vec::new(), 0);
    for (number, string) in strings().enumerate() {
        let key = format!("naughty/{number}/{string}");
        let mut put = PutObject::new(&bucket.name, &*key, string.to_owned());
        put.object.metadata = [("naughty".to_owned(), string.to_owned())].into();
        // A header holds no control character, and nothing but ASCII unless it is encoded.
        if string.is_ascii() && string.contains(|char: char| char.is_ascii_control() && char != '\t') {
            assert_eq!(kind(bucket.send(&put)), ErrorKind::Invalid, "{string:?}");
            put.object.metadata.clear();
            refused += 1;
        }
        let has_metadata = !put.object.metadata.is_empty();
        bucket.send(&put).unwrap_or_else(|error| panic!("{string:?}: {error}"));
        assert_eq!(bucket.get(&key).as_deref(), Some(string.as_bytes()));
        if has_metadata {
            let seen = bucket.head(&key).metadata.remove("naughty").unwrap();
            // Blanks at the ends of a header are no part of it, unless it is encoded.
            let whole = if string.is_ascii() { string.trim_matches([' ', '\t']) } else { string };
            assert_eq!(seen, whole);
        }
        keys.push(key);
    }
    assert_eq!((keys.len(), refused), (strings().count(), 4));
    keys.sort();
    let list = ListObjectsV2 { bucket: bucket.name.clone(), ..ListObjectsV2::default() };
    let listed = pages::objects(&bucket.client, list).map_ok(|entry| entry.name().to_owned());
    assert_eq!(block_on(listed.try_collect::<Vec<_>>()).unwrap(), keys);
}
