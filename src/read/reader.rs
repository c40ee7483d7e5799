//! One handle's view of one object: the pattern of its reads, and the bytes.
//!
//! [`Reader::try_read`] never waits: it looks, moves the window and sets read-ahead going. What it could not
//! answer, [`Reader::read`] waits for. A reader that is dropped, or that has turned elsewhere, takes its interest
//! in read-ahead with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use crate::base::budget::Priority;
use crate::base::ranges::ByteRange;
use crate::read::block::{Loss, Object, Slot};
use crate::read::download::Interest;
use crate::read::fetch::Shared;
use crate::read::window::{Bounds, Found, Mode, Plan, REQUEST_BYTES_MAX, RunId, Window};
use crate::s3::{Error, ErrorKind, ObjectRef};
use crate::telemetry::metrics;

/// A download that is aborted while somebody waits for it was abandoned just before: asking again starts another.
const ABORTS_MAX: u32 = 16;
/// READs of one handle that may be between `try_read` and `read`.
const ANNOUNCED_MAX: usize = 64;

pub struct Reader {
    shared: Arc<Shared>,
    object: Arc<Object>,
    /// What this handle was opened with. It may know a version id that `object` does not.
    pin: ObjectRef,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Window,
    streaming: bool,
    /// What is on its way for each run.
    ahead: Vec<(RunId, Interest)>,
    /// Reads that the window has seen and that were not answered yet.
    announced: Vec<(ByteRange, Mode)>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, object: Arc<Object>, pin: ObjectRef) -> Self {
        Self { shared, object, pin, state: Mutex::default() }
    }

    pub fn object(&self) -> &ObjectRef {
        &self.pin
    }

    /// The bytes of `range` up to the object's end, if they are in memory. Moves the window and starts what is to
    /// be fetched ahead; `None` is to be followed by [`Reader::read`] of the same range.
    pub fn try_read(&self, range: ByteRange) -> Option<Result<Bytes, Error>> {
        let Some(range) = self.within(range) else { return Some(Ok(Bytes::new())) };
        let ready = self.look(range);
        let found = if ready.is_some() { Found::Ready } else { Found::Missing };
        let mode = self.advance(range, found);
        match ready {
            Some((bytes, slots)) => {
                metrics::READ_HITS.add(1);
                self.done(range, mode, &slots, &bytes);
                Some(Ok(bytes))
            }
            None => {
                self.announce(range, mode);
                None
            }
        }
    }

    /// The bytes of `range` up to the object's end.
    pub async fn read(&self, range: ByteRange) -> Result<Bytes, Error> {
        let Some(range) = self.within(range) else { return Ok(Bytes::new()) };
        let mode = self.take_announced(range);
        let mode = mode.unwrap_or_else(|| self.advance(range, self.found(range)));
        metrics::READ_WAITS.add(1);
        for _ in 0..ABORTS_MAX {
            match self.attempt(range, mode).await {
                Ok(bytes) => return Ok(bytes),
                Err(Loss::Failed(error)) => return Err(error),
                Err(Loss::Aborted) => {}
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("{}: downloads end before they begin", self.pin.key)))
    }

    async fn attempt(&self, range: ByteRange, mode: Mode) -> Result<Bytes, Loss> {
        let Some((slots, interests)) = self.blocks(range, mode) else { return self.read_exact(range).await };
        interests.iter().for_each(Interest::hurry);
        let bytes = self.join(range, &slots).await?;
        self.done(range, mode, &slots, &bytes);
        Ok(bytes)
    }

    /// The blocks that hold `range` or will, unless it is to be fetched exactly.
    fn blocks(&self, range: ByteRange, mode: Mode) -> Option<(Vec<Arc<Slot>>, Vec<Interest>)> {
        let (slots, interests) = match mode {
            Mode::Stream => self.claim(range, REQUEST_BYTES_MAX, Priority::Foreground),
            Mode::Exact => {
                let found = self.shared.shelf.find(self.object.id, range);
                let slots: Vec<_> = found.into_iter().map(|(_, slot)| slot).collect::<Option<_>>()?;
                let controls = slots.iter().filter_map(|slot| slot.control.as_ref());
                let interests = controls.map(|control| control.interest()).collect();
                (slots, interests)
            }
        };
        covered(range, &slots).then_some((slots, interests))
    }

    async fn join(&self, range: ByteRange, slots: &[Arc<Slot>]) -> Result<Bytes, Loss> {
        let parts = || slots.iter().filter_map(|slot| Some((slot, slot.covers.intersect(range)?)));
        if let (Some((slot, _)), 1) = (parts().next(), parts().count()) {
            return slot.wait(range).await;
        }
        let mut joined = BytesMut::with_capacity(range.len() as usize);
        for (slot, part) in parts() {
            joined.extend_from_slice(&slot.wait(part).await?);
        }
        Ok(joined.freeze())
    }

    async fn read_exact(&self, range: ByteRange) -> Result<Bytes, Loss> {
        let (slot, interest) = self.shared.claim_exact(&self.object, &self.pin, range);
        let bytes = slot.wait(range).await?;
        drop(interest);
        metrics::READ_BYTES.add(range.len());
        Ok(bytes)
    }

    fn claim(
        &self,
        range: ByteRange,
        request_bytes: u64,
        priority: Priority,
    ) -> (Vec<Arc<Slot>>, Vec<Interest>) {
        self.shared.claim(&self.object, &self.pin, range, request_bytes, priority)
    }

    /// What is to be had at once, and from where.
    fn look(&self, range: ByteRange) -> Option<(Bytes, Vec<Arc<Slot>>)> {
        let mut found = self.slots(range)?;
        if found.len() == 1 {
            let bytes = found[0].piece(range)?.ok()?;
            return Some((bytes, found));
        }
        let mut joined = BytesMut::with_capacity(range.len() as usize);
        for slot in &mut found {
            let part = slot.covers.intersect(range)?;
            joined.extend_from_slice(&slot.piece(part)?.ok()?);
        }
        Some((joined.freeze(), found))
    }

    fn slots(&self, range: ByteRange) -> Option<Vec<Arc<Slot>>> {
        let found = self.shared.shelf.find(self.object.id, range);
        let slots: Vec<_> = found.into_iter().map(|(_, slot)| slot).collect::<Option<_>>()?;
        covered(range, &slots).then_some(slots)
    }

    fn found(&self, range: ByteRange) -> Found {
        if self.look(range).is_some() { Found::Ready } else { Found::Missing }
    }

    /// Tells the window of a read and does what it says.
    fn advance(&self, range: ByteRange, found: Found) -> Mode {
        let bounds = Bounds { size: self.pin.size, window_bytes_max: self.shared.window_bytes_max() };
        let mut state = self.state.lock();
        let plan = state.window.on_read(range, found, bounds);
        state.ahead.retain(|(run, interest)| Some(*run) != plan.abandoned && !interest.is_over());
        self.count_streaming(&mut state);
        if let Some(fetch) = plan.fetch {
            let interests = self.fetch(range, fetch, &plan);
            state.ahead.extend(interests.into_iter().map(|interest| (plan.run, interest)));
        }
        plan.mode
    }

    /// What the read itself waits for goes in the foreground.
    fn fetch(&self, range: ByteRange, fetch: ByteRange, plan: &Plan) -> Vec<Interest> {
        let wanted = fetch.intersect(range).is_some();
        let priority = if wanted { Priority::Foreground } else { Priority::Background };
        self.claim(fetch, plan.request_bytes, priority).1
    }

    fn count_streaming(&self, state: &mut State) {
        let streaming = state.window.is_streaming();
        if streaming != state.streaming {
            state.streaming = streaming;
            if streaming {
                self.shared.streaming.fetch_add(1, Ordering::Relaxed);
            } else {
                self.shared.streaming.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// A block that a stream has read to its end can be spared.
    fn done(&self, range: ByteRange, mode: Mode, slots: &[Arc<Slot>], bytes: &Bytes) {
        metrics::READ_BYTES.add(bytes.len() as u64);
        if mode == Mode::Stream {
            let ended = slots.iter().filter(|slot| slot.covers.end <= range.end);
            ended.for_each(|slot| drop(self.shared.shelf.spend(slot)));
        }
    }

    fn announce(&self, range: ByteRange, mode: Mode) {
        let mut state = self.state.lock();
        if state.announced.len() >= ANNOUNCED_MAX {
            state.announced.remove(0);
        }
        state.announced.push((range, mode));
    }

    fn take_announced(&self, range: ByteRange) -> Option<Mode> {
        let announced = &mut self.state.lock().announced;
        let at = announced.iter().position(|(known, _)| *known == range)?;
        Some(announced.swap_remove(at).1)
    }

    /// The part of `range` that the object has; `None` at or after its end.
    fn within(&self, range: ByteRange) -> Option<ByteRange> {
        range.intersect(ByteRange::new(0, self.pin.size))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.state.get_mut().streaming {
            self.shared.streaming.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Blocks may begin at the first byte that was wanted when they were asked for: do these have all of `range`?
fn covered(range: ByteRange, slots: &[Arc<Slot>]) -> bool {
    let first = slots.first().is_some_and(|slot| slot.covers.start <= range.start);
    first && slots[1..].iter().all(|slot| slot.covers.start == slot.key.range.start)
}
