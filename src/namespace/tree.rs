//! Nodes, local changes and cached listings together, under one lock: what the mount holds to be true.
//!
//! Everything that the store says of a name comes in through [`Tree::admit`]; everything that this mount does to a
//! name through [`Tree::insert`], [`Tree::remove`], [`Tree::rename`] and [`Tree::update`]. So the weighing of one
//! against the other is in one place.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::attributes::{Attributes, Defaults, FileKind, Posix};
use super::entry::{Entry, Stamp, Tag, Version};
use super::inode::{Birth, Node, NodeId, Table};
use super::listing::page::Page;
use super::listing::pages::Pages;
use super::overlay::{Begun, Forgotten, Moment, Overlay, Timeline, Verdict, What};
use super::{Known, NewNode, Standing};
use crate::base::clock::Clock;
use crate::base::ttl::TtlMap;

/// How long the absence of a name is remembered, at most.
const ABSENT_TTL_MAX: Duration = Duration::from_secs(1);
/// Absent names that are remembered.
const ABSENT_MAX: usize = 65_536;
/// Files whose time this mount remembers although the store shows the time of the upload.
const WRITTEN_MAX: usize = 65_536;

/// A question to the store: in the order of local changes, and by the clock.
#[derive(Clone, Debug)]
pub struct Asked {
    pub began: Arc<Begun>,
    pub at: Instant,
}

impl Asked {
    pub fn moment(&self) -> Moment {
        self.began.moment()
    }
}

/// How a listed name is to be shown.
#[derive(Clone, Debug)]
pub enum Look {
    Node(Arc<Node>),
    Gone,
    /// As it was listed.
    Entry,
}

/// The times of a file that this mount stored, since the store shows that of the upload.
#[derive(Clone, Copy, Debug)]
struct Written {
    /// `None` until the store has told it.
    modified: Option<Stamp>,
    mtime: Stamp,
    ctime: Stamp,
}

/// What became of an answer.
#[derive(Clone, Debug)]
pub enum Admitted {
    Present(Arc<Node>),
    Absent,
    /// The directory has another key than the one that was asked about: ask again.
    Moved,
}

pub struct Tree {
    pub table: Table,
    pub overlay: Overlay,
    pub pages: Pages,
    pub timeline: Arc<Timeline>,
    /// Nodes with content that the store does not have yet.
    edited: HashMap<NodeId, Arc<Node>>,
    /// Names that the store said were absent.
    absent: TtlMap<(NodeId, Box<str>), ()>,
    /// The time a file has by the one who wrote it, for the upload that came of it.
    written: TtlMap<(Arc<str>, Tag), Written>,
    defaults: Defaults,
    ttl: Duration,
    clock: Clock,
    /// What directories without a marker show as their time.
    started: SystemTime,
}

impl Tree {
    pub fn new(bucket: &str, prefix: &str, defaults: Defaults, ttl: Duration, clock: Clock) -> Self {
        let started = clock.wall();
        let root = Attributes::of(FileKind::Directory, 0, started, &Posix::default(), &defaults);
        Self {
            table: Table::new(bucket, prefix, &root, clock.now()),
            overlay: Overlay::new(ttl),
            pages: Pages::default(),
            timeline: Arc::default(),
            edited: HashMap::new(),
            absent: TtlMap::new(ABSENT_MAX, clock.clone()),
            written: TtlMap::new(WRITTEN_MAX, clock.clone()),
            defaults,
            ttl,
            clock,
            started,
        }
    }

    pub fn ask(&self) -> Asked {
        Asked { began: self.timeline.begin(), at: self.clock.now() }
    }

    fn absent_ttl(&self) -> Duration {
        self.ttl.min(ABSENT_TTL_MAX)
    }

