//! What goes wrong between here and there, injected by the server.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::embedded::{Server, Tls};
use holdfs::s3::ops::{DeleteObject, GetObject, PutObject, WriteCondition};
use holdfs::s3::{Client, ErrorKind};

use super::{BUCKET, client, config, get, put, read, server};

fn status(status: u16, code: &str) -> Action {
    Action::Status { status, code: code.to_owned(), headers: Vec::new(), when: When::Before }
}

async fn stored(server: &Server, body: &'static str) -> Client {
    let client = client(server);
    client.send(&put("key", body)).await.expect("stored");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_of_any_passing_kind_is_not_seen_by_the_caller() {
    let server = server(Tls::Off).await;
    let client = stored(&server, "whole").await;
    for action in [
        status(500, "InternalError"),
        status(503, "SlowDown"),
        status(400, "RequestTimeout"),
        Action::Drop { when: When::Before, ending: Ending::Fin },
        Action::Drop { when: When::Before, ending: Ending::Reset },
        Action::Drop { when: When::After, ending: Ending::Reset },
        Action::Silence { when: When::Before },
        Action::Delay { milliseconds: 200 },
    ] {
        let number = server.faults().add(Rule::new(action.clone()).once());
        client.send(&put("key", "whole")).await.unwrap_or_else(|error| panic!("{action:?}: {error}"));
        assert_eq!(read(&client, "key").await.expect("read"), "whole");
        assert_eq!(server.faults().fired(number), 1, "{action:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_stalls_or_is_damaged_is_an_error_and_never_data() {
    let server = server(Tls::Off).await;
    let client = stored(&server, "0123456789").await;
    for (action, kind) in [
        (Action::Cut { at: 0, ending: Ending::Fin }, ErrorKind::Corrupt),
        (Action::Cut { at: 9, ending: Ending::Fin }, ErrorKind::Corrupt),
        (Action::Stall { at: 5 }, ErrorKind::TimedOut),
        (Action::FlipBit { at: 3 }, ErrorKind::Corrupt),
    ] {
        server.faults().add(Rule::new(action.clone()).on("GetObject").once());
        let error = read(&client, "key").await.expect_err("not whole");
        assert_eq!(error.kind(), kind, "{action:?}: {error}");
        assert!(error.to_string().contains("GetObject bucket/key"), "{error}");
    }
    server.faults().add(Rule::new(Action::IgnoreRange).on("GetObject"));
    let ranged = GetObject { range: Some(holdfs::base::ranges::ByteRange::new(2, 4)), ..get("key") };
    let error = client.send(&ranged).await.err().expect("200 for a range is no answer");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_03_a_store_that_throttles_most_requests_gets_fewer_and_nobody_sees_an_error() {
    let server = server(Tls::Off).await;
    let client = stored(&server, "x").await.with_deadline(Duration::from_secs(40));
    server.faults().add(Rule::new(status(503, "SlowDown")).probability(0.9, 7).times(60));
    let reads = join_all((0..40).map(|_| read(&client, "key"))).await;
    let failed: Vec<_> = reads.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(client.rate().is_some_and(|rate| rate < 1_000.0));
    assert!(client.stats().throttled > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_conditional_write_is_ambiguous_and_the_write_is_there() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    let create = PutObject { condition: WriteCondition::Absent, ..put("new", Bytes::from_static(b"mine")) };
    let lost = Action::Drop { when: When::After, ending: Ending::Reset };
    server.faults().add(Rule::new(lost.clone()).on("PutObject").once());
    let error = client.send(&create).await.expect_err("no answer");
    assert!(error.is_ambiguous(), "{error}");
    assert_eq!(server.log().count("PutObject"), 1, "not sent again");
    assert_eq!(read(&client, "new").await.expect("it is there"), "mine");
    let definite = client.send(&create).await.expect_err("exists");
    assert_eq!((definite.kind(), definite.is_ambiguous()), (ErrorKind::PreconditionFailed, false));
    server.faults().add(Rule::new(lost).on("DeleteObject").once());
    let delete = DeleteObject { bucket: BUCKET.to_owned(), key: "new".to_owned(), ..DeleteObject::default() };
    client.send(&delete).await.expect("deleting twice is deleting");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stalled_transfer_holds_up_nobody_else() {
    let server = server(Tls::Off).await;
    let client = stored(&server, "0123456789").await;
    client.send(&put("other", "y")).await.expect("stored");
    server.faults().add(Rule::new(Action::Stall { at: 1 }).on("GetObject").key("key"));
    let stalled = join_all((0..64).map(|_| read(&client, "key")));
    let quick = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let started = Instant::now();
        assert_eq!(read(&client, "other").await.expect("read"), "y");
        started.elapsed()
    };
    let (stalled, took) = tokio::join!(stalled, quick);
    assert!(stalled.iter().all(|read| read.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut)));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_that_moves_is_no_time_out() {
    let server = server(Tls::Off).await;
    let mut config = config(&server);
    config.deadlines.no_progress = Duration::from_millis(400);
    config.deadlines.total_without_progress = Duration::from_millis(800);
    let client = Client::new(config).expect("a client");
    client.send(&put("key", "x".repeat(10))).await.expect("stored");
    server.faults().add(Rule::new(Action::Trickle { bytes: 1, every_milliseconds: 200 }).on("GetObject"));
    assert_eq!(read(&client, "key").await.expect("slow but whole").len(), 10);
}
