//! Extended attributes.
//!
//! Labels (tags, hold, retention) take effect at the store before the call returns; a file with pending changes is
//! uploaded first. Everything else is part of the object: it joins a pending upload, or is a copy onto itself. What
//! was never stored has no labels yet, and takes all of its attributes along with its upload.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::attributes::{Joined, change_staged};
use crate::fs::{
    Caller, Error, ErrorKind, FileKind, FileSystem, ListXattr, NodeId, Result, SetXattr, seen::Seen,
};
use crate::namespace::Node;
use crate::s3;
use crate::s3::ops::{GetObject, ListObjectVersions, ListedVersion, NewObject};
use crate::s3::transfer::pages::{self, ListedAny};
use crate::write::State;
use crate::xattr::lock::Governance;
use crate::xattr::store::Target;
use crate::xattr::view::object_of;
use crate::xattr::{self, Change, Effect, Name, VALUE_BYTES_MAX, View};

/// Who asks for the size of the list wants the list next.
const PROBED: Duration = Duration::from_secs(10);

impl FileSystem {
    /// Answers what needs no request: `system.*`, `security.*` and `trusted.*` are never there.
    pub fn getxattr_now(&self, _node: NodeId, name: &OsStr) -> Option<Result<Bytes>> {
        (Name::parse(name.as_bytes()) == Name::Foreign).then(|| Err(ErrorKind::NoAttribute.into()))
    }

    /// The whole value; the adapter compares it with the caller's buffer (ERANGE).
    pub async fn getxattr(&self, node: NodeId, name: &OsStr, caller: Caller) -> Result<Bytes> {
        let node = self.node(node)?;
        let name = Name::parse(name.as_bytes());
        let value = match &name {
            Name::Foreign | Name::Unknown | Name::Sync => None,
            Name::State => Some(state_word(self.state_of(self.files.get(node.id()).as_ref()))),
            Name::LastError => self.last_error(&node),
            Name::Cached => self.cached(&node),
            Name::PresignedUrl(seconds) => self.presigned_url(&node, caller, *seconds).await?,
            Name::Versions => self.versions(&node).await?,
            _ => self
                .described(&node, &name)
                .await?
                .map(|value| String::from_utf8_lossy(&value).into_owned().into()),
        };
        let value = value.ok_or_else(|| Error::from(ErrorKind::NoAttribute))?;
        if value.len() > VALUE_BYTES_MAX {
            let hint = "the value is over 64 KiB: `holdfs object stat` and `holdfs object ls` show all of it";
            return Err(Error::new(ErrorKind::TooBig, hint));
        }
        Ok(value)
    }

    /// A value out of what headers and tags say.
    async fn described(&self, node: &Arc<Node>, name: &Name) -> Result<Option<Bytes>> {
        let described = self.describe(node, needs_tags(name)).await?;
        Ok(described.view().value(name).map(Bytes::from))
    }

