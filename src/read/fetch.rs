//! What all readers share: the engine, its table of blocks, and who is asked for what.
//!
//! Blocks are keyed by object version and index and fetched once, whoever wants them. What is absent is joined
//! into requests; what is on its way is waited for. Memory is paid for block by block from the one budget of the
//! process; when it is short, the table gives up what can be spared, also for others ([`Reclaim`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::StreamExt;

use crate::base::budget::{Budget, Permit, Priority, Reclaim};
use crate::base::buffer::Pool;
use crate::base::clock::Clock;
use crate::base::ranges::ByteRange;
use crate::base::tasks::Tasks;
use crate::read::block::{Key, Object, Slot};
use crate::read::cache::BlockCache;
use crate::read::download::{Control, Download, Effort, Interest, Verdict};
use crate::read::reader::Reader;
use crate::read::shelf::Shelf;
use crate::read::source::{Bucket, Opened, Source};
use crate::read::window::{BLOCK_BYTES, PAGE_BYTES, WINDOW_BYTES_MAX};
use crate::s3::ops::ObjectHeaders;
use crate::s3::{Client, ETag, Error, ErrorKind, ObjectRef};

/// Idle buffers kept: what a few streams together have in use. Fewer, and several readers at once spend more on fresh
/// memory than on everything else: four of them took 2.3 CPU seconds for a GiB with 64, and 0.7 with these.
const IDLE_BUFFERS_MAX: usize = 3 * (WINDOW_BYTES_MAX / BLOCK_BYTES) as usize;

#[derive(Default)]
pub struct Options {
    pub cache: Option<Arc<dyn BlockCache>>,
}

/// Bytes of objects, fetched ahead and once.
pub struct Engine {
    shared: Arc<Shared>,
}

/// What downloads need of the engine.
pub struct Shared {
    pub source: Arc<dyn Source>,
    pub budget: Budget,
    pub tasks: Tasks,
    pub clock: Clock,
    pub pool: Pool,
    pub shelf: Shelf,
    pub cache: Option<Arc<dyn BlockCache>>,
    /// Readers that have a window.
    pub streaming: AtomicUsize,
}

/// A small object that came with one request.
#[derive(Clone)]
pub struct Fetched {
    pub headers: Arc<ObjectHeaders>,
    pub object: ObjectRef,
}

/// For `holdfs status`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Status {
    pub cached_bytes: u64,
    pub idle_buffer_bytes: u64,
    pub streaming_readers: usize,
}

impl Engine {
    pub fn new(
        client: Client,
        bucket: impl Into<String>,
        budget: Budget,
        tasks: Tasks,
        clock: Clock,
        options: Options,
    ) -> Arc<Self> {
        Self::over(Arc::new(Bucket { client, name: bucket.into() }), budget, tasks, clock, options)
    }

    pub fn over(
        source: Arc<dyn Source>,
        budget: Budget,
        tasks: Tasks,
        clock: Clock,
        options: Options,
    ) -> Arc<Self> {
        let shared = Arc::new(Shared {
            source,
            budget,
            tasks,
            clock,
            pool: Pool::new(BLOCK_BYTES as usize, IDLE_BUFFERS_MAX),
            shelf: Shelf::default(),
            cache: options.cache,
            streaming: AtomicUsize::new(0),
        });
        let keeper = Arc::downgrade(&shared);
        shared.budget.on_shortage(keeper);
        Arc::new(Self { shared })
    }

    /// A reader for one handle, pinned to `object`. Sends nothing.
    pub fn open(&self, object: ObjectRef) -> Reader {
        let content = self.shared.shelf.object(&object);
        Reader::new(self.shared.clone(), content, object)
    }

    /// One GET of what `key` holds now, unless that is `known` (`ErrorKind::NotModified`). An object of up to one
    /// block is in memory afterwards, so the first reads of it need no request; of a larger one only the headers
    /// are used. Always a GET of its own: the answer to one that began earlier may be older than this call.
    pub async fn fetch_whole(&self, key: &str, known: Option<ETag>) -> Result<Fetched, Error> {
        self.shared.fetch_whole(key, known.as_ref()).await
    }

