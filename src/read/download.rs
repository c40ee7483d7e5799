//! One ranged GET being consumed: fills slots straight from the socket's chunks, in order.
//!
//! A cut, stalled or short body is resumed from the byte it reached, with the same pin, so that no download ever
//! mixes two versions. Errors that time cannot heal (the object is gone, no permission) end it at once.
//!
//! A download lives while somebody is interested: readers that have it in their window, and waiters. When the last
//! [`Interest`] goes, it is aborted. However it ends, every slot it owes is ready, failed or aborted then: nobody
//! waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::budget::{Permit, Priority};
use crate::base::ranges::ByteRange;
use crate::base::tasks::Task;
use crate::read::block::{Filled, Kind, Loss, Slot};
use crate::read::fetch::Shared;
use crate::read::source::verify;
use crate::read::window::BLOCK_BYTES;
use crate::s3::{Error, ErrorKind, ObjectRef};
use crate::telemetry::metrics;

/// The outside of a download.
pub struct Control {
    interested: AtomicUsize,
    abandoned: AtomicBool,
    over: AtomicBool,
    /// Somebody waits for it: it may use the foreground's share of the memory.
    hurried: AtomicBool,
    hurry: Notify,
    task: Mutex<Option<Task>>,
}

/// Keeps a download going.
pub struct Interest(Arc<Control>);

impl Control {
    pub fn new(priority: Priority) -> Arc<Self> {
        Arc::new(Self {
            interested: AtomicUsize::new(0),
            abandoned: AtomicBool::new(false),
            over: AtomicBool::new(false),
            hurried: AtomicBool::new(priority == Priority::Foreground),
            hurry: Notify::new(),
            task: Mutex::new(None),
        })
    }

    pub fn interest(self: &Arc<Self>) -> Interest {
        self.interested.fetch_add(1, Ordering::AcqRel);
        Interest(self.clone())
    }

    /// From read-ahead to something that a reader waits for.
    fn hurry(&self) {
        if !self.hurried.swap(true, Ordering::AcqRel) {
            self.hurry.notify_one();
        }
    }

    fn runs_as(&self, task: Task) {
        let mut slot = self.task.lock();
        if self.abandoned.load(Ordering::Acquire) {
            task.abort();
        }
        if !self.over.load(Ordering::Acquire) {
            *slot = Some(task);
        }
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        *self.task.lock() = None;
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        if let Some(task) = &*self.task.lock() {
            task.abort();
        }
    }

    fn priority(&self) -> Priority {
        if self.hurried.load(Ordering::Acquire) { Priority::Foreground } else { Priority::Background }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        if self.0.interested.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.abandon();
        }
    }
}

impl Interest {
    /// Somebody waits for it now.
    pub fn hurry(&self) {
        self.0.hurry();
    }

    /// Is it interest in this download?
    pub fn is_in(&self, control: &Arc<Control>) -> bool {
        Arc::ptr_eq(&self.0, control)
    }

    /// Is the download over, so that interest in it means nothing any more?
    pub fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }
}

pub struct Download {
    shared: Arc<Shared>,
    control: Arc<Control>,
    /// What requests name: the reader's own reference, which may know a version id.
    pin: ObjectRef,
    /// What is still owed.
    range: ByteRange,
    /// The slots of `range`, the next one first in line (at the end).
    slots: Vec<Arc<Slot>>,
}

impl Download {
    /// `slots` must cover `range` without gaps, in order.
    pub fn new(
        shared: Arc<Shared>,
        control: Arc<Control>,
        pin: ObjectRef,
        mut slots: Vec<Arc<Slot>>,
    ) -> Self {
        let start = slots.first().map_or(0, |slot| slot.covers.start);
        let end = slots.last().map_or(start, |slot| slot.covers.end);
        slots.reverse();
        Self { shared, control, pin, range: ByteRange::new(start, end), slots }
    }

    /// Interest must have been shown before, or it may end as soon as it begins.
    pub fn start(self) {
        let (control, tasks) = (self.control.clone(), self.shared.tasks.clone());
        control.runs_as(tasks.spawn("download", self.run()));
    }

