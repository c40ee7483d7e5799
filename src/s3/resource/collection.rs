//! A listing whose entries are handles.

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::{ObjectSummary, ObjectVersion};
use crate::s3::ops::{DeleteFailure, ListObjectVersions, ListObjectsV2};
use crate::s3::transfer::delete_objects;
use crate::s3::transfer::pages::{Paged, Pager};
use crate::s3::{Client, Result};

/// Handles of type `H`, one for each entry of the listing `L`. Nothing is asked for before the stream is polled.
///
/// The words of the SDKs: [`all`](Self::all), [`filter`](Self::filter), [`limit`](Self::limit),
/// [`page_size`](Self::page_size), [`pages`](Self::pages), and `delete` for objects and versions.
pub struct Collection<L: Paged, H> {
    client: Client,
    list: L,
    limit: usize,
    /// `None` for entries that have no handle: common prefixes.
    handle: fn(&Client, &L, L::Item) -> Option<H>,
}

impl<L: Paged, H: Send> Collection<L, H> {
    pub(super) fn new(client: &Client, list: L, handle: fn(&Client, &L, L::Item) -> Option<H>) -> Self {
        Self { client: client.clone(), list, limit: usize::MAX, handle }
    }

    /// Changes what is asked for: prefix, delimiter, markers and whatever else the request has.
    pub fn filter(mut self, change: impl FnOnce(&mut L)) -> Self {
        change(&mut self.list);
        self
    }

    /// At most so many handles.
    pub fn limit(self, handles: usize) -> Self {
        Self { limit: handles, ..self }
    }

    /// Entries of one request.
    pub fn page_size(self, entries: u32) -> Self {
        Self { list: self.list.with_page_size(entries), ..self }
    }

    /// Every handle.
    pub fn all(self) -> impl Stream<Item = Result<H>> + Send
    where
        L: Sync,
    {
        self.pages().map_ok(|page| stream::iter(page).map(Ok)).try_flatten()
    }

    /// The handles of one request after the other.
    pub fn pages(self) -> impl Stream<Item = Result<Vec<H>>> + Send
    where
        L: Sync,
    {
        let Self { client, list, limit, handle } = self;
        let pager = Pager::new(&client, list.clone());
        stream::try_unfold((pager, limit), move |(mut pager, left)| {
            let (client, list) = (client.clone(), list.clone());
            async move {
                if left == 0 {
                    return Ok(None);
                }
                let Some(entries) = pager.next_page().await? else { return Ok(None) };
                let handles = entries.into_iter().filter_map(|entry| handle(&client, &list, entry));
                let page: Vec<H> = handles.take(left).collect();
                let left = left - page.len();
                Ok(Some((page, (pager, left))))
            }
        })
    }
}

impl Collection<ListObjectsV2, ObjectSummary> {
    /// Only keys that begin so.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.filter(|list| list.prefix = prefix.into())
    }

    /// Deletes them all, up to 1,000 a request. Output: those that the store refused to delete.
    pub async fn delete(self) -> Result<Vec<DeleteFailure>> {
        let (client, bucket) = (self.client.clone(), self.list.bucket.clone());
        let doomed = self.all().map_ok(|object| (object.key().to_owned(), None));
        delete_objects(&client, &bucket, doomed, false).try_collect().await
    }
}

impl Collection<ListObjectVersions, ObjectVersion> {
    /// Only keys that begin so.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.filter(|list| list.prefix = prefix.into())
    }

    /// Deletes them all for good, delete markers too, up to 1,000 a request. Output: those that the store refused to
    /// delete.
    pub async fn delete(self) -> Result<Vec<DeleteFailure>> {
        let (client, bucket) = (self.client.clone(), self.list.bucket.clone());
        let doomed =
            self.all().map_ok(|version| (version.object_key().to_owned(), Some(version.id().clone())));
        delete_objects(&client, &bucket, doomed, false).try_collect().await
    }
}
