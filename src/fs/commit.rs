//! What uploads came to: the write engine tells, and inode, namespace and kernel follow.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::change::Kernel;
use super::content::{Content, Edit, File, Files};
use super::seen::Memory;
use super::worm::Guard;
use crate::base::ranges::ByteRange;
use crate::namespace::{Namespace, Node, Standing};
use crate::read;
use crate::s3::{self, ObjectRef};
use crate::write::{self, Generation, StagedFile};

/// Moves files along when the store has them.
pub struct Publisher {
    pub files: Arc<Files>,
    pub namespace: Arc<Namespace>,
    pub memory: Arc<Memory>,
    pub kernel: Arc<Kernel>,
    pub guard: Guard,
}

impl Publisher {
    fn file_of(&self, staged: &Arc<StagedFile>) -> Option<Arc<File>> {
        let is_its = |file: &Arc<File>| file.staged().is_some_and(|present| Arc::ptr_eq(&present, staged));
        self.files.all().into_iter().find(is_its)
    }

    /// The next write begins from what was just stored. Where a default retention may have locked that, the write has
    /// to look first.
    fn next_edit(&self, staged: &StagedFile, stored: &ObjectRef) -> Option<Edit> {
        let edit = || Edit { base: stored.clone(), carried: staged.object() };
        (!self.guard.is_watchful()).then(edit)
    }

    fn publish(&self, file: &Arc<File>, staged: &StagedFile, stored: &ObjectRef) {
        let mtime = file.with(|state| {
            state.unreported = None;
            // Retired within the step: a write that comes in between finds either the staged file or its successor.
            if let Some(object) = staged.retire() {
                self.namespace.edited(&file.node, false);
                state.edit = self.next_edit(staged, &object);
                state.content = Content::Clean(object);
            }
            state.mtime
        });
        if let Some(mtime) = mtime {
            let attributes =
                crate::namespace::Attributes { mtime, size: stored.size, ..file.node.attributes() };
            self.namespace.set_attributes(&file.node, &attributes);
        }
        self.namespace.updated(&file.node, stored.clone(), None);
        settle_name(&self.namespace, &file.node);
        self.files.pages_follow(file.node.id(), Some(stored));
        self.files.settle(file);
    }
}

/// The store knows the node's name now.
pub fn settle_name(namespace: &Namespace, node: &Node) {
    if let (Some(parent), Some(name)) = (node.parent(), node.name()) {
        namespace.settled(&parent, &name);
    }
}

impl write::Commits for Publisher {
    fn committed(&self, staged: &Arc<StagedFile>, stored: &ObjectRef, _generation: Generation) {
        self.memory.forget(&stored.key);
        match self.file_of(staged) {
            Some(file) => self.publish(&file, staged, stored),
            None => {
                staged.retire();
            }
        }
    }

    fn failed(&self, staged: &Arc<StagedFile>, error: &write::Error) {
        tracing::warn!(key = %staged.key().escape_debug(), "not stored: {error}; the data is kept");
        if let Some(file) = self.file_of(staged) {
            file.with(|state| state.unreported = Some(error.clone().into()));
        }
    }

    fn conflict(&self, staged: &Arc<StagedFile>, lost_key: &str, copy: &ObjectRef) {
        let (lost, kept) = (last_segment(lost_key), last_segment(&copy.key));
        tracing::warn!(
            key = %lost_key.escape_debug(),
            "another writer was faster: its bytes have the name, ours are beside it as {kept:?}"
        );
        self.memory.forget(lost_key);
        let Some(file) = self.file_of(staged) else {
            return;
        };
        self.files.note(
            file.node.id(),
            format!("another writer changed {lost:?} first; these bytes became {kept:?}"),
        );
        if let Some(parent) = file.node.parent() {
            self.namespace.renamed(&file.node, &parent, kept, Standing::Stored);
            self.namespace.doubt(&parent, Some(lost));
            self.kernel.entry_changed(parent.id(), lost);
            self.kernel.entry_changed(parent.id(), kept);
        }
    }
}

fn last_segment(key: &str) -> &str {
    key.trim_end_matches('/').rsplit('/').next().unwrap_or(key)
}

/// Bytes of unmodified objects for parts that mix old and new: the read engine has them.
pub struct ReadBase(pub Arc<read::Engine>);

impl write::BaseBytes for ReadBase {
    fn read(&self, object: &ObjectRef, range: ByteRange) -> BoxFuture<'_, s3::Result<Bytes>> {
        let reader = self.0.open(object.clone());
        async move { reader.read(range).await }.boxed()
    }
}
