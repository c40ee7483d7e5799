//! The one request that publishes, and how to learn what became of it.
//!
//! It is conditional: If-None-Match for a new name, If-Match on the object that the edit began from. Where the store
//! ignores conditions, a HEAD goes before it (status says so). Every answer that is not a plain yes or no is resolved
//! by a HEAD: an object with this generation's write id is ours, whatever the answer was.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::engine::Shared;
use super::journal::record::WriteId;
use super::session::{Held, Session};
use super::source::{self, Passed};
use super::staged::{Expected, Job, StagedFile};
use super::upload::{self, WRITE_ID, with_write_id};
use super::{Error, ErrorKind};
use crate::base::digest::crc64nvme;
use crate::s3::ops::{
    CompleteMultipartUpload, HeadObject, NewObject, ObjectHeaders, Part, PutObject, PutObjectTagging, Stored,
    WriteCondition,
};
use crate::s3::transfer::{self, CopyRequest, Tuning};
use crate::s3::{self, Body, ETag, ObjectRef};

/// What an attempt to store a generation came to.
pub enum Outcome {
    Stored(ObjectRef),
    /// Somebody else's object is at the key.
    Lost(Error),
    /// The base bytes that the edit needs are gone.
    BaseGone(Error),
    /// Can pass: try again later.
    Postponed(Error),
    /// For good.
    Refused(Error),
    /// The file was renamed or removed before anything was published.
    MovedOn,
}

impl Outcome {
    /// Of a request that publishes nothing.
    pub fn of_sending(error: &s3::Error) -> Self {
        match verdict(error.kind()) {
            Verdict::Passes => Self::Postponed(error.into()),
            Verdict::ForGood(_) => Self::Refused(error.into()),
        }
    }

    /// Of a request that reads the base.
    pub fn of_base(error: &s3::Error) -> Self {
        use s3::ErrorKind::{NoSuchKey, NoSuchVersion, PreconditionFailed};
        match error.kind() {
            PreconditionFailed | NoSuchKey | NoSuchVersion => Self::BaseGone(Error::conflict(&format!(
                "the unchanged parts of the object are gone, because another writer replaced it: {error}"
            ))),
            _ => Self::of_sending(error),
        }
    }
}

/// Of a request whose body was read from staged data and the base.
pub fn of_body(error: &s3::Error, passed: &Passed) -> Outcome {
    match passed.take_base_error() {
        Some(base) => Outcome::of_base(&base),
        None if error.kind() == s3::ErrorKind::Source => Outcome::Refused(upload::damaged()),
        None => Outcome::of_sending(error),
    }
}

enum Verdict {
    Passes,
    ForGood(ErrorKind),
}

/// One row a kind: can it pass without anybody doing something about it?
fn verdict(kind: s3::ErrorKind) -> Verdict {
    use s3::ErrorKind as S3;
    match kind {
        S3::Throttled | S3::Unavailable | S3::TimedOut | S3::Corrupt | S3::Tls | S3::Redirect | S3::Skew => {
            Verdict::Passes
        }
        // Keys are rotated, tokens renewed, and a bucket's state settles.
        S3::Credentials | S3::NoCredentials | S3::Conflict | S3::NoSuchUpload | S3::InvalidPart => {
            Verdict::Passes
        }
        S3::PreconditionFailed => Verdict::Passes,
        S3::Denied => Verdict::ForGood(ErrorKind::Denied),
        S3::Quota => Verdict::ForGood(ErrorKind::NoSpace),
        S3::TooLarge => Verdict::ForGood(ErrorKind::TooLarge),
        S3::MetadataTooLarge | S3::Invalid | S3::KeyTooLong => Verdict::ForGood(ErrorKind::Invalid),
        S3::Unsupported => Verdict::ForGood(ErrorKind::Unsupported),
        S3::Source => Verdict::ForGood(ErrorKind::Disk),
        S3::Bug => Verdict::ForGood(ErrorKind::Bug),
        S3::NoSuchKey
        | S3::NoSuchBucket
        | S3::NoSuchVersion
        | S3::NoSuchSetting
        | S3::NotModified
        | S3::BucketExists
        | S3::BucketNotEmpty
        | S3::InvalidRange
        | S3::MethodNotAllowed
        | S3::Archived => Verdict::ForGood(ErrorKind::Store),
    }
}

impl From<&s3::Error> for Error {
    fn from(error: &s3::Error) -> Self {
        let kind = match verdict(error.kind()) {
            Verdict::ForGood(_) if error.is_object_lock() => ErrorKind::Locked,
            Verdict::ForGood(kind) => kind,
            Verdict::Passes => ErrorKind::Store,
        };
        Self::from_store(kind, error)
    }
}

