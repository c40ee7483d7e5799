//! Renames of files; those of directories are in `rename_directory`.
//!
//! A file that was never stored is renamed without a request. A stored one is copied on the server, everything it
//! has beside its bytes included, and then deleted; its handles go on reading, from the copy (`move_object`). A file
//! that the name belonged to keeps everything until the outcome is known (`parting`).

use std::ffi::OsStr;
use std::sync::Arc;

use crate::fs::claims::{Mode, Scope};
use crate::fs::support::text_of;
use crate::fs::{Error, ErrorKind, FileSystem, NodeId, RenameFlags, Result};
use crate::namespace::{Node, Standing};
use crate::s3::ops::{NewObject, WriteCondition};
use crate::s3::transfer::{self, CopyRequest, Tuning};
use crate::s3::{self, ObjectRef};
use crate::write::{self, Expected, StagedFile};

/// May the new name be taken?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Target {
    Replace,
    MustBeAbsent,
}

/// Both names of a rename.
pub(in crate::fs) struct Move<'a> {
    pub node: Arc<Node>,
    pub parent: Arc<Node>,
    pub new_parent: Arc<Node>,
    pub new_name: &'a OsStr,
    pub target: Target,
}

impl FileSystem {
    pub async fn rename(
        &self,
        parent: NodeId,
        name: &OsStr,
        new_parent: NodeId,
        new_name: &OsStr,
        flags: RenameFlags,
    ) -> Result<()> {
        self.refuse_read_only()?;
        let target = target_of(flags)?;
        let (parent, new_parent) = (self.directory(parent)?, self.directory(new_parent)?);
        let node = self.existing(&parent, text_of(name)?).await?;
        let wanted = Move { node, parent, new_parent, new_name, target };
        if wanted.node.is_directory() {
            self.rename_directory(wanted).await
        } else {
            self.rename_file(wanted).await
        }
    }

    async fn rename_file(&self, wanted: Move<'_>) -> Result<()> {
        let node = &wanted.node;
        let (old_key, new_key) = (node.key(), self.key_of_new(&wanted.new_parent, wanted.new_name)?);
        let scopes = vec![Scope::Key(old_key.clone()), Scope::Key(new_key.as_str().into())];
        let _claim = self.claims.claim(Mode::Exclusive, scopes).await;
        if node.key() != old_key || node.is_unlinked() {
            return Err(ErrorKind::NotFound.into());
        }
        let replaced = self.target_node(&wanted).await?;
        if replaced.as_ref().is_some_and(|replaced| replaced.id() == node.id()) {
            return Ok(());
        }
        if replaced.as_ref().is_some_and(|replaced| replaced.is_directory()) {
            return Err(ErrorKind::IsDirectory.into());
        }
        self.unlocked_object(self.stored_object(node)).await?;
        let parting = match &replaced {
            Some(replaced) => Some(self.prepare_parting(replaced).await?),
            None => None,
        };
        let in_the_way = parting.as_ref().and_then(|parting| parting.stored.clone());
        match self.give_name(&wanted, &new_key, in_the_way).await {
            Ok(now) => {
                if let Some(parting) = parting {
                    self.part(parting).await;
                }
                self.show_move(&wanted, now)
            }
            Err(error) => {
                if let Some(parting) = parting {
                    self.stay(parting).await;
                }
                // Whatever became of it: the next look asks the store.
                self.namespace.doubt(&wanted.new_parent, Some(text_of(wanted.new_name)?));
                Err(error)
            }
        }
    }

    /// Returns what the store has under the new name; `None` if it has nothing of the file yet.
    async fn give_name(
        &self,
        wanted: &Move<'_>,
        new_key: &str,
        in_the_way: Option<ObjectRef>,
    ) -> Result<Option<ObjectRef>> {
        if let Some(staged) = self.unstored(&wanted.node) {
            match staged.retarget(new_key, expected_at_target(in_the_way.as_ref(), wanted.target)) {
                Ok(()) => return Ok(None),
                // Stored in this very moment.
                Err(error) if error.kind() == write::ErrorKind::Retired => {}
                Err(error) => return Err(error.into()),
            }
        }
        let condition = match wanted.target {
            Target::MustBeAbsent => WriteCondition::Absent,
            Target::Replace => WriteCondition::None,
        };
        self.move_object(wanted, new_key, condition, in_the_way.as_ref()).await.map(Some)
    }

