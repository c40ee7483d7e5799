//! Directories, page by page, with cookies that stay true while the directory changes.
//!
//! * [`page`]: pure: one page by the store, read into entries · [`order`]: pure: the order in which they are decided.
//! * [`enrich`]: what user metadata adds · [`pages`]: pages kept for a while, for lookups and other listings.
//! * [`stream`]: the entries of one handle, numbered once and for all · [`walk`]: listing ahead of who goes from one
//!   directory to the next · [`keys`]: whole subtrees, and is it empty?
//!
//! A cookie is the number that an entry got when the handle first came to it. It stays that entry's number as long as
//! the handle is open or until it is rewound: so nothing comes twice, and nothing that was there all the time is left
//! out, whatever is created and removed meanwhile. Memory per handle is a window of a few pages, and eight bytes for
//! each entry that has left it.

mod enrich;
mod keys;
mod order;
pub(super) mod page;
pub(super) mod pages;
mod stream;
mod walk;

use std::sync::Arc;

use parking_lot::Mutex;

use self::page::{Page, Scope};
use self::stream::{Place, Shown, Stream};
use super::catalog::{From, ListRequest, Pager};
use super::entry::Entry;
use super::tree::{Asked, Look};
use super::{Error, FileKind, Namespace, Node, NodeId, Result, name};
use crate::s3::ops::ListObjectsV2Output;
use crate::s3::{self, ErrorKind};

pub use enrich::VersionKey;
pub use keys::KeysBelow;
pub use page::Hidden;
pub use walk::Walks;

/// Entries of one answer, so that a small buffer of the caller does not make us prepare a thousand for each call.
const BATCH_ENTRIES_MAX: usize = 256;

/// One entry; `.` and `..` are the caller's.
#[derive(Clone, Debug)]
pub struct DirectoryEntry {
    pub name: Arc<str>,
    /// Continues after this entry.
    pub cookie: u64,
    pub id: NodeId,
    pub kind: FileKind,
}

#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub entries: Vec<DirectoryEntry>,
    /// Nothing follows these entries.
    pub end: bool,
}

/// An open directory.
pub struct Directory {
    namespace: Arc<Namespace>,
    node: Arc<Node>,
    stream: Mutex<Stream>,
    /// One question to the store at a time.
    asking: tokio::sync::Mutex<()>,
}

impl Directory {
    pub(super) fn new(namespace: Arc<Namespace>, node: Arc<Node>) -> Self {
        Self { namespace, node, stream: Mutex::default(), asking: tokio::sync::Mutex::new(()) }
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Entries after `cookie` if they are in memory. At least one, unless at the end. Give the kernel's offset as it
    /// is: 0 is the start, listed afresh if the handle was read before; 1 and 2 are `.` and `..`.
    pub fn try_entries(&self, cookie: u64) -> Option<Batch> {
        let stream = self.stream.lock();
        if cookie == 0 && stream.has_begun() {
            return None;
        }
        match stream.locate(cookie) {
            Place::Shown(shown) => Some(self.batch(&shown, false)).filter(|batch| !batch.entries.is_empty()),
            Place::End => Some(Batch { entries: Vec::new(), end: true }),
            Place::Ahead | Place::Behind(_) => None,
        }
    }

    /// The same, asking the store for what is not in memory.
    pub async fn entries(&self, cookie: u64) -> Result<Batch> {
        let _turn = self.asking.lock().await;
        if cookie == 0 {
            self.rewind();
        }
        let mut at = cookie;
        loop {
            let place = self.stream.lock().locate(at);
            match place {
                Place::Shown(shown) => {
                    let last = shown.last().map_or(at, |shown| shown.cookie);
                    let end = matches!(self.stream.lock().locate(last), Place::End);
                    let batch = self.batch(&shown, end);
                    if end || !batch.entries.is_empty() {
                        return Ok(batch);
                    }
                    at = last;
                }
                Place::End => return Ok(Batch { entries: Vec::new(), end: true }),
                Place::Ahead => self.advance().await?,
                Place::Behind(passed) => {
                    let replayed = stream::replay(&self.namespace, &self.node, &passed).await?;
                    self.stream.lock().put_back(replayed);
                }
            }
        }
    }

    /// The node of an entry, made if need be; `None` if the name has gone. For READDIRPLUS: retain it.
    pub fn materialize(&self, entry: &DirectoryEntry) -> Option<Arc<Node>> {
        let shown = self.stream.lock().shown(entry.cookie)?;
        self.namespace.node_of(&self.node, &shown)
    }

    fn rewind(&self) {
        let mut stream = self.stream.lock();
        if stream.has_begun() {
            *stream = Stream::default();
        }
    }

    async fn advance(&self) -> Result<()> {
        let (next, upcoming) = self.stream.lock().take_next();
        if next.after.is_none() {
            self.namespace.walk_ahead(&self.node);
        }
        let fetched = match upcoming {
            Some(upcoming) => upcoming.await.ok(),
            None => None,
        };
        let fetched = match fetched {
            Some(Err(error)) => return Err(error),
            Some(Ok(fetched)) => fetched,
            None => self.namespace.fetch(&self.node, &next).await?,
        };
        let overtaken = self.node.moved() > fetched.asked.moment();
        let fetched = if overtaken { self.namespace.fetch_anew(&self.node, &next).await? } else { fetched };
        let end = self.stream.lock().push(&self.namespace, &self.node, fetched);
        match end {
            Some(hidden) => self.namespace.note_hidden(&self.node, hidden),
            None => self.fetch_ahead(),
        }
        Ok(())
    }

    /// Fetches the next page while this one is being consumed.
    fn fetch_ahead(&self) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let next = self.stream.lock().expect_next(receiver);
        let (namespace, node) = (self.namespace.clone(), self.node.clone());
        self.namespace.tasks.spawn("list ahead", async move {
            let fetched = namespace.fetch(&node, &next).await;
            drop(sender.send(fetched));
        });
    }

