//! Handles, one by one: whatever the references' classes can do, ours do on a server.

use std::time::Duration;

use futures_util::TryStreamExt;
use holdfs::base::ranges::ByteRange;
use holdfs::base::timestamp;
use holdfs::s3::ops::{CopyObject, CopySource, CreateBucket, NewObject, RestoreObject, WriteCondition};
use holdfs::s3::resource::{
    Bucket as Handle, BucketAcl, BucketCors, BucketLifecycleConfiguration, BucketProtection, BucketTagging,
    BucketVersioning, BucketWebsite, MultipartUpload, Object, ObjectAcl, ObjectProtection, ObjectSummary,
    ObjectVersion, Part, Service, SettingHandle,
};
use holdfs::s3::settings::lifecycle::{Expiration, LifecycleFilter};
use holdfs::s3::settings::{
    BucketTags, CorsConfiguration, CorsRule, ErrorDocument, IndexDocument, Lifecycle, LifecycleRule,
    Removable, VersioningStatus, Website,
};
use holdfs::s3::vendor::ibm::{self, Extension, ProtectionDays};
use holdfs::s3::{Body, ErrorKind, VersionId};

use super::scripted::Scripted;
use super::{answers_with, holds_or_lacks, kind, taken};
use crate::mounted::harness::{Bucket, Store, block_on, noise};

fn service(bucket: &Bucket<'_>) -> Service {
    Service::new(&bucket.client)
}

fn bytes(text: &'static str) -> Body {
    Body::Bytes(text.into())
}

fn source(bucket: &str, key: &str) -> CopySource {
    CopySource { bucket: bucket.into(), key: key.into(), ..CopySource::default() }
}

#[test]
fn a_service_leads_everywhere() {
    let server = Scripted::answering(&[]);
    let service = Service::new(&server.client);
    assert_eq!(Service::available_subresources().len(), 15);
    let bucket: Handle = service.bucket("b");
    let names = [
        service.bucket_acl("b").bucket_name().to_owned(),
        service.bucket_cors("b").bucket_name().to_owned(),
        service.bucket_lifecycle_configuration("b").bucket_name().to_owned(),
        service.bucket_protection("b").bucket_name().to_owned(),
        service.bucket_tagging("b").bucket_name().to_owned(),
        service.bucket_versioning("b").bucket_name().to_owned(),
        service.bucket_website("b").bucket_name().to_owned(),
        bucket.acl().bucket_name().to_owned(),
        bucket.cors().bucket_name().to_owned(),
        bucket.lifecycle_configuration().bucket_name().to_owned(),
        bucket.logging().bucket_name().to_owned(),
        bucket.notification().bucket_name().to_owned(),
        bucket.policy().bucket_name().to_owned(),
        bucket.protection().bucket_name().to_owned(),
        bucket.tagging().bucket_name().to_owned(),
        bucket.versioning().bucket_name().to_owned(),
        bucket.website().bucket().name().to_owned(),
        service.object("b", "k").bucket_name().to_owned(),
        service.object_acl("b", "k").object().bucket_name().to_owned(),
        service.object_protection("b", "k").object().bucket_name().to_owned(),
        service.object_summary("b", "k").bucket_name().to_owned(),
        service.object_version("b", "k", VersionId("v".into())).bucket_name().to_owned(),
        service.multipart_upload("b", "k", "u").bucket_name().to_owned(),
    ];
    assert_eq!(names, [const { "b" }; 23]);
    assert_eq!(bucket.object("k").key(), "k");
    let part = service.multipart_upload_part("b", "k", "u", 3);
    assert_eq!((part.part_number(), part.multipart_upload().id()), (3, "u"));
    assert_eq!(server.heard(), [""; 0], "nobody was asked");
}