    fn show_move(&self, wanted: &Move<'_>, now: Option<ObjectRef>) -> Result<()> {
        let standing = if now.is_some() { Standing::Stored } else { Standing::Local };
        self.namespace.renamed(&wanted.node, &wanted.new_parent, text_of(wanted.new_name)?, standing);
        if let Some(object) = now {
            self.namespace.updated(&wanted.node, object, None);
        }
        Ok(())
    }

    /// What has the new name now. A target that must be absent is asked for afresh.
    async fn target_node(&self, wanted: &Move<'_>) -> Result<Option<Arc<Node>>> {
        let name = text_of(wanted.new_name)?;
        if wanted.target == Target::Replace {
            return self.child(&wanted.new_parent, name).await;
        }
        match self.namespace.lookup(&wanted.new_parent, name).await? {
            Some(_) => Err(ErrorKind::Exists.into()),
            None => Ok(None),
        }
    }

    /// The staged file of a node that the store has nothing of.
    pub(in crate::fs) fn unstored(&self, node: &Node) -> Option<Arc<StagedFile>> {
        self.files.get(node.id())?.staged().filter(|staged| staged.base().is_none())
    }

    /// A file with metadata of its own needs the flag in the directory it moves to.
    pub(super) async fn keep_metadata_visible(&self, wanted: &Move<'_>) -> Result<()> {
        let attributes = wanted.node.attributes();
        let defaults = (self.options.uid, self.options.gid, self.options.file_mode);
        let unusual = (attributes.uid, attributes.gid, attributes.perm) != defaults;
        if wanted.parent.id() == wanted.new_parent.id() {
            return Ok(());
        }
        if unusual || self.namespace.has_flag(&wanted.parent).await? {
            self.flag_directory(&wanted.new_parent).await?;
        }
        Ok(())
    }

    /// A copy on the server of exactly this version, with all it has beside its bytes unless `replace` says else.
    pub(in crate::fs) async fn copy_object(
        &self,
        object: &ObjectRef,
        key: &str,
        condition: WriteCondition,
        replace: Option<NewObject>,
    ) -> Result<ObjectRef> {
        let must_be_absent = condition == WriteCondition::Absent;
        let request = CopyRequest {
            source_bucket: self.bucket.clone(),
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            condition,
            replace,
            ..CopyRequest::default()
        };
        let copied = transfer::copy_object(&self.client, &Tuning::default(), object, &request).await;
        self.forget_seen(key);
        let copied = match copied {
            Ok(copied) => copied,
            Err(error) if error.kind() == s3::ErrorKind::PreconditionFailed && must_be_absent => {
                return Err(Error::new(ErrorKind::Exists, format!("{key:?} was made by another writer")));
            }
            Err(error) => return Err(self.refusal(key, error).await),
        };
        Ok(ObjectRef {
            key: key.into(),
            etag: copied.etag.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the store sent no ETag"))?,
            last_modified: copied.last_modified.unwrap_or_else(|| self.clock.wall()),
            version: copied.version,
            size: object.size,
        })
    }
}

/// What the upload of a file that was never stored is to find at its new name.
fn expected_at_target(in_the_way: Option<&ObjectRef>, target: Target) -> Expected {
    match (in_the_way, target) {
        (_, Target::MustBeAbsent) => Expected::Absent,
        (Some(object), Target::Replace) => Expected::Object(object.etag.clone()),
        (None, Target::Replace) => Expected::Anything,
    }
}

fn target_of(flags: RenameFlags) -> Result<Target> {
    match flags.0 {
        0 => Ok(Target::Replace),
        libc::RENAME_NOREPLACE => Ok(Target::MustBeAbsent),
        _ => Err(Error::new(ErrorKind::Invalid, "two names cannot be exchanged, nor whiteouts made")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_honoured_or_refused() {
        assert_eq!(target_of(RenameFlags(0)).ok(), Some(Target::Replace));
        assert_eq!(target_of(RenameFlags(libc::RENAME_NOREPLACE)).ok(), Some(Target::MustBeAbsent));
        for flags in
            [libc::RENAME_EXCHANGE, libc::RENAME_WHITEOUT, libc::RENAME_NOREPLACE | libc::RENAME_EXCHANGE]
        {
            let error = target_of(RenameFlags(flags)).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
