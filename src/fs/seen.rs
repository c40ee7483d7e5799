//! What the store said last of single objects: headers and tags, for as long as `stat` may be old.
//!
//! `getfattr -d` asks for one value after the other, and an unlink wants to know of holds: neither may cost a request
//! each time. An own change of the object forgets what was seen of it.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::ttl::TtlMap;
use crate::s3::ops::{HeadObject, ObjectHeaders, Tags};
use crate::s3::{self, Client, ObjectRef};
use crate::xattr::store::Target;

/// Objects remembered; one takes a few hundred bytes.
const CAPACITY: usize = 4096;

/// An object as HEAD or GET described it.
#[derive(Debug)]
pub struct Seen {
    pub object: ObjectRef,
    pub headers: Arc<ObjectHeaders>,
}

pub struct Memory {
    client: Client,
    bucket: String,
    ttl: Duration,
    objects: TtlMap<Arc<str>, Arc<Seen>>,
    tags: TtlMap<Arc<str>, Arc<Tags>>,
}

impl Memory {
    pub fn new(client: Client, bucket: String, ttl: Duration, clock: Clock) -> Self {
        let (objects, tags) = (TtlMap::new(CAPACITY, clock.clone()), TtlMap::new(CAPACITY, clock));
        Self { client, bucket, ttl, objects, tags }
    }

    /// Headers no older than the time to live, without a request.
    pub fn recall(&self, key: &str) -> Option<Arc<Seen>> {
        self.objects.get(key)
    }

    pub fn recall_tags(&self, key: &str) -> Option<Arc<Tags>> {
        self.tags.get(key)
    }

    pub fn remember(&self, object: ObjectRef, headers: Arc<ObjectHeaders>) -> Arc<Seen> {
        let seen = Arc::new(Seen { object, headers });
        self.objects.insert(seen.object.key.clone(), seen.clone(), self.ttl);
        seen
    }

    pub fn forget(&self, key: &str) {
        self.objects.remove(key);
        self.tags.remove(key);
    }

    /// Headers from memory, else from the store.
    pub async fn look(&self, key: &Arc<str>) -> s3::Result<Arc<Seen>> {
        match self.recall(key) {
            Some(seen) => Ok(seen),
            None => self.look_afresh(key).await,
        }
    }

    pub async fn look_afresh(&self, key: &Arc<str>) -> s3::Result<Arc<Seen>> {
        let head = HeadObject {
            bucket: self.bucket.clone(),
            key: key.to_string(),
            checksum_mode: true,
            ..HeadObject::default()
        };
        let headers = self.client.send(&head).await?;
        Ok(self.remember(object_of(key, &headers), Arc::new(headers)))
    }

    /// The tag set; a store without tags has none.
    pub async fn tags(&self, object: &ObjectRef) -> s3::Result<Arc<Tags>> {
        if let Some(tags) = self.recall_tags(&object.key) {
            return Ok(tags);
        }
        let target = Target { client: &self.client, bucket: &self.bucket, object };
        let tags = match target.tags().await {
            Err(error) if error.kind() == s3::ErrorKind::Unsupported => Tags::new(),
            answer => answer?,
        };
        let tags = Arc::new(tags);
        self.tags.insert(object.key.clone(), tags.clone(), self.ttl);
        Ok(tags)
    }
}

/// The version that headers speak of.
pub fn object_of(key: &Arc<str>, headers: &ObjectHeaders) -> ObjectRef {
    ObjectRef {
        key: key.clone(),
        etag: headers.etag.clone().unwrap_or_else(|| s3::ETag("".into())),
        last_modified: headers.last_modified.unwrap_or(std::time::SystemTime::UNIX_EPOCH),
        version: headers.version.clone(),
        size: headers.size,
    }
}
