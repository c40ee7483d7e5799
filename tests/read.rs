//! The read engine and the client over a real socket, from a server that cuts, stalls, lies and overwrites.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use holdfs::base::budget::Budget;
use holdfs::base::clock::Clock;
use holdfs::base::ranges::ByteRange;
use holdfs::base::tasks::Tasks;
use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::embedded::{self, Server};
use holdfs::read::{self, Engine, Reader};
use holdfs::s3::ops::{CreateBucket, DeleteObject, PutObject};
use holdfs::s3::settings::{PutSetting, Versioning, VersioningStatus};
use holdfs::s3::{Client, Config, Credentials, Deadlines, ErrorKind, ObjectRef, Provider};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const BUCKET: &str = "bucket";

struct Rig {
    server: Server,
    client: Client,
    engine: Arc<Engine>,
}

/// Bytes that tell their offset and never look like an error document.
fn pattern(size: u64) -> Bytes {
    (0..size).map(|at| 128 | (at ^ (at >> 8) ^ (at >> 20).wrapping_mul(31)) as u8).collect::<Vec<_>>().into()
}

async fn rig() -> Rig {
    let server = Server::start(embedded::Options::default()).await.unwrap();
    let pair = server.key_pair().clone();
    let mut config = Config::new(Provider::fixed(Credentials::new(pair.access_key, pair.secret_key)));
    config.endpoint = Some(server.endpoint());
    config.deadlines = Deadlines { no_progress: Duration::from_millis(500), ..Deadlines::default() };
    let client = Client::new(config).unwrap();
    client.send(&CreateBucket { bucket: BUCKET.into(), ..CreateBucket::default() }).await.unwrap();
    let tasks = Tasks::new(tokio::runtime::Handle::current());
    let budget = Budget::new(64 * MIB);
    let engine =
        Engine::new(client.clone(), BUCKET, budget, tasks, Clock::system(), read::Options::default());
    Rig { server, client, engine }
}

impl Rig {
    async fn put(&self, key: &str, body: Bytes) -> ObjectRef {
        let size = body.len() as u64;
        let stored = self.client.send(&PutObject::new(BUCKET, key, body)).await.unwrap();
        let (etag, version) = (stored.etag.unwrap(), stored.version);
        ObjectRef { key: key.into(), etag, last_modified: SystemTime::UNIX_EPOCH, version, size }
    }

    fn fail(&self, rule: Rule) -> u64 {
        self.server.faults().add(rule.on("GetObject"))
    }

    fn bytes_served(&self) -> u64 {
        self.server.log().counters()["GetObject"].bytes_out
    }
}

async fn get(reader: &Reader, start: u64, len: u64) -> Result<Bytes, ErrorKind> {
    let range = ByteRange::sized(start, len);
    let result = match reader.try_read(range) {
        Some(result) => result,
        None => reader.read(range).await,
    };
    result.map_err(|error| error.kind())
}

async fn read_all(reader: &Reader) -> Result<Bytes, ErrorKind> {
    let mut whole = Vec::new();
    while (whole.len() as u64) < reader.object().size {
        whole.extend_from_slice(&get(reader, whole.len() as u64, MIB).await?);
    }
    Ok(whole.into())
}

fn on_runtime<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("it hangs") });
}

#[test]
fn a_file_is_read_once_and_whole() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(20 * MIB + 77));
        let object = rig.put("a b/ü+%", body.clone()).await;
        assert!(read_all(&rig.engine.open(object)).await.unwrap() == body);
        let served = rig.bytes_served();
        assert!((20 * MIB..21 * MIB).contains(&served), "{served} bytes for {}", body.len());
    });
}

#[test]
fn a_body_that_is_cut_anywhere_is_completed() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(3 * MIB));
        let object = rig.put("k", body.clone()).await;
        for at in [0, 1, MIB, 3 * MIB - 1] {
            for ending in [Ending::Fin, Ending::Reset] {
                rig.engine.forget(&object);
                let rule = rig.fail(Rule::new(Action::Cut { at, ending }).times(3));
                assert!(read_all(&rig.engine.open(object.clone())).await.unwrap() == body, "cut at {at}");
                assert!(rig.server.faults().fired(rule) > 0);
                rig.server.faults().clear();
            }
        }
    });
}

#[test]
fn error_documents_and_wrong_lengths_never_become_content() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(3 * MIB));
        let object = rig.put("k", body.clone()).await;
        let status = |status, code: &str| Action::Status {
            status,
            code: code.into(),
            headers: Vec::new(),
            when: When::Before,
        };
        let header =
            |name: &str, value: &str| Action::Headers { set: vec![(name.into(), Some(value.into()))] };
        let actions = [
            status(500, "InternalError"),
            status(503, "SlowDown"),
            Action::ErrorIn200 { code: "InternalError".into(), blanks: 100, when: When::Before },
            Action::ReplaceBody { body: "<Error><Code>InternalError</Code></Error>".into() },
            Action::IgnoreRange,
            Action::Drop { when: When::Before, ending: Ending::Reset },
            header("content-range", "bytes 1-2097152/3145728"),
            header("content-range", "nonsense"),
            header("content-length", "100"),
        ];
        for action in actions {
            rig.engine.forget(&object);
            let rule = rig.fail(Rule::new(action.clone()).times(2));
            let read = read_all(&rig.engine.open(object.clone())).await;
            assert!(read.as_ref() == Ok(&body), "{action:?}: {:?}", read.map(|bytes| bytes.len()));
            assert!(rig.server.faults().fired(rule) > 0, "{action:?}");
            rig.server.faults().clear();
        }
    });
}

