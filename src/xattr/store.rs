//! The requests that labels take: tags, legal hold and retention of a stored object.

use std::time::SystemTime;

use super::lock::{Governance, judge_retention};
use super::{Change, Error, Result, change};
use crate::s3::ops::{
    DeleteObjectTagging, GetObjectLegalHold, GetObjectRetention, GetObjectTagging, LockHeaders,
    PutObjectLegalHold, PutObjectRetention, PutObjectTagging, Retention, Tags,
};
use crate::s3::{Client, ErrorKind, ObjectRef, Result as StoreResult};

/// The object whose labels are meant.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub client: &'a Client,
    pub bucket: &'a str,
    pub object: &'a ObjectRef,
}

impl Target<'_> {
    pub async fn tags(&self) -> StoreResult<Tags> {
        let get = GetObjectTagging {
            bucket: self.bucket.to_owned(),
            key: self.object.key.to_string(),
            version: self.object.version.clone(),
        };
        match self.client.send(&get).await {
            Err(error) if error.kind() == ErrorKind::NoSuchSetting => Ok(Tags::new()),
            answer => answer,
        }
    }

    /// The lock as asked for by name: HEAD leaves it out for callers who may not read it.
    pub async fn lock(&self) -> StoreResult<LockHeaders> {
        let (legal_hold, retention) = futures_util::future::join(self.legal_hold(), self.retention()).await;
        Ok(LockHeaders { legal_hold: legal_hold?, retention: retention? })
    }

    async fn legal_hold(&self) -> StoreResult<Option<bool>> {
        let get = GetObjectLegalHold {
            bucket: self.bucket.to_owned(),
            key: self.object.key.to_string(),
            version: self.object.version.clone(),
        };
        match self.client.send(&get).await {
            Ok(on) => Ok(Some(on)),
            Err(error) if error.kind() == ErrorKind::NoSuchSetting => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn retention(&self) -> StoreResult<Option<Retention>> {
        let get = GetObjectRetention {
            bucket: self.bucket.to_owned(),
            key: self.object.key.to_string(),
            version: self.object.version.clone(),
        };
        match self.client.send(&get).await {
            Err(error) if error.kind() == ErrorKind::NoSuchSetting => Ok(None),
            answer => answer,
        }
    }

    /// Makes a change with [`super::Effect::Label`] at the store.
    pub async fn apply(
        &self,
        change: &Change,
        present: LockHeaders,
        governance: Governance,
        now: SystemTime,
    ) -> Result<()> {
        match change {
            Change::Tag(key, value) => self.change_tag(key, value.as_deref()).await,
            Change::Tags(tags) => self.put_tags(tags.clone()).await,
            Change::LegalHold(on) => self.put_legal_hold(*on).await,
            Change::Retention(wanted) => {
                judge_retention(present.retention, *wanted, governance, now)?;
                self.put_retention(present.retention, *wanted, governance).await
            }
            other => Err(Error::Invalid(format!("{other:?} is not a label"))),
        }
    }

    async fn change_tag(&self, key: &str, value: Option<&str>) -> Result<()> {
        let changed = change::change_tag(self.tags().await?, key, value)?;
        self.put_tags(changed).await
    }

    /// The empty set is put as well: Ceph 16 acknowledges DeleteObjectTagging of a version and keeps its tags. A
    /// store that takes no empty set is asked to delete.
    async fn put_tags(&self, tags: Tags) -> Result<()> {
        let (bucket, key, version) =
            (self.bucket.to_owned(), self.object.key.to_string(), self.object.version.clone());
        let is_empty = tags.is_empty();
        let put = PutObjectTagging { bucket, key, version, tags };
        match self.client.send(&put).await {
            Err(error) if is_empty && error.kind() == ErrorKind::Invalid => {
                let PutObjectTagging { bucket, key, version, .. } = put;
                Ok(self.client.send(&DeleteObjectTagging { bucket, key, version }).await?)
            }
            answer => Ok(answer?),
        }
    }

    async fn put_legal_hold(&self, on: bool) -> Result<()> {
        let put = PutObjectLegalHold {
            bucket: self.bucket.to_owned(),
            key: self.object.key.to_string(),
            version: self.object.version.clone(),
            on,
        };
        Ok(self.client.send(&put).await?)
    }

    async fn put_retention(
        &self,
        present: Option<Retention>,
        wanted: Option<Retention>,
        governance: Governance,
    ) -> Result<()> {
        if present.is_none() && wanted.is_none() {
            return Err(Error::NoAttribute);
        }
        let put = PutObjectRetention {
            bucket: self.bucket.to_owned(),
            key: self.object.key.to_string(),
            version: self.object.version.clone(),
            retention: wanted,
            bypass_governance: governance == Governance::Bypass,
        };
        Ok(self.client.send(&put).await?)
    }
}
