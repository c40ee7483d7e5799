//! The table of blocks: what is in memory or on its way, and what goes first when memory is short.
//!
//! Blocks that a streaming reader has read to their end are *spent*: the kernel's page cache has them now. Only a
//! few are kept, for readers that follow closely behind, and their memory is the next to be used, still warm.
//! Behind them go the blocks that were used longest ago. A slot that is still being filled is never evicted.
//!
//! Nothing here is dropped under the lock: evicted slots are handed to the caller.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::base::ranges::ByteRange;
use crate::base::recency::RecencyMap;
use crate::read::block::{Key, Object, Slot};
use crate::read::window::BLOCK_BYTES;
use crate::s3::ObjectRef;
use crate::telemetry::metrics;

const SPENT_MAX: usize = 32;
const SWEEP_MIN: usize = 1024;

pub struct Shelf {
    table: Mutex<Table>,
}

struct Table {
    slots: HashMap<Key, Arc<Slot>>,
    /// Ready ones, by last use.
    ready: RecencyMap<Key, ()>,
    spent: RecencyMap<Key, ()>,
    ready_bytes: u64,
    objects: HashMap<Arc<str>, Vec<Weak<Object>>>,
    next_object: u64,
    /// Names of objects that are no longer used are swept out when there are this many.
    sweep_at: usize,
}

/// What the table has for the blocks of a range, in order.
pub type Found = Vec<(Key, Option<Arc<Slot>>)>;

impl Default for Shelf {
    fn default() -> Self {
        Self {
            table: Mutex::new(Table {
                slots: HashMap::new(),
                ready: RecencyMap::unbounded(),
                spent: RecencyMap::unbounded(),
                ready_bytes: 0,
                objects: HashMap::new(),
                next_object: 0,
                sweep_at: SWEEP_MIN,
            }),
        }
    }
}

impl Shelf {
    /// The one `Object` for all references to the same content.
    pub fn object(&self, named: &ObjectRef) -> Arc<Object> {
        let mut table = self.table.lock();
        if let Some(object) = table.known(named) {
            return object;
        }
        table.sweep_names();
        let object = Arc::new(Object { id: table.next_object, named: named.clone() });
        table.next_object += 1;
        table.objects.entry(named.key.clone()).or_default().push(Arc::downgrade(&object));
        object
    }

    pub fn known(&self, named: &ObjectRef) -> Option<Arc<Object>> {
        self.table.lock().known(named)
    }

