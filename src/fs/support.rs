//! What many operations begin or end with: nodes, names and keys, attributes as the kernel wants them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::content::{Content, Held};
use super::{Access, Attr, AttrReply, EntryReply, Error, ErrorKind, FileKind, FileSystem, NodeId, Result};
use crate::namespace::{Known, Node, name};
use crate::s3::ObjectRef;
use crate::write;

impl FileSystem {
    pub(super) fn node(&self, id: NodeId) -> Result<Arc<Node>> {
        self.namespace.node(id).ok_or_else(|| ErrorKind::Stale.into())
    }

    pub(super) fn directory(&self, id: NodeId) -> Result<Arc<Node>> {
        let node = self.node(id)?;
        if node.is_directory() { Ok(node) } else { Err(ErrorKind::NotDirectory.into()) }
    }

    /// A node with bytes of its own.
    pub(super) fn regular(&self, id: NodeId) -> Result<Arc<Node>> {
        let node = self.node(id)?;
        match node.kind() {
            FileKind::Directory => Err(ErrorKind::IsDirectory.into()),
            FileKind::File => Ok(node),
            _ => Err(ErrorKind::Invalid.into()),
        }
    }

    /// The write engine; `ReadOnly` where there is none.
    pub(super) fn writer(&self) -> Result<&Arc<write::Engine>> {
        self.write.as_ref().ok_or_else(|| ErrorKind::ReadOnly.into())
    }

    pub(super) fn refuse_read_only(&self) -> Result<()> {
        match self.options.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(ErrorKind::ReadOnly.into()),
        }
    }

    /// Is the name there? From memory, else by asking.
    pub(super) async fn child(&self, parent: &Arc<Node>, name: &str) -> Result<Option<Arc<Node>>> {
        match self.namespace.known(parent, name) {
            Known::Present(node, _) => Ok(Some(node)),
            Known::Absent(_) => Ok(None),
            Known::Unknown => Ok(self.namespace.lookup(parent, name).await?),
        }
    }

    pub(super) async fn existing(&self, parent: &Arc<Node>, name: &str) -> Result<Arc<Node>> {
        self.child(parent, name).await?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The key of a file that is to be made: what is reserved or too long is refused before anything is sent.
    pub(super) fn key_of_new(&self, parent: &Arc<Node>, name: &OsStr) -> Result<String> {
        let name = text_of(name)?;
        self.namespace.admits(parent, name, FileKind::File)?;
        Ok(name::file_key(&parent.key(), name))
    }

    /// The same of a directory: the key of its marker.
    pub(super) fn key_of_new_directory(&self, parent: &Arc<Node>, name: &OsStr) -> Result<String> {
        let name = text_of(name)?;
        self.namespace.admits(parent, name, FileKind::Directory)?;
        Ok(name::directory_key(&parent.key(), name))
    }

    /// Holds the file's entry for the time of an operation.
    pub(super) fn hold(&self, node: &Arc<Node>) -> Result<Held> {
        let object = node.object();
        if object.is_none() && self.files.get(node.id()).is_none() {
            return Err(Error::new(ErrorKind::Stale, "the file has no content"));
        }
        Ok(self.files.hold(node, || match object {
            Some(object) => Content::Clean(object),
            None => Content::Kept(bytes::Bytes::new()),
        }))
    }

    /// The version that the store has of a node, as this mount sees it.
    pub(super) fn stored_object(&self, node: &Node) -> Option<ObjectRef> {
        match self.files.get(node.id()).map(|file| file.content()) {
            Some(Content::Clean(object)) => Some(object),
            Some(Content::Staged(staged)) => staged.base(),
            Some(Content::Kept(_)) => None,
            None => node.object(),
        }
    }

    pub(super) fn attr(&self, node: &Node) -> Attr {
        let mut known = node.attributes();
        if let Some(file) = self.files.get(node.id()) {
            known.size = file.content().size();
            if let Some(mtime) = file.with(|state| state.mtime) {
                known.mtime = mtime;
                known.ctime = known.ctime.max(mtime);
            }
        }
        Attr {
            ino: node.id(),
            size: known.size,
            blocks: known.size.div_ceil(512),
            atime: known.atime,
            mtime: known.mtime,
            ctime: known.ctime,
            kind: known.kind,
            perm: known.perm,
            nlink: u32::from(!node.is_unlinked()),
            uid: known.uid,
            gid: known.gid,
            rdev: known.rdev,
        }
    }

    pub(super) fn attr_reply(&self, node: &Node) -> AttrReply {
        AttrReply { attr: self.attr(node), ttl: self.namespace.fresh_for(node) }
    }

    /// Answers with the node and counts the kernel's new reference.
    pub(super) fn entry(&self, node: &Arc<Node>) -> EntryReply {
        self.namespace.retain(node);
        self.entry_unretained(node)
    }

    pub(super) fn entry_unretained(&self, node: &Arc<Node>) -> EntryReply {
        let AttrReply { attr, ttl } = self.attr_reply(node);
        EntryReply { node: node.id(), generation: node.generation(), attr, attr_ttl: ttl, entry_ttl: ttl }
    }

    /// The object at `key` was changed or removed here: what was seen of it no longer holds.
    pub(super) fn forget_seen(&self, key: &str) {
        self.memory.forget(key);
        self.ahead.forget(key);
    }
}

/// A name as keys can hold it.
pub(super) fn text_of(name: &OsStr) -> Result<&str> {
    Ok(name::parse(name.as_bytes())?)
}
