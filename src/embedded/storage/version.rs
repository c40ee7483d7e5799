//! One version of one key: an object with all that is known about it, or a delete marker.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::checksum::{Checksum, Checksums};
use super::lock::Retention;
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

    pub fn map_content<D, E>(self, map: impl FnOnce(C) -> Result<D, E>) -> Result<Version<D>, E> {
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
}

impl<C> Object<C> {
    fn map_content<D, E>(self, map: impl FnOnce(C) -> Result<D, E>) -> Result<Object<D>, E> {
        let Self { content, etag, checksum, parts, about, lock, acl } = self;
        Ok(Object { content: map(content)?, etag, checksum, parts, about, lock, acl })
    }
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
        let checksum = Checksum::whole(super::algorithm::Algorithm::Crc64Nvme, &[0; 8]);
        let etag = "e".to_owned();
        let content = Content::default();
        let (parts, about, lock) = (Vec::new(), Box::default(), Lock::default());
        Self { content, etag, checksum, parts, about, lock, acl: None }
    }
}
