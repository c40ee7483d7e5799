//! What only IBM Cloud Object Storage does. None of its stores is here: the answers are those of its documentation,
//! by a server that says them.

use std::time::SystemTime;

use futures_util::TryStreamExt;
use holdfs::base::timestamp;
use holdfs::s3::ErrorKind;
use holdfs::s3::ops::{HeadObject, PutObject, With};
use holdfs::s3::settings::{GetSetting, PutSetting};
use holdfs::s3::transfer::pages;
use holdfs::s3::vendor::ibm::{
    AddLegalHold, BucketProtection, DeleteLegalHold, ExtendObjectRetention, Extension, GetBucketAspera,
    ListBucketReplicationFailures, ListBucketsExtended, ListLegalHolds, NewRetention, ProtectionDays,
    PutBucketReplicationReattempt,
};

use super::kind;
use super::scripted::Scripted;
use crate::mounted::harness::block_on;

fn at(text: &str) -> SystemTime {
    timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn holds_with_ids_are_added_listed_and_deleted() {
    let server = Scripted::answering(&[
        (200, &[], ""),
        (
            200,
            &[],
            "<RetentionState><CreateTime>Fri, 8 Sep 2017 21:33:08 GMT</CreateTime><RetentionPeriod>101\
             </RetentionPeriod><LegalHoldSet><LegalHold><ID>h1</ID><Date>Fri, 8 Sep 2017 21:33:18 GMT</Date>\
             </LegalHold></LegalHoldSet></RetentionState>",
        ),
        (200, &[], ""),
        (409, &[], "<Error><Code>LegalHoldAlreadyPresent</Code></Error>"),
    ]);
    let (bucket, key, id) = ("b".to_owned(), "k".to_owned(), "h1".to_owned());
    let add = AddLegalHold { bucket: bucket.clone(), key: key.clone(), id: id.clone() };
    server.send(&add).unwrap();
    let state = server.send(&ListLegalHolds { bucket: bucket.clone(), key: key.clone() }).unwrap();
    assert_eq!((state.holds.len(), state.holds[0].id.as_str()), (1, "h1"));
    assert_eq!(state.holds[0].since, Some(at("2017-09-08T21:33:18Z")));
    assert_eq!((state.created, state.period_seconds), (Some(at("2017-09-08T21:33:08Z")), Some(101)));
    server.send(&DeleteLegalHold { bucket, key, id }).unwrap();
    assert!(server.send(&add).is_err(), "an object has a hold of one id but once");
    let hold = |change: &str| format!("POST /b/k?{change}");
    let heard = server.heard();
    assert_eq!(heard[0], hold("add=h1&legalHold="));
    assert_eq!(heard[1], "GET /b/k?legalHold=");
    assert_eq!(heard[2], hold("legalHold=&remove=h1"));
}

#[test]
fn retention_is_given_extended_and_shown() {
    let server = Scripted::answering(&[
        (200, &["etag: \"e\""], ""),
        (200, &[], ""),
        (
            200,
            &[
                "etag: \"e\"",
                "last-modified: Fri, 08 Sep 2017 21:33:08 GMT",
                "retention-period: 3600",
                "retention-expiration-date: Fri, 08 Sep 2017 22:33:08 GMT",
                "retention-legal-hold-count: 1",
            ],
            "",
        ),
    ]);
    let put = With::new(PutObject::new("b", "k", "x"))
        .ibm_retention(NewRetention::Period(3600))
        .and_then(|put| put.ibm_legal_hold("h1"))
        .unwrap();
    server.send(&put).unwrap();
    let extension = Extension::Until(at("2040-01-31T00:00:00Z"));
    server.send(&ExtendObjectRetention { bucket: "b".into(), key: "k".into(), extension }).unwrap();
    let head = HeadObject { bucket: "b".into(), key: "k".into(), ..HeadObject::default() };
    server.send(&head).unwrap();
    let heard = server.heard();
    assert!(heard[0].contains("\nretention-legal-hold-id: h1\nretention-period: 3600\n"), "{}", heard[0]);
    assert!(
        heard[1].starts_with("POST /b/k?extendRetention=\nnew-retention-expiration-date: 20400131T000000Z"),
        "{}",
        heard[1]
    );
}

#[test]
fn a_bucket_protects_what_it_holds() {
    const DOCUMENT: &str = "<ProtectionConfiguration><Status>Retention</Status><MinimumRetention><Days>1</Days>\
        </MinimumRetention><MaximumRetention><Days>9</Days></MaximumRetention><DefaultRetention><Days>3</Days>\
        </DefaultRetention></ProtectionConfiguration>";
    let server = Scripted::answering(&[(200, &[], ""), (200, &[], DOCUMENT)]);
    let days = |days| Some(ProtectionDays { days });
    let document = BucketProtection {
        status: Some("Retention".into()),
        minimum: days(1),
        maximum: days(9),
        default: days(3),
        permanent: None,
    };
    server.send(&PutSetting { bucket: "b".into(), document: document.clone() }).unwrap();
    let got = server.send(&GetSetting::<BucketProtection>::new("b")).unwrap();
    assert_eq!(got, Some(document));
    let heard = server.heard();
    assert!(heard[0].starts_with("PUT /b?protection=\n"), "{}", heard[0]);
    assert!(heard[0].contains("content-md5: ") || heard[0].contains("x-amz-checksum-"), "{}", heard[0]);
    assert_eq!(heard[1], "GET /b?protection=");
}

#[test]
fn buckets_are_listed_with_their_places_in_pages() {
    let server = Scripted::answering(&[
        (
            200,
            &[],
            "<ListAllMyBucketsResult><IsTruncated>true</IsTruncated><Buckets><Bucket><Name>a</Name>\
             <LocationConstraint>us-south-standard</LocationConstraint></Bucket></Buckets></ListAllMyBucketsResult>",
        ),
        (
            200,
            &[],
            "<ListAllMyBucketsResult><IsTruncated>false</IsTruncated><Buckets><Bucket><Name>b</Name>\
             <LocationConstraint>eu-de-vault</LocationConstraint></Bucket></Buckets></ListAllMyBucketsResult>",
        ),
    ]);
    let list = ListBucketsExtended { max_keys: Some(1), ..ListBucketsExtended::default() };
    let buckets: Vec<_> = block_on(pages::buckets_extended(&server.client, list).try_collect()).unwrap();
    let places: Vec<_> = buckets.iter().map(|bucket| bucket.location.as_deref()).collect();
    assert_eq!(places, [Some("us-south-standard"), Some("eu-de-vault")]);
    assert_eq!(server.heard(), ["GET /?extended=&max-keys=1", "GET /?extended=&marker=a&max-keys=1"]);
}

#[test]
fn aspera_and_replication_are_asked_about() {
    let server = Scripted::answering(&[
        (
            200,
            &[],
            "<FASPConnectionInfo><AccessKey><Id>id</Id><Secret>s</Secret></AccessKey>\
             <ATSEndpoint>https://ats.example.com:443</ATSEndpoint></FASPConnectionInfo>",
        ),
        (
            200,
            &[],
            "<ListReplicationFailureResult><Name>b</Name><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>\
             <Contents><Key>k</Key><VersionId>v</VersionId><SyncType>content</SyncType></Contents>\
             </ListReplicationFailureResult>",
        ),
        (200, &[], ""),
        (404, &[], "<Error><Code>NoSuchBucket</Code></Error>"),
    ]);
    let aspera = server.send(&GetBucketAspera { bucket: "b".into() }).unwrap();
    assert_eq!((aspera.access_key.as_str(), aspera.endpoint.as_str()), ("id", "https://ats.example.com:443"));
    let list = ListBucketReplicationFailures { bucket: "b".into(), ..Default::default() };
    let page = server.send(&list).unwrap();
    assert_eq!((page.failures[0].key.as_str(), page.next), ("k", None));
    server.send(&PutBucketReplicationReattempt { bucket: "b".into() }).unwrap();
    assert_eq!(kind(server.send(&GetBucketAspera { bucket: "b".into() })), ErrorKind::NoSuchBucket);
    let heard = server.heard();
    assert_eq!(heard[0], "GET /b?faspConnectionInfo=");
    assert_eq!(heard[1], "GET /b?ibm-replication-failures=");
    assert!(heard[2].starts_with("PUT /b?ibm-replication-reattempt="), "{}", heard[2]);
}
