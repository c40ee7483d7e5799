//! IBM's protected buckets, sessions of directory buckets and S3 Metadata, on the embedded server.

use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{
    CopyObject, CopySource, CreateBucket, DeleteBucket, DeleteObject, GetObject, HeadObject, KeepHeaders,
    PutObject, With,
};
use holdfs::s3::settings::metadata::{
    CreateBucketMetadataConfiguration, CreateBucketMetadataTableConfiguration,
    DeleteBucketMetadataConfiguration, DeleteBucketMetadataTableConfiguration,
    GetBucketMetadataConfiguration, GetBucketMetadataTableConfiguration, InventoryTable, JournalTable,
    MetadataConfiguration, MetadataTable, RecordExpiration, TableState, TablesDestination,
    UpdateBucketMetadataInventoryTableConfiguration,
};
use holdfs::s3::settings::{GetSetting, PutSetting, Replication, Setting, Versioning, VersioningStatus};
use holdfs::s3::vendor::ibm::{
    AddLegalHold, BucketProtection, DeleteLegalHold, ExtendObjectRetention, Extension, GetBucketAspera,
    ListBucketReplicationFailures, ListBucketsExtended, ListLegalHolds, NewRetention, ProtectionDays,
    PutBucketReplicationReattempt,
};

use super::kind;
use crate::mounted::harness::{Bucket, Store};

fn embedded() -> Option<&'static Store> {
    Some(Store::shared()).filter(|store| store.server.is_some())
}

fn protection(minimum: u32, default: u32, maximum: u32) -> BucketProtection {
    let days = |days| Some(ProtectionDays { days });
    BucketProtection {
        status: Some("Retention".into()),
        minimum: days(minimum),
        default: days(default),
        maximum: days(maximum),
        permanent: None,
    }
}

#[test]
fn a_protected_bucket_keeps_what_it_holds() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let get = || bucket.send(&GetSetting::<BucketProtection>::new(&bucket.name)).unwrap().unwrap();
    let put = |document| bucket.send(&PutSetting { bucket: bucket.name.clone(), document });
    assert_eq!(get().status.as_deref(), Some("Disabled"));
    assert_eq!(kind(put(protection(3, 2, 1))), ErrorKind::Invalid);
    put(protection(0, 0, 10)).unwrap();
    assert_eq!(get(), protection(0, 0, 10));
    bucket.put("free", "x");
    bucket.delete("free");
    put(protection(0, 1, 10)).unwrap();
    bucket.put("k", "x");
    let delete = DeleteObject { bucket: bucket.name.clone(), key: "k".into(), ..DeleteObject::default() };
    assert_eq!(kind(bucket.send(&delete).map(drop)), ErrorKind::Denied);
    assert_eq!(kind(bucket.send(&PutObject::new(&bucket.name, "k", "y")).map(drop)), ErrorKind::Denied);
    let filled = Bucket::new(store);
    filled.put("k", "x");
    let document = protection(0, 1, 2);
    assert_eq!(
        kind(filled.send(&PutSetting { bucket: filled.name.clone(), document })),
        ErrorKind::BucketNotEmpty
    );
}

#[test]
fn legal_holds_have_ids_and_retention_grows() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: protection(0, 1, 10) }).unwrap();
    bucket.put("k", "x");
    let (name, key) = (bucket.name.clone(), "k".to_owned());
    let add = |id: &str| bucket.send(&AddLegalHold { bucket: name.clone(), key: key.clone(), id: id.into() });
    let remove =
        |id: &str| bucket.send(&DeleteLegalHold { bucket: name.clone(), key: key.clone(), id: id.into() });
    let list = || bucket.send(&ListLegalHolds { bucket: name.clone(), key: key.clone() }).unwrap();
    add("case-1").unwrap();
    add("case-2").unwrap();
    assert!(add("case-1").is_err());
    let state = list();
    let ids: Vec<_> = state.holds.iter().map(|hold| hold.id.as_str()).collect();
    assert_eq!((ids, state.period_seconds), (vec!["case-1", "case-2"], Some(86_400)));
    remove("case-1").unwrap();
    assert!(remove("case-1").is_err());
    assert_eq!(list().holds.len(), 1);
    let extend =
        |extension| bucket.send(&ExtendObjectRetention { bucket: name.clone(), key: key.clone(), extension });
    extend(Extension::Additional(3600)).unwrap();
    assert_eq!(list().period_seconds, Some(86_400 + 3600));
    assert_eq!(kind(extend(Extension::Period(60))), ErrorKind::Invalid, "never shorter");
    assert_eq!(
        kind(extend(Extension::FromNow(20 * 86_400))),
        ErrorKind::Invalid,
        "beyond the bucket's maximum"
    );
    let plain = Bucket::new(store);
    plain.put("k", "x");
    let unprotected = AddLegalHold { bucket: plain.name.clone(), key: "k".into(), id: "x".into() };
    assert_eq!(kind(plain.send(&unprotected)), ErrorKind::Invalid);
}

