//! The seam for a cache of blocks that outlives the process.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::s3::ObjectRef;

/// Keeps whole blocks, keyed by the version of the object and the block's index.
pub trait BlockCache: Send + Sync {
    /// Asked before the store is.
    fn get<'a>(&'a self, object: &'a ObjectRef, index: u64) -> BoxFuture<'a, Option<Bytes>>;
    /// Called when the readers of the block have been served, by a task that must not be held up: a slow disk is
    /// written by somebody else.
    fn put(&self, object: &ObjectRef, index: u64, block: Bytes);
}
