//! What the SDKs test themselves with, end to end: documents with what is to be read from them, a recorded selection,
//! presigned requests, addresses. Suites of one part of the client are beside that part.

mod addressing;
mod bodies;
mod credentials;
mod exchanges;
mod express;
mod profiles;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::credentials::Credentials;
use super::judge;
use super::ops::fixture::{reply, streamed_bytes, wire};
use super::ops::{
    CreateBucket, CsvHeader, CsvInput, CsvOutput, GetBucketLocation, ListBuckets, ListMultipartUploads,
    ListObjectVersions, ListObjects, Owner, SelectEvent, SelectInput, SelectObjectContent, SelectOutput,
};
use super::settings::{AccessControl, BucketPolicy, Logging, Setting};
use super::sign::key::KeyCache;
use super::sign::{Scheme, Signer, presign};
use super::{ErrorKind, Operation};
use crate::base::secret::Secret;
use crate::base::timestamp;

/// What a case differs in.
pub type Found = Result<(), String>;

/// Cases by their names, held against those that are otherwise on purpose, each with its reason.
fn compare<'a>(cases: impl IntoIterator<Item = (&'a str, Found)>, otherwise: &[(&str, &str)]) {
    let cases = cases.into_iter().map(|(name, found)| (name.to_owned(), found)).collect();
    judge_cases(cases, otherwise.iter().map(|(name, reason)| ((*name).to_owned(), *reason)).collect());
}

/// The same by their numbers, those that are otherwise listed by the reason.
pub fn compare_numbered(cases: Vec<Found>, otherwise: &[(&str, &[usize])]) {
    let cases = cases.into_iter().enumerate().map(|(number, found)| (number.to_string(), found)).collect();
    let otherwise = otherwise
        .iter()
        .flat_map(|(reason, numbers)| numbers.iter().map(move |number| (number.to_string(), *reason)));
    judge_cases(cases, otherwise.collect());
}

/// All others agree, and these do not.
fn judge_cases(cases: Vec<(String, Found)>, mut otherwise: BTreeMap<String, &str>) {
    let (mut faults, count) = (Vec::new(), cases.len());
    for (name, found) in cases {
        match (found, otherwise.remove(&name)) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Err(fault), None) => faults.push(format!("{name}: {fault}")),
            (Ok(()), Some(reason)) => faults.push(format!("{name}: agrees now, against: {reason}")),
        }
    }
    faults.extend(otherwise.keys().map(|name| format!("{name}: is no case")));
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    xml: String,
    expected: Map<String, Value>,
}

/// What a reply repeats of its request, which the caller knows.
const REPEATED: [&str; 10] = [
    "Bucket",
    "Delimiter",
    "EncodingType",
    "KeyMarker",
    "Marker",
    "MaxKeys",
    "MaxUploads",
    "Name",
    "Prefix",
    "UploadIdMarker",
];

fn without_empty(mut object: Map<String, Value>) -> Map<String, Value> {
    object.retain(|_, value| !matches!(value, Value::Null) && *value != json!("") && *value != json!([]));
    object
}

fn owner(owner: Option<Owner>) -> Value {
    owner.map_or(Value::Null, |owner| json!({ "ID": owner.id, "DisplayName": owner.display_name }))
}

fn time(at: SystemTime) -> String {
    timestamp::rfc3339_millis(at)
}

/// Our answer in the words of the SDKs.
fn read(name: &str, xml: &str) -> Value {
    match name {
        "s3-get-bucket-acl" => acl(xml),
        "s3-get-bucket-location" => {
            let asked = GetBucketLocation { bucket: "bucket".into() };
            let region = asked.decode(reply(200, &[], xml)).expect("read");
            // The old word, which we translate.
            json!({ "LocationConstraint": if region == "eu-west-1" { "EU" } else { &region } })
        }
        "s3-get-bucket-logging" => logging(xml),
        "s3-get-bucket-policy" => {
            json!({ "Policy": BucketPolicy::decode(xml.as_bytes()).expect("read").0 })
        }
        "s3-list-buckets" => {
            let listed = ListBuckets::default().decode(reply(200, &[], xml)).expect("read");
            let bucket = |bucket: &super::ops::Bucket| json!({ "Name": bucket.name, "CreationDate": bucket.created.map(time) });
            json!({ "Buckets": listed.buckets.iter().map(bucket).collect::<Vec<_>>(), "Owner": owner(listed.owner) })
        }
        "s3-list-multipart-uploads" | "s3-list-multipart-uploads#2" => uploads(xml),
        "s3-list-object-versions" => versions(xml),
        "s3-list-objects" => objects(xml),
        other => panic!("{other} is not read"),
    }
}

fn grants(grants: &Value) -> Value {
    let grant = |grant: &Value| {
        let mut grant = grant.clone();
        let known = |field: &str| grant["Grantee"].get(field).is_some();
        let kind = if known("ID") { "CanonicalUser" } else { "AmazonCustomerByEmail" };
        grant["Grantee"]["Type"] = json!(kind);
        grant
    };
    grants.as_array().into_iter().flatten().map(grant).collect()
}

