//! Parts that go up while the writer is still writing.
//!
//! Once all of a part's range is written and the writer is past it, it is sent under an open multipart upload; a
//! later write into it makes only that part dirty again. A writer that keeps coming back makes this a waste: after a
//! few lost parts it ends for this generation, and the rest is sent at the seal.

use std::collections::VecDeque;
use std::sync::Arc;

use super::gate::Slot;
use super::journal::record::Upload;
use super::plan::{Grid, Part, Sizes, Source};
use super::session::{Session, Verdict};
use super::staged::{Generation, StagedFile};
use super::upload::{self, Sender};
use crate::base::ranges::{ByteRange, RangeSet};
use crate::s3::ops::PartOrigin;

/// Parts that may be lost before the writer counts as one that comes back, and one more for each so many sent.
const LOST_MAX: usize = 4;

/// What is known of the open generation's early parts.
pub struct Early {
    grid: Grid,
    /// Nothing is sent before this offset is passed: a file that fits one request goes in one request.
    start: u64,
    /// The part that the writer is in.
    current: ByteRange,
    /// Written through and left behind, not yet sent.
    ready: VecDeque<u32>,
    /// Where the last part that was ever ready ends: writes from here on touch none.
    behind: u64,
    state: State,
}

enum State {
    Idle,
    /// A pump runs; the upload may not be open yet.
    Running(Option<Arc<Session>>),
    /// All that was ready is sent.
    Resting(Arc<Session>),
    /// Not for this generation.
    Off,
}

impl Early {
    pub fn new(grid: Grid, sizes: &Sizes) -> Self {
        let start = sizes.put_bytes.max(grid.cell(1).end) + 1;
        Self { grid, start, current: grid.cell(1), ready: VecDeque::new(), behind: 0, state: State::Idle }
    }

    /// Notes a write; `true` if a pump has to be started. `possible`: nothing older is in the way.
    pub fn wrote(&mut self, range: ByteRange, data: &RangeSet, possible: bool) -> bool {
        self.changed(range);
        if range.start >= self.current.start && range.end < self.current.end {
            return false;
        }
        self.leave_behind(range, data);
        let idle = matches!(self.state, State::Idle | State::Resting(_));
        let start = possible && idle && !self.ready.is_empty() && range.end >= self.start;
        if start {
            let session = self.session();
            self.state = State::Running(session);
        }
        start
    }

    /// The writer moved on to another part: those it went through are ready if they are complete.
    fn leave_behind(&mut self, range: ByteRange, data: &RangeSet) {
        let first = self.grid.number_at(self.current.start.min(range.start));
        let last = self.grid.number_at(range.end);
        if !matches!(self.state, State::Off) && range.start >= self.current.start {
            let complete = |number: &u32| {
                let cell = self.grid.cell(*number);
                cell.end <= range.end && data.covers(cell)
            };
            let ready: Vec<_> = (first..=last).filter(complete).collect();
            let sent = self.session().map(|session| session.taken()).unwrap_or_default();
            self.ready.extend(ready.into_iter().filter(|number| !sent.contains_key(number)));
            self.behind = self.behind.max(self.ready.back().map_or(0, |&number| self.grid.cell(number).end));
        }
        self.current = self.grid.cell(last);
    }

    /// Bytes of `range` changed: parts there do not count any more.
    pub fn changed(&mut self, range: ByteRange) {
        if range.start >= self.behind {
            return;
        }
        self.ready.retain(|&number| {
            let cell = self.grid.cell(number);
            cell.intersect(range).is_none()
        });
        let Some(session) = self.session() else { return };
        session.touch(range);
        if session.lost() > LOST_MAX + session.taken().len() / 8 {
            self.ready.clear();
        }
    }

    pub fn session(&self) -> Option<Arc<Session>> {
        match &self.state {
            State::Running(session) => session.clone(),
            State::Resting(session) => Some(session.clone()),
            State::Idle | State::Off => None,
        }
    }

    pub fn take_session(&mut self) -> Option<Arc<Session>> {
        let session = self.session();
        self.state = State::Off;
        session
    }

    pub fn give_up(&mut self) {
        self.ready.clear();
        self.state = State::Off;
    }
}

/// Sends what is ready, until nothing is.
pub fn pump(file: &Arc<StagedFile>) {
    let file = file.clone();
    let shared = file.shared().clone();
    shared.tasks.clone().spawn("send parts early", async move {
        let generation = file.inner.lock().generation;
        let Some(session) = open(&file, generation).await else { return };
        loop {
            let slot = shared.gate.enter().await;
            let Some(number) = next(&file, generation, &session) else { return };
            let (file, session) = (file.clone(), session.clone());
            shared.tasks.spawn("send a part early", async move {
                send(&file, generation, &session, number, slot).await;
            });
        }
    });
}

/// The multipart upload of the open generation, opened if need be. `None` if it cannot be, or is not wanted any more.
async fn open(file: &Arc<StagedFile>, generation: Generation) -> Option<Arc<Session>> {
    let (key, object, write_id, parts) = {
        let inner = file.inner.lock();
        if let Some(session) = inner.early.session() {
            return Some(session);
        }
        // What is left of an edited object will be copied.
        let parts = if inner.base.is_some() { PartOrigin::AlsoCopied } else { PartOrigin::Sent };
        (inner.key.clone(), inner.object.clone(), inner.write_id.clone(), parts)
    };
    let opened = upload::open_session(file.shared(), &key, &object, &write_id, parts).await;
    let mut inner = file.inner.lock();
    let wanted =
        inner.generation == generation && inner.key == key && matches!(inner.early.state, State::Running(_));
    match opened {
        Ok(session) if wanted => {
            inner.early.state = State::Running(Some(session.clone()));
            let upload = Upload { key: session.key.clone(), id: session.upload_id.clone() };
            file.shared().journal.early(file.id(), generation, &session.object, upload);
            Some(session)
        }
        Ok(session) => {
            drop(inner);
            file.shared().abort(session);
            None
        }
        Err(error) => {
            tracing::debug!(key = %key.escape_debug(), "no parts are sent ahead: {error}");
            if wanted {
                inner.early.give_up();
            }
            None
        }
    }
}

/// The next part to send; `None` ends the pump.
fn next(file: &StagedFile, generation: Generation, session: &Arc<Session>) -> Option<u32> {
    let mut inner = file.inner.lock();
    if inner.generation != generation || !matches!(inner.early.state, State::Running(_)) {
        return None;
    }
    let number = inner.early.ready.pop_front();
    match number {
        Some(number) => session.begin(number, inner.early.grid.cell(number)),
        None => inner.early.state = State::Resting(session.clone()),
    }
    number
}

async fn send(
    file: &Arc<StagedFile>,
    generation: Generation,
    session: &Arc<Session>,
    number: u32,
    slot: Slot,
) {
    let shared = file.shared();
    let part = Part { number, range: shared.grid.cell(number), source: Source::Put };
    let pieces = file.read_plan(part.range);
    let sender = Sender { shared, session, slot: &slot, client: &file.client() };
    match sender.put(&part, &pieces).await {
        Ok(held) => {
            let etag = held.etag.clone();
            if session.hold(number, held) == Verdict::Good {
                shared.journal.part(file.id(), generation, part, etag);
                shared.tidy.stored(&shared.tasks, &pieces);
            }
        }
        Err(_) => {
            tracing::debug!(part = number, "a part could not be sent ahead: it is sent at the seal");
            session.fail(number);
            let mut inner = file.inner.lock();
            if inner.generation == generation {
                inner.early.ready.clear();
            }
        }
    }
    file.wake();
}
