//! The few questions that lookups and listings ask. The live bucket answers them; a moment of the past can too.

mod live;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::s3;
use crate::s3::ops::{ListObjectsV2Output, ObjectHeaders};

pub use live::Live;

/// Where a page of a listing begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum From {
    #[default]
    Start,
    /// The token that came with the page before.
    Token(String),
    /// The first key after this one.
    After(String),
}

#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    pub prefix: String,
    /// Roll up what lies below the next slash.
    pub delimited: bool,
    pub from: From,
    pub max_keys: u32,
    pub with_metadata: bool,
}

pub trait Catalog: Send + Sync {
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, s3::Result<ObjectHeaders>>;
    fn list(&self, request: ListRequest) -> BoxFuture<'_, s3::Result<ListObjectsV2Output>>;
    /// Listings bring user metadata along when they are asked to (MinIO).
    fn lists_metadata(&self) -> bool;
}

/// Pages in a row that lead nowhere, before the store is taken to have lost its way.
const STANDSTILL_MAX: u32 = 16;

/// A listing, page after page. Pages without any key, which stores may send in the middle, are passed over.
pub struct Pager {
    catalog: Arc<dyn Catalog>,
    request: ListRequest,
    done: bool,
    /// Empty pages in a row that came with the token they were asked for with.
    standstill: u32,
}

impl Pager {
    pub fn new(catalog: Arc<dyn Catalog>, request: ListRequest) -> Self {
        Self { catalog, request, done: false, standstill: 0 }
    }

    /// The next page that holds anything, or the last; `None` after that.
    pub async fn next(&mut self) -> s3::Result<Option<ListObjectsV2Output>> {
        while !self.done {
            let page = self.catalog.list(self.request.clone()).await?;
            let is_empty = page.objects.is_empty() && page.common_prefixes.is_empty();
            self.advance(&page, is_empty)?;
            if self.done || !is_empty {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    fn advance(&mut self, page: &ListObjectsV2Output, is_empty: bool) -> s3::Result<()> {
        let next = match (page.is_truncated, &page.next_continuation_token) {
            (false, _) => {
                self.done = true;
                return Ok(());
            }
            (true, Some(token)) => From::Token(token.clone()),
            (true, None) => return Err(torn("it says that more follows, but not where")),
        };
        // A store that repeats itself would keep us listing for ever; one that asks for patience gets some.
        self.standstill = if next == self.request.from { self.standstill + 1 } else { 0 };
        if self.standstill > if is_empty { STANDSTILL_MAX } else { 0 } {
            return Err(torn("it sends the same continuation token again and again"));
        }
        self.request.from = next;
        Ok(())
    }
}

fn torn(what: &str) -> s3::Error {
    s3::Error::decode(format!("the store's listing cannot be followed: {what}"))
}
