//! A complete S3 client that has never heard of files.
//!
//! A verb is a struct in [`ops`] that implements [`Operation`]; a configuration document is a struct in
//! [`settings`] that implements `Setting`, and four generic verbs serve them all. [`Client::send`] encodes an
//! operation, signs it, transports it, judges the reply, retries by class of failure and decodes the answer.
//!
//! ```
//! use std::time::Duration;
//!
//! use futures_util::TryStreamExt;
//! use holdfs::embedded::{Options, Server};
//! use holdfs::s3::ops::{CreateBucket, GetObject, ListObjectsV2, PutObject};
//! use holdfs::s3::settings::{GetSetting, PutSetting, Versioning, VersioningStatus};
//! use holdfs::s3::transfer::{self, Progress, Target, Tuning, UploadSource, pages};
//! use holdfs::s3::{Client, Config, Credentials, ErrorKind, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A store of our own; any other is named by its endpoint, and AWS by none.
//! let server = Server::start(Options::default()).await?;
//! let pair = server.key_pair();
//! let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! let client = Client::new(config)?;
//!
//! // An operation is a struct; its output has a type of its own.
//! client.send(&CreateBucket { bucket: "photos".into(), ..CreateBucket::default() }).await?;
//! client.send(&PutObject::new("photos", "2026/a.txt", "hello")).await?;
//! let get = GetObject { bucket: "photos".into(), key: "2026/a.txt".into(), ..GetObject::default() };
//! let body = client.send(&get).await?.body.collect(1 << 20).await?;
//! assert_eq!(body, "hello");
//! let none = GetObject { key: "none".into(), ..get.clone() };
//! assert_eq!(client.send(&none).await.err().map(|error| error.kind()), Some(ErrorKind::NoSuchKey));
//!
//! // Whoever has the URL can read the object for a minute.
//! let url = client.presign(&get, Duration::from_secs(60)).await?;
//! assert!(url.contains("X-Amz-Signature="));
//!
//! // A transfer cuts what is large into parts, side by side, and tells how far it is.
//! let progress = Progress::new(|moved| println!("{} of {:?} bytes", moved.done, moved.total));
//! let tuning = Tuning { progress: Some(progress), ..Tuning::default() };
//! let target = Target { bucket: "photos".into(), key: "2026/b.bin".into(), ..Target::default() };
//! transfer::upload(&client, &tuning, &target, UploadSource::Bytes(vec![7; 20 << 20].into())).await?;
//!
//! // A listing is one stream over all its pages.
//! let list = ListObjectsV2 { bucket: "photos".into(), prefix: "2026/".into(), ..ListObjectsV2::default() };
//! let listed: Vec<_> = pages::objects(&client, list).try_collect().await?;
//! assert_eq!(listed.iter().map(|entry| entry.name()).collect::<Vec<_>>(), ["2026/a.txt", "2026/b.bin"]);
//!
//! // Documents of a bucket go by four verbs, whatever their kind.
//! let document = Versioning::of(VersioningStatus::Enabled);
//! client.send(&PutSetting { bucket: "photos".into(), document: document.clone() }).await?;
//! assert_eq!(client.send(&GetSetting::new("photos")).await?, Some(document));
//! # Ok(())
//! # }
//! ```
//!
//! [`resource`] has the same as handles of things that know their own names. More examples: [transfers](transfer)
//! with progress, [listings that are resumed](transfer::pages), [presigned URLs](Client::presign) and
//! [forms](post), [selections](ops::SelectObjectContent), [locks](ops::PutObjectRetention),
//! [versions](resource::ObjectVersion), [documents of buckets](settings),
//! [events as they come](vendor::minio::ListenNotification), [credentials], [errors](error).

#![warn(missing_docs)]

pub mod body;
mod checksum;
pub mod client;
pub mod config;
pub mod credentials;
pub mod dialect;
pub mod document;
mod endpoint;
mod envelope;
pub mod error;
pub mod event_stream;
mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod heed;
mod judge;
pub mod limits;
pub mod names;
pub mod object;
pub mod operation;
pub mod ops;
mod pace;
pub mod post;
pub mod probe;
mod region;
pub mod resource;
mod retry;
#[cfg(test)]
pub(crate) mod scripted;
mod session;
pub mod settings;
mod sign;
mod skew;
#[cfg(test)]
mod suites;
pub mod transfer;
mod transport;
pub mod vendor;
mod xml;

pub use crate::base::checksum::Algorithm as ChecksumAlgorithm;
pub use body::{Body, BodySource, ByteStream};
pub use client::Client;
pub use config::{
    AwsAddress, ChecksumMode, ClientCertificate, Config, Deadlines, PayloadSigning, Proxy, Style,
    Verification,
};
pub use credentials::{Credentials, Provider};
pub use error::{Error, ErrorKind};
pub use limits::Limits;
pub use object::{ETag, ObjectRef, VersionId};
pub use operation::Operation;

/// What everything here ends with.
pub type Result<T> = std::result::Result<T, Error>;
