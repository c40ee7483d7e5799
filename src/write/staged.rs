//! A staged file: what the mount shows of a file whose newest bytes the store does not have yet.
//!
//! ```text
//!   open layer        ◀── write_at                         freeze: seal()
//!   frozen layer      ◀── waiting generation     (sealed)
//!   frozen layer      ◀── generation in flight   (being uploaded)
//!   base object       ◀── what the store has     (moves up when a generation is committed)
//! ```
//!
//! Three locks, taken in this order: `open` is shared by writers and exclusive for whoever freezes or cuts the open
//! layer, so that no write is half in a sealed generation; `order` makes memory and journal change in the same order,
//! and is held while a seal is written down; `inner` is held for short steps on memory. Bytes are
//! written before they are marked: whoever read a range and finds it unmarked since knows what it read.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use super::early::Early;
use super::engine::{Pending, Shared};
use super::journal::record::{FileRecord, GenerationRecord, LayerRecord, Upload, WriteId};
use super::layer::{Extents, Layer, OpenLayer};
use super::lifecycle::{self, Effect, Event, Flight, Open, Waiting};
use super::progress::{Progress, Stalled};
use super::recovery::Word;
use super::session::Session;
use super::view::{Piece, Sheet, View, overlay};
use super::{Error, ErrorKind, Result};
use crate::base::disk::{File, OpenMode};
use crate::base::ranges::ByteRange;
use crate::s3::ops::NewObject;
use crate::s3::{Client, ETag, ObjectRef};

/// Names a staged file in the journal; never derived from its key, and kept across rename and restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct FileId(pub i64);

/// Counts the seals of one file: what a close or fsync waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// Why a file is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The name was absent. A lost race at commit is a conflict.
    NewName,
    /// O_EXCL: a lost race at commit is `Exists`.
    ExclusiveName,
    /// The base is edited or replaced (O_TRUNC is an edit that begins with `set_len(0)`).
    Edit,
}

/// What the commit of a file expects to find at its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    Absent,
    Object(ETag),
    /// Nothing is known: replace whatever is there (rename over a name that was looked at just now).
    Anything,
}

/// A generation, if there was anything to seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Nothing new: the store has it all, or an earlier seal does.
    Nothing,
    Generation(Generation),
}

/// How `allocate` and `zero` treat the size, as in fallocate(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocate {
    Extend,
    KeepSize,
}

