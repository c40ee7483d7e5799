//! Configuration documents of a bucket as data: a document is a struct that implements [`Setting`] (and
//! [`Removable`] where S3 can delete it), and three generic verbs get, put and delete any of them. A new document is
//! a new file here and touches nothing else. Documents of which a bucket has several, told apart by an id, are
//! [`NamedSetting`]s with four verbs of their own.
//!
//! ```
//! use holdfs::s3::ops::CreateBucket;
//! use holdfs::s3::settings::{DeleteSetting, GetSetting, Lifecycle, PutSetting};
//! # use holdfs::s3::{Client, Config, Credentials, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
//! # let pair = server.key_pair();
//! # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! # let client = Client::new(config)?;
//! # client.send(&CreateBucket { bucket: "logs".into(), ..CreateBucket::default() }).await?;
//! // Documents are structs, and JSON of the same shape.
//! let document: Lifecycle = serde_json::from_str(
//!     r#"{"Rule": [{
//!         "ID": "old", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 30}
//!     }]}"#,
//! )?;
//! client.send(&PutSetting { bucket: "logs".into(), document }).await?;
//! let found: Option<Lifecycle> = client.send(&GetSetting::new("logs")).await?;
//! assert_eq!(found.expect("it was put").rules[0].id.as_deref(), Some("old"));
//! client.send(&DeleteSetting::<Lifecycle>::new("logs")).await?;
//! assert_eq!(client.send(&GetSetting::<Lifecycle>::new("logs")).await?, None);
//! # Ok(())
//! # }
//! ```

use std::marker::PhantomData;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::s3::operation::{Reply, Request};
use crate::s3::ops::on_bucket;
use crate::s3::{Error, Operation, Result};

pub mod acl;
mod cors;
mod encryption;
mod filter;
pub mod lifecycle;
mod logging;
pub mod metadata;
mod named;
mod notification;
mod object_lock;
mod policy;
pub mod replication;
pub mod reports;
mod switches;
mod tags;
mod verbatim;
mod versioning;
mod website;

pub use acl::AccessControl;
pub use cors::{CorsConfiguration, CorsRule};
pub use encryption::{BlockedEncryption, BucketEncryption, DefaultEncryption, EncryptionRule};
pub use filter::{ObjectFilter, ObjectFilterAnd, Tag};
pub use lifecycle::{Lifecycle, LifecycleRule};
pub use logging::{LogKeyFormat, Logging, LoggingTarget, PartitionDate, PartitionedPrefix};
pub use named::{DeleteNamed, GetNamed, ListNamed, NamedPage, NamedSetting, PutNamed};
pub use notification::{
    EventFilter, FunctionTarget, KeyFilter, KeyFilterRule, Notification, QueueTarget, TopicTarget,
};
pub use object_lock::{DefaultRetention, ObjectLockConfiguration, RetentionPeriod};
pub use policy::{BucketPolicy, GetBucketPolicyStatus, PolicyStatus};
pub use replication::{Replication, ReplicationRule};
pub use reports::{Analytics, IntelligentTiering, Inventory, Metrics};
pub use switches::{
    Acceleration, AccelerationStatus, AttributeAccess, Ownership, OwnershipControls, OwnershipRule, Payer,
    PublicAccessBlock, RequestPayment,
};
pub use tags::BucketTags;
pub use verbatim::{GetNamedVerbatim, GetVerbatim, PutNamedVerbatim, PutVerbatim};
pub use versioning::{Versioning, VersioningStatus};
pub use website::{
    ErrorDocument, IndexDocument, Redirect, RedirectAll, RoutingCondition, RoutingRule, RoutingRules, Website,
};

/// One document of one bucket.
pub trait Setting: Sized + Send + Sync + 'static {
    /// The sub-resource in the query, such as `versioning`.
    const SUBRESOURCE: &'static str;
    /// The S3 API actions, such as `GetBucketVersioning`.
    const GET: &'static str;
    /// Such as `PutBucketVersioning`.
    const PUT: &'static str;
    /// Codes by which a store says that the document was never put.
    const ABSENT: &'static [&'static str];

    /// The request body.
    fn encode(&self) -> Result<Bytes>;
    /// From a reply.
    fn decode(document: &[u8]) -> Result<Self>;

    /// What of it travels in headers of the request.
    fn put_headers(&self, _headers: &mut HeaderMap) -> Result<()> {
        Ok(())
    }
    /// What of it came in headers of the reply.
    fn with_headers(self, _headers: &HeaderMap) -> Self {
        self
    }
}

