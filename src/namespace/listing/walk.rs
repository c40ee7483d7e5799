//! Walking ahead: who lists one directory after the other, as `find` and `cp -r` do, finds the next ones listed.
//!
//! A walk is recognized when directories of one parent are listed in the order in which the parent lists them. With
//! each further step twice as many of those to come are listed at once, up to [`AHEAD_MAX`]; a step aside ends it.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::ttl::TtlMap;
use crate::namespace::{Namespace, Node, NodeId};

/// Directories listed ahead of a walk: enough for a distant store, few enough to be a good neighbour.
const AHEAD_MAX: usize = 16;
/// Parents whose walks are remembered, and for how long without a step.
const WALKS_MAX: usize = 256;
const WALK_TTL: std::time::Duration = std::time::Duration::from_secs(10);

/// How far a walk through the directories of one parent has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Walk {
    expected: Option<Arc<str>>,
    steps: u32,
}

impl Walk {
    /// `name` is listed, and `next` comes after it; tells how many to list ahead.
    fn step(&self, name: &str, next: Option<&Arc<str>>) -> (Self, usize) {
        let steps = if self.expected.as_deref() == Some(name) { self.steps + 1 } else { 0 };
        let ahead = if steps == 0 { 0 } else { AHEAD_MAX.min(1 << steps.min(8)) };
        (Self { expected: next.cloned(), steps }, ahead)
    }
}

pub struct Walks(TtlMap<NodeId, Walk>);

impl Walks {
    pub fn new(clock: Clock) -> Self {
        Self(TtlMap::new(WALKS_MAX, clock))
    }
}

impl Namespace {
    /// A listing of this directory begins: lists ahead of the walk that it is a step of.
    pub(super) fn walk_ahead(self: &Arc<Self>, directory: &Arc<Node>) {
        let Some((parent, name)) = directory.parent().zip(directory.name()) else { return };
        let next = self.tree.lock().pages.directories_following(parent.id(), &name, AHEAD_MAX);
        let walk = self.walks.0.get(&parent.id()).unwrap_or_default();
        let (walk, ahead) = walk.step(&name, next.first());
        self.walks.0.insert(parent.id(), walk, WALK_TTL);
        for name in next.iter().take(ahead) {
            self.list_ahead(&parent, name);
        }
    }

    fn list_ahead(self: &Arc<Self>, parent: &Arc<Node>, name: &str) {
        let crate::namespace::Known::Present(directory, _) = self.known(parent, name) else { return };
        if !directory.is_directory() || self.kept_page(&directory, None).is_some() {
            return;
        }
        let namespace = self.clone();
        self.tasks.spawn("walk ahead", async move {
            // What fails here is asked for again, and told, when somebody comes to list it.
            drop(namespace.fetch(&directory, &super::Next::default()).await);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead_of(steps: &[(&str, &str)]) -> Vec<usize> {
        let mut walk = Walk::default();
        let mut counts = Vec::new();
        for (name, next) in steps {
            let (stepped, ahead) = walk.step(name, Some(&Arc::from(*next)));
            walk = stepped;
            counts.push(ahead);
        }
        counts
    }

    #[test]
    fn steps_in_order_double_what_is_listed_ahead_and_a_step_aside_ends_it() {
        assert_eq!(
            ahead_of(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("f", "g")]),
            [0, 2, 4, 8, 16, 16]
        );
        assert_eq!(ahead_of(&[("a", "b"), ("b", "c"), ("x", "y"), ("y", "z")]), [0, 2, 0, 2]);
        assert_eq!(ahead_of(&[("a", "b"), ("a", "b"), ("c", "d")]), [0, 0, 0]);
    }
}
