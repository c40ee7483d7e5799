//! The engine against a scripted store: cuts, stalls, lies, overwrites, and who shares what.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::base::budget::{Budget, Priority};
use crate::base::clock::Clock;
use crate::base::ranges::ByteRange;
use crate::base::tasks::Tasks;
use crate::read::cache::BlockCache;
use crate::read::source::{Opened, Source};
use crate::read::window::BLOCK_BYTES;
use crate::read::{Engine, Options, Reader};
use crate::s3::ops::ObjectHeaders;
use crate::s3::{ETag, Error, ErrorKind, ObjectRef};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const CHUNK: u64 = 100_000;

/// What goes wrong with one request; the next one is served as if nothing had happened.
#[derive(Clone)]
enum Fault {
    None,
    Refuse(ErrorKind),
    /// The body ends as if it were whole.
    EndAfter(u64),
    /// The body fails.
    CutAfter(u64),
    /// A 200 with everything from the start.
    WholeObject,
    WrongSize,
    Longer,
    Panic,
    /// The body goes on once the gate has a permit.
    HoldAfter(u64, Arc<Semaphore>),
}

/// One object, whose bytes follow from their offsets.
struct Fake {
    size: u64,
    etag: Mutex<ETag>,
    faults: Mutex<VecDeque<Fault>>,
    asked: Mutex<Vec<ByteRange>>,
    bodies: Arc<AtomicUsize>,
}

fn byte_at(offset: u64) -> u8 {
    (offset ^ (offset >> 8) ^ (offset >> 20).wrapping_mul(31)) as u8
}

fn content(range: ByteRange) -> Bytes {
    (range.start..range.end).map(byte_at).collect::<Vec<_>>().into()
}

/// Counts the bodies that have not been dropped.
struct OpenBody(Arc<AtomicUsize>);
impl Drop for OpenBody {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fake {
    fn reply(&self, range: ByteRange) -> Result<Opened, Error> {
        self.asked.lock().push(range);
        let fault = self.faults.lock().pop_front().unwrap_or(Fault::None);
        let mut headers =
            ObjectHeaders { etag: Some(self.etag.lock().clone()), size: self.size, ..Default::default() };
        let mut range = range;
        match fault {
            Fault::Refuse(kind) => return Err(Error::new(kind, "scripted")),
            Fault::WholeObject => range = ByteRange::new(0, self.size),
            Fault::WrongSize => headers.size += 1,
            Fault::Panic => panic!("scripted"),
            _ => {}
        }
        Ok(Opened { headers, range, chunks: self.body(range, fault) })
    }

    fn body(&self, range: ByteRange, fault: Fault) -> BoxStream<'static, Result<Bytes, Error>> {
        self.bodies.fetch_add(1, Ordering::SeqCst);
        let open = OpenBody(self.bodies.clone());
        let steps = (range.start..range.end).step_by(CHUNK as usize);
        let chunks = steps.map(move |start| ByteRange::new(start, range.end.min(start + CHUNK)));
        let chunks = stream::iter(chunks).map(|chunk| Ok(content(chunk)));
        let all = match fault {
            Fault::EndAfter(bytes) => {
                stream::iter([Ok(content(ByteRange::sized(range.start, bytes)))]).boxed()
            }
            Fault::CutAfter(bytes) => stream::iter([
                Ok(content(ByteRange::sized(range.start, bytes))),
                Err(Error::new(ErrorKind::Unavailable, "cut")),
            ])
            .boxed(),
            Fault::Longer => chunks.chain(stream::iter([Ok(Bytes::from_static(b"<Error/>"))])).boxed(),
            Fault::HoldAfter(bytes, gate) => {
                let head = stream::iter([Ok(content(ByteRange::sized(range.start, bytes)))]);
                let rest = ByteRange::new(range.start + bytes, range.end);
                let tail = stream::once(async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(content(rest))
                });
                head.chain(tail).boxed()
            }
            _ => chunks.boxed(),
        };
        all.map(move |item| {
            let _open = &open;
            item
        })
        .boxed()
    }
}

impl Source for Fake {
    fn open<'a>(&'a self, object: &'a ObjectRef, range: ByteRange) -> BoxFuture<'a, Result<Opened, Error>> {
        Box::pin(async move {
            if *self.etag.lock() != object.etag {
                self.asked.lock().push(range);
                return Err(Error::new(ErrorKind::PreconditionFailed, "scripted"));
            }
            self.reply(range)
        })
    }
    fn open_current<'a>(
        &'a self,
        _key: &'a str,
        known: Option<ETag>,
    ) -> BoxFuture<'a, Result<Opened, Error>> {
        Box::pin(async move {
            if known.is_some_and(|known| known == *self.etag.lock()) {
                return Err(Error::new(ErrorKind::NotModified, "scripted"));
            }
            self.reply(ByteRange::new(0, self.size))
        })
    }
}