/// What `user.holdfs.state` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Clean,
    Dirty,
    Sealed,
    Uploading { percent: u8 },
    Failed,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Dirty => f.write_str("dirty"),
            Self::Sealed => f.write_str("sealed"),
            Self::Uploading { percent } => write!(f, "uploading {percent}%"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

/// A sealed generation that the store does not have yet.
#[derive(Clone)]
pub(super) struct Sealed {
    pub generation: Generation,
    pub write_id: WriteId,
    /// Write ids of what it superseded.
    pub earlier: Vec<WriteId>,
    /// How many of the frozen layers, from the bottom, belong to it.
    pub layers: usize,
    pub size: u64,
    pub object: NewObject,
    /// A multipart upload that holds parts of it.
    pub session: Option<Arc<Session>>,
    pub since: SystemTime,
}

/// What a worker takes along to upload a generation.
pub(super) struct Job {
    pub sealed: Sealed,
    pub key: Arc<str>,
    pub expected: Expected,
    pub view: View,
    /// Which key and life the file had; it moved on if that changed.
    pub epoch: u64,
}

/// Shared by every handle of the inode. Plain functions touch memory and the local disk only.
pub struct StagedFile {
    me: Weak<Self>,
    id: FileId,
    shared: Arc<Shared>,
    open: RwLock<Option<Arc<OpenLayer>>>,
    order: Mutex<()>,
    pub(super) inner: Mutex<Inner>,
    /// Sent to at every outcome and change of course.
    changed: watch::Sender<u64>,
    progress: Arc<Progress>,
}

pub(super) struct Inner {
    pub key: Arc<str>,
    pub expected: Expected,
    pub exclusive: bool,
    pub base: Option<ObjectRef>,
    /// Bottom to top: those of the generation in flight, then those of the waiting one.
    pub frozen: Vec<Arc<Layer>>,
    /// The open layer: its data file, and which ranges it holds.
    pub top: Option<Arc<dyn File>>,
    pub extents: Extents,
    pub size: u64,
    pub object: NewObject,
    pub life: lifecycle::State,
    pub flight: Option<Sealed>,
    pub waiting: Option<Sealed>,
    pub generation: Generation,
    pub write_id: WriteId,
    pub since: SystemTime,
    pub early: Early,
    /// The newest generation that the store has.
    pub stored: Option<(Generation, ObjectRef)>,
    /// Goes once the file is stored under its present key.
    pub leftover: Option<ObjectRef>,
    /// The key that another writer won, and how, until the copy beside it is stored.
    pub gave_way: Option<(Arc<str>, Error)>,
    pub error: Option<Error>,
    /// Set when a write to the data file failed: what it holds is not known.
    pub suspect: Option<Error>,
    pub retired: bool,
    /// Nothing may be sent ([`StagedFile::hold`]).
    pub held: bool,
    pub epoch: u64,
    pub attempts: u32,
}

impl StagedFile {
    pub(super) fn new(id: FileId, shared: Arc<Shared>, begin: Begin) -> Arc<Self> {
        let size = begin.base.as_ref().map_or(0, |base| base.size);
        let life = match begin.origin {
            Origin::Edit => lifecycle::State::CLEAN,
            // An empty file is published, too.
            Origin::NewName | Origin::ExclusiveName => lifecycle::State::CLEAN.step(Event::Changed).0,
        };
        let expected = match (&begin.base, begin.origin) {
            (Some(base), Origin::Edit) => Expected::Object(base.etag.clone()),
            (None, Origin::Edit) => Expected::Anything,
            (_, Origin::NewName | Origin::ExclusiveName) => Expected::Absent,
        };
        let early = Early::new(shared.grid, &shared.sizes);
        let inner = Inner {
            key: begin.key,
            expected,
            exclusive: begin.origin == Origin::ExclusiveName,
            base: begin.base,
            frozen: Vec::new(),
            top: None,
            extents: Extents::default(),
            size,
            object: begin.object,
            life,
            flight: None,
            waiting: None,
            generation: Generation(1),
            write_id: WriteId::random(),
            since: shared.clock.wall(),
            early,
            stored: None,
            leftover: None,
            gave_way: None,
            error: None,
            suspect: None,
            retired: false,
            held: false,
            epoch: 0,
            attempts: 0,
        };
        let (open, order, changed) = (RwLock::new(None), Mutex::new(()), watch::Sender::new(0));
        let progress = Progress::new(shared.clock.clone());
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            id,
            shared,
            open,
            order,
            inner: Mutex::new(inner),
            changed,
            progress,
        })
    }

    /// Staged files are only ever made behind an `Arc`.
    fn arc(&self) -> Arc<Self> {
        self.me.upgrade().expect("somebody holds the file that this is called on")
    }

    /// Waits for a decision: [`Self::resume`] offers it to the workers.
    pub(super) fn restore(shared: Arc<Shared>, restored: Restored) -> Arc<Self> {
        let Restored { file, layers, sealed, error } = restored;
        let begin = Begin {
            key: file.key.as_str().into(),
            base: file.base,
            object: sealed.object.clone(),
            origin: Origin::Edit,
        };
        let staged = Self::new(file.id, shared, begin);
        let mut inner = staged.inner.lock();
        inner.expected = file.expected;
        inner.exclusive = file.exclusive;
        inner.leftover = file.leftover;
        inner.frozen = layers;
        inner.size = sealed.size;
        inner.since = sealed.since;
        inner.generation = Generation(sealed.generation.0 + 1);
        let waiting = if error.is_some() { Waiting::Failed } else { Waiting::Sealed };
        inner.life = lifecycle::State::Live { flight: Flight::None, waiting, open: Open::Unchanged };
        inner.error = error;
        inner.waiting = Some(sealed);
        drop(inner);
        staged
    }

    /// The waiting generation as a worker would take it; `None` if it is another one by now.
    pub(super) fn look_at_waiting(&self, generation: Generation) -> Option<Job> {
        let inner = self.inner.lock();
        let waiting = inner.waiting.clone().filter(|waiting| waiting.generation == generation)?;
        Some(inner.job(waiting))
    }

    /// What was restored is offered to the workers, with the parts that the store holds already.
    pub(super) fn resume(&self, session: Option<Arc<Session>>) {
        if let Some(waiting) = &mut self.inner.lock().waiting {
            waiting.session = session;
        }
        super::queue::enqueue(&self.arc());
    }

    /// Tries a failed generation again.
    pub(super) fn retry(&self) {
        let effects = {
            let mut inner = self.inner.lock();
            let (next, effects) = inner.life.step(Event::Retried);
            inner.life = next;
            effects
        };
        self.follow(&effects);
    }

    /// Resolves when nothing sealed is on its way any more: stored, failed for good or gone.
    pub(super) async fn settled(&self) {
        let mut changed = self.changed.subscribe();
        while self.is_on_its_way() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    pub(super) fn is_on_its_way(&self) -> bool {
        let inner = self.inner.lock();
        match inner.life {
            lifecycle::State::Live { flight, waiting, .. } => {
                flight != Flight::None || waiting == Waiting::Sealed
            }
            lifecycle::State::Discarding => true,
            lifecycle::State::Discarded => false,
        }
    }

    /// Bytes on the local disk.
    pub(super) fn staged_bytes(&self) -> u64 {
        self.inner.lock().staged_bytes()
    }

    pub(super) fn pending(&self) -> Option<Pending> {
        let inner = self.inner.lock();
        let state = inner.state();
        if state == State::Clean || inner.is_discarded() {
            return None;
        }
        let since =
            inner.waiting.as_ref().or(inner.flight.as_ref()).map_or(inner.since, |sealed| sealed.since);
        Some(Pending {
            file: self.id,
            key: inner.key.to_string(),
            bytes: inner.staged_bytes(),
            state: state.to_string(),
            error: inner.error.as_ref().map(Error::to_string),
            age_seconds: self.shared.clock.wall().duration_since(since).unwrap_or_default().as_secs(),
        })
    }

    pub fn id(&self) -> FileId {
        self.id
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn key(&self) -> Arc<str> {
        self.inner.lock().key.clone()
    }

    pub fn size(&self) -> u64 {
        self.inner.lock().size
    }

    /// The object version that unmodified bytes come from; moves on when a generation is committed.
    pub fn base(&self) -> Option<ObjectRef> {
        self.inner.lock().base.clone()
    }

    /// One pwrite and one short lock. `NoSpace`: wait with [`super::Engine::wait_for_space`] and try again.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let range = ByteRange::sized(offset, bytes.len() as u64);
        self.check_size(range.end)?;
        let open = self.open_layer()?;
        let layer = open.as_ref().expect("open_layer returns a guard over a layer");
        if let Err(error) = layer.write_at(offset, bytes) {
            return Err(self.write_failed(&error));
        }
        let ready = self.inner.lock().wrote(range);
        drop(open);
        if ready {
            super::early::pump(&self.arc());
        }
        Ok(())
    }

    fn check_size(&self, end: u64) -> Result<()> {
        let most = self.shared.grid.object_bytes_max();
        if end <= most {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge, format!("the store takes objects of up to {most} bytes")))
    }

    /// The open layer, begun if need be.
    fn open_layer(&self) -> Result<RwLockReadGuard<'_, Option<Arc<OpenLayer>>>> {
        loop {
            let open = self.open.read();
            if open.is_some() {
                return Ok(open);
            }
            drop(open);
            let mut open = self.open.write();
            self.begin_layer(&mut open)?;
        }
    }

    fn begin_layer(&self, open: &mut Option<Arc<OpenLayer>>) -> Result<()> {
        if open.is_some() {
            return Ok(());
        }
        let mut inner = self.inner.lock();
        inner.check_retired()?;
        let id = self.shared.next_layer();
        let path = id.path(&self.shared.data_dir);
        let opened = self.shared.disk.open(&path, OpenMode::CreateNew);
        let file = opened.map_err(|error| Error::disk("make a data file in the state directory", &error))?;
        if inner.is_discarded() {
            // Only handles that are open still see it.
            self.shared.remove_data(id);
        } else {
            inner.since = self.shared.clock.wall();
            let (generation, write_id) = (inner.generation, inner.write_id.clone());
            self.shared.journal.begin(inner.record(self.id), generation, write_id, Some(id));
        }
        inner.top = Some(file.clone());
        *open = Some(Arc::new(OpenLayer::new(id, file)));
        Ok(())
    }

    /// After anything but a full disk it is not known what the data file holds.
    fn write_failed(&self, error: &std::io::Error) -> Error {
        let error = Error::disk("write to the state directory", error);
        if error.kind() != ErrorKind::NoSpace {
            self.inner.lock().suspect = Some(error.clone());
        }
        error
    }

    /// Shrinks, or grows with zeros.
    pub fn set_len(&self, size: u64) -> Result<()> {
        self.check_size(size)?;
        let mut open = self.open.write();
        self.begin_layer(&mut open)?;
        let mut inner = self.inner.lock();
        let layer = open.as_ref().expect("begin_layer leaves a layer");
        if size < inner.size {
            inner.extents.truncate(size);
            if inner.extents.is_empty() {
                layer.emptied()
            } else {
                layer.disturbed(size)
            }
            if size == 0 {
                inner.suspect = None;
            }
            inner.early.changed(ByteRange::new(size, u64::MAX));
            // Frees the space. What is not freed is not read either: the ranges decide.
            let length = layer.file.len().unwrap_or(0);
            if length > size
                && let Err(error) = layer.file.set_len(size)
            {
                tracing::debug!("a data file keeps its length: {error}");
            }
        } else if size > inner.size {
            let grown = ByteRange::new(inner.size, size);
            inner.extents.zeroed(grown);
        }
        if size != inner.size {
            inner.size = size;
            inner.change();
        }
        Ok(())
    }

    /// Makes `range` read as zeros (punch hole and zero range).
    pub fn zero(&self, range: ByteRange, size: Allocate) -> Result<()> {
        self.check_size(range.end)?;
        let mut open = self.open.write();
        self.begin_layer(&mut open)?;
        let layer = open.as_ref().expect("begin_layer leaves a layer");
        let mut inner = self.inner.lock();
        let old_size = inner.size;
        if size == Allocate::Extend && range.end > old_size {
            inner.extents.zeroed(ByteRange::new(old_size, range.end));
            inner.size = range.end;
        }
        let Some(range) = range.intersect(ByteRange::new(0, inner.size)) else { return Ok(()) };
        inner.extents.zeroed(range);
        inner.early.changed(range);
        layer.disturbed(range.start);
        inner.change();
        if let Err(error) = layer.file.punch_hole(range) {
            tracing::debug!("a data file keeps the space of a hole: {error}");
        }
        Ok(())
    }

    /// Makes the file reach to the end of `range`. Space itself is not set aside: the upload frees it soon.
    pub fn allocate(&self, range: ByteRange, size: Allocate) -> Result<()> {
        if size == Allocate::Extend && range.end > self.size() { self.set_len(range.end) } else { Ok(()) }
    }

    /// Where the bytes of `range` are, up to the end of the file.
    pub fn read_plan(&self, range: ByteRange) -> Vec<Piece> {
        let inner = self.inner.lock();
        let frozen = inner.frozen.iter().map(|layer| Sheet::new(&layer.file, &layer.extents));
        let sheets: Vec<_> =
            frozen.chain(inner.top.iter().map(|top| Sheet::new(top, &inner.extents))).collect();
        overlay(inner.base.as_ref(), &sheets, inner.size, range)
    }

    /// What the object is to be given beside its bytes, as pending now.
    pub fn object(&self) -> NewObject {
        self.inner.lock().object.clone()
    }

    /// Changes that; it travels with the next generation, and makes one even where no byte changed.
    pub fn update_object(&self, change: impl FnOnce(&mut NewObject)) -> Result<()> {
        let mut inner = self.inner.lock();
        inner.check_retired()?;
        change(&mut inner.object);
        inner.change();
        Ok(())
    }

    /// Freezes what was written since the last seal and hands it to the upload queue. With nothing new since a
    /// failed generation, that one is tried again. Blocks on the local disk.
    pub fn seal(&self) -> Result<Seal> {
        let mut open = self.open.write();
        let (next, effects) = {
            let inner = self.inner.lock();
            inner.suspect.clone().map_or(Ok(()), Err)?;
            inner.life.step(Event::Sealed)
        };
        if effects.contains(&Effect::Freeze) {
            let (generation, effects) = self.freeze(&mut open)?;
            drop(open);
            self.follow(&effects);
            return Ok(Seal::Generation(generation));
        }
        let waiting = {
            let mut inner = self.inner.lock();
            inner.life = next;
            inner.newest_sealed()
        };
        drop(open);
        self.follow(&effects);
        Ok(waiting.map_or(Seal::Nothing, Seal::Generation))
    }

    /// The record is durable before the layer counts as frozen, so that a crash finds one or the other.
    fn freeze(&self, open: &mut Option<Arc<OpenLayer>>) -> Result<(Generation, Vec<Effect>)> {
        let extents = self.inner.lock().extents.clone();
        let frozen = open.as_ref().map(|layer| layer.freeze(&extents, &self.shared.pool)).transpose();
        let frozen = frozen.map_err(|error| Error::disk("read back what was written", &error))?.map(Arc::new);
        let _order = self.order.lock();
        let (file, sealed, layers, superseded) = {
            let inner = self.inner.lock();
            let layers: Vec<_> = inner.frozen.iter().chain(&frozen).cloned().collect();
            let superseded = inner.waiting.clone();
            (inner.record(self.id), inner.sealed(layers.len(), superseded.as_ref()), layers, superseded)
        };
        let record = generation_record(&sealed, &layers, Word::Seal);
        self.shared.journal.seal(file, record, superseded.as_ref().map(|old| old.generation))?;
        *open = None;
        let mut inner = self.inner.lock();
        inner.frozen = layers;
        inner.top = None;
        inner.extents = Extents::default();
        let (next, effects) = inner.life.step(Event::Sealed);
        inner.life = next;
        // An upload that was opened since the record was made is not in it.
        let late = inner.early.take_session().filter(|_| sealed.session.is_none());
        inner.early = Early::new(self.shared.grid, &self.shared.sizes);
        let generation = sealed.generation;
        inner.waiting = Some(sealed);
        inner.generation = Generation(generation.0 + 1);
        inner.write_id = WriteId::random();
        inner.attempts = 0;
        let discarded = inner.is_discarded();
        drop(inner);
        let needless = superseded.and_then(|old| old.session).into_iter().chain(late);
        needless.for_each(|session| self.shared.abort(session));
        if discarded {
            self.forget_all(open.as_deref());
        }
        Ok((generation, effects))
    }

    /// What the life cycle asks for beyond the state itself.
    pub(super) fn follow(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Enqueue => super::queue::enqueue(&self.arc()),
                Effect::EnqueueLater => super::queue::enqueue_later(&self.arc()),
                Effect::Wake => self.wake(),
                _ => {}
            }
        }
    }

    /// A worker asks for the waiting generation.
    pub(super) fn take(&self) -> Option<Job> {
        let _order = self.order.lock();
        let mut inner = self.inner.lock();
        if inner.held {
            return None;
        }
        let (next, effects) = inner.life.step(Event::Taken);
        if !effects.contains(&Effect::Start) {
            return None;
        }
        inner.life = next;
        let sealed = inner.waiting.take().expect("Start is an effect only where a generation waits");
        inner.flight = Some(sealed.clone());
        Some(inner.job(sealed))
    }

    /// The publishing request is about to go out; `false` if the file has moved on since the job was taken.
    pub(super) fn may_commit(&self, job: &Job) -> bool {
        let mut inner = self.inner.lock();
        let (next, effects) = inner.life.step(Event::Committing);
        let go = !inner.held && inner.epoch == job.epoch && effects.contains(&Effect::RecordCommitting);
        if go {
            inner.life = next;
        }
        go
    }

    /// Resolves when the file was renamed or discarded after the job was taken, and before it began to publish.
    pub(super) async fn moved_on(&self, job: &Job) {
        let mut changed = self.changed.subscribe();
        while !self.inner.lock().has_left(job) {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The store has the generation in flight. Returns what is left to [`Self::follow`]; nothing if it landed under a
    /// key that is not the file's any more: then it waits again, for the new key.
    pub(super) async fn landed(&self, job: &Job, stored: &ObjectRef) -> Option<Vec<Effect>> {
        if self.landed_elsewhere(stored) {
            return None;
        }
        let generation = job.sealed.generation;
        let (effects, gone, leftover, recorded) = {
            let _order = self.order.lock();
            let mut inner = self.inner.lock();
            let (next, effects) = inner.life.step(Event::Committed);
            inner.life = next;
            let gone = inner.publish(generation, stored);
            let leftover = inner.leftover.take();
            let recorded =
                self.shared.journal.committed(inner.record(self.id), generation, inner.waiting_stack());
            (effects, gone, leftover, recorded)
        };
        // A record that stays costs a look at the next mount, which finds the write id: no reason to fail.
        match recorded.await {
            Ok(()) => gone.iter().for_each(|layer| self.shared.remove_data(layer.id)),
            Err(error) => {
                tracing::warn!(key = %job.key.escape_debug(), "stored, but the journal does not know: {error}");
            }
        }
        if let Some(leftover) = leftover {
            super::queue::remove_object(&self.shared, leftover);
        }
        if effects.contains(&Effect::Forget) {
            self.forget_all(self.open.read().as_deref());
        }
        Some(effects)
    }

    /// Renamed while the commit was under way: the object under the old key becomes the base, and goes when the new
    /// key has its own. The layers stay until then.
    fn landed_elsewhere(&self, stored: &ObjectRef) -> bool {
        let _order = self.order.lock();
        let mut inner = self.inner.lock();
        if stored.key == inner.key || inner.is_discarded() {
            return false;
        }
        let (next, effects) = inner.life.step(Event::Postponed);
        inner.life = next;
        inner.give_back(&effects);
        inner.base = Some(stored.clone());
        inner.leftover = Some(stored.clone());
        let record = inner.record(self.id);
        drop(inner);
        if let Err(error) = self.shared.journal.update_file(record) {
            tracing::warn!("the journal does not know of a renamed upload: {error}");
        }
        super::queue::enqueue(&self.arc());
        true
    }

    /// The attempt failed; `event` says whether for good.
    pub(super) async fn not_stored(&self, job: &Job, event: Event, error: Error) {
        let (effects, superseded) = {
            let _order = self.order.lock();
            let mut inner = self.inner.lock();
            let (next, effects) = inner.life.step(event);
            inner.life = next;
            inner.error = Some(error.clone());
            inner.attempts += 1;
            let superseded = inner.give_back(&effects);
            self.record_superseded(&inner, superseded.as_ref());
            (effects, superseded)
        };
        if effects.contains(&Effect::RecordFailure) {
            let (file, generation) = (self.id, job.sealed.generation);
            let word =
                self.shared.journal.word(file, generation, Word::Failed, Some(error.to_string())).await;
            if let Err(error) = word {
                tracing::warn!("the journal does not know of a failed upload: {error}");
            }
        }
        superseded.and_then(|old| old.session).into_iter().for_each(|session| self.shared.abort(session));
        if effects.contains(&Effect::Forget) {
            self.forget_all(self.open.read().as_deref());
        }
        if effects.contains(&Effect::RecordFailure) {
            self.shared.commits.failed(&self.arc(), &error);
        }
        self.follow(&effects);
    }

    /// A worker gave up because the file moved on.
    pub(super) fn cancelled(&self) {
        let order = self.order.lock();
        let mut inner = self.inner.lock();
        let (next, effects) = inner.life.step(Event::Postponed);
        inner.life = next;
        let superseded = inner.give_back(&effects);
        self.record_superseded(&inner, superseded.as_ref());
        drop(inner);
        drop(order);
        superseded.and_then(|old| old.session).into_iter().for_each(|session| self.shared.abort(session));
        if effects.contains(&Effect::EnqueueLater) {
            super::queue::enqueue(&self.arc());
        }
        self.wake();
    }

    /// The generation that was in flight is part of the waiting one now, if there is one.
    fn record_superseded(&self, inner: &Inner, superseded: Option<&Sealed>) {
        match (superseded, &inner.waiting) {
            (Some(old), Some(waiting)) => {
                self.shared.journal.superseded(self.id, old.generation, waiting.generation, &waiting.earlier);
            }
            (Some(old), None) => self.shared.journal.drop_generation(self.id, old.generation),
            (None, _) => {}
        }
    }

    /// The loser of a race lives on under another name; `error` says how it lost.
    pub(super) fn give_way(&self, job: &mut Job, key: &str, error: &Error) -> Result<()> {
        let _order = self.order.lock();
        let mut inner = self.inner.lock();
        let lost_key = std::mem::replace(&mut inner.key, key.into());
        inner.gave_way.get_or_insert_with(|| (lost_key, error.clone()));
        inner.expected = Expected::Absent;
        job.key = inner.key.clone();
        job.expected = Expected::Absent;
        job.sealed.session = None;
        if let Some(flight) = &mut inner.flight {
            flight.session = None;
        }
        // The final request for the old name is answered.
        if let lifecycle::State::Live { flight, .. } = &mut inner.life {
            *flight = Flight::Sending;
        }
        let record = inner.record(self.id);
        drop(inner);
        self.shared.journal.update_file(record)
    }

    /// What it gave way to, once: it is stored under its other name.
    pub(super) fn take_gave_way(&self) -> Option<(Arc<str>, Error)> {
        self.inner.lock().gave_way.take()
    }

    /// A generation that was superseded landed after all. The newer one contains it, and every byte that is in no
    /// layer is the same in it as in the base before: so it is the base now.
    pub(super) fn rebase(&self, landed: ObjectRef) -> Result<()> {
        let _order = self.order.lock();
        let record = {
            let mut inner = self.inner.lock();
            inner.expected = Expected::Object(landed.etag.clone());
            inner.base = Some(landed);
            inner.record(self.id)
        };
        self.shared.journal.update_file(record)
    }

    pub(super) fn is_exclusive(&self) -> bool {
        self.inner.lock().exclusive
    }

    pub(super) fn attempts(&self) -> u32 {
        self.inner.lock().attempts
    }

    /// For `user.holdfs.error`.
    pub(super) fn note(&self, error: Error) {
        self.inner.lock().error = Some(error);
    }

    /// The upload that holds parts of the generation in flight.
    pub(super) fn set_session(&self, session: Option<Arc<Session>>) {
        if let Some(flight) = &mut self.inner.lock().flight {
            flight.session = session;
        }
    }

    pub(super) fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until the store has `generation` or a later one. `TimedOut` after a minute without progress: the bytes
    /// stay in the journal and the upload goes on.
    pub async fn stored(&self, generation: Generation) -> Result<ObjectRef> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(outcome) = self.inner.lock().outcome(generation) {
                return outcome;
            }
            self.next_change(&mut changed).await?;
        }
    }

    /// The next step in storing it. Bytes that go to the store are progress, also within one large request.
    async fn next_change(&self, changed: &mut watch::Receiver<u64>) -> Result<()> {
        let timeout = self.shared.progress_timeout;
        self.progress.changed(changed, timeout).await.map_err(|Stalled| self.timed_out())
    }

    /// A client whose requests count as progress of this file while their bodies move.
    pub(super) fn client(&self) -> Client {
        let progress = self.progress.clone();
        self.shared.client.watched_by(Arc::new(move |_bytes| progress.moved()))
    }

    fn timed_out(&self) -> Error {
        let inner = self.inner.lock();
        let last = inner.error.as_ref().map_or(String::new(), |error| format!(" (last: {error})"));
        let seconds = self.shared.progress_timeout.as_secs();
        let message = format!(
            "no progress in storing it for {seconds} s{last}; the bytes are kept and the upload goes on"
        );
        Error::new(ErrorKind::TimedOut, message)
    }

    /// Waits while the answer to a publishing request is out: until then the base may be gone from the store although
    /// [`Self::base`] does not say so yet.
    pub async fn outcome_known(&self) {
        let mut changed = self.changed.subscribe();
        while self.inner.lock().is_committing() {
            if self.next_change(&mut changed).await.is_err() {
                return;
            }
        }
    }

    /// Stops the upload; returns when nothing of the file is on its way to the key, and keeps it so until the answer
    /// is dropped. A publishing request that is out is waited for. One at a time, which a claim of the key ensures.
    pub async fn hold(&self) -> Result<Hold> {
        let mut changed = self.changed.subscribe();
        self.inner.lock().held = true;
        let hold = Hold(self.arc());
        self.wake();
        while self.inner.lock().flight.is_some() {
            self.next_change(&mut changed).await?;
        }
        Ok(hold)
    }

    /// The file has another name from now on. Without a request when nothing of it was committed under the old one;
    /// an upload under way starts again under the new name, and what a late commit left at the old one is removed.
    /// Of the base, nothing is removed: that is the caller's.
    pub fn retarget(&self, key: &str, expected: Expected) -> Result<()> {
        let _order = self.order.lock();
        let record = {
            let mut inner = self.inner.lock();
            inner.check_retired()?;
            inner.key = key.into();
            inner.expected = expected;
            inner.exclusive = false;
            // It has a name that its user chose.
            inner.gave_way = None;
            inner.epoch += 1;
            if let Some(session) = inner.early.take_session() {
                self.shared.abort(session);
            }
            inner.early.give_up();
            inner.record(self.id)
        };
        self.wake();
        self.shared.journal.update_file(record)
    }

    /// Unlink: aborts the upload and drops the journal's record; open handles go on reading and writing. When it
    /// returns, nothing of ours will write the key any more. `Some` is what the store still holds of the file,
    /// for the caller to delete.
    pub async fn discard(&self) -> Result<Option<ObjectRef>> {
        let mut changed = self.changed.subscribe();
        let (effects, generation) = {
            let mut inner = self.inner.lock();
            inner.epoch += 1;
            let (next, effects) = inner.life.step(Event::Discarded);
            inner.life = next;
            (effects, inner.flight.as_ref().map(|flight| flight.generation))
        };
        if let (true, Some(generation)) = (effects.contains(&Effect::RecordRemoval), generation) {
            self.shared.journal.word(self.id, generation, Word::Removed, None).await?;
        }
        if effects.contains(&Effect::Forget) {
            self.forget_all(self.open.read().as_deref());
        }
        self.wake();
        while self.inner.lock().life != lifecycle::State::Discarded {
            self.next_change(&mut changed).await?;
        }
        let mut inner = self.inner.lock();
        if let Some(leftover) = inner.leftover.take() {
            super::queue::remove_object(&self.shared, leftover);
        }
        Ok(inner.base.clone())
    }

    /// Records and data files go; open handles keep theirs.
    fn forget_all(&self, open: Option<&OpenLayer>) {
        self.shared.journal.forget(self.id);
        let inner = self.inner.lock();
        let sessions =
            [&inner.flight, &inner.waiting].into_iter().flatten().filter_map(|sealed| sealed.session.clone());
        sessions.chain(inner.early.session()).for_each(|session| self.shared.abort(session));
        inner.frozen.iter().for_each(|layer| self.shared.remove_data(layer.id));
        if let Some(open) = open {
            self.shared.remove_data(open.id);
        }
        self.shared.unlist(self.id);
    }

    /// Leaves the engine if the store has every byte: `Some` is that object. Later writes are `Retired`.
    pub fn retire(&self) -> Option<ObjectRef> {
        // Exclusively: a write that is half done is not marked yet.
        let mut open = self.open.write();
        let mut inner = self.inner.lock();
        let clean = inner.life == lifecycle::State::CLEAN && inner.leftover.is_none();
        let stored = inner.base.clone().filter(|_| clean)?;
        inner.retired = true;
        inner.top = None;
        drop(inner);
        // A layer that was begun, and in which nothing was changed in the end.
        if let Some(unused) = open.take() {
            self.shared.remove_data(unused.id);
            self.shared.journal.forget(self.id);
        }
        self.shared.unlist(self.id);
        Some(stored)
    }

    pub fn state(&self) -> State {
        self.inner.lock().state()
    }

    /// What the last attempt to store it came to, if that was an error, or why it became a conflict copy.
    pub fn last_error(&self) -> Option<Error> {
        self.inner.lock().error.clone()
    }
}

