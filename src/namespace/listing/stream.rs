//! The entries of one open directory, numbered once and for all.
//!
//! ```text
//!    passed (names as hashes)  │  window (entries)   │ held back, not decided yet │  the store
//!    cookie 3 …                │                     │ next cookie                │  next page
//! ```
//!
//! Cookies count up in the order of decided names. What has left the window can be had again by `seekdir`: its
//! stretch is listed anew, and every name that was there then gets the cookie it had; names that are new are left
//! out, for they were not there all the time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::order::{Order, place};
use super::page::Hidden;
use super::{BATCH_ENTRIES_MAX, Fetched, Next};
use crate::namespace::entry::{Entry, Position};
use crate::namespace::tree::{Asked, Tree};
use crate::namespace::{Namespace, Node, Result};

/// Cookies 1 and 2 are left to the caller, for `.` and `..`.
const FIRST_COOKIE: u64 = 3;
/// Pages that are kept as they are: the kernel steps back by less than one.
const WINDOW_CHUNKS: usize = 4;

/// An entry with its number, and the question that it answers.
#[derive(Clone, Debug)]
pub struct Shown {
    pub cookie: u64,
    pub entry: Entry,
    pub asked: Asked,
}

/// The entries that one page decided.
#[derive(Debug)]
pub struct Chunk {
    first: u64,
    end: u64,
    entries: Vec<Shown>,
    opening: Opening,
    upto: Option<Box<str>>,
}

/// The state before a chunk, from which it can be made again.
#[derive(Clone, Debug, Default)]
struct Opening {
    next: Next,
    held: Held,
}

/// Files held back, and the oldest question that one of them answers.
#[derive(Clone, Debug, Default)]
struct Held {
    order: Order,
    asked: Option<Asked>,
}

impl Held {
    /// Takes in a page and gives out what it decides, with what this mount made in its stretch.
    fn decide(
        &mut self,
        tree: &Tree,
        directory: &Node,
        fetched: &Fetched,
        hidden: &mut Hidden,
    ) -> (Vec<Entry>, Asked) {
        let page = &fetched.page;
        let asked =
            self.asked.take().filter(|_| !self.order.is_empty()).unwrap_or_else(|| fetched.asked.clone());
        let mut decided = self.order.feed(&page.entries, page.upto.as_deref(), hidden);
        let made = tree.made_in(directory.id(), asked.moment());
        merge_made(&mut decided, made, page.after.as_deref(), page.upto.as_deref());
        self.asked = Some(asked.clone()).filter(|_| !self.order.is_empty());
        (decided, asked)
    }
}

/// Puts names that this mount made, and the store does not list, where they belong.
fn merge_made(decided: &mut Vec<Entry>, mut made: Vec<Entry>, after: Option<&str>, upto: Option<&str>) {
    made.retain(|entry| {
        let at = place(&entry.name);
        after.is_none_or(|after| Position::of_key(after) < at)
            && upto.is_none_or(|upto| at <= Position::of_key(upto))
    });
    if made.is_empty() {
        return;
    }
    made.retain(|entry| {
        decided.binary_search_by(|other| place(&other.name).cmp(&place(&entry.name))).is_err()
    });
    decided.append(&mut made);
    decided.sort_by(|a, b| place(&a.name).cmp(&place(&b.name)));
}

/// A chunk that has left the window.
#[derive(Debug)]
pub struct Passed {
    first: u64,
    opening: Opening,
    upto: Option<Box<str>>,
    names: Box<[u64]>,
    hasher: RandomState,
}

impl Passed {
    fn end(&self) -> u64 {
        self.first + self.names.len() as u64
    }
}

/// Where a cookie leads.
pub enum Place {
    /// Some entries after it; at least one.
    Shown(Vec<Shown>),
    Ahead,
    Behind(Arc<Passed>),
    End,
}

pub struct Stream {
    begun: bool,
    done: bool,
    passed: Vec<Arc<Passed>>,
    window: VecDeque<Chunk>,
    /// A chunk that was passed and is looked at again.
    replayed: Option<Chunk>,
    opening: Opening,
    next_cookie: u64,
    upcoming: Option<oneshot::Receiver<Result<Fetched>>>,
    hidden: Hidden,
    hasher: RandomState,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            begun: false,
            done: false,
            passed: Vec::new(),
            window: VecDeque::new(),
            replayed: None,
            opening: Opening::default(),
            next_cookie: FIRST_COOKIE,
            upcoming: None,
            hidden: Hidden::default(),
            hasher: RandomState::new(),
        }
    }
}

impl Stream {
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    pub fn locate(&self, cookie: u64) -> Place {
        let mut wanted = cookie.saturating_add(1).max(FIRST_COOKIE);
        loop {
            if wanted >= self.next_cookie {
                return if self.done { Place::End } else { Place::Ahead };
            }
            let chunk = match self.chunk(wanted) {
                Ok(chunk) => chunk,
                Err(passed) => return Place::Behind(passed),
            };
            let start = chunk.entries.partition_point(|shown| shown.cookie < wanted);
            let rest = &chunk.entries[start..];
            if !rest.is_empty() {
                return Place::Shown(rest[..rest.len().min(BATCH_ENTRIES_MAX)].to_vec());
            }
            // What was there when the chunk was first seen has all gone.
            wanted = chunk.end;
        }
    }