struct Rig {
    fake: Arc<Fake>,
    engine: Arc<Engine>,
    budget: Budget,
    tasks: Tasks,
}

impl Rig {
    fn object(&self) -> ObjectRef {
        let etag = self.fake.etag.lock().clone();
        ObjectRef {
            key: "k".into(),
            etag,
            last_modified: SystemTime::UNIX_EPOCH,
            version: None,
            size: self.fake.size,
        }
    }
    fn open(&self) -> Reader {
        self.engine.open(self.object())
    }
    fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.fake.faults.lock().extend(faults);
    }
    fn asked(&self) -> Vec<(u64, u64)> {
        self.fake.asked.lock().iter().map(|range| (range.start, range.end)).collect()
    }
    fn asked_bytes(&self) -> u64 {
        self.fake.asked.lock().iter().map(|range| range.len()).sum()
    }
    async fn quiet(&self) {
        eventually("no download is left", || !self.tasks.live().contains(&"download")).await;
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("not in time: {what}");
}

fn with_rig<F: Future<Output = ()>>(size: u64, capacity: u64, test: impl FnOnce(Rig) -> F) {
    with_options(size, capacity, Options::default(), test);
}

fn with_options<F: Future<Output = ()>>(
    size: u64,
    capacity: u64,
    options: Options,
    test: impl FnOnce(Rig) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tasks = Tasks::new(runtime.handle().clone());
    let fake = Arc::new(Fake {
        size,
        etag: Mutex::new(ETag("e1".into())),
        faults: Mutex::default(),
        asked: Mutex::default(),
        bodies: Arc::default(),
    });
    let budget = Budget::new(capacity);
    let engine = Engine::over(fake.clone(), budget.clone(), tasks.clone(), Clock::system(), options);
    runtime.block_on(async {
        let test = test(Rig { fake, engine, budget, tasks });
        tokio::time::timeout(Duration::from_secs(30), test).await.expect("the test hangs");
    });
}

async fn get(reader: &Reader, start: u64, len: u64) -> Result<Bytes, ErrorKind> {
    let range = ByteRange::sized(start, len);
    let result = match reader.try_read(range) {
        Some(result) => result,
        None => reader.read(range).await,
    };
    result.map_err(|error| error.kind())
}

async fn read_all(reader: &Reader, step: u64) {
    let size = reader.object().size;
    for start in (0..size).step_by(step as usize) {
        let bytes = get(reader, start, step).await.unwrap();
        assert!(bytes == content(ByteRange::new(start, size.min(start + step))), "bytes at {start}");
    }
}

#[test]
fn reading_through_gives_every_byte_and_fetches_it_once() {
    for step in [128 * KIB, MIB, 300_001] {
        with_rig(20 * MIB + 4321, 64 * MIB, |rig| async move {
            read_all(&rig.open(), step).await;
            let asked = rig.asked_bytes();
            assert!(asked < 20 * MIB + 4321 + 2 * 4096, "{asked} with reads of {step}");
        });
    }
}

#[test]
fn the_end_of_the_object_and_an_empty_one_need_no_request() {
    with_rig(10, 64 * MIB, |rig| async move {
        let reader = rig.open();
        assert_eq!(get(&reader, 10, 5).await, Ok(Bytes::new()));
        assert_eq!(get(&reader, u64::MAX - 1, 5).await, Ok(Bytes::new()));
        assert_eq!(rig.asked(), []);
        assert_eq!(get(&reader, 8, 5).await, Ok(content(ByteRange::new(8, 10))));
    });
    with_rig(0, 64 * MIB, |rig| async move {
        assert_eq!(get(&rig.open(), 0, 4096).await, Ok(Bytes::new()));
        assert_eq!(rig.asked(), []);
        assert!(rig.engine.has_whole(&rig.object()));
    });
}

