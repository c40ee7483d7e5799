//! stat, chmod, chown, utimens, truncate, statfs.
//!
//! A change of metadata joins what is waiting to be stored anyway; on an object that is stored already it is a copy
//! onto itself, which a locked object does not allow.

use std::sync::Arc;

use crate::fs::content::{Content, File, Held};
use crate::fs::{
    AttrReply, Error, ErrorKind, FileKind, FileSystem, HandleId, NodeId, PosixMetadata, Result, SetAttr,
    StatFs, posix,
};
use crate::namespace::attributes::Posix;
use crate::namespace::{Attributes, Node, Validation, name};
use crate::s3::ops::{NewObject, PutObject, WriteCondition};
use crate::s3::{self, ObjectRef};
use crate::write::{self, StagedFile};

/// What the flag object holds: "entries of this directory have POSIX metadata".
const FLAG_BODY: &str = "{\"holdfs\":1}";

impl FileSystem {
    pub fn getattr_now(&self, node: NodeId, _handle: Option<HandleId>) -> Option<Result<AttrReply>> {
        let node = match self.node(node) {
            Ok(node) => node,
            Err(error) => return Some(Err(error)),
        };
        self.needs_no_question(&node).then(|| Ok(self.attr_reply(&node)))
    }

    fn needs_no_question(&self, node: &Node) -> bool {
        let is_held = node.pins() > 0 || node.is_unlinked() || self.files.get(node.id()).is_some();
        is_held || !self.namespace.fresh_for(node).is_zero()
    }

    pub async fn getattr(&self, node: NodeId, _handle: Option<HandleId>) -> Result<AttrReply> {
        let node = self.node(node)?;
        if !self.needs_no_question(&node) {
            match self.namespace.revalidate(&node).await? {
                Validation::Same => {}
                Validation::Changed(object, headers) => self.namespace.updated(&node, object, Some(&headers)),
                Validation::Gone => return Err(self.name_lost(&node)),
            }
        }
        Ok(self.attr_reply(&node))
    }

    pub async fn setattr(
        &self,
        node: NodeId,
        _handle: Option<HandleId>,
        changes: SetAttr,
    ) -> Result<AttrReply> {
        self.refuse_read_only()?;
        let node = self.node(node)?;
        if let Some(size) = changes.size {
            self.truncate(&self.regular(node.id())?, size).await?;
        }
        self.change_attributes(&node, &changes).await?;
        Ok(self.attr_reply(&node))
    }

    /// By path and by descriptor: a file that nobody is writing is stored at once, else the writer's close does it.
    async fn truncate(&self, node: &Arc<Node>, size: u64) -> Result<()> {
        let file = {
            let _claim = self.claims.key(node.key()).await;
            let file = self.hold(node)?;
            self.edit(&file, |staged| staged.set_len(size)).await?;
            file
        };
        self.publish_unless_written(&file).await
    }

    async fn publish_unless_written(&self, file: &Held) -> Result<()> {
        if file.with(|state| state.writers > 0) { Ok(()) } else { self.publish(file).await }
    }

    async fn change_attributes(&self, node: &Arc<Node>, changes: &SetAttr) -> Result<()> {
        let before = self.attributes_of(node);
        let after = posix::changed(before, changes, self.clock.wall());
        if after == before {
            return Ok(());
        }
        if node.is_unlinked() {
            self.namespace.set_attributes(node, &after);
            return Ok(());
        }
        let claim = self.claims.key(node.key()).await;
        let stored = self.stored_posix(node).await?;
        let wanted = posix::merged(stored.clone(), &before, &after, changes);
        if wanted != stored {
            self.store_posix(node, &wanted).await?;
        }
        drop(claim);
        if let Some(file) = self.files.get(node.id()) {
            file.with(|state| state.mtime = state.mtime.map(|_| after.mtime));
        }
        self.namespace.set_attributes(node, &after);
        Ok(())
    }

    fn attributes_of(&self, node: &Node) -> Attributes {
        let shown = self.attr(node);
        Attributes { size: shown.size, mtime: shown.mtime, ctime: shown.ctime, ..node.attributes() }
    }

    async fn stored_posix(&self, node: &Arc<Node>) -> Result<Posix> {
        let key = node.key();
        if let Some(staged) = self.files.get(node.id()).and_then(|file| file.staged()) {
            return Ok(Posix::decode(&staged.object().metadata, &key));
        }
        match self.metadata_object(node) {
            Some(key) => match self.memory.look(&key).await {
                Ok(seen) => Ok(Posix::decode(&seen.headers.metadata, &node.key())),
                Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => Ok(Posix::default()),
                Err(error) => Err(error.into()),
            },
            None => Ok(Posix::default()),
        }
    }

    /// The key whose metadata is the node's: of the root, that of its flag object.
    pub(in crate::fs) fn metadata_object(&self, node: &Node) -> Option<Arc<str>> {
        match node.id() {
            NodeId::ROOT => Some(format!("{}{}", node.key(), name::FLAG).into()),
            _ if node.is_directory() => Some(node.key()),
            _ => self.stored_object(node).map(|object| object.key),
        }
    }

    async fn store_posix(&self, node: &Arc<Node>, wanted: &Posix) -> Result<()> {
        if self.options.posix_metadata == PosixMetadata::Off {
            return refuse_unless_only_times(wanted);
        }
        if !self.is_pending(self.files.get(node.id()).as_ref()) {
            self.unlocked_object(self.stored_object(node)).await?;
        }
        if let Some(parent) = node.parent() {
            self.flag_directory(&parent).await?;
        }
        self.change_object(node, |object| {
            wanted.encode_into(&mut object.metadata);
            Ok(())
        })
        .await
    }

