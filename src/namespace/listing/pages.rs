//! Pages of listings that are kept for a while, over all directories, within a bound of bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::page::Page;
use crate::namespace::entry::{Entry, Position};
use crate::namespace::inode::NodeId;
use crate::namespace::overlay::Moment;

/// About 200,000 entries.
const BYTES_MAX: usize = 32 << 20;

#[derive(Debug, Default)]
pub struct Pages {
    directories: HashMap<NodeId, Vec<Arc<Page>>>,
    /// Oldest first; a page that was dropped meanwhile is found to be gone when its turn comes.
    order: VecDeque<(NodeId, Weak<Page>)>,
    count: usize,
    bytes: usize,
}

/// What the pages say of a name: `None` in `entry` is that it is not there.
#[derive(Debug)]
pub struct Found {
    pub entry: Option<Entry>,
    pub of_new_directory: bool,
    pub moment: Moment,
    pub at: Instant,
}

impl Pages {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The page that begins right after this key.
    pub fn beginning(&self, directory: NodeId, after: Option<&str>) -> Option<&Arc<Page>> {
        self.directories.get(&directory)?.iter().find(|page| page.after.as_deref() == after)
    }

    fn covering(&self, directory: NodeId, position: Position<'_>) -> Option<&Arc<Page>> {
        self.directories.get(&directory)?.iter().find(|page| page.covers(position))
    }

    /// What is said of a name: of the directory of that name first, since it would win.
    pub fn find(&self, directory: NodeId, name: &str) -> Option<Found> {
        let as_directory = Position { name, slash: true };
        let late = self.covering(directory, as_directory)?;
        if let Some(entry) = late.entry(as_directory) {
            return Some(Found {
                entry: Some(entry.clone()),
                of_new_directory: late.of_new_directory,
                moment: late.moment,
                at: late.at,
            });
        }
        let as_file = Position { name, slash: false };
        let early = self.covering(directory, as_file)?;
        let entry = early.entry(as_file).cloned();
        Some(Found {
            entry,
            of_new_directory: early.of_new_directory && late.of_new_directory,
            moment: early.moment.min(late.moment),
            at: early.at.min(late.at),
        })
    }

    /// Up to `count` entries that follow a file, of pages that lie back to back.
    pub fn following(&self, directory: NodeId, name: &str, count: usize) -> Vec<(Entry, Arc<Page>)> {
        let position = Position { name, slash: false };
        let mut following = Vec::new();
        let mut next = self.covering(directory, position);
        while let Some(page) = next.filter(|_| following.len() < count) {
            let wanted = page.entries_after(position).iter().filter(|entry| !entry.is_directory());
            following.extend(wanted.take(count - following.len()).map(|entry| (entry.clone(), page.clone())));
            next = page.upto.as_deref().and_then(|upto| self.beginning(directory, Some(upto)));
        }
        following
    }

    /// Up to `count` directories that follow a directory in the order of the store.
    pub fn directories_following(&self, directory: NodeId, name: &str, count: usize) -> Vec<Arc<str>> {
        let position = Position { name, slash: true };
        let mut following = Vec::new();
        let mut next = self.covering(directory, position);
        while let Some(page) = next.filter(|_| following.len() < count) {
            let wanted = page.entries_after(position).iter().filter(|entry| entry.is_directory());
            following.extend(wanted.take(count - following.len()).map(|entry| entry.name.clone()));
            next = page.upto.as_deref().and_then(|upto| self.beginning(directory, Some(upto)));
        }
        following
    }

    /// Keeps a page in place of those that speak of the same keys.
    pub fn insert(&mut self, directory: NodeId, page: Arc<Page>) {
        self.drop_where(directory, |other| overlap(other, &page));
        self.bytes += page.bytes();
        self.count += 1;
        self.order.push_back((directory, Arc::downgrade(&page)));
        self.directories.entry(directory).or_default().push(page);
        while self.bytes > BYTES_MAX
            && let Some((directory, oldest)) = self.order.pop_front()
        {
            self.drop_where(directory, |page| std::ptr::eq(page, oldest.as_ptr()));
        }
        if self.order.len() > 2 * self.count + 64 {
            self.order.retain(|(_, page)| page.strong_count() > 0);
        }
    }

    pub fn drop_directory(&mut self, directory: NodeId) {
        self.drop_where(directory, |_| true);
    }

    pub fn drop_directories(&mut self, unwanted: impl Fn(NodeId) -> bool) {
        let unwanted: Vec<NodeId> = self.directories.keys().copied().filter(|id| unwanted(*id)).collect();
        unwanted.into_iter().for_each(|id| self.drop_directory(id));
    }

    /// Drops pages that know nothing of a change that is about to be forgotten.
    pub fn drop_older(&mut self, directory: NodeId, than: Moment) {
        self.drop_where(directory, |page| page.moment < than);
    }

    fn drop_where(&mut self, directory: NodeId, unwanted: impl Fn(&Page) -> bool) {
        let Some(pages) = self.directories.get_mut(&directory) else { return };
        let (mut count, mut bytes) = (0, 0);
        pages.retain(|page| {
            let keep = !unwanted(page);
            if !keep {
                count += 1;
                bytes += page.bytes();
            }
            keep
        });
        if pages.is_empty() {
            self.directories.remove(&directory);
        }
        self.count -= count;
        self.bytes -= bytes;
    }
}

fn overlap(a: &Page, b: &Page) -> bool {
    let begins_before_end = |a: &Page, b: &Page| match (a.after.as_deref(), b.upto.as_deref()) {
        (None, _) | (_, None) => true,
        (Some(after), Some(upto)) => Position::of_key(after) < Position::of_key(upto),
    };
    begins_before_end(a, b) && begins_before_end(b, a)
}
