//! A bucket.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncWrite};

use futures_util::TryStreamExt;

use super::known::Known;
use super::{
    BucketAcl, BucketCors, BucketLifecycleConfiguration, BucketLogging, BucketNotification, BucketPolicy,
    BucketProtection, BucketTagging, BucketVersioning, BucketWebsite, Collection, MultipartUpload, Object,
    ObjectSummary, ObjectVersion, SettingHandle,
};
use crate::s3::ops::{
    self, Copied, CopySource, CreateBucket, CreatedBucket, DeleteBucket, DeleteObjects, DeleteObjectsOutput,
    GetBucketLocation, ListBuckets, ListMultipartUploads, ListObjectVersions, ListObjectsV2, Stored,
};
use crate::s3::settings::Setting;
use crate::s3::transfer::pages::{self, Listed, ListedAny};
use crate::s3::transfer::wait::{self, Patience};
use crate::s3::{Body, Client, Error, ErrorKind, Result, VersionId};

/// A bucket by its name.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    name: String,
    listed: Known<ops::Bucket>,
    location: Known<String>,
}

impl Bucket {
    /// Of this name, whether it is there or not.
    pub fn new(client: &Client, name: impl Into<String>) -> Self {
        let (listed, location) = (Known::default(), Known::default());
        Self { client: client.clone(), name: name.into(), listed, location }
    }