#[test]
fn a_random_read_asks_for_its_pages_alone() {
    with_rig(1 << 30, 64 * MIB, |rig| async move {
        let reader = rig.open();
        assert_eq!(get(&reader, 500 * MIB + 5, 100).await, Ok(content(ByteRange::sized(500 * MIB + 5, 100))));
        assert_eq!(get(&reader, 4096, 4096).await, Ok(content(ByteRange::sized(4096, 4096))));
        assert_eq!(rig.asked(), [(500 * MIB, 500 * MIB + 4096), (4096, 8192)]);
        rig.quiet().await;
        assert_eq!(rig.budget.used_bytes(), 0);
    });
}

#[test]
fn a_random_read_may_be_longer_than_a_block() {
    with_rig(64 * MIB, 64 * MIB, |rig| async move {
        let reader = rig.open();
        for start in [33 * MIB + 5, 3 * MIB, 50 * MIB] {
            let len = 5 * BLOCK_BYTES / 2;
            assert_eq!(get(&reader, start, len).await, Ok(content(ByteRange::sized(start, len))));
        }
    });
}

#[test]
fn a_body_that_ends_early_fails_or_lies_is_resumed_where_it_was() {
    let faults = [
        Fault::EndAfter(0),
        Fault::EndAfter(1),
        Fault::EndAfter(MIB),
        Fault::EndAfter(3 * MIB - 1),
        Fault::CutAfter(0),
        Fault::CutAfter(MIB + 7),
        Fault::WholeObject,
        Fault::WrongSize,
        Fault::Longer,
        Fault::Refuse(ErrorKind::Unavailable),
        Fault::Refuse(ErrorKind::Corrupt),
    ];
    for fault in faults {
        with_rig(3 * MIB, 64 * MIB, |rig| async move {
            rig.fail([Fault::None, fault, Fault::None]);
            read_all(&rig.open(), MIB).await;
        });
    }
}

#[test]
fn a_resumed_request_begins_at_the_missing_byte() {
    with_rig(16 * MIB, 64 * MIB, |rig| async move {
        let reader = rig.open();
        rig.fail([Fault::CutAfter(1000)]);
        get(&reader, 0, 128 * KIB).await.unwrap();
        assert_eq!(rig.asked(), [(0, MIB), (1000, MIB)]);
    });
}

#[test]
fn what_cannot_be_healed_reaches_every_waiter_and_is_not_kept() {
    for kind in
        [ErrorKind::PreconditionFailed, ErrorKind::NoSuchKey, ErrorKind::NoSuchVersion, ErrorKind::Denied]
    {
        with_rig(4 * MIB, 64 * MIB, |rig| async move {
            let (one, two) = (rig.open(), rig.open());
            rig.fail((0..16).map(|_| Fault::Refuse(kind)));
            let (first, second) = tokio::join!(get(&one, 0, MIB), get(&two, 0, MIB));
            assert_eq!((first, second), (Err(kind), Err(kind)));
            rig.quiet().await;
            rig.fake.faults.lock().clear();
            assert_eq!(get(&two, 0, MIB).await, Ok(content(ByteRange::sized(0, MIB))));
        });
    }
}

#[test]
fn an_overwritten_object_is_an_error_for_its_readers_never_a_mixture() {
    with_rig(64 * MIB, 64 * MIB, |rig| async move {
        let reader = rig.open();
        get(&reader, 0, MIB).await.unwrap();
        rig.quiet().await;
        *rig.fake.etag.lock() = ETag("e2".into());
        assert_eq!(get(&reader, 40 * MIB, MIB).await, Err(ErrorKind::PreconditionFailed));
        assert_eq!(get(&rig.open(), 40 * MIB, MIB).await, Ok(content(ByteRange::sized(40 * MIB, MIB))));
    });
}

#[test]
fn a_store_that_ignores_conditions_is_found_out() {
    with_rig(4 * MIB, 64 * MIB, |rig| async move {
        struct Careless(Arc<Fake>);
        impl Source for Careless {
            fn open<'a>(
                &'a self,
                _: &'a ObjectRef,
                range: ByteRange,
            ) -> BoxFuture<'a, Result<Opened, Error>> {
                Box::pin(async move { self.0.reply(range) })
            }
            fn open_current<'a>(
                &'a self,
                key: &'a str,
                known: Option<ETag>,
            ) -> BoxFuture<'a, Result<Opened, Error>> {
                self.0.open_current(key, known)
            }
        }
        let source = Arc::new(Careless(rig.fake.clone()));
        let engine =
            Engine::over(source, rig.budget.clone(), rig.tasks.clone(), Clock::system(), Options::default());
        let reader = engine.open(rig.object());
        *rig.fake.etag.lock() = ETag("e2".into());
        assert_eq!(get(&reader, 0, MIB).await, Err(ErrorKind::PreconditionFailed));
    });
}

