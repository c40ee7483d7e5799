//! Entries with an expiry, positive or negative, in a bounded map.
//!
//! The map forgets the entry used longest ago when it is full, and an expired one when it is asked for it.

use std::borrow::Borrow;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::base::clock::Clock;
use crate::base::recency::RecencyMap;

pub struct TtlMap<K, V> {
    clock: Clock,
    entries: Mutex<RecencyMap<K, Entry<V>>>,
}

struct Entry<V> {
    value: V,
    /// `None` lives for ever.
    expires: Option<Instant>,
}

impl<K: Hash + Eq, V: Clone> TtlMap<K, V> {
    pub fn new(capacity: usize, clock: Clock) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self { clock, entries: Mutex::new(RecencyMap::sparse(capacity)) }
    }

    pub fn get<Q: ?Sized + Hash + Eq>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.live(key).map(|(value, _)| value)
    }

    /// How long the entry has still to live; `Duration::MAX` for one that never expires.
    pub fn remaining<Q: ?Sized + Hash + Eq>(&self, key: &Q) -> Option<Duration>
    where
        K: Borrow<Q>,
    {
        self.live(key).map(|(_, left)| left)
    }

    /// The value and how long it has still to live.
    pub fn live<Q: ?Sized + Hash + Eq>(&self, key: &Q) -> Option<(V, Duration)>
    where
        K: Borrow<Q>,
    {
        let now = self.clock.now();
        let mut entries = self.entries.lock();
        let entry = entries.get(key)?;
        let left = entry.expires.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        if left.is_zero() {
            entries.pop(key);
            return None;
        }
        Some((entry.value.clone(), left))
    }

    /// A time to live beyond what the clock can count never expires; one of zero is not kept.
    pub fn insert(&self, key: K, value: V, ttl: Duration) {
        let expires = self.clock.now().checked_add(ttl);
        let mut entries = self.entries.lock();
        if ttl.is_zero() {
            entries.pop(&key);
        } else {
            entries.put(key, Entry { value, expires });
        }
    }

    pub fn remove<Q: ?Sized + Hash + Eq>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.lock().pop(key).map(|entry| entry.value)
    }

    /// Keeps what `keep` says; it must not call back into this map.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.lock().retain(|key, entry| keep(key, &entry.value));
    }

    pub fn clear(&self) {
        self.entries.lock().clear();
    }

    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_entry_ends_with_its_time() {
        let clock = Clock::manual();
        let map = TtlMap::new(4, clock.clone());
        map.insert("a".to_owned(), 1, 2 * SECOND);
        map.insert("for ever".to_owned(), 2, Duration::MAX);
        clock.advance(SECOND);
        assert_eq!((map.get("a"), map.remaining("a")), (Some(1), Some(SECOND)));
        clock.advance(SECOND);
        assert_eq!((map.get("a"), map.get("for ever")), (None, Some(2)));
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn a_time_of_zero_is_not_kept_and_replaces_what_was() {
        let map = TtlMap::new(4, Clock::manual());
        map.insert("a", 1, SECOND);
        map.insert("a", 2, Duration::ZERO);
        assert_eq!(map.get("a"), None);
    }

    #[test]
    fn the_longest_unused_entry_makes_room() {
        let map = TtlMap::new(2, Clock::manual());
        map.insert(1, 'a', SECOND);
        map.insert(2, 'b', SECOND);
        map.get(&1);
        map.insert(3, 'c', SECOND);
        assert_eq!([1, 2, 3].map(|key| map.get(&key)), [Some('a'), None, Some('c')]);
        map.retain(|key, _| *key == 3);
        assert_eq!(map.remove(&3), Some('c'));
        assert!(map.is_empty());
    }
}