#[test]
fn a_bucket_is_made_filled_and_emptied() {
    let other = Bucket::new(Store::shared());
    other.put("k", "copied");
    let name = format!("t-handle-{:016x}", fastrand::u64(..));
    let bucket: Handle = block_on(
        service(&other).create_bucket(CreateBucket { bucket: name.clone(), ..CreateBucket::default() }),
    )
    .unwrap();
    assert_eq!(bucket.name(), name);
    block_on(bucket.wait_until_exists()).unwrap();
    assert!(block_on(bucket.load()).unwrap().created.is_some());
    assert!(block_on(bucket.creation_date()).unwrap().is_some());
    block_on(bucket.location_constraint()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    std::fs::write(&up, "a file").unwrap();
    block_on(bucket.put_object("put", bytes("put"))).unwrap();
    block_on(bucket.upload_file(&up, "file")).unwrap();
    block_on(bucket.upload_reader(std::io::Cursor::new(b"a reader".to_vec()), "reader")).unwrap();
    block_on(bucket.copy(source(&other.name, "k"), "copy")).unwrap();
    block_on(bucket.download_file("file", &down)).unwrap();
    assert_eq!(std::fs::read(&down).unwrap(), b"a file");
    for (key, content) in [("put", "put"), ("reader", "a reader"), ("copy", "copied")] {
        let mut written = Vec::new();
        block_on(bucket.download_writer(key, &mut written)).unwrap();
        assert_eq!(written, content.as_bytes());
    }
    let keys = ["put", "file", "reader", "copy"].map(|key| (key.to_owned(), None)).to_vec();
    assert_eq!(block_on(bucket.delete_objects(keys)).unwrap().failed.len(), 0);
    block_on(bucket.delete()).unwrap();
    block_on(bucket.wait_until_not_exists()).unwrap();
    block_on(bucket.create(CreateBucket::default())).unwrap();
    block_on(bucket.delete()).unwrap();
}

#[test]
fn collections_are_filtered_limited_and_paged() {
    let bucket = Bucket::new(Store::shared());
    let handle = service(&bucket).bucket(&bucket.name);
    block_on(handle.versioning().enable()).unwrap();
    for key in ["a/1", "a/2", "a/3", "b"] {
        bucket.put(key, key);
    }
    let below_a = handle.objects().filter(|list| list.prefix = "a/".into()).page_size(2).limit(2);
    let listed: Vec<ObjectSummary> = block_on(below_a.all().try_collect()).unwrap();
    assert_eq!(listed.iter().map(ObjectSummary::key).collect::<Vec<_>>(), ["a/1", "a/2"]);
    let refused = block_on(handle.objects().filter(|list| list.prefix = "b".into()).delete()).unwrap();
    assert!(refused.is_empty());
    let of_b = handle.object_versions().filter(|list| list.prefix = "b".into()).page_size(1).limit(9);
    let versions: Vec<ObjectVersion> = block_on(of_b.all().try_collect()).unwrap();
    assert_eq!(versions.len(), 2, "the object and its delete marker");
    assert!(block_on(handle.object_versions().delete()).unwrap().is_empty());
    assert_eq!(block_on(handle.object_versions().all().try_collect::<Vec<_>>()).unwrap().len(), 0);
    let begin =
        |key: &str| block_on(handle.object(key).initiate_multipart_upload(NewObject::default())).unwrap();
    let (one, two) = (begin("u/1"), begin("u/2"));
    let uploads = handle.multipart_uploads().filter(|list| list.delimiter = None).page_size(1).limit(5);
    let uploads: Vec<MultipartUpload> = block_on(uploads.all().try_collect()).unwrap();
    assert_eq!(uploads.iter().map(MultipartUpload::object_key).collect::<Vec<_>>(), ["u/1", "u/2"]);
    for number in 1..=3 {
        block_on(one.part(number).upload(bytes("x"))).unwrap();
    }
    let parts = one.parts().filter(|list| list.part_number_marker = Some(1)).page_size(1).limit(1);
    let parts: Vec<Part> = block_on(parts.all().try_collect()).unwrap();
    assert_eq!(parts.iter().map(Part::part_number).collect::<Vec<_>>(), [2]);
    block_on(one.abort()).unwrap();
    block_on(two.abort()).unwrap();
    let mine = service(&bucket).buckets().filter(|list| list.prefix = Some(bucket.name.clone()));
    let mine: Vec<Handle> = block_on(mine.page_size(100).limit(100_000).all().try_collect()).unwrap();
    assert!(mine.iter().any(|found| found.name() == bucket.name));
}

/// Puts, loads, reloads and deletes it where the store takes such documents.
fn lives<S: Removable + Clone + PartialEq + std::fmt::Debug>(handle: &SettingHandle<S>, document: S) {
    assert!(!handle.bucket_name().is_empty() && handle.bucket().name() == handle.bucket_name());
    if taken(S::PUT, block_on(handle.put(document.clone()))).is_none() {
        return;
    }
    assert_eq!(block_on(handle.load()).unwrap().as_deref(), Some(&document));
    block_on(handle.delete()).unwrap();
    assert_eq!(block_on(handle.reload()).unwrap(), None);
}

#[test]
fn settings_are_loaded_put_and_deleted() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("keep", "x");
    let handle = service(&bucket).bucket(&bucket.name);
    let cors: BucketCors = handle.cors();
    let rule = CorsRule {
        allowed_methods: vec!["GET".into()],
        allowed_origins: vec!["*".into()],
        ..CorsRule::default()
    };
    lives(&cors, CorsConfiguration { rules: vec![rule] });
    let tagging: BucketTagging = handle.tagging();
    lives(&tagging, BucketTags([("a".to_owned(), "b".to_owned())].into()));
    let website: BucketWebsite = handle.website();
    let index = Some(IndexDocument { suffix: "index.html".into() });
    let error = Some(ErrorDocument { key: "error.html".into() });
    lives(&website, Website { index, error, redirect_all: None, routing: None });
    let lifecycle: BucketLifecycleConfiguration = handle.lifecycle_configuration();
    let expiration = Some(Expiration { days: Some(7), ..Expiration::default() });
    let filter = LifecycleFilter { prefix: Some("tmp/".into()), ..LifecycleFilter::default() };
    let rules = vec![LifecycleRule { expiration, ..LifecycleRule::new("old", filter) }];
    lives(&lifecycle, Lifecycle { rules, transition_minimum: None });
}