    /// The slot of every block that `range` touches, where there is one.
    pub fn find(&self, object: u64, range: ByteRange) -> Found {
        let mut table = self.table.lock();
        keys_of(object, range).map(|key| (key, table.touch(&key))).collect()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Slot>> {
        self.table.lock().touch(key)
    }

    /// The slots of all blocks in `range`. Those that are absent are made by `make`, which is given them in order
    /// and all at once, so that it can join neighbours into one download.
    pub fn claim(
        &self,
        object: u64,
        range: ByteRange,
        make: impl FnOnce(&[Key]) -> Vec<Arc<Slot>>,
    ) -> Vec<Arc<Slot>> {
        let mut table = self.table.lock();
        let absent: Vec<_> = keys_of(object, range).filter(|key| !table.slots.contains_key(key)).collect();
        if !absent.is_empty() {
            for slot in make(&absent) {
                table.slots.insert(slot.key, slot);
            }
        }
        keys_of(object, range).filter_map(|key| table.touch(&key)).collect()
    }

    /// The slot of `key`, made if there is none.
    pub fn claim_one(&self, key: Key, make: impl FnOnce() -> Arc<Slot>) -> Arc<Slot> {
        self.table.lock().slots.entry(key).or_insert_with(make).clone()
    }

    /// Adds a slot whose bytes are there, unless another has its place.
    pub fn add(&self, slot: Arc<Slot>) {
        let mut table = self.table.lock();
        if let Entry::Vacant(place) = table.slots.entry(slot.key) {
            place.insert(slot.clone());
            table.shelve(&slot);
        }
    }

    /// From now on the slot may be evicted. Returns what has to go for it.
    pub fn became_ready(&self, slot: &Arc<Slot>) -> Option<Arc<Slot>> {
        let mut table = self.table.lock();
        if table.holds(slot) {
            table.shelve(slot);
        }
        table.take_surplus()
    }

    /// A streaming reader has read all of it. Returns what has to go for that.
    pub fn spend(&self, slot: &Arc<Slot>) -> Option<Arc<Slot>> {
        let mut table = self.table.lock();
        slot.mark_spent();
        if table.holds(slot) && table.ready.pop(&slot.key).is_some() {
            table.spent.put(slot.key, ());
        }
        table.take_surplus()
    }

    /// Takes a slot out that is not ready, so that the next reader starts afresh.
    pub fn withdraw(&self, slot: &Arc<Slot>) {
        let mut table = self.table.lock();
        if table.holds(slot) {
            table.slots.remove(&slot.key);
        }
    }

    /// Takes out what can best be spared.
    pub fn evict(&self) -> Option<Arc<Slot>> {
        let mut table = self.table.lock();
        let (key, ()) = table.spent.pop_lru().or_else(|| table.ready.pop_lru())?;
        let slot = table.take(&key)?;
        if slot.is_unread() {
            metrics::READ_EVICTED_UNREAD.add(1);
        }
        Some(slot)
    }

    /// Takes out all ready blocks of an object.
    pub fn forget(&self, object: u64) -> Vec<Arc<Slot>> {
        let mut table = self.table.lock();
        let keys: Vec<_> = table
            .ready
            .iter()
            .chain(table.spent.iter())
            .map(|(key, ())| *key)
            .filter(|key| key.object == object)
            .collect();
        keys.iter()
            .filter_map(|key| {
                table.ready.pop(key).or_else(|| table.spent.pop(key))?;
                table.take(key)
            })
            .collect()
    }

    pub fn ready_bytes(&self) -> u64 {
        self.table.lock().ready_bytes
    }
}

impl Table {
    fn known(&self, named: &ObjectRef) -> Option<Arc<Object>> {
        let same = self.objects.get(&named.key)?.iter().filter_map(Weak::upgrade);
        same.into_iter().find(|object| object.named.same_content(named))
    }

    fn touch(&mut self, key: &Key) -> Option<Arc<Slot>> {
        self.ready.promote(key);
        self.spent.promote(key);
        self.slots.get(key).cloned()
    }

    fn holds(&self, slot: &Arc<Slot>) -> bool {
        self.slots.get(&slot.key).is_some_and(|known| Arc::ptr_eq(known, slot))
    }

    fn shelve(&mut self, slot: &Slot) {
        // Its reader may have been faster than the download's last step.
        let list = if slot.is_spent() { &mut self.spent } else { &mut self.ready };
        list.put(slot.key, ());
        self.ready_bytes += slot.size();
        metrics::READ_CACHED_BYTES.add(slot.size());
    }

    fn take_surplus(&mut self) -> Option<Arc<Slot>> {
        let surplus = self.spent.len() > SPENT_MAX;
        let (key, ()) = surplus.then(|| self.spent.pop_lru()).flatten()?;
        self.take(&key)
    }

    /// Of a slot that is off the lists already.
    fn take(&mut self, key: &Key) -> Option<Arc<Slot>> {
        let slot = self.slots.remove(key)?;
        self.ready_bytes -= slot.size();
        metrics::READ_CACHED_BYTES.sub(slot.size());
        Some(slot)
    }

    fn sweep_names(&mut self) {
        if self.objects.len() < self.sweep_at {
            return;
        }
        self.objects.retain(|_, versions| {
            versions.retain(|object| object.strong_count() > 0);
            !versions.is_empty()
        });
        self.sweep_at = SWEEP_MIN.max(2 * self.objects.len());
    }
}

fn keys_of(object: u64, range: ByteRange) -> impl Iterator<Item = Key> {
    (range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES))
        .map(move |index| Key::of_block(object, index))
}
