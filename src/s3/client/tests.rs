//! The whole client against a server that does what no good server does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::clock::Clock;
use crate::base::digest;
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::ops::*;
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::{Client, Config, Credentials, ETag, Error, ErrorKind, Operation, Provider, Style};

pub fn get(key: &str) -> GetObject {
    GetObject { bucket: "bucket".to_owned(), key: key.to_owned(), ..GetObject::default() }
}

pub fn head(key: &str) -> HeadObject {
    HeadObject { bucket: "bucket".to_owned(), key: key.to_owned(), ..HeadObject::default() }
}

pub fn put(body: &'static [u8]) -> PutObject {
    PutObject::new("bucket", "key", Bytes::from_static(body))
}

pub async fn read(client: &Client, get: &GetObject) -> Result<Bytes, Error> {
    client.send(get).await?.body.collect(1 << 20).await
}

pub fn stored() -> Answer {
    Answer::new(200, &[("etag", "\"e\"")], "")
}

#[tokio::test]
async fn a_request_is_signed_and_names_what_it_wants() {
    let server = Server::answering([Answer::object("hello")]).await;
    assert_eq!(read(&server.client(), &get("a/ü b")).await.expect("read"), "hello");
    let heard = &server.heard()[0];
    assert_eq!((heard.method.as_str(), heard.target.as_str()), ("GET", "/bucket/a/%C3%BC%20b"));
    assert_eq!(heard.header("host"), server.address.to_string());
    assert_eq!(heard.header("accept-encoding"), "identity");
    assert_eq!(heard.header("x-amz-content-sha256"), digest::hex(&digest::sha256(b"")));
    assert!(heard.header("authorization").contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date,"));
    assert!(!heard.headers.contains_key("content-length"), "a GET has no length");
}

#[tokio::test]
async fn segments_of_dots_reach_the_server_as_they_are() {
    let server = Server::answering([Answer::object("x")]).await;
    let client = server.client();
    for (key, target) in [
        ("a/../b", "/bucket/a/../b"),
        ("./a/./", "/bucket/./a/./"),
        ("..", "/bucket/.."),
        ("/lead//x/", "/bucket//lead//x/"),
        ("%2E%2E/x", "/bucket/%252E%252E/x"),
        ("a\n\u{1}?#", "/bucket/a%0A%01%3F%23"),
    ] {
        read(&client, &get(key)).await.expect(key);
        assert_eq!(server.heard().last().expect("a request").target, target);
    }
}

#[tokio::test]
async fn what_cannot_be_a_name_is_never_sent() {
    let server = Server::answering([stored()]).await;
    let client = server.client();
    for (bucket, key) in [("bucket", ""), ("", "key"), ("a/b", "key"), ("bucket", &"k".repeat(1025))] {
        let delete =
            DeleteObject { bucket: bucket.to_owned(), key: key.to_owned(), ..DeleteObject::default() };
        client.send(&delete).await.expect_err("refused");
    }
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn se_11_passing_failures_are_tried_again_and_signed_again() {
    for failure in [
        Answer::error(500, "InternalError"),
        Answer::error(503, "ServiceUnavailable"),
        Answer::error(400, "RequestTimeout"),
        Answer::new(502, &[], "<html>bad gateway</html>"),
        Answer::new(404, &[("content-type", "text/html")], "<html>no such page</html>"),
        Answer::nothing(),
        Answer::silence(),
        Answer::raw("HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n"),
        Answer::object("never whole").cut(3),
    ] {
        let server = Server::answering([failure.clone(), stored()]).await;
        let stored = server.client().send(&put(b"data")).await;
        assert_eq!(
            stored.unwrap_or_else(|error| panic!("{failure:?}: {error}")).etag,
            Some(ETag("e".into()))
        );
        let heard = server.heard();
        assert_eq!(heard.len(), 2, "{failure:?}");
        assert!(heard[1].header("authorization").starts_with("AWS4-HMAC-SHA256"));
        assert_eq!(heard[1].body, b"data");
    }
}

#[tokio::test]
async fn se_11_whatever_is_asked_again_is_signed_anew_with_the_time_of_then() {
    async fn twice<O: Operation>(operation: O, answer: Answer) {
        let began = timestamp::parse_rfc3339("2026-05-01T12:00:00Z").expect("a time");
        let clock = Clock::manual_at(began);
        let (passing, late) = (clock.clone(), AtomicU32::new(0));
        let script = move |index: usize, _: &Heard| {
            if index > 0 {
                return answer.clone();
            }
            if late.fetch_add(1, Ordering::SeqCst) == 0 {
                passing.advance(Duration::from_secs(5));
            }
            Answer::error(500, "InternalError")
        };
        let server = Server::start(script).await;
        let client = Client::new(Config { clock, ..server.config() }).expect("a client");
        client.send(&operation).await.unwrap_or_else(|error| panic!("{}: {error}", O::NAME));
        let heard = server.heard();
        let dates: Vec<_> = heard.iter().map(|heard| heard.header("x-amz-date")).collect();
        assert_eq!(dates, ["20260501T120000Z", "20260501T120005Z"], "{}", O::NAME);
        let signatures: Vec<_> = heard.iter().map(|heard| heard.header("authorization")).collect();
        assert!(signatures.iter().all(|signature| signature.starts_with("AWS4-HMAC-SHA256 ")), "{}", O::NAME);
        assert_ne!(signatures[0], signatures[1], "{}", O::NAME);
    }
    let (bucket, key) = (|| "bucket".to_owned(), || "key".to_owned());
    twice(put(b"data"), stored()).await;
    twice(get("key"), Answer::object("x")).await;
    twice(head("key"), Answer::new(200, &[("etag", "\"e\""), ("content-length", "0")], "")).await;
    twice(
        DeleteObject { bucket: bucket(), key: key(), ..DeleteObject::default() },
        Answer::new(204, &[], ""),
    )
    .await;
    let listing = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    twice(ListObjectsV2 { bucket: bucket(), ..ListObjectsV2::default() }, Answer::new(200, &[], listing))
        .await;
    let tags = [("a".to_owned(), "b".to_owned())].into();
    let tagging = PutObjectTagging { bucket: bucket(), key: key(), version: None, tags };
    twice(tagging, Answer::new(200, &[], "")).await;
    let upload_id = "u".to_owned();
    let abort = AbortMultipartUpload { bucket: bucket(), key: key(), upload_id };
    twice(abort, Answer::new(204, &[], "")).await;
}

#[tokio::test]
async fn final_answers_are_believed_at_once() {
    for (answer, kind) in [
        (Answer::error(404, "NoSuchKey"), ErrorKind::NoSuchKey),
        (Answer::error(403, "AccessDenied"), ErrorKind::Denied),
        (Answer::error(403, "SignatureDoesNotMatch"), ErrorKind::Credentials),
        (Answer::error(412, "PreconditionFailed"), ErrorKind::PreconditionFailed),
        (Answer::error(409, "ConditionalRequestConflict"), ErrorKind::Conflict),
        (Answer::error(403, "InvalidObjectState"), ErrorKind::Archived),
        (Answer::error(416, "InvalidRange"), ErrorKind::InvalidRange),
        (Answer::new(304, &[("content-length", "0")], ""), ErrorKind::NotModified),
    ] {
        let server = Server::answering([answer]).await;
        let error = read(&server.client(), &get("key")).await.expect_err("refused");
        assert_eq!((error.kind(), server.heard().len()), (kind, 1), "{error}");
    }
}

#[tokio::test]
async fn an_error_names_everything_that_support_asks_for() {
    let server = Server::answering([Answer::error(403, "AccessDenied")]).await;
    let error = read(&server.client(), &get("a\u{1b}[31m\nb")).await.expect_err("refused");
    let expected =
        "GetObject bucket/a\\u{1b}[31m\\nb: AccessDenied (403): scripted [request REQ1, host HOST2]";
    assert_eq!(error.to_string(), expected);
    assert!(!format!("{error:?}").contains("wJalrXUtnFEMI"));
}

#[tokio::test]
async fn the_deadline_ends_the_attempts_and_the_error_says_how_many() {
    let server = Server::answering([Answer::error(500, "InternalError")]).await;
    let client = server.client().with_deadline(Duration::from_millis(700));
    let started = Instant::now();
    let error = client.send(&head("key")).await.expect_err("never good");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("gave up after"), "{error}");
    assert!((2..50).contains(&server.heard().len()));
}

#[tokio::test]
async fn a_dead_endpoint_fails_within_the_deadline_and_nothing_was_sent() {
    let server = Server::answering([stored()]).await;
    let client = server.client().with_deadline(Duration::from_millis(500));
    drop(server);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = client.send(&put(b"x")).await.expect_err("nobody there");
    assert_eq!((error.kind(), error.is_ambiguous(), error.status()), (ErrorKind::Unavailable, false, 0));
}

#[tokio::test]
async fn a_connection_that_went_away_while_idle_costs_nothing() {
    let server =
        Server::start(|index, _| if index == 0 { Answer::object("x").cut(0) } else { Answer::object("y") })
            .await;
    let client = server.client();
    read(&client, &get("a")).await.expect("first");
    assert_eq!(read(&client, &get("b")).await.expect("second"), "y");
}

#[tokio::test]
async fn verbs_that_must_look_first_are_not_sent_twice_when_in_doubt() {
    let conditional = PutObject { condition: WriteCondition::Absent, ..put(b"data") };
    for doubtful in [Answer::nothing(), Answer::error(500, "InternalError"), Answer::silence()] {
        let server = Server::answering([doubtful, stored()]).await;
        let error = server.client().send(&conditional).await.expect_err("in doubt");
        assert!(error.is_ambiguous(), "{error}");
        assert_eq!(server.heard().len(), 1);
    }
    let server = Server::answering([Answer::error(503, "SlowDown"), stored()]).await;
    server.client().send(&conditional).await.expect("a definite refusal may be repeated");
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test]
async fn an_error_behind_a_good_status_is_an_error() {
    let complete = CompleteMultipartUpload {
        bucket: "bucket".to_owned(),
        key: "key".to_owned(),
        upload_id: "u".to_owned(),
        parts: vec![Part { number: 1, etag: ETag("e".into()), size: 0, checksum: None, modified: None }],
        condition: WriteCondition::None,
    };
    let hidden = |code: &str| {
        Answer::new(200, &[], format!("  \n<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>"))
    };
    let server = Server::answering([hidden("InternalError")]).await;
    let error = server.client().send(&complete).await.expect_err("an error");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Unavailable, true));
    let server = Server::answering([hidden("InvalidPart")]).await;
    let error = server.client().send(&complete).await.expect_err("an error");
    assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::InvalidPart, false));
    let copied = "<CopyObjectResult><ETag>\"e\"</ETag><LastModified>2013-05-24T00:00:00.000Z</LastModified></CopyObjectResult>";
    let server = Server::answering([hidden("InternalError"), Answer::new(200, &[], copied)]).await;
    let source = CopySource { bucket: "bucket".to_owned(), key: "a".to_owned(), ..CopySource::default() };
    let copy =
        CopyObject { source, bucket: "bucket".to_owned(), key: "b".to_owned(), ..CopyObject::default() };
    server.client().send(&copy).await.expect("the second time");
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test]
async fn a_body_that_ends_early_stalls_or_runs_over_is_never_whole() {
    let whole = Answer::object("0123456789");
    let chunked = "HTTP/1.1 200 OK\r\netag: \"e\"\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n";
    for (answer, kind) in [
        (whole.clone().cut(1), ErrorKind::Corrupt),
        (whole.clone().cut(10), ErrorKind::Corrupt),
        (whole.clone().stalled(1), ErrorKind::TimedOut),
        (whole.stalled(10), ErrorKind::TimedOut),
    ] {
        let server = Server::answering([answer]).await;
        let mut output = server.client().send(&get("key")).await.expect("headers");
        let (mut seen, mut failure) = (0, None);
        while let Some(piece) = output.body.next().await {
            match piece {
                Ok(piece) => seen += piece.len(),
                Err(error) => failure = Some(error),
            }
        }
        assert!(seen < 10);
        let failure = failure.expect("a failure");
        assert_eq!(failure.kind(), kind, "{failure}");
        assert!(failure.to_string().starts_with("GetObject bucket/key: "), "{failure}");
    }
    let server = Server::answering([Answer::raw(chunked).cut(0)]).await;
    let listed = server.client().with_deadline(Duration::from_millis(300)).send(&head("key")).await;
    drop(listed); // Whatever it is, it neither hangs nor panics.
}

