//! An object, as itself and as listings show it; who may touch it and what keeps it.

use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::known::Known;
use super::{Bucket, MultipartUpload, ObjectVersion};
use crate::base::ranges::ByteRange;
use crate::s3::ops::{
    Copied, CopyObject, CopySource, CreateMultipartUpload, DeleteObject, Deleted, GetObject, GetObjectAcl,
    GetObjectOutput, HeadObject, ListedObject, NewObject, ObjectHeaders, PartOrigin, PutObject, PutObjectAcl,
    PutObjectCannedAcl, RestoreObject, Restoring, Stored, WriteCondition,
};
use crate::s3::settings::AccessControl;
use crate::s3::transfer::wait::{self, Patience};
use crate::s3::transfer::{self, CopyRequest, Kept, Target, Tuning};
use crate::s3::vendor::ibm::{
    AddLegalHold, DeleteLegalHold, ExtendObjectRetention, Extension, Hold, ListLegalHolds, RetentionState,
};
use crate::s3::{Body, Client, ObjectRef, Result, VersionId};

/// An object by its key: always the current version. Its attributes are the fields of what [`load`](Self::load)
/// gives.
#[derive(Clone)]
pub struct Object {
    client: Client,
    bucket: String,
    key: String,
    known: Known<ObjectHeaders>,
}

impl Object {
    /// Of this name, whether it is there or not.
    pub fn new(client: &Client, bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { client: client.clone(), bucket: bucket.into(), key: key.into(), known: Known::default() }
    }

    /// The name of its bucket.
    pub fn bucket_name(&self) -> &str {
        &self.bucket
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Its bucket.
    pub fn bucket(&self) -> Bucket {
        Bucket::new(&self.client, self.bucket.clone())
    }

    /// What HEAD says of it, asked for once; `NoSuchKey` where it is absent (S3 API: HeadObject).
    pub async fn load(&self) -> Result<Arc<ObjectHeaders>> {
        self.known.load(self.ask()).await
    }

    /// The same, as it is now.
    pub async fn reload(&self) -> Result<Arc<ObjectHeaders>> {
        self.known.reload(self.ask()).await
    }

    async fn ask(&self) -> Result<ObjectHeaders> {
        self.client.send(&self.head()).await
    }

    fn head(&self) -> HeadObject {
        HeadObject { bucket: self.bucket.clone(), key: self.key.clone(), ..HeadObject::default() }
    }

    /// Its name with its version, as it is now: transfers are pinned to it.
    pub async fn pin(&self) -> Result<ObjectRef> {
        self.reload().await?.object_ref(&self.key)
    }

    /// Its bytes, in one stream (S3 API: GetObject).
    pub async fn get(&self) -> Result<GetObjectOutput> {
        self.get_with(GetObject::default()).await
    }

    /// The same with a range, conditions, a version; the names are the handle's.
    pub async fn get_with(&self, get: GetObject) -> Result<GetObjectOutput> {
        self.client.send(&GetObject { bucket: self.bucket.clone(), key: self.key.clone(), ..get }).await
    }

    /// Stores it with one request (S3 API: PutObject); large ones are better uploaded.
    pub async fn put(&self, body: Body) -> Result<Stored> {
        self.put_with(body, NewObject::default(), WriteCondition::None).await
    }

    /// The same with metadata and whatever else a new object can be given.
    pub async fn put_with(&self, body: Body, object: NewObject, condition: WriteCondition) -> Result<Stored> {
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        self.changed(self.client.send(&PutObject { bucket, key, body, condition, object }).await).await
    }

    /// Deletes it; a versioned bucket hides it behind a delete marker (S3 API: DeleteObject).
    pub async fn delete(&self) -> Result<Deleted> {
        self.delete_with(DeleteObject::default()).await
    }

    /// The same with a version or a condition; the names are the handle's.
    pub async fn delete_with(&self, delete: DeleteObject) -> Result<Deleted> {
        let delete = DeleteObject { bucket: self.bucket.clone(), key: self.key.clone(), ..delete };
        self.changed(self.client.send(&delete).await).await
    }

    /// Makes it a copy, by one request and the store itself: up to 5 GiB (S3 API: CopyObject). The names of the copy
    /// are the handle's.
    pub async fn copy_from(&self, copy: CopyObject) -> Result<Copied> {
        let copy = CopyObject { bucket: self.bucket.clone(), key: self.key.clone(), ..copy };
        self.changed(self.client.send(&copy).await).await
    }

    /// Makes it a copy of a source of any size, in parts where it must, with its metadata, tags and lock.
    pub async fn copy(&self, source: CopySource) -> Result<Copied> {
        let head = HeadObject {
            bucket: source.bucket.clone(),
            key: source.key.clone(),
            version: source.version,
            conditions: source.conditions,
            ..HeadObject::default()
        };
        let headers = self.client.send(&head).await?;
        let pinned = headers.object_ref(&source.key)?;
        let request = CopyRequest {
            source_bucket: source.bucket,
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            source_headers: Some(headers),
            ..CopyRequest::default()
        };
        let copied = transfer::copy_object(&self.client, &Tuning::default(), &pinned, &request).await;
        self.changed(copied).await
    }

    /// Begins an upload in parts (S3 API: CreateMultipartUpload). [`upload_file`](Self::upload_file) and its like do
    /// the whole of it.
    pub async fn initiate_multipart_upload(&self, object: NewObject) -> Result<MultipartUpload> {
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        // A handle cannot know where its parts will come from.
        let create = CreateMultipartUpload { bucket, key, object, parts: PartOrigin::AlsoCopied };
        Ok(self.multipart_upload(self.client.send(&create).await?))
    }

    /// Brings it back from an archive (S3 API: RestoreObject); the names are the handle's.
    pub async fn restore_object(&self, restore: RestoreObject) -> Result<Restoring> {
        let restore = RestoreObject { bucket: self.bucket.clone(), key: self.key.clone(), ..restore };
        self.changed(self.client.send(&restore).await).await
    }

    /// Uploads a file, in parts side by side where it is large. It appears whole or not at all.
    pub async fn upload_file(&self, path: impl AsRef<Path>) -> Result<Stored> {
        let (tuning, target) = (Tuning::default(), self.target());
        self.changed(transfer::upload_file(&self.client, &tuning, &target, path.as_ref()).await).await
    }

    /// Uploads what a reader gives until its end. (`upload_fileobj`)
    pub async fn upload_reader(&self, reader: impl AsyncRead + Send + Unpin + 'static) -> Result<Stored> {
        let (tuning, target) = (Tuning::default(), self.target());
        self.changed(transfer::upload_reader(&self.client, &tuning, &target, reader).await).await
    }

    /// Downloads it to a file, in ranges side by side. The file appears whole, and as the checksum says where the store
    /// keeps one, or not at all.
    pub async fn download_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let (tuning, path) = (Tuning::default(), path.as_ref());
        let (object, kept) = self.pin_with_checksum().await?;
        match kept {
            Some(kept) => {
                transfer::download_file_verified(&self.client, &tuning, &self.bucket, &object, &kept, path)
                    .await
            }
            None => transfer::download_file(&self.client, &tuning, &self.bucket, &object, path).await,
        }
    }

