//! One byte budget for the whole process.
//!
//! Every buffer that holds file bytes is paid for with a [`Permit`]. Foreground work (an application waits
//! for it) may use all of the budget; background work (read-ahead, uploads) leaves a reserve, so that it can
//! never starve a reader. Each priority is served first come, first served: a small wish never overtakes a
//! large one of its own priority, and a wish beyond the limit is granted alone.
//!
//! Caches pay for what they keep, too. They register a [`Reclaim`], which is asked for bytes when somebody has
//! to wait, and give back at once what falls idle while [`Budget::wanted_bytes`] is not zero.
//!
//! Invariants: a waiter exists only while it cannot be granted; a permit is given back exactly once, by its
//! drop, also when the future that waited for it was dropped first.

mod detect;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Who waits for the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    Foreground,
    Background,
}

/// Keeps bytes that it can do without.
pub trait Reclaim: Send + Sync {
    /// Gives back at least `bytes` if it can, by dropping their permits. Called with no lock held.
    fn reclaim(&self, bytes: u64);
}

/// Cheap to clone: all clones share one account.
#[derive(Clone)]
pub struct Budget(Arc<Account>);

struct Account {
    capacity_bytes: u64,
    state: Mutex<State>,
    reclaimers: Mutex<Vec<Weak<dyn Reclaim>>>,
}

#[derive(Default)]
struct State {
    used_bytes: u64,
    foreground: VecDeque<Waiter>,
    background: VecDeque<Waiter>,
}

struct Waiter {
    bytes: u64,
    grant: oneshot::Sender<Permit>,
}

/// A share of the budget, given back on drop.
pub struct Permit {
    bytes: u64,
    account: Arc<Account>,
}

impl Permit {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.account.give_back(self.bytes);
    }
}

impl Budget {
    pub fn new(capacity_bytes: u64) -> Self {
        let (state, reclaimers) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Account { capacity_bytes: capacity_bytes.max(1), state, reclaimers }))
    }

    /// A share of what the machine or the tightest enclosing cgroup (v1 or v2) allows, capped.
    pub fn detect_capacity_bytes() -> u64 {
        detect::capacity_bytes(std::path::Path::new("/"))
    }

    /// At once or not at all; never overtakes who already waits.
    pub fn try_acquire(&self, bytes: u64, priority: Priority) -> Option<Permit> {
        let mut state = self.0.state.lock();
        let free = state.is_next(priority) && self.0.fits(&state, bytes, priority);
        free.then(|| self.0.grant(&mut state, bytes))
    }

    /// Waits its turn; never waits for more than the capacity (a larger wish is granted alone).
    pub async fn acquire(&self, bytes: u64, priority: Priority) -> Permit {
        if let Some(permit) = self.try_acquire(bytes, priority) {
            return permit;
        }
        let (grant, receiver) = oneshot::channel();
        self.0.state.lock().queue(priority).push_back(Waiter { bytes, grant });
        let mut turn = Turn { receiver: Some(receiver), account: &self.0 };
        self.0.reclaim(bytes);
        // The state may have changed between the attempt and the queueing.
        self.0.serve();
        turn.wait().await
    }

    pub fn used_bytes(&self) -> u64 {
        self.0.state.lock().used_bytes
    }

    pub fn capacity_bytes(&self) -> u64 {
        self.0.capacity_bytes
    }

    /// Bytes that somebody waits for.
    pub fn wanted_bytes(&self) -> u64 {
        let state = self.0.state.lock();
        state.foreground.iter().chain(&state.background).map(|waiter| waiter.bytes).sum()
    }

    /// `keeper` is asked for bytes when somebody has to wait, for as long as it lives.
    pub fn on_shortage(&self, keeper: Weak<dyn Reclaim>) {
        let mut reclaimers = self.0.reclaimers.lock();
        reclaimers.retain(|known| known.strong_count() > 0);
        reclaimers.push(keeper);
    }
}

impl State {
    fn queue(&mut self, priority: Priority) -> &mut VecDeque<Waiter> {
        match priority {
            Priority::Foreground => &mut self.foreground,
            Priority::Background => &mut self.background,
        }
    }

    /// Nobody of the same or a higher priority waits.
    fn is_next(&self, priority: Priority) -> bool {
        self.foreground.is_empty() && (priority == Priority::Foreground || self.background.is_empty())
    }

    fn next_priority(&mut self) -> Option<Priority> {
        for priority in [Priority::Foreground, Priority::Background] {
            let queue = self.queue(priority);
            queue.retain(|waiter| !waiter.grant.is_closed());
            if !queue.is_empty() {
                return Some(priority);
            }
        }
        None
    }
}

impl Account {
    fn fits(&self, state: &State, bytes: u64, priority: Priority) -> bool {
        let limit = match priority {
            Priority::Foreground => self.capacity_bytes,
            Priority::Background => self.capacity_bytes - self.capacity_bytes / 4,
        };
        state.used_bytes == 0 || state.used_bytes.saturating_add(bytes) <= limit
    }

    fn grant(self: &Arc<Self>, state: &mut State, bytes: u64) -> Permit {
        state.used_bytes += bytes;
        Permit { bytes, account: self.clone() }
    }

    fn give_back(self: &Arc<Self>, bytes: u64) {
        if bytes > 0 {
            self.state.lock().used_bytes -= bytes;
            self.serve();
        }
    }

