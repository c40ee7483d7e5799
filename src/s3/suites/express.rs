//! Directory buckets as the Rust SDK's own tests ask for them (`tests/express.rs` and its recorded traffic).
//!
//! Not among them: a source of session keys of the caller's own, which this client does not have.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method};

use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::s3::credentials::Proof;
use crate::s3::ops::{DeleteObjects, GetObject, ListObjectsV2, PutObject};
use crate::s3::scripted::{Sent, Wire};
use crate::s3::sign::key::KeyCache;
use crate::s3::sign::{Scheme, Signer, presign};
use crate::s3::{AwsAddress, ChecksumAlgorithm, Config, Credentials, Provider};

const BUCKET: &str = "s3express-test-bucket--usw2-az1--x-s3";
const HOST: &str = "s3express-test-bucket--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com";
const OTHER: &str = "s3express-test-bucket-2--usw2-az3--x-s3";
const OTHER_HOST: &str = "s3express-test-bucket-2--usw2-az3--x-s3.s3express-usw2-az3.us-west-2.amazonaws.com";
const SESSION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <CreateSessionResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Credentials>\
    <SessionToken>TESTSESSIONTOKEN</SessionToken><SecretAccessKey>TESTSECRETKEY</SecretAccessKey>\
    <AccessKeyId>ASIARTESTID</AccessKeyId><Expiration>2024-01-29T18:53:01Z</Expiration></Credentials>\
    </CreateSessionResult>";

fn wire() -> Wire {
    Wire::answering(|_, sent| {
        let listing =
            "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";
        let body = match sent.url.split_once('?').map_or("", |(_, query)| query) {
            "session=" => SESSION,
            "delete=" => "<DeleteResult/>",
            query if query.contains("list-type") => listing,
            _ => "",
        };
        (200, body.to_owned())
    })
}

fn config() -> Config {
    let ours = Credentials {
        session_token: Some(Secret::new("notarealsessiontoken")),
        ..Credentials::new("ANOTREAL", Secret::new("notrealrnrELgWzOk3IfjzDKtFBhDby"))
    };
    Config {
        region: Some("us-west-2".to_owned()),
        clock: Clock::manual_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_891)),
        ..Config::new(Provider::fixed(ours))
    }
}

fn list(bucket: &str) -> ListObjectsV2 {
    ListObjectsV2 { bucket: bucket.to_owned(), ..ListObjectsV2::default() }
}

fn header<'a>(sent: &'a Sent, name: &str) -> &'a str {
    sent.headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn sessions_are_opened_for_each_directory_bucket_once_and_for_no_other() {
    let (wire, config) = (wire(), config());
    let client = wire.client(config);
    for bucket in [BUCKET, "regular-test-bucket", OTHER, BUCKET] {
        client.send(&list(bucket)).await.expect("listed");
    }
    let (session, ours) = (("", "TESTSESSIONTOKEN"), ("notarealsessiontoken", ""));
    let expected = [
        (format!("https://{HOST}/?session"), "ANOTREAL", "s3express", ours),
        (format!("https://{HOST}/"), "ASIARTESTID", "s3express", session),
        ("https://regular-test-bucket.s3.us-west-2.amazonaws.com/".to_owned(), "ANOTREAL", "s3", ours),
        (format!("https://{OTHER_HOST}/?session"), "ANOTREAL", "s3express", ours),
        (format!("https://{OTHER_HOST}/"), "ASIARTESTID", "s3express", session),
        (format!("https://{HOST}/"), "ASIARTESTID", "s3express", session),
    ];
    let heard = wire.heard();
    assert_eq!(heard.len(), expected.len());
    for (sent, (url, key, service, (token, session_token))) in heard.iter().zip(expected) {
        let asked = sent.url.strip_suffix('=').filter(|asked| asked.ends_with("session"));
        assert_eq!(asked.or_else(|| sent.url.split('?').next()), Some(&*url));
        let scope = format!("Credential={key}/20090213/us-west-2/{service}/aws4_request,");
        assert!(header(sent, "authorization").contains(&scope), "{url}");
        assert_eq!(header(sent, "x-amz-security-token"), token, "{url}");
        assert_eq!(header(sent, "x-amz-s3session-token"), session_token, "{url}");
        assert_eq!(header(sent, "x-amz-create-session-mode"), "", "{url}");
    }
}

