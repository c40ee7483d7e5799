//! The node table: allocation of node ids, lookup counts, pins, moves.
//!
//! A node knows its parent and its name, and its key only through them: so a directory of a million entries is
//! renamed by changing one node. Nodes are found by id and by (parent, name); what lost its name is found by id only.
//!
//! A node stays while the kernel counts lookups on it, a handle pins it, a child names it as its parent, or anybody
//! holds its `Arc`. What nothing of that holds is *idle*: it goes at once when the kernel forgets it, or, if it was
//! made for an answer that nobody kept, when [`IDLE_MAX`] newer ones have come.
//!
//! Locks: the table is under the lock of the whole tree; a node's own state is under a lock that is taken inside it,
//! for one node at a time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::attributes::{Attributes, FileKind};
use super::entry::{Stamp, Version};
use super::name;
use super::overlay::Moment;
use crate::base::digest;
use crate::s3::ObjectRef;

/// Nodes that nobody holds and that are kept in case a lookup follows.
const IDLE_MAX: usize = 512;

/// Names a node to the kernel, and is its `st_ino`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

impl NodeId {
    pub const ROOT: Self = Self(1);

    fn is_special(self) -> bool {
        matches!(self.0, 0 | 1 | u64::MAX)
    }

    /// Past the special values, if it is one.
    fn skip_special(self) -> Self {
        if self.is_special() { Self(2) } else { self }
    }
}

/// A file, directory or other inode that the kernel, a handle or a cached answer knows.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    generation: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    place: Place,
    kind: FileKind,
    perm: u16,
    uid: u32,
    gid: u32,
    rdev: u32,
    size: u64,
    mtime: Stamp,
    ctime: Stamp,
    atime: Stamp,
    version: Option<Version>,
    /// When the store was last asked, counted from the start of the table; `None`: ask before the next use.
    checked: Option<Duration>,
    /// The moment at which that question began.
    asked: Moment,
    /// The last local change of content or attributes.
    changed: Moment,
    /// The last local rename, or doubt about all that lies below: older answers do not count.
    moved: Moment,
    lookups: u64,
    pins: u32,
    /// This mount holds content that the store does not have yet: what the store shows is not ours.
    edited: bool,
    /// Waits in the queue of the idle.
    queued: bool,
}

#[derive(Clone, Debug)]
enum Place {
    /// The mount's prefix.
    Root(Arc<str>),
    Named {
        parent: Arc<Node>,
        name: Box<str>,
    },
    /// The last key.
    Unlinked(Arc<str>),
}

impl Node {
    pub fn id(&self) -> NodeId {
        self.id
    }

    pub fn generation(&self) -> u64 {
        u64::from(self.generation)
    }

    pub fn kind(&self) -> FileKind {
        self.state.lock().kind
    }