    /// Grants what fits now, in order. Permits travel outside the lock: one that finds its receiver gone drops,
    /// and comes back here.
    fn serve(self: &Arc<Self>) {
        while let Some((grant, permit)) = self.next_grant() {
            drop(grant.send(permit));
        }
    }

    fn next_grant(self: &Arc<Self>) -> Option<(oneshot::Sender<Permit>, Permit)> {
        let mut state = self.state.lock();
        let priority = state.next_priority()?;
        let bytes = state.queue(priority).front()?.bytes;
        if !self.fits(&state, bytes, priority) {
            return None;
        }
        let waiter = state.queue(priority).pop_front()?;
        Some((waiter.grant, self.grant(&mut state, bytes)))
    }

    fn reclaim(&self, bytes: u64) {
        let keepers: Vec<_> = self.reclaimers.lock().iter().filter_map(Weak::upgrade).collect();
        keepers.iter().for_each(|keeper| keeper.reclaim(bytes));
    }
}

/// A place in the queue. Leaving early lets those behind move up.
struct Turn<'a> {
    receiver: Option<oneshot::Receiver<Permit>>,
    account: &'a Arc<Account>,
}

impl Turn<'_> {
    async fn wait(&mut self) -> Permit {
        if let Some(receiver) = &mut self.receiver
            && let Ok(permit) = receiver.await
        {
            self.receiver = None;
            return permit;
        }
        // The sender is in the queue or spent on a permit; it is never dropped otherwise while we listen.
        unreachable!("a waiter left the queue without a permit")
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.receiver.take().is_some() {
            self.account.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::Priority::{Background, Foreground};
    use super::*;

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn background_leaves_a_reserve_to_foreground() {
        let budget = Budget::new(100);
        let read_ahead = budget.try_acquire(75, Background).unwrap();
        assert!(budget.try_acquire(1, Background).is_none());
        let reader = budget.try_acquire(25, Foreground).unwrap();
        assert!(budget.try_acquire(1, Foreground).is_none());
        drop((read_ahead, reader));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_small_wish_does_not_overtake_a_large_one() {
        let budget = Budget::new(100);
        let held = budget.try_acquire(60, Foreground).unwrap();
        let mut large = pin!(budget.acquire(80, Foreground));
        assert!(poll(large.as_mut()).is_none());
        assert!(budget.try_acquire(10, Foreground).is_none());
        let mut small = pin!(budget.acquire(10, Foreground));
        assert!(poll(small.as_mut()).is_none());
        assert_eq!(budget.wanted_bytes(), 90);
        drop(held);
        let large = poll(large.as_mut()).unwrap();
        assert_eq!((large.bytes(), poll(small.as_mut()).unwrap().bytes()), (80, 10));
    }

    #[test]
    fn foreground_is_served_before_background_that_came_first() {
        let budget = Budget::new(100);
        let held = budget.try_acquire(100, Foreground).unwrap();
        let (mut ahead, mut reader) =
            (pin!(budget.acquire(70, Background)), pin!(budget.acquire(50, Foreground)));
        assert!(poll(ahead.as_mut()).is_none() && poll(reader.as_mut()).is_none());
        drop(held);
        let reader = poll(reader.as_mut()).unwrap();
        assert!(poll(ahead.as_mut()).is_none());
        drop(reader);
        assert!(poll(ahead.as_mut()).is_some());
    }

    #[test]
    fn a_wish_beyond_the_capacity_is_granted_alone() {
        let budget = Budget::new(100);
        let held = budget.try_acquire(1, Foreground).unwrap();
        let mut huge = pin!(budget.acquire(1000, Background));
        assert!(poll(huge.as_mut()).is_none());
        drop(held);
        let huge = poll(huge.as_mut()).unwrap();
        assert!(budget.try_acquire(1, Foreground).is_none());
        drop(huge);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_dropped_waiter_lets_those_behind_move_up_and_leaks_nothing() {
        let budget = Budget::new(100);
        let held = budget.try_acquire(60, Foreground).unwrap();
        let mut large = Box::pin(budget.acquire(80, Foreground));
        let mut small = pin!(budget.acquire(40, Foreground));
        assert!(poll(large.as_mut()).is_none() && poll(small.as_mut()).is_none());
        drop(large);
        let small = poll(small.as_mut()).unwrap();
        drop((held, small));
        // Granted, but dropped before it was looked at.
        let held = budget.try_acquire(100, Foreground).unwrap();
        let mut late = Box::pin(budget.acquire(10, Foreground));
        assert!(poll(late.as_mut()).is_none());
        drop(held);
        assert_eq!(budget.used_bytes(), 10);
        drop(late);
        assert_eq!((budget.used_bytes(), budget.wanted_bytes()), (0, 0));
    }

    struct Keeper(Mutex<Vec<Permit>>);
    impl Reclaim for Keeper {
        fn reclaim(&self, _bytes: u64) {
            let kept = std::mem::take(&mut *self.0.lock());
            drop(kept);
        }
    }

    #[test]
    fn a_cache_is_asked_before_anybody_waits() {
        let budget = Budget::new(100);
        let keeper: Arc<Keeper> = Arc::new(Keeper(Mutex::default()));
        let weak: Weak<Keeper> = Arc::downgrade(&keeper);
        budget.on_shortage(weak);
        keeper.0.lock().push(budget.try_acquire(100, Foreground).unwrap());
        assert_eq!(poll(pin!(budget.acquire(50, Foreground))).unwrap().bytes(), 50);
    }
}
