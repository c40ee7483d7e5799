//! Handles: what they know, what they forget, and where they lead.

use futures_util::TryStreamExt;
use holdfs::embedded::faults::{Action, Rule};
use holdfs::s3::ops::{CopySource, NewObject, WriteCondition};
use holdfs::s3::resource::{Bucket as Handle, Service};
use holdfs::s3::settings::{AccessControl, BucketTags, VersioningStatus};
use holdfs::s3::{Body, ErrorKind, VersionId};

use super::{holds_or_lacks, kind};
use crate::mounted::harness::{Bucket, Store, block_on, noise};

const MIB: usize = 1 << 20;

fn handle(bucket: &Bucket<'_>) -> Handle {
    Service::new(&bucket.client).bucket(&bucket.name)
}

fn keys(bucket: &Handle, prefix: &str) -> Vec<String> {
    let objects =
        block_on(bucket.objects().prefix(prefix).page_size(2).all().try_collect::<Vec<_>>()).unwrap();
    objects.iter().map(|object| object.key().to_owned()).collect()
}

#[test]
fn a_bucket_leads_to_its_objects_and_is_found_among_others() {
    let bucket = Bucket::new(Store::shared());
    for key in ["a/1", "a/2", "a/3", "b"] {
        bucket.put(key, key);
    }
    let handle = handle(&bucket);
    assert!(block_on(handle.exists()).unwrap());
    assert!(block_on(handle.creation_date()).unwrap().is_some());
    assert!(!block_on(handle.location_constraint()).unwrap().is_empty());
    let all = Service::new(&bucket.client).buckets().all();
    let names: Vec<Handle> = block_on(all.try_collect()).unwrap();
    assert!(names.iter().any(|found| found.name() == bucket.name));
    assert_eq!(keys(&handle, "a/"), ["a/1", "a/2", "a/3"]);
    let few: Vec<_> = block_on(handle.objects().limit(3).page_size(2).all().try_collect()).unwrap();
    assert_eq!(few.len(), 3);
    assert_eq!(block_on(few[0].load()).unwrap().size, 3);
    let after = handle.objects().filter(|list| list.start_after = Some("a/3".into()));
    let after: Vec<_> = block_on(after.all().try_collect()).unwrap();
    assert_eq!(after[0].key(), "b");
    assert_eq!(block_on(handle.objects().prefix("a/").delete()).unwrap().len(), 0);
    assert_eq!(keys(&handle, ""), ["b"]);
    let nowhere = Service::new(&bucket.client).bucket("no-such-bucket-of-anybody-here");
    assert_eq!(kind(block_on(nowhere.load())), ErrorKind::NoSuchBucket);
    assert!(!block_on(nowhere.exists()).unwrap());
}

#[test]
fn an_object_knows_what_it_was_told_until_it_changes() {
    let bucket = Bucket::new(Store::shared());
    let object = handle(&bucket).object("k");
    assert_eq!(kind(block_on(object.load())), ErrorKind::NoSuchKey);
    block_on(object.put(Body::Bytes("one".into()))).unwrap();
    assert_eq!(block_on(object.load()).unwrap().size, 3);
    bucket.put("k", "behind its back");
    assert_eq!(block_on(object.load()).unwrap().size, 3, "kept");
    assert_eq!(block_on(object.reload()).unwrap().size, 15);
    let metadata = [("colour".to_owned(), "red".to_owned())].into();
    let new = NewObject { metadata, ..NewObject::default() };
    block_on(object.put_with(Body::Bytes("two!".into()), new, WriteCondition::None)).unwrap();
    let headers = block_on(object.load()).unwrap();
    assert_eq!((headers.size, headers.metadata["colour"].as_str()), (4, "red"), "what it changed it forgot");
    assert_eq!(block_on(async { object.get().await?.body.collect(100).await }).unwrap(), "two!");
    let copy = object.bucket().object("copy");
    let source = CopySource { bucket: bucket.name.clone(), key: "k".into(), ..CopySource::default() };
    block_on(copy.copy(source)).unwrap();
    assert_eq!(block_on(copy.load()).unwrap().metadata["colour"], "red");
    block_on(copy.wait_until_exists()).unwrap();
    block_on(copy.delete()).unwrap();
    block_on(copy.wait_until_not_exists()).unwrap();
    let acl: AccessControl = block_on(object.acl().load()).unwrap().as_ref().clone();
    assert!(!acl.list.grants.is_empty());
}

#[test]
fn files_and_readers_go_up_and_come_down_whole() {
    let bucket = Bucket::new(Store::shared());
    let folder = tempfile::tempdir().unwrap();
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    let content = noise(4, 17 * MIB + 3);
    std::fs::write(&up, &content).unwrap();
    let object = handle(&bucket).object("file");
    block_on(object.upload_file(&up)).unwrap();
    block_on(object.download_file(&down)).unwrap();
    assert!(std::fs::read(&down).unwrap() == content);
    let again = object.bucket().object("reader");
    block_on(again.upload_reader(std::io::Cursor::new(content.clone()))).unwrap();
    let mut written = Vec::new();
    block_on(again.download_writer(&mut written)).unwrap();
    assert!(written == content);
    block_on(again.delete()).unwrap();
    assert_eq!(kind(block_on(again.download_file(folder.path().join("none")))), ErrorKind::NoSuchKey);
    assert_eq!(kind(block_on(object.upload_file(folder.path()))), ErrorKind::Source);
    assert_eq!(kind(block_on(object.download_file(folder.path().join("no/such/place")))), ErrorKind::Source);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left of what failed");
}

