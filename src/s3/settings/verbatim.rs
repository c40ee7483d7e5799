//! Documents as their bytes: what people wrote reaches the store, and what the store says reaches people, with
//! elements that nobody here knows.

use std::marker::PhantomData;

use bytes::Bytes;
use http::Method;

use super::named::on_named;
use super::{NamedSetting, Setting};
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::on_bucket;
use crate::s3::{Error, Operation, Result};

/// Output: the document's bytes; `None` when it was never put.
#[derive(Clone, Debug)]
pub struct GetVerbatim<S> {
    /// The bucket.
    pub bucket: String,
    setting: PhantomData<S>,
}

/// Replaces the document by this text.
#[derive(Clone, Debug)]
pub struct PutVerbatim<S> {
    /// The bucket.
    pub bucket: String,
    /// The document.
    pub document: Bytes,
    setting: PhantomData<S>,
}

/// Output: the document's bytes; `None` when the bucket has none of that id.
#[derive(Clone, Debug)]
pub struct GetNamedVerbatim<S> {
    /// The bucket.
    pub bucket: String,
    /// Its id.
    pub id: String,
    setting: PhantomData<S>,
}

/// Replaces the document of this id by this text.
#[derive(Clone, Debug)]
pub struct PutNamedVerbatim<S> {
    /// The bucket.
    pub bucket: String,
    /// Its id.
    pub id: String,
    /// The document.
    pub document: Bytes,
    setting: PhantomData<S>,
}

impl<S> GetVerbatim<S> {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), setting: PhantomData }
    }
}

impl<S> PutVerbatim<S> {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>, document: impl Into<Bytes>) -> Self {
        Self { bucket: bucket.into(), document: document.into(), setting: PhantomData }
    }
}

impl<S> GetNamedVerbatim<S> {
    /// The one of this id.
    pub fn new(bucket: impl Into<String>, id: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), id: id.into(), setting: PhantomData }
    }
}

impl<S> PutNamedVerbatim<S> {
    /// The one of this id.
    pub fn new(bucket: impl Into<String>, id: impl Into<String>, document: impl Into<Bytes>) -> Self {
        Self { bucket: bucket.into(), id: id.into(), document: document.into(), setting: PhantomData }
    }
}

fn bytes_of(reply: &Reply) -> Result<Option<Bytes>> {
    reply.document().map(|document| Some(Bytes::copy_from_slice(document)))
}

impl<S: Setting> Operation for GetVerbatim<S> {
    type Output = Option<Bytes>;
    const NAME: &'static str = S::GET;

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with(S::SUBRESOURCE, ""))
    }

    fn decode(&self, reply: Reply) -> Result<Option<Bytes>> {
        bytes_of(&reply)
    }

    fn recover(&self, error: &Error) -> Option<Option<Bytes>> {
        S::ABSENT.contains(&error.code()).then_some(None)
    }
}

impl<S: Setting> Operation for PutVerbatim<S> {
    type Output = ();
    const NAME: &'static str = S::PUT;

    fn encode(&self) -> Result<Request> {
        let request = on_bucket(Method::PUT, &self.bucket)?.with(S::SUBRESOURCE, "");
        Ok(request.with_document(self.document.clone()))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl<S: NamedSetting> Operation for GetNamedVerbatim<S> {
    type Output = Option<Bytes>;
    const NAME: &'static str = S::GET;

    fn encode(&self) -> Result<Request> {
        on_named(Method::GET, &self.bucket, S::SUBRESOURCE, &self.id)
    }

    fn decode(&self, reply: Reply) -> Result<Option<Bytes>> {
        bytes_of(&reply)
    }

    fn recover(&self, error: &Error) -> Option<Option<Bytes>> {
        (error.code() == super::named::ABSENT).then_some(None)
    }
}

impl<S: NamedSetting> Operation for PutNamedVerbatim<S> {
    type Output = ();
    const NAME: &'static str = S::PUT;

    fn encode(&self) -> Result<Request> {
        let request = on_named(Method::PUT, &self.bucket, S::SUBRESOURCE, &self.id)?;
        Ok(request.with_document(self.document.clone()))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CorsConfiguration, Metrics};
    use super::*;
    use crate::s3::ops::fixture::{reply, wire};

    #[test]
    fn documents_pass_as_they_are() {
        let put = PutVerbatim::<CorsConfiguration>::new("b", "<CORSConfiguration><New/></CORSConfiguration>");
        assert_eq!(wire(&put), "PUT /b?cors=\n<CORSConfiguration><New/></CORSConfiguration>");
        let get = GetVerbatim::<CorsConfiguration>::new("b");
        assert_eq!(wire(&get), "GET /b?cors=");
        let answer = get.decode(reply(200, &[], "<Anything/>")).unwrap();
        assert_eq!(answer.as_deref(), Some(&b"<Anything/>"[..]));
        let put = PutNamedVerbatim::<Metrics>::new("b", "i", "<M/>");
        assert_eq!(wire(&put), "PUT /b?metrics=&id=i\n<M/>");
        assert_eq!(wire(&GetNamedVerbatim::<Metrics>::new("b", "i")), "GET /b?metrics=&id=i");
    }
}
