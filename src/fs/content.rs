//! What an inode's bytes are, for inodes that are open or changed.
//!
//! ```text
//!             first write                     the store has every byte
//!   Clean(ObjectRef) ──────────▶ Staged(StagedFile) ──────────▶ Clean(ObjectRef)
//!        │ unlink while open
//!        └─▶ Kept(bytes), or Clean of a version or of a copy below `.holdfs.d`
//! ```
//!
//! All handles of an inode share one content: a local write, rename or metadata copy moves them all along in one
//! step. A foreign change never moves it; it gives the name to another inode. Inodes that are neither open nor
//! changed have no entry here: [`crate::namespace`] alone knows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Error, NodeId};
use crate::namespace::{Namespace, Node, Pin};
use crate::s3::ObjectRef;
use crate::s3::ops::NewObject;
use crate::write::{Generation, IntentId, StagedFile};

#[derive(Clone)]
pub enum Content {
    /// Exactly this object version.
    Clean(ObjectRef),
    /// Newer than what the store has.
    Staged(Arc<StagedFile>),
    /// Unlinked, small, and kept for those who have it open.
    Kept(Bytes),
}

impl Content {
    pub fn staged(&self) -> Option<&Arc<StagedFile>> {
        match self {
            Self::Staged(staged) => Some(staged),
            Self::Clean(_) | Self::Kept(_) => None,
        }
    }

    pub fn size(&self) -> u64 {
        match self {
            Self::Clean(object) => object.size,
            Self::Staged(staged) => staged.size(),
            Self::Kept(bytes) => bytes.len() as u64,
        }
    }
}

/// What a first write needs, found out by the open so that the write itself asks nobody: the lock was looked at, and
/// this is what the object's next version is to carry along.
#[derive(Clone)]
pub struct Edit {
    pub base: ObjectRef,
    pub carried: NewObject,
}

/// An inode that is open or changed.
pub struct File {
    pub node: Arc<Node>,
    state: Mutex<State>,
    /// Keeps the namespace from giving the node another object.
    _pin: Pin,
}

/// Changed only in short steps, with no await in between.
pub struct State {
    pub content: Content,
    /// Valid while the content is clean and is its base.
    pub edit: Option<Edit>,
    /// The newest generation that was sealed of this staged file: what a close or fsync waits for.
    pub sealed: Option<Generation>,
    /// Of the bytes; ahead of the namespace while they are changed.
    pub mtime: Option<SystemTime>,
    pub handles: u32,
    pub writers: u32,
    /// What became of an upload that nobody waited for: the next close or fsync reports it.
    pub unreported: Option<Error>,
    /// While it is open whether the file loses its name: what the content was, and will be again if it does not.
    pub parting_from: Option<ObjectRef>,
    /// A copy below `.holdfs.d` that the last close deletes, and the journal's record of it.
    pub aside: Option<(String, IntentId)>,
}

impl File {
    fn new(node: Arc<Node>, pin: Pin, content: Content) -> Self {
        let state = State {
            content,
            edit: None,
            sealed: None,
            mtime: None,
            handles: 0,
            writers: 0,
            unreported: None,
            parting_from: None,
            aside: None,
        };
        Self { node, state: Mutex::new(state), _pin: pin }
    }

    pub fn content(&self) -> Content {
        self.state.lock().content.clone()
    }

    pub fn staged(&self) -> Option<Arc<StagedFile>> {
        self.state.lock().content.staged().cloned()
    }

    /// A short look or step; never call anything that waits from within.
    pub fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        step(&mut self.state.lock())
    }

    pub fn is_open(&self) -> bool {
        self.state.lock().handles > 0
    }
}

/// The files that are open or changed, and of which version the kernel's pages are.
pub struct Files {
    namespace: Arc<Namespace>,
    table: Mutex<HashMap<NodeId, Arc<File>>>,
    pages: Mutex<HashMap<NodeId, Pages>>,
    notes: Mutex<HashMap<NodeId, String>>,
}

/// Whose bytes the kernel has in its page cache for an inode.
#[derive(Clone, Debug)]
pub enum Pages {
    Of(ObjectRef),
    /// All of them went through this mount since the file was created.
    Local,
}