    /// What the store said of the node's object, and what it will be given next.
    async fn describe(&self, node: &Arc<Node>, with_tags: bool) -> Result<Described> {
        let staged = self.files.get(node.id()).and_then(|file| file.staged());
        let seen = match self.metadata_object(node) {
            Some(key) => match self.memory.look(&key).await {
                Ok(seen) => Some(seen),
                Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let object = match (staged, &seen) {
            (Some(staged), _) => staged.object(),
            (None, Some(seen)) => self.object_with_labels(seen, with_tags).await?,
            (None, None) => NewObject::default(),
        };
        Ok(Described { seen, object })
    }

    async fn object_with_labels(&self, seen: &Seen, with_tags: bool) -> Result<NewObject> {
        let mut object = object_of(&seen.headers);
        if with_tags && seen.headers.tag_count != Some(0) {
            object.tags = Some((*self.memory.tags(&seen.object).await?).clone());
        }
        Ok(object)
    }

    fn last_error(&self, node: &Node) -> Option<Bytes> {
        let file = self.files.get(node.id());
        let of_upload = file.as_ref().and_then(|file| file.staged()).and_then(|staged| staged.last_error());
        let unreported = file.and_then(|file| file.with(|state| state.unreported.clone()));
        let text =
            of_upload.map(|error| error.to_string()).or_else(|| unreported.map(|error| error.to_string()));
        text.or_else(|| self.files.noted(node.id())).map(Bytes::from)
    }

    fn cached(&self, node: &Node) -> Option<Bytes> {
        let object = self.stored_object(node)?;
        let cached = if self.read.has_whole(&object) { object.size } else { 0 };
        Some(format!("{cached} / {}", object.size).into())
    }

    /// For the owner and root: whoever has it can read the object.
    async fn presigned_url(&self, node: &Node, caller: Caller, seconds: u64) -> Result<Option<Bytes>> {
        if caller.uid != 0 && caller.uid != node.attributes().uid {
            return Err(Error::new(ErrorKind::Forbidden, "only the owner may have a URL that needs no key"));
        }
        let Some(object) = self.stored_object(node) else {
            return Ok(None);
        };
        let get =
            GetObject { bucket: self.bucket.clone(), key: object.key.to_string(), ..GetObject::default() };
        Ok(Some(self.client.presign(&get, Duration::from_secs(seconds)).await?.into()))
    }

    /// One line a version, newest first: time, id, size, ETag, or that it is a marker.
    async fn versions(&self, node: &Node) -> Result<Option<Bytes>> {
        use futures_util::TryStreamExt;
        let key = node.key();
        let list = ListObjectVersions {
            bucket: self.bucket.clone(),
            prefix: key.to_string(),
            ..ListObjectVersions::default()
        };
        let mut listed = std::pin::pin!(pages::versions(&self.client, list));
        let mut lines = String::new();
        while let Some(ListedAny::Version(version)) = listed.try_next().await? {
            // Longer keys with the same beginning come after all of its own.
            if *version.key != *key {
                break;
            }
            lines.push_str(&version_line(&version));
        }
        Ok((!lines.is_empty()).then(|| lines.into()))
    }

    /// Names, each ended by NUL. `Some` when that needs no request.
    pub fn listxattr_now(&self, node: NodeId, call: ListXattr) -> Option<Result<Bytes>> {
        let node = match self.node(node) {
            Ok(node) => node,
            Err(error) => return Some(Err(error)),
        };
        match call {
            ListXattr::SizeProbe => {
                self.probed.insert(node.id(), (), PROBED);
                None
            }
            ListXattr::Buffer(_) if self.probed.get(&node.id()).is_some() => None,
            ListXattr::Buffer(size) => Some(Ok(self.names_known(&node, size))),
        }
    }

    /// For `ls -l`, which only wants to know of ACLs and capabilities: what was seen anyway, if it fits.
    fn names_known(&self, node: &Node, size: usize) -> Bytes {
        let seen = self.metadata_object(node).and_then(|key| self.memory.recall(&key));
        let Some(seen) = seen else {
            return Bytes::new();
        };
        let object = object_of(&seen.headers);
        let names = joined(View { stored: Some(&seen.headers), object: &object }.names());
        if names.len() <= size { names } else { Bytes::new() }
    }

    pub async fn listxattr(&self, node: NodeId, _call: ListXattr, _caller: Caller) -> Result<Bytes> {
        let node = self.node(node)?;
        if !has_attributes(&node) {
            return Ok(Bytes::new());
        }
        let described = self.describe(&node, true).await?;
        let mut names = described.view().names();
        let file = self.files.get(node.id());
        if FileSystem::is_plain_file(&node) {
            names.push(b"user.holdfs.state".to_vec());
        }
        if self.is_pending(file.as_ref()) && self.last_error(&node).is_some() {
            names.push(b"user.holdfs.error".to_vec());
        }
        Ok(joined(names))
    }

    pub async fn setxattr(&self, node: NodeId, name: &OsStr, value: Bytes, flags: SetXattr) -> Result<()> {
        self.refuse_read_only()?;
        let node = self.node(node)?;
        let name = Name::parse(name.as_bytes());
        let change = Change::set(name.clone(), &value, self.clock.wall())?;
        self.check_presence(&node, &name, flags).await?;
        self.make_change(&node, &change).await
    }

    pub async fn removexattr(&self, node: NodeId, name: &OsStr) -> Result<()> {
        self.refuse_read_only()?;
        let node = self.node(node)?;
        let name = Name::parse(name.as_bytes());
        if name == Name::Foreign {
            return Err(ErrorKind::NoAttribute.into());
        }
        let change = Change::remove(name)?;
        self.make_change(&node, &change).await
    }

    async fn check_presence(&self, node: &Arc<Node>, name: &Name, flags: SetXattr) -> Result<()> {
        if flags == SetXattr::CreateOrReplace || *name == Name::Sync {
            return Ok(());
        }
        let present = self.described(node, name).await?.is_some();
        match (flags, present) {
            (SetXattr::Create, true) => Err(ErrorKind::Exists.into()),
            (SetXattr::Replace, false) => Err(ErrorKind::NoAttribute.into()),
            _ => Ok(()),
        }
    }

    async fn make_change(&self, node: &Arc<Node>, change: &Change) -> Result<()> {
        if change.needs_object_lock() && !self.guard.bucket_has_lock() {
            return Err(Error::new(ErrorKind::Unsupported, "the bucket has no object lock"));
        }
        match change.effect() {
            Effect::Upload => self.upload_now(node).await,
            Effect::Rewrite => {
                let _claim = self.claims.key(node.key()).await;
                self.change_object(node, |object| Ok(change.apply(object)?)).await
            }
            Effect::Label => {
                let _claim = self.claims.key(node.key()).await;
                if let Some(staged) = self.unstored(node)
                    && change_staged(&staged, |object| Ok(change.apply(object)?))? == Joined::Upload
                {
                    return Ok(());
                }
                self.label_stored(node, change).await
            }
        }
    }

    async fn upload_now(&self, node: &Arc<Node>) -> Result<()> {
        match self.files.get(node.id()) {
            Some(file) => self.publish(&file).await,
            None => Ok(()),
        }
    }

    async fn label_stored(&self, node: &Arc<Node>, change: &Change) -> Result<()> {
        let file = self.files.get(node.id());
        if let Some(file) = &file {
            self.publish_claimed(file).await?;
        }
        let key = self.metadata_object(node).ok_or(ErrorKind::NotFound)?;
        let seen = self.memory.look(&key).await?;
        let governance =
            if self.options.bypass_governance { Governance::Bypass } else { Governance::Respect };
        let target = Target { client: &self.client, bucket: &self.bucket, object: &seen.object };
        let applied = target.apply(change, seen.headers.lock, governance, self.clock.wall()).await;
        self.forget_seen(&key);
        if let Err(error) = applied {
            return Err(self.refusal(&key, refused_by_store(error)).await);
        }
        if let Some(file) = file {
            // The next version carries along what is there now.
            file.with(|state| state.edit = None);
        }
        Ok(())
    }
}

struct Described {
    seen: Option<Arc<Seen>>,
    object: NewObject,
}

impl Described {
    fn view(&self) -> View<'_> {
        View { stored: self.seen.as_ref().map(|seen| &*seen.headers), object: &self.object }
    }
}

/// Linux lets no one set or list `user.*` on anything else.
fn has_attributes(node: &Node) -> bool {
    matches!(node.kind(), FileKind::File | FileKind::Directory)
}

fn needs_tags(name: &Name) -> bool {
    matches!(name, Name::Tag(_) | Name::Tags)
}

fn joined(names: Vec<Vec<u8>>) -> Bytes {
    let mut list = Vec::new();
    for name in names {
        list.extend_from_slice(&name);
        list.push(0);
    }
    list.into()
}

fn state_word(state: State) -> Bytes {
    match state {
        State::Clean => "clean".into(),
        State::Dirty => "dirty".into(),
        State::Sealed => "sealed".into(),
        State::Uploading { percent } => format!("uploading {percent}%").into(),
        State::Failed => "failed".into(),
    }
}

fn version_line(version: &ListedVersion) -> String {
    let time = crate::base::timestamp::rfc3339(version.last_modified);
    match &version.object {
        Some(object) => format!("{time} {} {} {}\n", version.version.0, object.size, object.etag.0),
        None => format!("{time} {} marker\n", version.version.0),
    }
}

/// A store without the feature says so in several ways.
fn refused_by_store(error: xattr::Error) -> Error {
    match &error {
        xattr::Error::Store(store) if store.kind() == s3::ErrorKind::Invalid => {
            Error::new(ErrorKind::Invalid, error.to_string())
        }
        _ => error.into(),
    }
}
