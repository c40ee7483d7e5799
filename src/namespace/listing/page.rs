//! Pure: one page of a listing by the store, read into entries.
//!
//! A page stands for a stretch of the order of keys, from the last key of the page before (exclusive) to its own
//! last (inclusive): so it also says what is *not* there. It keeps files that a directory of the same name will
//! shadow, since that directory may come many pages later.

use std::sync::Arc;
use std::time::Instant;

use crate::namespace::entry::{Entry, Position, Version};
use crate::namespace::name::{self, Standing};
use crate::namespace::overlay::Moment;
use crate::s3::ops::{ListObjectsV2Output, ListedObject, Metadata};

/// Bytes of `{"holdfs":1}`.
pub const FLAG_BYTES: u64 = 12;

/// Keys of a directory that are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    pub keys: u64,
    /// One of them, relative to the directory.
    pub example: Option<Box<str>>,
}

impl Hidden {
    pub fn count(&mut self, rest: &str) {
        self.keys += 1;
        self.example.get_or_insert_with(|| rest.into());
    }

    pub fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        if self.example.is_none() {
            self.example.clone_from(&other.example);
        }
    }
}

#[derive(Debug)]
pub struct Page {
    /// The last key of the page before, relative to the directory; `None` at the start.
    pub after: Option<Box<str>>,
    /// The last key of this page; `None` at the end of the directory.
    pub upto: Option<Box<str>>,
    pub token: Option<String>,
    /// In the order of the store.
    pub entries: Vec<Entry>,
    pub hidden: Hidden,
    /// Of the first page: the directory's own marker.
    pub marker: Option<Version>,
    /// The flag object, where this page would show it.
    pub flag: Option<bool>,
    /// Never listed: this mount has just made the directory, and found nothing there before.
    pub of_new_directory: bool,
    /// When the question began, in the order of local changes and by the clock.
    pub moment: Moment,
    pub at: Instant,
}

/// What the store said, before it is put in order.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Object(&'a ListedObject, &'a str),
    /// Without its last slash.
    Prefix(&'a str),
}

impl<'a> Raw<'a> {
    fn position(self) -> Position<'a> {
        match self {
            Self::Object(_, rest) => Position { name: rest, slash: false },
            Self::Prefix(name) => Position { name, slash: true },
        }
    }

    fn key(self) -> String {
        match self {
            Self::Object(_, rest) => rest.to_owned(),
            Self::Prefix(name) => format!("{name}/"),
        }
    }
}

/// What the page is of.
pub struct Scope<'a> {
    /// The directory's key.
    pub prefix: &'a str,
    pub virtual_names: &'a [String],
    pub after: Option<Box<str>>,
    pub moment: Moment,
    pub at: Instant,
}

impl Page {
    /// The only page of a directory that this mount has just made.
    pub fn of_new_directory(moment: Moment, at: Instant) -> Self {
        Self {
            after: None,
            upto: None,
            token: None,
            entries: Vec::new(),
            hidden: Hidden::default(),
            marker: None,
            flag: Some(false),
            of_new_directory: true,
            moment,
            at,
        }
    }

    pub fn read(scope: Scope<'_>, output: &ListObjectsV2Output) -> Self {
        let mut raw = in_order(scope.prefix, output);
        let after = scope.after.as_deref().map(Position::of_key);
        raw.retain(|item| after.is_none_or(|after| item.position() > after));
        let more = output.is_truncated && output.next_continuation_token.is_some();
        // A page that repeats only what was before says nothing new: it ends where it began.
        let last = || raw.last().map(|item| item.key().into_boxed_str()).or_else(|| scope.after.clone());
        let mut page = Self {
            upto: if more { last() } else { None },
            after: scope.after,
            token: output.next_continuation_token.clone().filter(|_| more),
            entries: Vec::with_capacity(raw.len()),
            hidden: Hidden::default(),
            marker: None,
            flag: None,
            of_new_directory: false,
            moment: scope.moment,
            at: scope.at,
        };
        page.flag = page.covers(Position { name: name::FLAG, slash: false }).then_some(false);
        raw.into_iter().for_each(|item| page.take(item, scope.virtual_names));
        page
    }

    fn take(&mut self, item: Raw<'_>, virtual_names: &[String]) {
        let name = match item {
            Raw::Object(object, "") => return self.marker = Some(Version::listed(object)),
            Raw::Object(_, name) | Raw::Prefix(name) => name,
        };
        if name::nameable(name).is_err() {
            return self.hidden.count(&item.key());
        }
        match (name::standing(name, virtual_names), item) {
            (Standing::Virtual, _) => self.hidden.count(&item.key()),
            (Standing::Reserved, Raw::Object(object, name::FLAG)) => {
                self.flag = Some(object.size == FLAG_BYTES)
            }
            (Standing::Reserved, _) => {}
            (Standing::Free, Raw::Object(object, name)) => self.entries.push(entry_of(object, name)),
            (Standing::Free, Raw::Prefix(name)) => self.entries.push(Entry::directory(name.into())),
        }
    }

    /// Would the page show this key if it existed?
    pub fn covers(&self, position: Position<'_>) -> bool {
        self.after.as_deref().is_none_or(|after| Position::of_key(after) < position)
            && self.upto.as_deref().is_none_or(|upto| position <= Position::of_key(upto))
    }

    /// The entry at exactly this position.
    pub fn entry(&self, position: Position<'_>) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.position().cmp(&position)).ok()?;
        self.entries.get(at)
    }

    /// Entries after this position.
    pub fn entries_after(&self, position: Position<'_>) -> &[Entry] {
        let at = self.entries.partition_point(|entry| entry.position() <= position);
        &self.entries[at..]
    }

    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.entries.iter().map(Entry::bytes).sum::<usize>()
    }
}

fn entry_of(object: &ListedObject, name: &str) -> Entry {
    Entry::file(Arc::from(name), Version::listed(object))
}

/// Objects and rolled-up prefixes, which come apart, merged into the order of keys, each once.
fn in_order<'a>(prefix: &str, output: &'a ListObjectsV2Output) -> Vec<Raw<'a>> {
    let objects = output.objects.iter();
    let objects = objects.filter_map(|object| Some(Raw::Object(object, object.key.strip_prefix(prefix)?)));
    let prefixes = output.common_prefixes.iter();
    let prefixes = prefixes.filter_map(|key| Some(Raw::Prefix(key.strip_prefix(prefix)?.strip_suffix('/')?)));
    let mut raw: Vec<Raw<'a>> = objects.chain(prefixes).collect();
    raw.sort_by(|a, b| a.position().cmp(&b.position()));
    raw.dedup_by(|a, b| a.position() == b.position());
    raw
}

/// The metadata that some stores send along with a listing, by relative key.
pub fn listed_metadata<'a>(prefix: &str, output: &'a ListObjectsV2Output) -> Vec<(&'a str, &'a Metadata)> {
    let objects = output.objects.iter();
    objects.filter_map(|object| Some((object.key.strip_prefix(prefix)?, object.metadata.as_ref()?))).collect()
}
