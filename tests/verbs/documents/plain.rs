//! Documents of which a bucket has one.

use holdfs::s3::ErrorKind;
use holdfs::s3::document::{Empty, Toggle};
use holdfs::s3::ops::{CreateBucket, HeadBucket};
use holdfs::s3::settings::lifecycle::{Expiration, LifecycleFilter};
use holdfs::s3::settings::replication::{Destination, Switch};
use holdfs::s3::settings::{
    Acceleration, AccelerationStatus, BucketEncryption, BucketTags, CorsConfiguration, CorsRule,
    DefaultEncryption, DeleteNamed, DeleteSetting, EncryptionRule, EventFilter, GetSetting, IndexDocument,
    Lifecycle, LifecycleRule, LogKeyFormat, Logging, LoggingTarget, Metrics, Notification, ObjectFilter,
    OwnershipControls, Payer, PutSetting, QueueTarget, Replication, ReplicationRule, RequestPayment,
    Versioning, VersioningStatus, Website,
};

use super::super::{holds_or_lacks, kind, taken};
use super::{comes_and_goes, filled_bucket, get, put, stays};
use crate::mounted::harness::{Bucket, Store};

#[test]
fn cors_rules_come_and_go() {
    let rule = CorsRule {
        allowed_methods: vec!["GET".into(), "PUT".into()],
        allowed_origins: vec!["https://*.example.com".into()],
        max_age_seconds: Some(60),
        ..CorsRule::default()
    };
    comes_and_goes(&filled_bucket(), CorsConfiguration { rules: vec![rule] });
}

#[test]
fn lifecycle_rules_come_and_go() {
    let bucket = filled_bucket();
    let expiration = Some(Expiration { days: Some(7), ..Expiration::default() });
    let filter = LifecycleFilter { prefix: Some("tmp/ä&".into()), ..LifecycleFilter::default() };
    let rule = LifecycleRule { expiration, ..LifecycleRule::new("old", filter) };
    let document = Lifecycle { rules: vec![rule], transition_minimum: None };
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: document.clone() }).unwrap();
    let got = bucket.send(&GetSetting::<Lifecycle>::new(&bucket.name)).unwrap().map(|got| got.rules);
    assert_eq!(got, Some(document.rules));
    bucket.send(&DeleteSetting::<Lifecycle>::new(&bucket.name)).unwrap();
    assert_eq!(get::<Lifecycle>(&bucket).unwrap(), None);
}

#[test]
fn default_encryption_comes_and_goes() {
    let by_default = Some(DefaultEncryption { algorithm: "AES256".into(), kms_key_id: None });
    let rule = EncryptionRule { by_default, bucket_key: Some(false), blocked: None };
    comes_and_goes(&filled_bucket(), BucketEncryption { rules: vec![rule] });
}

#[test]
fn tags_of_a_bucket_come_and_go() {
    comes_and_goes(&filled_bucket(), BucketTags([("team".to_owned(), "one / two".to_owned())].into()));
}

#[test]
fn a_website_comes_and_goes() {
    let index = Some(IndexDocument { suffix: "index.html".into() });
    comes_and_goes(&filled_bucket(), Website { index, ..Website::default() });
}

#[test]
fn who_pays_and_how_fast_stays() {
    let bucket = filled_bucket();
    stays(&bucket, RequestPayment { payer: Payer::Requester });
    stays(&bucket, RequestPayment { payer: Payer::BucketOwner });
    stays(&bucket, Acceleration { status: Some(AccelerationStatus::Enabled) });
}

#[test]
fn notifications_stay() {
    let bucket = filled_bucket();
    // Other stores check that the targets exist.
    if bucket.store.server.is_some() {
        let queue = QueueTarget {
            id: Some("1".into()),
            queue: "arn:minio:sqs::1:webhook".into(),
            events: vec!["s3:ObjectCreated:*".into()],
            filter: EventFilter::of(Some("in/"), Some(".jpg")),
        };
        let event_bridge = Some(Empty {});
        stays(&bucket, Notification { queues: vec![queue], event_bridge, ..Notification::default() });
    }
    // There is no other way to remove them.
    stays(&bucket, Notification::default());
}

#[test]
fn the_target_of_access_logs_stays() {
    let bucket = filled_bucket();
    let key_format = Some(LogKeyFormat { simple: Some(Empty {}), partitioned: None });
    let target =
        LoggingTarget { bucket: bucket.name.clone(), grants: None, prefix: "log/".into(), key_format };
    stays(&bucket, Logging { enabled: Some(target) });
    stays(&bucket, Logging::default());
}

#[test]
fn versioning_stays() {
    let bucket = filled_bucket();
    let Some(before) = taken("GetBucketVersioning", get::<Versioning>(&bucket)) else { return };
    assert_eq!(before.and_then(|document| document.status), None);
    for status in [VersioningStatus::Enabled, VersioningStatus::Suspended] {
        put(&bucket, &Versioning::of(status)).unwrap();
        assert_eq!(get::<Versioning>(&bucket).unwrap().and_then(|document| document.status), Some(status));
    }
}

#[test]
fn replication_needs_versioning() {
    let bucket = filled_bucket();
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
    let refused = put(&bucket, &document).is_err();
    holds_or_lacks("PutBucketReplication: refused without versioning", &refused, &true);
    put(&bucket, &Versioning::of(VersioningStatus::Enabled)).unwrap();
    comes_and_goes(&bucket, document);
}

#[test]
fn a_bucket_of_ones_own_is_not_made_again() {
    let bucket = Bucket::new(Store::shared());
    let again = bucket.send(&CreateBucket { bucket: bucket.name.clone(), ..CreateBucket::default() });
    // Where others say that it is done: AWS does so in us-east-1.
    if again.is_err() {
        assert_eq!(kind(again), ErrorKind::BucketExists);
    }
}

/// `DELETE /bucket?what` is `DELETE /bucket` to stores that do not know `what`.
#[test]
fn an_empty_bucket_survives_what_its_store_does_not_know() {
    let bucket = Bucket::new(Store::shared());
    let name = &bucket.name;
    let removed = [
        bucket.send(&DeleteSetting::<BucketEncryption>::new(name)),
        bucket.send(&DeleteSetting::<OwnershipControls>::new(name)),
        bucket.send(&DeleteNamed::<Metrics>::new(name, "a")),
    ];
    let quiet = [ErrorKind::Unsupported, ErrorKind::MethodNotAllowed, ErrorKind::NoSuchSetting];
    for error in removed.into_iter().filter_map(Result::err) {
        assert!(quiet.contains(&error.kind()), "{error}");
    }
    bucket.send(&HeadBucket { bucket: name.clone() }).unwrap();
}
