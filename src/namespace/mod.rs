//! Names and inodes; knows nothing of handles, uploads or memory.
//!
//! * [`name`]: pure rules: key ↔ path, what can be a name and what is reserved.
//! * [`attributes`]: pure: what user metadata says of mode, owner, times, links and devices.
//! * `entry`: what the store said of one name · `inode`: the node table: ids, lookup counts, pins, moves.
//! * `overlay`: what this mount changed and the store may not show yet · `tree`: both, and the weighing of what
//!   the store says against them, under one lock.
//! * `lookup` and `listing`: what the store says of one name, and of a directory, page by page.
//! * [`catalog`]: the few questions both ask; the live bucket answers them, later a moment of the past too.
//!
//! Invariants: a plain `fn` answers from memory, only an `async fn` asks the store. A name is absent only on the
//! store's word. A reply to a question that was asked before a local change of that name never overrides it.

pub mod attributes;
pub mod catalog;
mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod inode;
mod listing;
mod lookup;
pub mod name;
mod overlay;
mod report;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::attributes::Defaults;
use self::entry::{Entry, Version};
use self::listing::{Fetched, VersionKey, Walks};
use self::lookup::Flight;
use self::report::HiddenKeys;
use self::tree::Tree;
use crate::base::clock::Clock;
use crate::base::single_flight::SingleFlight;
use crate::base::tasks::Tasks;
use crate::base::ttl::TtlMap;
use crate::s3::ops::ObjectHeaders;
use crate::s3::{self, Client, ErrorKind, ObjectRef};

pub use attributes::{Attributes, FileKind, Posix};
pub use catalog::Catalog;
pub use inode::{Node, NodeId};
pub use listing::{Batch, Directory, DirectoryEntry, KeysBelow};
pub use report::{HiddenIn, Report};

/// Directories of which it is remembered whether they carry the flag object.
const FLAGS_MAX: usize = 16_384;
/// At least as long as one answer needs it.
const FLAG_TTL_MIN: Duration = Duration::from_secs(1);
/// Object versions whose user metadata is remembered.
const METADATA_MAX: usize = 65_536;

/// Whether POSIX metadata is kept in, and read from, user metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PosixMetadata {
    /// In directories that carry the flag object `.holdfs`.
    #[default]
    Own,
    /// For every object: a bucket that s3fs or rclone wrote.
    Full,
    /// Neither written nor read.
    Off,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// How old attributes and listings may be; `Duration::MAX` is for ever, zero is strict.
    pub ttl: Duration,
    pub uid: u32,
    pub gid: u32,
    /// Permission bits of files and directories without metadata of their own.
    pub file_mode: u16,
    pub dir_mode: u16,
    pub posix: PosixMetadata,
    /// Names at the root that stand for something else, and so hide keys of that name.
    pub virtual_names: Vec<String>,
    /// Keys asked for per page of a listing.
    pub page_keys: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(5),
            uid: 0,
            gid: 0,
            file_mode: 0o644,
            dir_mode: 0o755,
            posix: PosixMetadata::Own,
            virtual_names: vec![".versions".to_owned(), ".snapshots".to_owned()],
            page_keys: 1000,
        }
    }
}

/// Why a question about names has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Name(#[from] name::Error),
    #[error(transparent)]
    Store(#[from] s3::Error),
    /// The node is not (or no longer) a directory.
    #[error("not a directory")]
    NotDirectory,
    /// The node has lost its name, so nothing can be asked about it by name.
    #[error("the name was removed")]
    Unlinked,
}

pub type Result<T> = std::result::Result<T, Error>;

/// What memory knows of a name, and for how much longer.
#[derive(Clone, Debug)]
pub enum Known {
    Present(Arc<Node>, Duration),
    Absent(Duration),
    Unknown,
}

/// What a fresh look at the store says of a node that is known.
#[derive(Clone, Debug)]
pub enum Validation {
    Same,
    /// Another object is at this key now. The node was not changed: either [`Namespace::updated`] moves it along,
    /// or [`Namespace::superseded`] gives the name to a new node while handles hold the old one.
    Changed(ObjectRef, Box<ObjectHeaders>),
    Gone,
}

/// Does the store know of a local change yet?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Only this mount knows; it holds until [`Namespace::settled`].
    Local,
    /// The store has acknowledged it.
    Stored,
}