    pub fn is_directory(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    pub fn attributes(&self) -> Attributes {
        let state = self.state.lock();
        Attributes {
            kind: state.kind,
            perm: state.perm,
            uid: state.uid,
            gid: state.gid,
            rdev: state.rdev,
            size: state.size,
            mtime: state.mtime.into(),
            ctime: state.ctime.into(),
            atime: state.atime.into(),
        }
    }

    /// The object as last seen, at the key the node has now; `None` for what is not stored yet and for a directory
    /// without a known marker.
    pub fn object(&self) -> Option<ObjectRef> {
        let version = self.version()?;
        Some(version.object(self.key()))
    }

    /// The whole key; of a directory with its last slash (the root's is the prefix). An unlinked node keeps its last.
    pub fn key(&self) -> Arc<str> {
        let (place, kind) = self.place();
        let Place::Named { mut parent, name } = place else {
            return place.into_key();
        };
        let mut names = vec![name];
        let start = loop {
            match parent.place().0 {
                Place::Named { parent: grandparent, name } => {
                    names.push(name);
                    parent = grandparent;
                }
                top => break top.into_key(),
            }
        };
        let last = if kind == FileKind::Directory { "/" } else { "" };
        let path: Vec<&str> = names.iter().rev().map(|name| &**name).collect();
        [&start, path.join("/").as_str(), last].concat().into()
    }

    /// `None` for the root and for what was unlinked.
    pub fn parent(&self) -> Option<Arc<Node>> {
        match &self.state.lock().place {
            Place::Named { parent, .. } => Some(parent.clone()),
            _ => None,
        }
    }

    pub fn name(&self) -> Option<String> {
        match &self.state.lock().place {
            Place::Named { name, .. } => Some(name.to_string()),
            _ => None,
        }
    }

    pub fn is_unlinked(&self) -> bool {
        matches!(self.state.lock().place, Place::Unlinked(_))
    }

    /// Handles that hold the node.
    pub fn pins(&self) -> u32 {
        self.state.lock().pins
    }

    /// References that the kernel holds.
    pub fn lookups(&self) -> u64 {
        self.state.lock().lookups
    }

    /// This mount holds content of the node that the store does not have yet.
    pub fn is_edited(&self) -> bool {
        self.state.lock().edited
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.state.lock().version.clone()
    }

    pub(super) fn changed(&self) -> Moment {
        self.state.lock().changed
    }

    /// When the store was last asked, unless the node has moved since, so that the answer was about another key.
    pub(super) fn checked(&self) -> Option<Duration> {
        let (checked, asked) = {
            let state = self.state.lock();
            (state.checked?, state.asked)
        };
        (self.moved() <= asked).then_some(checked)
    }

    /// The last rename of the node or of a directory above it: older answers were about another key, or are in doubt.
    pub(super) fn moved(&self) -> Moment {
        let mut latest = self.state.lock().moved;
        let mut above = self.parent();
        while let Some(node) = above {
            latest = latest.max(node.state.lock().moved);
            above = node.parent();
        }
        latest
    }

    /// A name below something that was unlinked cannot be asked for.
    pub(super) fn is_reachable(&self) -> bool {
        match self.place().0 {
            Place::Root(_) => true,
            Place::Unlinked(_) => false,
            Place::Named { parent, .. } => parent.is_reachable(),
        }
    }

    pub(super) fn set_edited(&self, edited: bool) {
        self.state.lock().edited = edited;
    }

    pub(super) fn set_checked(&self, at: Duration, asked: Moment) {
        let mut state = self.state.lock();
        state.checked = Some(at);
        state.asked = asked;
    }

    pub(super) fn doubt(&self) {
        self.state.lock().checked = None;
    }

    pub(super) fn set_changed(&self, moment: Moment) {
        self.state.lock().changed = moment;
    }

    /// The kind never changes: another kind is another node.
    pub(super) fn set_attributes(&self, attributes: &Attributes) {
        self.state.lock().set_attributes(attributes);
    }

    pub(super) fn set_version(&self, version: Option<Version>) {
        self.state.lock().version = version;
    }

    pub(super) fn touch(&self, now: SystemTime) {
        let mut state = self.state.lock();
        state.mtime = now.into();
        state.ctime = now.into();
    }

    pub(super) fn set_moved(&self, moment: Moment) {
        self.state.lock().moved = moment;
    }

    pub(super) fn is_below(&self, directory: &Arc<Node>) -> bool {
        let mut above = self.parent();
        while let Some(node) = above {
            if Arc::ptr_eq(&node, directory) {
                return true;
            }
            above = node.parent();
        }
        false
    }

    fn place(&self) -> (Place, FileKind) {
        let state = self.state.lock();
        (state.place.clone(), state.kind)
    }

    fn is_named(&self, parent: NodeId, name: &str) -> bool {
        match &self.state.lock().place {
            Place::Named { parent: at, name: own } => at.id == parent && **own == *name,
            _ => false,
        }
    }
}

impl State {
    fn set_attributes(&mut self, attributes: &Attributes) {
        self.perm = attributes.perm;
        self.uid = attributes.uid;
        self.gid = attributes.gid;
        self.rdev = attributes.rdev;
        self.size = attributes.size;
        self.mtime = attributes.mtime.into();
        self.ctime = attributes.ctime.into();
        self.atime = attributes.atime.into();
    }
}

impl Place {
    /// Of a place without a parent.
    fn into_key(self) -> Arc<str> {
        match self {
            Self::Root(key) | Self::Unlinked(key) => key,
            Self::Named { name, .. } => name.into(),
        }
    }
}

/// What a new node begins with.
#[derive(Clone, Debug)]
pub struct Birth {
    pub attributes: Attributes,
    pub version: Option<Version>,
    pub checked: Option<Duration>,
    /// When the question began whose answer it is, or when this mount made it.
    pub asked: Moment,
    pub changed: Moment,
}

/// All living nodes.
#[derive(Debug)]
pub struct Table {
    bucket: Box<str>,
    start: Instant,
    root: Arc<Node>,
    by_id: HashMap<NodeId, Arc<Node>>,
    /// By a hash of parent and name; of two names with one hash, the later is in `collided`.
    by_name: HashMap<u64, Arc<Node>>,
    collided: Vec<Arc<Node>>,
    hasher: RandomState,
    idle: VecDeque<Arc<Node>>,
    generation: u32,
}

impl Table {
    pub fn new(bucket: &str, prefix: &str, root: &Attributes, start: Instant) -> Self {
        let birth = Birth {
            attributes: *root,
            version: None,
            checked: None,
            asked: Moment::default(),
            changed: Moment::default(),
        };
        let root = Arc::new(Node::born(NodeId::ROOT, 0, Place::Root(prefix.into()), birth));
        Self {
            bucket: bucket.into(),
            start,
            root: root.clone(),
            by_id: HashMap::from([(NodeId::ROOT, root)]),
            by_name: HashMap::new(),
            collided: Vec::new(),
            hasher: RandomState::new(),
            idle: VecDeque::new(),
            generation: 0,
        }
    }