    /// The chunk that holds a cookie below `next_cookie`, or how to get it again.
    fn chunk(&self, cookie: u64) -> std::result::Result<&Chunk, Arc<Passed>> {
        let holds = |chunk: &&Chunk| chunk.first <= cookie && cookie < chunk.end;
        if let Some(chunk) = self.window.iter().chain(&self.replayed).find(holds) {
            return Ok(chunk);
        }
        let at = self.passed.partition_point(|passed| passed.end() <= cookie);
        Err(self.passed[at.min(self.passed.len() - 1)].clone())
    }

    /// The entry with exactly this cookie, while it is in memory.
    pub fn shown(&self, cookie: u64) -> Option<Shown> {
        let mut chunks = self.window.iter().chain(&self.replayed);
        let chunk = chunks.find(|chunk| chunk.first <= cookie && cookie < chunk.end)?;
        let at = chunk.entries.binary_search_by_key(&cookie, |shown| shown.cookie).ok()?;
        chunk.entries.get(at).cloned()
    }

    /// Where the next page begins, and the page itself if it is already on its way.
    pub fn take_next(&mut self) -> (Next, Option<oneshot::Receiver<Result<Fetched>>>) {
        self.begun = true;
        (self.opening.next.clone(), self.upcoming.take())
    }

    /// The next page is being fetched and will come here.
    pub fn expect_next(&mut self, upcoming: oneshot::Receiver<Result<Fetched>>) -> Next {
        self.upcoming = Some(upcoming);
        self.opening.next.clone()
    }

    /// Takes in the next page; at the end, tells how many keys of the directory are not shown.
    pub fn push(&mut self, namespace: &Namespace, directory: &Node, fetched: Fetched) -> Option<Hidden> {
        let opening = self.opening.clone();
        let page = &fetched.page;
        self.hidden.add(&page.hidden);
        let (decided, asked) =
            self.opening.held.decide(&namespace.tree.lock(), directory, &fetched, &mut self.hidden);
        let first = self.next_cookie;
        let entries =
            (first..).zip(decided).map(|(cookie, entry)| Shown { cookie, entry, asked: asked.clone() });
        let entries: Vec<Shown> = entries.collect();
        self.next_cookie += entries.len() as u64;
        self.window.push_back(Chunk {
            first,
            end: self.next_cookie,
            entries,
            opening,
            upto: page.upto.clone(),
        });
        let token = page.token.clone().map(|token| (token, fetched.prefix.clone()));
        self.opening.next = Next { after: page.upto.clone(), token };
        self.done = page.upto.is_none();
        self.slide();
        self.done.then(|| self.hidden.clone())
    }

    fn slide(&mut self) {
        while self.window.len() > WINDOW_CHUNKS
            && let Some(chunk) = self.window.pop_front()
        {
            let names = chunk.entries.iter().map(|shown| self.hasher.hash_one(&*shown.entry.name)).collect();
            let (first, opening, upto) = (chunk.first, chunk.opening, chunk.upto);
            self.passed.push(Arc::new(Passed { first, opening, upto, names, hasher: self.hasher.clone() }));
        }
    }

    pub fn put_back(&mut self, replayed: Chunk) {
        self.replayed = Some(replayed);
    }
}

/// Makes a chunk that has left the window again.
pub async fn replay(namespace: &Arc<Namespace>, directory: &Arc<Node>, passed: &Passed) -> Result<Chunk> {
    let mut cookies: HashMap<u64, u64> = passed.names.iter().copied().zip(passed.first..).collect();
    let mut opening = passed.opening.clone();
    let mut entries = Vec::with_capacity(passed.names.len());
    loop {
        // Tokens are for going on where one was; here the store is asked again from the key.
        let next = Next { after: opening.next.after.clone(), token: None };
        let fetched = namespace.fetch(directory, &next).await?;
        let (decided, asked) =
            opening.held.decide(&namespace.tree.lock(), directory, &fetched, &mut Hidden::default());
        entries.extend(decided.into_iter().filter_map(|entry| {
            let cookie = cookies.remove(&passed.hasher.hash_one(&*entry.name))?;
            Some(Shown { cookie, entry, asked: asked.clone() })
        }));
        opening.next.after = fetched.page.upto.clone();
        if reached(fetched.page.upto.as_deref(), passed.upto.as_deref()) {
            break;
        }
    }
    entries.sort_by_key(|shown| shown.cookie);
    let (opening, upto) = (passed.opening.clone(), passed.upto.clone());
    Ok(Chunk { first: passed.first, end: passed.end(), entries, opening, upto })
}

/// Has a listing that came to `upto` passed the key `end`? `None` is the end of the directory.
fn reached(upto: Option<&str>, end: Option<&str>) -> bool {
    match (upto, end) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(upto), Some(end)) => Position::of_key(upto) >= Position::of_key(end),
    }
}