#[test]
fn settings_are_asked_for_once_and_forgotten_when_put() {
    let bucket = Bucket::new(Store::shared());
    let handle = handle(&bucket);
    let tagging = handle.tagging();
    assert_eq!(block_on(tagging.load()).unwrap(), None);
    let tags = BucketTags([("a".to_owned(), "b".to_owned())].into());
    block_on(tagging.put(tags.clone())).unwrap();
    assert_eq!(block_on(tagging.load()).unwrap().as_deref(), Some(&tags));
    block_on(handle.tagging().delete()).unwrap();
    assert!(block_on(tagging.load()).unwrap().is_some(), "another handle's change");
    assert_eq!(block_on(tagging.reload()).unwrap(), None);
    let versioning = handle.versioning();
    assert_eq!(block_on(versioning.status()).unwrap(), None);
    block_on(versioning.enable()).unwrap();
    assert_eq!(block_on(versioning.status()).unwrap(), Some(VersioningStatus::Enabled));
}

#[test]
fn versions_are_read_and_deleted_one_by_one_and_all_together() {
    let bucket = Bucket::new(Store::shared());
    let handle = handle(&bucket);
    block_on(handle.versioning().enable()).unwrap();
    for body in ["one", "two"] {
        block_on(handle.put_object("k", Body::Bytes(body.into()))).unwrap();
    }
    block_on(handle.object("k").delete()).unwrap();
    let versions: Vec<_> = block_on(handle.object_versions().all().try_collect()).unwrap();
    let [marker, two, one] = &versions[..] else { panic!("{} versions", versions.len()) };
    assert_eq!(block_on(marker.content()).unwrap().map(|content| content.size), None);
    assert_eq!(block_on(one.head()).unwrap().size, 3);
    assert_eq!(block_on(async { one.get().await?.body.collect(9).await }).unwrap(), "one");
    let named = two.object().version(two.id().clone());
    assert_eq!(block_on(named.load()).unwrap().version, *two.id());
    block_on(named.delete()).unwrap();
    assert_eq!(kind(block_on(named.load())), ErrorKind::NoSuchVersion);
    let none = two.object().version(VersionId("none".into()));
    assert_eq!(kind(block_on(none.load())), ErrorKind::NoSuchVersion);
    assert_eq!(block_on(handle.object_versions().prefix("k").delete()).unwrap().len(), 0);
    assert_eq!(block_on(handle.object_versions().all().try_collect::<Vec<_>>()).unwrap().len(), 0);
}

#[test]
fn an_upload_in_parts_is_begun_found_filled_and_completed() {
    let bucket = Bucket::new(Store::shared());
    let handle = handle(&bucket);
    let source = noise(1, 5 * MIB);
    bucket.put("source", &source);
    let upload = block_on(handle.object("big").initiate_multipart_upload(NewObject::default())).unwrap();
    let found: Vec<_> = block_on(handle.multipart_uploads().all().try_collect()).unwrap();
    assert_eq!((found[0].id(), found[0].object_key()), (upload.id(), "big"));
    assert_eq!(block_on(upload.load()).unwrap().key, "big");
    let from = CopySource { bucket: bucket.name.clone(), key: "source".into(), ..CopySource::default() };
    let one = block_on(upload.part(1).copy_from(from, None)).unwrap();
    let two = block_on(upload.part(2).upload(Body::Bytes("end".into()))).unwrap();
    assert_eq!(block_on(upload.part(2).load()).unwrap().size, 3);
    assert_eq!(kind(block_on(upload.part(3).load())), ErrorKind::NoSuchUpload);
    let parts: Vec<_> = block_on(upload.parts().page_size(1).all().try_collect()).unwrap();
    assert_eq!(parts.iter().map(|part| part.part_number()).collect::<Vec<_>>(), [1, 2]);
    let listed = block_on(parts[0].load()).unwrap();
    holds_or_lacks("ListParts: dates", &listed.modified.is_some(), &true);
    block_on(upload.complete(vec![two, one], WriteCondition::None)).unwrap();
    assert!(bucket.get("big").unwrap() == [&source[..], b"end"].concat());
    let other = block_on(handle.object("other").initiate_multipart_upload(NewObject::default())).unwrap();
    block_on(other.abort()).unwrap();
    assert_eq!(kind(block_on(other.load())), ErrorKind::NoSuchUpload);
}

#[test]
fn bytes_that_are_not_as_they_were_stored_are_an_error() {
    let store = Store::embedded(holdfs::embedded::Options::default());
    let bucket = Bucket::new(&store);
    let content = noise(6, 40 * MIB);
    bucket.put("k", &content);
    let (object, folder) = (handle(&bucket).object("k"), tempfile::tempdir().unwrap());
    let (file, mut written) = (folder.path().join("k"), Vec::new());
    let flip = || {
        let flip = Rule::new(Action::FlipBit { at: 100 }).on("GetObject").once();
        store.server.as_ref().unwrap().faults().add(flip);
    };
    flip();
    assert_eq!(kind(block_on(object.download_writer(&mut written))), ErrorKind::Corrupt);
    assert!(written.len() < content.len(), "its end is kept back");
    flip();
    assert_eq!(kind(block_on(object.download_file(&file))), ErrorKind::Corrupt);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    written.clear();
    block_on(object.download_writer(&mut written)).unwrap();
    block_on(object.download_file(&file)).unwrap();
    assert!(written == content && std::fs::read(&file).unwrap() == content);
}