/// Keeps a file from being sent.
pub struct Hold(Arc<StagedFile>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.inner.lock().held = false;
        super::queue::enqueue(&self.0);
    }
}

/// A staged file as the journal has it.
pub(super) struct Restored {
    pub file: FileRecord,
    pub layers: Vec<Arc<Layer>>,
    pub sealed: Sealed,
    /// It had failed for good.
    pub error: Option<Error>,
}

/// What a staged file begins with.
pub(super) struct Begin {
    pub key: Arc<str>,
    pub base: Option<ObjectRef>,
    pub object: NewObject,
    pub origin: Origin,
}

impl Inner {
    fn check_retired(&self) -> Result<()> {
        if self.retired {
            return Err(Error::new(
                ErrorKind::Retired,
                "the store has every byte of the file: stage it again",
            ));
        }
        Ok(())
    }

    fn has_left(&self, job: &Job) -> bool {
        (self.held || self.epoch != job.epoch) && !self.is_committing()
    }

    fn is_committing(&self) -> bool {
        matches!(
            self.life,
            lifecycle::State::Discarding | lifecycle::State::Live { flight: Flight::Committing, .. }
        )
    }

    pub fn is_discarded(&self) -> bool {
        matches!(self.life, lifecycle::State::Discarded | lifecycle::State::Discarding)
    }

