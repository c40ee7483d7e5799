//! Managed transfers: whole objects of any size, in parts where they must be.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use holdfs::base::ranges::ByteRange;
use holdfs::s3::ops::{GetObjectTagging, ListMultipartUploads, LockHeaders, Stored, WriteCondition};
use holdfs::s3::transfer::{self, CopyRequest, Moved, Progress, Target, Tuning, UploadSource};
use holdfs::s3::{Client, ErrorKind, Limits, ObjectRef, Result};
use parking_lot::Mutex;

use super::{holds_or_lacks, kind, tuning};
use crate::mounted::harness::{Bucket, ObjectLock, Store, block_on, noise};

const MIB: usize = 1 << 20;

fn target(bucket: &Bucket<'_>, key: &str) -> Target {
    Target { bucket: bucket.name.clone(), key: key.into(), ..Target::default() }
}

fn upload(bucket: &Bucket<'_>, target: &Target, source: UploadSource) -> Result<Stored> {
    block_on(transfer::upload(&bucket.client, &tuning(), target, source))
}

fn find(bucket: &Bucket<'_>, key: &str) -> ObjectRef {
    bucket.head(key).object_ref(key).unwrap()
}

fn pieces(content: &[u8], piece: usize, end: Option<io::Error>) -> UploadSource {
    let pieces: Vec<io::Result<Bytes>> =
        content.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).chain(end.map(Err)).collect();
    UploadSource::Stream(Box::pin(stream::iter(pieces)))
}

fn file(content: &[u8]) -> Arc<std::fs::File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

#[test]
fn every_size_from_every_source_is_stored_whole() {
    let bucket = Bucket::new(Store::shared());
    for size in [0, 1, 5 * MIB, 5 * MIB + 1, 11 * MIB + 7] {
        let content = noise(size as u64, size);
        let sources = [
            UploadSource::Bytes(content.clone().into()),
            UploadSource::File(file(&content)),
            pieces(&content, 700_001, None),
        ];
        for (n, source) in sources.into_iter().enumerate() {
            let stored = upload(&bucket, &target(&bucket, "k"), source).unwrap();
            let object = find(&bucket, "k");
            assert_eq!(Some(&object.etag), stored.etag.as_ref());
            assert_eq!(object.etag.0.contains('-'), size > 5 * MIB, "{size} bytes from source {n}");
            assert!(bucket.get("k").unwrap() == content, "{size} bytes from source {n}");
        }
    }
}

#[test]
fn a_download_puts_every_range_where_it_belongs() {
    let bucket = Bucket::new(Store::shared());
    let content = noise(9, 11 * MIB + 7);
    upload(&bucket, &target(&bucket, "k"), UploadSource::Bytes(content.clone().into())).unwrap();
    let object = find(&bucket, "k");
    for (start, end) in [(0, content.len()), (3, 5 * MIB + 4), (11 * MIB, 11 * MIB + 7), (5, 5)] {
        let range = ByteRange::new(start as u64, end as u64);
        let sink = file(&[]);
        block_on(transfer::download(&bucket.client, &tuning(), &bucket.name, &object, range, &sink)).unwrap();
        let mut seen = Vec::new();
        io::Seek::rewind(&mut &*sink).and_then(|()| (&*sink).read_to_end(&mut seen)).unwrap();
        if !range.is_empty() {
            assert!(seen[start..] == content[start..end], "{range:?}");
        }
        let tuning = tuning();
        let read = transfer::read(&bucket.client, &tuning, &bucket.name, &object, range);
        let seen: Vec<Bytes> = block_on(read.try_collect()).unwrap();
        assert!(seen.concat() == content[start..end], "{range:?}");
        let pieces = (range.len() as usize).div_ceil(tuning.part_bytes as usize);
        assert_eq!(seen.len(), pieces, "{range:?}: frames of a slow store would each keep a whole buffer");
    }
}

#[test]
fn a_download_never_mixes_two_versions() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", noise(1, 1000));
    let object = ObjectRef { version: None, ..find(&bucket, "k") };
    bucket.put("k", noise(2, 1000));
    let read = block_on(transfer::download(
        &bucket.client,
        &tuning(),
        &bucket.name,
        &object,
        ByteRange::new(0, 1000),
        &file(&[]),
    ));
    assert_eq!(kind(read), ErrorKind::PreconditionFailed);
}

