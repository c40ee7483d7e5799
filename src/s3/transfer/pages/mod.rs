//! Listings as one stream over all their pages. The next page is asked for when the last entry of the one before
//! was taken; who stops early asks for no more.
//!
//! Whatever comes in pages is [`Paged`] (what SDKs ask `can_paginate` for, the compiler answers here). [`Pager`] goes
//! through the pages of any of them: in pages of a size, up to a number of entries, from where another one stopped.
//! The functions below are pagers turned into streams.
//!
//! ```
//! use holdfs::s3::ops::{CreateBucket, ListObjectsV2, PutObject};
//! use holdfs::s3::transfer::pages::Pager;
//! # use holdfs::s3::{Client, Config, Credentials, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
//! # let pair = server.key_pair();
//! # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! # let client = Client::new(config)?;
//! # client.send(&CreateBucket { bucket: "photos".into(), ..CreateBucket::default() }).await?;
//! # for number in 0..5 {
//! #     client.send(&PutObject::new("photos", format!("{number}.jpg"), "")).await?;
//! # }
//! // Three of five keys, two a request; the token is text that can be kept.
//! let list = ListObjectsV2 { bucket: "photos".into(), ..ListObjectsV2::default() };
//! let mut pager = Pager::new(&client, list.clone()).page_size(2).max_items(3);
//! let mut names = Vec::new();
//! while let Some(entry) = pager.next().await? {
//!     names.push(entry.name().to_owned());
//! }
//! let token = pager.resume_token().expect("two are left");
//!
//! // Another day, another process: page by page from there.
//! let mut pager = Pager::new(&client, list).page_size(2).resume(&token)?;
//! while let Some(page) = pager.next_page().await? {
//!     names.extend(page.iter().map(|entry| entry.name().to_owned()));
//! }
//! assert_eq!(names, ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"]);
//! assert_eq!(pager.resume_token(), None);
//! # Ok(())
//! # }
//! ```

mod listings;
mod pager;

use futures_util::Stream;

use crate::s3::ops::{
    Bucket, ListBuckets, ListMultipartUploads, ListObjectVersions, ListObjects, ListObjectsV2, ListParts,
    ListedObject, ListedVersion, Part, Upload,
};
use crate::s3::vendor::ibm::{ExtendedBucket, ListBucketsExtended};
use crate::s3::{Client, Operation, Result};

pub use pager::Pager;

/// Where a page begins: up to two markers, as the requests of the listing name them. Without any, at the start.
pub type Marks = [Option<String>; 2];

/// A listing whose pages follow each other.
pub trait Paged: Operation + Clone + Send + Sized {
    /// An entry of a page.
    type Item: Send;

    /// Where the page that this asks for begins.
    fn marks(&self) -> Marks;
    /// The same listing from there on.
    fn at(self, marks: Marks) -> Self;
    /// Asks for this many entries a page at most; stores have a maximum of their own (1,000, mostly), and for some
    /// listings only that one.
    fn with_page_size(self, entries: u32) -> Self;
    /// The entries of a page in their order, and where the next page begins; `None` after the last.
    fn open(page: Self::Output) -> (Vec<Self::Item>, Option<Marks>);
}

/// Keys and common prefixes in the order of their names.
#[derive(Clone, Debug)]
pub enum Listed {
    /// A key.
    Object(ListedObject),
    /// What keys have in common up to the delimiter.
    Prefix(String),
}

impl Listed {
    /// The key or the prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// The same with old versions, newest first per key.
#[derive(Clone, Debug)]
pub enum ListedAny {
    /// A version or a delete marker.
    Version(ListedVersion),
    /// What keys have in common up to the delimiter.
    Prefix(String),
}

impl ListedAny {
    /// The key or the prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Version(version) => &version.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// Every entry of any listing.
pub fn all<L: Paged>(client: &Client, list: L) -> impl Stream<Item = Result<L::Item>> + Send + use<L> {
    Pager::new(client, list).into_stream()
}

/// Every bucket.
pub fn buckets(client: &Client, list: ListBuckets) -> impl Stream<Item = Result<Bucket>> + Send + use<> {
    all(client, list)
}

/// IBM's: with their places.
pub fn buckets_extended(
    client: &Client,
    list: ListBucketsExtended,
) -> impl Stream<Item = Result<ExtendedBucket>> + Send + use<> {
    all(client, list)
}

/// Every object and common prefix, in the order of their names.
pub fn objects(client: &Client, list: ListObjectsV2) -> impl Stream<Item = Result<Listed>> + Send + use<> {
    all(client, list)
}

/// As [`objects`], by the first version of the listing.
pub fn objects_v1(client: &Client, list: ListObjects) -> impl Stream<Item = Result<Listed>> + Send + use<> {
    all(client, list)
}

/// Every version and delete marker, newest first per key.
pub fn versions(
    client: &Client,
    list: ListObjectVersions,
) -> impl Stream<Item = Result<ListedAny>> + Send + use<> {
    all(client, list)
}

/// Every upload in parts that was neither completed nor aborted.
pub fn uploads(
    client: &Client,
    list: ListMultipartUploads,
) -> impl Stream<Item = Result<Upload>> + Send + use<> {
    all(client, list)
}

/// Every part of an upload.
pub fn parts(client: &Client, list: ListParts) -> impl Stream<Item = Result<Part>> + Send + use<> {
    all(client, list)
}
