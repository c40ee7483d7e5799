//! What the last mount left: changed files whose upload goes on, shown under their names from the first moment.

use std::sync::Arc;

use super::content::Content;
use super::{FileKind, FileSystem, Result, posix};
use crate::namespace::attributes::Posix;
use crate::namespace::{Attributes, Known, NewNode, Node, Standing};
use crate::write::StagedFile;

impl FileSystem {
    pub(super) async fn show_recovered(&self, files: Vec<Arc<StagedFile>>) -> Result<()> {
        for staged in files {
            if let Err(error) = self.show(&staged).await {
                tracing::warn!(key = %staged.key().escape_debug(), "left by the last mount, not shown: {error}");
            }
        }
        Ok(())
    }

    async fn show(&self, staged: &Arc<StagedFile>) -> Result<()> {
        let key = staged.key();
        let path = key.strip_prefix(&*self.prefix).unwrap_or(&key);
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut parent = self.namespace.root();
        for directory in directories.split('/').filter(|directory| !directory.is_empty()) {
            parent = self.recovered_directory(&parent, directory).await;
        }
        let new = NewNode { attributes: self.recovered_attributes(staged), object: staged.base() };
        let node = self.namespace.inserted(&parent, name, new, Standing::Local);
        drop(self.files.hold(&node, || Content::Staged(staged.clone())));
        Ok(())
    }

    /// What the store does not know, or cannot say just now, was made by this mount.
    async fn recovered_directory(&self, parent: &Arc<Node>, name: &str) -> Arc<Node> {
        if let Known::Present(node, _) = self.namespace.known(parent, name) {
            return node;
        }
        match self.namespace.lookup(parent, name).await {
            Ok(Some(node)) if node.is_directory() => node,
            _ => {
                let attributes = self.default_attributes(FileKind::Directory, self.options.dir_mode);
                let new = NewNode { attributes, object: None };
                self.namespace.inserted(parent, name, new, Standing::Local)
            }
        }
    }

    fn recovered_attributes(&self, staged: &StagedFile) -> Attributes {
        let defaults = self.default_attributes(FileKind::File, self.options.file_mode);
        let stored = Posix::decode(&staged.object().metadata, &staged.key());
        Attributes {
            perm: stored.perm.unwrap_or(defaults.perm),
            uid: stored.uid.unwrap_or(defaults.uid),
            gid: stored.gid.unwrap_or(defaults.gid),
            mtime: stored.mtime.unwrap_or(defaults.mtime),
            size: staged.size(),
            ..defaults
        }
    }

    fn default_attributes(&self, kind: FileKind, mode: u16) -> Attributes {
        let owner = super::Caller { uid: self.options.uid, gid: self.options.gid, pid: 0, umask: 0 };
        posix::attributes_of_new(kind, mode.into(), 0, owner, self.clock.wall())
    }
}
