//! From a stored object to a changed file: what has to be known before the first write, and the first write's step.

use std::sync::Arc;

use crate::fs::content::{Content, Edit, File};
use crate::fs::worm::Guard;
use crate::fs::{Error, ErrorKind, FileSystem, Result, seen};
use crate::s3::ops::NewObject;
use crate::s3::{self, ObjectRef};
use crate::write::{self, Origin, StagedFile};
use crate::xattr::view;

impl FileSystem {
    /// Looks at the object's lock and at what its next version is to carry along, so that [`Self::stage`] needs to
    /// ask nobody.
    pub(in crate::fs) async fn prepare_edit(&self, file: &File) -> Result<()> {
        let content = file.content();
        if file.node.is_unlinked() || matches!(content, Content::Kept(_)) {
            return self.stage_unlinked(file).await;
        }
        let Content::Clean(base) = content else {
            return Ok(());
        };
        if file.with(|state| state.edit.as_ref().is_some_and(|edit| edit.base == base)) {
            return Ok(());
        }
        let seen = self.memory.look(&base.key).await?;
        self.guard.judge(&base.key, seen.headers.lock, self.clock.wall())?;
        let carried = self.carried(&seen).await?;
        file.with(|state| state.edit = Some(Edit { base, carried }));
        Ok(())
    }

    /// What an object has beside its bytes, tags included: S3 drops all of it when the object is overwritten.
    pub(in crate::fs) async fn carried(&self, seen: &seen::Seen) -> Result<NewObject> {
        let mut object = view::object_of(&seen.headers);
        object.tags = self.tags_to_carry(seen).await?;
        Ok(object)
    }

    async fn tags_to_carry(&self, seen: &seen::Seen) -> Result<Option<s3::ops::Tags>> {
        if seen.headers.tag_count == Some(0) {
            return Ok(None);
        }
        match self.memory.tags(&seen.object).await {
            Ok(tags) => Ok(Some((*tags).clone()).filter(|tags| !tags.is_empty())),
            // Who may write but not see tags cannot keep them.
            Err(error) if error.kind() == s3::ErrorKind::Denied => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the file's bytes: looks first if need be, waits for space, and begins anew when the store caught up with
    /// the file in between.
    pub(in crate::fs) async fn edit(
        &self,
        file: &Arc<File>,
        change: impl Fn(&StagedFile) -> write::Result<()>,
    ) -> Result<()> {
        loop {
            self.name_decided(file).await;
            self.prepare_edit(file).await?;
            match self.edit_now(file, &change) {
                Err(error) if error.kind() == write::ErrorKind::NoSpace => {
                    self.writer()?.wait_for_space().await?
                }
                Err(error) if error.kind() == write::ErrorKind::Retired => tokio::task::yield_now().await,
                done => return Ok(done?),
            }
        }
    }

    /// The same in one step, for a file that is prepared. `Retired`: it no longer is.
    pub(in crate::fs) fn edit_now(
        &self,
        file: &Arc<File>,
        change: impl Fn(&StagedFile) -> write::Result<()>,
    ) -> write::Result<()> {
        change(&*self.stage(file)?)?;
        let now = self.clock.wall();
        file.with(|state| state.mtime = Some(now));
        Ok(())
    }

    /// The staged file, begun if need be.
    fn stage(&self, file: &Arc<File>) -> write::Result<Arc<StagedFile>> {
        let unprepared =
            || write::Error::new(write::ErrorKind::Retired, "the file is not prepared for a write");
        let engine = self.write.as_ref().ok_or_else(unprepared)?;
        file.with(|state| match &state.content {
            Content::Staged(staged) => Ok(staged.clone()),
            Content::Kept(_) => Err(unprepared()),
            Content::Clean(base) => {
                let edit = state.edit.take().filter(|edit| edit.base == *base).ok_or_else(unprepared)?;
                let staged = engine.stage(&base.key, Some(base.clone()), edit.carried, Origin::Edit)?;
                self.files.pages_begin(file.node.id(), base);
                self.namespace.edited(&file.node, true);
                state.content = Content::Staged(staged.clone());
                // Generations are counted anew.
                state.sealed = None;
                Ok(staged)
            }
        })
    }

    /// Can [`Self::stage`] go ahead?
    pub(in crate::fs) fn is_staged_or_prepared(&self, file: &File) -> bool {
        file.with(|state| match &state.content {
            Content::Staged(_) => true,
            Content::Kept(_) => false,
            Content::Clean(base) => state.edit.as_ref().is_some_and(|edit| edit.base == *base),
        })
    }

    /// Why the store refused to change what is at `key`. Most stores answer a locked object with a bare
    /// AccessDenied; its lock tells the difference.
    pub(in crate::fs) async fn refusal(&self, key: &str, error: impl Into<Error>) -> Error {
        let error = error.into();
        if error.kind() != ErrorKind::Denied || !self.guard.bucket_has_lock() {
            return error;
        }
        match self.memory.look(&key.into()).await {
            Ok(seen) => Guard::explain(key, seen.headers.lock, self.clock.wall(), error),
            Err(_) => error,
        }
    }

    /// The object version that a metadata copy or a removal is about, judged by its lock; `None` if the store has
    /// none.
    pub(in crate::fs) async fn unlocked_object(
        &self,
        object: Option<ObjectRef>,
    ) -> Result<Option<ObjectRef>> {
        let Some(object) = object else {
            return Ok(None);
        };
        self.guard.judge_unseen(&object.key)?;
        if self.guard.is_watchful() {
            match self.memory.look(&object.key).await {
                Ok(seen) => self.guard.judge(&object.key, seen.headers.lock, self.clock.wall())?,
                Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(object))
    }
}