#[test]
fn stalled_bodies_hold_nobody_else_up_and_are_resumed() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(2 * MIB));
        let rule = rig.fail(Rule::new(Action::Stall { at: 1000 }).key("stalled*").times(64));
        let mut stalled = Vec::new();
        for n in 0..64 {
            let object = rig.put(&format!("stalled{n}"), body.clone()).await;
            stalled.push(rig.engine.open(object));
        }
        let other = rig.put("other", body.clone()).await;
        let started = Instant::now();
        let all = futures_util::future::join_all(stalled.iter().map(read_all));
        let beside = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(read_all(&rig.engine.open(other)).await.unwrap() == body);
            started.elapsed()
        };
        let (all, elapsed) = tokio::join!(all, beside);
        assert!(elapsed < Duration::from_secs(2), "the other file took {elapsed:?}");
        assert!(all.into_iter().all(|read| read == Ok(body.clone())));
        assert_eq!(rig.server.faults().fired(rule), 64);
    });
}

#[test]
fn a_handle_never_mixes_two_versions() {
    on_runtime(async {
        let rig = rig().await;
        let (old, new) = (Bytes::from(vec![b'A'; 48 << 20]), Bytes::from(vec![b'B'; 48 << 20]));
        for honest in [true, false] {
            let object = rig.put("k", old.clone()).await;
            let reader = rig.engine.open(object.clone());
            get(&reader, 0, MIB).await.unwrap();
            rig.put("k", new.clone()).await;
            if !honest {
                rig.fail(Rule::new(Action::IgnoreConditions));
            }
            let mut at = MIB;
            let end = loop {
                match get(&reader, at, MIB).await {
                    Ok(bytes) if bytes.is_empty() => panic!("all of it was read"),
                    Ok(bytes) => assert!(bytes.iter().all(|byte| *byte == b'A'), "mixed at {at}"),
                    Err(kind) => break kind,
                }
                at += MIB;
            };
            assert_eq!(end, ErrorKind::PreconditionFailed);
            rig.server.faults().clear();
            rig.engine.forget(&object);
        }
    });
}

#[test]
fn a_deleted_object_is_gone_for_its_readers() {
    on_runtime(async {
        let rig = rig().await;
        let reader = rig.engine.open(rig.put("k", pattern(64 * MIB)).await);
        let delete = DeleteObject { bucket: BUCKET.into(), key: "k".into(), ..DeleteObject::default() };
        rig.client.send(&delete).await.unwrap();
        assert_eq!(get(&reader, 40 * MIB, KIB).await, Err(ErrorKind::NoSuchKey));
    });
}

#[test]
fn a_version_goes_on_being_read_after_it_was_overwritten() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(20 * MIB));
        let document = Versioning::of(VersioningStatus::Enabled);
        rig.client.send(&PutSetting { bucket: BUCKET.into(), document }).await.unwrap();
        let reader = rig.engine.open(rig.put("k", body.clone()).await);
        rig.put("k", Bytes::from_static(b"new")).await;
        assert!(read_all(&reader).await.unwrap() == body);
    });
}

#[test]
fn random_reads_fetch_what_they_read() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(64 * MIB));
        let object = rig.put("k", body.clone()).await;
        let readers: Vec<_> = (0..16).map(|_| rig.engine.open(object.clone())).collect();
        let each = readers.iter().enumerate().map(|(n, reader)| {
            let (body, mut random) = (&body, fastrand::Rng::with_seed(n as u64));
            async move {
                for _ in 0..50 {
                    let at = random.u64(..64 * MIB / 4096) * 4096;
                    let read = get(reader, at, 4096).await.unwrap();
                    assert_eq!(read, body.slice(at as usize..at as usize + 4096));
                }
            }
        });
        futures_util::future::join_all(each).await;
        let ratio = rig.bytes_served() as f64 / f64::from(16 * 50 * 4096);
        assert!(ratio < 1.5, "{ratio} bytes fetched for each byte read");
    });
}

#[test]
fn a_small_object_and_its_content_come_in_one_request_that_is_verified() {
    on_runtime(async {
        let (rig, body) = (rig().await, pattern(100 * KIB));
        let stored = rig.put("k", body.clone()).await;
        rig.fail(Rule::new(Action::FlipBit { at: 50_000 }).once());
        let fetched = rig.engine.fetch_whole("k", None).await.unwrap();
        assert_eq!((&fetched.object.etag, fetched.object.size), (&stored.etag, stored.size));
        let known = fetched.object.etag.clone();
        let reader = rig.engine.open(fetched.object);
        assert_eq!(reader.try_read(ByteRange::sized(0, MIB)).unwrap().unwrap(), body);
        let before = rig.server.log().count("GetObject");
        let unchanged = rig.engine.fetch_whole("k", Some(known)).await.err().unwrap();
        assert_eq!(unchanged.kind(), ErrorKind::NotModified);
        assert_eq!(rig.server.log().count("GetObject"), before + 1);
        rig.put("empty", Bytes::new()).await;
        let empty = rig.engine.fetch_whole("empty", None).await.unwrap().object;
        assert!(empty.size == 0 && rig.engine.has_whole(&empty));
        let absent = rig.engine.fetch_whole("absent", None).await.err().unwrap();
        assert_eq!(absent.kind(), ErrorKind::NoSuchKey);
    });
}
