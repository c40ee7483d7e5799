//! Listings: pages of keys with common prefixes, over a sorted map.
//!
//! A common prefix costs one jump in the map, however many keys lie under it. A page ends at its limit; whether
//! there is more is known by having found the next entry, so that the last page never says it is truncated.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::multipart::{Start as UploadStart, Upload};
use super::version::{Version, VersionId};

#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub prefix: &'a str,
    /// Empty: none.
    pub delimiter: &'a str,
    pub limit: usize,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    First,
    /// Behind this key; if it is a common prefix, behind all that lies under it.
    After(&'a str),
    /// At this key, behind one of its entries (a version or an upload).
    Within(&'a str, &'a str),
}

#[derive(Debug)]
pub struct Page<T> {
    pub entries: Vec<T>,
    pub prefixes: Vec<String>,
    /// Where the next page begins, if there is one: a key or a common prefix, and the entry of that key.
    pub next: Option<(String, Option<String>)>,
}

/// A version in a listing.
#[derive(Debug)]
pub struct VersionEntry {
    pub key: String,
    pub version: Arc<Version>,
    pub latest: bool,
}

type Keys = BTreeMap<String, Vec<Arc<Version>>>;

/// Current objects.
pub fn objects(keys: &Keys, query: Query<'_>, start: Start<'_>) -> Page<(String, Arc<Version>)> {
    let mut page = Filling::new(query.limit);
    let current =
        |versions: &Vec<Arc<Version>>| versions.last().filter(|version| !version.is_marker()).cloned();
    walk(
        keys,
        query,
        start,
        |versions| current(versions).is_some(),
        |step| match step {
            Step::Prefix(prefix) => page.prefix(prefix),
            Step::Key(key, versions) => match current(versions) {
                Some(version) => page.entry(key, None, || (key.to_owned(), version)),
                None => ControlFlow::Continue(()),
            },
        },
    );
    page.done()
}

/// All versions and delete markers, of each key the newest first.
pub fn versions(keys: &Keys, query: Query<'_>, start: Start<'_>) -> Page<VersionEntry> {
    let mut page = Filling::new(query.limit);
    walk(
        keys,
        query,
        start,
        |_| true,
        |step| match step {
            Step::Prefix(prefix) => page.prefix(prefix),
            Step::Key(key, versions) => {
                let passed = match start {
                    Start::Within(marker_key, marker) if marker_key == key => newer_or_same(versions, marker),
                    _ => 0,
                };
                versions.iter().rev().enumerate().skip(passed).try_for_each(|(at, version)| {
                    let entry =
                        || VersionEntry { key: key.to_owned(), version: version.clone(), latest: at == 0 };
                    page.entry(key, Some(version.id.to_string()), entry)
                })
            }
        },
    );
    page.done()
}

/// How many versions, from the newest, a page that ended at `marker` has shown. A marker that has been removed
/// since still tells its age by the serial it begins with.
fn newer_or_same(versions: &[Arc<Version>], marker: &str) -> usize {
    let id = VersionId::from(marker.to_owned());
    if let Some(at) = versions.iter().rev().position(|version| version.id == id) {
        return at + 1;
    }
    let serial = marker.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let shown = |serial| versions.iter().rev().take_while(|version| version.serial >= serial).count();
    serial.map_or(versions.len(), shown)
}

/// Uploads under way, of each key the oldest first.
pub fn uploads(
    keys: &BTreeMap<String, BTreeMap<String, Upload>>,
    query: Query<'_>,
    start: Start<'_>,
) -> Page<Arc<UploadStart>> {
    let mut page = Filling::new(query.limit);
    walk(
        keys,
        query,
        start,
        |_| true,
        |step| match step {
            Step::Prefix(prefix) => page.prefix(prefix),
            Step::Key(key, uploads) => {
                let passed =
                    |id: &str| matches!(start, Start::Within(at, marker) if at == key && id <= marker);
                uploads
                    .iter()
                    .filter(|(id, _)| !passed(id))
                    .try_for_each(|(id, upload)| page.entry(key, Some(id.clone()), || upload.start.clone()))
            }
        },
    );
    page.done()
}

/// A page under construction.
struct Filling<T> {
    limit: usize,
    page: Page<T>,
    last: Option<(String, Option<String>)>,
}