#[test]
fn versioning_is_enabled_and_suspended() {
    let bucket = Bucket::new(Store::shared());
    let versioning: BucketVersioning = service(&bucket).bucket_versioning(&bucket.name);
    assert_eq!(versioning.bucket().name(), versioning.bucket_name());
    assert_eq!(block_on(versioning.status()).unwrap(), None);
    block_on(versioning.enable()).unwrap();
    assert_eq!(block_on(versioning.status()).unwrap(), Some(VersioningStatus::Enabled));
    block_on(versioning.suspend()).unwrap();
    let document = block_on(versioning.load()).unwrap().unwrap();
    assert_eq!(document.status, Some(VersioningStatus::Suspended));
    assert_ne!(document.mfa_delete, Some(true));
    block_on(versioning.put(document.as_ref().clone())).unwrap();
    assert_eq!(block_on(versioning.reload()).unwrap(), Some(document));
}

#[test]
fn the_list_of_a_bucket_is_loaded_and_put() {
    let bucket = Bucket::new(Store::shared());
    let acl: BucketAcl = service(&bucket).bucket_acl(&bucket.name);
    assert_eq!(acl.bucket().name(), acl.bucket_name());
    let loaded = block_on(acl.load()).unwrap().unwrap();
    assert!(loaded.owner.is_some() && !loaded.list.grants.is_empty());
    if taken("PutBucketAcl", block_on(acl.put(loaded.as_ref().clone()))).is_some() {
        assert_eq!(block_on(acl.reload()).unwrap().unwrap().list.grants.len(), loaded.list.grants.len());
    }
}