    /// Changes what the node's object is given beside its bytes. The caller has claimed the key.
    pub(in crate::fs) async fn change_object(
        &self,
        node: &Arc<Node>,
        change: impl Fn(&mut NewObject) -> Result<()>,
    ) -> Result<()> {
        if let Some(file) = self.files.get(node.id())
            && let Some(staged) = file.staged()
            && change_staged(&staged, &change)? == Joined::Upload
        {
            return if file.with(|state| state.writers > 0) {
                Ok(())
            } else {
                self.publish_claimed(&file).await
            };
        }
        if node.is_directory() {
            return self.change_directory_object(node, change).await;
        }
        let object = self.unlocked_object(self.stored_object(node)).await?;
        let object = object.ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        self.copy_onto_itself(node, &object, change).await
    }

    async fn copy_onto_itself(
        &self,
        node: &Arc<Node>,
        object: &ObjectRef,
        change: impl Fn(&mut NewObject) -> Result<()>,
    ) -> Result<()> {
        let seen = self.memory.look(&object.key).await?;
        let mut replace = crate::xattr::view::object_of(&seen.headers);
        change(&mut replace)?;
        let copied = self.copy_object(&seen.object, &object.key, WriteCondition::None, Some(replace)).await?;
        if let Some(file) = self.files.get(node.id()) {
            self.follow_copy(&file, object, &copied);
        }
        // The bytes are the same, and so is their age.
        let attributes = node.attributes();
        self.namespace.updated(node, copied, None);
        self.namespace.set_attributes(node, &Attributes { ctime: self.clock.wall(), ..attributes });
        Ok(())
    }

    /// A directory's metadata is on its marker; the root's on its flag object.
    async fn change_directory_object(
        &self,
        node: &Arc<Node>,
        change: impl Fn(&mut NewObject) -> Result<()>,
    ) -> Result<()> {
        let is_root = node.id() == NodeId::ROOT;
        let key: Arc<str> = if is_root { format!("{}{}", node.key(), name::FLAG).into() } else { node.key() };
        let seen = match self.memory.look(&key).await {
            Ok(seen) => Some(seen),
            Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => None,
            Err(error) => return Err(error.into()),
        };
        let mut object = match &seen {
            Some(seen) => {
                self.guard.judge(&key, seen.headers.lock, self.clock.wall())?;
                self.carried(seen).await?
            }
            None => NewObject::default(),
        };
        change(&mut object)?;
        match seen.filter(|seen| seen.object.size > 0) {
            // A marker of another's making may have bytes: they stay.
            Some(seen) => {
                self.copy_object(&seen.object, &key, WriteCondition::None, Some(object)).await?;
            }
            None if is_root => {
                let put = PutObject { object, ..PutObject::new(&self.bucket, &*key, FLAG_BODY) };
                self.put_small(put).await?;
            }
            None => {
                self.put_marker(node, object).await?;
            }
        }
        Ok(())
    }

    /// Says that entries of this directory have POSIX metadata, so that listings look for it.
    pub(in crate::fs) async fn flag_directory(&self, directory: &Arc<Node>) -> Result<()> {
        if self.options.posix_metadata != PosixMetadata::Own || self.namespace.has_flag(directory).await? {
            return Ok(());
        }
        let flag = format!("{}{}", directory.key(), name::FLAG);
        let put =
            PutObject { condition: WriteCondition::Absent, ..PutObject::new(&self.bucket, flag, FLAG_BODY) };
        match self.put_small(put).await {
            // Whoever's it is, they are all alike.
            Err(error) if !matches!(error.kind(), ErrorKind::Exists | ErrorKind::Stale) => Err(error),
            _ => {
                self.namespace.set_flag(directory, true);
                Ok(())
            }
        }
    }

    /// A bucket has no end; the figures are large enough for every tool and small enough for all of them.
    pub fn statfs(&self) -> StatFs {
        const BLOCK_BYTES: u32 = 4096;
        const BLOCKS: u64 = (1 << 50) / BLOCK_BYTES as u64;
        const FILES: u64 = 1 << 40;
        StatFs {
            blocks: BLOCKS,
            blocks_free: BLOCKS,
            blocks_available: BLOCKS,
            files: FILES,
            files_free: FILES,
            block_size: BLOCK_BYTES,
            name_length_max: name::SEGMENT_BYTES_MAX as u32,
        }
    }

    /// Size as a close would store it, for those who ask by attribute.
    pub(in crate::fs) fn is_pending(&self, file: Option<&Arc<File>>) -> bool {
        file.is_some_and(|file| matches!(file.content(), Content::Staged(_)))
    }

    pub(in crate::fs) fn is_plain_file(node: &Node) -> bool {
        node.kind() == FileKind::File
    }
}

/// What became of a change that was to join an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Joined {
    Upload,
    /// The store has every byte by now: there is no upload to join.
    Nothing,
}

pub(in crate::fs) fn change_staged(
    staged: &StagedFile,
    change: impl Fn(&mut NewObject) -> Result<()>,
) -> Result<Joined> {
    // Tried on a copy first: a change that is refused must leave nothing behind.
    change(&mut staged.object())?;
    let joined = staged.update_object(|object| {
        change(object).ok();
    });
    match joined {
        Ok(()) => Ok(Joined::Upload),
        Err(error) if error.kind() == write::ErrorKind::Retired => Ok(Joined::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Times are remembered by the mount; the rest would be forgotten.
fn refuse_unless_only_times(wanted: &Posix) -> Result<()> {
    match wanted.perm {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "mode and owner cannot be kept: the mount has --posix-metadata off",
        )),
    }
}