impl<T> Filling<T> {
    fn new(limit: usize) -> Self {
        Self { limit, page: Page { entries: Vec::new(), prefixes: Vec::new(), next: None }, last: None }
    }

    fn prefix(&mut self, prefix: &str) -> ControlFlow<()> {
        self.room(prefix, None)?;
        self.page.prefixes.push(prefix.to_owned());
        ControlFlow::Continue(())
    }

    fn entry(&mut self, key: &str, id: Option<String>, entry: impl FnOnce() -> T) -> ControlFlow<()> {
        self.room(key, id)?;
        self.page.entries.push(entry());
        ControlFlow::Continue(())
    }

    /// A full page ends here, and knows where it ended.
    fn room(&mut self, key: &str, id: Option<String>) -> ControlFlow<()> {
        if self.page.entries.len() + self.page.prefixes.len() == self.limit {
            self.page.next = self.last.take();
            return ControlFlow::Break(());
        }
        self.last = Some((key.to_owned(), id));
        ControlFlow::Continue(())
    }

    fn done(self) -> Page<T> {
        self.page
    }
}

enum Step<'a, T> {
    Key(&'a str, &'a T),
    Prefix(&'a str),
}

fn walk<'a, T>(
    keys: &'a BTreeMap<String, T>,
    query: Query<'_>,
    start: Start<'_>,
    visible: impl Fn(&T) -> bool,
    mut visit: impl FnMut(Step<'a, T>) -> ControlFlow<()>,
) {
    let Some(mut from) = first_bound(query, start) else { return };
    loop {
        let mut jump = None;
        for (key, value) in keys.range::<str, _>((bound(&from), Bound::Unbounded)) {
            if !key.starts_with(query.prefix) {
                return;
            }
            if !visible(value) {
                continue;
            }
            let group = common_prefix(key, query);
            let step = group.map_or(Step::Key(key, value), Step::Prefix);
            if visit(step).is_break() {
                return;
            }
            if let Some(group) = group {
                jump = Some(behind(group));
                break;
            }
        }
        match jump {
            Some(Some(next)) => from = Bound::Included(next),
            _ => return,
        }
    }
}

