//! Checksums of every algorithm: ahead of a body and behind it, of parts and of wholes, kept, told, verified and
//! exchanged for another.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::Stream;
use holdfs::s3::ops::{
    ChecksumType, CompleteMultipartUpload, CopyObject, CopySource, CreateMultipartUpload, GetObject,
    GetObjectAttributes, GetObjectOutput, HeadObject, ListObjectsV2, ListParts, NewObject, ObjectHeaders,
    Part, PutObject, PutObjectTagging, UploadPart, With, WriteCondition,
};
use holdfs::s3::{Body, BodySource, ChecksumAlgorithm, ErrorKind, Result};

use super::{holds_or_lacks, kind, lacks_or_fails};
use crate::mounted::harness::{Bucket, Store, block_on, noise};

const PART: usize = 5 << 20;

/// Bytes that are read once, so that their checksum goes behind them.
struct Once(Bytes);

impl BodySource for Once {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn open(&self) -> Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> {
        let pieces: Vec<_> = self.0.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Box::pin(futures_util::stream::iter(pieces))
    }
}

/// As replies have it: the algorithm in lower case and the value in base64.
fn told(algorithm: ChecksumAlgorithm, value: &[u8]) -> BTreeMap<String, String> {
    [(algorithm.name().to_lowercase(), STANDARD.encode(value))].into()
}

pub(super) fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> BTreeMap<String, String> {
    told(algorithm, &algorithm.of(bytes))
}

pub(super) fn head(bucket: &Bucket<'_>, key: &str) -> ObjectHeaders {
    let (bucket_name, key) = (bucket.name.clone(), key.to_owned());
    bucket
        .send(&HeadObject { bucket: bucket_name, key, checksum_mode: true, ..HeadObject::default() })
        .unwrap()
}

/// The bytes, verified.
fn verified(bucket: &Bucket<'_>, key: &str) -> Bytes {
    let (name, key) = (bucket.name.clone(), key.to_owned());
    let output =
        bucket.send(&GetObject { bucket: name, key, checksum_mode: true, ..GetObject::default() }).unwrap();
    block_on(output.body.collect(64 << 20)).unwrap()
}

/// Whether the store keeps checksums of the algorithm; those of a service of today are ten.
pub(super) fn is_kept(bucket: &Bucket<'_>, algorithm: ChecksumAlgorithm) -> bool {
    let what = format!("PutObject: checksums of {algorithm}");
    let put = With::new(PutObject::new(&bucket.name, "probe", "x")).checksum(algorithm);
    match bucket.send(&put) {
        Ok(stored) => holds_or_lacks(&what, &stored.checksums, &of(algorithm, b"x")),
        Err(error) => {
            lacks_or_fails(&what, &error.to_string());
            false
        }
    }
}

#[test]
fn every_algorithm_goes_ahead_of_a_body_or_behind_it_and_comes_back() {
    let bucket = Bucket::new(Store::shared());
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)) {
        let bytes = Bytes::from(noise(algorithm.value_len() as u64, 1000));
        let bodies =
            [("ahead", Body::Bytes(bytes.clone())), ("behind", Body::Source(Arc::new(Once(bytes.clone()))))];
        for (key, body) in bodies {
            let key = format!("{key} {algorithm}");
            let put = PutObject { body, ..PutObject::new(&bucket.name, &key, "") };
            let stored = bucket.send(&With::new(put).checksum(algorithm)).unwrap();
            assert_eq!(stored.checksums, of(algorithm, &bytes), "{key}");
            let head = head(&bucket, &key);
            assert_eq!((&head.checksums, head.size), (&of(algorithm, &bytes), 1000), "{key}");
            assert_eq!(verified(&bucket, &key), bytes, "{key}");
        }
    }
}

#[test]
fn a_value_that_is_known_already_is_sent_and_must_be_right() {
    let bucket = Bucket::new(Store::shared());
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)) {
        let put = |key: &str, value: Vec<u8>| {
            let put = With::new(PutObject::new(&bucket.name, key, "right"));
            bucket.send(&put.checksum_value(algorithm, &value)?)
        };
        assert_eq!(put("k", algorithm.of(b"right")).unwrap().checksums, of(algorithm, b"right"));
        let key = format!("wrong {algorithm}");
        // MinIO has a code of its own for it.
        assert!(matches!(kind(put(&key, algorithm.of(b"wrong"))), ErrorKind::Corrupt | ErrorKind::Invalid));
        assert_eq!(bucket.get(&key), None, "{algorithm}");
        assert_eq!(kind(put(&key, vec![0; 3])), ErrorKind::Invalid, "{algorithm}");
    }
}