    /// What memory knows of a name that can be one.
    pub fn known(&mut self, parent: &Arc<Node>, name: &str) -> Known {
        if let Some(known) = self.known_locally(parent.id(), name) {
            return known;
        }
        if let Some(node) = self.table.child(parent.id(), name).cloned() {
            let left = self.fresh_for(&node);
            if !left.is_zero() {
                return Known::Present(node, left);
            }
        }
        if let Some(left) = self.absent.remaining(&(parent.id(), name.into())) {
            return Known::Absent(left);
        }
        self.known_from_pages(parent, name)
    }

    /// What this mount did last to a name, as long as that says all.
    fn known_locally(&self, parent: NodeId, name: &str) -> Option<Known> {
        let change = self.overlay.get(parent, name)?;
        let age = change.settled.map(|at| self.clock.now().saturating_duration_since(at));
        match &change.what {
            What::Made(node) => {
                let left = age.map_or(self.ttl, |_| self.fresh_for(node));
                (!left.is_zero()).then(|| Known::Present(node.clone(), left))
            }
            What::Gone => {
                let left = self.absent_ttl().saturating_sub(age.unwrap_or_default());
                (!left.is_zero() || age.is_none()).then_some(Known::Absent(left))
            }
        }
    }

    fn known_from_pages(&mut self, parent: &Arc<Node>, name: &str) -> Known {
        let Some(found) = self.pages.find(parent.id(), name) else { return Known::Unknown };
        let age = self.clock.now().saturating_duration_since(found.at);
        let ttl = if found.entry.is_some() || found.of_new_directory { self.ttl } else { self.absent_ttl() };
        let left = ttl.saturating_sub(age);
        if left.is_zero() || parent.moved() > found.moment {
            return Known::Unknown;
        }
        let asked = Asked { began: self.timeline.resume(found.moment), at: found.at };
        match self.admit(parent, name, found.entry.as_ref(), &asked) {
            Admitted::Present(node) => Known::Present(node, left),
            Admitted::Absent => Known::Absent(left),
            Admitted::Moved => Known::Unknown,
        }
    }

    /// How much longer what is known of the node may be shown.
    pub fn fresh_for(&self, node: &Node) -> Duration {
        if node.is_edited() {
            return self.ttl;
        }
        let Some(checked) = node.checked() else { return Duration::ZERO };
        let age = self.table.since_start(self.clock.now()).saturating_sub(checked);
        self.ttl.saturating_sub(age)
    }

    /// What certainly holds for a name without asking: that this mount holds what the store does not have yet.
    pub fn certain(&self, parent: &Arc<Node>, name: &str) -> Option<Option<Arc<Node>>> {
        if let Some(change) = self.overlay.get(parent.id(), name).filter(|change| change.is_local()) {
            return Some(match &change.what {
                What::Made(node) => Some(node.clone()),
                What::Gone => None,
            });
        }
        let node = self.table.child(parent.id(), name)?;
        node.is_edited().then(|| Some(node.clone()))
    }

    /// How a listed name is to be shown, without making a node for it.
    pub fn look(&self, directory: NodeId, entry: &Entry, moment: Moment) -> Look {
        match self.overlay.judge((directory, &entry.name), moment, self.clock.now(), Some(entry)) {
            Verdict::Ours(node) => Look::Node(node),
            Verdict::Gone => Look::Gone,
            Verdict::Believe => match self.table.child(directory, &entry.name) {
                Some(node) if node.kind() == entry.kind => Look::Node(node.clone()),
                _ => Look::Entry,
            },
        }
    }

    /// Takes in what the store said of a name (`None`: absent), as far as it does not contradict what this mount did.
    pub fn admit(&mut self, parent: &Arc<Node>, name: &str, said: Option<&Entry>, asked: &Asked) -> Admitted {
        if parent.moved() > asked.moment() {
            return Admitted::Moved;
        }
        self.weigh(parent, name, said, asked).map_or(Admitted::Absent, Admitted::Present)
    }

    /// The same for an answer that may be about the key which the directory had before it was renamed.
    pub fn weigh(
        &mut self,
        parent: &Arc<Node>,
        name: &str,
        said: Option<&Entry>,
        asked: &Asked,
    ) -> Option<Arc<Node>> {
        match self.overlay.judge((parent.id(), name), asked.moment(), self.clock.now(), said) {
            Verdict::Ours(node) => Some(node),
            Verdict::Gone => None,
            Verdict::Believe => self.believe(parent, name, said, asked),
        }
    }