    /// Writes its bytes to a writer, in order. Where they are not those that the checksum at the store is of, the last
    /// of them are not written: that is `ErrorKind::Corrupt`. (`download_fileobj`)
    pub async fn download_writer(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
        let tuning = Tuning::default();
        let (object, kept) = self.pin_with_checksum().await?;
        let pieces = match &kept {
            Some(kept) => {
                transfer::read_verified(&self.client, &tuning, &self.bucket, &object, kept).left_stream()
            }
            None => {
                let whole = ByteRange::new(0, object.size);
                transfer::read(&self.client, &tuning, &self.bucket, &object, whole).right_stream()
            }
        };
        transfer::write_all(pieces, writer).await
    }

    async fn pin_with_checksum(&self) -> Result<(ObjectRef, Option<Kept>)> {
        let headers = self.client.send(&HeadObject { checksum_mode: true, ..self.head() }).await?;
        let kept = Kept::of(&headers);
        Ok((headers.object_ref(&self.key)?, kept))
    }

    fn target(&self) -> Target {
        Target { bucket: self.bucket.clone(), key: self.key.clone(), ..Target::default() }
    }

    /// Its access control list.
    pub fn acl(&self) -> ObjectAcl {
        ObjectAcl { object: self.clone(), known: Known::default() }
    }

    /// An upload of it that was begun.
    pub fn multipart_upload(&self, id: impl Into<String>) -> MultipartUpload {
        MultipartUpload::new(self, id)
    }

    /// IBM: what keeps it.
    pub fn protection(&self) -> ObjectProtection {
        ObjectProtection { object: self.clone(), known: Known::default() }
    }

    /// A version of it.
    pub fn version(&self, id: VersionId) -> ObjectVersion {
        ObjectVersion::new(self, id)
    }

    /// Looks every 5 s, 20 times at most.
    pub async fn wait_until_exists(&self) -> Result<()> {
        wait::until_object_is_there(&self.client, &self.head(), Patience::default()).await
    }

    /// Looks every 5 s, 20 times at most.
    pub async fn wait_until_not_exists(&self) -> Result<()> {
        wait::until_object_is_gone(&self.client, &self.head(), Patience::default()).await
    }

    /// What was known of it may be so no longer, whether the change is certain or not.
    async fn changed<T>(&self, done: Result<T>) -> Result<T> {
        self.known.forget().await;
        done
    }
}