/// Stores the whole in one PutObject.
pub async fn put(file: &Arc<StagedFile>, job: &Job) -> Outcome {
    let shared = file.shared();
    if let Some(session) = &job.sealed.session {
        shared.abort(session.clone());
        file.set_session(None);
    }
    let (body, passed) = match body_of(shared, job).await {
        Ok(body) => body,
        Err(outcome) => return outcome,
    };
    let object = to_send(shared, &job.sealed.object, &job.sealed.write_id);
    let send = |condition| async move {
        let put =
            PutObject { bucket: shared.bucket.clone(), key: job.key.to_string(), body, condition, object };
        file.client().send(&put).await
    };
    publish(file, job, Some(&passed), send).await
}

/// Small bodies are read at once; of all, the checksum is compared before the last byte is sent.
async fn body_of(shared: &Shared, job: &Job) -> Result<(Body, Arc<Passed>), Outcome> {
    let sealed = job.view.whole_checksum();
    let (body, passed) = source::body(shared, upload::whole(job), sealed);
    let Body::Source(source) = &body else { return Ok((body, passed)) };
    if source.len() > shared.pool.buffer_bytes() as u64 {
        return Ok((body, passed));
    }
    match source::collect(&**source).await {
        Ok(bytes) if sealed.is_none_or(|sealed| crc64nvme(&bytes) == sealed) => {
            Ok((Body::Bytes(bytes), passed))
        }
        Ok(_) => Err(Outcome::Refused(upload::damaged())),
        Err(error) => Err(match passed.take_base_error() {
            Some(base) => Outcome::of_base(&base),
            None => Outcome::Refused(Error::disk("read staged bytes back", &error)),
        }),
    }
}

/// Copies the base to the key with new metadata: no byte changed.
pub async fn copy(file: &Arc<StagedFile>, job: &Job) -> Outcome {
    let shared = file.shared();
    let Some(base) = &job.view.base else {
        return Outcome::Refused(Error::new(ErrorKind::Bug, "a copy was planned without a base"));
    };
    publish(file, job, None, |condition| copy_onto(shared, base, job, condition)).await
}

async fn copy_onto(
    shared: &Shared,
    source: &ObjectRef,
    job: &Job,
    condition: WriteCondition,
) -> s3::Result<Stored> {
    let request = CopyRequest {
        source_bucket: shared.bucket.clone(),
        bucket: shared.bucket.clone(),
        key: job.key.to_string(),
        condition,
        replace: Some(with_write_id(&job.sealed.object, &job.sealed.write_id)),
        source_headers: None,
    };
    let copied = transfer::copy_object(&shared.client, &Tuning::default(), source, &request).await?;
    Ok(Stored { etag: copied.etag, version: copied.version, date: copied.last_modified, ..Stored::default() })
}

/// Makes one object of the parts.
pub async fn complete(
    file: &Arc<StagedFile>,
    job: &Job,
    session: &Arc<Session>,
    held: &BTreeMap<u32, Held>,
) -> Outcome {
    let shared = file.shared();
    if let Err(error) = upload::record_completing(file, job).await {
        return Outcome::Postponed(error);
    }
    let part = |(&number, held): (&u32, &Held)| Part {
        number,
        etag: held.etag.clone(),
        size: held.range.len(),
        checksum: held.stored_checksum.clone(),
        modified: None,
    };
    let parts: Vec<_> = held.iter().map(part).collect();
    let send = |condition| async move {
        let complete = CompleteMultipartUpload {
            bucket: shared.bucket.clone(),
            key: session.key.clone(),
            upload_id: session.upload_id.clone(),
            parts,
            condition,
        };
        shared.client.send(&complete).await
    };
    let outcome = publish(file, job, None, send).await;
    if matches!(outcome, Outcome::Lost(_)) {
        shared.abort(session.clone());
    }
    match outcome {
        // The upload was opened before the metadata was final.
        Outcome::Stored(stored) if !session.is_given(&job.sealed.object) => amend(shared, job, stored).await,
        Outcome::Stored(stored) => Outcome::Stored(dated(shared, stored).await),
        outcome => outcome,
    }
}

/// Some stores date an object by the opening of its upload, so only a look tells.
async fn dated(shared: &Shared, stored: ObjectRef) -> ObjectRef {
    match head(shared, &stored.key).await {
        Ok(Some(headers)) if headers.etag.as_ref() == Some(&stored.etag) => ObjectRef {
            last_modified: headers.last_modified.unwrap_or(stored.last_modified),
            version: headers.version.or(stored.version),
            ..stored
        },
        _ => stored,
    }
}