    fn believe(
        &mut self,
        parent: &Arc<Node>,
        name: &str,
        said: Option<&Entry>,
        asked: &Asked,
    ) -> Option<Arc<Node>> {
        let known = self.table.child(parent.id(), name).cloned();
        if let Some(node) = &known
            && (node.is_edited() || node.changed() > asked.moment())
        {
            return Some(node.clone());
        }
        let Some(entry) = said else {
            if let Some(node) = known.filter(|node| self.shelters_local_changes(node)) {
                return Some(node);
            }
            if let Some(gone) = self.table.unlink(parent.id(), name) {
                self.abandon(gone.id());
            }
            self.amend(parent.id(), name, What::Gone);
            let left = self.absent_ttl().saturating_sub(self.clock.now().saturating_duration_since(asked.at));
            self.absent.insert((parent.id(), name.into()), (), left);
            return None;
        };
        self.absent.remove(&(parent.id(), name.into()));
        match known {
            Some(node) if self.can_become(&node, entry) => {
                self.refresh(&node, entry, asked);
                Some(node)
            }
            _ => Some(self.give_birth(parent, name, entry, asked)),
        }
    }

    /// A directory stays, whatever becomes of it in the store, while it holds what only this mount knows.
    fn shelters_local_changes(&self, directory: &Arc<Node>) -> bool {
        directory.is_directory()
            && self.edited.values().chain(self.overlay.local()).any(|node| node.is_below(directory))
    }

    /// A node keeps its kind for life, and its bytes while a handle is open.
    fn can_become(&self, node: &Node, entry: &Entry) -> bool {
        if node.kind() != entry.kind {
            return false;
        }
        let same_bytes = match (node.version(), &entry.version) {
            (Some(ours), Some(theirs)) => ours.same_bytes(theirs),
            _ => false,
        };
        entry.is_directory() || same_bytes || node.pins() == 0
    }

    fn give_birth(&mut self, parent: &Arc<Node>, name: &str, entry: &Entry, asked: &Asked) -> Arc<Node> {
        let key = parent.key();
        let birth = Birth {
            attributes: self.attributes(entry, &[&key, name].concat()),
            version: entry.version.clone(),
            checked: Some(self.table.since_start(asked.at)),
            asked: asked.moment(),
            changed: Moment::default(),
        };
        self.create(parent, name, birth)
    }

    /// A node may get the id that another had: what was known by that id goes.
    fn create(&mut self, parent: &Arc<Node>, name: &str, birth: Birth) -> Arc<Node> {
        let node = self.table.create(parent, name, birth);
        self.pages.drop_directory(node.id());
        self.amend(parent.id(), name, What::Made(node.clone()));
        node
    }

    /// A local change that is not forgotten yet must not bring back what the store has replaced since.
    fn amend(&mut self, parent: NodeId, name: &str, what: What) {
        if let Some(What::Made(before)) = self.overlay.amend(parent, name, what) {
            self.table.release(before);
        }
    }

    /// Brings a node up to date with what the store said of it.
    pub fn refresh(&mut self, node: &Arc<Node>, entry: &Entry, asked: &Asked) {
        let known = node.version();
        let mut attributes = self.attributes(entry, &node.key());
        let same_upload =
            matches!((&known, &entry.version), (Some(ours), Some(theirs)) if ours.same_upload(theirs));
        let own_time = entry.posix.as_ref().is_some_and(|posix| posix.mtime.is_some());
        let unseen = entry.is_directory() && entry.version.is_none();
        if !own_time && (unseen || same_upload) {
            let shown = node.attributes();
            (attributes.mtime, attributes.ctime, attributes.atime) = (shown.mtime, shown.ctime, shown.atime);
        }
        node.set_attributes(&attributes);
        if let Some(version) = keep_version_id(known, entry.version.clone()) {
            node.set_version(Some(version));
        }
        node.set_checked(self.table.since_start(asked.at), asked.moment());
    }

