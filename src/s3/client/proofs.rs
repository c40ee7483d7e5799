//! How requests prove who sends them, and to which host: against stores that are not ours to ask.

use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::ops::*;
use crate::s3::scripted::{Answer, Server, Wire};
use crate::s3::{AwsAddress, Client, Config, Credentials, ErrorKind, Provider};

fn get(bucket: &str) -> GetObject {
    GetObject { bucket: bucket.to_owned(), key: "key".to_owned(), ..GetObject::default() }
}

fn bearer() -> Provider {
    Provider::fixed(Credentials::bearer(Secret::new("canary-token")))
}

#[tokio::test]
async fn a_bearer_token_is_sent_as_it_is_and_the_service_instance_where_it_counts() {
    let wire = Wire::answering(|_, _| (200, "<ListAllMyBucketsResult/>".to_owned()));
    let client = wire.client(Config {
        endpoint: Some("https://s3.eu-de.cloud-object-storage.appdomain.cloud".to_owned()),
        service_instance_id: Some("crn:1".to_owned()),
        ..Config::new(bearer())
    });
    client
        .send(&CreateBucket { bucket: "new-bucket".into(), ..CreateBucket::default() })
        .await
        .expect("made");
    client.send(&ListBuckets::default()).await.expect("listed");
    client.send(&HeadBucket { bucket: "new-bucket".into() }).await.expect("there");
    let heard = wire.heard();
    let methods: Vec<&str> = heard.iter().map(|sent| sent.method.as_str()).collect();
    assert_eq!(methods, ["PUT", "GET", "HEAD"]);
    for (sent, names_instance) in heard.iter().zip([true, true, false]) {
        assert_eq!(sent.headers["authorization"], "Bearer canary-token");
        assert!(sent.headers["authorization"].is_sensitive());
        assert!(
            !sent.headers.contains_key("x-amz-content-sha256") && !sent.headers.contains_key("x-amz-date")
        );
        assert_eq!(sent.headers.contains_key("ibm-service-instance-id"), names_instance, "{}", sent.url);
    }
}

#[tokio::test]
async fn a_bearer_token_goes_over_no_open_line_and_signs_no_url() {
    let server = Server::answering([Answer::object("x")]).await;
    let client = Client::new(Config { credentials: bearer(), ..server.config() }).expect("a client");
    let refused = client.send(&get("bucket")).await.err().expect("plain HTTP");
    assert_eq!((refused.kind(), server.heard().len()), (ErrorKind::Invalid, 0));
    let unsigned = client.presign(&get("bucket"), Duration::from_secs(60)).await.expect_err("no keys");
    for error in [refused, unsigned] {
        assert!(!format!("{error:?}").contains("canary"), "{error}");
    }
}

/// A directory bucket that opens numbered sessions which live for `life_seconds`.
fn directory_bucket(clock: &Clock, life_seconds: u64) -> Wire {
    let clock = clock.clone();
    Wire::answering(move |number, sent| {
        if sent.url.ends_with("/?session=") {
            let until = timestamp::rfc3339(clock.wall() + Duration::from_secs(life_seconds));
            let text = format!(
                "<CreateSessionResult><Credentials><SessionToken>canary-t{number}</SessionToken><SecretAccessKey>\
                 canary-s</SecretAccessKey><AccessKeyId>S{number}</AccessKeyId><Expiration>{until}</Expiration>\
                 </Credentials></CreateSessionResult>"
            );
            return (200, text);
        }
        match sent.headers.get("x-amz-s3session-token") {
            Some(token) if token == "canary-t9" => {
                (400, "<Error><Code>ExpiredToken</Code></Error>".to_owned())
            }
            _ if sent.method == "PUT" => {
                (200, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>".to_owned())
            }
            _ => (200, String::new()),
        }
    })
}

fn express_config(clock: &Clock) -> Config {
    let keys = Credentials {
        session_token: Some(Secret::new("canary-own")),
        ..Credentials::new("OURS", Secret::new("canary-k"))
    };
    let region = Some("us-east-1".to_owned());
    Config { region, clock: clock.clone(), ..Config::new(Provider::fixed(keys)) }
}

const DIRECTORY: &str = "photos--use1-az4--x-s3";
const ZONE: &str = "https://photos--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com";

/// Who signed, and for what.
fn scope(sent: &crate::s3::scripted::Sent) -> String {
    let text = sent.headers["authorization"].to_str().expect("text");
    let scope = text.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).expect("a scope");
    let fields: Vec<&str> = scope.split('/').collect();
    format!("{} {}", fields[0], fields[3])
}