/// A name that this mount makes.
#[derive(Clone, Debug)]
pub struct NewNode {
    pub attributes: Attributes,
    /// The object (of a directory: its marker), once there is one.
    pub object: Option<ObjectRef>,
}

/// What is in a directory besides itself, by a listing made for the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The marker object `dir/` exists.
    pub marker: bool,
    /// The flag object `dir/.holdfs` exists.
    pub flag: bool,
    /// The first thing found that makes the directory not empty.
    pub child: Option<Child>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    Name(String),
    /// A whole key that no path can name.
    Unnameable(String),
}

/// The façade: one per mount.
pub struct Namespace {
    catalog: Arc<dyn Catalog>,
    options: Options,
    tasks: Tasks,
    /// Shared with the pins, which outlive no mount but may be dropped anywhere.
    tree: Arc<Mutex<Tree>>,
    flights: SingleFlight<(NodeId, Box<str>), Flight>,
    first_pages: SingleFlight<NodeId, Result<Fetched>>,
    walks: Walks,
    flags: TtlMap<NodeId, bool>,
    /// `None` for an object without POSIX metadata.
    metadata: TtlMap<VersionKey, Option<Box<Posix>>>,
    hidden: HiddenKeys,
}

impl Namespace {
    /// `prefix` is empty or ends with a slash.
    pub fn new(
        client: Client,
        bucket: &str,
        prefix: &str,
        options: Options,
        clock: Clock,
        tasks: Tasks,
    ) -> Arc<Self> {
        let catalog = Arc::new(catalog::Live::new(client, bucket));
        Self::over(catalog, bucket, prefix, options, clock, tasks)
    }

