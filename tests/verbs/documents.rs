//! Every configuration document: put, got as it was put, taken back.

use holdfs::s3::document::{Empty, Toggle};
use holdfs::s3::ops::{CreateBucket, GetObjectAcl, PutBucketCannedAcl, PutObjectCannedAcl};
use holdfs::s3::settings::acl::{ALL_USERS, Grantee, Permission};
use holdfs::s3::settings::lifecycle::{Expiration, LifecycleFilter};
use holdfs::s3::settings::replication::{Destination, Switch};
use holdfs::s3::settings::reports::{ArchiveTier, MetricsFilter, StorageClassAnalysis, Tiering};
use holdfs::s3::settings::*;
use holdfs::s3::{ErrorKind, Result};

use super::{holds_or_lacks, kind};
use crate::mounted::harness::{Bucket, Store};

/// Whether the store knows such documents at all.
fn knows<T>(what: &str, asked: &Result<T>) -> bool {
    let asked = asked.as_ref().map(drop).map_err(|error| error.kind());
    if holds_or_lacks(what, &asked, &Ok(())) {
        return true;
    }
    assert!(matches!(asked, Err(ErrorKind::Unsupported | ErrorKind::MethodNotAllowed)), "{what}: {asked:?}");
    false
}

fn get<S: Setting>(bucket: &Bucket<'_>) -> Result<Option<S>> {
    bucket.send(&GetSetting::<S>::new(&bucket.name))
}

fn put<S: Setting + Clone>(bucket: &Bucket<'_>, document: &S) -> Result<()> {
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: document.clone() })
}

/// Puts it, gets the same, removes it: then there is none.
fn comes_and_goes<S: Removable + Clone + PartialEq + std::fmt::Debug>(bucket: &Bucket<'_>, document: S) {
    let before = get::<S>(bucket);
    if !knows(S::GET, &before) {
        return;
    }
    put(bucket, &document).unwrap();
    assert_eq!(get::<S>(bucket).unwrap(), Some(document));
    bucket.send(&DeleteSetting::<S>::new(&bucket.name)).unwrap();
    assert_eq!(get::<S>(bucket).unwrap(), before.unwrap(), "{}", S::DELETE);
}

/// Puts it and gets the same.
fn stays<S: Setting + Clone + PartialEq + std::fmt::Debug>(bucket: &Bucket<'_>, document: S) {
    if knows(S::GET, &get::<S>(bucket)) {
        put(bucket, &document).unwrap();
        assert_eq!(get::<S>(bucket).unwrap(), Some(document));
    }
}

#[test]
fn documents_that_can_be_deleted_come_and_go() {
    let bucket = Bucket::new(Store::shared());
    let rule = CorsRule {
        allowed_methods: vec!["GET".into(), "PUT".into()],
        allowed_origins: vec!["https://*.example.com".into()],
        max_age_seconds: Some(60),
        ..CorsRule::default()
    };
    comes_and_goes(&bucket, CorsConfiguration { rules: vec![rule] });
    let expiration = Some(Expiration { days: Some(7), ..Expiration::default() });
    let filter = LifecycleFilter { prefix: Some("tmp/ä&".into()), ..LifecycleFilter::default() };
    let rule = LifecycleRule { expiration, ..LifecycleRule::new("old", filter) };
    comes_and_goes(&bucket, Lifecycle { rules: vec![rule], transition_minimum: None });
    let by_default = Some(DefaultEncryption { algorithm: "AES256".into(), kms_key_id: None });
    let rule = EncryptionRule { by_default, bucket_key: Some(false), blocked: None };
    comes_and_goes(&bucket, BucketEncryption { rules: vec![rule] });
    comes_and_goes(&bucket, BucketTags([("team".to_owned(), "a b".to_owned())].into()));
    let index = Some(IndexDocument { suffix: "index.html".into() });
    comes_and_goes(&bucket, Website { index, ..Website::default() });
    let rules = vec![OwnershipRule { ownership: Ownership::ObjectWriter }];
    comes_and_goes(&bucket, OwnershipControls { rules });
    let flag = Some(true);
    comes_and_goes(
        &bucket,
        PublicAccessBlock { block_acls: flag, ignore_acls: flag, block_policy: flag, restrict_buckets: flag },
    );
}