#[test]
fn readers_of_one_object_share_what_is_fetched() {
    with_rig(8 * MIB, 64 * MIB, |rig| async move {
        let readers: Vec<_> = (0..4).map(|_| rig.open()).collect();
        futures_util::future::join_all(readers.iter().map(|reader| read_all(reader, MIB))).await;
        assert_eq!(rig.asked_bytes(), 8 * MIB);
        assert!(rig.engine.has_whole(&rig.object()));
        rig.engine.forget(&rig.object());
        assert!(!rig.engine.has_whole(&rig.object()));
        assert_eq!(rig.engine.status().cached_bytes, 0);
        assert_eq!(rig.budget.used_bytes(), 0);
    });
}

#[test]
fn small_reads_are_served_before_their_block_is_whole() {
    with_rig(MIB, 64 * MIB, |rig| async move {
        let gate = Arc::new(Semaphore::new(0));
        rig.fail([Fault::HoldAfter(200 * KIB, gate.clone())]);
        let reader = rig.open();
        assert_eq!(get(&reader, 0, 128 * KIB).await, Ok(content(ByteRange::new(0, 128 * KIB))));
        gate.add_permits(1);
        assert_eq!(
            get(&reader, 128 * KIB, 128 * KIB).await,
            Ok(content(ByteRange::sized(128 * KIB, 128 * KIB)))
        );
        assert_eq!(rig.asked(), [(0, MIB)]);
    });
}

#[test]
fn a_dropped_reader_takes_its_read_ahead_with_it() {
    with_rig(64 * MIB, 64 * MIB, |rig| async move {
        let gate = Arc::new(Semaphore::new(0));
        rig.fail((0..8).map(|_| Fault::HoldAfter(MIB, gate.clone())));
        let reader = rig.open();
        get(&reader, 0, MIB).await.unwrap();
        get(&reader, 0, MIB).await.unwrap();
        assert!(rig.fake.bodies.load(Ordering::SeqCst) > 0);
        drop(reader);
        rig.quiet().await;
        assert_eq!(rig.fake.bodies.load(Ordering::SeqCst), 0);
        assert_eq!(rig.engine.status().streaming_readers, 0);
    });
}

#[test]
fn a_waiter_survives_the_reader_that_started_its_download() {
    with_rig(8 * MIB, 64 * MIB, |rig| async move {
        let gate = Arc::new(Semaphore::new(0));
        rig.fail([Fault::HoldAfter(10, gate.clone())]);
        let (one, two) = (rig.open(), rig.open());
        assert!(one.try_read(ByteRange::sized(0, MIB)).is_none());
        let waiting = get(&two, 0, MIB);
        let (bytes, ()) = tokio::join!(waiting, async {
            drop(one);
            tokio::time::sleep(Duration::from_millis(20)).await;
            gate.add_permits(1);
        });
        assert_eq!(bytes, Ok(content(ByteRange::sized(0, MIB))));
    });
}

#[test]
fn a_reader_that_stops_waiting_leaves_nothing_behind() {
    with_rig(1 << 30, 64 * MIB, |rig| async move {
        let gate = Arc::new(Semaphore::new(0));
        rig.fail([Fault::HoldAfter(10, gate.clone())]);
        let reader = rig.open();
        let read = get(&reader, 500 * MIB, 4096);
        assert!(tokio::time::timeout(Duration::from_millis(20), read).await.is_err());
        rig.quiet().await;
        assert_eq!(rig.budget.used_bytes(), 0);
        assert_eq!(get(&reader, 500 * MIB, 4096).await, Ok(content(ByteRange::sized(500 * MIB, 4096))));
    });
}

#[test]
fn a_panic_in_a_download_is_an_error_for_its_waiters() {
    with_rig(4 * MIB, 64 * MIB, |rig| async move {
        rig.fail((0..16).map(|_| Fault::Panic));
        let reader = rig.open();
        assert_eq!(get(&reader, 0, MIB).await, Err(ErrorKind::Bug));
        rig.quiet().await;
        rig.fake.faults.lock().clear();
        read_all(&reader, MIB).await;
    });
}

#[test]
fn shutdown_ends_every_wait() {
    with_rig(8 * MIB, 64 * MIB, |rig| async move {
        let gate = Arc::new(Semaphore::new(0));
        rig.fail((0..8).map(|_| Fault::HoldAfter(10, gate.clone())));
        let reader = rig.open();
        let (bytes, ()) = tokio::join!(get(&reader, 0, MIB), rig.tasks.shutdown(Duration::from_millis(20)));
        assert_eq!(bytes, Err(ErrorKind::Unavailable));
    });
}

