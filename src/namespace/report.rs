//! What `holdfs status` shows of names: how many are known, what that takes, and what cannot be shown.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use parking_lot::Mutex;
use serde::Serialize;

use super::listing::Hidden;
use super::{Namespace, Node};

/// Directories whose hidden keys are told one by one.
const DIRECTORIES_MAX: usize = 1000;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub nodes: usize,
    pub nodes_bytes: u64,
    pub cached_pages: usize,
    pub cached_pages_bytes: u64,
    /// Names that this mount changed and that the store may not show yet.
    pub local_changes: usize,
    /// Directories with keys that are not shown, as last listed.
    pub hidden: Vec<HiddenIn>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HiddenIn {
    /// Key of the directory.
    pub directory: String,
    pub keys: u64,
    /// A whole key.
    pub example: String,
}

/// By the key of the directory. What was warned of once stays, with no keys if there are none any more.
#[derive(Debug, Default)]
pub(super) struct HiddenKeys(Mutex<BTreeMap<String, Hidden>>);

impl HiddenKeys {
    /// Notes what a listing of the whole directory left out; tells if that is news.
    fn note(&self, directory: &str, hidden: Hidden) -> bool {
        let mut directories = self.0.lock();
        let room = directories.len() < DIRECTORIES_MAX;
        match directories.entry(directory.to_owned()) {
            Entry::Occupied(mut known) => {
                known.insert(hidden);
                false
            }
            Entry::Vacant(free) if hidden.keys > 0 && room => {
                free.insert(hidden);
                true
            }
            Entry::Vacant(_) => false,
        }
    }

    fn list(&self) -> Vec<HiddenIn> {
        let directories = self.0.lock();
        let some = directories.iter().filter(|(_, hidden)| hidden.keys > 0);
        let told = some.map(|(directory, hidden)| HiddenIn {
            directory: directory.clone(),
            keys: hidden.keys,
            example: format!("{directory}{}", hidden.example.as_deref().unwrap_or_default()),
        });
        told.collect()
    }
}

impl Namespace {
    pub(super) fn note_hidden(&self, directory: &Node, hidden: Hidden) {
        let key = directory.key();
        let (keys, example) = (hidden.keys, hidden.example.clone().unwrap_or_default());
        if self.hidden.note(&key, hidden) {
            tracing::warn!(
                directory = &*key,
                keys,
                "some keys cannot be shown as files, for example {example:?}: they are left alone, and `holdfs object` \
                 reaches them"
            );
        }
    }

    pub fn report(&self) -> Report {
        let mut tree = self.tree.lock();
        tree.purge();
        Report {
            nodes: tree.table.len(),
            nodes_bytes: tree.table.bytes(),
            cached_pages: tree.pages.len(),
            cached_pages_bytes: tree.pages.bytes() as u64,
            local_changes: tree.overlay.len(),
            hidden: self.hidden.list(),
        }
    }
}