#[test]
fn a_new_object_may_say_how_long_it_is_kept() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let put = |retention| {
        let put = With::new(PutObject::new(&bucket.name, "k", "x")).ibm_retention(retention);
        bucket.send(&put.and_then(|put| put.ibm_legal_hold("case-1")).unwrap())
    };
    assert_eq!(kind(put(NewRetention::Period(3600)).map(drop)), ErrorKind::Invalid, "nothing keeps it here");
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: protection(0, 1, 10) }).unwrap();
    assert_eq!(kind(put(NewRetention::Period(-1)).map(drop)), ErrorKind::Invalid, "not without end");
    assert_eq!(kind(put(NewRetention::Period(20 * 86_400)).map(drop)), ErrorKind::Invalid);
    put(NewRetention::Period(2 * 86_400)).unwrap();
    let state = bucket.send(&ListLegalHolds { bucket: bucket.name.clone(), key: "k".into() }).unwrap();
    assert_eq!((state.holds.len(), state.holds[0].id.as_str()), (1, "case-1"));
    let period = state.period_seconds.unwrap();
    assert!((2 * 86_400 - 1..=2 * 86_400 + 1).contains(&period), "{period}");
}

#[test]
fn objects_are_kept_without_end_where_the_bucket_says_so() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let document = BucketProtection { permanent: Some(true), ..protection(0, 0, 10) };
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    let put =
        With::new(PutObject::new(&bucket.name, "k", "x")).ibm_retention(NewRetention::Period(-1)).unwrap();
    bucket.send(&put).unwrap();
    let (name, key) = (bucket.name.clone(), "k".to_owned());
    let list = || bucket.send(&ListLegalHolds { bucket: name.clone(), key: key.clone() }).unwrap();
    assert_eq!((list().period_seconds, list().expires), (Some(-1), None));
    let head = HeadObject { bucket: name.clone(), key: key.clone(), ..HeadObject::default() };
    let (headers, _) = bucket.send(&KeepHeaders(head)).unwrap();
    assert_eq!(
        (headers["retention-period"].to_str().unwrap(), headers.get("retention-expiration-date")),
        ("-1", None)
    );
    let extend =
        |extension| bucket.send(&ExtendObjectRetention { bucket: name.clone(), key: key.clone(), extension });
    assert_eq!(kind(extend(Extension::Period(60))), ErrorKind::Invalid, "never shorter");
    extend(Extension::Period(-2)).unwrap();
    assert_eq!((list().period_seconds, list().expires), (Some(-2), None));
    assert_eq!(kind(extend(Extension::Period(-1))), ErrorKind::Invalid, "never shorter");
    let delete = DeleteObject { bucket: name.clone(), key: key.clone(), ..DeleteObject::default() };
    assert_eq!(kind(bucket.send(&delete).map(drop)), ErrorKind::Denied);
}

#[test]
fn a_copy_takes_over_what_keeps_its_source() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: protection(0, 0, 10) }).unwrap();
    let put = With::new(PutObject::new(&bucket.name, "k", "x")).ibm_retention(NewRetention::Period(86_400));
    bucket.send(&put.and_then(|put| put.ibm_legal_hold("case-1")).unwrap()).unwrap();
    let copied = |key: &str, directive: Option<&str>| {
        let source = CopySource { bucket: bucket.name.clone(), key: "k".into(), ..CopySource::default() };
        let copy =
            CopyObject { source, bucket: bucket.name.clone(), key: key.into(), ..CopyObject::default() };
        let copy = With::new(copy);
        bucket.send(&match directive {
            Some(directive) => copy.ibm_retention_directive(directive).unwrap(),
            None => copy,
        })?;
        bucket.send(&ListLegalHolds { bucket: bucket.name.clone(), key: key.into() })
    };
    let kept = copied("kept", Some("COPY")).unwrap();
    let holds: Vec<_> = kept.holds.iter().map(|hold| hold.id.as_str()).collect();
    assert!(kept.period_seconds.is_some_and(|period| period > 86_000), "{kept:?}");
    assert_eq!(holds, ["case-1"]);
    for directive in [None, Some("REPLACE")] {
        let own = copied("own", directive).unwrap();
        assert_eq!((own.period_seconds, own.holds.len()), (Some(0), 0), "the bucket's default");
    }
    assert_eq!(kind(copied("other", Some("MOVE")).map(drop)), ErrorKind::Invalid);
}