#[test]
fn the_list_of_an_object_is_loaded_and_put() {
    let bucket = Bucket::new(Store::shared());
    bucket.put("k", "x");
    let acl: ObjectAcl = service(&bucket).object_acl(&bucket.name, "k");
    assert_eq!((acl.object().bucket_name(), acl.object().key()), (bucket.name.as_str(), "k"));
    let loaded = block_on(acl.load()).unwrap();
    assert!(loaded.owner.is_some() && !loaded.list.grants.is_empty());
    if taken("PutObjectAcl", block_on(acl.put(loaded.as_ref().clone()))).is_some() {
        assert_eq!(block_on(acl.reload()).unwrap().list.grants.len(), loaded.list.grants.len());
    }
}

#[test]
fn an_object_does_what_objects_do() {
    let bucket = Bucket::new(Store::shared());
    let object: Object = service(&bucket).bucket(&bucket.name).object("k");
    block_on(object.put(bytes("one"))).unwrap();
    block_on(object.wait_until_exists()).unwrap();
    assert_eq!(block_on(object.load()).unwrap().size, 3);
    assert_eq!(block_on(async { object.get().await?.body.collect(9).await }).unwrap(), "one");
    let (copy, other) = (object.bucket().object("copy"), object.bucket().object("other"));
    block_on(copy.copy(source(object.bucket_name(), object.key()))).unwrap();
    let plain = CopyObject { source: source(&bucket.name, "copy"), ..CopyObject::default() };
    block_on(other.copy_from(plain)).unwrap();
    assert_eq!(block_on(other.reload()).unwrap().size, 3);
    let folder = tempfile::tempdir().unwrap();
    let (up, down) = (folder.path().join("up"), folder.path().join("down"));
    std::fs::write(&up, "a file").unwrap();
    block_on(object.upload_file(&up)).unwrap();
    block_on(object.download_file(&down)).unwrap();
    assert_eq!(std::fs::read(&down).unwrap(), b"a file");
    block_on(object.upload_reader(std::io::Cursor::new(b"a reader".to_vec()))).unwrap();
    let mut written = Vec::new();
    block_on(object.download_writer(&mut written)).unwrap();
    assert_eq!(written, b"a reader");
    let upload = block_on(object.initiate_multipart_upload(NewObject::default())).unwrap();
    assert_eq!(object.multipart_upload(upload.id()).id(), upload.id());
    block_on(upload.abort()).unwrap();
    let restored =
        block_on(object.restore_object(RestoreObject { days: Some(1), ..RestoreObject::default() }));
    answers_with("RestoreObject", &[ErrorKind::Archived, ErrorKind::Denied, ErrorKind::Invalid], restored);
    assert_eq!(object.acl().object().key(), object.protection().object().key());
    assert_eq!(object.version(VersionId("v".into())).object().key(), "k");
    block_on(object.delete()).unwrap();
    block_on(object.wait_until_not_exists()).unwrap();
}

#[test]
fn a_summary_leads_to_its_object() {
    let bucket = Bucket::new(Store::shared());
    let summary: ObjectSummary = service(&bucket).object_summary(&bucket.name, "k");
    let object = summary.object();
    block_on(object.put(bytes("hello"))).unwrap();
    block_on(object.wait_until_exists()).unwrap();
    let loaded = block_on(summary.load()).unwrap();
    let head = bucket.head("k");
    assert_eq!((loaded.size, Some(&loaded.etag)), (5, head.etag.as_ref()));
    assert_eq!(Some(loaded.last_modified), head.last_modified);
    assert_eq!((&loaded.storage_class, &loaded.owner), (&head.storage_class, &None));
    assert_eq!((summary.bucket_name(), summary.key()), (bucket.name.as_str(), "k"));
    assert_eq!(block_on(async { object.get().await?.body.collect(9).await }).unwrap(), "hello");
    let copy = object.bucket().object("copy");
    block_on(copy.copy_from(CopyObject { source: source(&bucket.name, "k"), ..CopyObject::default() }))
        .unwrap();
    let upload = block_on(object.initiate_multipart_upload(NewObject::default())).unwrap();
    block_on(object.multipart_upload(upload.id()).abort()).unwrap();
    let restored =
        block_on(object.restore_object(RestoreObject { days: Some(1), ..RestoreObject::default() }));
    answers_with("RestoreObject", &[ErrorKind::Archived, ErrorKind::Denied, ErrorKind::Invalid], restored);
    assert_eq!(object.acl().object().key(), "k");
    assert_eq!(object.version(VersionId("v".into())).id(), &VersionId("v".into()));
    block_on(object.delete()).unwrap();
    block_on(object.wait_until_not_exists()).unwrap();
}

