//! What `holdfs status` shows of a running mount.

use serde::Serialize;

use super::FileSystem;
use super::worm::ObjectLock;
use crate::{namespace, read, write};

#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub open_handles: usize,
    /// Files that are open or changed.
    pub active_files: usize,
    pub object_lock: &'static str,
    pub namespace: namespace::Report,
    pub read: read::Status,
    /// `None` on a read-only mount.
    pub write: Option<write::Status>,
}

impl FileSystem {
    pub fn status(&self) -> Status {
        Status {
            open_handles: self.handles.len(),
            active_files: self.files.len(),
            object_lock: match self.guard.object_lock {
                ObjectLock::Absent => "the bucket has none",
                ObjectLock::Readable => "enforced as each object says",
                ObjectLock::Unreadable => "not readable: every object counts as locked",
            },
            namespace: self.namespace.report(),
            read: self.read.status(),
            write: self.write.as_ref().map(|engine| engine.status()),
        }
    }

    /// What is pending, to look at and to act on; `None` on a read-only mount.
    pub fn journal(&self) -> Option<write::Journal> {
        self.write.as_ref().map(|engine| engine.journal())
    }
}
