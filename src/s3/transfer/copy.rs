//! A copy on the server: one CopyObject, or parts where the source is too large for one.
//!
//! A store copies metadata, content headers and tags by itself, but neither locks nor the storage class, and of a
//! copy in parts nothing at all: what it leaves out is read from the source and sent along.

use std::time::SystemTime;

use futures_util::stream;

use super::assembly::{Assembly, ensure_lock, in_parallel, put_late_tags, take_late_tags};
use super::progress::Meter;
use super::{Target, Tuning, plan};
use crate::base::ranges::ByteRange;
use crate::s3::ops::{
    Copied, CopyObject, CopySource, GetObjectTagging, HeadObject, LockHeaders, NewObject, ObjectHeaders,
    Part, PartOrigin, ReadConditions, Stored, UploadPartCopy, WriteCondition,
};
use crate::s3::{Client, ObjectRef, Result};

/// Where a copy goes and what it is given.
#[derive(Clone, Debug, Default)]
pub struct CopyRequest {
    /// Where the source is.
    pub source_bucket: String,
    /// Where the copy goes.
    pub bucket: String,
    /// The key of the copy.
    pub key: String,
    /// Stores only where this holds: `PreconditionFailed` else.
    pub condition: WriteCondition,
    /// `Some` gives the copy these headers, metadata, tags and lock; `None` carries those of the source over, its
    /// lock and storage class included. With `Some`, tags of `None` still carry the source's tags.
    pub replace: Option<NewObject>,
    /// The headers of exactly this source, where they are known: saves asking for them.
    pub source_headers: Option<ObjectHeaders>,
}

/// Copies exactly `source`: pinned by its ETag, and by its version where it has one.
pub async fn copy_object(
    client: &Client,
    tuning: &Tuning,
    source: &ObjectRef,
    request: &CopyRequest,
) -> Result<Copied> {
    let meter = Meter::of(tuning, Some(source.size));
    let copy = Copy { client, tuning, source, request, meter };
    if source.size <= client.limits().copy_bytes_max { copy.at_once().await } else { copy.in_parts().await }
}

struct Copy<'a> {
    client: &'a Client,
    tuning: &'a Tuning,
    source: &'a ObjectRef,
    request: &'a CopyRequest,
    meter: Meter,
}

