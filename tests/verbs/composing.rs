//! Objects made of pieces of others, by the store.

use holdfs::base::ranges::ByteRange;
use holdfs::s3::ErrorKind;
use holdfs::s3::transfer::{self, Piece, Target};

use super::{kind, tuning};
use crate::mounted::harness::{Bucket, Store, block_on, noise};

#[test]
fn pieces_of_objects_make_one() {
    let (bucket, other) = (Bucket::new(Store::shared()), Bucket::new(Store::shared()));
    let large = noise(1, 12 << 20);
    other.put("large", &large);
    bucket.put("small", "small");
    let find = |bucket: &Bucket<'_>, key: &str| bucket.head(key).object_ref(key).unwrap();
    let range = ByteRange::new(1, 11 << 20);
    let pieces = [
        Piece::whole(&bucket.name, find(&bucket, "small")),
        Piece::Of { bucket: other.name.clone(), object: find(&other, "large"), range },
        Piece::Bytes("end".into()),
    ];
    let target = Target { bucket: bucket.name.clone(), key: "all".into(), ..Target::default() };
    let stored = block_on(transfer::compose(&bucket.client, &tuning(), &target, &pieces)).unwrap();
    assert_eq!(stored.etag, bucket.head("all").etag);
    assert!(bucket.get("all").unwrap() == [b"small", &large[1..11 << 20], b"end"].concat());
    // Each piece is of exactly the object that was named.
    other.put("large", "changed");
    let composed = block_on(transfer::compose(&bucket.client, &tuning(), &target, &pieces));
    let refused = [ErrorKind::PreconditionFailed, ErrorKind::InvalidRange, ErrorKind::Invalid];
    assert!(refused.contains(&kind(composed)));
}

#[test]
fn bytes_are_added_by_replacing_the_whole() {
    let bucket = Bucket::new(Store::shared());
    let append = |text: &'static str| {
        block_on(transfer::append(&bucket.client, &tuning(), &bucket.name, "log", text.into())).unwrap();
    };
    append("one\n");
    append("two\n");
    assert_eq!(bucket.get("log").unwrap(), b"one\ntwo\n");
}