#[test]
fn attributes_and_listings_name_the_algorithm() {
    let bucket = Bucket::new(Store::shared());
    let kept: Vec<_> =
        ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)).collect();
    bucket.delete("probe");
    for algorithm in &kept {
        let put = PutObject::new(&bucket.name, algorithm.name(), "bytes");
        bucket.send(&With::new(put).checksum(*algorithm)).unwrap();
        let (name, key) = (bucket.name.clone(), algorithm.name().to_owned());
        let ask = GetObjectAttributes { bucket: name, key, ..GetObjectAttributes::default() };
        let seen = bucket.send(&ask).map(|attributes| attributes.checksums).unwrap_or_default();
        holds_or_lacks("GetObjectAttributes: checksums", &seen, &of(*algorithm, b"bytes"));
    }
    let list = ListObjectsV2 { bucket: bucket.name.clone(), ..ListObjectsV2::default() };
    for object in bucket.send(&list).unwrap().objects {
        let seen = object.more.as_deref().map(|more| more.checksum_algorithms.clone()).unwrap_or_default();
        holds_or_lacks("ListObjectsV2: algorithms of checksums", &seen, &vec![object.key.clone()]);
    }
}

struct Upload<'a> {
    bucket: &'a Bucket<'a>,
    key: String,
    id: String,
    algorithm: ChecksumAlgorithm,
}

impl<'a> Upload<'a> {
    fn begin(bucket: &'a Bucket<'a>, algorithm: ChecksumAlgorithm, kind: ChecksumType) -> Result<Self> {
        let key = format!("{algorithm} {}", kind.as_str());
        let create = CreateMultipartUpload {
            bucket: bucket.name.clone(),
            key: key.clone(),
            object: NewObject::default(),
            ..CreateMultipartUpload::default()
        };
        let id = bucket.send(&With::new(create).checksum(algorithm).checksum_type(kind)?)?;
        Ok(Self { bucket, key, id, algorithm })
    }

    fn part(&self, part_number: u32, body: Body) -> Part {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.clone(), self.id.clone());
        let part = UploadPart { bucket, key, upload_id, part_number, body };
        self.bucket.send(&With::new(part).checksum(self.algorithm)).unwrap()
    }

    fn listed(&self) -> (Option<String>, Vec<Option<(String, String)>>) {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.clone(), self.id.clone());
        let list = ListParts { bucket, key, upload_id, part_number_marker: None, max_parts: None };
        let listed = self.bucket.send(&list).unwrap();
        (listed.checksum_algorithm, listed.parts.into_iter().map(|part| part.checksum).collect())
    }

    fn complete(&self, parts: Vec<Part>) -> With<CompleteMultipartUpload> {
        let (bucket, key, upload_id) = (self.bucket.name.clone(), self.key.clone(), self.id.clone());
        let condition = WriteCondition::None;
        With::new(CompleteMultipartUpload { bucket, key, upload_id, parts, condition })
    }
}

/// S3 makes those of CRCs from the values of the parts; those of hashes would take a second reading.
fn is_legal(algorithm: ChecksumAlgorithm, kind: ChecksumType) -> bool {
    match kind {
        ChecksumType::FullObject => algorithm.is_crc(),
        ChecksumType::Composite => algorithm != ChecksumAlgorithm::Crc64Nvme,
    }
}

#[test]
fn uploads_in_parts_have_the_checksum_of_the_whole_or_of_the_parts() {
    let bucket = Bucket::new(Store::shared());
    let (first, last) = (noise(1, PART), noise(2, 100));
    let whole = [first.clone(), last.clone()].concat();
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)) {
        for kind in [ChecksumType::FullObject, ChecksumType::Composite] {
            let what = format!("{algorithm} {kind:?}");
            let upload = Upload::begin(&bucket, algorithm, kind);
            if !is_legal(algorithm, kind) {
                let seen = upload.map(drop).map_err(|error| error.kind());
                let what = format!("CreateMultipartUpload: refuses {what}");
                holds_or_lacks(&what, &seen, &Err(ErrorKind::Invalid));
                continue;
            }
            let upload = upload.unwrap();
            let parts = vec![
                upload.part(1, Body::Bytes(first.clone().into())),
                upload.part(2, Body::Source(Arc::new(Once(last.clone().into())))),
            ];
            let said: Vec<_> = parts.iter().map(|part| part.checksum.clone()).collect();
            let value = |bytes: &[u8]| of(algorithm, bytes).into_iter().next();
            assert_eq!(said, [value(&first), value(&last)], "{what}");
            let listed = (Some(algorithm.name().to_owned()), said.clone());
            holds_or_lacks(&format!("ListParts: checksums, {what}"), &upload.listed(), &listed);
            let due = match kind {
                ChecksumType::FullObject => of(algorithm, &whole),
                ChecksumType::Composite => {
                    let of_parts = [algorithm.of(&first), algorithm.of(&last)].concat();
                    let mut due = of(algorithm, &of_parts);
                    due.values_mut().for_each(|value| value.push_str("-2"));
                    due
                }
            };
            let stored = bucket.send(&upload.complete(parts)).unwrap();
            assert_eq!(stored.checksums, due, "{what}");
            let head = head(&bucket, &upload.key);
            assert_eq!(
                (&head.checksums, head.checksum_type.as_deref()),
                (&due, Some(kind.as_str())),
                "{what}"
            );
            assert_eq!(verified(&bucket, &upload.key), whole, "{what}");
        }
    }
}