#[test]
fn replications_never_fail_here_for_none_is_tried() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let list = ListBucketReplicationFailures { bucket: bucket.name.clone(), ..Default::default() };
    let again = PutBucketReplicationReattempt { bucket: bucket.name.clone() };
    let code = |answer: holdfs::s3::Result<()>| answer.unwrap_err().code().to_owned();
    assert_eq!(code(bucket.send(&list).map(drop)), "ReplicationConfigurationNotFoundError");
    assert_eq!(code(bucket.send(&again)), "ReplicationConfigurationNotFoundError");
    let document = Versioning::of(VersioningStatus::Enabled);
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document }).unwrap();
    let document = Replication::decode(
        b"<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role><Rule><Status>Enabled</Status><Prefix></Prefix>\
          <Destination><Bucket>arn:aws:s3:::elsewhere</Bucket></Destination></Rule></ReplicationConfiguration>",
    );
    bucket.send(&PutSetting { bucket: bucket.name.clone(), document: document.unwrap() }).unwrap();
    let page = bucket.send(&list).unwrap();
    assert_eq!((page.failures.len(), page.truncated, page.next), (0, Some(false), None));
    bucket.send(&again).unwrap();
}

#[test]
fn what_only_ibms_cloud_has_is_refused_by_name() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let refused = |answer: holdfs::s3::Result<()>| {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        error.to_string()
    };
    let create = CreateBucket { bucket: format!("{}-kp", bucket.name), ..CreateBucket::default() };
    let create = With::new(create).ibm_root_key("crn:v1:x").unwrap();
    assert!(refused(bucket.send(&create).map(drop)).contains("Key Protect"));
    let head = HeadObject { bucket: bucket.name.clone(), key: "k".into(), ..HeadObject::default() };
    let get = GetObject { bucket: bucket.name.clone(), key: "k".into(), ..GetObject::default() };
    let get = With::new(get).ibm_mirror("elsewhere").unwrap();
    assert!(refused(bucket.send(&get).map(drop)).contains("migrated"));
    assert_eq!(kind(bucket.send(&head)), ErrorKind::NoSuchKey);
    let aspera = GetBucketAspera { bucket: bucket.name.clone() };
    assert!(refused(bucket.send(&aspera).map(drop)).contains("GetBucketAspera"));
    let made = CreateBucket { bucket: format!("{}-made", bucket.name), ..CreateBucket::default() };
    bucket.send(&With::new(made).ibm_service_instance("any").unwrap()).unwrap();
    bucket.send(&DeleteBucket { bucket: format!("{}-made", bucket.name) }).unwrap();
}

#[test]
fn buckets_are_listed_with_their_places() {
    let Some(store) = embedded() else { return };
    let bucket = Bucket::new(store);
    let list = ListBucketsExtended { prefix: Some(bucket.name.clone()), ..ListBucketsExtended::default() };
    let page = bucket.send(&list).unwrap();
    assert_eq!(page.buckets().len(), 1);
    assert_eq!(page.buckets()[0].location.as_deref(), Some(store.region.as_str()));
}

#[test]
fn metadata_tables_are_configured_and_not_there() {
    let Some(store) = embedded() else { return };
    let made = Bucket::new(store);
    let bucket = || made.name.clone();
    let get = || made.send(&GetBucketMetadataConfiguration { bucket: bucket() }).unwrap();
    assert_eq!(get(), None);
    let expiration = RecordExpiration { expiration: TableState::Enabled, days: Some(30) };
    let journal = JournalTable { expiration: expiration.clone(), encryption: None };
    let configuration = MetadataConfiguration { journal, inventory: None, annotations: None };
    let create = CreateBucketMetadataConfiguration { bucket: bucket(), configuration };
    made.send(&create).unwrap();
    assert!(made.send(&create).is_err(), "there is one already");
    let table = InventoryTable { state: TableState::Enabled, encryption: None };
    made.send(&UpdateBucketMetadataInventoryTableConfiguration { bucket: bucket(), table }).unwrap();
    let status = get().unwrap();
    let journal = status.journal.unwrap();
    assert_eq!((journal.expiration, journal.status.as_deref()), (Some(expiration), Some("FAILED")));
    assert_eq!(status.inventory.unwrap().state, Some(TableState::Enabled));
    made.send(&DeleteBucketMetadataConfiguration { bucket: bucket() }).unwrap();
    assert_eq!(get(), None);
}

#[test]
fn the_first_version_of_a_metadata_table_too() {
    let Some(store) = embedded() else { return };
    let made = Bucket::new(store);
    let bucket = || made.name.clone();
    let destination = TablesDestination { bucket: "arn:aws:s3tables:x".into(), name: "t".into() };
    let configuration = MetadataTable { destination };
    made.send(&CreateBucketMetadataTableConfiguration { bucket: bucket(), configuration }).unwrap();
    let get = || made.send(&GetBucketMetadataTableConfiguration { bucket: bucket() }).unwrap();
    assert_eq!(get().unwrap().result.destination.name, "t");
    made.send(&DeleteBucketMetadataTableConfiguration { bucket: bucket() }).unwrap();
    assert_eq!(get(), None);
}