    async fn run(mut self) {
        let mut effort = Effort::new(self.shared.clock.now());
        self.take_cached().await;
        while !self.range.is_empty() {
            let Err(error) = self.attempt(&mut effort).await else { continue };
            match effort.judge(error, self.shared.clock.now()) {
                Verdict::Again(pause) => tokio::time::sleep(pause).await,
                Verdict::GiveUp(error) => return self.lose(&Loss::Failed(error)),
            }
            metrics::READ_RESUMED.add(1);
        }
    }

    /// Leading blocks that the cache has.
    async fn take_cached(&mut self) {
        let Some(cache) = self.shared.cache.clone() else { return };
        while let Some(slot) = self.slots.last().filter(|slot| slot.is_whole_block()) {
            let found = cache.get(&self.pin, slot.key.range.start / BLOCK_BYTES).await;
            let Some(block) = found.filter(|block| block.len() as u64 == slot.size()) else { return };
            self.take(&block).await.expect("a block as long as its slot fits");
        }
    }

    async fn attempt(&mut self, effort: &mut Effort) -> Result<(), Error> {
        let source = self.shared.source.clone();
        let mut opened = source.open(&self.pin, self.range).await?;
        verify(&self.pin, self.range, &opened)?;
        while !self.range.is_empty() {
            let Some(chunk) = opened.chunks.next().await.transpose()? else {
                let message = format!("{}: the body ended {} bytes early", self.pin.key, self.range.len());
                return Err(Error::new(ErrorKind::Corrupt, message));
            };
            metrics::READ_FETCHED_BYTES.add(chunk.len() as u64);
            effort.progress(chunk.len() as u64, self.shared.clock.now());
            self.take(&chunk).await?;
        }
        // Lets the client see the end, so that the connection can be used again.
        drop(opened.chunks.next().await);
        Ok(())
    }

    async fn take(&mut self, mut chunk: &[u8]) -> Result<(), Error> {
        while !chunk.is_empty() {
            let Some(slot) = self.slots.last() else {
                let message = format!("{}: the body is longer than what was asked for", self.pin.key);
                return Err(Error::new(ErrorKind::Corrupt, message));
            };
            if slot.needs_memory() {
                let permit = self.permit(slot.size()).await;
                slot.begin(self.shared.pool.take(slot.size() as usize), permit);
            }
            let filled = slot.fill(chunk);
            let (Filled::Partly(taken) | Filled::Whole(taken)) = filled;
            if taken == 0 {
                let message = format!("{}: a block of memory ended before its bytes did", self.pin.key);
                return Err(Error::new(ErrorKind::Bug, message));
            }
            self.range.start += taken as u64;
            chunk = &chunk[taken..];
            if matches!(filled, Filled::Whole(_))
                && let Some(slot) = self.slots.pop()
            {
                self.finish(&slot);
            }
        }
        Ok(())
    }

    /// Its waiters have been woken by the last byte; now it goes where others find it, or out of their way.
    fn finish(&self, slot: &Arc<Slot>) {
        if slot.key.kind == Kind::Passing {
            return self.shared.shelf.withdraw(slot);
        }
        drop(self.shared.shelf.became_ready(slot));
        if let (true, Some(cache), Some(bytes)) = (slot.is_whole_block(), &self.shared.cache, slot.whole()) {
            cache.put(&self.pin, slot.key.range.start / BLOCK_BYTES, bytes);
        }
        if self.shared.budget.wanted_bytes() > 0 {
            drop(self.shared.shelf.evict());
        }
    }

    /// Memory for one slot. While waiting, read-ahead may become something that a reader waits for.
    async fn permit(&self, bytes: u64) -> Permit {
        let (shared, control) = (&self.shared, &self.control);
        if let Some(permit) = shared.permit_now(bytes, control.priority()) {
            return permit;
        }
        if control.priority() == Priority::Background {
            tokio::select! {
                biased;
                () = control.hurry.notified() => {}
                permit = shared.budget.acquire(bytes, Priority::Background) => return permit,
            }
        }
        shared.budget.acquire(bytes, Priority::Foreground).await
    }

