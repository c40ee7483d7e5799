//! The promises of close and fsync.
//!
//! In `remote` durability both return when the store has the object, and report what went wrong; what went wrong
//! when nobody waited is reported by the next. RELEASE comes later and its error reaches nobody, so everything that
//! can fail is done here.

use std::sync::Arc;

use super::attributes::change_staged;
use crate::fs::content::{Content, File};
use crate::fs::handle::FileHandle;
use crate::fs::{Caller, Error, ErrorKind, FileSystem, HandleId, NodeId, Result, SyncScope, descriptor};
use crate::namespace::attributes::Posix;
use crate::write::{self, Generation, Seal, StagedFile, State};

/// Uploads that one barrier waits for side by side.
const BARRIER_PARALLEL: usize = 64;

/// What a close or fsync waits for.
pub(in crate::fs) type Sealed = (Arc<StagedFile>, Generation);

impl FileSystem {
    /// One descriptor was closed.
    pub async fn flush(&self, node: NodeId, handle: HandleId, caller: Caller) -> Result<()> {
        let handle = self.handles.file(handle)?;
        if !handle.flags.writes() || self.is_placeholder(&handle, node, caller) {
            return Ok(());
        }
        handle.take_unflushed();
        self.publish(&handle.file).await
    }

    /// `echo x > f` opens `f`, duplicates the descriptor and closes the first before it writes: that close must not
    /// put an empty object there.
    fn is_placeholder(&self, handle: &FileHandle, node: NodeId, caller: Caller) -> bool {
        handle.file.content().size() == 0 && descriptor::process_has_open(caller.pid, node)
    }

    pub async fn fsync(&self, _node: NodeId, handle: HandleId, _scope: SyncScope) -> Result<()> {
        let handle = self.handles.file(handle)?;
        if handle.flags.writes() {
            handle.take_unflushed();
        }
        self.publish(&handle.file).await
    }

    /// What happened to the directory's entries; for the root, to the whole mount.
    pub async fn fsyncdir(&self, node: NodeId, _handle: HandleId) -> Result<()> {
        let directory = self.directory(node)?;
        let whole_mount = directory.id() == NodeId::ROOT;
        let key = directory.key();
        let covered =
            |file: &Arc<File>| whole_mount || file.node.parent().is_some_and(|parent| parent.key() == key);
        self.barrier(self.files.all().into_iter().filter(covered).collect()).await
    }

    /// Publishes all of these; the first error, when every one has been tried.
    async fn barrier(&self, files: Vec<Arc<File>>) -> Result<()> {
        use futures_util::stream::{self, StreamExt};
        let publish = |file: Arc<File>| async move { self.publish(&file).await };
        let published = stream::iter(files).map(publish).buffer_unordered(BARRIER_PARALLEL);
        published.fold(Ok(()), |first, result| async { first.and(result) }).await
    }

    /// Makes the store have everything that was written to the file so far.
    pub(in crate::fs) async fn publish(&self, file: &Arc<File>) -> Result<()> {
        let sealed = self.seal(file).await?;
        self.wait_until_stored(file, sealed).await
    }

    /// The same for an operation that has claimed the key.
    pub(in crate::fs) async fn publish_claimed(&self, file: &Arc<File>) -> Result<()> {
        let sealed = self.seal_claimed(file).await?;
        self.wait_until_stored(file, sealed).await
    }

    async fn wait_until_stored(&self, file: &File, sealed: Option<Sealed>) -> Result<()> {
        if let Some((staged, generation)) = sealed {
            let stored = staged.stored(generation).await;
            file.with(|state| state.unreported = None);
            match stored {
                // Unlinked, or replaced by a rename, while it was on its way: there is nothing left to wait for.
                Err(error) if error.kind() == write::ErrorKind::Retired => {}
                Err(error) => return Err(self.refusal(&staged.key(), error).await),
                Ok(_) => {}
            }
        }
        match file.with(|state| state.unreported.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Freezes what was written so far and hands it to the upload queue. The newest generation that the store may
    /// not have yet, if there is one.
    pub(in crate::fs) async fn seal(&self, file: &Arc<File>) -> Result<Option<Sealed>> {
        let _claim = self.claims.shared(file.node.key()).await;
        self.seal_claimed(file).await
    }

    async fn seal_claimed(&self, file: &Arc<File>) -> Result<Option<Sealed>> {
        let Some(staged) = file.staged().filter(|_| !file.node.is_unlinked()) else {
            return Ok(None);
        };
        if staged.state() == State::Dirty {
            self.files.unnote(file.node.id());
            self.check_before_commit(&staged).await.inspect_err(|error| self.remember(file, error))?;
            self.carry_mtime(file, &staged)?;
        }
        let sealing = staged.clone();
        let sealed = self.tasks.spawn_blocking("seal", move || sealing.seal()).await;
        let sealed = sealed.map_err(|_| Error::new(ErrorKind::Bug, "sealing stopped half way"))?;
        let sealed = match sealed {
            // The store caught up in this very moment.
            Err(error) if error.kind() == write::ErrorKind::Retired => return Ok(None),
            sealed => sealed?,
        };
        let generation = file.with(|state| {
            if let Seal::Generation(generation) = sealed {
                state.sealed = Some(generation);
            }
            state.sealed
        });
        Ok(generation.map(|generation| (staged, generation)))
    }

    /// Its lock may have been set since the file was opened.
    async fn check_before_commit(&self, staged: &StagedFile) -> Result<()> {
        self.unlocked_object(staged.base()).await.map(|_| ())
    }

    fn remember(&self, file: &File, error: &Error) {
        self.files.note(file.node.id(), error.to_string());
    }

    /// An object that says its own time of change must say the new one.
    fn carry_mtime(&self, file: &File, staged: &StagedFile) -> Result<()> {
        let Some(mtime) = file.with(|state| state.mtime) else {
            return Ok(());
        };
        let stored = Posix::decode(&staged.object().metadata, &staged.key());
        if stored.mtime.is_some_and(|stored| stored != mtime) {
            let current = Posix { mtime: Some(mtime), ..stored };
            change_staged(staged, |object| {
                current.encode_into(&mut object.metadata);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What `user.holdfs.state` shows.
    pub(in crate::fs) fn state_of(&self, file: Option<&Arc<File>>) -> State {
        match file.map(|file| file.content()) {
            Some(Content::Staged(staged)) => staged.state(),
            _ => State::Clean,
        }
    }
}
