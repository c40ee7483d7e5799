//! What this mount changed and the store may not show yet.
//!
//! Each local change of a name gets a sequence number, and each question to the store notes the number at which it
//! *began*. A reply that began before a change knows nothing of it, and never overrides it. A reply that began after
//! the store acknowledged the change is believed, except where it shows the state before: for a *grace* (the time to
//! live, but not for ever) that is taken for a store that lists late, not for a foreign act.
//!
//! Changes are forgotten once the store has them, the grace is over, and no question that began before is open. They
//! belong to the directory's node, so that they move along when it is renamed, and hold it until then.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Standing;
use super::entry::{Entry, Version};
use super::inode::{Node, NodeId};

/// How late a listing or HEAD may be, at most, before it is believed against what this mount did.
const GRACE_MAX: Duration = Duration::from_secs(10);

/// Changes that are kept for their grace alone; beyond, the oldest go early.
const SETTLED_MAX: usize = 50_000;

/// A moment in the order of local changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

/// The order of local changes, and the questions to the store that are still open.
#[derive(Debug, Default)]
pub struct Timeline {
    now: AtomicU64,
    open: Mutex<BTreeMap<Moment, usize>>,
}

impl Timeline {
    /// Notes that a question to the store begins.
    pub fn begin(self: &Arc<Self>) -> Arc<Begun> {
        let mut open = self.open.lock();
        let moment = Moment(self.now.load(Ordering::Acquire));
        *open.entry(moment).or_default() += 1;
        Arc::new(Begun { moment, timeline: self.clone() })
    }

    /// Takes up an earlier question again, whose answer was kept.
    pub fn resume(self: &Arc<Self>, moment: Moment) -> Arc<Begun> {
        *self.open.lock().entry(moment).or_default() += 1;
        Arc::new(Begun { moment, timeline: self.clone() })
    }