/// Gives the object that was just stored the metadata that came after its upload was opened.
async fn amend(shared: &Shared, job: &Job, stored: ObjectRef) -> Outcome {
    let condition = WriteCondition::Matches(stored.etag.clone());
    match copy_onto(shared, &stored, job, condition).await {
        Ok(copied) => Outcome::Stored(stored_ref(shared, job, copied, stored.size)),
        Err(error) => Outcome::of_sending(&error),
    }
}

/// Sends the publishing request, with what is to be expected at the key.
async fn publish<F>(
    file: &Arc<StagedFile>,
    job: &Job,
    passed: Option<&Passed>,
    send: impl FnOnce(WriteCondition) -> F,
) -> Outcome
where
    F: Future<Output = s3::Result<Stored>>,
{
    let shared = file.shared();
    if !shared.is_conditional()
        && let Some(outcome) = look_first(file, job).await
    {
        return outcome;
    }
    if !file.may_commit(job) {
        return Outcome::MovedOn;
    }
    let condition = if shared.sends_conditions() { condition(&job.expected) } else { WriteCondition::None };
    match send(condition).await {
        Ok(stored) if stored.etag.is_some() => {
            Outcome::Stored(stored_ref(shared, job, stored, job.view.size))
        }
        Ok(_) => look(file, job, &s3::Error::new(s3::ErrorKind::Corrupt, "the store named no ETag")).await,
        Err(error) => resolve(file, job, &error, passed).await,
    }
}

fn condition(expected: &Expected) -> WriteCondition {
    match expected {
        Expected::Absent => WriteCondition::Absent,
        Expected::Object(etag) => WriteCondition::Matches(etag.clone()),
        Expected::Anything => WriteCondition::None,
    }
}

fn stored_ref(shared: &Shared, job: &Job, stored: Stored, size: u64) -> ObjectRef {
    ObjectRef {
        key: job.key.clone(),
        etag: stored.etag.unwrap_or(ETag("".into())),
        last_modified: stored.date.unwrap_or_else(|| shared.clock.wall()),
        version: stored.version,
        size,
    }
}

async fn resolve(file: &Arc<StagedFile>, job: &Job, error: &s3::Error, passed: Option<&Passed>) -> Outcome {
    use s3::ErrorKind::{Conflict, InvalidPart, NoSuchKey, NoSuchUpload, PreconditionFailed, Unsupported};
    let kind = error.kind();
    if kind == Unsupported && job.expected != Expected::Anything && file.shared().give_up_conditions() {
        return Outcome::Postponed(error.into());
    }
    let unclear = matches!(kind, PreconditionFailed | Conflict | NoSuchUpload | InvalidPart | NoSuchKey);
    if !unclear && !error.is_ambiguous() {
        return passed.map_or_else(|| Outcome::of_sending(error), |passed| of_body(error, passed));
    }
    let outcome = look(file, job, error).await;
    if matches!(kind, NoSuchUpload | InvalidPart) && matches!(outcome, Outcome::Postponed(_)) {
        upload::lose_session(file, job);
    }
    outcome
}

/// What the key holds, against what the generation expects there.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Ours,
    /// The object of a generation that this one superseded.
    Earlier,
    AsBegun,
    Other,
}

pub fn compare(job: &Job, headers: Option<&ObjectHeaders>) -> Found {
    let Some(headers) = headers else {
        return if matches!(job.expected, Expected::Object(_)) { Found::Other } else { Found::AsBegun };
    };
    let write_id = headers.metadata.get(WRITE_ID);
    if write_id == Some(&job.sealed.write_id.0) {
        return Found::Ours;
    }
    if job.sealed.earlier.iter().any(|earlier| Some(&earlier.0) == write_id) {
        return Found::Earlier;
    }
    match &job.expected {
        Expected::Anything => Found::AsBegun,
        Expected::Object(etag) if headers.etag.as_ref() == Some(etag) => Found::AsBegun,
        Expected::Object(_) | Expected::Absent => Found::Other,
    }
}