    fn attributes(&self, entry: &Entry, key: &str) -> Attributes {
        let nothing = Posix::default();
        let posix = entry.posix.as_deref().unwrap_or(&nothing);
        let (size, modified) = match &entry.version {
            Some(version) => (version.size, version.modified.into()),
            None => (0, self.started),
        };
        let mut attributes = Attributes::of(entry.kind, size, modified, posix, &self.defaults);
        if let Some(version) = &entry.version
            && posix.mtime.is_none()
            && let Some(written) = self.recall(key, version)
        {
            (attributes.mtime, attributes.ctime) = (written.mtime.into(), written.ctime.into());
        }
        attributes
    }

    /// Keeps the times of what this mount stored. The upload's own time is learnt at the next look.
    fn remember(&self, node: &Node, version: &Version) {
        let attributes = node.attributes();
        let written =
            Written { modified: None, mtime: attributes.mtime.into(), ctime: attributes.ctime.into() };
        self.written.insert((node.key(), version.tag.clone()), written, Duration::MAX);
    }

    fn recall(&self, key: &str, version: &Version) -> Option<Written> {
        let key = (Arc::from(key), version.tag.clone());
        let mut written = self.written.get(&key)?;
        let modified = *written.modified.get_or_insert_with(|| {
            self.written.insert(key, Written { modified: Some(version.modified), ..written }, Duration::MAX);
            version.modified
        });
        (modified.seconds() == version.modified.seconds()).then_some(written)
    }

    pub fn insert(&mut self, parent: &Arc<Node>, name: &str, new: NewNode, standing: Standing) -> Arc<Node> {
        let now = self.clock.now();
        let moment = self.timeline.advance();
        let ghost = self.table.child(parent.id(), name).and_then(|node| node.version());
        let birth = Birth {
            attributes: new.attributes,
            version: new.object.as_ref().map(Version::of),
            checked: Some(self.table.since_start(now)),
            asked: moment,
            changed: moment,
        };
        let node = self.create(parent, name, birth);
        if let Some(version) = node.version() {
            self.remember(&node, &version);
        }
        let what = What::Made(node.clone());
        self.overlay.record((parent, name), what, ghost, standing, (moment, now));
        self.changed_in(parent, name);
        node
    }

    pub fn remove(&mut self, parent: &Arc<Node>, name: &str, standing: Standing) -> Option<Arc<Node>> {
        let moment = self.timeline.advance();
        let node = self.table.unlink(parent.id(), name);
        self.record_gone(parent, name, node.as_deref(), standing, moment);
        if let Some(node) = &node {
            node.set_changed(moment);
            self.abandon(node.id());
        }
        node
    }

    pub fn rename(
        &mut self,
        node: &Arc<Node>,
        new_parent: &Arc<Node>,
        new_name: &str,
        standing: Standing,
    ) -> Option<Arc<Node>> {
        let (old_parent, old_name) = node.parent().zip(node.name())?;
        let moment = self.timeline.advance();
        let replaced = self.table.rename(node, new_parent, new_name, moment);
        self.pages.drop_directories(|id| {
            self.table.get(id).is_some_and(|listed| Arc::ptr_eq(listed, node) || listed.is_below(node))
        });
        self.record_gone(&old_parent, &old_name, Some(node), standing, moment);
        let ghost = replaced.as_ref().and_then(|replaced| replaced.version());
        let what = What::Made(node.clone());
        let at = (moment, self.clock.now());
        self.overlay.record((new_parent, new_name), what, ghost, standing, at);
        node.set_changed(moment);
        node.set_checked(self.table.since_start(at.1), moment);
        self.changed_in(new_parent, new_name);
        replaced
    }

