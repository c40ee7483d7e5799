//! One version of one key: an object with all that is known about it, or a delete marker.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::checksum::{Checksum, Checksums};
use super::lock::{Bypass, Retention};
use super::refusal::Refusal;
use crate::embedded::blob::Content;

/// The name of a version. Buckets without versioning, and suspended ones, write the one named `null`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum VersionId {
    Null,
    Named(String),
}

impl From<String> for VersionId {
    fn from(text: String) -> Self {
        if text == "null" { Self::Null } else { Self::Named(text) }
    }
}

impl From<VersionId> for String {
    fn from(id: VersionId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Named(name) => name,
        })
    }
}

/// `C` is [`Content`] in memory, and where its pieces lie on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version<C = Content> {
    pub id: VersionId,
    /// Unique within a server, growing: the row on disk.
    pub serial: u64,
    /// Whole seconds, so that HEAD and listings agree.
    pub modified: SystemTime,
    /// `None`: a delete marker.
    pub object: Option<Object<C>>,
}

impl<C> Version<C> {
    pub fn is_marker(&self) -> bool {
        self.object.is_none()
    }

    pub fn map_content<D, E>(self, map: impl FnMut(C) -> Result<D, E>) -> Result<Version<D>, E> {
        let object = self.object.map(|object| object.map_content(map)).transpose()?;
        Ok(Version { id: self.id, serial: self.serial, modified: self.modified, object })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object<C = Content> {
    pub content: C,
    /// Without quotes.
    pub etag: String,
    pub checksum: Checksum,
    /// Of an object that was uploaded in parts.
    pub parts: Vec<PartSummary>,
    pub about: Box<About>,
    pub lock: Lock,
    /// The access control list as it was put; `None`: private. A copy does not inherit it.
    #[serde(default)]
    pub acl: Option<String>,
    /// How often it has grown; an append writes the whole object anew, of the same pieces and one more.
    #[serde(default)]
    pub appends: u32,
    /// By name. A copy does not inherit them.
    #[serde(default = "BTreeMap::new")]
    pub annotations: BTreeMap<String, Annotation<C>>,
    /// Of an archived object: that it can be read for a time.
    #[serde(default)]
    pub restored: Option<Restored>,
    /// IBM's legal holds, by id, each with its beginning.
    #[serde(default)]
    pub holds: BTreeMap<String, SystemTime>,
}

impl<C> Object<C> {
    /// Of what a write brings along; nothing has happened to it yet.
    pub fn new(new: NewObject<C>) -> Self {
        let NewObject { content, etag, checksum, parts, about, lock, acl } = new;
        let (annotations, holds) = (BTreeMap::new(), BTreeMap::new());
        Self {
            content,
            etag,
            checksum,
            parts,
            about,
            lock,
            acl,
            appends: 0,
            annotations,
            restored: None,
            holds,
        }
    }

    /// May it be removed for good?
    pub fn may_remove(&self, bypass: Bypass, now: SystemTime) -> Result<(), Refusal> {
        if !self.holds.is_empty() {
            return Err(Refusal::locked());
        }
        self.lock.may_remove(bypass, now)
    }

    fn map_content<D, E>(self, mut map: impl FnMut(C) -> Result<D, E>) -> Result<Object<D>, E> {
        let Self { content, etag, checksum, parts, about, lock, acl, appends, annotations, restored, holds } =
            self;
        let content = map(content)?;
        let annotation = |(name, annotation): (String, Annotation<C>)| {
            let Annotation { content, etag, modified, checksum } = annotation;
            Ok((name, Annotation { content: map(content)?, etag, modified, checksum }))
        };
        let annotations = annotations.into_iter().map(annotation).collect::<Result<_, E>>()?;
        Ok(Object { content, etag, checksum, parts, about, lock, acl, appends, annotations, restored, holds })
    }
}

/// An object that is ready to become a version.
pub struct NewObject<C = Content> {
    pub content: C,
    pub etag: String,
    pub checksum: Checksum,
    pub parts: Vec<PartSummary>,
    pub about: Box<About>,
    pub lock: Lock,
    /// As in [`Object::acl`].
    pub acl: Option<String>,
}

/// A named payload beside an object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAnnotation.html>
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Annotation<C = Content> {
    pub content: C,
    pub etag: String,
    pub modified: SystemTime,
    pub checksum: Checksum,
}

/// An archived object that was asked back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Readable from here on …
    pub from: SystemTime,
    /// … until here.
    pub until: SystemTime,
}

/// What remains of a part once the upload is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSummary {
    pub number: u32,
    pub size: u64,
    pub checksums: Checksums,
}

/// What the writer said about the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<SystemTime>,
    pub website_redirect: Option<String>,
    /// `None` is STANDARD.
    pub storage_class: Option<String>,
    /// Names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    pub tags: Tags,
    /// As it was asked for. This server remembers and tells it; it encrypts nothing.
    #[serde(default)]
    pub encryption: Option<Encryption>,
}

/// Server-side encryption by its headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub kind: String,
    /// Of KMS: an ARN or an id.
    pub key: Option<String>,
    pub bucket_key: Option<bool>,
}

pub type Tags = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub retention: Option<Retention>,
    pub legal_hold: bool,
}

#[cfg(test)]
impl Object {
    pub fn for_test() -> Self {
        let checksum = Checksum::whole(crate::base::checksum::Algorithm::Crc64Nvme, &[0; 8]);
        let etag = "e".to_owned();
        let content = Content::default();
        let (parts, about, lock) = (Vec::new(), Box::default(), Lock::default());
        Self::new(NewObject { content, etag, checksum, parts, about, lock, acl: None })
    }
}