    pub fn root(&self) -> &Arc<Node> {
        &self.root
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn get(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.by_id.get(&id)
    }

    /// An instant as nodes remember it.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    pub fn child(&self, parent: NodeId, name: &str) -> Option<&Arc<Node>> {
        let first = self.by_name.get(&self.hash(parent, name))?;
        if first.is_named(parent, name) {
            return Some(first);
        }
        self.collided.iter().find(|node| node.is_named(parent, name))
    }

    /// The node at a path below the root, such as `a/b/`.
    pub fn walk(&self, path: &str) -> Option<&Arc<Node>> {
        let (path, directory) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
        let mut at = &self.root;
        for name in path.split('/').filter(|_| !path.is_empty()) {
            at = self.child(at.id, name)?;
        }
        (at.is_directory() == (directory || path.is_empty())).then_some(at)
    }

    /// The id a key gets if no other living node has it.
    pub fn natural_id(&self, key: &str) -> NodeId {
        natural_id(&self.bucket, key)
    }

    /// A new node; one that had the name before loses it.
    pub fn create(&mut self, parent: &Arc<Node>, name: &str, birth: Birth) -> Arc<Node> {
        self.unlink(parent.id, name);
        let directory = parent.key();
        let key = match birth.attributes.kind {
            FileKind::Directory => name::directory_key(&directory, name),
            _ => name::file_key(&directory, name),
        };
        let id = self.allocate(&key);
        self.generation = self.generation.wrapping_add(1);
        let place = Place::Named { parent: parent.clone(), name: name.into() };
        let node = Arc::new(Node::born(id, self.generation, place, birth));
        self.by_id.insert(id, node.clone());
        self.link(parent.id, name, &node);
        self.rest(&node);
        self.trim();
        node
    }