    /// The same over any catalog.
    pub fn over(
        catalog: Arc<dyn Catalog>,
        bucket: &str,
        prefix: &str,
        options: Options,
        clock: Clock,
        tasks: Tasks,
    ) -> Arc<Self> {
        let Options { uid, gid, file_mode, dir_mode, .. } = options;
        let defaults = Defaults { uid, gid, file_mode, dir_mode };
        let tree = Tree::new(bucket, prefix, defaults, options.ttl, clock.clone());
        Arc::new(Self {
            catalog,
            tree: Arc::new(Mutex::new(tree)),
            flights: SingleFlight::new(tasks.clone()),
            first_pages: SingleFlight::new(tasks.clone()),
            walks: Walks::new(clock.clone()),
            flags: TtlMap::new(FLAGS_MAX, clock.clone()),
            metadata: TtlMap::new(METADATA_MAX, clock),
            hidden: HiddenKeys::default(),
            options,
            tasks,
        })
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    pub fn root(&self) -> Arc<Node> {
        self.tree.lock().table.root().clone()
    }

    /// A living node.
    pub fn node(&self, id: NodeId) -> Option<Arc<Node>> {
        self.tree.lock().table.get(id).cloned()
    }

    /// The living node whose key this is (with its last slash, for a directory), if its path is known.
    pub fn node_at(&self, key: &str) -> Option<Arc<Node>> {
        let tree = self.tree.lock();
        let path = key.strip_prefix(&*tree.table.root().key())?;
        tree.table.walk(path).cloned()
    }

    /// May this mount make something of this name there? (What is reserved can be neither made nor seen.)
    pub fn admits(&self, parent: &Arc<Node>, name: &str, kind: FileKind) -> Result<()> {
        name::nameable(name)?;
        if self.standing(parent, name) != name::Standing::Free {
            return Err(name::Error::Reserved.into());
        }
        let key = match kind {
            FileKind::Directory => name::directory_key(&parent.key(), name),
            _ => name::file_key(&parent.key(), name),
        };
        Ok(name::check_key(&key)?)
    }

    /// What memory knows of a name. A name that cannot be one, or is reserved, is `Absent` for ever.
    pub fn known(&self, parent: &Arc<Node>, name: &str) -> Known {
        if name::nameable(name).is_err() || self.standing(parent, name) != name::Standing::Free {
            return Known::Absent(Duration::MAX);
        }
        self.tree.lock().known(parent, name)
    }

    /// Asks the store whether the node's object is still the one we know; `Same` renews its time to live.
    pub async fn revalidate(&self, node: &Arc<Node>) -> Result<Validation> {
        if node.is_edited() {
            return Ok(Validation::Same);
        }
        match (node.parent(), node.name()) {
            (Some(parent), Some(name)) if node.is_directory() => {
                let found = self.lookup(&parent, &name).await?;
                let same = found.is_some_and(|found| Arc::ptr_eq(&found, node));
                Ok(if same { Validation::Same } else { Validation::Gone })
            }
            (Some(parent), Some(name)) => self.revalidate_file(node, &parent, &name).await,
            _ if node.is_unlinked() => Err(Error::Unlinked),
            _ => self.revalidate_root(node).await,
        }
    }

    async fn revalidate_file(&self, node: &Arc<Node>, parent: &Arc<Node>, name: &str) -> Result<Validation> {
        let asked = self.tree.lock().ask();
        let key = node.key();
        let headers = match self.catalog.head(&key).await {
            Ok(headers) => headers,
            Err(error) if error.kind() == ErrorKind::NoSuchKey => return Ok(self.missing(node, &asked)),
            Err(error) => return Err(error.into()),
        };
        let entry = self.file_entry(parent, name.into(), &headers).await?;
        let mut tree = self.tree.lock();
        if tree.is_overtaken(node, &entry, &asked) {
            return Ok(Validation::Same);
        }
        let same_kind = entry.kind == node.kind();
        let same_bytes =
            node.version().zip(entry.version.as_ref()).is_some_and(|(ours, said)| ours.same_bytes(said));
        if same_kind && same_bytes {
            tree.refresh(node, &entry, &asked);
            return Ok(Validation::Same);
        }
        Ok(match entry.version {
            Some(version) => Validation::Changed(version.object(key), Box::new(headers)),
            None => Validation::Gone,
        })
    }

    /// 404 for the key of a file: it is gone, but only a lookup can say what the name is now.
    fn missing(&self, node: &Arc<Node>, asked: &tree::Asked) -> Validation {
        let tree = self.tree.lock();
        if tree.is_missed_rightly(node, asked) {
            node.doubt();
            return Validation::Gone;
        }
        Validation::Same
    }

    /// The root is always there; what it shows is on its flag object.
    async fn revalidate_root(&self, root: &Arc<Node>) -> Result<Validation> {
        let asked = self.tree.lock().ask();
        let mut entry = Entry::directory("".into());
        if self.options.posix != PosixMetadata::Off {
            let key = name::file_key(&root.key(), name::FLAG);
            if let Some(headers) = self.head_for_metadata(&key).await? {
                entry.set_posix(Posix::decode(&headers.metadata, &root.key()));
            }
        }
        let mut tree = self.tree.lock();
        if root.changed() <= asked.moment() {
            tree.refresh(root, &entry, &asked);
        }
        Ok(Validation::Same)
    }

    /// How much longer the node's attributes may be shown; zero: [`Namespace::revalidate`] first.
    pub fn fresh_for(&self, node: &Node) -> Duration {
        self.tree.lock().fresh_for(node)
    }

    /// The kernel got one more reference to the node (LOOKUP, CREATE, each entry of READDIRPLUS).
    pub fn retain(&self, node: &Arc<Node>) {
        self.tree.lock().table.retain(node);
    }

    /// The kernel dropped `count` references. The node goes with the last, unless something else holds it.
    pub fn forget(&self, id: NodeId, count: u64) {
        self.tree.lock().table.forget(id, count);
    }

    /// Keeps the node and its object as they are while a handle is open: a foreign change then gives the name to
    /// another node.
    pub fn pin(&self, node: &Arc<Node>) -> Pin {
        self.tree.lock().table.pin(node);
        Pin { node: Some(node.clone()), tree: self.tree.clone() }
    }

    /// A handle to stream the entries of a directory from; asks nothing yet.
    pub fn open_directory(self: &Arc<Self>, directory: &Arc<Node>) -> Result<Directory> {
        if !directory.is_directory() {
            return Err(Error::NotDirectory);
        }
        Ok(Directory::new(self.clone(), directory.clone()))
    }

    /// Up to `count` regular files that follow the node in the listing last seen of its directory.
    pub fn siblings_after(&self, node: &Arc<Node>, count: usize) -> Vec<Arc<Node>> {
        let Some((parent, name)) = node.parent().zip(node.name()) else { return Vec::new() };
        let mut siblings = self.tree.lock().following(&parent, &name, count);
        siblings.retain(|sibling| sibling.kind() == FileKind::File);
        siblings
    }

    /// This mount made a name (create, mkdir, symlink, mknod). A node that had the name loses it.
    pub fn inserted(&self, parent: &Arc<Node>, name: &str, new: NewNode, standing: Standing) -> Arc<Node> {
        self.tree.lock().insert(parent, name, new, standing)
    }

    /// This mount made a directory at the store, under a key below which there was nothing: for the time to live,
    /// only what it puts there itself is there, and no name has to be asked for.
    pub fn made_directory(&self, parent: &Arc<Node>, name: &str, new: NewNode) -> Arc<Node> {
        let node = self.inserted(parent, name, new, Standing::Stored);
        if !self.options.ttl.is_zero() {
            self.tree.lock().keep_new(&node);
            self.set_flag(&node, false);
        }
        node
    }

    /// This mount removed a name; the node, if known, lives on without one.
    pub fn removed(&self, parent: &Arc<Node>, name: &str, standing: Standing) -> Option<Arc<Node>> {
        self.tree.lock().remove(parent, name, standing)
    }

    /// This mount gave the node another name. Everything below a directory moves along in this one step. Returns
    /// the node that had the new name before, now without one.
    pub fn renamed(
        &self,
        node: &Arc<Node>,
        new_parent: &Arc<Node>,
        new_name: &str,
        standing: Standing,
    ) -> Option<Arc<Node>> {
        self.tree.lock().rename(node, new_parent, new_name, standing)
    }

    /// The store has caught up with the local change of this name.
    pub fn settled(&self, parent: &Arc<Node>, name: &str) {
        self.tree.lock().settle(parent.id(), name);
    }

    /// From the first write of an open file until the store has its last generation: what this mount holds of the
    /// node is what it shows, whatever the store says.
    pub fn edited(&self, node: &Arc<Node>, edited: bool) {
        self.tree.lock().set_edited(node, edited);
    }

    /// The node's object is now this one (a commit, a metadata copy, a foreign change taken over). `headers`, when
    /// given, set the attributes too; else only size and change time move.
    pub fn updated(&self, node: &Arc<Node>, object: ObjectRef, headers: Option<&ObjectHeaders>) {
        let version = Version::of(&object);
        let posix = headers.map(|headers| {
            let posix = self.posix_now(node, headers);
            if let Some(posix) = &posix {
                self.keep_metadata(object.key.clone(), &version, posix);
            }
            posix.unwrap_or_default()
        });
        self.tree.lock().update(node, version, posix.as_ref());
    }

    /// `None` unless it is known that the directory's metadata is to be believed.
    fn posix_now(&self, node: &Node, headers: &ObjectHeaders) -> Option<Posix> {
        let believed = node.parent().is_some_and(|parent| self.flag_known(&parent) == Some(true));
        believed.then(|| Posix::decode(&headers.metadata, &node.key()))
    }

    /// The name of `node` now belongs to a new node with this object; `node` lives on without a name. `None` if it
    /// had none.
    pub fn superseded(
        &self,
        node: &Arc<Node>,
        object: &ObjectRef,
        headers: &ObjectHeaders,
    ) -> Option<Arc<Node>> {
        let mut entry = Entry::file(node.name()?.into(), Version::of(object));
        entry.set_posix(self.posix_now(node, headers).unwrap_or_default());
        self.tree.lock().supersede(node, &entry)
    }

    /// Attributes that this mount changed (size while writing, chmod, utimes). The kind stays.
    pub fn set_attributes(&self, node: &Arc<Node>, attributes: &Attributes) {
        self.tree.lock().set_attributes(node, attributes);
    }

    /// Does the directory carry the flag object that makes its entries' metadata count? Asks at most once per time
    /// to live.
    pub async fn has_flag(&self, directory: &Arc<Node>) -> Result<bool> {
        self.flag(directory, None).await
    }

    /// This mount put (or removed) the flag object of a directory.
    pub fn set_flag(&self, directory: &Node, flag: bool) {
        self.flags.insert(directory.id(), flag, self.options.ttl.max(FLAG_TTL_MIN));
    }

    /// Something outside says that this name, or everything in this directory, may have changed: what memory knows
    /// of it is no longer fresh.
    pub fn doubt(&self, parent: &Arc<Node>, name: Option<&str>) {
        if name.is_none() {
            self.flags.remove(&parent.id());
        }
        self.tree.lock().doubt(parent, name);
    }
}

/// Held by an open handle.
pub struct Pin {
    /// Taken out on drop.
    node: Option<Arc<Node>>,
    tree: Arc<Mutex<Tree>>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.tree.lock().table.unpin(node);
        }
    }
}

#[cfg(test)]
mod tests;
