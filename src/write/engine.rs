//! The façade of the write engine, and what its parts share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore};

use super::gate::Gate;
use super::journal as record;
use super::layer::LayerId;
use super::lock::Lock;
use super::plan::{Grid, Sizes};
use super::queue::{self, Keys};
use super::session::Session;
use super::staged::{Begin, FileId, Generation, Origin, StagedFile};
use super::tidy::Tidy;
use super::{Error, ErrorKind, Intents, Result, recover, upload};
use crate::base::budget::Budget;
use crate::base::buffer::Pool;
use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::base::ranges::ByteRange;
use crate::base::tasks::Tasks;
use crate::s3::ops::NewObject;
use crate::s3::{self, Client, Limits, ObjectRef};

/// When close and fsync return (semantics 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The store has acknowledged.
    Remote,
    /// The journal has it; refused until write-back lands.
    Local,
    /// The journal has it on stable storage; refused until write-back lands.
    Strict,
}

/// What happens to the bytes of a commit that lost a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// They become `NAME.conflict-HOST-TIME`, beside the winner.
    Copy,
    /// They stay in the journal; close or fsync is `Conflict`.
    Fail,
}

pub struct Config {
    /// The directory of this one bucket and prefix (`…/BUCKET-HASH`); made if need be, mode 0700.
    pub state_dir: PathBuf,
    pub bucket: String,
    /// Names this host in conflict copies.
    pub host: String,
    pub limits: Limits,
    pub durability: Durability,
    pub on_conflict: OnConflict,
    /// `stored` gives up after this long without progress.
    pub progress_timeout: Duration,
}

/// What the engine works with.
pub struct Parts {
    pub client: Client,
    pub budget: Budget,
    pub tasks: Tasks,
    pub clock: Clock,
    pub disk: Arc<dyn Disk>,
    pub base: Arc<dyn BaseBytes>,
    pub commits: Arc<dyn Commits>,
}

/// Bytes of the unmodified object, for parts that mix old and new.
pub trait BaseBytes: Send + Sync {
    fn read(&self, object: &ObjectRef, range: ByteRange) -> BoxFuture<'_, s3::Result<Bytes>>;
}

/// Told what became of uploads. Called without a lock held, from the engine's tasks.
pub trait Commits: Send + Sync {
    /// The store has `generation`; `file.retire()` if nothing newer is pending.
    fn committed(&self, file: &Arc<StagedFile>, stored: &ObjectRef, generation: Generation);
    /// Refused for good: the data is kept.
    fn failed(&self, file: &Arc<StagedFile>, error: &Error);
    /// Another writer won. The file now lives on as `copy`; its old name belongs to the winner.
    fn conflict(&self, file: &Arc<StagedFile>, lost_key: &str, copy: &ObjectRef);
}

/// What the last mount left.
pub struct Recovered {
    /// Files whose upload goes on: the mount shows them under their keys.
    pub files: Vec<Arc<StagedFile>>,
    pub quarantined: Vec<Quarantined>,
}

/// Data that no rule can place: kept until a person decides.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    pub file: FileId,
    pub key: String,
    pub bytes: u64,
    pub reason: String,
    /// Seconds since it was begun, when the journal was opened.
    pub age_seconds: u64,
}

/// One file that the store does not have in full.
#[derive(Clone, Debug, Serialize)]
pub struct Pending {
    pub file: FileId,
    pub key: String,
    pub bytes: u64,
    /// As `user.holdfs.state` shows it.
    pub state: String,
    pub error: Option<String>,
    /// Seconds since it was sealed or, failing that, first written.
    pub age_seconds: u64,
}

/// What was left when a drain ended; empty means that the store has everything.
#[derive(Clone, Debug, Serialize)]
pub struct Drained {
    pub left: Vec<Pending>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub pending: Vec<Pending>,
    pub quarantined: Vec<Quarantined>,
    pub staged_bytes: u64,
    /// Parts in flight that the engine found best so far.
    pub parallel: usize,
    /// The store answers If-Match and If-None-Match on writes as it should.
    pub conditional_writes: bool,
}

/// What every staged file and every task of the engine works with.
pub(super) struct Shared {
    pub bucket: String,
    pub host: String,
    pub limits: Limits,
    pub sizes: Sizes,
    pub grid: Grid,
    pub on_conflict: OnConflict,
    pub progress_timeout: Duration,
    pub data_dir: PathBuf,
    pub client: Client,
    pub budget: Budget,
    pub tasks: Tasks,
    pub clock: Clock,
    pub disk: Arc<dyn Disk>,
    pub base: Arc<dyn BaseBytes>,
    pub commits: Arc<dyn Commits>,
    pub journal: record::Journal,
    pub pool: Pool,
    pub gate: Arc<Gate>,
    pub tidy: Arc<Tidy>,
    pub workers: Semaphore,
    pub keys: Keys,
    files: Mutex<HashMap<FileId, Arc<StagedFile>>>,
    pub(super) quarantine: Mutex<Vec<Quarantined>>,
    next_file: AtomicI64,
    next_layer: AtomicI64,
    /// The store cannot be told conditions.
    unconditional: AtomicBool,
    /// Signalled when a data file is removed or a file leaves.
    freed: Notify,
}

