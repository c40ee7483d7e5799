//! What the loss of its name means for a file: unlinked, or replaced by a rename.
//!
//! Nothing is given up before the outcome is known. [`FileSystem::prepare_parting`] stops uploads to the key and
//! brings the bytes that open handles need out of harm's way; then the caller asks the store, and either
//! [`FileSystem::part`]s with the file or lets it [`FileSystem::stay`], changes that were not stored yet included.
//!
//! The bytes stay within reach by version where the bucket keeps one, here if they are few, else as a copy below
//! `.holdfs.d` that the last close deletes.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::ranges::ByteRange;
use crate::fs::ahead::SMALL_BYTES_MAX;
use crate::fs::content::{Content, File};
use crate::fs::{FileSystem, Result};
use crate::namespace::{Node, name};
use crate::s3::ObjectRef;
use crate::s3::ops::{NewObject, WriteCondition};
use crate::write::{self, Origin, Piece, StagedFile};

/// Bytes that are brought here at a time.
const BASE_STEP_BYTES: u64 = 8 << 20;

/// A file whose name is about to go. Its key is claimed by whoever holds this.
pub(in crate::fs) struct Parting {
    /// What the store has at the key.
    pub stored: Option<ObjectRef>,
    file: Option<Arc<File>>,
    /// Nothing of it is sent while this lives.
    _hold: Option<write::Hold>,
}

impl Drop for Parting {
    /// Whatever ended the operation half way: the file has its content back, and writers may go on.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.with(|state| {
                if let Some(object) = state.parting_from.take() {
                    state.content = Content::Clean(object);
                }
            });
        }
    }
}

impl FileSystem {
    /// `Locked` if the object may not be removed.
    pub(in crate::fs) async fn prepare_parting(&self, node: &Arc<Node>) -> Result<Parting> {
        let file = self.files.get(node.id());
        let hold = match file.as_ref().and_then(|file| file.staged()) {
            Some(staged) => Some(staged.hold().await?),
            None => None,
        };
        let stored = self.unlocked_object(self.stored_object(node)).await?;
        let parting = Parting { stored, file, _hold: hold };
        if let Some(file) = parting.file.as_ref().filter(|file| file.is_open()) {
            self.keep_bytes(file).await?;
        }
        Ok(parting)
    }

    /// The name is gone: nothing of the file will be written to its key any more, and who has it open keeps its
    /// bytes.
    pub(in crate::fs) async fn part(&self, parting: Parting) {
        let Some(file) = &parting.file else {
            return;
        };
        file.with(|state| state.parting_from = None);
        if let Some(staged) = file.staged()
            && let Err(error) = staged.discard().await
        {
            tracing::warn!(key = %file.node.key().escape_debug(), "staged bytes of a removed file stay: {error}");
        }
    }

    /// The name stays: everything is as it was before.
    pub(in crate::fs) async fn stay(&self, parting: Parting) {
        let file = parting.file.clone();
        drop(parting);
        if let Some(file) = file {
            self.drop_aside(&file).await;
        }
    }

    /// The content of an open file moves to where the removal of its object does not reach.
    async fn keep_bytes(&self, file: &Arc<File>) -> Result<()> {
        match file.content() {
            Content::Kept(_) => Ok(()),
            Content::Staged(staged) => self.bring_base_here(&staged).await,
            Content::Clean(object) if keeps_its_version(&object) => Ok(()),
            Content::Clean(object) if object.size <= SMALL_BYTES_MAX => {
                let kept = Content::Kept(self.read_whole(&object).await?);
                if move_content(file, &object, kept) { Ok(()) } else { Box::pin(self.keep_bytes(file)).await }
            }
            Content::Clean(object) => self.put_aside(file, &object).await,
        }
    }

    async fn read_whole(&self, object: &ObjectRef) -> Result<Bytes> {
        match object.size {
            0 => Ok(Bytes::new()),
            size => Ok(self.read.open(object.clone()).read(ByteRange::new(0, size)).await?),
        }
    }