#[tokio::test]
async fn sessions_that_are_switched_off_are_not_opened() {
    let off = AwsAddress { express_sessions: false, ..AwsAddress::default() };
    let wire = wire();
    wire.client(Config { aws_address: off, ..config() }).send(&list(BUCKET)).await.expect("listed");
    let heard = wire.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(header(&heard[0], "x-amz-s3session-token"), "");
    assert_eq!(header(&heard[0], "x-amz-security-token"), "notarealsessiontoken");
}

#[tokio::test]
async fn a_presigned_url_holds_the_token_of_the_session() {
    let wire = wire();
    let get = GetObject { bucket: BUCKET.to_owned(), key: "ferris.png".to_owned(), ..GetObject::default() };
    let url = wire.client(config()).presign(&get, Duration::from_secs(30)).await.expect("signed");
    let (address, query) = url.split_once('?').expect("a query");
    assert_eq!(address, format!("https://{HOST}/ferris.png"));
    let mut fields: Vec<&str> =
        query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    fields.sort_unstable();
    let expected = [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Credential=ASIARTESTID%2F20090213%2Fus-west-2%2Fs3express%2Faws4_request",
        "X-Amz-Date=20090213T233131Z",
        "X-Amz-Expires=30",
        "X-Amz-S3session-Token=TESTSESSIONTOKEN",
        "X-Amz-SignedHeaders=host",
    ];
    assert_eq!(fields, expected);
    // The SDK's URL also names its operation.
    let session = Credentials {
        session_token: Some(Secret::new("TESTSESSIONTOKEN")),
        proof: Proof::Session,
        ..Credentials::new("ASIARTESTID", Secret::new("TESTSECRETKEY"))
    };
    let (keys, time) = (KeyCache::default(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_891));
    let (scheme, region, service) = (Scheme::V4, "us-west-2", "s3express");
    let signer = Signer { scheme, credentials: &session, region, service, time, keys: &keys };
    let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static(HOST))]);
    let (query, path) = ([("x-id", "GetObject".to_owned())], "/ferris.png");
    let payload_hash = "UNSIGNED-PAYLOAD";
    let target =
        presign::Target { method: &Method::GET, path, query: &query, headers: &headers, payload_hash };
    let signed = presign::sign(&signer, &target, Duration::from_secs(30)).expect("signed");
    let signature = "c09c93c7878184492cb960d59e148af932dff6b19609e63e3484599903d97e44";
    assert!(signed.ends_with(&format!("X-Amz-Signature={signature}")), "{signed}");
}

/// Where nobody asks for one the SDK sends none with PutObject, and a CRC-32 with DeleteObjects: here it is a
/// CRC-64/NVME, and the MD5 that any store takes for a document.
#[tokio::test]
async fn checksums_are_those_that_were_asked_for() {
    let wire = wire();
    let client = wire.client(config());
    let put = PutObject::new(BUCKET, "test", "");
    for (algorithm, value) in [
        (Some(ChecksumAlgorithm::Crc32), "x-amz-checksum-crc32: AAAAAA=="),
        (Some(ChecksumAlgorithm::Crc32c), "x-amz-checksum-crc32c: AAAAAA=="),
        (Some(ChecksumAlgorithm::Sha1), "x-amz-checksum-sha1: 2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        (
            Some(ChecksumAlgorithm::Sha256),
            "x-amz-checksum-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
        (None, "x-amz-checksum-crc64nvme: AAAAAAAAAAA="),
    ] {
        client.with_checksum(algorithm).send(&put).await.expect("stored");
        assert_eq!(checksums(wire.heard().last().expect("one")), [value]);
    }
    let delete = DeleteObjects {
        bucket: BUCKET.to_owned(),
        keys: vec![("k".to_owned(), None)],
        ..DeleteObjects::default()
    };
    client.send(&delete).await.expect("deleted");
    let found = checksums(wire.heard().last().expect("one"));
    assert!(found.len() == 1 && found[0].starts_with("content-md5: "), "{found:?}");
}

fn checksums(sent: &Sent) -> Vec<String> {
    let is_one = |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-");
    let shown = |name: &str| format!("{name}: {}", header(sent, name));
    sent.headers.keys().map(|name| name.as_str()).filter(|name| is_one(name)).map(shown).collect()
}