/// Bytes of a buffer; a part in flight has two.
const BUFFER_BYTES: usize = 1 << 20;
const IDLE_BUFFERS: usize = 32;

impl Shared {
    pub fn next_layer(&self) -> LayerId {
        LayerId(self.next_layer.fetch_add(1, Ordering::Relaxed))
    }

    pub fn next_file(&self) -> FileId {
        FileId(self.next_file.fetch_add(1, Ordering::Relaxed))
    }

    pub fn list(&self, file: &Arc<StagedFile>) {
        self.files.lock().insert(file.id(), file.clone());
    }

    pub fn unlist(&self, file: FileId) {
        self.files.lock().remove(&file);
        self.freed.notify_waiters();
    }

    pub fn files(&self) -> Vec<Arc<StagedFile>> {
        let mut files: Vec<_> = self.files.lock().values().cloned().collect();
        files.sort_by_key(|file| file.id());
        files
    }

    fn file(&self, id: FileId) -> Option<Arc<StagedFile>> {
        self.files.lock().get(&id).cloned()
    }

    pub fn remove_data(&self, layer: LayerId) {
        match self.disk.remove(&layer.path(&self.data_dir)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("a data file of the state directory stays: {error}");
            }
            _ => {
                self.journal.layer_gone(layer);
                self.freed.notify_waiters();
            }
        }
    }

    /// Ends a multipart upload in the background.
    pub fn abort(self: &Arc<Self>, session: Arc<Session>) {
        let shared = self.clone();
        self.tasks.spawn("abort an upload", async move { upload::abort(&shared, &session).await });
    }

    /// The store compares what a write is conditional on.
    pub fn is_conditional(&self) -> bool {
        !self.unconditional.load(Ordering::Relaxed) && self.client.dialect().honours_write_conditions()
    }

    /// The store refused a condition, or one that held: none is sent any more. `false` if that was known already.
    pub fn give_up_conditions(&self) -> bool {
        !self.unconditional.swap(true, Ordering::Relaxed)
    }

    pub fn sends_conditions(&self) -> bool {
        !self.unconditional.load(Ordering::Relaxed)
    }
}

/// One per state directory.
pub struct Engine {
    shared: Arc<Shared>,
    _lock: Lock,
}

impl Engine {
    /// Locks the state directory (`Busy`, naming the process, when another mount has it), opens the journal and
    /// takes up what the last mount left. Looking at the store for that goes on in the background.
    pub fn open(config: Config, parts: Parts) -> Result<(Arc<Self>, Recovered)> {
        check_durability(config.durability)?;
        let data_dir = config.state_dir.join("data");
        let made = parts.disk.create_dir_all(&data_dir);
        made.map_err(|error| Error::disk(&format!("make {}", data_dir.display()), &error))?;
        let lock = Lock::take(&config.state_dir)?;
        let journal = record::Journal::open(&config.state_dir.join("journal.db"))?;
        let shared = Arc::new(share(config, parts, data_dir, journal)?);
        let recovered = recover::recover(&shared)?;
        Ok((Arc::new(Self { shared, _lock: lock }), recovered))
    }

    /// Begins a staged file over `base`. `carried` is what its object is given beside the bytes.
    pub fn stage(
        &self,
        key: &str,
        base: Option<ObjectRef>,
        carried: NewObject,
        origin: Origin,
    ) -> Result<Arc<StagedFile>> {
        if key.len() > self.shared.limits.key_bytes_max {
            let most = self.shared.limits.key_bytes_max;
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("the store takes keys of up to {most} bytes"),
            ));
        }
        let begin = Begin { key: key.into(), base, object: carried, origin };
        let file = StagedFile::new(self.shared.next_file(), self.shared.clone(), begin);
        self.shared.list(&file);
        Ok(file)
    }

    /// After `NoSpace`: waits while uploads free space. `NoSpace` again when none does.
    pub async fn wait_for_space(&self) -> Result<()> {
        let freed = self.shared.freed.notified();
        let full = || {
            Error::new(ErrorKind::NoSpace, "the state directory is full, and nothing in it is being stored")
        };
        if !self.shared.files().iter().any(|file| file.is_on_its_way()) {
            return Err(full());
        }
        tokio::time::timeout(self.shared.progress_timeout, freed).await.map_err(|_| full())
    }

    /// Waits until the store has all that is sealed or failed for good, at most this long.
    pub async fn drain(&self, timeout: Duration) -> Drained {
        let files = self.shared.files();
        let settled = futures_util::future::join_all(files.iter().map(|file| file.settled()));
        let _in_time = tokio::time::timeout(timeout, settled).await;
        Drained { left: self.pending() }
    }

    /// What the store does not have in full.
    pub fn pending(&self) -> Vec<Pending> {
        self.shared.files().iter().filter_map(|file| file.pending()).collect()
    }

    pub fn status(&self) -> Status {
        Status {
            pending: self.pending(),
            quarantined: self.shared.quarantine.lock().clone(),
            staged_bytes: self.shared.files().iter().map(|file| file.staged_bytes()).sum(),
            parallel: self.shared.gate.limit(),
            conditional_writes: self.shared.is_conditional(),
        }
    }

    pub fn journal(&self) -> Journal {
        Journal { shared: self.shared.clone() }
    }

    pub fn intents(&self) -> Intents {
        Intents::new(self.shared.journal.clone())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Files refer to the engine's insides, which refer to the files.
        let _files = std::mem::take(&mut *self.shared.files.lock());
    }
}

