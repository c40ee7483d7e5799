//! What a store's replies correct: the region, the clock, the keys, the rate. Nothing else leads astray.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::tests::{get, head, put, read};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::credentials::{Fetching, Source};
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::{Client, Config, Credentials, ErrorKind, Provider};

#[tokio::test]
async fn s3_02_the_right_region_is_learnt_from_a_refusal_and_kept() {
    let wrong_region = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>";
    for refusal in [
        Answer::new(301, &[("x-amz-bucket-region", "eu-west-3")], ""),
        Answer::new(400, &[], wrong_region),
        Answer::new(307, &[("location", "http://bucket.s3-eu-west-3.amazonaws.com/key")], ""),
        Answer::new(400, &[("x-amz-bucket-region", "eu-west-3")], ""),
    ] {
        let server = Server::answering([refusal.clone(), Answer::object("x")]).await;
        let client = server.client();
        read(&client, &get("key")).await.unwrap_or_else(|error| panic!("{refusal:?}: {error}"));
        read(&client, &get("key")).await.expect("again");
        let heard = server.heard();
        assert_eq!(heard.len(), 3);
        assert!(heard[0].header("authorization").contains("/us-east-1/s3/"));
        assert!(heard[1..].iter().all(|heard| heard.header("authorization").contains("/eu-west-3/s3/")));
    }
}

#[tokio::test]
async fn se_02_redirects_to_other_places_are_not_followed() {
    let trap = Server::answering([Answer::object("gotcha")]).await;
    for status in [301, 302, 303, 307, 308] {
        let there = format!("http://{}/bucket/key", trap.address);
        let server = Server::answering([Answer::new(status, &[("location", &there)], "")]).await;
        let error = read(&server.client(), &get("key")).await.expect_err("not followed");
        assert_eq!((error.kind(), server.heard().len()), (ErrorKind::Redirect, 1));
    }
    let port = trap.address.port();
    for there in ["http://169.254.169.254/latest", "file:///etc/passwd", "//127.0.0.1", "http:", "\u{1f980}"]
    {
        let there = there.replace("127.0.0.1", &format!("127.0.0.1:{port}"));
        let server = Server::answering([Answer::new(307, &[("location", &there)], "")]).await;
        let secret = "canary-secret-of-32-bytes-length";
        let keyed =
            crate::s3::ops::With::new(get("key")).header("x-amz-server-side-encryption-customer-key", secret);
        let error = server.client().send(&keyed.expect("a header")).await.err().expect("not followed");
        assert_eq!((error.kind(), server.heard().len()), (ErrorKind::Redirect, 1), "{there}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    let server = Server::answering([Answer::new(301, &[("x-amz-bucket-region", "eu-west-3")], "")]).await;
    read(&server.client(), &get("key")).await.expect_err("a loop");
    assert_eq!(server.heard().len(), 2, "followed once");
    assert!(trap.heard().is_empty(), "nothing reached the trap");
}

#[tokio::test]
async fn dl_23_a_clock_that_is_wrong_or_jumps_is_corrected_from_the_reply() {
    let server_time = timestamp::parse_rfc3339("2026-05-01T12:00:00Z").expect("a time");
    for minutes in [-20i64, 20] {
        let refuse = move |_: usize, heard: &Heard| {
            let date = timestamp::http_date(server_time);
            if heard.header("x-amz-date").starts_with("20260501T1200") {
                Answer::new(200, &[("date", &date), ("etag", "\"e\"")], "x")
            } else {
                let document = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
                Answer::new(403, &[("date", &date)], document)
            }
        };
        let server = Server::start(refuse).await;
        let off = Duration::from_secs(60 * minutes.unsigned_abs());
        let ours = if minutes < 0 { server_time - off } else { server_time + off };
        let clock = Clock::manual_at(ours);
        let client = Client::new(Config { clock: clock.clone(), ..server.config() }).expect("a client");
        read(&client, &get("key")).await.expect("corrected");
        read(&client, &get("key")).await.expect("and kept");
        assert_eq!(server.heard().len(), 3);
        // It is set while we are at it.
        clock.advance(Duration::from_secs(40 * 60));
        read(&client, &get("key")).await.expect("corrected again");
        assert_eq!(server.heard().len(), 5);
        client.send(&put(b"data")).await.expect("and kept");
        assert_eq!(server.heard().len(), 6);
    }
}

struct Numbered(AtomicU32);

impl Source for Numbered {
    fn fetch(&self) -> Fetching<'_> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            Ok(Credentials {
                session_token: Some(Secret::new(format!("token{number}"))),
                ..Credentials::new(format!("key{number}"), Secret::new("s"))
            })
        })
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_once() {
    for answer in [Answer::error(400, "ExpiredToken"), Answer::error(400, "TokenRefreshRequired")] {
        let expired = move |_: usize, heard: &Heard| {
            if heard.header("x-amz-security-token") == "token0" {
                answer.clone()
            } else {
                Answer::object("x")
            }
        };
        let server = Server::start(expired).await;
        let credentials = Provider::from_source(Numbered(AtomicU32::new(0)), Clock::system());
        let client = Client::new(Config { credentials, ..server.config() }).expect("a client");
        read(&client, &get("key")).await.expect("renewed");
        assert_eq!(server.heard().len(), 2);
    }
    let server = Server::answering([Answer::error(400, "ExpiredToken")]).await;
    let error = read(&server.client(), &get("key")).await.expect_err("fixed keys");
    assert_eq!((error.kind(), server.heard().len()), (ErrorKind::Credentials, 1));
}

#[tokio::test]
async fn a_store_that_asks_to_slow_down_is_slowed_down_to() {
    let server = Server::start(|index, _| {
        if index < 40 { Answer::error(503, "SlowDown") } else { Answer::new(200, &[("etag", "\"e\"")], "") }
    })
    .await;
    let mut config = server.config();
    config.deadlines.total_without_progress = Duration::from_secs(30);
    let client = Client::new(config).expect("a client");
    let (delete, many) = (head("key"), futures_util::future::join_all);
    let results = many((0..16).map(|_| client.send(&delete))).await;
    assert!(results.iter().all(Result::is_ok), "no error reaches the caller");
    assert!(client.rate().is_some(), "the rate is limited");
    assert!(client.stats().throttled >= 40);
}