/// A document that can be deleted (some can only be replaced).
pub trait Removable: Setting {
    /// The S3 API action.
    const DELETE: &'static str;
}

/// Output: `None` when the document was never put.
#[derive(Clone, Debug)]
pub struct GetSetting<S> {
    /// The bucket.
    pub bucket: String,
    document: PhantomData<S>,
}

/// Replaces the document.
#[derive(Clone, Debug)]
pub struct PutSetting<S> {
    /// The bucket.
    pub bucket: String,
    /// The document.
    pub document: S,
}

/// Sent only to a store that knows such documents: others take it for DeleteBucket.
#[derive(Clone, Debug)]
pub struct DeleteSetting<S> {
    /// The bucket.
    pub bucket: String,
    document: PhantomData<S>,
}

impl<S> GetSetting<S> {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), document: PhantomData }
    }
}

impl<S> DeleteSetting<S> {
    /// Of this bucket.
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
        Ok(Some(S::decode(reply.document()?)?.with_headers(&reply.headers)))
    }

    fn recover(&self, error: &Error) -> Option<Option<S>> {
        S::ABSENT.contains(&error.code()).then_some(None)
    }
}

impl<S: Setting> Operation for PutSetting<S> {
    type Output = ();
    const NAME: &'static str = S::PUT;

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::PUT, &self.bucket)?.with(S::SUBRESOURCE, "");
        self.document.put_headers(&mut request.headers)?;
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

#[cfg(test)]
pub(in crate::s3) mod fixture {
    //! The reference's own documents, there and back.

    use std::fmt::Debug;

    use quick_xml::events::Event;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;

    /// Reads the document; what is written of it says the same as what was read, in XML and in JSON.
    pub(in crate::s3) fn survives<S>(document: &str) -> S
    where
        S: Setting + PartialEq + Debug + Serialize + DeserializeOwned,
    {
        check(document, S::decode, S::encode)
    }

    pub(in crate::s3) fn named_survives<S>(document: &str) -> S
    where
        S: NamedSetting + PartialEq + Debug + Serialize + DeserializeOwned,
    {
        check(document, S::decode, S::encode)
    }

    pub(in crate::s3) fn check<S>(
        document: &str,
        decode: fn(&[u8]) -> Result<S>,
        encode: fn(&S) -> Result<Bytes>,
    ) -> S
    where
        S: PartialEq + Debug + Serialize + DeserializeOwned,
    {
        let read = decode(document.as_bytes()).expect("the document is understood");
        let written = encode(&read).expect("it can be written");
        assert_eq!(leaves(&written), leaves(document.as_bytes()));
        assert_eq!(decode(&written).expect("what was written is understood"), read);
        let json = serde_json::to_string(&read).expect("it has a JSON form");
        assert_eq!(serde_json::from_str::<S>(&json).expect("which can be read"), read, "{json}");
        read
    }

    /// Every innermost element with its path and its text, in the order of the paths.
    fn leaves(document: &[u8]) -> Vec<String> {
        let mut leaves = Vec::new();
        let mut events = quick_xml::Reader::from_str(std::str::from_utf8(document).expect("text"));
        events.config_mut().expand_empty_elements = true;
        let (mut path, mut text, mut is_leaf) = (Vec::new(), String::new(), false);
        loop {
            match events.read_event().expect("XML") {
                Event::Start(start) => {
                    path.push(start.local_name().into_inner().to_owned());
                    (text, is_leaf) = (String::new(), true);
                }
                Event::Text(piece) => text.push_str(piece.as_ref()),
                Event::End(_) => {
                    if std::mem::take(&mut is_leaf) {
                        leaves.push(format!("{}={}", path.join("/"), text.trim()));
                    }
                    path.pop();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        leaves.sort();
        leaves
    }
}
