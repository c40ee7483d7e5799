//! A version of an object.

use std::sync::Arc;

use super::Object;
use super::known::Known;
use crate::s3::ops::{
    DeleteObject, Deleted, GetObject, GetObjectOutput, HeadObject, ListedVersion, ListedVersionObject,
    ObjectHeaders,
};
use crate::s3::transfer::pages::{self, ListedAny};
use crate::s3::{Client, Error, ErrorKind, Result, VersionId};
use futures_util::TryStreamExt;

use crate::s3::ops::ListObjectVersions;

/// A version of an object, or a delete marker, by its id.
///
/// ```
/// use futures_util::TryStreamExt;
/// use holdfs::s3::Body;
/// use holdfs::s3::ops::{CreateBucket, CopySource};
/// use holdfs::s3::resource::Service;
/// # use holdfs::s3::{Client, Config, Credentials, Provider};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
/// # let pair = server.key_pair();
/// # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
/// # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
/// # let client = Client::new(config)?;
/// let create = CreateBucket { bucket: "notes".into(), ..CreateBucket::default() };
/// let bucket = Service::new(&client).create_bucket(create).await?;
/// bucket.versioning().enable().await?;
/// let object = bucket.object("todo.txt");
/// object.put(Body::Bytes("first".into())).await?;
/// object.put(Body::Bytes("second".into())).await?;
/// object.delete().await?;
/// let all = || bucket.object_versions().prefix("todo.txt").all().try_collect::<Vec<_>>();
/// let versions = all().await?;
/// assert_eq!(versions.len(), 3, "a delete marker, then the newest version");
///
/// // Undeleted: the marker is a version, and goes like one.
/// versions[0].delete().await?;
/// assert_eq!(object.get().await?.body.collect(10).await?, "second");
/// // Taken back: an old version becomes the newest by a copy.
/// let source = CopySource {
///     bucket: "notes".into(),
///     key: "todo.txt".into(),
///     version: Some(versions[2].id().clone()),
///     ..CopySource::default()
/// };
/// object.copy(source).await?;
/// assert_eq!(object.get().await?.body.collect(10).await?, "first");
/// assert_eq!(all().await?.len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ObjectVersion {
    object: Object,
    id: VersionId,
    known: Known<ListedVersion>,
}

impl ObjectVersion {
    pub(super) fn new(object: &Object, id: VersionId) -> Self {
        Self { object: object.clone(), id, known: Known::default() }
    }

    pub(super) fn listed(client: &Client, bucket: &str, listed: ListedVersion) -> Self {
        let object = Object::new(client, bucket, listed.key.clone());
        Self { object, id: listed.version.clone(), known: Known::of(listed) }
    }

    /// The name of its bucket.
    pub fn bucket_name(&self) -> &str {
        self.object.bucket_name()
    }

    /// The key of its object.
    pub fn object_key(&self) -> &str {
        self.object.key()
    }

    /// Its id.
    pub fn id(&self) -> &VersionId {
        &self.id
    }

    /// Its object, whose handle is about the current version.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// What the list of versions says of it, looked through once; `NoSuchVersion` where it is not listed
    /// (`is_latest`, `last_modified`, `e_tag`, `size`, `storage_class`; a delete marker has only the first two).
    pub async fn load(&self) -> Result<Arc<ListedVersion>> {
        self.known.load(self.look()).await
    }

    /// The same, as it is now.
    pub async fn reload(&self) -> Result<Arc<ListedVersion>> {
        self.known.reload(self.look()).await
    }

    /// What a version has that a delete marker has not; `None` for one.
    pub async fn content(&self) -> Result<Option<ListedVersionObject>> {
        Ok(self.load().await?.object.clone())
    }

    async fn look(&self) -> Result<ListedVersion> {
        let (bucket, prefix) = (self.bucket_name().to_owned(), self.object_key().to_owned());
        let list = ListObjectVersions { bucket, prefix, ..ListObjectVersions::default() };
        let mut versions = std::pin::pin!(pages::versions(self.object.client(), list));
        while let Some(listed) = versions.try_next().await? {
            match listed {
                ListedAny::Version(version) if version.key != self.object_key() => break,
                ListedAny::Version(version) if version.version == self.id => return Ok(version),
                _ => {}
            }
        }
        Err(Error::new(ErrorKind::NoSuchVersion, "The list of the bucket's versions does not have it."))
    }

    /// Its bytes, in one stream (S3 API: GetObject).
    pub async fn get(&self) -> Result<GetObjectOutput> {
        self.object.get_with(GetObject { version: Some(self.id.clone()), ..GetObject::default() }).await
    }

    /// What HEAD says of it (S3 API: HeadObject).
    pub async fn head(&self) -> Result<ObjectHeaders> {
        let (bucket, key) = (self.bucket_name().to_owned(), self.object_key().to_owned());
        let head = HeadObject { bucket, key, version: Some(self.id.clone()), ..HeadObject::default() };
        self.object.client().send(&head).await
    }

    /// Deletes it for good (S3 API: DeleteObject).
    pub async fn delete(&self) -> Result<Deleted> {
        let deleted = self
            .object
            .delete_with(DeleteObject { version: Some(self.id.clone()), ..DeleteObject::default() })
            .await;
        self.known.forget().await;
        deleted
    }
}