    fn change(&mut self) {
        self.life = self.life.step(Event::Changed).0;
    }

    /// Marks what was written; `true` if a part became ready to be sent early.
    fn wrote(&mut self, range: ByteRange) -> bool {
        if range.start > self.size {
            self.extents.zeroed(ByteRange::new(self.size, range.start));
        }
        self.extents.wrote(range);
        self.size = self.size.max(range.end);
        self.change();
        let alone = matches!(
            self.life,
            lifecycle::State::Live { flight: Flight::None, waiting: Waiting::None, open: Open::Changed }
        );
        self.early.wrote(range, &self.extents.data, alone && !self.retired)
    }

    pub fn record(&self, id: FileId) -> FileRecord {
        FileRecord {
            id,
            key: self.key.to_string(),
            base: self.base.clone(),
            expected: self.expected.clone(),
            exclusive: self.exclusive,
            leftover: self.leftover.clone(),
        }
    }

    /// The open generation as it is about to be sealed over `layers` frozen ones.
    fn sealed(&self, layers: usize, superseded: Option<&Sealed>) -> Sealed {
        let mut earlier = superseded.map_or(Vec::new(), |old| old.earlier.clone());
        earlier.extend(superseded.map(|old| old.write_id.clone()));
        Sealed {
            generation: self.generation,
            write_id: self.write_id.clone(),
            earlier,
            layers,
            size: self.size,
            object: self.object.clone(),
            session: self.early.session(),
            since: self.since,
        }
    }

