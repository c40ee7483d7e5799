//! Handles: what S3 has, as things that know their own names. Convenience over the plain operations; whatever a
//! handle does, [`Client::send`](crate::s3::Client::send) does, too.
//!
//! ```text
//! Service ── buckets ──▶ Bucket ── objects ─────────────▶ ObjectSummary ──▶ Object ──▶ ObjectAcl, ObjectProtection
//!                          ├────── object_versions ─────▶ ObjectVersion ──▶ Object
//!                          ├────── multipart_uploads ───▶ MultipartUpload ── parts ──▶ Part
//!                          └────── acl, cors, policy … ─▶ SettingHandle
//! ```
//!
//! A handle costs a clone of the client and a name, and making one asks nobody. Its attributes are asked for once, by
//! the first `load`, and kept; `reload` asks again, and what the handle itself changes it forgets. Clones of a handle
//! share what it knows. A [`Collection`] is a listing whose entries are handles.
//!
//! ```
//! use futures_util::TryStreamExt;
//! use holdfs::embedded::{Options, Server};
//! use holdfs::s3::ops::CreateBucket;
//! use holdfs::s3::resource::Service;
//! use holdfs::s3::{Body, Client, Config, Credentials, Provider};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Server::start(Options::default()).await?;
//! # let pair = server.key_pair();
//! # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
//! # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
//! let client = Client::new(config)?;
//! let create = CreateBucket { bucket: "photos".into(), ..CreateBucket::default() };
//! let bucket = Service::new(&client).create_bucket(create).await?;
//! bucket.versioning().enable().await?;
//! bucket.wait_until_exists().await?;
//!
//! let object = bucket.object("notes/one.txt");
//! object.put(Body::Bytes("first".into())).await?;
//! object.put(Body::Bytes("second".into())).await?;
//! assert_eq!(object.load().await?.size, 6);
//!
//! let folder = tempfile::tempdir()?;
//! object.download_file(folder.path().join("one.txt")).await?;
//! bucket.upload_file(folder.path().join("one.txt"), "notes/two.txt").await?;
//!
//! let keys: Vec<_> = bucket.objects().prefix("notes/").page_size(1).all().try_collect().await?;
//! assert_eq!(keys.len(), 2);
//! let versions: Vec<_> = bucket.object_versions().prefix("notes/one").all().try_collect().await?;
//! assert_eq!(versions[1].head().await?.size, 5);
//! assert!(bucket.object_versions().delete().await?.is_empty());
//! bucket.delete().await?;
//! # Ok(())
//! # }
//! ```

mod bucket;
mod collection;
mod known;
mod object;
mod service;
mod setting;
mod upload;
mod version;

pub use bucket::Bucket;
pub use collection::Collection;
pub use object::{Object, ObjectAcl, ObjectProtection, ObjectSummary};
pub use service::Service;
pub use setting::{
    BucketAcl, BucketCors, BucketLifecycleConfiguration, BucketLogging, BucketNotification, BucketPolicy,
    BucketProtection, BucketTagging, BucketVersioning, BucketWebsite, SettingHandle,
};
pub use upload::{MultipartUpload, MultipartUploadPart, Part};
pub use version::ObjectVersion;