fn acl(xml: &str) -> Value {
    let read = serde_json::to_value(AccessControl::decode(xml.as_bytes()).expect("read")).expect("JSON");
    json!({ "Owner": read["Owner"], "Grants": grants(&read["AccessControlList"]["Grant"]) })
}

fn logging(xml: &str) -> Value {
    let read = serde_json::to_value(Logging::decode(xml.as_bytes()).expect("read")).expect("JSON");
    let enabled = &read["LoggingEnabled"];
    json!({ "LoggingEnabled": {
        "TargetBucket": enabled["TargetBucket"],
        "TargetPrefix": enabled["TargetPrefix"],
        "TargetGrants": grants(&enabled["TargetGrants"]["Grant"]),
    } })
}

fn uploads(xml: &str) -> Value {
    let list = ListMultipartUploads { bucket: "bucket".into(), ..ListMultipartUploads::default() };
    let page = list.decode(reply(200, &[], xml)).expect("read");
    let upload = |upload: super::ops::Upload| {
        json!({
            "Key": upload.key, "UploadId": upload.upload_id, "Initiated": upload.initiated.map(time),
            "Initiator": owner(upload.initiator), "Owner": owner(upload.owner), "StorageClass": upload.storage_class,
        })
    };
    json!({
        "Uploads": page.uploads.into_iter().map(upload).collect::<Vec<_>>(),
        "CommonPrefixes": page.common_prefixes.iter().map(|prefix| json!({ "Prefix": prefix })).collect::<Vec<_>>(),
        "IsTruncated": page.is_truncated,
        "NextKeyMarker": page.next_key_marker,
        "NextUploadIdMarker": page.next_upload_id_marker,
    })
}

fn versions(xml: &str) -> Value {
    let list = ListObjectVersions { bucket: "bucket".into(), ..ListObjectVersions::default() };
    let page = list.decode(reply(200, &[], xml)).expect("read");
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for version in page.versions {
        let mut entry = json!({
            "Key": version.key, "VersionId": *version.version.0, "IsLatest": version.is_latest,
            "LastModified": time(version.last_modified), "Owner": owner(version.owner),
        });
        match version.object {
            Some(object) => {
                entry["ETag"] = json!(format!("\"{}\"", object.etag.0));
                entry["Size"] = json!(object.size);
                entry["StorageClass"] = json!(object.storage_class);
                versions.push(entry);
            }
            None => markers.push(entry),
        }
    }
    json!({ "Versions": versions, "DeleteMarkers": markers, "IsTruncated": page.is_truncated })
}

fn objects(xml: &str) -> Value {
    let list = ListObjects { bucket: "bucket".into(), ..ListObjects::default() };
    let page = list.decode(reply(200, &[], xml)).expect("read");
    let object = |object: super::ops::ListedObject| {
        json!({
            "Key": object.key, "ETag": format!("\"{}\"", object.etag.0), "Size": object.size,
            "LastModified": time(object.last_modified), "StorageClass": object.storage_class,
            "Owner": owner(object.owner),
        })
    };
    json!({
        "Contents": page.objects.into_iter().map(object).collect::<Vec<_>>(),
        "IsTruncated": page.next_marker.is_some(),
    })
}

