//! One multipart upload from its begin to its end, which is one of two: completed once, or aborted.

use futures_util::{Stream, TryStreamExt};

use super::Target;
use crate::s3::ops::{
    AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, HeadObject, ListParts, LockHeaders,
    NewObject, Part, PartOrigin, PutObjectLegalHold, PutObjectRetention, PutObjectTagging, Stored, Tags,
    form_encoded,
};
use crate::s3::{Client, Error, ErrorKind, Result, VersionId};

/// Bytes of a tag set in its header form that every store takes; what is longer follows in a request of its own.
const TAG_HEADER_BYTES_MAX: usize = 2048;

/// How often an end that was not certain is looked at again.
const LOOKS: usize = 3;

/// A multipart upload that was begun.
pub(super) struct Assembly<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Target,
    pub(super) upload_id: String,
    pub(super) leftover: Leftover,
}

/// What becomes of the parts of an upload that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leftover {
    Abort,
    /// They stay for a later upload, unless the store has refused to make an object of them.
    Keep,
}

impl<'a> Assembly<'a> {
    pub(super) async fn begin(
        client: &'a Client,
        target: &'a Target,
        object: NewObject,
        parts: PartOrigin,
    ) -> Result<Self> {
        let (bucket, key) = (target.bucket.clone(), target.key.clone());
        let create = CreateMultipartUpload { bucket, key, object, parts };
        Ok(Self::going_on(client, target, client.send(&create).await?))
    }

    /// One that somebody else began.
    pub(super) fn going_on(client: &'a Client, target: &'a Target, upload_id: String) -> Self {
        Self { client, target, upload_id, leftover: Leftover::Abort }
    }

