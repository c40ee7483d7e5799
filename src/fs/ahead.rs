//! Read-ahead over files: `tar`, `cp -r` and `grep -r` open the small files of a directory one after the other, and
//! at 30 ms a request each would cost 30 ms. Once two files were opened in the order of the listing, the next ones
//! are fetched in parallel, each with the one GET that its open would have sent.
//!
//! [`Run`] is pure: opens → what to fetch. [`Ahead`] keeps a run per directory and remembers what was fetched: an
//! open within one second after its fetch *began* counts as validated (semantics 3). A fetch that takes longer
//! validates nothing; its bytes are in memory then, and the open only asks whether they are still the object.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;

use super::NodeId;
use super::seen::Seen;
use crate::base::clock::Clock;
use crate::base::ttl::TtlMap;

/// Larger files are opened with a HEAD and read through a window.
pub const SMALL_BYTES_MAX: u64 = 1 << 20;
/// What was fetched ahead answers an open for this long after the fetch began.
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
    clock: Clock,
}

/// A fetch under way.
#[derive(Clone)]
pub struct Flight {
    answer: Shared<BoxFuture<'static, Option<Arc<Seen>>>>,
    valid_until: Instant,
}

impl Flight {
    /// What the store said; `None` when the fetch failed or took too long to validate an open, which then has to
    /// ask by itself.
    pub async fn landed(self, clock: &Clock) -> Option<Arc<Seen>> {
        let seen = self.answer.await?;
        (clock.now() < self.valid_until).then_some(seen)
    }
}

impl Ahead {
    pub fn new(clock: Clock) -> Self {
        Self {
            runs: Mutex::new(HashMap::new()),
            flying: Mutex::new(HashMap::new()),
            fetched: TtlMap::new(FILES_MAX * RUNS_MAX, clock.clone()),
            clock,
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
        let valid_until = self.clock.now() + VALID;
        let flight = Flight { answer: fetch.boxed().shared(), valid_until };
        flying.insert(key.clone(), flight.clone());
        let landing = Landing { ahead: self.clone(), key, flight: flight.answer.clone() };
        Some(async move {
            let seen = flight.answer.await;
            landing.land(seen, valid_until);
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
    flight: Shared<BoxFuture<'static, Option<Arc<Seen>>>>,
}

impl Landing {
    /// Keeps what was seen, unless the object was changed here meanwhile ([`Ahead::forget`]).
    fn land(self, seen: Option<Arc<Seen>>, valid_until: Instant) {
        let flying = self.ahead.flying.lock();
        let valid = valid_until.saturating_duration_since(self.ahead.clock.now());
        if let Some(seen) = seen
            && self.is_listed(&flying)
        {
            self.ahead.fetched.insert(self.key.clone(), seen, valid);
        }
    }

    fn is_listed(&self, flying: &HashMap<Arc<str>, Flight>) -> bool {
        flying.get(&self.key).is_some_and(|flight| flight.answer.ptr_eq(&self.flight))
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flying = self.ahead.flying.lock();
        if self.is_listed(&flying) {
            flying.remove(&self.key);
        }
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

    fn seen(etag: &str) -> Option<Arc<Seen>> {
        let object = crate::s3::ObjectRef {
            key: "k".into(),
            etag: crate::s3::ETag(etag.into()),
            last_modified: std::time::SystemTime::UNIX_EPOCH,
            version: None,
            size: 1,
        };
        Some(Arc::new(Seen { object, headers: Arc::default() }))
    }

    #[tokio::test]
    async fn a_fetch_answers_for_a_second_after_it_began_and_one_open() {
        let clock = Clock::manual();
        let ahead = Arc::new(Ahead::new(clock.clone()));
        ahead.begin("k".into(), async { seen("a") }).expect("none is under way").await;
        assert!(ahead.take_if("k", |_| true).is_some());
        assert!(ahead.take_if("k", |_| true).is_none(), "for one open");
        ahead.begin("k".into(), async { seen("b") }).expect("it landed").await;
        clock.advance(VALID);
        assert!(ahead.take_if("k", |_| true).is_none());
    }

    #[tokio::test]
    async fn a_fetch_that_took_long_validates_nothing() {
        let clock = Clock::manual();
        let ahead = Arc::new(Ahead::new(clock.clone()));
        let slow = ahead.begin("k".into(), async { seen("a") }).expect("none is under way");
        let joined = ahead.flight("k").expect("is under way");
        clock.advance(VALID);
        slow.await;
        assert!(joined.landed(&clock).await.is_none());
        assert!(ahead.take_if("k", |_| true).is_none());
        assert!(ahead.flight("k").is_none());
    }

    #[tokio::test]
    async fn a_fetch_that_an_own_change_overtook_is_forgotten() {
        let ahead = Arc::new(Ahead::new(Clock::manual()));
        let before = ahead.begin("k".into(), async { seen("old") }).expect("none is under way");
        ahead.forget("k");
        let after = ahead.begin("k".into(), async { seen("new") }).expect("the other does not count");
        before.await;
        assert!(ahead.take_if("k", |_| true).is_none());
        after.await;
        let taken = ahead.take_if("k", |_| true).expect("is kept");
        assert_eq!(&*taken.object.etag.0, "new");
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