/// HEAD, with "no such key" as an answer.
pub async fn head(shared: &Shared, key: &str) -> s3::Result<Option<ObjectHeaders>> {
    let head = HeadObject { bucket: shared.bucket.clone(), key: key.to_owned(), ..HeadObject::default() };
    match shared.client.send(&head).await {
        Ok(headers) => Ok(Some(headers)),
        // A delete marker is an absence, too.
        Err(error) if matches!(error.kind(), s3::ErrorKind::NoSuchKey | s3::ErrorKind::MethodNotAllowed) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The base is gone because of another writer, or because an earlier attempt landed and its answer was lost.
pub async fn base_gone(file: &Arc<StagedFile>, job: &Job, error: Error) -> Outcome {
    let shared = file.shared();
    match head(shared, &job.key).await {
        Err(unclear) => Outcome::Postponed((&unclear).into()),
        Ok(headers) => match (compare(job, headers.as_ref()), headers) {
            (Found::Ours, Some(headers)) => ours(shared, job, &headers).await,
            (Found::Earlier, Some(headers)) => {
                Outcome::Postponed(file.rebase(object_ref(job, &headers)).err().unwrap_or(error))
            }
            _ => Outcome::BaseGone(error),
        },
    }
}

/// Did it land after all? `error` is what was answered.
async fn look(file: &Arc<StagedFile>, job: &Job, error: &s3::Error) -> Outcome {
    let shared = file.shared();
    let headers = match head(shared, &job.key).await {
        Ok(headers) => headers,
        Err(unclear) => return Outcome::Postponed((&unclear).into()),
    };
    match compare(job, headers.as_ref()) {
        Found::Ours => ours(shared, job, &headers.unwrap_or_default()).await,
        Found::Earlier => match file.rebase(object_ref(job, &headers.unwrap_or_default())) {
            Ok(()) => Outcome::Postponed(error.into()),
            Err(error) => Outcome::Postponed(error),
        },
        Found::AsBegun => {
            if error.kind() == s3::ErrorKind::PreconditionFailed {
                condition_held(file);
            }
            Outcome::Postponed(error.into())
        }
        Found::Other => Outcome::Lost(lost(job, headers.as_ref())),
    }
}

/// The store says that the condition failed, and yet the key holds what was expected there. Ceph 16 refuses every
/// If-Match where a bucket keeps versions. On a store that is known to compare, somebody may have changed the object
/// and changed it back: it is believed once more.
fn condition_held(file: &StagedFile) {
    let shared = file.shared();
    if (!shared.is_conditional() || file.attempts() > 0) && shared.give_up_conditions() {
        tracing::info!("the store refuses conditions that hold: from now on, mounts look before they write");
    }
}

/// The store ignores conditions: what it would have compared is compared here. `None`: go ahead.
async fn look_first(file: &Arc<StagedFile>, job: &Job) -> Option<Outcome> {
    let shared = file.shared();
    let headers = match head(shared, &job.key).await {
        Ok(headers) => headers,
        Err(error) => return Some(Outcome::of_sending(&error)),
    };
    match compare(job, headers.as_ref()) {
        Found::AsBegun => None,
        Found::Earlier => {
            let landed = object_ref(job, &headers.unwrap_or_default());
            let error = Error::new(ErrorKind::Store, "an earlier state of the file was stored after all");
            Some(Outcome::Postponed(file.rebase(landed).err().unwrap_or(error)))
        }
        Found::Ours => Some(ours(shared, job, &headers.unwrap_or_default()).await),
        Found::Other => Some(Outcome::Lost(lost(job, headers.as_ref()))),
    }
}

async fn ours(shared: &Shared, job: &Job, headers: &ObjectHeaders) -> Outcome {
    let stored = object_ref(job, headers);
    let wanted = with_write_id(&job.sealed.object, &job.sealed.write_id);
    if headers.metadata == wanted.metadata {
        Outcome::Stored(stored)
    } else {
        amend(shared, job, stored).await
    }
}

pub fn object_ref(job: &Job, headers: &ObjectHeaders) -> ObjectRef {
    ObjectRef {
        key: job.key.clone(),
        etag: headers.etag.clone().unwrap_or(ETag("".into())),
        last_modified: headers.last_modified.unwrap_or(std::time::UNIX_EPOCH),
        version: headers.version.clone(),
        size: headers.size,
    }
}

fn lost(job: &Job, headers: Option<&ObjectHeaders>) -> Error {
    Error::conflict(match (headers, &job.expected) {
        (None, _) => "the object was removed by another writer since the edit began",
        (Some(_), Expected::Absent) => "another writer created an object of that name",
        (Some(_), _) => "another writer changed the object since the edit began",
    })
}

/// What is given to an object in the headers of the request that makes it.
pub fn to_send(shared: &Shared, object: &NewObject, write_id: &WriteId) -> NewObject {
    let mut object = with_write_id(object, write_id);
    let _follow_later = transfer::take_late_tags(&shared.client, &mut object);
    object
}

/// Tags that a header cannot carry follow in a request of their own.
pub async fn finish(shared: &Shared, job: &Job, outcome: Outcome) -> Outcome {
    let long_tags = transfer::take_late_tags(&shared.client, &mut job.sealed.object.clone());
    let (Outcome::Stored(stored), Some(tags)) = (&outcome, long_tags) else { return outcome };
    let (bucket, key, version) = (shared.bucket.clone(), job.key.to_string(), stored.version.clone());
    match shared.client.send(&PutObjectTagging { bucket, key, version, tags }).await {
        Ok(()) => outcome,
        Err(error) => Outcome::of_sending(&error),
    }
}
