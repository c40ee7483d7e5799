//! What accounts and stores are like that are not AWS's on a good day (failures.md 1.6).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use holdfs::base::clock::Clock;
use holdfs::base::ranges::ByteRange;
use holdfs::embedded::faults::{Action, EtagSpelling, Rule, When};
use holdfs::embedded::{self, Server, Tls};
use holdfs::s3::credentials::{Credentials, Fetching, Provider, Source};
use holdfs::s3::ops::{GetObject, HeadObject, ListObjectsV2, PutObject, ReadConditions, WriteCondition};
use holdfs::s3::transfer::{self, Progress, Target, Tuning, UploadSource};
use holdfs::s3::{Body, BodySource, ChecksumMode, Client, Config, ETag, ErrorKind};

use super::damage::{content, download, find, small_parts, tuning, upload};
use super::{BUCKET, client, config, get, put, read, scaled_server, server, server_with};

fn status(status: u16, code: &str, headers: &[(&str, &str)]) -> Action {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Action::Status { status, code: code.into(), headers, when: When::Before }
}

/// Gives out the server's pair with tokens that live for `life`.
struct ShortLived {
    server: Arc<Server>,
    life: Duration,
    given: Arc<AtomicU32>,
    /// What the keys are said to live; the store may think otherwise.
    told: Option<Duration>,
}