#[tokio::test]
async fn whole_bodies_are_verified_and_ranges_are_not() {
    let crc = digest::base64(&digest::crc64nvme(b"right").to_be_bytes());
    let sha1 = digest::base64(&digest::sha1(b"right"));
    let object = |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![("etag", "\"e\"")];
        all.extend_from_slice(headers);
        Answer::new(200, &all, body)
    };
    for (headers, body, good) in [
        (vec![("x-amz-checksum-crc64nvme", crc.as_str())], "right", true),
        (vec![("x-amz-checksum-crc64nvme", crc.as_str())], "wrong", false),
        (vec![("x-amz-checksum-sha1", sha1.as_str())], "right", true),
        (vec![("x-amz-checksum-sha1", sha1.as_str())], "wrong", false),
        (vec![("x-amz-checksum-crc32", "AAAAAA==-3")], "right", true),
    ] {
        let server = Server::answering([object(&headers, body)]).await;
        let result = read(&server.client(), &get("key")).await;
        assert_eq!(result.is_ok(), good, "{headers:?} {body}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}

#[tokio::test]
async fn a_part_is_verified_where_the_checksum_must_be_its_own() {
    let crc = digest::base64(&digest::crc64nvme(b"right").to_be_bytes());
    for (kind, range, body, good) in [
        ("COMPOSITE", "bytes 5-9/10", "right", true),
        ("COMPOSITE", "bytes 5-9/10", "wrong", false),
        ("", "bytes 5-9/10", "right", true),
        ("", "bytes 5-9/10", "wrong", false),
        ("FULL_OBJECT", "bytes 5-9/10", "wrong", true),
        ("FULL_OBJECT", "bytes 0-4/5", "wrong", false),
    ] {
        let mut headers = vec![("etag", "\"e\""), ("content-range", range)];
        headers.push(("x-amz-checksum-crc64nvme", crc.as_str()));
        headers.extend(Some(("x-amz-checksum-type", kind)).filter(|(_, kind)| !kind.is_empty()));
        let server = Server::answering([Answer::new(206, &headers, body)]).await;
        let part = GetObject { part_number: Some(2), ..get("key") };
        let result = read(&server.client(), &part).await.map_err(|error| error.kind());
        assert_eq!(result.err(), (!good).then_some(ErrorKind::Corrupt), "{kind} {range} {body}");
    }
}

#[tokio::test]
async fn se_07_hostile_replies_end_soon_and_small() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE b [<!ENTITY a \"aaaa\">]><Error><Code>&a;</Code></Error>";
    let deep = "<Error>".repeat(100_000);
    let long = "x".repeat(1 << 20);
    let endless = "HTTP/1.1 400 Bad\r\ncontent-length: 10000000000\r\n\r\n".to_owned() + &long;
    for answer in [
        Answer::new(400, &[], bomb),
        Answer::new(400, &[], deep),
        Answer::new(400, &[], [0xff, 0xfe, 0x00]),
        Answer::raw(endless).cut(0),
        Answer::new(400, &[("x-long", &long)], ""),
        Answer::raw("\u{0}\u{1}garbage\r\n\r\n").cut(0),
    ] {
        let server = Server::answering([answer]).await;
        let started = Instant::now();
        let client = server.client().with_deadline(Duration::from_millis(500));
        client.send(&head("key")).await.expect_err("no good reply");
        let list = ListObjectsV2 { bucket: "bucket".to_owned(), ..ListObjectsV2::default() };
        client.send(&list).await.expect_err("no good reply");
        assert!(started.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test]
async fn anonymous_requests_carry_no_signature() {
    let server = Server::answering([Answer::object("x")]).await;
    let client =
        Client::new(Config { credentials: Provider::anonymous(), ..server.config() }).expect("a client");
    read(&client, &get("key")).await.expect("read");
    let heard = &server.heard()[0];
    assert!(
        !heard.headers.keys().any(|name| name == "authorization" || name.starts_with("x-amz-")),
        "{heard:?}"
    );
}

#[tokio::test]
async fn presigned_urls_are_complete() {
    let config = Config {
        endpoint: Some("https://s3.eu-west-1.amazonaws.com".to_owned()),
        style: Style::Auto,
        ..Config::new(Provider::fixed(Credentials::new("AK", Secret::new("SK"))))
    };
    let client = Client::new(config).expect("a client");
    let url = client.presign(&get("a b"), Duration::from_secs(60)).await.expect("a URL");
    assert!(url.starts_with("https://bucket.s3.eu-west-1.amazonaws.com/a%20b?X-Amz-Algorithm="), "{url}");
    assert!(url.contains("&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="), "{url}");
    assert!(client.presign(&get("k"), Duration::from_secs(8 * 24 * 3600)).await.is_err());
}

#[tokio::test]
async fn a_proxy_gets_the_whole_address_and_its_password() {
    let proxy = Server::answering([Answer::object("x")]).await;
    let config = Config {
        endpoint: Some("http://store.example:9000".to_owned()),
        proxy: crate::s3::Proxy::Url(format!("http://user:pass@{}", proxy.address)),
        ..proxy.config()
    };
    let client = Client::new(config.clone()).expect("a client");
    assert_eq!(read(&client, &get("a/../b")).await.expect("read"), "x");
    let heard = &proxy.heard()[0];
    assert_eq!(heard.target, "http://store.example:9000/bucket/a/../b");
    assert_eq!(heard.header("host"), "store.example:9000");
    assert_eq!(heard.header("proxy-authorization"), "Basic dXNlcjpwYXNz");
    assert!(!heard.header("authorization").contains("proxy-authorization"));
    let https = Config { endpoint: Some("https://store.example:9000".to_owned()), ..config };
    let client = Client::new(https).expect("a client").with_deadline(Duration::from_millis(300));
    read(&client, &get("key")).await.expect_err("the tunnel leads nowhere");
    let heard = proxy.heard().pop().expect("a request");
    assert_eq!((heard.method.as_str(), heard.target.as_str()), ("CONNECT", "store.example:9000"));
    assert!(!heard.headers.keys().any(|name| name.starts_with("x-amz-")), "the request stays in the tunnel");
}

#[tokio::test]
async fn a_store_that_passes_over_sub_resources_is_spared_those_that_would_destroy() {
    use crate::s3::settings::{DeleteSetting, PublicAccessBlock};

    let (bucket, key) = ("bucket".to_owned(), "key".to_owned());
    let remove_note = DeleteObjectAnnotation { bucket, key, name: "note".into(), ..Default::default() };
    let minio = Server::answering([Answer::new(200, &[("server", "MinIO")], "")]).await;
    let refused = minio.client().send(&remove_note).await.expect_err("it would delete the object");
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    let methods = |server: &Server| server.heard().into_iter().map(|sent| sent.method).collect::<Vec<_>>();
    assert_eq!(methods(&minio), ["HEAD"]);

    let unblock = DeleteSetting::<PublicAccessBlock>::new("bucket");
    let lister = Server::answering([Answer::new(200, &[], "<ListBucketResult/>")]).await;
    let refused = lister.client().send(&unblock).await.expect_err("it would delete the bucket");
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    assert_eq!(methods(&lister), ["GET"]);

    let absent = "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code></Error>";
    let honest = Server::answering([Answer::new(404, &[], absent), Answer::new(204, &[], "")]).await;
    honest.client().send(&unblock).await.expect("it knows the question");
    assert_eq!(methods(&honest), ["GET", "DELETE"]);

    let aws =
        Server::answering([Answer::new(200, &[("server", "AmazonS3")], ""), Answer::new(204, &[], "")]).await;
    aws.client().send(&remove_note).await.expect("it has annotations");
    assert_eq!(methods(&aws), ["HEAD", "DELETE"]);
}