#[test]
fn a_version_is_read_and_deleted() {
    let bucket = Bucket::new(Store::shared());
    let handle = service(&bucket).bucket(&bucket.name);
    block_on(handle.versioning().enable()).unwrap();
    block_on(handle.put_object("k", bytes("old"))).unwrap();
    block_on(handle.put_object("k", bytes("newer"))).unwrap();
    let versions: Vec<ObjectVersion> = block_on(handle.object_versions().all().try_collect()).unwrap();
    let [new, old] = &versions[..] else { panic!("{} versions", versions.len()) };
    assert_eq!((old.bucket_name(), old.object_key(), old.object().key()), (bucket.name.as_str(), "k", "k"));
    let (listed, content) = (block_on(old.load()).unwrap(), block_on(old.content()).unwrap().unwrap());
    let head = block_on(old.head()).unwrap();
    let since = listed.last_modified.duration_since(head.last_modified.unwrap()).unwrap();
    assert!(!listed.is_latest && since < Duration::from_secs(1), "HEAD cuts fractions off");
    assert!(listed.owner.as_ref().is_some_and(|owner| !owner.id.is_empty()));
    assert_eq!((Some(&content.etag), content.size), (head.etag.as_ref(), 3));
    assert_eq!(content.storage_class.as_deref().unwrap_or("STANDARD"), "STANDARD");
    assert_eq!((head.size, head.version.as_ref()), (3, Some(old.id())));
    assert_eq!(block_on(async { old.get().await?.body.collect(9).await }).unwrap(), "old");
    block_on(old.delete()).unwrap();
    assert!(block_on(new.load()).unwrap().is_latest);
    assert!(matches!(kind(block_on(old.head())), ErrorKind::NoSuchKey | ErrorKind::NoSuchVersion));
}

#[test]
fn an_upload_takes_parts_and_is_completed() {
    let bucket = Bucket::new(Store::shared());
    let large = noise(1, 5 << 20);
    bucket.put("source", &large);
    let object = service(&bucket).bucket(&bucket.name).object("k");
    let upload: MultipartUpload = block_on(object.initiate_multipart_upload(NewObject::default())).unwrap();
    assert_eq!((upload.bucket_name(), upload.object_key(), upload.object().key()), (&*bucket.name, "k", "k"));
    let listed = block_on(upload.load()).unwrap();
    assert_eq!(listed.upload_id, upload.id());
    assert!(
        listed.initiated.is_some() && listed.storage_class.as_deref().is_none_or(|class| class == "STANDARD")
    );
    let named = listed.initiator.is_some() && listed.owner.is_some();
    holds_or_lacks("ListMultipartUploads: initiator and owner", &named, &true);
    let part: Part = upload.part(1);
    assert_eq!((part.part_number(), part.multipart_upload().id()), (1, upload.id()));
    let range = Some(ByteRange::new(0, 5 << 20));
    let one = block_on(part.copy_from(source(&bucket.name, "source"), range)).unwrap();
    let two = block_on(upload.part(2).upload(bytes("end"))).unwrap();
    let stored = block_on(upload.part(2).load()).unwrap();
    assert_eq!((&stored.etag, stored.size), (&two.etag, 3));
    holds_or_lacks("ListParts: dates", &stored.modified.is_some(), &true);
    block_on(upload.complete(vec![one, two], WriteCondition::None)).unwrap();
    assert!(bucket.get("k").unwrap() == [&large[..], b"end"].concat());
    let other = block_on(object.initiate_multipart_upload(NewObject::default())).unwrap();
    block_on(other.abort()).unwrap();
    assert_eq!(kind(block_on(other.load())), ErrorKind::NoSuchUpload);
}