#[test]
fn a_failed_upload_leaves_nothing() {
    let bucket = Bucket::new(Store::shared());
    let broken = pieces(&noise(1, 12 * MIB), MIB, Some(io::Error::other("the pipe broke")));
    assert_eq!(kind(upload(&bucket, &target(&bucket, "k"), broken)), ErrorKind::Source);
    let list = ListMultipartUploads {
        bucket: bucket.name.clone(),
        prefix: "k".into(),
        ..ListMultipartUploads::default()
    };
    assert_eq!(bucket.send(&list).unwrap().uploads.len(), 0);
    assert_eq!(bucket.get("k"), None);
}

#[test]
fn a_large_upload_can_be_create_only() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "old");
    let target = Target { condition: WriteCondition::Absent, ..target(&bucket, "k") };
    let stored = upload(&bucket, &target, UploadSource::Bytes(noise(1, 6 * MIB).into()));
    let seen = stored.map(drop).map_err(|error| error.kind());
    if holds_or_lacks("CompleteMultipartUpload: If-None-Match", &seen, &Err(ErrorKind::PreconditionFailed)) {
        let list = ListMultipartUploads {
            bucket: bucket.name.clone(),
            prefix: "k".into(),
            ..ListMultipartUploads::default()
        };
        assert_eq!(bucket.send(&list).unwrap().uploads.len(), 0, "it is aborted");
    }
}

#[test]
fn tags_too_long_for_a_header_follow() {
    let bucket = Bucket::new(Store::shared());
    let tags: holdfs::s3::ops::Tags =
        (0..10).map(|n| (format!("{n}{}", "/".repeat(100)), "=".repeat(200))).collect();
    let mut target = target(&bucket, "k");
    target.object.tags = Some(tags.clone());
    upload(&bucket, &target, UploadSource::Bytes("x".into())).unwrap();
    let get = GetObjectTagging { bucket: bucket.name.clone(), key: "k".into(), version: None };
    assert_eq!(bucket.send(&get).unwrap(), tags);
}

/// failures.md S3-09, with the limit scaled down.
#[test]
fn s3_09_a_copy_beyond_the_limit_carries_everything() {
    let store = Store::shared();
    let bucket = Bucket::with(store, ObjectLock::On);
    let limits = Limits { copy_bytes_max: 6 << 20, ..Limits::default() };
    let client = Client::new(holdfs::s3::Config { limits, ..store.config() }).unwrap();
    let content = noise(5, 13 * MIB);
    let mut source = target(&bucket, "source");
    source.object.content.content_type = Some("text/x-test".into());
    source.object.metadata = [("a".to_owned(), "1".to_owned())].into();
    source.object.tags = Some([("t".to_owned(), "1".to_owned())].into());
    source.object.lock = LockHeaders { legal_hold: Some(true), retention: None };
    upload(&bucket, &source, UploadSource::Bytes(content.clone().into())).unwrap();
    let small = {
        bucket.put("small", "s");
        find(&bucket, "small")
    };
    let large = find(&bucket, "source");
    for object in [&large, &small] {
        let (source_bucket, to) = (bucket.name.clone(), bucket.name.clone());
        let request = CopyRequest { source_bucket, bucket: to, key: "copy".into(), ..CopyRequest::default() };
        let copied = block_on(transfer::copy_object(&client, &tuning(), object, &request)).unwrap();
        assert_eq!(Some(&find(&bucket, "copy").etag), copied.etag.as_ref());
        if object.key == small.key {
            assert_eq!(bucket.get("copy").as_deref(), Some(&b"s"[..]));
            continue;
        }
        let head = bucket.head("copy");
        assert!(bucket.get("copy").unwrap() == content);
        assert_eq!(head.content.content_type.as_deref(), Some("text/x-test"));
        assert_eq!(head.metadata["a"], "1");
        assert_eq!(head.lock.legal_hold, Some(true));
        let get = GetObjectTagging { bucket: bucket.name.clone(), key: "copy".into(), version: None };
        assert_eq!(bucket.send(&get).unwrap()["t"], "1");
    }
    for key in ["source", "copy"] {
        release(&bucket, key);
    }
}

