//! Configuration documents of a bucket as data: a document is a struct that implements [`Setting`] (and
//! [`Removable`] where S3 can delete it), and three generic verbs get, put and delete any of them. A new document is
//! a new file here and touches nothing else.

use std::marker::PhantomData;

use bytes::Bytes;
use http::Method;

use crate::s3::operation::{Reply, Request};
use crate::s3::ops::on_bucket;
use crate::s3::{Error, Operation, Result};

mod object_lock;
mod tags;
mod versioning;

pub use object_lock::{DefaultRetention, ObjectLockConfiguration, RetentionPeriod};
pub use tags::BucketTags;
pub use versioning::{Versioning, VersioningStatus};

/// One document of one bucket.
pub trait Setting: Sized + Send + Sync + 'static {
    /// The sub-resource in the query, such as `versioning`.
    const SUBRESOURCE: &'static str;
    /// The S3 API actions, such as `GetBucketVersioning`.
    const GET: &'static str;
    const PUT: &'static str;
    /// Codes by which a store says that the document was never put.
    const ABSENT: &'static [&'static str];

    /// The request body.
    fn encode(&self) -> Result<Bytes>;
    fn decode(document: &[u8]) -> Result<Self>;
}

/// A document that can be deleted (some can only be replaced).
pub trait Removable: Setting {
    /// The S3 API action.
    const DELETE: &'static str;
}

/// Output: `None` when the document was never put.
#[derive(Clone, Debug)]
pub struct GetSetting<S> {
    pub bucket: String,
    document: PhantomData<S>,
}

#[derive(Clone, Debug)]
pub struct PutSetting<S> {
    pub bucket: String,
    pub document: S,
}

#[derive(Clone, Debug)]
pub struct DeleteSetting<S> {
    pub bucket: String,
    document: PhantomData<S>,
}

impl<S> GetSetting<S> {
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), document: PhantomData }
    }
}

impl<S> DeleteSetting<S> {
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), document: PhantomData }
    }
}

impl<S: Setting> Operation for GetSetting<S> {
    type Output = Option<S>;
    const NAME: &'static str = S::GET;

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with(S::SUBRESOURCE, ""))
    }

    fn decode(&self, reply: Reply) -> Result<Option<S>> {
        S::decode(reply.document()?).map(Some)
    }

    fn recover(&self, error: &Error) -> Option<Option<S>> {
        S::ABSENT.contains(&error.code()).then_some(None)
    }
}

impl<S: Setting> Operation for PutSetting<S> {
    type Output = ();
    const NAME: &'static str = S::PUT;

    fn encode(&self) -> Result<Request> {
        let request = on_bucket(Method::PUT, &self.bucket)?.with(S::SUBRESOURCE, "");
        Ok(request.with_document(self.document.encode()?))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl<S: Removable> Operation for DeleteSetting<S> {
    type Output = ();
    const NAME: &'static str = S::DELETE;

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::DELETE, &self.bucket)?.with(S::SUBRESOURCE, ""))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}