    /// The moment of a local change.
    pub fn advance(&self) -> Moment {
        Moment(self.now.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// No open question began before this moment.
    fn horizon(&self) -> Moment {
        let open = self.open.lock();
        open.keys().next().copied().unwrap_or(Moment(self.now.load(Ordering::Acquire)))
    }
}

/// A question to the store, or its answer, as long as something may still be concluded from it.
#[derive(Debug)]
pub struct Begun {
    moment: Moment,
    timeline: Arc<Timeline>,
}

impl Begun {
    pub fn moment(&self) -> Moment {
        self.moment
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut open = self.timeline.open.lock();
        if let Some(count) = open.get_mut(&self.moment) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.moment);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub enum What {
    Made(Arc<Node>),
    Gone,
}

/// The last local change of one name.
#[derive(Clone, Debug)]
pub struct Change {
    /// Of the change or, once the store has it, of its acknowledgement.
    pub moment: Moment,
    pub what: What,
    /// When the store acknowledged it.
    pub settled: Option<Instant>,
    /// What the store may still show although it is replaced or removed.
    pub ghost: Option<Version>,
}

impl Change {
    /// Only this mount knows of it.
    pub fn is_local(&self) -> bool {
        self.settled.is_none()
    }
}

/// What to make of a reply about a name.
#[derive(Clone, Debug)]
pub enum Verdict {
    Believe,
    /// The name belongs to this node, whatever the store says.
    Ours(Arc<Node>),
    /// The name was removed, whatever the store says.
    Gone,
}

/// Weighs what the store said (`None`: absent) against the last local change of the name.
pub fn judge(change: Option<&Change>, began: Moment, in_grace: bool, said: Option<&Entry>) -> Verdict {
    let Some(change) = change else { return Verdict::Believe };
    let ours = || match &change.what {
        What::Made(node) => Verdict::Ours(node.clone()),
        What::Gone => Verdict::Gone,
    };
    if change.is_local() || began < change.moment {
        return ours();
    }
    match (&change.what, said) {
        (What::Made(_), None) if in_grace => ours(),
        (_, Some(entry)) if in_grace && repeats(entry, change.ghost.as_ref()) => ours(),
        _ => Verdict::Believe,
    }
}

fn repeats(entry: &Entry, ghost: Option<&Version>) -> bool {
    ghost.zip(entry.version.as_ref()).is_some_and(|(ghost, shown)| ghost.same_upload(shown))
}

/// The changes of all directories.
#[derive(Debug)]
pub struct Overlay {
    directories: HashMap<NodeId, Directory>,
    settled: VecDeque<(NodeId, Arc<str>, Moment, Instant)>,
    count: usize,
    grace: Duration,
}

#[derive(Debug)]
struct Directory {
    node: Arc<Node>,
    changes: BTreeMap<Arc<str>, Change>,
}

/// A change that was forgotten: older cached listings of the directory are not to be used any more.
#[derive(Debug)]
pub struct Forgotten {
    pub directory: Arc<Node>,
    pub change: Change,
}

impl Overlay {
    /// `ttl` is how old the store's view may be anyway.
    pub fn new(ttl: Duration) -> Self {
        let grace = ttl.min(GRACE_MAX);
        Self { directories: HashMap::new(), settled: VecDeque::new(), count: 0, grace }
    }

    pub fn get(&self, directory: NodeId, name: &str) -> Option<&Change> {
        self.directories.get(&directory)?.changes.get(name)
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// The names that changed in a directory, in byte order.
    pub fn in_directory(&self, directory: NodeId) -> impl Iterator<Item = (&Arc<str>, &Change)> {
        self.directories.get(&directory).into_iter().flat_map(|directory| &directory.changes)
    }

    /// Weighs what the store said (`None`: absent) in answer to a question of that moment.
    pub fn judge(&self, at: (NodeId, &str), began: Moment, now: Instant, said: Option<&Entry>) -> Verdict {
        let change = self.get(at.0, at.1);
        let settled = change.and_then(|change| change.settled);
        judge(change, began, settled.is_some_and(|settled| self.is_in_grace(settled, now)), said)
    }

    fn is_in_grace(&self, settled: Instant, now: Instant) -> bool {
        now.saturating_duration_since(settled) < self.grace
    }

    pub fn record(
        &mut self,
        (directory, name): (&Arc<Node>, &str),
        what: What,
        ghost: Option<Version>,
        standing: Standing,
        (moment, now): (Moment, Instant),
    ) {
        let new = || Directory { node: directory.clone(), changes: BTreeMap::new() };
        let changes = &mut self.directories.entry(directory.id()).or_insert_with(new).changes;
        let name = changes.get_key_value(name).map_or_else(|| Arc::from(name), |(name, _)| name.clone());
        let settled = (standing == Standing::Stored).then_some(now);
        if settled.is_some() {
            self.settled.push_back((directory.id(), name.clone(), moment, now));
        }
        // An earlier state may still show when the name changes twice within the grace.
        let earlier = changes.get(&name).and_then(|change| change.ghost.clone());
        let change = Change { moment, what, settled, ghost: ghost.or(earlier) };
        if changes.insert(name, change).is_none() {
            self.count += 1;
        }
    }

    /// The name belongs to somebody else now, by the store's word: who is shown for it until the change is forgotten.
    /// Returns what was.
    pub fn amend(&mut self, directory: NodeId, name: &str, what: What) -> Option<What> {
        let change = self.directories.get_mut(&directory)?.changes.get_mut(name)?;
        Some(std::mem::replace(&mut change.what, what))
    }

    /// Nodes of names that only this mount knows of.
    pub fn local(&self) -> impl Iterator<Item = &Arc<Node>> {
        let changes = self.directories.values().flat_map(|directory| directory.changes.values());
        changes.filter(|change| change.is_local()).filter_map(|change| match &change.what {
            What::Made(node) => Some(node),
            What::Gone => None,
        })
    }

    /// The store has acknowledged the change of this name.
    pub fn settle(&mut self, directory: NodeId, name: &str, moment: Moment, now: Instant) {
        let Some(changes) = self.directories.get_mut(&directory).map(|directory| &mut directory.changes)
        else {
            return;
        };
        let Some(key) = changes.get_key_value(name).map(|(key, _)| key.clone()) else { return };
        if let Some(change) = changes.get_mut(name) {
            change.moment = moment;
            change.settled = Some(now);
            self.settled.push_back((directory, key, moment, now));
        }
    }

    /// Forgets all changes in a directory that is gone itself.
    pub fn drop_directory(&mut self, directory: NodeId) -> Vec<Forgotten> {
        let Some(dropped) = self.directories.remove(&directory) else { return Vec::new() };
        self.count -= dropped.changes.len();
        let node = dropped.node;
        dropped.changes.into_values().map(|change| Forgotten { directory: node.clone(), change }).collect()
    }

    /// Forgets what need not be known any more.
    pub fn purge(&mut self, timeline: &Timeline, now: Instant) -> Vec<Forgotten> {
        let mut forgotten = Vec::new();
        let horizon = timeline.horizon();
        while let Some((_, _, moment, settled)) = self.settled.front() {
            let kept = self.is_in_grace(*settled, now) && self.settled.len() <= SETTLED_MAX;
            if kept || horizon < *moment {
                break;
            }
            let Some((directory, name, moment, _)) = self.settled.pop_front() else { break };
            forgotten.extend(self.forget(directory, &name, moment));
        }
        forgotten
    }

    /// That this mount removed the name is no longer the last word on it.
    pub fn doubt_removal(&mut self, directory: NodeId, name: &str) -> Option<Forgotten> {
        let change = self.get(directory, name)?;
        let (settled, gone) = (!change.is_local(), matches!(change.what, What::Gone));
        let moment = change.moment;
        if settled && gone { self.forget(directory, name, moment) } else { None }
    }

    fn forget(&mut self, directory: NodeId, name: &str, moment: Moment) -> Option<Forgotten> {
        let inside = self.directories.get_mut(&directory)?;
        if inside.changes.get(name)?.moment != moment {
            return None;
        }
        let change = inside.changes.remove(name)?;
        let node = inside.node.clone();
        self.count -= 1;
        if inside.changes.is_empty() {
            self.directories.remove(&directory);
        }
        Some(Forgotten { directory: node, change })
    }
}
