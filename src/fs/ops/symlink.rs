//! Symbolic links, whose target is the body, and special files, which have none.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bytes::Bytes;

use super::directory::exists_if_refused;
use crate::base::ranges::ByteRange;
use crate::fs::support::text_of;
use crate::fs::{
    Caller, EntryReply, Error, ErrorKind, FileKind, FileSystem, NodeId, PosixMetadata, Result, posix,
};
use crate::namespace::{Attributes, NewNode, Node, Standing};
use crate::s3::ops::{NewObject, PutObject, WriteCondition};

/// PATH_MAX without its NUL.
const TARGET_BYTES_MAX: u64 = 4095;
/// A target is that of one object version, so it never changes; this only bounds how long it is kept.
const TARGET_TTL: std::time::Duration = std::time::Duration::from_secs(600);

impl FileSystem {
    pub async fn symlink(
        &self,
        parent: NodeId,
        name: &OsStr,
        target: &OsStr,
        caller: Caller,
    ) -> Result<EntryReply> {
        self.refuse_read_only()?;
        let parent = self.directory(parent)?;
        let target = Bytes::copy_from_slice(target.as_bytes());
        if target.len() as u64 > TARGET_BYTES_MAX {
            return Err(ErrorKind::NameTooLong.into());
        }
        // Links have no permissions of their own.
        let unmasked = Caller { umask: 0, ..caller };
        let mut attributes =
            posix::attributes_of_new(FileKind::Symlink, 0o777, 0, unmasked, self.clock.wall());
        attributes.size = target.len() as u64;
        self.make_described(&parent, name, attributes, target).await
    }

    pub(super) async fn make_special(
        &self,
        parent: &Arc<Node>,
        name: &OsStr,
        kind: FileKind,
        mode: u32,
        rdev: u32,
        caller: Caller,
    ) -> Result<EntryReply> {
        let attributes = posix::attributes_of_new(kind, mode, rdev, caller, self.clock.wall());
        self.make_described(parent, name, attributes, Bytes::new()).await
    }

    /// Something that is what it is by its metadata alone.
    async fn make_described(
        &self,
        parent: &Arc<Node>,
        name: &OsStr,
        attributes: Attributes,
        body: Bytes,
    ) -> Result<EntryReply> {
        if self.options.posix_metadata == PosixMetadata::Off {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "links and special files are kept in metadata, and the mount has --posix-metadata off",
            ));
        }
        let key = self.key_of_new(parent, name)?;
        let _claim = self.claims.key(key.as_str()).await;
        if self.child(parent, text_of(name)?).await?.is_some() {
            return Err(ErrorKind::Exists.into());
        }
        self.flag_directory(parent).await?;
        let mut object = NewObject::default();
        posix::of_new(&attributes, &self.options).encode_into(&mut object.metadata);
        let put = PutObject {
            condition: WriteCondition::Absent,
            object,
            ..PutObject::new(&self.bucket, key, body)
        };
        let stored = self.put_small(put).await.map_err(exists_if_refused)?;
        let new = NewNode { attributes, object: Some(stored) };
        let node = self.namespace.inserted(parent, text_of(name)?, new, Standing::Stored);
        Ok(self.entry(&node))
    }

    pub async fn readlink(&self, node: NodeId) -> Result<Bytes> {
        let node = self.node(node)?;
        if node.kind() != FileKind::Symlink {
            return Err(ErrorKind::Invalid.into());
        }
        let object = node.object().ok_or(ErrorKind::Stale)?;
        if let Some(target) = self.links.get(&object) {
            return Ok(target);
        }
        if object.size > TARGET_BYTES_MAX {
            return Err(Error::new(ErrorKind::Corrupt, "the target of this link is longer than any path"));
        }
        let whole = ByteRange::new(0, object.size);
        let target =
            if whole.is_empty() { Bytes::new() } else { self.read.open(object.clone()).read(whole).await? };
        self.links.insert(object, target.clone(), TARGET_TTL);
        Ok(target)
    }
}
