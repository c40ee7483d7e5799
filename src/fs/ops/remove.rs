//! unlink and rmdir.
//!
//! In `remote` durability an unlinked object goes at once, also while it is open; the bytes that handles may still need
//! stay within reach (see `parting`).

use std::ffi::OsStr;
use std::sync::Arc;

use crate::fs::claims::{Mode, Scope};
use crate::fs::support::text_of;
use crate::fs::{Error, ErrorKind, FileKind, FileSystem, NodeId, Result};
use crate::namespace::{Child, Contents, Node, Standing, name};
use crate::s3::ops::{DeleteObject, ListObjectsV2, NewObject};
use crate::s3::{self, ObjectRef};

impl FileSystem {
    pub async fn unlink(&self, parent: NodeId, name: &OsStr) -> Result<()> {
        self.refuse_read_only()?;
        let (parent, name) = (self.directory(parent)?, text_of(name)?);
        let _claim = self.claims.key(format!("{}{name}", parent.key())).await;
        let node = self.existing(&parent, name).await?;
        if node.kind() == FileKind::Directory {
            return Err(ErrorKind::IsDirectory.into());
        }
        let parting = self.prepare_parting(&node).await?;
        if let Err(error) = self.remove_stored(&parent, &node, parting.stored.as_ref()).await {
            self.stay(parting).await;
            return Err(error);
        }
        self.part(parting).await;
        self.namespace.removed(&parent, name, Standing::Stored);
        Ok(())
    }

    async fn remove_stored(
        &self,
        parent: &Arc<Node>,
        node: &Arc<Node>,
        stored: Option<&ObjectRef>,
    ) -> Result<()> {
        let Some(object) = stored else {
            return Ok(());
        };
        self.keep_directory(parent, node).await?;
        self.delete_object(&object.key).await
    }

    pub async fn rmdir(&self, parent: NodeId, name: &OsStr) -> Result<()> {
        self.refuse_read_only()?;
        let (parent, name) = (self.directory(parent)?, text_of(name)?);
        let key: Arc<str> = format!("{}{name}/", parent.key()).into();
        let _claim = self.claims.claim(Mode::Exclusive, vec![Scope::Below(key.clone())]).await;
        let node = self.existing(&parent, name).await?;
        if !node.is_directory() {
            return Err(ErrorKind::NotDirectory.into());
        }
        let contents = self.empty_contents(&node).await?;
        if contents.marker && self.guard.is_watchful() {
            let lock = self.memory.look(&key).await?.headers.lock;
            self.guard.judge(&key, lock, self.clock.wall())?;
        }
        self.keep_directory(&parent, &node).await?;
        self.remove_directory_objects(&node, &contents).await?;
        self.namespace.removed(&parent, name, Standing::Stored);
        Ok(())
    }

    /// What a directory without children still has at the store; `NotEmpty` if there are some.
    pub(in crate::fs) async fn empty_contents(&self, directory: &Arc<Node>) -> Result<Contents> {
        let contents = self.namespace.contents(directory).await?;
        match &contents.child {
            None => Ok(contents),
            Some(Child::Name(_)) => Err(ErrorKind::NotEmpty.into()),
            Some(Child::Unnameable(key)) => Err(unnameable(key)),
        }
    }

    pub(in crate::fs) async fn remove_directory_objects(
        &self,
        directory: &Node,
        contents: &Contents,
    ) -> Result<()> {
        let key = directory.key();
        if contents.flag {
            self.delete_object(&format!("{key}{}", name::FLAG)).await?;
            self.namespace.set_flag(directory, false);
        }
        if contents.marker {
            self.delete_object(&key).await?;
        }
        Ok(())
    }

    pub(in crate::fs) async fn delete_object(&self, key: &str) -> Result<()> {
        let delete =
            DeleteObject { bucket: self.bucket.clone(), key: key.to_owned(), ..DeleteObject::default() };
        self.forget_seen(key);
        match self.client.send(&delete).await {
            Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => Ok(()),
            Err(error) => Err(self.refusal(key, error).await),
            Ok(_) => Ok(()),
        }
    }

    /// A directory that the mount shows does not vanish with its last entry: if `leaving` is that, a marker is
    /// written first.
    pub(in crate::fs) async fn keep_directory(
        &self,
        directory: &Arc<Node>,
        leaving: &Arc<Node>,
    ) -> Result<()> {
        let has_marker = directory.object().is_some();
        let is_root = directory.id() == NodeId::ROOT;
        if has_marker || is_root || !self.namespace.siblings_after(leaving, 1).is_empty() {
            return Ok(());
        }
        let key = directory.key();
        if self.has_other_keys(&key, &leaving.key()).await? {
            return Ok(());
        }
        self.put_marker(directory, NewObject::default()).await.map(|_| ())
    }

    /// Anything below `directory` that is not `leaving` or below it.
    async fn has_other_keys(&self, directory: &str, leaving: &str) -> Result<bool> {
        let list = ListObjectsV2 {
            bucket: self.bucket.clone(),
            prefix: directory.to_owned(),
            delimiter: Some("/".to_owned()),
            // The marker, the flag, the one that leaves, and another.
            max_keys: Some(4),
            ..ListObjectsV2::default()
        };
        let page = self.client.send(&list).await?;
        let flag = format!("{directory}{}", name::FLAG);
        let objects = page.objects.iter().map(|object| object.key.as_str());
        let others = objects.chain(page.common_prefixes.iter().map(String::as_str));
        Ok(others.into_iter().any(|key| key != leaving && key != flag))
    }
}

pub(in crate::fs) fn unnameable(key: &str) -> Error {
    Error::new(
        ErrorKind::NotEmpty,
        format!(
            "the directory holds {key:?}, which no path can name: look at it with `holdfs object ls`, and move or \
             remove it with `holdfs object mv` or `holdfs object rm`"
        ),
    )
}
