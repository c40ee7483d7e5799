//! Read-ahead over files: `tar`, `cp -r` and `grep -r` open the small files of a directory one after the other, and
//! at 30 ms a request each would cost 30 ms. Once two files were opened in the order of the listing, the next ones
//! are fetched in parallel, each with the one GET that its open would have sent.
//!
//! [`Run`] is pure: opens → what to fetch. [`Ahead`] keeps a run per directory and remembers what was fetched, for
//! one second: an open within it counts as validated (semantics 3).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;

use super::NodeId;
use super::seen::Seen;
use crate::base::clock::Clock;
use crate::base::ttl::TtlMap;

/// Larger files are opened with a HEAD and read through a window.
pub const SMALL_BYTES_MAX: u64 = 1 << 20;
/// What was fetched ahead answers an open for this long.
const VALID: Duration = Duration::from_secs(1);
/// Enough for 1,000 files a second at 30 ms.
const FILES_MAX: usize = 32;
const FILES_FIRST: usize = 4;
/// Directories walked at the same time.
const RUNS_MAX: usize = 256;

pub struct Ahead {
    runs: Mutex<HashMap<NodeId, Run>>,
    flying: Mutex<HashMap<Arc<str>, Flight>>,
    fetched: TtlMap<Arc<str>, Arc<Seen>>,
}

/// A fetch under way; `None` when it failed, which the open itself then has to find out about.
pub type Flight = Shared<BoxFuture<'static, Option<Arc<Seen>>>>;

impl Ahead {
    pub fn new(clock: Clock) -> Self {
        Self {
            runs: Mutex::new(HashMap::new()),
            flying: Mutex::new(HashMap::new()),
            fetched: TtlMap::new(FILES_MAX * RUNS_MAX, clock),
        }
    }

    /// A file of this directory was opened; `following` lists what comes after it. Returns what to fetch now.
    pub fn opened(
        &self,
        directory: NodeId,
        file: NodeId,
        following: impl FnOnce(usize) -> Vec<NodeId>,
    ) -> Vec<NodeId> {
        let mut runs = self.runs.lock();
        if runs.len() >= RUNS_MAX && !runs.contains_key(&directory) {
            runs.clear();
        }
        runs.entry(directory).or_default().opened(file, following)
    }

    /// Begins a fetch, unless one of this key is under way. The returned future drives it: spawn it.
    pub fn begin(
        self: &Arc<Self>,
        key: Arc<str>,
        fetch: impl Future<Output = Option<Arc<Seen>>> + Send + 'static,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut flying = self.flying.lock();
        if flying.contains_key(&key) {
            return None;
        }
        let flight = fetch.boxed().shared();
        flying.insert(key.clone(), flight.clone());
        let ahead = self.clone();
        Some(async move {
            let landed = Landing { ahead, key };
            if let Some(seen) = flight.await {
                landed.ahead.fetched.insert(landed.key.clone(), seen, VALID);
            }
        })
    }

    /// The fetch of this key that is under way.
    pub fn flight(&self, key: &str) -> Option<Flight> {
        self.flying.lock().get(key).cloned()
    }

    /// What a fetch of the last second found, for the one open that it was made for.
    pub fn take_if(&self, key: &str, wanted: impl FnOnce(&Seen) -> bool) -> Option<Arc<Seen>> {
        let seen = self.fetched.get(key).filter(|seen| wanted(seen))?;
        self.fetched.remove(key);
        Some(seen)
    }

    /// The object was changed here: what was fetched is no longer it.
    pub fn forget(&self, key: &str) {
        self.flying.lock().remove(key);
        self.fetched.remove(key);
    }
}

/// Takes the fetch off the list, also when it is dropped half way.
struct Landing {
    ahead: Arc<Ahead>,
    key: Arc<str>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.ahead.flying.lock().remove(&self.key);
    }
}

/// The opens of one directory, as far as they follow its listing.
#[derive(Debug, Default)]
struct Run {
    /// What an open in order can name: the next file alone before there is a window, then all that were asked for.
    expected: HashSet<NodeId>,
    /// Files to keep ahead; 0 before two opens were in order.
    window: usize,
}

impl Run {
    fn opened(&mut self, file: NodeId, following: impl FnOnce(usize) -> Vec<NodeId>) -> Vec<NodeId> {
        if !self.expected.remove(&file) {
            self.window = 0;
            self.expected = following(1).into_iter().collect();
            return Vec::new();
        }
        self.window = (self.window * 2).clamp(FILES_FIRST, FILES_MAX);
        let wanted = following(self.window);
        let asked = std::mem::replace(&mut self.expected, wanted.iter().copied().collect());
        wanted.into_iter().filter(|node| !asked.contains(node)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn following(file: u64) -> impl FnOnce(usize) -> Vec<NodeId> {
        move |count| (file + 1..=100).take(count).map(NodeId).collect()
    }

    fn numbers(nodes: &[NodeId]) -> Vec<u64> {
        nodes.iter().map(|node| node.0).collect()
    }

    #[test]
    fn opens_in_order_are_fetched_ahead_by_a_growing_window_and_each_once() {
        let mut run = Run::default();
        assert!(run.opened(NodeId(1), following(1)).is_empty(), "one open is no order");
        let mut fetched = Vec::new();
        for file in 2..=100 {
            let wanted = numbers(&run.opened(NodeId(file), following(file)));
            assert!(wanted.len() <= FILES_MAX);
            fetched.extend(wanted);
        }
        let expected: Vec<u64> = (3..=100).collect();
        assert_eq!(fetched, expected, "the third and all after it, once");
    }

    #[test]
    fn a_window_doubles_to_its_most() {
        let mut run = Run::default();
        run.opened(NodeId(1), following(1));
        let ahead: Vec<usize> = (2..=6)
            .map(|file| {
                run.opened(NodeId(file), following(file));
                run.window
            })
            .collect();
        assert_eq!(ahead, [4, 8, 16, 32, 32]);
    }

    #[test]
    fn opens_out_of_order_fetch_nothing() {
        let mut run = Run::default();
        for file in [1, 7, 3, 50, 2] {
            assert!(run.opened(NodeId(file), following(file)).is_empty(), "{file}");
        }
    }

    #[test]
    fn files_that_were_left_out_do_not_end_a_run() {
        let mut run = Run::default();
        run.opened(NodeId(1), following(1));
        run.opened(NodeId(2), following(2));
        assert_eq!(numbers(&run.opened(NodeId(4), following(4))), [7, 8, 9, 10, 11, 12]);
    }
}