    /// What is left of the waiting generation's layers.
    fn waiting_stack(&self) -> Option<(Generation, Vec<LayerRecord>)> {
        let waiting = self.waiting.as_ref()?;
        Some((waiting.generation, self.frozen[..waiting.layers].iter().map(layer_record).collect()))
    }

    fn newest_sealed(&self) -> Option<Generation> {
        self.waiting.as_ref().or(self.flight.as_ref()).map(|sealed| sealed.generation)
    }

    fn job(&self, sealed: Sealed) -> Job {
        let view =
            View { base: self.base.clone(), layers: self.frozen[..sealed.layers].into(), size: sealed.size };
        Job { sealed, key: self.key.clone(), expected: self.expected.clone(), view, epoch: self.epoch }
    }

    /// The base is the stored object now. Returns the layers that it made needless.
    fn publish(&mut self, generation: Generation, stored: &ObjectRef) -> Vec<Arc<Layer>> {
        let flight = self.flight.take();
        let count = flight.map_or(0, |flight| flight.layers);
        let gone = self.frozen.drain(..count).collect();
        if let Some(waiting) = &mut self.waiting {
            waiting.layers -= count;
        }
        self.base = Some(stored.clone());
        self.expected = Expected::Object(stored.etag.clone());
        self.exclusive = false;
        self.stored = Some((generation, stored.clone()));
        self.error = None;
        self.attempts = 0;
        gone
    }