    fn record_gone(
        &mut self,
        parent: &Arc<Node>,
        name: &str,
        node: Option<&Node>,
        standing: Standing,
        moment: Moment,
    ) {
        let ghost = node.and_then(Node::version);
        let at = (moment, self.clock.now());
        // What the store never had need not be removed from it.
        let never_stored = node.is_some_and(|node| node.version().is_none() && !node.is_directory());
        let standing = if never_stored { Standing::Stored } else { standing };
        self.overlay.record((parent, name), What::Gone, ghost, standing, at);
        self.changed_in(parent, name);
    }

    fn changed_in(&mut self, directory: &Node, name: &str) {
        self.absent.remove(&(directory.id(), name.into()));
        directory.touch(self.clock.wall());
        self.purge();
    }

    /// Nothing below an unlinked directory can be named any more.
    fn abandon(&mut self, directory: NodeId) {
        self.pages.drop_directory(directory);
        for forgotten in self.overlay.drop_directory(directory) {
            self.let_go(forgotten);
        }
    }

    pub fn settle(&mut self, parent: NodeId, name: &str) {
        let moment = self.timeline.advance();
        self.overlay.settle(parent, name, moment, self.clock.now());
        self.purge();
    }

    /// The node's object is now this one.
    pub fn update(&mut self, node: &Arc<Node>, version: Version, posix: Option<&Posix>) {
        let now = self.clock.now();
        let moment = self.timeline.advance();
        let before = node.version();
        let mut attributes = node.attributes();
        match posix {
            Some(posix) => {
                let modified = version.modified.into();
                attributes = Attributes::of(attributes.kind, version.size, modified, posix, &self.defaults);
            }
            None if attributes.kind == FileKind::Directory => {}
            None => (attributes.size, attributes.ctime) = (version.size, self.clock.wall()),
        }
        node.set_attributes(&attributes);
        if posix.is_none() {
            self.remember(node, &version);
        }
        node.set_version(Some(version));
        node.set_changed(moment);
        node.set_checked(self.table.since_start(now), moment);
        if let Some((parent, name)) = node.parent().zip(node.name()) {
            let what = What::Made(node.clone());
            self.overlay.record((&parent, &name), what, before, Standing::Stored, (moment, now));
            self.absent.remove(&(parent.id(), name.into()));
        }
        self.purge();
    }

    /// While a node is edited, what this mount holds of it is what it shows.
    pub fn set_edited(&mut self, node: &Arc<Node>, edited: bool) {
        node.set_edited(edited);
        if edited {
            self.edited.insert(node.id(), node.clone());
        } else if let Some(node) = self.edited.remove(&node.id()) {
            self.table.release(node);
        }
    }

    pub fn set_attributes(&mut self, node: &Node, attributes: &Attributes) {
        node.set_attributes(attributes);
        node.set_changed(self.timeline.advance());
    }

    /// Gives the name of a node to a new one.
    pub fn supersede(&mut self, node: &Arc<Node>, entry: &Entry) -> Option<Arc<Node>> {
        let (parent, name) = node.parent().zip(node.name())?;
        let asked = self.ask();
        Some(self.give_birth(&parent, &name, entry, &asked))
    }

    /// Did this mount change the node after the question began, so that the answer does not count?
    pub fn is_overtaken(&self, node: &Node, said: &Entry, asked: &Asked) -> bool {
        node.is_edited()
            || node.changed().max(node.moved()) > asked.moment()
            || self.is_ours(node, Some(said), asked)
    }

    /// The store says that there is no object at the node's key: is that so, as far as this mount can tell?
    pub fn is_missed_rightly(&self, node: &Node, asked: &Asked) -> bool {
        !(node.is_edited()
            || node.changed().max(node.moved()) > asked.moment()
            || self.is_ours(node, None, asked))
    }

    fn is_ours(&self, node: &Node, said: Option<&Entry>, asked: &Asked) -> bool {
        node.parent().zip(node.name()).is_some_and(|(parent, name)| {
            let verdict = self.overlay.judge((parent.id(), &name), asked.moment(), self.clock.now(), said);
            !matches!(verdict, Verdict::Believe)
        })
    }