impl Pages {
    fn are_of(&self, object: &ObjectRef) -> bool {
        matches!(self, Self::Of(of) if of.same_content(object))
    }
}

impl Files {
    pub fn new(namespace: Arc<Namespace>) -> Self {
        Self { namespace, table: Mutex::default(), pages: Mutex::default(), notes: Mutex::default() }
    }

    pub fn get(&self, node: NodeId) -> Option<Arc<File>> {
        self.table.lock().get(&node).cloned()
    }

    pub fn all(&self) -> Vec<Arc<File>> {
        self.table.lock().values().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// The entry of the node, made with `content` if there is none, and held until [`Held`] is dropped.
    pub fn hold(self: &Arc<Self>, node: &Arc<Node>, content: impl FnOnce() -> Content) -> Held {
        let mut table = self.table.lock();
        let file = table
            .entry(node.id())
            .or_insert_with(|| Arc::new(File::new(node.clone(), self.namespace.pin(node), content())))
            .clone();
        file.with(|state| state.handles += 1);
        drop(table);
        Held { files: self.clone(), file }
    }

    /// Drops the entry of a file that nobody has open and the store has.
    pub fn settle(&self, file: &Arc<File>) {
        let mut table = self.table.lock();
        let idle = file.with(|state| state.handles == 0 && state.content.staged().is_none());
        let is_this = table.get(&file.node.id()).is_some_and(|present| Arc::ptr_eq(present, file));
        let gone = (idle && is_this).then(|| table.remove(&file.node.id()));
        drop(table);
        // The pin is dropped without the lock: the namespace has its own.
        drop(gone);
    }

    /// The kernel is about to read this version. Are the pages that it has still right?
    pub fn pages_are(&self, node: NodeId, content: &Content) -> bool {
        let mut pages = self.pages.lock();
        match content {
            Content::Clean(object) => {
                let before = pages.insert(node, Pages::Of(object.clone()));
                before.is_some_and(|before| before.are_of(object))
            }
            Content::Staged(_) | Content::Kept(_) => pages.contains_key(&node),
        }
    }

    /// What the kernel has was, or went, through this mount.
    pub fn pages_follow(&self, node: NodeId, object: Option<&ObjectRef>) {
        let now = object.map_or(Pages::Local, |object| Pages::Of(object.clone()));
        self.pages.lock().insert(node, now);
    }

    /// The same bytes, as another version.
    pub fn pages_moved(&self, node: NodeId, from: &ObjectRef, to: &ObjectRef) {
        let mut pages = self.pages.lock();
        if pages.get(&node).is_some_and(|pages| pages.are_of(from)) {
            pages.insert(node, Pages::Of(to.clone()));
        }
    }

    /// A first write: pages of another version than the base do not belong to what is written.
    pub fn pages_begin(&self, node: NodeId, base: &ObjectRef) {
        let mut pages = self.pages.lock();
        if pages.get(&node).is_some_and(|pages| !pages.are_of(base)) {
            pages.remove(&node);
        }
    }

    /// What `user.holdfs.error` shows after the file itself is clean again.
    pub fn note(&self, node: NodeId, note: String) {
        self.notes.lock().insert(node, note);
    }

    pub fn unnote(&self, node: NodeId) {
        self.notes.lock().remove(&node);
    }

    pub fn noted(&self, node: NodeId) -> Option<String> {
        self.notes.lock().get(&node).cloned()
    }

    /// The kernel has no trace of the inode any more.
    pub fn forgotten(&self, node: NodeId) {
        self.pages.lock().remove(&node);
        self.notes.lock().remove(&node);
    }
}

/// A share in a file's entry: one per open handle, and one for the time of an operation by name.
pub struct Held {
    files: Arc<Files>,
    file: Arc<File>,
}

impl std::ops::Deref for Held {
    type Target = Arc<File>;
    fn deref(&self) -> &Arc<File> {
        &self.file
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.file.with(|state| state.handles -= 1);
        self.files.settle(&self.file);
    }
}