#[test]
fn the_protection_of_a_bucket_is_loaded_and_put() {
    const DOCUMENT: &str = "<ProtectionConfiguration><Status>Retention</Status><MinimumRetention><Days>1</Days>\
        </MinimumRetention><MaximumRetention><Days>9</Days></MaximumRetention><DefaultRetention><Days>3</Days>\
        </DefaultRetention><EnablePermanentRetention>true</EnablePermanentRetention></ProtectionConfiguration>";
    let server = Scripted::answering(&[(200, &[], DOCUMENT), (200, &[], ""), (200, &[], DOCUMENT)]);
    let protection: BucketProtection = Service::new(&server.client).bucket_protection("b");
    let loaded = block_on(protection.load()).unwrap().unwrap();
    let days = |days| Some(ProtectionDays { days });
    let wanted = ibm::BucketProtection {
        status: Some("Retention".into()),
        minimum: days(1),
        maximum: days(9),
        default: days(3),
        permanent: Some(true),
    };
    assert_eq!(*loaded, wanted);
    block_on(protection.put(wanted)).unwrap();
    assert_eq!(block_on(protection.reload()).unwrap(), Some(loaded));
    assert_eq!((protection.bucket_name(), server.heard().len()), ("b", 3));
}

#[test]
fn the_protection_of_an_object_is_changed() {
    const STATE: &str = "<RetentionState><CreateTime>Fri, 8 Sep 2017 21:33:08 GMT</CreateTime><RetentionPeriod>101\
        </RetentionPeriod><RetentionPeriodExpirationDate>Fri, 15 Sep 2017 21:33:08 GMT\
        </RetentionPeriodExpirationDate><LegalHoldSet><LegalHold><ID>h1</ID></LegalHold></LegalHoldSet>\
        </RetentionState>";
    let server = Scripted::answering(&[
        (200, &[], STATE),
        (200, &[], ""),
        (200, &[], ""),
        (200, &[], ""),
        (200, &[], STATE),
        (200, &[], STATE),
        (200, &[], STATE),
    ]);
    let protection: ObjectProtection = Service::new(&server.client).object_protection("b", "k");
    let state = block_on(protection.load()).unwrap();
    assert_eq!((state.period_seconds, state.holds.len()), (Some(101), 1));
    assert_eq!(state.created, timestamp::parse_rfc3339("2017-09-08T21:33:08Z"));
    assert_eq!(state.expires, timestamp::parse_rfc3339("2017-09-15T21:33:08Z"));
    block_on(protection.add_legal_hold("h2")).unwrap();
    block_on(protection.delete_legal_hold("h2")).unwrap();
    block_on(protection.extend_object_retention(Extension::Additional(60))).unwrap();
    assert_eq!(block_on(protection.reload()).unwrap(), state);
    assert_eq!(block_on(protection.list_legal_holds()).unwrap()[0].id, "h1");
    assert_eq!((protection.object().bucket_name(), protection.object().key()), ("b", "k"));
    let heard = server.heard();
    assert!(
        heard[3].starts_with("POST /b/k?extendRetention=\nadditional-retention-period: 60"),
        "{}",
        heard[3]
    );
}