#[test]
fn a_part_is_told_with_its_own_checksum_where_that_of_the_object_is_made_of_them() {
    let bucket = Bucket::new(Store::shared());
    let all = [Bytes::from(noise(1, PART)), Bytes::from(noise(2, 100))];
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)) {
        let kinds = [ChecksumType::FullObject, ChecksumType::Composite];
        let kinds = kinds.into_iter().filter(|kind| is_legal(algorithm, *kind));
        for (kind, parts) in kinds.flat_map(|kind| [(kind, &all[..]), (kind, &all[1..])]) {
            let upload = Upload::begin(&bucket, algorithm, kind).unwrap();
            let sent =
                (1..).zip(parts).map(|(number, bytes)| upload.part(number, Body::Bytes(bytes.clone())));
            bucket.send(&upload.complete(sent.collect())).unwrap();
            for (number, bytes) in (1..).zip(parts) {
                // S3 has nothing to say of one of several parts where it keeps the checksum of the whole.
                let own = kind == ChecksumType::Composite || parts.len() == 1;
                let due =
                    (if own { of(algorithm, bytes) } else { BTreeMap::new() }, own.then_some(kind.as_str()));
                let tells = |operation: &str, said: &ObjectHeaders| {
                    assert_eq!(
                        said.parts_count,
                        Some(parts.len() as u32),
                        "{operation} {algorithm} {kind:?}"
                    );
                    let what = format!("{operation}: checksum of a part, {kind:?}");
                    holds_or_lacks(&what, &said.checksums, &due.0);
                    holds_or_lacks(&format!("{what}: its type"), &said.checksum_type.as_deref(), &due.1);
                };
                let (got, head) = part_of(&bucket, &upload.key, number);
                tells("GetObject", &got.headers);
                tells("HeadObject", &head);
                assert_eq!(block_on(got.body.collect(PART)).unwrap(), bytes, "{algorithm} {kind:?}");
            }
        }
    }
}

fn part_of(bucket: &Bucket<'_>, key: &str, number: u32) -> (GetObjectOutput, ObjectHeaders) {
    let (name, key) = (bucket.name.clone(), key.to_owned());
    let get = GetObject {
        bucket: name.clone(),
        key: key.clone(),
        part_number: Some(number),
        checksum_mode: true,
        ..GetObject::default()
    };
    let head = HeadObject {
        bucket: name,
        key,
        part_number: Some(number),
        checksum_mode: true,
        ..HeadObject::default()
    };
    (bucket.send(&get).unwrap(), bucket.send(&head).unwrap())
}

#[test]
fn a_completion_with_the_wrong_checksum_of_the_whole_is_refused() {
    let bucket = Bucket::new(Store::shared());
    let algorithm = ChecksumAlgorithm::Crc32c;
    let upload = Upload::begin(&bucket, algorithm, ChecksumType::FullObject).unwrap();
    let part = upload.part(1, Body::Bytes("right".into()));
    let complete = |bytes: &[u8]| {
        let complete = upload.complete(vec![part.clone()]).checksum_value(algorithm, &algorithm.of(bytes));
        // MinIO compares it only where the type is said again.
        let complete = complete.and_then(|complete| complete.checksum_type(ChecksumType::FullObject));
        bucket.send(&complete.unwrap()).map(|stored| stored.checksums).map_err(|error| error.kind())
    };
    let seen = complete(b"wrong");
    if holds_or_lacks("CompleteMultipartUpload: checksum of the whole", &seen.is_err(), &true) {
        assert_eq!(complete(b"right"), Ok(of(algorithm, b"right")));
    }
}

#[test]
fn a_copy_has_the_checksum_that_it_is_told_to_have() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "bytes");
    for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| is_kept(&bucket, *algorithm)) {
        let source = CopySource { bucket: bucket.name.clone(), key: "k".into(), ..CopySource::default() };
        let (name, key) = (bucket.name.clone(), format!("copy {algorithm}"));
        let copy = CopyObject { source, bucket: name, key: key.clone(), ..CopyObject::default() };
        let copied = bucket.send(&With::new(copy).checksum(algorithm)).unwrap();
        holds_or_lacks("CopyObject: the checksum in its answer", &copied.checksums, &of(algorithm, b"bytes"));
        assert_eq!(head(&bucket, &key).checksums, of(algorithm, b"bytes"), "{algorithm}");
        assert_eq!(verified(&bucket, &key), "bytes");
    }
}

#[test]
fn documents_are_checked_by_every_algorithm() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let tags = [("a".to_owned(), "b".to_owned())].into();
    let put = PutObjectTagging { bucket: bucket.name.clone(), key: "k".into(), version: None, tags };
    for algorithm in ChecksumAlgorithm::ALL {
        let seen = bucket.send(&With::new(put.clone()).checksum(algorithm)).map_err(|error| error.kind());
        holds_or_lacks(&format!("PutObjectTagging: {algorithm} of the document"), &seen, &Ok(()));
    }
}
