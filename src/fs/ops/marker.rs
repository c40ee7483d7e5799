//! Small objects that are there for what they say: markers of directories, flags, links, special files.
//!
//! One that must be new carries an id of the very write that made it, as uploads of files do: a store whose answer was
//! lost is asked what it has, and the answer tells ours from another writer's.

use std::sync::Arc;

use bytes::Bytes;

use crate::fs::file_move::WRITE_ID;
use crate::fs::{Error, ErrorKind, FileSystem, Result};
use crate::namespace::Node;
use crate::s3::ops::{NewObject, PutObject, Stored, WriteCondition};
use crate::s3::{self, ObjectRef};

/// How often an object that did not arrive is sent again.
const LOST_MAX: u32 = 2;

impl FileSystem {
    /// The object `dir/`, which says that the directory is there and carries its metadata.
    pub(in crate::fs) async fn put_marker(
        &self,
        directory: &Arc<Node>,
        object: NewObject,
    ) -> Result<ObjectRef> {
        let key = directory.key();
        let marker = self.store_marker(&key, object, WriteCondition::None).await?;
        self.namespace.updated(directory, marker.clone(), None);
        Ok(marker)
    }

    pub(in crate::fs) async fn store_marker(
        &self,
        key: &str,
        mut object: NewObject,
        condition: WriteCondition,
    ) -> Result<ObjectRef> {
        object.content.content_type.get_or_insert_with(|| "application/x-directory".to_owned());
        let put = PutObject { object, condition, ..PutObject::new(&self.bucket, key, Bytes::new()) };
        self.put_small(put).await
    }

    /// Stores a body that is in memory.
    pub(in crate::fs) async fn put_small(&self, mut put: PutObject) -> Result<ObjectRef> {
        let id = (put.condition == WriteCondition::Absent).then(|| format!("{:032x}", fastrand::u128(..)));
        put.object.metadata.extend(id.clone().map(|id| (WRITE_ID.to_owned(), id)));
        let mut lost = 0;
        loop {
            let sent = self.client.send(&put).await;
            self.forget_seen(&put.key);
            let error = match sent {
                Ok(stored) => return self.small_object(&put, stored),
                Err(error) => error,
            };
            // One that was sent again may be refused because of the first.
            let is_unclear =
                error.is_ambiguous() || lost > 0 && error.kind() == s3::ErrorKind::PreconditionFailed;
            let found =
                if id.is_some() && is_unclear { self.look_if_there(&put.key).await.ok() } else { None };
            match found {
                Some(Some(seen)) if seen.headers.metadata.get(WRITE_ID) == id.as_ref() => {
                    return Ok(seen.object.clone());
                }
                Some(Some(_)) => {
                    let message = format!("{:?} was made by another writer", put.key);
                    return Err(Error::new(ErrorKind::Exists, message));
                }
                Some(None) if lost < LOST_MAX => lost += 1,
                _ => return Err(self.refusal(&put.key, error).await),
            }
        }
    }

    fn small_object(&self, put: &PutObject, stored: Stored) -> Result<ObjectRef> {
        Ok(ObjectRef {
            key: put.key.as_str().into(),
            etag: stored.etag.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the store sent no ETag"))?,
            last_modified: self.clock.wall(),
            version: stored.version,
            size: put.body.len(),
        })
    }
}
