//! unlink and rmdir.
//!
//! In `remote` durability an unlinked object goes at once, also while it is open. The bytes that handles may still
//! need stay within reach: by version where the bucket keeps one, here if they are few, else as a copy below
//! `.holdfs.d` that the last close deletes.

use std::ffi::OsStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::ranges::ByteRange;
use crate::fs::ahead::SMALL_BYTES_MAX;
use crate::fs::claims::{Mode, Scope};
use crate::fs::content::{Content, File};
use crate::fs::support::text_of;
use crate::fs::{Error, ErrorKind, FileKind, FileSystem, NodeId, Result};
use crate::namespace::{Child, Contents, Node, Standing, name};
use crate::s3::ops::{DeleteObject, ListObjectsV2, NewObject, PutObject, WriteCondition};
use crate::s3::{self, ObjectRef};
use crate::write::{self, Origin, Piece, StagedFile};

/// Bytes that are brought here at a time.
const BASE_STEP_BYTES: u64 = 8 << 20;

impl FileSystem {
    pub async fn unlink(&self, parent: NodeId, name: &OsStr) -> Result<()> {
        self.refuse_read_only()?;
        let (parent, name) = (self.directory(parent)?, text_of(name)?);
        let _claim = self.claims.key(format!("{}{name}", parent.key())).await;
        let node = self.existing(&parent, name).await?;
        if node.kind() == FileKind::Directory {
            return Err(ErrorKind::IsDirectory.into());
        }
        let stored = self.unlocked_object(self.stored_object(&node)).await?;
        if stored.is_some() {
            self.keep_directory(&parent, &node).await?;
        }
        let stored = self.let_go(&node, stored).await?;
        if let Some(object) = stored {
            self.delete_object(&object.key).await?;
        }
        self.namespace.removed(&parent, name, Standing::Stored);
        Ok(())
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

    /// The name goes to nobody or to another: nothing of the node will be written to its key any more, and who has it
    /// open keeps its bytes. What the store still holds at the key is left for the caller.
    pub(in crate::fs) async fn let_go(
        &self,
        node: &Arc<Node>,
        stored: Option<ObjectRef>,
    ) -> Result<Option<ObjectRef>> {
        let Some(file) = self.files.get(node.id()) else {
            return Ok(stored);
        };
        if file.is_open() {
            self.keep_bytes(&file).await?;
        }
        let Some(staged) = file.staged() else {
            return Ok(stored);
        };
        match staged.discard().await {
            // The store caught up in this very moment.
            Err(error) if error.kind() == write::ErrorKind::Retired => {
                Ok(self.stored_object(node).or(stored))
            }
            left => Ok(left?.or(stored)),
        }
    }

    async fn keep_bytes(&self, file: &Arc<File>) -> Result<()> {
        match file.content() {
            Content::Kept(_) => Ok(()),
            Content::Staged(staged) => match self.bring_base_here(&staged).await {
                // The store caught up in this very moment: there is another content to keep.
                Err(_) if file.staged().is_none() => Box::pin(self.keep_bytes(file)).await,
                brought => brought,
            },
            Content::Clean(object) if keeps_its_version(&object) => Ok(()),
            Content::Clean(object) if object.size <= SMALL_BYTES_MAX => {
                let kept = self.read_whole(&object).await?;
                file.with(|state| state.content = Content::Kept(kept));
                Ok(())
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
        file.with(|state| {
            state.content = Content::Clean(copied);
            state.aside = Some((key, intent));
        });
        Ok(())
    }

    /// The last handle of an unlinked file is about to go: so does what was put aside for it.
    pub(in crate::fs) async fn clean_up_unlinked(&self, file: &Arc<File>) {
        let aside = file.with(|state| (state.handles == 1).then(|| state.aside.take()).flatten());
        if let Some((key, intent)) = aside
            && let Err(error) = self.remove_aside(&key, intent).await
        {
            tracing::warn!(key = %key.escape_debug(), "left until the next mount: {error}");
        }
        let done = file.with(|state| state.handles == 1) && file.node.is_unlinked();
        if let (true, Some(staged)) = (done, file.staged()) {
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

    /// The object `dir/`, which says that the directory is there and carries its metadata.
    pub(in crate::fs) async fn put_marker(
        &self,
        directory: &Arc<Node>,
        object: NewObject,
    ) -> Result<ObjectRef> {
        let key = directory.key();
        let marker = self.store_marker(&key, object, WriteCondition::None).await?;
        self.namespace.updated(directory, marker.clone(), None);
        Ok(marker)
    }

    pub(in crate::fs) async fn store_marker(
        &self,
        key: &str,
        mut object: NewObject,
        condition: WriteCondition,
    ) -> Result<ObjectRef> {
        object.content.content_type.get_or_insert_with(|| "application/x-directory".to_owned());
        let put = PutObject { object, condition, ..PutObject::new(&self.bucket, key, Bytes::new()) };
        self.put_small(put).await
    }

    /// Stores a body that is in memory.
    pub(in crate::fs) async fn put_small(&self, put: PutObject) -> Result<ObjectRef> {
        let key: Arc<str> = put.key.as_str().into();
        let size = match &put.body {
            s3::Body::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        };
        let stored = match self.client.send(&put).await {
            Ok(stored) => stored,
            Err(error) => return Err(self.refusal(&key, error).await),
        };
        self.forget_seen(&key);
        Ok(ObjectRef {
            key,
            etag: stored.etag.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the store sent no ETag"))?,
            last_modified: self.clock.wall(),
            version: stored.version,
            size,
        })
    }
}

/// A version that a removal of its key does not take away.
fn keeps_its_version(object: &ObjectRef) -> bool {
    object.version.as_ref().is_some_and(|version| &*version.0 != "null")
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