    /// Every byte of the object is in memory.
    pub fn has_whole(&self, object: &ObjectRef) -> bool {
        let all = ByteRange::new(0, object.size);
        let Some(known) = self.shared.shelf.known(object) else { return object.size == 0 };
        let found = self.shared.shelf.find(known.id, all);
        found.iter().all(|(_, slot)| {
            slot.as_ref()
                .is_some_and(|slot| slot.covers.start == slot.key.range.start && slot.whole().is_some())
        })
    }

    /// Gives up what is in memory of an object that nobody will read again.
    pub fn forget(&self, object: &ObjectRef) {
        if let Some(known) = self.shared.shelf.known(object) {
            drop(self.shared.shelf.forget(known.id));
        }
    }

    pub fn status(&self) -> Status {
        Status {
            cached_bytes: self.shared.shelf.ready_bytes(),
            idle_buffer_bytes: self.shared.pool.idle_bytes(),
            streaming_readers: self.shared.streaming.load(Ordering::Relaxed),
        }
    }
}

impl Reclaim for Shared {
    fn reclaim(&self, bytes: u64) {
        let mut freed = 0;
        while freed < bytes {
            let Some(slot) = self.shelf.evict() else { return };
            freed += slot.size();
        }
    }
}

impl Shared {
    /// Every streaming reader's share of half of the memory.
    pub fn window_bytes_max(&self) -> u64 {
        let readers = self.streaming.load(Ordering::Relaxed).max(1) as u64;
        (self.budget.capacity_bytes() / 2 / readers).clamp(BLOCK_BYTES, WINDOW_BYTES_MAX)
    }

    /// Without waiting, but not without giving up blocks that can be spared.
    pub fn permit_now(&self, bytes: u64, priority: Priority) -> Option<Permit> {
        loop {
            if let Some(permit) = self.budget.try_acquire(bytes, priority) {
                return Some(permit);
            }
            drop(self.shelf.evict()?);
        }
    }

    /// The slots of all blocks that `range` touches. Absent ones are asked for from the start of `range` to the
    /// end of its last block, in requests of up to `request_bytes`. The interest keeps all of them coming.
    pub fn claim(
        self: &Arc<Self>,
        object: &Arc<Object>,
        pin: &ObjectRef,
        range: ByteRange,
        request_bytes: u64,
        priority: Priority,
    ) -> (Vec<Arc<Slot>>, Vec<Interest>) {
        let start = range.start / PAGE_BYTES * PAGE_BYTES;
        let mut downloads = Vec::new();
        let slots = self.shelf.claim(object.id, range, |absent| {
            let mut made = Vec::with_capacity(absent.len());
            for group in neighbours(absent, request_bytes) {
                let control = Control::new(priority);
                let slots: Vec<_> = group.iter().map(|key| expect(*key, object, start, &control)).collect();
                made.extend(slots.iter().cloned());
                let interest = control.interest();
                downloads.push((Download::new(self.clone(), control, pin.clone(), slots), interest));
            }
            made
        });
        let mut interests: Vec<Interest> = Vec::new();
        for control in slots.iter().filter_map(|slot| slot.control.as_ref()) {
            if interests.last().is_none_or(|last| !last.is_in(control)) {
                interests.push(control.interest());
            }
        }
        // Outside of the table's lock: a download that cannot start takes its slots out again.
        for (download, started) in downloads {
            download.start();
            drop(started);
        }
        (slots, interests)
    }

