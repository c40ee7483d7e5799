//! Documents of which a bucket has up to 1,000, each with an id of its own: analytics, inventory, metrics and
//! intelligent tiering. Four verbs serve them; a GET without an id is the listing.

use std::marker::PhantomData;

use bytes::Bytes;
use http::Method;

use crate::s3::document::Element;
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::on_bucket;
use crate::s3::xml::Reader;
use crate::s3::{Error, Operation, Result};

/// What a store says where there is no document of an id.
pub(super) const ABSENT: &str = "NoSuchConfiguration";

/// One of several documents of a kind.
pub trait NamedSetting: Sized + Send + Sync + 'static {
    /// The sub-resource in the query, such as `inventory`.
    const SUBRESOURCE: &'static str;
    /// The S3 API actions, such as `GetBucketInventoryConfiguration`.
    const GET: &'static str;
    /// Such as `PutBucketInventoryConfiguration`.
    const PUT: &'static str;
    /// Such as `DeleteBucketInventoryConfiguration`.
    const DELETE: &'static str;
    /// Such as `ListBucketInventoryConfigurations`.
    const LIST: &'static str;

    /// Up to 64 letters, digits, `-`, `_` and `.`.
    fn id(&self) -> &str;
    /// The request body.
    fn encode(&self) -> Result<Bytes>;
    /// From a reply.
    fn decode(document: &[u8]) -> Result<Self>;
    /// From a page of a listing.
    fn decode_page(document: &[u8]) -> Result<NamedPage<Self>>;
}

/// Up to 100 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPage<S> {
    /// In the order of their ids.
    pub documents: Vec<S>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// Output: `None` when the bucket has none of that id.
#[derive(Clone, Debug)]
pub struct GetNamed<S> {
    /// The bucket.
    pub bucket: String,
    /// Its id.
    pub id: String,
    document: PhantomData<S>,
}

/// The id is the document's own.
#[derive(Clone, Debug)]
pub struct PutNamed<S> {
    /// The bucket.
    pub bucket: String,
    /// The document.
    pub document: S,
}

/// Removes the document of this id.
#[derive(Clone, Debug)]
pub struct DeleteNamed<S> {
    /// The bucket.
    pub bucket: String,
    /// Its id.
    pub id: String,
    document: PhantomData<S>,
}

/// Output: [`NamedPage`].
#[derive(Clone, Debug)]
pub struct ListNamed<S> {
    /// The bucket.
    pub bucket: String,
    /// Where the next page begins; `None` on the last.
    pub continuation_token: Option<String>,
    document: PhantomData<S>,
}

impl<S> GetNamed<S> {
    /// The one of this id.
    pub fn new(bucket: impl Into<String>, id: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), id: id.into(), document: PhantomData }
    }
}

impl<S> DeleteNamed<S> {
    /// The one of this id.
    pub fn new(bucket: impl Into<String>, id: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), id: id.into(), document: PhantomData }
    }
}

impl<S> ListNamed<S> {
    /// From the first.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), continuation_token: None, document: PhantomData }
    }
}

/// Without an id a GET would list, and a DELETE might take them all.
pub(super) fn on_named(method: Method, bucket: &str, subresource: &'static str, id: &str) -> Result<Request> {
    if id.is_empty() {
        return Err(Error::invalid(format!("Each {subresource} document has an id, which is not empty.")));
    }
    Ok(on_bucket(method, bucket)?.with(subresource, "").with("id", id))
}

impl<S: NamedSetting> Operation for GetNamed<S> {
    type Output = Option<S>;
    const NAME: &'static str = S::GET;

    fn encode(&self) -> Result<Request> {
        on_named(Method::GET, &self.bucket, S::SUBRESOURCE, &self.id)
    }

    fn decode(&self, reply: Reply) -> Result<Option<S>> {
        S::decode(reply.document()?).map(Some)
    }