    /// Waits for all parts and their bytes, asks `check` a last time, then makes them the object. Whatever fails,
    /// nothing is left behind that was not to stay; only a completion that may have been applied is left alone, and then the upload is gone.
    pub(super) async fn finish(
        self,
        parts: impl Stream<Item = Result<(Part, u64)>>,
        check: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<Stored> {
        let mut parts = self.client.unless_stopped(parts.try_collect::<Vec<_>>()).await;
        if parts.is_ok()
            && let Err(error) = check().await
        {
            parts = Err(error);
        }
        let (stored, may_be_stored) = match parts {
            Err(error) if self.leftover == Leftover::Keep => return Err(error),
            Err(error) => (Err(error), false),
            Ok(parts) => {
                let stored = self.complete(parts).await;
                let lost = stored.as_ref().is_err_and(Error::is_ambiguous);
                // What the store still has was not completed.
                let lost = lost && !matches!(self.exists().await, Ok(true));
                (stored, lost)
            }
        };
        if stored.is_err() && !may_be_stored {
            self.abort().await;
        }
        stored
    }

    async fn complete(&self, mut parts: Vec<(Part, u64)>) -> Result<Stored> {
        parts.sort_by_key(|(part, _)| part.number);
        let size = parts.iter().map(|(_, bytes)| bytes).sum();
        let complete = CompleteMultipartUpload {
            bucket: self.target.bucket.clone(),
            key: self.target.key.clone(),
            upload_id: self.upload_id.clone(),
            parts: parts.into_iter().map(|(part, _)| part).collect(),
            condition: self.target.condition.clone(),
        };
        let mut outcome = self.client.send(&complete).await;
        for _ in 0..LOOKS {
            match outcome {
                Err(error) if error.is_ambiguous() => match self.applied(size, error).await? {
                    Some(stored) => return Ok(stored),
                    None => outcome = self.client.send(&complete).await,
                },
                outcome => return self.named(outcome?).await,
            }
        }
        outcome
    }

    /// Ceph says the ETag of what it has completed only when asked.
    async fn named(&self, stored: Stored) -> Result<Stored> {
        if stored.etag.is_some() {
            return Ok(stored);
        }
        let (bucket, key, version) =
            (self.target.bucket.clone(), self.target.key.clone(), stored.version.clone());
        let object = self.client.send(&HeadObject { bucket, key, version, ..HeadObject::default() }).await?;
        Ok(Stored { etag: object.etag, ..stored })
    }

    /// What became of a completion whose answer was lost (failures.md, DL-15): an upload that the store still has
    /// was not completed, one that is gone was, and then the object says so. `lost` when that cannot be told.
    async fn applied(&self, size: u64, lost: Error) -> Result<Option<Stored>> {
        if self.exists().await? {
            return Ok(None);
        }
        let head = HeadObject {
            bucket: self.target.bucket.clone(),
            key: self.target.key.clone(),
            ..HeadObject::default()
        };
        match self.client.send(&head).await {
            Ok(object) if object.size == size => Ok(Some(Stored {
                etag: object.etag,
                version: object.version,
                date: object.last_modified,
                checksums: object.checksums,
                expiration: object.expiration,
                location: None,
            })),
            _ => Err(lost),
        }
    }

    async fn exists(&self) -> Result<bool> {
        let list = ListParts {
            bucket: self.target.bucket.clone(),
            key: self.target.key.clone(),
            upload_id: self.upload_id.clone(),
            part_number_marker: None,
            max_parts: Some(1),
        };
        match self.client.send(&list).await {
            Ok(_) => Ok(true),
            // The second is Ceph's word for an upload that it does not know.
            Err(error) if matches!(error.kind(), ErrorKind::NoSuchUpload | ErrorKind::NoSuchKey) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A part in flight may land after an abort and bring the upload back, so it is repeated until the store knows
    /// nothing of it. Best effort: the error that led here is the one to tell.
    async fn abort(&self) {
        let abort = AbortMultipartUpload {
            bucket: self.target.bucket.clone(),
            key: self.target.key.clone(),
            upload_id: self.upload_id.clone(),
        };
        for _ in 0..LOOKS {
            if let Err(error) = self.client.send(&abort).await {
                if error.kind() != ErrorKind::NoSuchUpload {
                    tracing::warn!(%error, upload_id = self.upload_id, "an unfinished upload stays at the store");
                }
                return;
            }
            if let Ok(false) = self.exists().await {
                return;
            }
        }
    }
}

/// The tags that a header cannot carry to this store, taken out of `object`: they follow in a request of their own.
/// (Ceph 16 garbles those of copies and of uploads in parts.)
pub fn take_late_tags(client: &Client, object: &mut NewObject) -> Option<Tags> {
    let keeps = client.dialect().keeps_tags_of_replaced_copies();
    object.tags.take_if(|tags| !keeps || form_encoded(tags).len() > TAG_HEADER_BYTES_MAX)
}

/// Puts the tags that no header could carry on what was just stored.
pub(super) async fn put_late_tags(
    client: &Client,
    target: &Target,
    tags: Option<Tags>,
    version: Option<VersionId>,
) -> Result<()> {
    let Some(tags) = tags else { return Ok(()) };
    let put = PutObjectTagging { bucket: target.bucket.clone(), key: target.key.clone(), version, tags };
    client.send(&put).await
}

/// Makes sure that what was just stored is locked as it was to be. Ceph 16 ignores lock headers where an upload in
/// parts begins, and whoever asks for a lock must be able to rely on it.
pub(super) async fn ensure_lock(
    client: &Client,
    target: &Target,
    lock: LockHeaders,
    version: Option<VersionId>,
) -> Result<()> {
    let holds = lock.legal_hold == Some(true);
    if !holds && lock.retention.is_none() {
        return Ok(());
    }
    let (bucket, key) = (target.bucket.clone(), target.key.clone());
    let head = HeadObject {
        bucket: bucket.clone(),
        key: key.clone(),
        version: version.clone(),
        ..HeadObject::default()
    };
    let found = client.send(&head).await?.lock;
    if let (Some(wanted), None) = (lock.retention, found.retention) {
        let retention = PutObjectRetention {
            bucket: bucket.clone(),
            key: key.clone(),
            version: version.clone(),
            retention: Some(wanted),
            bypass_governance: false,
        };
        client.send(&retention).await?;
    }
    if holds && found.legal_hold != Some(true) {
        client.send(&PutObjectLegalHold { bucket, key, version, on: true }).await?;
    }
    Ok(())
}

/// Runs `work` for every item, `parallel` at once.
pub(super) fn in_parallel<I, F, T>(
    items: impl Stream<Item = Result<I>>,
    parallel: usize,
    work: impl FnMut(I) -> F,
) -> impl Stream<Item = Result<T>>
where
    F: Future<Output = Result<T>>,
{
    items.map_ok(work).try_buffer_unordered(parallel.max(1))
}