/// Lifts every hold, so that the bucket can be removed.
fn release(bucket: &Bucket<'_>, key: &str) {
    use holdfs::s3::ops::{ListObjectVersions, PutObjectLegalHold};
    let list = ListObjectVersions {
        bucket: bucket.name.clone(),
        prefix: key.into(),
        ..ListObjectVersions::default()
    };
    for listed in bucket.send(&list).unwrap().versions {
        let (key, version) = (listed.key, Some(listed.version));
        let _ = bucket.send(&PutObjectLegalHold { bucket: bucket.name.clone(), key, version, on: false });
    }
}

#[test]
fn a_copy_of_another_version_is_refused() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "one");
    let object = ObjectRef { version: None, ..find(&bucket, "k") };
    bucket.put("k", "other");
    let (source_bucket, to) = (bucket.name.clone(), bucket.name.clone());
    let request = CopyRequest { source_bucket, bucket: to, key: "copy".into(), ..CopyRequest::default() };
    let copied = block_on(transfer::copy_object(&bucket.client, &tuning(), &object, &request));
    assert_eq!(kind(copied), ErrorKind::PreconditionFailed);
    assert_eq!(bucket.get("copy"), None);
}

/// Every step of a transfer, as it was told.
fn told() -> (Arc<Mutex<Vec<Moved>>>, Tuning) {
    let steps = Arc::<Mutex<Vec<Moved>>>::default();
    let sink = steps.clone();
    let progress = Progress::new(move |moved| sink.lock().push(moved));
    (steps, Tuning { progress: Some(progress), ..tuning() })
}

/// Ends with all bytes, and says from the start how many these are.
fn is_told_to_the_end(steps: &Mutex<Vec<Moved>>, total: Option<u64>, bytes: usize) {
    let steps = std::mem::take(&mut *steps.lock());
    assert!(steps.iter().all(|step| step.total == total && step.done <= bytes as u64), "{steps:?}");
    assert_eq!(steps.iter().map(|step| step.done).max(), Some(bytes as u64));
}

#[test]
fn every_transfer_tells_how_far_it_is() {
    let bucket = Bucket::new(Store::shared());
    let (size, place) = (11 * MIB + 7, &target(&bucket, "k"));
    let content = noise(3, size);
    let total = Some(size as u64);
    let (steps, tuning) = told();
    for (source, total) in [
        (UploadSource::Bytes(content.clone().into()), total),
        (UploadSource::File(file(&content)), total),
        (pieces(&content, 700_001, None), None),
    ] {
        block_on(transfer::upload(&bucket.client, &tuning, place, source)).unwrap();
        is_told_to_the_end(&steps, total, size);
    }
    let (object, whole) = (find(&bucket, "k"), ByteRange::new(0, size as u64));
    let sink = file(&[]);
    block_on(transfer::download(&bucket.client, &tuning, &bucket.name, &object, whole, &sink)).unwrap();
    is_told_to_the_end(&steps, total, size);
    let read = transfer::read(&bucket.client, &tuning, &bucket.name, &object, whole);
    block_on(read.try_collect::<Vec<_>>()).unwrap();
    is_told_to_the_end(&steps, total, size);
    let copy = CopyRequest {
        source_bucket: bucket.name.clone(),
        bucket: bucket.name.clone(),
        key: "copy".into(),
        ..CopyRequest::default()
    };
    block_on(transfer::copy_object(&bucket.client, &tuning, &object, &copy)).unwrap();
    is_told_to_the_end(&steps, total, size);
    let more = Bytes::from_static(b"more");
    block_on(transfer::append(&bucket.client, &tuning, &bucket.name, "copy", more)).unwrap();
    is_told_to_the_end(&steps, Some(size as u64 + 4), size + 4);
}

#[test]
fn a_reader_that_is_not_as_long_as_it_was_to_be_stores_nothing() {
    let bucket = Bucket::new(Store::shared());
    for (bytes, stored) in [(9, false), (10, true), (11, false)] {
        let reader = io::Cursor::new(b"ten bytes!".to_vec());
        let target = target(&bucket, &format!("{bytes}"));
        let done = block_on(transfer::upload_exactly(&bucket.client, &tuning(), &target, reader, bytes));
        assert_eq!(bucket.get(&target.key).is_some(), stored, "{bytes}");
        assert_eq!(done.is_ok(), stored);
        if let Err(error) = done {
            assert_eq!(error.kind(), ErrorKind::Source);
        }
    }
}