    /// A slot for exactly `range`, rounded outwards to pages, that is not kept when it has been read.
    pub fn claim_exact(
        self: &Arc<Self>,
        object: &Arc<Object>,
        pin: &ObjectRef,
        range: ByteRange,
    ) -> (Arc<Slot>, Interest) {
        let start = range.start / PAGE_BYTES * PAGE_BYTES;
        let end = range.end.next_multiple_of(PAGE_BYTES).min(pin.size);
        let key = Key::passing(object.id, ByteRange::new(start, end));
        let mut download = None;
        let slot = self.shelf.claim_one(key, || {
            let control = Control::new(Priority::Foreground);
            let slot = Arc::new(Slot::expected(key, object.clone(), key.range, control.clone()));
            download = Some(Download::new(self.clone(), control, pin.clone(), vec![slot.clone()]));
            slot
        });
        let control = slot.control.clone().unwrap_or_else(|| Control::new(Priority::Foreground));
        let interest = control.interest();
        if let Some(download) = download {
            download.start();
        }
        (slot, interest)
    }

    /// From the start again after a failure: the object may have changed in between.
    async fn fetch_whole(&self, key: &str, known: Option<&ETag>) -> Result<Fetched, Error> {
        let mut effort = Effort::new(self.clock.now());
        loop {
            let attempt = async {
                let opened = self.source.open_current(key, known.cloned()).await?;
                self.keep_whole(key, opened).await
            };
            let error = match attempt.await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            match effort.judge(error, self.clock.now()) {
                Verdict::Again(pause) => tokio::time::sleep(pause).await,
                Verdict::GiveUp(error) => return Err(error),
            }
        }
    }

    async fn keep_whole(&self, key: &str, mut opened: Opened) -> Result<Fetched, Error> {
        let headers = Arc::new(opened.headers.clone());
        let object = named(key, &headers)?;
        let fetched = Fetched { headers, object: object.clone() };
        if object.size > BLOCK_BYTES {
            return Ok(fetched);
        }
        if opened.range != ByteRange::new(0, object.size) {
            let message = format!("{key}: the reply to a request for the whole object holds a part of it");
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        let bytes = self.collect(&object, &mut opened).await?;
        if let Some(bytes) = bytes {
            let content = self.shelf.object(&object);
            let slot = Slot::ready(Key::of_block(content.id, 0), content, opened.range, bytes);
            self.shelf.add(Arc::new(slot));
        }
        Ok(fetched)
    }

    /// The body, complete to its verified end; `None` for an empty object.
    async fn collect(&self, object: &ObjectRef, opened: &mut Opened) -> Result<Option<Bytes>, Error> {
        let len = object.size as usize;
        let permit = match self.permit_now(object.size, Priority::Foreground) {
            Some(permit) => permit,
            None => self.budget.acquire(object.size, Priority::Foreground).await,
        };
        let mut buffer = self.pool.take(len);
        while let Some(chunk) = opened.chunks.next().await.transpose()? {
            if buffer.fill(&chunk) < chunk.len() {
                return Err(Error::new(ErrorKind::Corrupt, format!("{}: the body is too long", object.key)));
            }
        }
        if buffer.len() != len {
            return Err(Error::new(ErrorKind::Corrupt, format!("{}: the body ended early", object.key)));
        }
        Ok((len > 0).then(|| buffer.freeze(permit)))
    }
}

fn expect(key: Key, object: &Arc<Object>, start: u64, control: &Arc<Control>) -> Arc<Slot> {
    let covers = ByteRange::new(key.range.start.max(start), key.range.end.min(object.named.size));
    Arc::new(Slot::expected(key, object.clone(), covers, control.clone()))
}

/// Groups of blocks that follow each other, none longer than a request.
fn neighbours(keys: &[Key], request_bytes: u64) -> impl Iterator<Item = &[Key]> {
    let blocks = (request_bytes / BLOCK_BYTES).max(1) as usize;
    keys.chunk_by(|one, next| one.range.end == next.range.start).flat_map(move |run| run.chunks(blocks))
}

/// The reference that a reply to a GET of a key makes.
fn named(key: &str, headers: &ObjectHeaders) -> Result<ObjectRef, Error> {
    let Some(etag) = headers.etag.clone() else {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!("{key}: the reply has no ETag, so nothing can be pinned to it"),
        ));
    };
    Ok(ObjectRef {
        key: key.into(),
        etag,
        last_modified: headers.last_modified.unwrap_or(SystemTime::UNIX_EPOCH),
        version: headers.version.clone(),
        size: headers.size,
    })
}