    /// Nodes of the files that follow a name in its listing, as far as pages are kept.
    pub fn following(&mut self, parent: &Arc<Node>, name: &str, count: usize) -> Vec<Arc<Node>> {
        let mut following = self.pages.following(parent.id(), name, count);
        let mut nodes = Vec::with_capacity(following.len());
        let now = self.clock.now();
        following.retain(|(_, page)| now.saturating_duration_since(page.at) < self.ttl);
        for (entry, page) in following {
            let asked = Asked { began: self.timeline.resume(page.moment), at: page.at };
            nodes.extend(self.weigh(parent, &entry.name, Some(&entry), &asked));
        }
        nodes
    }

    /// A page of a listing that is fresh enough to be used again.
    pub fn kept_page(&self, directory: &Node, after: Option<&str>) -> Option<(Arc<Page>, Asked)> {
        let page = self.pages.beginning(directory.id(), after)?;
        let age = self.clock.now().saturating_duration_since(page.at);
        if age >= self.ttl || directory.moved() > page.moment {
            return None;
        }
        let asked = Asked { began: self.timeline.resume(page.moment), at: page.at };
        Some((page.clone(), asked))
    }

    /// This mount has just made the directory; that nothing was there may have been known for a moment already.
    pub fn keep_new(&mut self, directory: &Node) {
        let asked = self.ask();
        if let Some(at) = asked.at.checked_sub(self.absent_ttl()) {
            let page = Page::of_new_directory(asked.moment(), at);
            self.keep_page(directory, Arc::new(page));
        }
    }

    pub fn keep_page(&mut self, directory: &Node, page: Arc<Page>) {
        if directory.moved() <= page.moment && self.table.get(directory.id()).is_some() {
            self.pages.insert(directory.id(), page);
        }
    }

    /// Names that this mount made in a directory and that are there although a listing of that moment lacks them.
    pub fn made_in(&self, directory: NodeId, moment: Moment) -> Vec<Entry> {
        let now = self.clock.now();
        let entry = |name: &Arc<str>| match self.overlay.judge((directory, name), moment, now, None) {
            Verdict::Ours(node) => {
                Some(Entry { name: name.clone(), kind: node.kind(), version: node.version(), posix: None })
            }
            Verdict::Gone | Verdict::Believe => None,
        };
        self.overlay.in_directory(directory).filter_map(|(name, _)| entry(name)).collect()
    }

    /// What is known of a name, or of everything in a directory, may be wrong; so may answers that are under way.
    pub fn doubt(&mut self, parent: &Node, name: Option<&str>) {
        let moment = self.timeline.advance();
        self.pages.drop_directory(parent.id());
        match name {
            Some(name) => {
                self.absent.remove(&(parent.id(), name.into()));
                if let Some(forgotten) = self.overlay.doubt_removal(parent.id(), name) {
                    self.let_go(forgotten);
                }
                if let Some(node) = self.table.child(parent.id(), name) {
                    node.doubt();
                    node.set_changed(moment);
                }
            }
            None => {
                self.absent.retain(|(directory, _), _| *directory != parent.id());
                parent.set_moved(moment);
            }
        }
    }

    /// Forgets local changes that the store surely shows by now.
    pub fn purge(&mut self) {
        for forgotten in self.overlay.purge(&self.timeline, self.clock.now()) {
            self.pages.drop_older(forgotten.directory.id(), forgotten.change.moment);
            self.let_go(forgotten);
        }
    }

    fn let_go(&mut self, forgotten: Forgotten) {
        if let What::Made(node) = forgotten.change.what {
            self.table.release(node);
        }
        self.table.release(forgotten.directory);
    }
}

/// A listing does not tell version ids: one that is known of the same upload stays.
fn keep_version_id(known: Option<Version>, said: Option<Version>) -> Option<Version> {
    let mut said = said?;
    if let Some(known) = known.filter(|known| said.id.is_none() && known.same_bytes(&said)) {
        said.id = known.id;
    }
    Some(said)
}