fn check_durability(durability: Durability) -> Result<()> {
    let name = match durability {
        Durability::Remote => return Ok(()),
        Durability::Local => "local",
        Durability::Strict => "strict",
    };
    let message = format!(
        "--durability {name} is not offered yet: write-back comes with a later version; use --durability remote, \
         where close and fsync return when the store has the bytes"
    );
    Err(Error::new(ErrorKind::Unsupported, message))
}

fn share(config: Config, parts: Parts, data_dir: PathBuf, journal: record::Journal) -> Result<Shared> {
    let (next_file, next_layer) = journal.next_ids()?;
    let names = parts.disk.list(&data_dir).map_err(|error| Error::disk("list the staged data", &error))?;
    let on_disk = names.iter().filter_map(|name| LayerId::from_name(name.to_str()?)).max();
    let next_layer = next_layer.max(on_disk.map_or(1, |layer| layer.0 + 1));
    let sizes = Sizes::for_limits(&config.limits);
    Ok(Shared {
        bucket: config.bucket,
        host: config.host,
        limits: config.limits,
        sizes,
        grid: Grid::new(&sizes, &config.limits),
        on_conflict: config.on_conflict,
        progress_timeout: config.progress_timeout,
        data_dir,
        gate: Gate::new(parts.clock.clone()),
        tidy: Arc::default(),
        client: parts.client,
        budget: parts.budget,
        tasks: parts.tasks,
        clock: parts.clock,
        disk: parts.disk,
        base: parts.base,
        commits: parts.commits,
        journal,
        pool: Pool::new(BUFFER_BYTES, IDLE_BUFFERS),
        workers: Semaphore::new(queue::WORKERS),
        keys: Keys::default(),
        files: Mutex::default(),
        quarantine: Mutex::default(),
        next_file: AtomicI64::new(next_file),
        next_layer: AtomicI64::new(next_layer),
        unconditional: AtomicBool::new(false),
        freed: Notify::new(),
    })
}

/// `holdfs journal`: what a crash or a refusal left.
pub struct Journal {
    shared: Arc<Shared>,
}

impl Journal {
    /// Everything that is pending, failed or quarantined.
    pub fn list(&self) -> Vec<Pending> {
        let quarantined = self.shared.quarantine.lock();
        let pending = self.shared.files().into_iter().filter_map(|file| file.pending());
        pending.chain(quarantined.iter().map(Quarantined::listed)).collect()
    }

    /// Tries a failed file again.
    pub fn retry(&self, file: FileId) -> Result<()> {
        self.file(file)?.retry();
        Ok(())
    }

    /// Gives up a failed or quarantined file: aborts its upload, deletes its data.
    pub async fn discard(&self, file: FileId) -> Result<()> {
        if let Some(file) = self.shared.file(file) {
            return file.discard().await.map(drop);
        }
        recover::discard_quarantined(&self.shared, file)
    }

    /// Writes the bytes of a file to `target`, base bytes included where the store still has them. Returns the
    /// ranges that could be had.
    pub async fn export(&self, file: FileId, target: PathBuf) -> Result<Vec<ByteRange>> {
        let pieces = match self.shared.file(file) {
            Some(file) => file.read_plan(ByteRange::new(0, file.size())),
            None => recover::quarantined_pieces(&self.shared, file)?,
        };
        recover::export(&self.shared, pieces, &target).await
    }

    fn file(&self, id: FileId) -> Result<Arc<StagedFile>> {
        self.shared.file(id).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("the journal has no pending file {}", id.0))
        })
    }
}

impl Quarantined {
    fn listed(&self) -> Pending {
        Pending {
            file: self.file,
            key: self.key.clone(),
            bytes: self.bytes,
            state: "quarantined".to_owned(),
            error: Some(self.reason.clone()),
            age_seconds: self.age_seconds,
        }
    }
}