impl Source for ShortLived {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            self.given.fetch_add(1, Ordering::SeqCst);
            let pair = self.server.key_pair().clone();
            let expires = self.told.map(|told| std::time::SystemTime::now() + told);
            let session_token = Some(self.server.session_token(self.life));
            Ok(Credentials { session_token, expires, ..Credentials::new(pair.access_key, pair.secret_key) })
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_01_keys_that_expire_in_the_middle_are_renewed_and_no_part_is_sent_twice() {
    let limits = embedded::Limits { part_bytes_min: 64 << 10, ..embedded::Limits::default() };
    let slow = embedded::Options { limits, bandwidth: Some(2 << 20), ..embedded::Options::default() };
    let server = Arc::new(server_with(slow).await);
    let whole = content((6 << 20) + 5);
    // Once the keys say when they end, and once only the store knows.
    for told in [Some(Duration::from_millis(1200)), None] {
        let (life, given) = (Duration::from_millis(1200), Arc::new(AtomicU32::new(0)));
        let source = ShortLived { server: server.clone(), life, given: given.clone(), told };
        let credentials = Provider::from_source(source, Clock::system());
        let limits = holdfs::s3::Limits { part_bytes_min: 64 << 10, ..holdfs::s3::Limits::default() };
        let client = Client::new(Config { credentials, limits, ..config(&server) }).expect("a client");
        server.log().reset();
        let started = Instant::now();
        upload(&client, "key", whole.clone()).await.expect("stored");
        let parts = server.log().count("UploadPart") as usize;
        let refused = client.stats().retries as usize;
        assert!(started.elapsed() > 2 * life, "the upload outlives the keys");
        assert!(given.load(Ordering::SeqCst) >= 2, "they were renewed");
        assert!(parts <= 7 + refused, "{parts} parts were sent, {refused} refused");
        assert!(told.is_none() || refused == 0, "who knows when keys end renews them ahead");
        let object = find(&client, "key").await;
        assert!(download(&client, &object, ByteRange::new(0, object.size)).await.expect("read") == whole);
        assert!(given.load(Ordering::SeqCst) >= 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_23_a_clock_that_jumps_in_the_middle_of_an_upload_costs_a_try_and_no_part() {
    let server = scaled_server().await;
    let whole = content((6 << 20) + 5);
    for ahead in [false, true] {
        let mut clock = Clock::manual();
        if !ahead {
            // It stands twenty minutes behind and is set while the upload runs.
            clock = Clock::manual_at(std::time::SystemTime::now() - Duration::from_secs(20 * 60));
        }
        let (hand, jumped) = (clock.clone(), AtomicU32::new(0));
        let progress = Progress::new(move |moved| {
            if moved.done > 3 << 20 && jumped.fetch_add(1, Ordering::SeqCst) == 0 {
                hand.advance(Duration::from_secs(20 * 60));
            }
        });
        let limits = holdfs::s3::Limits { part_bytes_min: 64 << 10, ..holdfs::s3::Limits::default() };
        let client = Client::new(Config { clock, limits, ..config(&server) }).expect("a client");
        let tuning = Tuning { progress: Some(progress), parallel: 1, ..tuning() };
        let target = Target { bucket: BUCKET.into(), key: "key".into(), ..Target::default() };
        server.log().reset();
        let source = UploadSource::Bytes(whole.clone());
        transfer::upload(&client, &tuning, &target, source).await.expect("stored");
        assert!(read(&client, "key").await.expect("read") == whole);
        let refused = client.stats().retries as usize;
        assert_eq!(refused, if ahead { 1 } else { 2 }, "each time that the clock is wrong");
        let counters = server.log().counters();
        let sent = |operation: &str| counters.get(operation).map_or(0, |counter| counter.requests) as usize;
        let parts = sent("UploadPart");
        assert!((7..=7 + refused).contains(&parts), "{parts} parts were sent, {refused} requests refused");
        assert_eq!(sent("AbortMultipartUpload"), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_02_a_wrong_region_is_corrected_once_and_remembered() {
    let options = embedded::Options { region: "eu-central-7".into(), ..embedded::Options::default() };
    let server = Server::start(options).await.expect("it starts");
    let client =
        Client::new(Config { region: Some("us-east-1".into()), ..config(&server) }).expect("a client");
    let create = holdfs::s3::ops::CreateBucket { bucket: BUCKET.into(), ..Default::default() };
    client.send(&create).await.expect("made");
    client.send(&put("key", "x")).await.expect("stored");
    assert_eq!(read(&client, "key").await.expect("read"), "x");
    assert_eq!(client.stats().retries, 1, "asked once, then known");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_03_a_store_may_say_how_long_to_wait() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    client.send(&put("key", "x")).await.expect("stored");
    server.faults().add(Rule::new(status(503, "SlowDown", &[("Retry-After", "1")])).on("GetObject").once());
    let started = Instant::now();
    assert_eq!(read(&client, "key").await.expect("read"), "x");
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(4), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_07_an_etag_is_a_name_and_nothing_else() {
    for (etags, spelling) in [
        (embedded::Etags::Opaque, None),
        (embedded::Etags::Md5, Some(EtagSpelling::Weak)),
        (embedded::Etags::Md5, Some(EtagSpelling::Bare)),
        (embedded::Etags::Opaque, Some(EtagSpelling::Weak)),
    ] {
        let limits = embedded::Limits { part_bytes_min: 64 << 10, ..embedded::Limits::default() };
        let server = server_with(embedded::Options { etags, limits, ..embedded::Options::default() }).await;
        if let Some(spelling) = spelling {
            server.faults().add(Rule::new(Action::Etags { spelling }));
        }
        let client = small_parts(&server);
        let whole = content((2 << 20) + 5);
        upload(&client, "large", whole.clone()).await.expect("parts are named as they came");
        client.send(&put("small", "s")).await.expect("stored");
        for (key, expected) in [("large", whole), ("small", "s".into())] {
            let object = find(&client, key).await;
            let seen =
                download(&client, &object, ByteRange::new(0, object.size)).await.expect("pinned by it");
            assert!(seen == expected, "{etags:?} {spelling:?} {key}");
            let condition = WriteCondition::Matches(object.etag.clone());
            client.send(&PutObject { condition, ..put(key, "new") }).await.expect("it still matches");
            let condition = WriteCondition::Matches(object.etag);
            let error =
                client.send(&PutObject { condition, ..put(key, "newer") }).await.expect_err("not any more");
            assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        }
        let other = ReadConditions { if_match: Some(ETag::parse("\"other\"")), ..ReadConditions::default() };
        let error =
            client.send(&GetObject { conditions: other, ..get("small") }).await.err().expect("another");
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_08_compressed_objects_are_their_bytes_and_a_store_that_compresses_is_found_out() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    let gzip: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03not really";
    let mut stored = put("key.gz", Bytes::from_static(gzip));
    stored.object.content.content_encoding = Some("gzip".into());
    client.send(&stored).await.expect("stored");
    let head = HeadObject { bucket: BUCKET.into(), key: "key.gz".into(), ..HeadObject::default() };
    assert_eq!(client.send(&head).await.expect("there").size, gzip.len() as u64);
    let output = client.send(&get("key.gz")).await.expect("read");
    assert_eq!(output.headers.content.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(&output.body.collect(1 << 10).await.expect("whole")[..], gzip, "as it was stored");
    // One that compresses on its way: other bytes than the object has, behind the object's own head.
    client.send(&put("plain", content(1000))).await.expect("stored");
    let object = find(&client, "plain").await;
    let set = vec![("content-encoding".to_owned(), Some("gzip".to_owned()))];
    server.faults().add(Rule::new(Action::Headers { set }).on("GetObject"));
    server.faults().add(Rule::new(Action::ReplaceBody { body: "squeezed".into() }).on("GetObject"));
    let error = read(&client, "plain").await.expect_err("not the object's bytes");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error =
        download(&client, &object, ByteRange::new(0, object.size)).await.expect_err("nor a range of them");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

struct Once(Bytes);

impl BodySource for Once {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn open(&self) -> std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>> {
        Box::pin(futures_util::stream::iter([Ok(self.0.clone())]))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_12_a_store_that_refuses_todays_checksums_gets_those_of_yesterday() {
    let refusals = [
        (true, 501, "NotImplemented"),
        (true, 400, "InvalidRequest"),
        (false, 501, "NotImplemented"),
        (false, 400, "BadDigest"),
        (false, 400, "InvalidArgument"),
    ];
    for (chunked_only, status, code) in refusals {
        let server = scaled_server().await;
        let fault = Action::RefuseChecksums { status, code: code.into(), chunked_only };
        server.faults().add(Rule::new(fault));
        let refused = || server.log().counters().values().map(|counter| counter.errors).sum::<u64>();
        let client = small_parts(&server);
        let body = |bytes: Bytes| Body::Source(Arc::new(Once(bytes)));
        for (n, expected) in [content(1000), content(2000)].into_iter().enumerate() {
            let put = PutObject { body: body(expected.clone()), ..put("key", "") };
            client.send(&put).await.unwrap_or_else(|error| panic!("{code} {chunked_only}: {error}"));
            assert!(read(&client, "key").await.expect("read") == expected);
            assert!(n > 0 || refused() > 0, "{code} {chunked_only}");
        }
        let before = refused();
        let whole = content((2 << 20) + 5);
        upload(&client, "large", whole.clone()).await.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(read(&client, "large").await.expect("read") == whole);
        assert_eq!(refused(), before, "{code} {chunked_only}: it is remembered");
    }
    for mode in [ChecksumMode::Trailer, ChecksumMode::Header, ChecksumMode::ContentMd5, ChecksumMode::None] {
        let server = server(Tls::Off).await;
        let client = Client::new(Config { checksum_mode: mode, ..config(&server) }).expect("a client");
        client.send(&put("key", content(1000))).await.expect("stored");
        assert!(read(&client, "key").await.expect("read") == content(1000), "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_17_a_store_that_answers_for_the_marker_does_not_make_a_file_of_a_directory() {
    let server = server(Tls::Off).await;
    let client = client(&server);
    for key in ["dir/", "dir/file", "other/"] {
        client.send(&put(key, "")).await.expect("stored");
    }
    server.faults().add(Rule::new(Action::TakeMarkers));
    let head = HeadObject { bucket: BUCKET.into(), key: "dir".into(), ..HeadObject::default() };
    client.send(&head).await.expect("this store does");
    let tasks = holdfs::base::tasks::Tasks::new(tokio::runtime::Handle::current());
    let (options, clock) = (holdfs::namespace::Options::default(), Clock::system());
    let names = holdfs::namespace::Namespace::new(client.clone(), BUCKET, "", options, clock, tasks);
    for name in ["dir", "other"] {
        let node = names.lookup(&names.root(), name).await.expect("an answer").expect("there");
        assert!(node.is_directory(), "{name} is a directory");
    }
    let list = ListObjectsV2 { bucket: BUCKET.into(), ..ListObjectsV2::default() };
    assert_eq!(client.send(&list).await.expect("listed").objects.len(), 3);
}