    pub(super) fn listed(client: &Client, listed: ops::Bucket) -> Self {
        Self { listed: Known::of(listed.clone()), ..Self::new(client, listed.name) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the list of buckets says of it, looked through once; `NoSuchBucket` where it is not among the caller's.
    pub async fn load(&self) -> Result<Arc<ops::Bucket>> {
        self.listed.load(self.look()).await
    }

    /// The same, as it is now.
    pub async fn reload(&self) -> Result<Arc<ops::Bucket>> {
        self.listed.reload(self.look()).await
    }

    async fn look(&self) -> Result<ops::Bucket> {
        let list = ListBuckets { prefix: Some(self.name.clone()), ..ListBuckets::default() };
        let mut buckets = std::pin::pin!(pages::buckets(&self.client, list));
        while let Some(bucket) = buckets.try_next().await? {
            if bucket.name == self.name {
                return Ok(bucket);
            }
        }
        Err(Error::new(ErrorKind::NoSuchBucket, "It is not among the buckets of these credentials."))
    }

    /// When it was made, as the list of buckets says.
    pub async fn creation_date(&self) -> Result<Option<SystemTime>> {
        Ok(self.load().await?.created)
    }

    /// Its region, with IBM its region and class (S3 API: GetBucketLocation); asked for once.
    pub async fn location_constraint(&self) -> Result<String> {
        let ask = async { self.client.send(&GetBucketLocation { bucket: self.name.clone() }).await };
        Ok(self.location.load(ask).await?.as_ref().clone())
    }

    /// Makes it (S3 API: CreateBucket); the name is the handle's.
    pub async fn create(&self, create: CreateBucket) -> Result<CreatedBucket> {
        let created = self.client.send(&CreateBucket { bucket: self.name.clone(), ..create }).await;
        self.listed.forget().await;
        created
    }

    /// Removes it; `BucketNotEmpty` while it has objects, versions or delete markers (S3 API: DeleteBucket).
    pub async fn delete(&self) -> Result<()> {
        let deleted = self.client.send(&DeleteBucket { bucket: self.name.clone() }).await;
        self.listed.forget().await;
        deleted
    }

    /// Deletes up to 1,000 keys in one request (S3 API: DeleteObjects). More of them, or those that a document cannot
    /// carry: [`crate::s3::transfer::delete_objects`].
    pub async fn delete_objects(
        &self,
        keys: Vec<(String, Option<VersionId>)>,
    ) -> Result<DeleteObjectsOutput> {
        let delete = DeleteObjects { bucket: self.name.clone(), keys, ..DeleteObjects::default() };
        self.client.send(&delete).await
    }

    /// Stores an object with one request (S3 API: PutObject).
    pub async fn put_object(&self, key: impl Into<String>, body: Body) -> Result<Stored> {
        self.object(key).put(body).await
    }

    /// Copies an object of any size into it; see [`Object::copy`].
    pub async fn copy(&self, source: CopySource, key: impl Into<String>) -> Result<Copied> {
        self.object(key).copy(source).await
    }

    /// See [`Object::upload_file`].
    pub async fn upload_file(&self, path: impl AsRef<Path>, key: impl Into<String>) -> Result<Stored> {
        self.object(key).upload_file(path).await
    }

    /// See [`Object::upload_reader`]. (`upload_fileobj`)
    pub async fn upload_reader(
        &self,
        reader: impl AsyncRead + Send + Unpin + 'static,
        key: impl Into<String>,
    ) -> Result<Stored> {
        self.object(key).upload_reader(reader).await
    }

    /// See [`Object::download_file`].
    pub async fn download_file(&self, key: impl Into<String>, path: impl AsRef<Path>) -> Result<()> {
        self.object(key).download_file(path).await
    }

    /// See [`Object::download_writer`]. (`download_fileobj`)
    pub async fn download_writer(
        &self,
        key: impl Into<String>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Result<()> {
        self.object(key).download_writer(writer).await
    }

    /// Its objects (S3 API: ListObjectsV2). Common prefixes, which a delimiter makes, are no objects: they are passed
    /// over here and kept by [`pages::objects`].
    pub fn objects(&self) -> Collection<ListObjectsV2, ObjectSummary> {
        let list = ListObjectsV2 { bucket: self.name.clone(), ..ListObjectsV2::default() };
        Collection::new(&self.client, list, |client, list, listed| match listed {
            Listed::Object(object) => Some(ObjectSummary::listed(client, &list.bucket, object)),
            Listed::Prefix(_) => None,
        })
    }

    /// Its objects' versions and delete markers (S3 API: ListObjectVersions).
    pub fn object_versions(&self) -> Collection<ListObjectVersions, ObjectVersion> {
        let list = ListObjectVersions { bucket: self.name.clone(), ..ListObjectVersions::default() };
        Collection::new(&self.client, list, |client, list, listed| match listed {
            ListedAny::Version(version) => Some(ObjectVersion::listed(client, &list.bucket, version)),
            ListedAny::Prefix(_) => None,
        })
    }

    /// Uploads in parts that were neither completed nor aborted (S3 API: ListMultipartUploads).
    pub fn multipart_uploads(&self) -> Collection<ListMultipartUploads, MultipartUpload> {
        let list = ListMultipartUploads { bucket: self.name.clone(), ..ListMultipartUploads::default() };
        Collection::new(&self.client, list, |client, list, upload| {
            Some(MultipartUpload::listed(client, &list.bucket, upload))
        })
    }

    /// An object of it.
    pub fn object(&self, key: impl Into<String>) -> Object {
        Object::new(&self.client, self.name.clone(), key)
    }

    /// Any document of it.
    pub fn setting<S: Setting>(&self) -> SettingHandle<S> {
        SettingHandle::new(&self.client, self.name.clone())
    }

    /// Its access control list.
    pub fn acl(&self) -> BucketAcl {
        self.setting()
    }

    /// Who may read it from other web sites.
    pub fn cors(&self) -> BucketCors {
        self.setting()
    }

    /// What becomes of its objects as they age. (The older `Lifecycle` is read by the same handle.)
    pub fn lifecycle_configuration(&self) -> BucketLifecycleConfiguration {
        self.setting()
    }

    /// Where its access logs go.
    pub fn logging(&self) -> BucketLogging {
        self.setting()
    }

    /// Who is told of its events.
    pub fn notification(&self) -> BucketNotification {
        self.setting()
    }

    /// Who may do what with it.
    pub fn policy(&self) -> BucketPolicy {
        self.setting()
    }

    /// IBM: how long it keeps what is put into it.
    pub fn protection(&self) -> BucketProtection {
        self.setting()
    }

    /// Its tags.
    pub fn tagging(&self) -> BucketTagging {
        self.setting()
    }

    /// Whether it keeps old versions.
    pub fn versioning(&self) -> BucketVersioning {
        self.setting()
    }

    /// How it is served to browsers.
    pub fn website(&self) -> BucketWebsite {
        self.setting()
    }

    /// Whether it is there, ours or not.
    pub async fn exists(&self) -> Result<bool> {
        wait::bucket_is_there(&self.client, &self.name).await
    }

    /// Looks every 5 s, 20 times at most.
    pub async fn wait_until_exists(&self) -> Result<()> {
        wait::until_bucket_is_there(&self.client, &self.name, Patience::default()).await
    }

    /// Looks every 5 s, 20 times at most.
    pub async fn wait_until_not_exists(&self) -> Result<()> {
        wait::until_bucket_is_gone(&self.client, &self.name, Patience::default()).await
    }
}
