//! A configuration document of a bucket.

use std::sync::Arc;

use super::Bucket;
use super::known::Known;
use crate::s3::ops::PutBucketCannedAcl;
use crate::s3::settings;
use crate::s3::settings::{
    AccessControl, BucketTags, CorsConfiguration, DeleteSetting, GetSetting, Lifecycle, Logging,
    Notification, PutSetting, Removable, Setting, Versioning, VersioningStatus, Website,
};
use crate::s3::vendor::ibm;
use crate::s3::{Client, Result};

/// A document of a bucket, whatever its kind: its attributes are the fields of what [`load`](Self::load) gives.
pub struct SettingHandle<S> {
    client: Client,
    bucket: String,
    known: Known<Option<Arc<S>>>,
}

/// `grants` and `owner`.
pub type BucketAcl = SettingHandle<AccessControl>;
/// `cors_rules`.
pub type BucketCors = SettingHandle<CorsConfiguration>;
/// `rules`.
pub type BucketLifecycleConfiguration = SettingHandle<Lifecycle>;
/// Where access logs go.
pub type BucketLogging = SettingHandle<Logging>;
/// Who is told of events.
pub type BucketNotification = SettingHandle<Notification>;
/// Who may do what.
pub type BucketPolicy = SettingHandle<settings::BucketPolicy>;
/// `tag_set`.
pub type BucketTagging = SettingHandle<BucketTags>;
/// `status` and `mfa_delete`.
pub type BucketVersioning = SettingHandle<Versioning>;
/// `index_document`, `error_document`, `redirect_all_requests_to`, `routing_rules`.
pub type BucketWebsite = SettingHandle<Website>;
/// IBM: `status`, `minimum_retention`, `default_retention`, `maximum_retention`, `enable_permanent_retention`.
pub type BucketProtection = SettingHandle<ibm::BucketProtection>;

impl<S> Clone for SettingHandle<S> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), bucket: self.bucket.clone(), known: self.known.clone() }
    }
}

impl<S: Setting> SettingHandle<S> {
    /// Of this bucket.
    pub fn new(client: &Client, bucket: impl Into<String>) -> Self {
        Self { client: client.clone(), bucket: bucket.into(), known: Known::default() }
    }

    /// The name of the bucket.
    pub fn bucket_name(&self) -> &str {
        &self.bucket
    }

    /// The bucket.
    pub fn bucket(&self) -> Bucket {
        Bucket::new(&self.client, self.bucket.clone())
    }

    /// The document, asked for once; `None` where it was never put.
    pub async fn load(&self) -> Result<Option<Arc<S>>> {
        Ok(self.known.load(self.ask()).await?.as_ref().clone())
    }

    /// The document as it is now.
    pub async fn reload(&self) -> Result<Option<Arc<S>>> {
        Ok(self.known.reload(self.ask()).await?.as_ref().clone())
    }

    /// Replaces the document.
    pub async fn put(&self, document: S) -> Result<()> {
        let put = PutSetting { bucket: self.bucket.clone(), document };
        let done = self.client.send(&put).await;
        self.known.forget().await;
        done
    }

    async fn ask(&self) -> Result<Option<Arc<S>>> {
        Ok(self.client.send(&GetSetting::new(self.bucket.clone())).await?.map(Arc::new))
    }
}

impl<S: Removable> SettingHandle<S> {
    /// Removes the document; nothing happens where there is none.
    pub async fn delete(&self) -> Result<()> {
        let done = self.client.send(&DeleteSetting::<S>::new(self.bucket.clone())).await;
        self.known.forget().await;
        done
    }
}

impl BucketAcl {
    /// Replaces the list by a canned one, such as `private` or `public-read`.
    pub async fn put_canned(&self, acl: impl Into<String>) -> Result<()> {
        let put = PutBucketCannedAcl { bucket: self.bucket.clone(), acl: acl.into() };
        let done = self.client.send(&put).await;
        self.known.forget().await;
        done
    }
}

impl BucketVersioning {
    /// The status; `None` while versioning was never enabled.
    pub async fn status(&self) -> Result<Option<VersioningStatus>> {
        Ok(self.load().await?.and_then(|versioning| versioning.status))
    }

    /// From now on old versions are kept.
    pub async fn enable(&self) -> Result<()> {
        self.put(Versioning::of(VersioningStatus::Enabled)).await
    }

    /// From now on new objects have no versions; those that there are stay.
    pub async fn suspend(&self) -> Result<()> {
        self.put(Versioning::of(VersioningStatus::Suspended)).await
    }
}