#[test]
fn memory_stays_within_the_budget_whatever_is_read() {
    const CAPACITY: u64 = 8 * MIB;
    with_rig(256 * MIB, CAPACITY, |rig| async move {
        let readers: Vec<_> = (0..6).map(|_| rig.open()).collect();
        let most = AtomicUsize::new(0);
        let each = readers.iter().enumerate().map(|(n, reader)| {
            let (budget, most) = (&rig.budget, &most);
            async move {
                for step in 0..32 {
                    let start = n as u64 * 40 * MIB + step * MIB;
                    assert_eq!(get(reader, start, MIB).await, Ok(content(ByteRange::sized(start, MIB))));
                    most.fetch_max(budget.used_bytes() as usize, Ordering::SeqCst);
                }
            }
        });
        futures_util::future::join_all(each).await;
        assert!(most.load(Ordering::SeqCst) as u64 <= CAPACITY);
        drop(readers);
        rig.quiet().await;
        // Somebody else's need empties the shelf.
        assert_eq!(rig.budget.acquire(CAPACITY, Priority::Foreground).await.bytes(), CAPACITY);
    });
}

#[test]
fn a_small_object_comes_with_one_request() {
    with_rig(10_000, 64 * MIB, |rig| async move {
        let object = rig.engine.fetch_whole("k", None).await.unwrap().object;
        assert_eq!(object, rig.object());
        assert!(rig.engine.has_whole(&object));
        let reader = rig.engine.open(object.clone());
        assert_eq!(
            reader.try_read(ByteRange::sized(0, 1 << 20)).unwrap().unwrap(),
            content(ByteRange::new(0, 10_000))
        );
        assert_eq!(rig.asked(), [(0, 10_000)]);
        let unchanged = rig.engine.fetch_whole("k", Some(object.etag)).await.err().unwrap();
        assert_eq!(unchanged.kind(), ErrorKind::NotModified);
    });
}

#[test]
fn who_asks_later_gets_an_answer_of_its_own() {
    with_rig(10_000, 64 * MIB, |rig| async move {
        let (one, two) = tokio::join!(rig.engine.fetch_whole("k", None), rig.engine.fetch_whole("k", None));
        assert_eq!((one.unwrap().object, two.unwrap().object), (rig.object(), rig.object()));
        assert_eq!(rig.asked(), [(0, 10_000), (0, 10_000)]);
    });
}

#[test]
fn a_torn_small_object_is_fetched_again_and_a_large_one_is_only_named() {
    with_rig(10_000, 64 * MIB, |rig| async move {
        rig.fail([Fault::EndAfter(9_999), Fault::CutAfter(1), Fault::Longer]);
        let object = rig.engine.fetch_whole("k", None).await.unwrap().object;
        assert!(rig.engine.has_whole(&object));
        assert_eq!(get(&rig.engine.open(object), 0, 10_000).await, Ok(content(ByteRange::new(0, 10_000))));
    });
    with_rig(2 * BLOCK_BYTES, 64 * MIB, |rig| async move {
        let object = rig.engine.fetch_whole("k", None).await.unwrap().object;
        assert_eq!((object.size, rig.engine.has_whole(&object)), (2 * BLOCK_BYTES, false));
        assert_eq!(rig.budget.used_bytes(), 0);
    });
}

#[derive(Default)]
struct Kept(Mutex<std::collections::HashMap<u64, Bytes>>);
impl BlockCache for Kept {
    fn get<'a>(&'a self, _object: &'a ObjectRef, index: u64) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(async move { self.0.lock().get(&index).cloned() })
    }
    fn put(&self, _object: &ObjectRef, index: u64, block: Bytes) {
        self.0.lock().insert(index, Bytes::copy_from_slice(&block));
    }
}

#[test]
fn whole_blocks_go_to_the_cache_and_come_from_it() {
    let kept = Arc::new(Kept::default());
    for round in 0..2 {
        let options = Options { cache: Some(kept.clone()) };
        with_options(5 * MIB + 5, 64 * MIB, options, |rig| async move {
            read_all(&rig.open(), MIB).await;
            rig.quiet().await;
            if round == 1 {
                assert_eq!(rig.asked(), []);
            }
        });
        assert_eq!(kept.0.lock().len(), 6);
    }
}