    fn batch(&self, shown: &[Shown], end: bool) -> Batch {
        let directory = self.node.key();
        let entries =
            shown.iter().filter_map(|shown| self.namespace.show(&self.node, &directory, shown)).collect();
        Batch { entries, end }
    }
}

/// Where the next page begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Next {
    /// The last key of the page before, relative to the directory.
    pub after: Option<Box<str>>,
    /// What the store said to go on with, and under which key of the directory.
    pub token: Option<(String, Arc<str>)>,
}

/// A page, and the question that it answers: held open as long as the page is looked at.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub page: Arc<Page>,
    pub asked: Asked,
    /// The directory's key at that time.
    pub prefix: Arc<str>,
}

impl Namespace {
    /// One page of a directory, from memory if it is fresh enough. Who wants the same first page shares it.
    pub(super) async fn fetch(self: &Arc<Self>, directory: &Arc<Node>, next: &Next) -> Result<Fetched> {
        if let Some(kept) = self.kept_page(directory, next.after.as_deref()) {
            return Ok(kept);
        }
        if next.after.is_some() || self.options.ttl.is_zero() {
            return self.fetch_anew(directory, next).await;
        }
        let (namespace, node) = (self.clone(), directory.clone());
        let make = || async move { namespace.fetch_anew(&node, &Next::default()).await };
        let lost = |_| Err(s3::Error::new(ErrorKind::Bug, "the listing ended without an answer").into());
        self.first_pages.run(directory.id(), make).await.unwrap_or_else(lost)
    }

    async fn fetch_anew(&self, directory: &Arc<Node>, next: &Next) -> Result<Fetched> {
        if !directory.is_reachable() {
            return Err(Error::Unlinked);
        }
        let asked = self.tree.lock().ask();
        let prefix = directory.key();
        let output = self.list_page(directory, &prefix, next).await?;
        let scope = Scope {
            prefix: &prefix,
            virtual_names: self.virtual_names(directory),
            after: next.after.clone(),
            moment: asked.moment(),
            at: asked.at,
        };
        let mut page = Page::read(scope, &output);
        self.enrich(directory, &prefix, &mut page, &output).await?;
        let page = Arc::new(page);
        if !self.options.ttl.is_zero() {
            self.tree.lock().keep_page(directory, page.clone());
        }
        Ok(Fetched { page, asked, prefix })
    }

    async fn list_page(
        &self,
        directory: &Arc<Node>,
        prefix: &Arc<str>,
        next: &Next,
    ) -> Result<ListObjectsV2Output> {
        let from = match (&next.token, &next.after) {
            (Some((token, under)), _) if under == prefix => From::Token(token.clone()),
            (_, Some(after)) => From::After([prefix, &**after].concat()),
            _ => From::Start,
        };
        let request = ListRequest {
            prefix: prefix.to_string(),
            delimited: true,
            from,
            max_keys: self.options.page_keys,
            with_metadata: self.catalog.lists_metadata() && self.flag_known(directory) != Some(false),
        };
        Ok(Pager::new(self.catalog.clone(), request).next().await?.unwrap_or_default())
    }

    fn kept_page(&self, directory: &Arc<Node>, after: Option<&str>) -> Option<Fetched> {
        let (page, asked) = self.tree.lock().kept_page(directory, after)?;
        Some(Fetched { page, asked, prefix: directory.key() })
    }

    /// An entry as it is to be shown now; `None` if the name has gone since it was listed.
    fn show(&self, directory: &Arc<Node>, key: &str, shown: &Shown) -> Option<DirectoryEntry> {
        let entry = &shown.entry;
        let tree = self.tree.lock();
        let (id, kind) = match tree.look(directory.id(), entry, shown.asked.moment()) {
            Look::Node(node) => (node.id(), node.kind()),
            Look::Gone => return None,
            Look::Entry => {
                let slash = if entry.is_directory() { "/" } else { "" };
                (tree.table.natural_id(&[key, &entry.name, slash].concat()), entry.kind)
            }
        };
        Some(DirectoryEntry { name: entry.name.clone(), cookie: shown.cookie, id, kind })
    }

    fn node_of(&self, directory: &Arc<Node>, shown: &Shown) -> Option<Arc<Node>> {
        // If the directory was renamed since, what lies in it came along.
        self.tree.lock().weigh(directory, &shown.entry.name, Some(&shown.entry), &shown.asked)
    }

    pub(super) fn virtual_names(&self, directory: &Node) -> &[String] {
        if directory.id() == NodeId::ROOT { &self.options.virtual_names } else { &[] }
    }

    pub(super) fn standing(&self, directory: &Node, name: &str) -> name::Standing {
        name::standing(name, self.virtual_names(directory))
    }
}
