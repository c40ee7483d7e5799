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