    /// Takes the name from the node that has it; the node lives on while something holds it.
    pub fn unlink(&mut self, parent: NodeId, name: &str) -> Option<Arc<Node>> {
        let node = self.detach(parent, name)?;
        let key = node.key();
        node.state.lock().place = Place::Unlinked(key);
        self.rest(&node);
        Some(node)
    }

    /// Moves a node, with everything below it, and returns the node that had the new name.
    pub fn rename(
        &mut self,
        node: &Arc<Node>,
        new_parent: &Arc<Node>,
        new_name: &str,
        moment: Moment,
    ) -> Option<Arc<Node>> {
        let replaced = match self.child(new_parent.id, new_name) {
            Some(same) if Arc::ptr_eq(same, node) => None,
            _ => self.unlink(new_parent.id, new_name),
        };
        if let (Some(parent), Some(name)) = (node.parent(), node.name()) {
            self.detach(parent.id, &name);
        }
        {
            let mut state = node.state.lock();
            state.place = Place::Named { parent: new_parent.clone(), name: new_name.into() };
            state.moved = moment;
        }
        self.link(new_parent.id, new_name, node);
        replaced
    }

    pub fn retain(&mut self, node: &Arc<Node>) {
        node.state.lock().lookups += 1;
    }

    pub fn forget(&mut self, id: NodeId, count: u64) {
        let Some(node) = self.by_id.get(&id).cloned() else { return };
        let left = {
            let mut state = node.state.lock();
            state.lookups = state.lookups.saturating_sub(count);
            state.lookups
        };
        if left == 0 {
            self.release(node);
            self.trim();
        }
    }

    pub fn pin(&mut self, node: &Arc<Node>) {
        node.state.lock().pins += 1;
    }

    pub fn unpin(&mut self, node: Arc<Node>) {
        let left = {
            let mut state = node.state.lock();
            state.pins = state.pins.saturating_sub(1);
            state.pins
        };
        if left == 0 {
            self.release(node);
            self.trim();
        }
    }

    /// The caller lets go of its `Arc`: if it was the last thing that held the node, the node goes, and so may its
    /// parents.
    pub fn release(&mut self, node: Arc<Node>) {
        let mut next = Some(node);
        while let Some(node) = next.take() {
            if !self.is_idle(&node, 1) {
                self.rest_if_unheld(node);
                return;
            }
            next = node.parent();
            self.remove(&node);
        }
    }

    /// Held by the table alone, and by `borrowed` owners who are about to let go.
    fn is_idle(&self, node: &Arc<Node>, borrowed: usize) -> bool {
        let state = node.state.lock();
        let ours = match state.place {
            Place::Root(_) => return false,
            Place::Named { .. } => 2,
            Place::Unlinked(_) => 1,
        };
        let queued = usize::from(state.queued);
        state.lookups == 0 && state.pins == 0 && Arc::strong_count(node) == ours + queued + borrowed
    }

    fn rest_if_unheld(&mut self, node: Arc<Node>) {
        let unheld = {
            let state = node.state.lock();
            state.lookups == 0 && state.pins == 0 && !matches!(state.place, Place::Root(_))
        };
        if unheld {
            self.rest(&node);
        }
    }

    /// Queues a node that nobody may ever retain.
    fn rest(&mut self, node: &Arc<Node>) {
        if !std::mem::replace(&mut node.state.lock().queued, true) {
            self.idle.push_back(node.clone());
        }
    }

    /// Lets the oldest of the queue go; a few at a time, since some may be held after all.
    pub fn trim(&mut self) {
        for _ in 0..4 {
            if self.idle.len() > IDLE_MAX {
                self.wake_oldest();
            }
        }
    }