#[tokio::test]
async fn objects_of_a_directory_bucket_are_asked_for_in_the_name_of_one_session() {
    let clock = Clock::manual();
    let wire = directory_bucket(&clock, 300);
    let client = wire.client(express_config(&clock));
    let gets = (0..10).map(|_| async { client.send(&get(DIRECTORY)).await.map(drop) });
    futures_util::future::try_join_all(gets).await.expect("read");
    let heard = wire.heard();
    assert_eq!(heard.len(), 11, "one session for all");
    assert_eq!(heard[0].url, format!("{ZONE}/?session="));
    assert_eq!(scope(&heard[0]), "OURS s3express");
    assert_eq!(heard[0].headers["x-amz-security-token"], "canary-own");
    assert_eq!(heard[1].url, format!("{ZONE}/key"));
    assert_eq!(scope(&heard[1]), "S0 s3express");
    assert_eq!(heard[1].headers["x-amz-s3session-token"], "canary-t0");
    assert!(heard[1].headers["x-amz-s3session-token"].is_sensitive());
    assert!(!heard[1].headers.contains_key("x-amz-security-token"));
    let url = client.presign(&get(DIRECTORY), Duration::from_secs(300)).await.expect("signed");
    assert!(url.contains("&X-Amz-S3session-Token=canary-t0&") && url.contains("%2Fs3express%2F"), "{url}");
    clock.advance(Duration::from_secs(241));
    client.send(&get(DIRECTORY)).await.map(drop).expect("read");
    assert_eq!(scope(wire.heard().last().expect("one")), "S11 s3express", "renewed in its last minute");
}

#[tokio::test]
async fn copies_and_settings_of_a_directory_bucket_are_asked_for_in_our_own_name() {
    let clock = Clock::manual();
    let wire = directory_bucket(&clock, 300);
    let client = wire.client(express_config(&clock));
    let source = CopySource { bucket: DIRECTORY.into(), key: "from".into(), ..CopySource::default() };
    let copy = CopyObject { source, bucket: DIRECTORY.into(), key: "to".into(), ..CopyObject::default() };
    client.send(&copy).await.map(drop).expect("copied");
    client.send(&DeleteBucket { bucket: DIRECTORY.into() }).await.expect("deleted");
    let heard = wire.heard();
    let urls: Vec<&str> = heard.iter().map(|sent| sent.url.as_str()).collect();
    let control = "https://s3express-control.us-east-1.amazonaws.com/photos--use1-az4--x-s3";
    assert_eq!(urls, [format!("{ZONE}/to").as_str(), control]);
    assert!(heard.iter().all(|sent| scope(sent) == "OURS s3express"));
}

#[tokio::test]
async fn a_session_that_the_store_calls_expired_is_opened_again_and_sessions_can_be_switched_off() {
    let clock = Clock::manual();
    let numbers = std::sync::atomic::AtomicUsize::new(9);
    let inner = directory_bucket(&clock, 300);
    let wire = Wire::answering(move |_, sent| {
        let number = if sent.url.ends_with("?session=") {
            numbers.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
        } else {
            0
        };
        inner.answer(number, sent)
    });
    let client = wire.client(express_config(&clock));
    client.send(&get(DIRECTORY)).await.map(drop).expect("read");
    let scopes: Vec<String> = wire.heard().iter().map(scope).collect();
    assert_eq!(scopes, ["OURS s3express", "S9 s3express", "OURS s3express", "S10 s3express"]);
    let off = AwsAddress { express_sessions: false, ..AwsAddress::default() };
    let wire = directory_bucket(&clock, 300);
    let client = wire.client(Config { aws_address: off, ..express_config(&clock) });
    client.send(&get(DIRECTORY)).await.map(drop).expect("read");
    assert_eq!(wire.heard().iter().map(scope).collect::<Vec<_>>(), ["OURS s3express"]);
}

#[tokio::test]
async fn an_access_point_is_signed_for_in_its_own_region() {
    let wire = Wire::answering(|_, _| (200, String::new()));
    let client = wire.client(express_config(&Clock::manual()));
    client.send(&get("arn:aws:s3:eu-west-1:111122223333:accesspoint:me")).await.map(drop).expect("read");
    let sent = &wire.heard()[0];
    assert_eq!(sent.url, "https://me-111122223333.s3-accesspoint.eu-west-1.amazonaws.com/key");
    let authorization = sent.headers["authorization"].to_str().expect("text");
    assert!(authorization.contains("/eu-west-1/s3/aws4_request"), "{authorization}");
}
