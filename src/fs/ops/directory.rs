//! Directories: made and listed; `remove` takes them away.

use std::ffi::OsStr;
use std::sync::Arc;

use crate::fs::claims::{Mode, Scope};
use crate::fs::support::text_of;
use crate::fs::{
    Caller, DirectoryEntry, DirectoryEntryPlus, EntryReply, Error, ErrorKind, FileKind, FileSystem, Fill,
    HandleId, NodeId, Opened, Result, posix,
};
use crate::namespace::{self, Batch, Directory, NewNode, Node};
use crate::s3::ops::{NewObject, WriteCondition};

/// Cookies of `.` and `..`; the namespace's begin after them.
const DOT: u64 = 1;
const DOT_DOT: u64 = 2;

impl FileSystem {
    pub async fn mkdir(&self, parent: NodeId, name: &OsStr, mode: u32, caller: Caller) -> Result<EntryReply> {
        self.refuse_read_only()?;
        let parent = self.directory(parent)?;
        let key = self.key_of_new_directory(&parent, name)?;
        let _claim = self.claims.claim(Mode::Exclusive, vec![Scope::Below(key.as_str().into())]).await;
        if self.child(&parent, text_of(name)?).await?.is_some() {
            return Err(ErrorKind::Exists.into());
        }
        let attributes = posix::attributes_of_new(FileKind::Directory, mode, 0, caller, self.clock.wall());
        let stored = posix::of_new(&attributes, &self.options);
        let mut object = NewObject::default();
        if !stored.is_empty() {
            self.flag_directory(&parent).await?;
            stored.encode_into(&mut object.metadata);
        }
        let marker =
            self.store_marker(&key, object, WriteCondition::Absent).await.map_err(exists_if_refused)?;
        let new = NewNode { attributes, object: Some(marker) };
        let node = self.namespace.made_directory(&parent, text_of(name)?, new);
        Ok(self.entry(&node))
    }

    pub fn opendir(&self, node: NodeId) -> Result<Opened> {
        let directory = self.namespace.open_directory(&self.directory(node)?)?;
        Ok(Opened { handle: self.handles.add_directory(directory), keep_cache: false, direct_io: false })
    }

    pub fn releasedir(&self, handle: HandleId) {
        self.handles.remove_directory(handle);
    }

    /// Entries after `cookie` (0: from the start) until the sink is full or the directory ends.
    pub async fn readdir(
        &self,
        _node: NodeId,
        handle: HandleId,
        cookie: u64,
        sink: &mut (dyn FnMut(&DirectoryEntry<'_>) -> Fill + Send),
    ) -> Result<()> {
        let directory = self.handles.directory(handle)?;
        for (cookie, name, node) in dots_after(&directory, cookie) {
            let entry = DirectoryEntry { ino: node.id(), cookie, kind: FileKind::Directory, name };
            if sink(&entry) == Fill::Full {
                return Ok(());
            }
        }
        self.each_entry(&directory, cookie, |entry| {
            let entry =
                DirectoryEntry { ino: entry.id, cookie: entry.cookie, kind: entry.kind, name: &entry.name };
            sink(&entry)
        })
        .await
    }

    /// The same with attributes. Each entry that the sink takes, `.` and `..` excepted, is one more reference.
    pub async fn readdirplus(
        &self,
        _node: NodeId,
        handle: HandleId,
        cookie: u64,
        sink: &mut (dyn FnMut(&DirectoryEntryPlus<'_>) -> Fill + Send),
    ) -> Result<()> {
        let directory = self.handles.directory(handle)?;
        for (cookie, name, node) in dots_after(&directory, cookie) {
            let entry = DirectoryEntryPlus { cookie, name, entry: self.entry_unretained(&node) };
            if sink(&entry) == Fill::Full {
                return Ok(());
            }
        }
        self.each_entry(&directory, cookie, |entry| {
            // A name that went away since the page was read.
            let Some(node) = directory.materialize(entry) else {
                return Fill::Added;
            };
            let plus = DirectoryEntryPlus {
                cookie: entry.cookie,
                name: &entry.name,
                entry: self.entry_unretained(&node),
            };
            let fill = sink(&plus);
            if fill == Fill::Added {
                self.namespace.retain(&node);
            }
            fill
        })
        .await
    }

    /// One reply asks the store at most once: what it brought is handed out before the next page is asked for.
    async fn each_entry(
        &self,
        directory: &Directory,
        cookie: u64,
        mut visit: impl FnMut(&namespace::DirectoryEntry) -> Fill,
    ) -> Result<()> {
        let mut after = if cookie <= DOT_DOT { 0 } else { cookie };
        let mut batch = match directory.try_entries(after) {
            Some(batch) => batch,
            None => directory.entries(after).await?,
        };
        loop {
            for entry in &batch.entries {
                if visit(entry) == Fill::Full {
                    return Ok(());
                }
                after = entry.cookie;
            }
            batch = match next_in_memory(directory, &batch, after) {
                Some(batch) => batch,
                None => return Ok(()),
            };
        }
    }
}

fn next_in_memory(directory: &Directory, batch: &Batch, after: u64) -> Option<Batch> {
    if batch.end || batch.entries.is_empty() { None } else { directory.try_entries(after) }
}

/// `.` and `..` with their cookies, as far as they come after `cookie`.
fn dots_after(directory: &Directory, cookie: u64) -> impl Iterator<Item = (u64, &'static str, Arc<Node>)> {
    let node = directory.node().clone();
    let parent = node.parent().unwrap_or_else(|| node.clone());
    [(DOT, ".", node), (DOT_DOT, "..", parent)].into_iter().filter(move |(at, ..)| *at > cookie)
}

/// The store's answer to "only if it is absent".
pub(super) fn exists_if_refused(error: Error) -> Error {
    if error.kind() == ErrorKind::Stale { ErrorKind::Exists.into() } else { error }
}