    fn recover(&self, error: &Error) -> Option<Option<S>> {
        (error.code() == ABSENT).then_some(None)
    }
}

impl<S: NamedSetting> Operation for PutNamed<S> {
    type Output = ();
    const NAME: &'static str = S::PUT;

    fn encode(&self) -> Result<Request> {
        let request = on_named(Method::PUT, &self.bucket, S::SUBRESOURCE, self.document.id())?;
        Ok(request.with_document(self.document.encode()?))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl<S: NamedSetting> Operation for DeleteNamed<S> {
    type Output = ();
    const NAME: &'static str = S::DELETE;

    fn encode(&self) -> Result<Request> {
        on_named(Method::DELETE, &self.bucket, S::SUBRESOURCE, &self.id)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl<S: NamedSetting> Operation for ListNamed<S> {
    type Output = NamedPage<S>;
    const NAME: &'static str = S::LIST;

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?
            .with(S::SUBRESOURCE, "")
            .with_some("continuation-token", self.continuation_token.as_deref()))
    }

    fn decode(&self, reply: Reply) -> Result<NamedPage<S>> {
        S::decode_page(reply.document()?)
    }
}

/// Stores do not agree on the name of the root.
pub(super) fn decode_page<S: Element>(document: &[u8], element: &str) -> Result<NamedPage<S>> {
    let (mut documents, mut truncated, mut next) = (Vec::new(), false, None);
    Reader::open_any(document)?.children(|name, xml| {
        match name {
            _ if name == element => documents.push(S::read(xml)?),
            "IsTruncated" => truncated = xml.boolean()?,
            "NextContinuationToken" => next = xml.non_empty()?,
            _ => {}
        }
        Ok(())
    })?;
    if truncated && next.is_none() {
        return Err(Error::decode("The listing goes on, but the reply has no token to go on with."));
    }
    Ok(NamedPage { documents, next: next.filter(|_| truncated) })
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use crate::s3::ErrorKind;
    use crate::s3::ops::fixture::{refusal, reply, wire};

    #[test]
    fn documents_are_told_apart_by_their_id() {
        assert_eq!(wire(&GetNamed::<Metrics>::new("b", "EntireBucket")), "GET /b?metrics=&id=EntireBucket");
        assert_eq!(wire(&DeleteNamed::<Metrics>::new("b", "x")), "DELETE /b?metrics=&id=x");
        assert_eq!(refusal(&GetNamed::<Metrics>::new("b", "")), ErrorKind::Invalid);
        assert_eq!(refusal(&DeleteNamed::<Metrics>::new("b", "")), ErrorKind::Invalid);
        assert_eq!(wire(&ListNamed::<Metrics>::new("b")), "GET /b?metrics=");
        let next = ListNamed::<Metrics> { continuation_token: Some("t".into()), ..ListNamed::new("b") };
        assert_eq!(wire(&next), "GET /b?metrics=&continuation-token=t");
    }

    #[test]
    fn a_listing_says_whether_it_goes_on() {
        let list = ListNamed::<Metrics>::new("b");
        let page = |document: &str| list.decode(reply(200, &[], document));
        let metrics = "<MetricsConfiguration><Id>a</Id></MetricsConfiguration>\
                       <MetricsConfiguration><Id>b</Id></MetricsConfiguration>";
        let first = page(&format!(
            "<ListMetricsConfigurationsResult>{metrics}<IsTruncated>true</IsTruncated>\
             <NextContinuationToken>t</NextContinuationToken></ListMetricsConfigurationsResult>"
        ));
        let first = first.unwrap();
        assert_eq!(first.documents.iter().map(NamedSetting::id).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(first.next.as_deref(), Some("t"));
        let last = page("<Other><IsTruncated>false</IsTruncated></Other>").unwrap();
        assert_eq!((last.documents.len(), last.next), (0, None));
        let torn = page("<R><IsTruncated>true</IsTruncated></R>");
        assert_eq!(torn.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
