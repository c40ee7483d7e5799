//! Pure: from the order of the store to an order in which names are decided.
//!
//! The store sorts `a` before `a-` before `a/`: when the file `a` comes by, it is not known yet whether a directory
//! `a` will shadow it. So a file is held back until its name with a slash has been passed. What is held are always
//! prefixes of one another, so there are at most as many as a name has bytes. The result is sorted by name + `/`,
//! files and directories alike: a total order that pages and local changes can be merged in.

use super::page::Hidden;
use crate::namespace::entry::{Entry, Position};

/// Files that are not decided yet, each a proper prefix of the next.
#[derive(Clone, Debug, Default)]
pub struct Order {
    held: Vec<Entry>,
}

impl Order {
    /// Feeds entries in the order of the store up to the key `upto` (`None`: to the end), and takes out what is decided.
    pub fn feed(&mut self, entries: &[Entry], upto: Option<&str>, hidden: &mut Hidden) -> Vec<Entry> {
        let mut decided = Vec::with_capacity(entries.len());
        for entry in entries {
            self.pass(entry.position(), &mut decided);
            if entry.is_directory() {
                self.shadow(entry, hidden);
                decided.push(entry.clone());
            } else {
                self.held.push(entry.clone());
            }
        }
        match upto {
            Some(key) => self.pass(Position::of_key(key), &mut decided),
            None => decided.extend(self.held.drain(..).rev()),
        }
        decided
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The order has come to this position: what is held and would be shadowed by an earlier one is free.
    fn pass(&mut self, position: Position<'_>, decided: &mut Vec<Entry>) {
        while let Some(last) = self.held.last()
            && place(&last.name) < position
        {
            decided.extend(self.held.pop());
        }
    }

    fn shadow(&mut self, directory: &Entry, hidden: &mut Hidden) {
        if self.held.last().is_some_and(|last| last.name == directory.name) {
            self.held.pop();
            hidden.count(&directory.name);
        }
    }
}

/// Where a name stands in the order of decided names.
pub fn place(name: &str) -> Position<'_> {
    Position { name, slash: true }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::namespace::entry::{Tag, Version};

    fn entry(key: &str) -> Entry {
        let position = Position::of_key(key);
        let name: Arc<str> = position.name.into();
        if position.slash {
            return Entry::directory(name);
        }
        let modified = std::time::SystemTime::UNIX_EPOCH.into();
        Entry::file(name, Version { tag: Tag::Other("e".into()), size: 1, modified, id: None })
    }

    fn ordered(pages: &[&[&str]]) -> (Vec<String>, u64) {
        let mut order = Order::default();
        let mut hidden = Hidden::default();
        let mut names = Vec::new();
        for (index, page) in pages.iter().enumerate() {
            let upto = (index + 1 < pages.len()).then(|| page.last().copied()).flatten();
            let entries: Vec<Entry> = page.iter().map(|key| entry(key)).collect();
            let decided = order.feed(&entries, upto, &mut hidden);
            names.extend(
                decided
                    .iter()
                    .map(|entry| format!("{}{}", entry.name, if entry.is_directory() { "/" } else { "" })),
            );
        }
        (names, hidden.keys)
    }

    #[test]
    fn a_file_is_shadowed_by_a_directory_that_comes_later() {
        assert_eq!(ordered(&[&["a", "a-", "a/", "a0"]]), (vec!["a-".into(), "a/".into(), "a0".into()], 1));
        assert_eq!(ordered(&[&["a", "a-"], &["a/", "a0"]]), (vec!["a-".into(), "a/".into(), "a0".into()], 1));
        assert_eq!(ordered(&[&["a", "a-", "a.b", "a0"]]).0, ["a-", "a.b", "a", "a0"]);
        assert_eq!(
            ordered(&[&["a"], &["a-", "a-/"], &["a-0"]]),
            (vec!["a-/".into(), "a-0".into(), "a".into()], 1)
        );
    }

    proptest! {
        /// KY-09: any set of keys over the bytes around the slash, cut into pages anywhere.
        #[test]
        fn every_name_comes_once_in_one_order_and_the_directory_wins(
            keys in prop::collection::btree_set("[-.0a]{1,3}/?", 0..40),
            page in 1usize..6,
        ) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let pages: Vec<&[&str]> = keys.chunks(page).collect();
            let (names, hidden) = ordered(&pages);
            let mut expected: Vec<&str> = keys.clone();
            expected.retain(|key| key.ends_with('/') || !keys.contains(&format!("{key}/").as_str()));
            expected.sort_by_key(|key| format!("{}/", key.trim_end_matches('/')));
            prop_assert_eq!(&names, &expected);
            prop_assert_eq!(hidden as usize, keys.len() - expected.len());
        }
    }
}
