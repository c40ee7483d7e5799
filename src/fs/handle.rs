//! Open files and directories.
//!
//! A handle reads through a reader that is pinned to the object version of its inode's content; when a local change
//! moves the content on, the next read opens another. Which bytes an inode has is not the handle's to know.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::content::Held;
use super::trail::Trail;
use super::{ErrorKind, HandleId, OpenFlags, Result};
use crate::base::ranges::ByteRange;
use crate::namespace::Directory;
use crate::read::{self, Reader};
use crate::s3::ObjectRef;

/// An open file.
pub struct FileHandle {
    pub file: Held,
    pub flags: OpenFlags,
    /// Something was written through it since it was last flushed.
    unflushed: AtomicBool,
    trail: Mutex<Trail>,
    reader: Mutex<Option<(ObjectRef, Arc<Reader>)>>,
}

impl FileHandle {
    pub fn new(file: Held, flags: OpenFlags) -> Self {
        if flags.writes() {
            file.with(|state| state.writers += 1);
        }
        let (unflushed, trail, reader) = (AtomicBool::new(false), Mutex::default(), Mutex::new(None));
        Self { file, flags, unflushed, trail, reader }
    }

    /// The handle's reader of this version, with its window.
    pub fn reader(&self, engine: &read::Engine, object: &ObjectRef) -> Arc<Reader> {
        let mut slot = self.reader.lock();
        match &*slot {
            Some((pinned, reader)) if pinned == object => reader.clone(),
            _ => {
                let reader = Arc::new(engine.open(object.clone()));
                *slot = Some((object.clone(), reader.clone()));
                reader
            }
        }
    }

    /// What a write leaves behind that the kernel need not cache.
    pub fn left_behind(&self, written: ByteRange) -> Option<ByteRange> {
        self.trail.lock().wrote(written)
    }

    pub fn wrote(&self) {
        self.unflushed.store(true, Ordering::Release);
    }

    /// Was there anything, and from now on there is not.
    pub fn take_unflushed(&self) -> bool {
        self.unflushed.swap(false, Ordering::AcqRel)
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        if self.flags.writes() {
            self.file.with(|state| state.writers -= 1);
        }
    }
}

#[derive(Clone)]
enum Open {
    File(Arc<FileHandle>),
    Directory(Arc<Directory>),
}

/// What the kernel has open, by the number it knows.
#[derive(Default)]
pub struct Handles {
    next: AtomicU64,
    table: RwLock<HashMap<HandleId, Open>>,
}

impl Handles {
    pub fn add_file(&self, handle: FileHandle) -> HandleId {
        self.add(Open::File(Arc::new(handle)))
    }

    pub fn add_directory(&self, directory: Directory) -> HandleId {
        self.add(Open::Directory(Arc::new(directory)))
    }

    fn add(&self, open: Open) -> HandleId {
        let id = HandleId(self.next.fetch_add(1, Ordering::Relaxed) + 1);
        self.table.write().insert(id, open);
        id
    }

    pub fn file(&self, id: HandleId) -> Result<Arc<FileHandle>> {
        match self.table.read().get(&id) {
            Some(Open::File(handle)) => Ok(handle.clone()),
            _ => Err(ErrorKind::BadHandle.into()),
        }
    }

    pub fn directory(&self, id: HandleId) -> Result<Arc<Directory>> {
        match self.table.read().get(&id) {
            Some(Open::Directory(directory)) => Ok(directory.clone()),
            _ => Err(ErrorKind::BadHandle.into()),
        }
    }

    pub fn remove_file(&self, id: HandleId) -> Option<Arc<FileHandle>> {
        match self.table.write().remove(&id) {
            Some(Open::File(handle)) => Some(handle),
            _ => None,
        }
    }

    pub fn remove_directory(&self, id: HandleId) {
        self.table.write().remove(&id);
    }

    pub fn len(&self) -> usize {
        self.table.read().len()
    }
}