    fn lose(&mut self, loss: &Loss) {
        for slot in self.slots.drain(..).rev() {
            // Off the table first: who is told to ask again must not find it there.
            self.shared.shelf.withdraw(&slot);
            slot.lose(loss.clone());
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lose(&Loss::Failed(Error::new(ErrorKind::Bug, "the download panicked")));
        } else {
            self.lose(&Loss::Aborted);
        }
        self.control.end();
    }
}

const NO_PROGRESS_MAX: Duration = Duration::from_secs(60);
const FAILURES_MAX: u32 = 8;
/// Less than this between two failures is no progress: a body that is cut after every few bytes must not be
/// resumed for ever.
const PROGRESS_BYTES_MIN: u64 = 64 << 10;
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How hard a download has tried. Pure.
#[derive(Debug)]
pub struct Effort {
    last_byte: Instant,
    failures: u32,
    bytes: u64,
}

#[derive(Debug)]
pub enum Verdict {
    Again(Duration),
    GiveUp(Error),
}

impl Effort {
    pub fn new(now: Instant) -> Self {
        Self { last_byte: now, failures: 0, bytes: 0 }
    }

    fn progress(&mut self, bytes: u64, now: Instant) {
        self.last_byte = now;
        self.bytes += bytes;
        if self.bytes >= PROGRESS_BYTES_MIN {
            self.failures = 0;
        }
    }

    /// The client has already retried what is worth a retry in one request; this is about the rest of a body.
    pub fn judge(&mut self, error: Error, now: Instant) -> Verdict {
        let heals = matches!(
            error.kind(),
            ErrorKind::Corrupt | ErrorKind::TimedOut | ErrorKind::Unavailable | ErrorKind::Throttled
        );
        self.failures += 1;
        self.bytes = 0;
        if !heals || self.failures > FAILURES_MAX || now.duration_since(self.last_byte) >= NO_PROGRESS_MAX {
            return Verdict::GiveUp(error);
        }
        // The first resumption comes at once: most cuts are a connection that was closed.
        let doubled = PAUSE_MIN * 2u32.saturating_pow(self.failures - 1);
        Verdict::Again(if self.failures == 1 { Duration::ZERO } else { doubled.min(PAUSE_MAX) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(effort: &mut Effort, kind: ErrorKind, now: Instant) -> Option<Duration> {
        match effort.judge(Error::new(kind, "test"), now) {
            Verdict::Again(pause) => Some(pause),
            Verdict::GiveUp(error) => {
                assert_eq!(error.kind(), kind);
                None
            }
        }
    }

    #[test]
    fn only_what_time_can_heal_is_resumed() {
        let now = Instant::now();
        for (kind, again) in [
            (ErrorKind::Corrupt, true),
            (ErrorKind::TimedOut, true),
            (ErrorKind::Unavailable, true),
            (ErrorKind::PreconditionFailed, false),
            (ErrorKind::NoSuchKey, false),
            (ErrorKind::NoSuchVersion, false),
            (ErrorKind::Denied, false),
        ] {
            assert_eq!(verdict(&mut Effort::new(now), kind, now).is_some(), again, "{kind:?}");
        }
    }

    #[test]
    fn it_gives_up_after_so_many_failures_without_progress() {
        let now = Instant::now();
        let mut effort = Effort::new(now);
        let mut pauses = Vec::new();
        while let Some(pause) = verdict(&mut effort, ErrorKind::Corrupt, now) {
            pauses.push(pause.as_millis());
            effort.progress(1, now);
        }
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn progress_starts_the_count_again() {
        let now = Instant::now();
        let mut effort = Effort::new(now);
        for _ in 0..100 {
            assert!(verdict(&mut effort, ErrorKind::Corrupt, now).is_some());
            effort.progress(PROGRESS_BYTES_MIN, now);
        }
    }

    #[test]
    fn a_minute_without_a_byte_is_the_end() {
        let now = Instant::now();
        let mut effort = Effort::new(now);
        assert!(
            verdict(&mut effort, ErrorKind::TimedOut, now + NO_PROGRESS_MAX - Duration::from_secs(1))
                .is_some()
        );
        assert!(verdict(&mut effort, ErrorKind::TimedOut, now + NO_PROGRESS_MAX).is_none());
    }
}