    /// The generation in flight waits again, or is part of the one that waits. Returns it in the latter case.
    fn give_back(&mut self, effects: &[Effect]) -> Option<Sealed> {
        let flight = self.flight.take()?;
        if effects.contains(&Effect::Return) {
            self.waiting = Some(flight);
            return None;
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.earlier.extend(flight.earlier.iter().cloned());
            waiting.earlier.push(flight.write_id.clone());
        }
        Some(flight)
    }

    /// What whoever waits for `generation` is to be told; `None`: wait on.
    fn outcome(&self, generation: Generation) -> Option<Result<ObjectRef>> {
        if let Some((stored, object)) = &self.stored
            && *stored >= generation
        {
            return Some(Ok(object.clone()));
        }
        if self.is_discarded() {
            return Some(Err(Error::new(ErrorKind::Retired, "the file was removed before it was stored")));
        }
        match self.life {
            lifecycle::State::Live { waiting: Waiting::Failed, .. } => Some(Err(self.failure())),
            _ => None,
        }
    }

    fn failure(&self) -> Error {
        self.error
            .clone()
            .unwrap_or_else(|| Error::new(ErrorKind::Store, "an earlier attempt to store it failed"))
    }

    pub fn state(&self) -> State {
        match self.life {
            lifecycle::State::Live { waiting: Waiting::Failed, .. } => State::Failed,
            lifecycle::State::Live { open: Open::Changed, .. } => State::Dirty,
            lifecycle::State::Live { flight: Flight::Sending | Flight::Committing, .. } => {
                State::Uploading { percent: self.percent() }
            }
            lifecycle::State::Live { waiting: Waiting::Sealed, .. } => State::Sealed,
            _ => State::Clean,
        }
    }

