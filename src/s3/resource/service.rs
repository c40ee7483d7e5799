//! The service itself.

use super::{
    Bucket, BucketAcl, BucketCors, BucketLifecycleConfiguration, BucketProtection, BucketTagging,
    BucketVersioning, BucketWebsite, Collection, MultipartUpload, MultipartUploadPart, Object, ObjectAcl,
    ObjectProtection, ObjectSummary, ObjectVersion,
};
use crate::s3::ops::{CreateBucket, ListBuckets};
use crate::s3::{Client, Result, VersionId};

/// Where handles come from. Naming something does not ask whether it is there.
#[derive(Clone)]
pub struct Service {
    client: Client,
}

impl Service {
    /// Of this client.
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    /// The client beneath.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The names of what this can make handles of.
    pub const fn available_subresources() -> &'static [&'static str] {
        &[
            "Bucket",
            "BucketAcl",
            "BucketCors",
            "BucketLifecycleConfiguration",
            "BucketProtection",
            "BucketTagging",
            "BucketVersioning",
            "BucketWebsite",
            "MultipartUpload",
            "MultipartUploadPart",
            "Object",
            "ObjectAcl",
            "ObjectProtection",
            "ObjectSummary",
            "ObjectVersion",
        ]
    }

    /// Makes a bucket (S3 API: CreateBucket).
    pub async fn create_bucket(&self, create: CreateBucket) -> Result<Bucket> {
        let bucket = self.bucket(create.bucket.clone());
        bucket.create(create).await?;
        Ok(bucket)
    }

    /// The caller's buckets (S3 API: ListBuckets).
    pub fn buckets(&self) -> Collection<ListBuckets, Bucket> {
        Collection::new(&self.client, ListBuckets::default(), |client, _, listed| {
            Some(Bucket::listed(client, listed))
        })
    }

    /// A bucket.
    pub fn bucket(&self, name: impl Into<String>) -> Bucket {
        Bucket::new(&self.client, name)
    }

    /// The access control list of a bucket.
    pub fn bucket_acl(&self, bucket: impl Into<String>) -> BucketAcl {
        BucketAcl::new(&self.client, bucket)
    }

    /// Who may read a bucket from other web sites.
    pub fn bucket_cors(&self, bucket: impl Into<String>) -> BucketCors {
        BucketCors::new(&self.client, bucket)
    }

    /// What becomes of a bucket's objects as they age.
    pub fn bucket_lifecycle_configuration(&self, bucket: impl Into<String>) -> BucketLifecycleConfiguration {
        BucketLifecycleConfiguration::new(&self.client, bucket)
    }

    /// IBM: how long a bucket keeps what is put into it.
    pub fn bucket_protection(&self, bucket: impl Into<String>) -> BucketProtection {
        BucketProtection::new(&self.client, bucket)
    }

    /// The tags of a bucket.
    pub fn bucket_tagging(&self, bucket: impl Into<String>) -> BucketTagging {
        BucketTagging::new(&self.client, bucket)
    }

    /// Whether a bucket keeps old versions.
    pub fn bucket_versioning(&self, bucket: impl Into<String>) -> BucketVersioning {
        BucketVersioning::new(&self.client, bucket)
    }

    /// How a bucket is served to browsers.
    pub fn bucket_website(&self, bucket: impl Into<String>) -> BucketWebsite {
        BucketWebsite::new(&self.client, bucket)
    }

    /// An upload in parts that was begun.
    pub fn multipart_upload(
        &self,
        bucket: impl Into<String>,
        key: impl Into<String>,
        id: impl Into<String>,
    ) -> MultipartUpload {
        self.object(bucket, key).multipart_upload(id)
    }

    /// A part of one.
    pub fn multipart_upload_part(
        &self,
        bucket: impl Into<String>,
        key: impl Into<String>,
        id: impl Into<String>,
        number: u32,
    ) -> MultipartUploadPart {
        self.multipart_upload(bucket, key, id).part(number)
    }

    /// An object.
    pub fn object(&self, bucket: impl Into<String>, key: impl Into<String>) -> Object {
        Object::new(&self.client, bucket, key)
    }

    /// The access control list of an object.
    pub fn object_acl(&self, bucket: impl Into<String>, key: impl Into<String>) -> ObjectAcl {
        self.object(bucket, key).acl()
    }

    /// IBM: what keeps an object.
    pub fn object_protection(&self, bucket: impl Into<String>, key: impl Into<String>) -> ObjectProtection {
        self.object(bucket, key).protection()
    }

    /// An object as listings show it.
    pub fn object_summary(&self, bucket: impl Into<String>, key: impl Into<String>) -> ObjectSummary {
        ObjectSummary::new(&self.object(bucket, key))
    }

    /// A version of an object.
    pub fn object_version(
        &self,
        bucket: impl Into<String>,
        key: impl Into<String>,
        id: VersionId,
    ) -> ObjectVersion {
        self.object(bucket, key).version(id)
    }
}