const EVERY_HEADER: &[&str] = &[
    "etag: \"e\"",
    "last-modified: Fri, 08 Sep 2017 21:33:08 GMT",
    "accept-ranges: bytes",
    "cache-control: no-cache",
    "content-disposition: inline",
    "content-encoding: gzip",
    "content-language: de",
    "content-type: text/plain",
    "expires: Thu, 01 Dec 2044 16:00:00 GMT",
    "x-amz-website-redirect-location: /there",
    "x-amz-archive-status: ARCHIVE_ACCESS",
    "x-amz-delete-marker: true",
    "x-amz-expiration: expiry-date=\"Fri, 21 Dec 2040 00:00:00 GMT\", rule-id=\"r\"",
    "x-amz-meta-colour: red",
    "x-amz-missing-meta: 1",
    "x-amz-mp-parts-count: 3",
    "x-amz-replication-status: COMPLETED",
    "x-amz-request-charged: requester",
    "x-amz-restore: ongoing-request=\"true\"",
    "x-amz-server-side-encryption: aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id: key",
    "x-amz-server-side-encryption-bucket-key-enabled: true",
    "x-amz-server-side-encryption-customer-algorithm: AES256",
    "x-amz-server-side-encryption-customer-key-md5: md5",
    "x-amz-storage-class: GLACIER",
    "x-amz-version-id: v",
    "retention-period: 3600",
    "retention-expiration-date: Fri, 08 Sep 2017 22:33:08 GMT",
    "retention-legal-hold-count: 2",
    "x-ibm-restored-copy-storage-class: Standard",
    "x-ibm-transition: transition=\"ARCHIVE\"",
];

#[test]
fn every_header_of_an_object_is_an_attribute() {
    let server = Scripted::answering(&[(200, EVERY_HEADER, "hello")]);
    let object = Service::new(&server.client).object("b", "k");
    let headers = block_on(object.load()).unwrap();
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let content = &headers.content;
    assert_eq!(
        (said(&content.cache_control).as_str(), &*said(&content.content_disposition)),
        ("no-cache", "inline")
    );
    assert_eq!((said(&content.content_encoding).as_str(), &*said(&content.content_language)), ("gzip", "de"));
    assert_eq!(
        (said(&content.content_type).as_str(), &*said(&content.website_redirect)),
        ("text/plain", "/there")
    );
    assert_eq!(said(&content.expires), "Thu, 01 Dec 2044 16:00:00 GMT");
    assert_eq!(headers.etag.as_ref().map(|etag| &*etag.0), Some("e"));
    assert_eq!(headers.version.as_ref().map(|version| &*version.0), Some("v"));
    assert_eq!(headers.last_modified, timestamp::parse_rfc3339("2017-09-08T21:33:08Z"));
    assert_eq!((headers.size, headers.missing_metadata, headers.parts_count), (5, 1, Some(3)));
    assert_eq!(headers.metadata["colour"], "red");
    assert!(said(&headers.expiration).contains("rule-id") && said(&headers.restore).contains("true"));
    assert_eq!(
        (&*said(&headers.replication_status), &*said(&headers.storage_class)),
        ("COMPLETED", "GLACIER")
    );
    assert_eq!((&*said(&headers.sse), &*said(&headers.sse_kms_key_id)), ("aws:kms", "key"));
    let facts = &headers.facts;
    assert_eq!((&*said(&facts.accept_ranges), &*said(&facts.archive_status)), ("bytes", "ARCHIVE_ACCESS"));
    assert!(facts.delete_marker && facts.bucket_key);
    assert_eq!(said(&facts.request_charged), "requester");
    assert_eq!(said(&facts.sse_customer_algorithm), "AES256");
    assert_eq!(said(&facts.sse_customer_key_md5), "md5");
    let ibm = &facts.ibm;
    assert_eq!((ibm.retention_period, ibm.legal_holds), (Some(3600), 2));
    assert_eq!(ibm.retention_expires, headers.last_modified.map(|made| made + Duration::from_secs(3600)));
    assert_eq!(said(&ibm.restored_class), "Standard");
    assert_eq!(said(&ibm.transition), "transition=\"ARCHIVE\"");
}