fn bound(from: &Bound<String>) -> Bound<&str> {
    match from {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// `None`: nothing can come.
fn first_bound(query: Query<'_>, start: Start<'_>) -> Option<Bound<String>> {
    let first = Bound::Included(query.prefix.to_owned());
    Some(match start {
        Start::After(marker) if common_prefix(marker, query) == Some(marker) => {
            Bound::Included(behind(marker)?)
        }
        Start::After(marker) if marker >= query.prefix => Bound::Excluded(marker.to_owned()),
        Start::Within(marker, _) if marker >= query.prefix => Bound::Included(marker.to_owned()),
        Start::First | Start::After(_) | Start::Within(..) => first,
    })
}

/// The part of `key` up to and with the first delimiter behind the query's prefix.
fn common_prefix<'k>(key: &'k str, query: Query<'_>) -> Option<&'k str> {
    let rest = key.strip_prefix(query.prefix)?;
    let at = if query.delimiter.is_empty() { None } else { rest.find(query.delimiter) };
    at.map(|at| &key[..query.prefix.len() + at + query.delimiter.len()])
}

/// The least string behind everything that begins with `prefix`.
fn behind(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use crate::embedded::storage::version::Object;

    fn version(serial: u64, object: Option<Object>) -> Arc<Version> {
        let id = VersionId::Named(format!("{serial:012x}x"));
        Arc::new(Version { id, serial, modified: SystemTime::UNIX_EPOCH, object })
    }

    fn bucket(keys: &[&str]) -> Keys {
        keys.iter().map(|key| ((*key).to_owned(), vec![version(1, Some(Object::for_test()))])).collect()
    }

    /// All pages of a listing, strung together.
    fn all(keys: &Keys, query: Query<'_>) -> (Vec<String>, Vec<String>) {
        let (mut entries, mut prefixes) = (Vec::new(), Vec::new());
        let mut after = None::<String>;
        loop {
            let start = after.as_deref().map_or(Start::First, Start::After);
            let page = objects(keys, query, start);
            assert!(page.entries.len() + page.prefixes.len() <= query.limit);
            entries.extend(page.entries.into_iter().map(|(key, _)| key));
            prefixes.extend(page.prefixes);
            match page.next {
                Some((key, _)) => after = Some(key),
                None => return (entries, prefixes),
            }
        }
    }

    #[test]
    fn delimiters_fold_keys_once() {
        let keys = bucket(&["a", "a/", "a/b", "a/c/d", "ab", "b/x", "c", "ü/1", "ü/2"]);
        let list = |prefix, delimiter| all(&keys, Query { prefix, delimiter, limit: 2 });
        let strings = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        assert_eq!(list("", "/"), (strings(&["a", "ab", "c"]), strings(&["a/", "b/", "ü/"])));
        assert_eq!(list("a/", "/"), (strings(&["a/", "a/b"]), strings(&["a/c/"])));
        assert_eq!(list("a", ""), (strings(&["a", "a/", "a/b", "a/c/d", "ab"]), vec![]));
        assert_eq!(list("zz", "/"), (vec![], vec![]));
    }

    #[test]
    fn the_last_page_is_not_truncated() {
        let keys = bucket(&["a", "b", "c", "d"]);
        let query = Query { prefix: "", delimiter: "", limit: 2 };
        let first = objects(&keys, query, Start::First);
        assert_eq!(first.next, Some(("b".to_owned(), None)));
        assert_eq!(objects(&keys, query, Start::After("b")).next, None);
        assert_eq!(objects(&keys, Query { limit: 0, ..query }, Start::First).next, None);
    }

    #[test]
    fn keys_under_a_delete_marker_are_not_listed() {
        let mut keys = bucket(&["d/1", "d/2", "e"]);
        for key in ["d/1", "d/2"] {
            keys.get_mut(key).unwrap().push(version(2, None));
        }
        let query = Query { prefix: "", delimiter: "/", limit: 10 };
        let page = objects(&keys, query, Start::First);
        assert_eq!((page.entries.len(), page.prefixes.len()), (1, 0));
        assert_eq!(versions(&keys, Query { delimiter: "", ..query }, Start::First).entries.len(), 5);
    }

    #[test]
    fn versions_page_inside_a_key_even_when_the_marker_is_gone() {
        let mut keys = Keys::new();
        keys.insert(
            "k".to_owned(),
            (1..=5).map(|serial| version(serial, Some(Object::for_test()))).collect(),
        );
        let query = Query { prefix: "", delimiter: "", limit: 2 };
        let serials =
            |page: &Page<VersionEntry>| page.entries.iter().map(|e| e.version.serial).collect::<Vec<_>>();
        let first = versions(&keys, query, Start::First);
        assert_eq!(serials(&first), [5, 4]);
        assert!(first.entries[0].latest && !first.entries[1].latest);
        let (key, id) = first.next.unwrap();
        let id = id.unwrap();
        keys.get_mut("k").unwrap().retain(|version| version.serial != 4);
        assert_eq!(serials(&versions(&keys, query, Start::Within(&key, &id))), [3, 2]);
        assert_eq!(serials(&versions(&keys, query, Start::After(&key))), [0u64; 0]);
    }

    #[test]
    fn the_least_string_behind_a_prefix() {
        assert_eq!(behind("a/").as_deref(), Some("a0"));
        assert_eq!(behind("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(behind("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(behind("\u{10ffff}"), None);
        assert_eq!(behind(""), None);
    }

    proptest! {
        #[test]
        fn pages_add_up_to_the_model(
            keys in proptest::collection::btree_set("[ab/ü]{1,5}", 0..40),
            prefix in "[ab/ü]{0,2}",
            delimiter in prop_oneof![Just(""), Just("/"), Just("b"), Just("ab")],
            limit in 1usize..5,
        ) {
            let query = Query { prefix: &prefix, delimiter, limit };
            let (mut entries, mut prefixes) = (Vec::new(), BTreeSet::new());
            for key in keys.iter().filter(|key| key.starts_with(&prefix)) {
                let at = if delimiter.is_empty() { None } else { key[prefix.len()..].find(delimiter) };
                match at {
                    Some(at) => { prefixes.insert(key[..prefix.len() + at + delimiter.len()].to_owned()); }
                    None => entries.push(key.clone()),
                }
            }
            let refs: Vec<&str> = keys.iter().map(String::as_str).collect();
            prop_assert_eq!(all(&bucket(&refs), query), (entries, prefixes.into_iter().collect::<Vec<_>>()));
        }
    }
}