    /// The base of a changed file is about to be deleted: its unchanged bytes become the staged file's own.
    async fn bring_base_here(&self, staged: &StagedFile) -> Result<()> {
        if staged.base().is_none_or(|base| keeps_its_version(&base)) {
            return Ok(());
        }
        for piece in staged.read_plan(ByteRange::new(0, staged.size())) {
            let Piece::Base(object, range) = piece else {
                continue;
            };
            let reader = self.read.open(object);
            let mut start = range.start;
            while start < range.end {
                let step = ByteRange::new(start, range.end.min(start + BASE_STEP_BYTES));
                let bytes = reader.read(step).await?;
                staged.write_at(start, &bytes)?;
                start += bytes.len().max(1) as u64;
            }
        }
        Ok(())
    }

    /// By a copy on the server; a crash leaves it to the next mount, which finds the intent.
    async fn put_aside(&self, file: &Arc<File>, object: &ObjectRef) -> Result<()> {
        let id = format!("{:032x}", fastrand::u128(..));
        let key = format!("{}{}/{}/{id}", self.prefix, name::ASIDE, self.options.host_id);
        let intent = self.begin_aside(&key)?;
        let copied = self.copy_object(object, &key, WriteCondition::None, None).await?;
        file.with(|state| state.aside = Some((key, intent)));
        if move_content(file, object, Content::Clean(copied)) {
            return Ok(());
        }
        self.drop_aside(file).await;
        Box::pin(self.keep_bytes(file)).await
    }

    async fn drop_aside(&self, file: &File) {
        if let Some((key, intent)) = file.with(|state| state.aside.take())
            && let Err(error) = self.remove_aside(&key, intent).await
        {
            tracing::warn!(key = %key.escape_debug(), "left until the next mount: {error}");
        }
    }

    /// The last handle of an unlinked file is about to go: so does what was put aside for it.
    pub(in crate::fs) async fn clean_up_unlinked(&self, file: &Arc<File>) {
        let is_last = file.with(|state| state.handles == 1) && file.node.is_unlinked();
        if !is_last {
            return;
        }
        self.drop_aside(file).await;
        if let Some(staged) = file.staged() {
            if let Err(error) = staged.discard().await {
                tracing::warn!("staged bytes of an unlinked file: {error}");
            }
            file.with(|state| state.content = Content::Kept(Bytes::new()));
        }
    }

    /// A write to a file that has no name: staged, and never to be stored.
    pub(in crate::fs) async fn stage_unlinked(&self, file: &File) -> Result<()> {
        let engine = self.writer()?;
        let key = file.node.key();
        let content = file.content();
        let staged = match &content {
            Content::Staged(_) => return Ok(()),
            Content::Clean(base) => {
                engine.stage(&key, Some(base.clone()), NewObject::default(), Origin::Edit)?
            }
            Content::Kept(bytes) => {
                let staged = engine.stage(&key, None, NewObject::default(), Origin::NewName)?;
                staged.write_at(0, bytes)?;
                staged
            }
        };
        staged.discard().await?;
        file.with(|state| {
            if state.content.staged().is_none() {
                state.content = Content::Staged(staged);
            }
        });
        Ok(())
    }

    /// Waits while it is open whether the file keeps its name: what is written now could be lost with it, or not.
    pub(in crate::fs) async fn name_decided(&self, file: &File) {
        while file.with(|state| state.parting_from.is_some()) {
            // Whoever decides has claimed the key.
            drop(self.claims.shared(file.node.key()).await);
            tokio::task::yield_now().await;
        }
    }
}

/// `false` if a write came first: then the object is the base of a staged file.
fn move_content(file: &File, from: &ObjectRef, to: Content) -> bool {
    file.with(|state| {
        let is_there = matches!(&state.content, Content::Clean(object) if object == from);
        if is_there {
            state.content = to;
            state.edit = None;
            state.parting_from = Some(from.clone());
        }
        is_there
    })
}

/// A version that a removal of its key does not take away.
fn keeps_its_version(object: &ObjectRef) -> bool {
    object.version.as_ref().is_some_and(|version| version.is_kept())
}