/// An object as a listing shows it: without metadata. Whatever else an [`Object`] does, it does through
/// [`object`](Self::object).
#[derive(Clone)]
pub struct ObjectSummary {
    object: Object,
    known: Known<ListedObject>,
}

impl ObjectSummary {
    pub(super) fn new(object: &Object) -> Self {
        Self { object: object.clone(), known: Known::default() }
    }

    pub(super) fn listed(client: &Client, bucket: &str, listed: ListedObject) -> Self {
        Self { object: Object::new(client, bucket, listed.key.clone()), known: Known::of(listed) }
    }

    /// The name of its bucket.
    pub fn bucket_name(&self) -> &str {
        self.object.bucket_name()
    }

    /// Its key.
    pub fn key(&self) -> &str {
        self.object.key()
    }

    /// The object: what reads, writes, deletes, copies and restores it, and waits for it.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// ETag, size, date, class and owner: as they were listed, or as HEAD says (then without an owner).
    pub async fn load(&self) -> Result<Arc<ListedObject>> {
        self.known.load(self.ask()).await
    }

    /// As HEAD says now.
    pub async fn reload(&self) -> Result<Arc<ListedObject>> {
        self.known.reload(self.ask()).await
    }

    async fn ask(&self) -> Result<ListedObject> {
        let headers = self.object.reload().await?;
        let pinned = headers.object_ref(self.key())?;
        Ok(ListedObject {
            storage_class: headers.storage_class.clone(),
            metadata: Some(headers.metadata.clone()),
            ..ListedObject::new(self.key(), pinned.etag, pinned.size, pinned.last_modified)
        })
    }
}

/// Who may touch an object: `grants` and `owner` are fields of what [`load`](Self::load) gives.
#[derive(Clone)]
pub struct ObjectAcl {
    object: Object,
    known: Known<AccessControl>,
}

impl ObjectAcl {
    /// The object.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The list, asked for once (S3 API: GetObjectAcl).
    pub async fn load(&self) -> Result<Arc<AccessControl>> {
        self.known.load(self.ask()).await
    }

    /// The list as it is now.
    pub async fn reload(&self) -> Result<Arc<AccessControl>> {
        self.known.reload(self.ask()).await
    }

    async fn ask(&self) -> Result<AccessControl> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        self.object.client.send(&GetObjectAcl { bucket, key, version: None }).await
    }

    /// Replaces the list (S3 API: PutObjectAcl).
    pub async fn put(&self, acl: AccessControl) -> Result<()> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        let done = self.object.client.send(&PutObjectAcl { bucket, key, version: None, acl }).await;
        self.known.forget().await;
        done
    }

    /// Replaces it by a canned one, such as `private` or `public-read`.
    pub async fn put_canned(&self, acl: impl Into<String>) -> Result<()> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        let put = PutObjectCannedAcl { bucket, key, version: None, acl: acl.into() };
        let done = self.object.client.send(&put).await;
        self.known.forget().await;
        done
    }
}

/// IBM: what keeps an object: `create_time`, `legal_holds`, `retention_period` and its expiration date are fields of
/// what [`load`](Self::load) gives.
#[derive(Clone)]
pub struct ObjectProtection {
    object: Object,
    known: Known<RetentionState>,
}

impl ObjectProtection {
    /// The object.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The state, asked for once (IBM: ListLegalHolds).
    pub async fn load(&self) -> Result<Arc<RetentionState>> {
        self.known.load(self.ask()).await
    }

    /// The state as it is now.
    pub async fn reload(&self) -> Result<Arc<RetentionState>> {
        self.known.reload(self.ask()).await
    }

    async fn ask(&self) -> Result<RetentionState> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        self.object.client.send(&ListLegalHolds { bucket, key }).await
    }

    /// The holds as they are now.
    pub async fn list_legal_holds(&self) -> Result<Vec<Hold>> {
        Ok(self.reload().await?.holds.clone())
    }

    /// Adds a hold; 409 when it has one of this id.
    pub async fn add_legal_hold(&self, id: impl Into<String>) -> Result<()> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        self.changed(self.object.client.send(&AddLegalHold { bucket, key, id: id.into() }).await).await
    }

    /// Takes a hold away.
    pub async fn delete_legal_hold(&self, id: impl Into<String>) -> Result<()> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        self.changed(self.object.client.send(&DeleteLegalHold { bucket, key, id: id.into() }).await).await
    }

    /// Keeps the object longer; never shorter.
    pub async fn extend_object_retention(&self, extension: Extension) -> Result<()> {
        let (bucket, key) = (self.object.bucket.clone(), self.object.key.clone());
        self.changed(self.object.client.send(&ExtendObjectRetention { bucket, key, extension }).await).await
    }

    async fn changed<T>(&self, done: Result<T>) -> Result<T> {
        self.known.forget().await;
        done
    }
}