impl Copy<'_> {
    async fn at_once(&self) -> Result<Copied> {
        let mut replace = self.request.replace.clone();
        if let Some(object) = &mut replace
            && !self.client.dialect().keeps_tags_of_replaced_copies()
        {
            self.carry_tags(object).await?;
        }
        let long_tags = replace.as_mut().and_then(|object| take_late_tags(self.client, object));
        let (lock, storage_class) = match replace {
            Some(_) => (LockHeaders::default(), None),
            None => {
                let headers = self.headers().await?;
                (lock_to_carry(&headers.lock, SystemTime::now()), headers.storage_class)
            }
        };
        let target = self.target();
        let copy = CopyObject {
            source: self.pinned(),
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            condition: target.condition.clone(),
            replace,
            lock,
            storage_class,
        };
        let copied = self.client.send(&copy).await?;
        self.meter.add(self.source.size);
        put_late_tags(self.client, &target, long_tags, copied.version.clone()).await?;
        Ok(copied)
    }

    async fn in_parts(&self) -> Result<Copied> {
        let limits = self.client.limits();
        let wished = self.tuning.copy_part_bytes.min(limits.copy_bytes_max);
        let ranges = plan::cut(self.source.size, wished, limits.copy_bytes_max, limits)?;
        let mut object = self.whole_object().await?;
        let long_tags = take_late_tags(self.client, &mut object);
        let (target, lock) = (self.target(), object.lock);
        let assembly = Assembly::begin(self.client, &target, object, PartOrigin::AlsoCopied).await?;
        let upload_id = assembly.upload_id.clone();
        let copy_part = |(number, range)| self.copy_part(upload_id.clone(), number, range);
        let parts = in_parallel(stream::iter((1..).zip(ranges).map(Ok)), self.tuning.parallel, copy_part);
        let Stored { etag, version, .. } = assembly.finish(parts, async || self.is_unchanged().await).await?;
        put_late_tags(self.client, &target, long_tags, version.clone()).await?;
        ensure_lock(self.client, &target, lock, version.clone()).await?;
        let source_version = self.source.version.clone();
        Ok(Copied { etag, version, source_version, ..Copied::default() })
    }

    async fn copy_part(&self, upload_id: String, part_number: u32, range: ByteRange) -> Result<(Part, u64)> {
        let (bucket, key) = (self.request.bucket.clone(), self.request.key.clone());
        let copy =
            UploadPartCopy { source: self.pinned(), range: Some(range), bucket, key, upload_id, part_number };
        let part = self.client.send(&copy).await?;
        self.meter.add(range.len());
        Ok((part, range.len()))
    }

    /// Everything that an upload is begun with.
    async fn whole_object(&self) -> Result<NewObject> {
        let mut object = match &self.request.replace {
            Some(object) => object.clone(),
            None => carried(self.headers().await?, SystemTime::now()),
        };
        self.carry_tags(&mut object).await?;
        Ok(object)
    }

    /// Gives `object` the source's tags if it has none of its own to say.
    async fn carry_tags(&self, object: &mut NewObject) -> Result<()> {
        if object.tags.is_none() {
            let tags = GetObjectTagging {
                bucket: self.request.source_bucket.clone(),
                key: self.source.key.to_string(),
                version: self.source.version.clone(),
            };
            object.tags = Some(self.client.send(&tags).await?).filter(|tags| !tags.is_empty());
        }
        Ok(())
    }

    /// Some stores (Ceph 16) copy parts of whatever the key holds: the source must still be the same in the end.
    async fn is_unchanged(&self) -> Result<()> {
        self.ask().await.map(drop)
    }

    async fn headers(&self) -> Result<ObjectHeaders> {
        match &self.request.source_headers {
            Some(headers) => Ok(headers.clone()),
            None => self.ask().await,
        }
    }

    async fn ask(&self) -> Result<ObjectHeaders> {
        let head = HeadObject {
            bucket: self.request.source_bucket.clone(),
            key: self.source.key.to_string(),
            version: self.source.version.clone(),
            conditions: self.pin(),
            ..HeadObject::default()
        };
        self.client.at_source().send(&head).await
    }

    fn target(&self) -> Target {
        let CopyRequest { bucket, key, condition, .. } = self.request.clone();
        Target { bucket, key, condition, object: NewObject::default() }
    }

    fn pinned(&self) -> CopySource {
        CopySource {
            bucket: self.request.source_bucket.clone(),
            key: self.source.key.to_string(),
            version: self.source.version.clone(),
            conditions: self.pin(),
        }
    }

    fn pin(&self) -> ReadConditions {
        ReadConditions { if_match: Some(self.source.etag.clone()), ..ReadConditions::default() }
    }
}

/// What a copy of this object begins with, tags aside.
pub(super) fn carried(headers: ObjectHeaders, now: SystemTime) -> NewObject {
    NewObject {
        lock: lock_to_carry(&headers.lock, now),
        content: headers.content,
        metadata: headers.metadata,
        storage_class: headers.storage_class,
        ..NewObject::default()
    }
}

/// A store refuses a retention that has ended, and a hold that is off is none.
fn lock_to_carry(lock: &LockHeaders, now: SystemTime) -> LockHeaders {
    LockHeaders {
        retention: lock.retention.filter(|retention| retention.until > now),
        legal_hold: lock.legal_hold.filter(|on| *on),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::s3::ops::{Retention, RetentionMode};

    #[test]
    fn a_lock_is_carried_while_it_lasts() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let until = |seconds| {
            let until = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Some(Retention { mode: RetentionMode::Governance, until })
        };
        let carried = |retention, legal_hold| lock_to_carry(&LockHeaders { retention, legal_hold }, now);
        assert_eq!(
            carried(until(1_001), Some(true)),
            LockHeaders { retention: until(1_001), legal_hold: Some(true) }
        );
        assert_eq!(carried(until(1_000), Some(false)), LockHeaders::default());
        assert_eq!(carried(None, None), LockHeaders::default());
    }
}