    fn percent(&self) -> u8 {
        let Some(flight) = &self.flight else { return 0 };
        let sent = flight.session.as_ref().map_or(0, |session| session.stored_bytes());
        (sent * 100).checked_div(flight.size).unwrap_or(0).min(99) as u8
    }

    /// Bytes on the local disk.
    pub fn staged_bytes(&self) -> u64 {
        let frozen: u64 = self.frozen.iter().map(|layer| layer.extents.data.total()).sum();
        frozen + self.extents.data.total()
    }
}

pub(super) fn layer_record(layer: &Arc<Layer>) -> LayerRecord {
    LayerRecord { id: layer.id, extents: layer.extents.clone(), checksum: layer.checksum }
}

pub(super) fn generation_record(sealed: &Sealed, layers: &[Arc<Layer>], word: Word) -> GenerationRecord {
    let upload = |session: &Arc<Session>| Upload { key: session.key.clone(), id: session.upload_id.clone() };
    GenerationRecord {
        generation: sealed.generation,
        word,
        write_id: sealed.write_id.clone(),
        earlier: sealed.earlier.clone(),
        size: sealed.size,
        object: sealed.object.clone(),
        upload: sealed.session.as_ref().map(upload),
        layers: layers.iter().map(layer_record).collect(),
        parts: sealed.session.as_ref().map_or(Vec::new(), |session| session.records()),
        error: None,
        since: sealed.since,
    }
}