#[test]
fn a_policy_is_kept_to_the_letter() {
    let bucket = Bucket::new(Store::shared());
    let resource = format!("arn:aws:s3:::{}/*", bucket.name);
    let policy = |principal: &str| {
        let statement = format!(
            r#"{{"Sid":"1","Effect":"Allow","Principal":{principal},"Action":["s3:GetObject"],"Resource":["{resource}"]}}"#
        );
        BucketPolicy(format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#))
    };
    let open = policy(r#"{"AWS":["*"]}"#);
    if !knows("GetBucketPolicy", &get::<BucketPolicy>(&bucket)) {
        return;
    }
    put(&bucket, &open).unwrap();
    let json = |policy: &str| serde_json::from_str::<serde_json::Value>(policy).unwrap();
    assert_eq!(json(&get::<BucketPolicy>(&bucket).unwrap().unwrap().0), json(&open.0));
    let status = bucket.send(&GetBucketPolicyStatus { bucket: bucket.name.clone() });
    if knows("GetBucketPolicyStatus", &status) {
        assert_eq!(status.unwrap(), Some(PolicyStatus { is_public: Some(true) }));
    }
    assert_eq!(
        kind(put(&bucket, &BucketPolicy("{ not JSON".into()))),
        ErrorKind::Invalid,
        "a policy that is none"
    );
    bucket.send(&DeleteSetting::<BucketPolicy>::new(&bucket.name)).unwrap();
    assert_eq!(get::<BucketPolicy>(&bucket).unwrap(), None);
}

#[test]
fn documents_that_can_only_be_replaced_stay() {
    let store = Store::shared();
    let bucket = Bucket::new(store);
    stays(&bucket, RequestPayment { payer: Payer::Requester });
    stays(&bucket, RequestPayment { payer: Payer::BucketOwner });
    stays(&bucket, Acceleration { status: Some(AccelerationStatus::Enabled) });
    if store.server.is_none() {
        // Other stores check that the targets exist.
        return;
    }
    let queue = QueueTarget {
        id: Some("1".into()),
        queue: "arn:minio:sqs::1:webhook".into(),
        events: vec!["s3:ObjectCreated:*".into()],
        filter: EventFilter::of(Some("in/"), Some(".jpg")),
    };
    let event_bridge = Some(Empty {});
    stays(&bucket, Notification { queues: vec![queue], event_bridge, ..Notification::default() });
    stays(&bucket, Notification::default());
    let target = LoggingTarget {
        bucket: bucket.name.clone(),
        grants: None,
        prefix: "log/".into(),
        key_format: Some(LogKeyFormat { simple: Some(Empty {}), partitioned: None }),
    };
    stays(&bucket, Logging { enabled: Some(target) });
    stays(&bucket, Logging::default());
}

#[test]
fn replication_needs_versioning() {
    let store = Store::shared();
    if store.server.is_none() {
        // Other stores check that the target exists.
        return;
    }
    let bucket = Bucket::new(store);
    let rule = ReplicationRule {
        id: Some("all".into()),
        priority: Some(1),
        prefix: None,
        filter: Some(ObjectFilter { prefix: Some("d/".into()), ..ObjectFilter::default() }),
        status: Toggle::Enabled,
        source: None,
        existing_objects: None,
        destination: Destination {
            bucket: "arn:aws:s3:::elsewhere".into(),
            account: None,
            storage_class: Some("STANDARD".into()),
            owner: None,
            encryption: None,
            time: None,
            metrics: None,
        },
        delete_markers: Some(Switch { status: Toggle::Disabled }),
        deletes: None,
    };
    let document = Replication { role: Some("arn:aws:iam::1:role/r".into()), rules: vec![rule] };
    assert_eq!(kind(put(&bucket, &document)), ErrorKind::Invalid);
    put(&bucket, &Versioning::of(VersioningStatus::Enabled)).unwrap();
    comes_and_goes(&bucket, document);
}

#[test]
fn documents_with_ids_are_listed() {
    let bucket = Bucket::new(Store::shared());
    let list = ListNamed::<Metrics>::new(&bucket.name);
    let before = bucket.send(&list);
    if !knows("ListBucketMetricsConfigurations", &before) {
        return;
    }
    let metrics = |id: &str| Metrics {
        id: id.into(),
        filter: Some(MetricsFilter { prefix: Some(format!("{id}/")), ..MetricsFilter::default() }),
    };
    for id in ["b", "a"] {
        bucket.send(&PutNamed { bucket: bucket.name.clone(), document: metrics(id) }).unwrap();
    }
    assert_eq!(bucket.send(&GetNamed::<Metrics>::new(&bucket.name, "a")).unwrap(), Some(metrics("a")));
    assert_eq!(bucket.send(&GetNamed::<Metrics>::new(&bucket.name, "c")).unwrap(), None);
    let page = bucket.send(&list).unwrap();
    assert_eq!(page, NamedPage { documents: vec![metrics("a"), metrics("b")], next: None });
    bucket.send(&DeleteNamed::<Metrics>::new(&bucket.name, "a")).unwrap();
    assert_eq!(bucket.send(&list).unwrap().documents, [metrics("b")]);
}

#[test]
fn a_long_list_of_documents_comes_in_pages() {
    let store = Store::shared();
    if store.server.is_none() {
        return;
    }
    let bucket = Bucket::new(store);
    for number in 0..105 {
        let id = format!("{number:03}");
        let tierings = vec![Tiering { days: 90, access_tier: ArchiveTier::Archive }];
        let document = IntelligentTiering { id, filter: None, status: Toggle::Enabled, tierings };
        bucket.send(&PutNamed { bucket: bucket.name.clone(), document }).unwrap();
    }
    let mut list = ListNamed::<IntelligentTiering>::new(&bucket.name);
    let first = bucket.send(&list).unwrap();
    list.continuation_token = first.next;
    let second = bucket.send(&list).unwrap();
    assert_eq!((first.documents.len(), second.documents.len(), second.next), (100, 5, None));
    let document = Analytics { id: "x".into(), filter: None, analysis: StorageClassAnalysis::default() };
    bucket.send(&PutNamed { bucket: bucket.name.clone(), document: document.clone() }).unwrap();
    assert_eq!(bucket.send(&GetNamed::<Analytics>::new(&bucket.name, "x")).unwrap(), Some(document));
}

#[test]
fn canned_lists_say_who_may_read() {
    let store = Store::shared();
    let bucket = Bucket::new(store);
    bucket.put("k", "x");
    let everybody_reads = |acl: &AccessControl| {
        acl.list.grants.iter().any(|grant| {
            grant.grantee == Grantee::Group { uri: ALL_USERS.into() } && grant.permission == Permission::Read
        })
    };
    let of_bucket = || get::<AccessControl>(&bucket);
    if !knows("GetBucketAcl", &of_bucket()) {
        return;
    }
    assert!(!everybody_reads(&of_bucket().unwrap().unwrap()));
    let canned = PutBucketCannedAcl { bucket: bucket.name.clone(), acl: "public-read".into() };
    if knows("PutBucketAcl", &bucket.send(&canned)) {
        assert!(everybody_reads(&of_bucket().unwrap().unwrap()));
    }
    let object = GetObjectAcl { bucket: bucket.name.clone(), key: "k".into(), ..GetObjectAcl::default() };
    assert!(!everybody_reads(&bucket.send(&object).unwrap()));
    let canned = PutObjectCannedAcl {
        bucket: bucket.name.clone(),
        key: "k".into(),
        version: None,
        acl: "public-read".into(),
    };
    if knows("PutObjectAcl", &bucket.send(&canned)) {
        assert!(everybody_reads(&bucket.send(&object).unwrap()));
    }
}

#[test]
fn what_the_embedded_server_lacks_it_says() {
    let store = Store::shared();
    if store.server.is_none() {
        return;
    }
    let bucket = Bucket::new(store);
    assert_eq!(kind(get::<AttributeAccess>(&bucket)), ErrorKind::Unsupported);
    let again = CreateBucket { bucket: bucket.name.clone(), ..CreateBucket::default() };
    assert_eq!(kind(bucket.send(&again)), ErrorKind::BucketExists);
}
