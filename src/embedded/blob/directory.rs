//! Blobs as files under a data directory, named by number: `blobs/3f/000000000000013f`.
//!
//! A file is complete before any record on disk names it, and goes after the last record that named it has gone;
//! whatever a crash leaves between the two is unnamed and is swept at the next start. Writes and reads run on
//! the runtime's blocking threads, a megabyte at a time and one ahead.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::{Blob, BlobId, CHUNK_BYTES};
use crate::base::ranges::ByteRange;
use crate::base::tasks::{Blocking, Tasks};

/// Cheap to clone.
#[derive(Clone)]
pub struct Folder {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    tasks: Tasks,
    next: AtomicU64,
    /// Whether files go with their [`Stored`]. Not while records are still being read (one that cannot be read must
    /// not cost the others their bytes), and not when the server is going.
    removing: AtomicBool,
    /// Blobs that records have named since the start, until the sweep.
    found: Mutex<HashMap<BlobId, Weak<Blob>>>,
}

impl Inner {
    fn file_path(&self, id: BlobId) -> PathBuf {
        self.path.join(format!("{:02x}", id.0 % FOLDERS)).join(format!("{:016x}", id.0))
    }
}

/// One folder of a million files is slow on some file systems.
const FOLDERS: u64 = 256;

impl Folder {
    pub fn open(data: &Path, tasks: Tasks) -> io::Result<Self> {
        let path = data.join("blobs");
        for number in 0..FOLDERS {
            fs::create_dir_all(path.join(format!("{number:02x}")))?;
        }
        let highest = Self::files(&path)?.into_iter().map(|(id, _)| id.0).max().unwrap_or(0);
        let inner = Inner {
            path,
            tasks,
            next: AtomicU64::new(highest + 1),
            removing: AtomicBool::new(false),
            found: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn files(path: &Path) -> io::Result<Vec<(BlobId, PathBuf)>> {
        let mut files = Vec::new();
        for number in 0..FOLDERS {
            for entry in fs::read_dir(path.join(format!("{number:02x}")))? {
                let entry = entry?;
                let id = entry.file_name().to_str().and_then(|name| u64::from_str_radix(name, 16).ok());
                files.extend(id.map(|id| (BlobId(id), entry.path())));
            }
        }
        Ok(files)
    }

    pub fn create(&self) -> Writer {
        let id = BlobId(self.inner.next.fetch_add(1, Ordering::Relaxed));
        let stored = Stored { folder: self.inner.clone(), id, len: 0 };
        Writer { stored, waiting: Vec::new(), waiting_bytes: 0, output: Output::None }
    }

    pub fn find(&self, id: BlobId) -> io::Result<Arc<Blob>> {
        let mut found = self.inner.found.lock();
        if let Some(blob) = found.get(&id).and_then(Weak::upgrade) {
            return Ok(blob);
        }
        let len = fs::metadata(self.inner.file_path(id))?.len();
        let blob = Arc::new(Blob::Directory(Stored { folder: self.inner.clone(), id, len }));
        found.insert(id, Arc::downgrade(&blob));
        Ok(blob)
    }

    pub fn sweep(&self) -> io::Result<()> {
        let found = std::mem::take(&mut *self.inner.found.lock());
        self.inner.removing.store(true, Ordering::Release);
        let files = Self::files(&self.inner.path)?;
        files
            .into_iter()
            .filter(|(id, _)| !found.contains_key(id))
            .try_for_each(|(_, path)| fs::remove_file(path))
    }

    pub fn close(&self) {
        self.inner.removing.store(false, Ordering::Release);
    }
}

/// A finished file; removed when nothing points at it any more.
pub struct Stored {
    folder: Arc<Inner>,
    id: BlobId,
    len: u64,
}

impl Stored {
    pub fn id(&self) -> BlobId {
        self.id
    }

    pub fn len(&self) -> u64 {
        self.len
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if !self.folder.removing.load(Ordering::Acquire) {
            return;
        }
        let path = self.folder.file_path(self.id);
        // Freeing gigabytes takes a file system long enough to be felt by other requests.
        self.folder.tasks.spawn_blocking("embedded blob removal", move || fs::remove_file(path));
    }
}

pub struct Writer {
    stored: Stored,
    waiting: Vec<Bytes>,
    waiting_bytes: u64,
    output: Output,
}

enum Output {
    None,
    Writing(Blocking<io::Result<File>>),
}

impl Writer {
    pub async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        self.waiting_bytes += bytes.len() as u64;
        self.stored.len += bytes.len() as u64;
        self.waiting.push(bytes);
        if self.waiting_bytes >= CHUNK_BYTES { self.write_out().await } else { Ok(()) }
    }

    pub async fn finish(mut self) -> io::Result<Stored> {
        self.write_out().await?;
        self.output().await?;
        Ok(self.stored)
    }

    /// Starts writing what waits, once the write before has ended.
    async fn write_out(&mut self) -> io::Result<()> {
        let file = self.output().await?;
        let (waiting, path) =
            (std::mem::take(&mut self.waiting), self.stored.folder.file_path(self.stored.id));
        self.waiting_bytes = 0;
        let write = move || {
            let mut file = file.map_or_else(|| create_file(&path), Ok)?;
            write_all(&mut file, &waiting)?;
            Ok(file)
        };
        self.output = Output::Writing(self.stored.folder.tasks.spawn_blocking("embedded blob write", write));
        Ok(())
    }

    async fn output(&mut self) -> io::Result<Option<File>> {
        match std::mem::replace(&mut self.output, Output::None) {
            Output::None => Ok(None),
            Output::Writing(writing) => writing.await.map_err(io::Error::other)?.map(Some),
        }
    }
}

fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn write_all(file: &mut File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}

/// A read under way on a blocking thread.
pub struct Reading(Blocking<io::Result<Bytes>>);

impl Future for Reading {
    type Output = io::Result<Bytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(done.map_err(io::Error::other).and_then(|read| read))
    }
}

/// Starts reading `range` of a blob that is a file; `None` for a blob in memory.
pub fn read(blob: Arc<Blob>, range: ByteRange) -> Option<Reading> {
    let Blob::Directory(stored) = &*blob else { return None };
    let (path, tasks) = (stored.folder.file_path(stored.id), stored.folder.tasks.clone());
    let read = move || {
        // Held until the end: as long as someone holds the blob its file is there.
        let _blob = blob;
        let mut bytes = BytesMut::zeroed(range.len() as usize);
        File::open(path)?.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.freeze())
    };
    Some(Reading(tasks.spawn_blocking("embedded blob read", read)))
}