    /// Lets the oldest of the queue go if it is idle; queues it again if somebody still looks at it.
    fn wake_oldest(&mut self) {
        let Some(node) = self.idle.pop_front() else { return };
        node.state.lock().queued = false;
        if self.is_idle(&node, 1) {
            self.release(node);
            return;
        }
        let held = {
            let state = node.state.lock();
            state.lookups > 0 || state.pins > 0
        };
        if !held {
            node.state.lock().queued = true;
            self.idle.push_back(node);
        }
    }

    fn remove(&mut self, node: &Arc<Node>) {
        if let (Some(parent), Some(name)) = (node.parent(), node.name()) {
            self.detach(parent.id, &name);
        }
        self.by_id.remove(&node.id);
        if std::mem::replace(&mut node.state.lock().queued, false) {
            self.idle.retain(|queued| !Arc::ptr_eq(queued, node));
        }
    }

    fn allocate(&self, key: &str) -> NodeId {
        let mut id = self.natural_id(key);
        while self.by_id.contains_key(&id) {
            id = NodeId(id.0.wrapping_add(1)).skip_special();
        }
        id
    }

    fn hash(&self, parent: NodeId, name: &str) -> u64 {
        self.hasher.hash_one((parent, name))
    }

    fn link(&mut self, parent: NodeId, name: &str, node: &Arc<Node>) {
        use std::collections::hash_map::Entry;
        match self.by_name.entry(self.hash(parent, name)) {
            Entry::Vacant(free) => drop(free.insert(node.clone())),
            Entry::Occupied(_) => self.collided.push(node.clone()),
        }
    }

    /// Out of the index of names.
    fn detach(&mut self, parent: NodeId, name: &str) -> Option<Arc<Node>> {
        let hash = self.hash(parent, name);
        if let Some(at) = self.collided.iter().position(|node| node.is_named(parent, name)) {
            return Some(self.collided.swap_remove(at));
        }
        if !self.by_name.get(&hash)?.is_named(parent, name) {
            return None;
        }
        let node = self.by_name.remove(&hash);
        self.promote_collided(hash);
        node
    }

    /// A name that had to wait for the slot of this hash moves in.
    fn promote_collided(&mut self, hash: u64) {
        let waits = |node: &Arc<Node>| match &node.state.lock().place {
            Place::Named { parent, name } => self.hash(parent.id, name) == hash,
            _ => false,
        };
        if let Some(at) = self.collided.iter().position(waits) {
            let node = self.collided.swap_remove(at);
            self.by_name.insert(hash, node);
        }
    }

    /// What the nodes take, names and tables included; an estimate from the sizes of types.
    pub fn bytes(&self) -> u64 {
        const ARC: usize = 16;
        const NAME: usize = 24;
        let node = size_of::<Node>() + ARC + NAME;
        let slots = self.by_id.capacity() * (size_of::<(NodeId, Arc<Node>)>() + 1)
            + self.by_name.capacity() * (size_of::<(u64, Arc<Node>)>() + 1);
        (self.by_id.len() * node + slots) as u64
    }
}

/// The first 64 bits of SHA-256(bucket, NUL, whole key), special values skipped.
fn natural_id(bucket: &str, key: &str) -> NodeId {
    let digest = digest::sha256(&[bucket.as_bytes(), b"\0", key.as_bytes()].concat());
    let first = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    NodeId(first).skip_special()
}

impl Node {
    fn born(id: NodeId, generation: u32, place: Place, birth: Birth) -> Self {
        let mut state = State {
            place,
            kind: birth.attributes.kind,
            perm: 0,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            mtime: SystemTime::UNIX_EPOCH.into(),
            ctime: SystemTime::UNIX_EPOCH.into(),
            atime: SystemTime::UNIX_EPOCH.into(),
            version: birth.version,
            checked: birth.checked,
            asked: birth.asked,
            changed: birth.changed,
            moved: Moment::default(),
            lookups: 0,
            pins: 0,
            edited: false,
            queued: false,
        };
        state.set_attributes(&birth.attributes);
        Self { id, generation, state: Mutex::new(state) }
    }
}