#[test]
fn documents_are_read_as_the_sdks_read_them() {
    let text = include_str!("../../tests/fixtures/aws/response-parsing.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 11);
    for Case { name, xml, expected } in cases {
        if let Some(error) = expected.get("Error") {
            let request = CreateBucket { bucket: "bucket".into(), ..CreateBucket::default() };
            let request = request.encode().expect("a request");
            let (read, _) =
                judge::refusal(&request, StatusCode::BAD_REQUEST, &HeaderMap::new(), xml.as_bytes());
            let mut found = json!({ "Code": read.code(), "Message": read.message() });
            if let Some(bucket) = read.detail("BucketName") {
                found["BucketName"] = json!(bucket);
            }
            assert_eq!(found, *error, "{name}");
            assert!(!read.request_id().is_empty() && !read.host_id().is_empty(), "{name}");
            continue;
        }
        let mut expected = without_empty(expected);
        expected.retain(|field, _| !REPEATED.contains(&field.as_str()));
        let Value::Object(found) = read(&name, &xml) else { panic!("{name}") };
        assert_eq!(without_empty(found), expected, "{name}");
    }
}

#[derive(serde::Deserialize)]
struct Recorded {
    request: String,
    response: Vec<String>,
}

#[tokio::test]
async fn a_recorded_selection_is_asked_for_and_read_in_the_same_way() {
    let text = include_str!("../../tests/fixtures/aws/select-object-content.json");
    let recorded: Recorded = serde_json::from_str(text).expect("the fixture");
    let csv = CsvInput { header: Some(CsvHeader::Use), ..CsvInput::default() };
    let select = SelectObjectContent {
        bucket: "aws-rust-sdk".into(),
        key: "sample_data.csv".into(),
        expression: "SELECT * FROM s3object s WHERE s.\"Name\" = 'Jane'".into(),
        input: SelectInput { csv: Some(csv), ..SelectInput::default() },
        output: SelectOutput { csv: Some(CsvOutput::default()), ..SelectOutput::default() },
        progress: false,
        scan_range: None,
    };
    // An apostrophe needs no escape, an empty element may be closed at once, and no compression is the default.
    let theirs = recorded
        .request
        .replace("&apos;", "'")
        .replace("<CSV></CSV>", "<CSV/>")
        .replace("<CompressionType>NONE</CompressionType>", "");
    let ours = wire(&select).replace("<CSV></CSV>", "<CSV/>").replace("&apos;", "'");
    let head = "POST /aws-rust-sdk/sample_data.csv?select=&select-type=2\n";
    assert_eq!(ours, format!("{head}{theirs}"));

    let body: Vec<u8> =
        recorded.response.iter().flat_map(|part| STANDARD.decode(part).expect("base64")).collect();
    let mut selected = select.decode(streamed_bytes(200, &[], body)).expect("a stream");
    let mut events = Vec::new();
    while let Some(event) = selected.next().await.expect("whole frames") {
        events.push(event);
    }
    let [SelectEvent::Records(records), SelectEvent::Stats(stats)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*records, "Jane,(949) 555-6704,Chicago,Developer\r\n");
    assert_eq!((stats.scanned, stats.processed, stats.returned), (Some(333), Some(333), Some(39)));
    // Cut off before its end it is no answer.
    let body = STANDARD.decode(&recorded.response[0]).expect("base64");
    let cut = select.decode(streamed_bytes(200, &[], body)).expect("a stream");
    assert_eq!(cut.records(1 << 20).await.expect_err("cut off").kind(), ErrorKind::Corrupt);
}

/// Method, region, service, path, query, headers besides the host, host, signature.
type Presigned = (
    Method,
    [&'static str; 3],
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// Crate `aws-sdk-s3` 1.157.0, `tests/presigning.rs`.
const PRESIGNED: [Presigned; 6] = [
    (
        Method::GET,
        ["us-east-1", "s3", "test-bucket.s3.us-east-1.amazonaws.com"],
        "/test-key",
        &[("x-id", "GetObject")],
        &[],
        "758353318739033a850182c7b3435076eebbbd095f8dcf311383a6a1e124c4cb",
    ),
    (
        Method::PUT,
        ["us-east-1", "s3", "test-bucket.s3.us-east-1.amazonaws.com"],
        "/test-key",
        &[("x-id", "PutObject")],
        &[("content-length", "12345"), ("content-type", "application/x-test")],
        "be1d41dc392f7019750e4f5e577234fb9059dd20d15f6a99734196becce55e52",
    ),
    (
        Method::PUT,
        ["us-east-1", "s3", "bucket.s3.us-east-1.amazonaws.com"],
        "/key",
        &[("x-id", "UploadPart"), ("partNumber", "0"), ("uploadId", "upload-id")],
        &[("content-length", "12345")],
        "a702867244f0bd1fb4d161e2a062520dcbefae3b9992d2e5366bcd61a60c6ddd",
    ),
    (
        Method::GET,
        [
            "us-west-2",
            "s3-object-lambda",
            "my-banner-ap-name-123456789012.s3-object-lambda.us-west-2.amazonaws.com",
        ],
        "/test2.txt",
        &[("x-id", "GetObject")],
        &[],
        "027976453050b6f9cca7af80a59c05ee572b462e0fc1ef564c59412b903fcdf2",
    ),
    (
        Method::HEAD,
        ["us-east-1", "s3", "bucket.s3.us-east-1.amazonaws.com"],
        "/key",
        &[],
        &[],
        "6b97012e70d5ee3528b5591e0e90c0f45e0fa303506f854eff50ff922751a193",
    ),
    (
        Method::PUT,
        ["us-east-1", "s3", "test-bucket.s3.us-east-1.amazonaws.com"],
        "/test-key",
        &[("x-id", "PutObject")],
        &[("x-amz-checksum-crc64nvme", "NotARealChecksum")],
        "40e6ea102769a53f440db587be0b6898893d9a0f8268d2f8d2315ca0abc42fee",
    ),
];

#[test]
fn presigned_requests_are_signed_as_the_sdks_sign_them() {
    let credentials = Credentials {
        session_token: Some(Secret::new("notarealsessiontoken")),
        ..Credentials::new("ANOTREAL", Secret::new("notrealrnrELgWzOk3IfjzDKtFBhDby"))
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_891);
    let keys = KeyCache::default();
    for (method, [region, service, host], path, query, more, signature) in PRESIGNED {
        let signer =
            Signer { scheme: Scheme::V4, credentials: &credentials, region, service, time, keys: &keys };
        let headers: HeaderMap = more
            .iter()
            .chain(&[("host", host)])
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (headers, query) = (&headers, &query[..]);
        let target =
            presign::Target { method: &method, path, query, headers, payload_hash: "UNSIGNED-PAYLOAD" };
        let signed = presign::sign(&signer, &target, Duration::from_secs(30)).expect("signed");
        assert!(signed.ends_with(&format!("X-Amz-Signature={signature}")), "{method} {host}{path}: {signed}");
    }
}
