//! Runs a plan: one PutObject, one copy, or the parts of a multipart upload.
//!
//! Everything up to the publishing request may be dropped at any time (rename, unlink, shutdown): it changes nothing
//! at the key. The publishing request itself is [`super::commit`]'s and is always waited for.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::commit::{self, Outcome};
use super::engine::Shared;
use super::gate::Slot;
use super::journal::record::{PartRecord, Upload, WriteId};
use super::plan::{self, Part, Plan, Source};
use super::recovery::Word;
use super::session::{Held, Session};
use super::source;
use super::staged::{Job, StagedFile};
use super::view::Piece;
use super::{Error, ErrorKind, Result};
use crate::base::budget::Priority;
use crate::base::digest::Crc64Nvme;
use crate::base::ranges::ByteRange;
use crate::s3::ops::{
    AbortMultipartUpload, CopySource, CreateMultipartUpload, HeadObject, ListParts, NewObject, PartOrigin,
    ReadConditions, UploadPart, UploadPartCopy,
};
use crate::s3::{self, ObjectRef, VersionId};

/// The metadata name of a write id.
pub const WRITE_ID: &str = "holdfs-write-id";

/// `object` with the write id of the generation that it is given to.
pub fn with_write_id(object: &NewObject, write_id: &WriteId) -> NewObject {
    let mut object = object.clone();
    object.metadata.insert(WRITE_ID.to_owned(), write_id.0.clone());
    object
}

pub async fn open_session(
    shared: &Arc<Shared>,
    key: &str,
    object: &NewObject,
    write_id: &WriteId,
    parts: PartOrigin,
) -> s3::Result<Arc<Session>> {
    let create = CreateMultipartUpload {
        bucket: shared.bucket.clone(),
        key: key.to_owned(),
        object: commit::to_send(shared, object, write_id),
        parts,
    };
    // In a task of its own: an upload that the store opened for somebody who went away has to be aborted.
    let (answer, answered) = tokio::sync::oneshot::channel();
    let (opener, key, object) = (shared.clone(), key.to_owned(), object.clone());
    shared.tasks.spawn("open an upload", async move {
        let opened = opener.client.send(&create).await;
        let session = opened.map(|upload_id| Arc::new(Session::new(key, upload_id, object)));
        if let Err(Ok(unwanted)) = answer.send(session) {
            abort(&opener, &unwanted).await;
        }
    });
    let gone = |_| s3::Error::new(s3::ErrorKind::Unavailable, "the mount is shutting down");
    answered.await.map_err(gone)?
}

/// Stores one generation.
pub async fn attempt(file: &Arc<StagedFile>, job: &Job) -> Outcome {
    let shared = file.shared();
    let session = job.sealed.session.clone().filter(|session| session.key == *job.key);
    if let (Some(unusable), None) = (&job.sealed.session, &session) {
        shared.abort(unusable.clone());
        file.set_session(None);
    }
    let Some(plan) = plan_of(shared, job, session.as_deref()) else {
        let message = format!("{} bytes are more than the store takes in one object", job.view.size);
        return Outcome::Refused(Error::new(ErrorKind::TooLarge, message));
    };
    let outcome = match plan {
        Plan::Put(_) => commit::put(file, job).await,
        Plan::CopyWhole => commit::copy(file, job).await,
        Plan::Parts(parts) => match send_parts(file, job, session, &parts).await {
            Ok((session, held)) => match base_unchanged(file, job, &parts, &session).await {
                Ok(()) => commit::complete(file, job, &session, &held).await,
                Err(outcome) => outcome,
            },
            Err(outcome) => outcome,
        },
    };
    match outcome {
        Outcome::BaseGone(error) => commit::base_gone(file, job, error).await,
        outcome => commit::finish(shared, job, outcome).await,
    }
}

fn plan_of(shared: &Shared, job: &Job, session: Option<&Session>) -> Option<Plan> {
    let stored = session.map(Session::taken).unwrap_or_default();
    plan::plan(&plan::Input {
        size: job.view.size,
        dirty: &job.view.dirty(),
        base_size: job.view.base.as_ref().map(|base| base.size),
        stored: &stored,
        sizes: shared.sizes,
        limits: shared.limits,
    })
}

type Parts = BTreeMap<u32, Held>;

/// Sends what the session does not hold yet. Parts that were on their way at the seal are waited for.
async fn send_parts(
    file: &Arc<StagedFile>,
    job: &Job,
    session: Option<Arc<Session>>,
    parts: &[Part],
) -> std::result::Result<(Arc<Session>, Parts), Outcome> {
    let shared = file.shared();
    let session = match session {
        Some(session) => session,
        None => {
            let (sealed, origin) = (&job.sealed, origin(parts));
            let opened = open_session(shared, &job.key, &sealed.object, &sealed.write_id, origin).await;
            opened.map_err(|error| Outcome::of_sending(&error))?
        }
    };
    file.set_session(Some(session.clone()));
    record_start(file, job, &session, parts);
    for _ in 0..ROUNDS {
        let taken = session.taken();
        let missing: Vec<_> =
            parts.iter().filter(|part| taken.get(&part.number) != Some(&part.range)).collect();
        send_missing(file, job, &session, &missing).await?;
        session.settle().await;
        let held = session.held();
        if parts.iter().all(|part| held.get(&part.number).is_some_and(|held| held.range == part.range)) {
            verify(job, parts, &held).map_err(Outcome::Refused)?;
            return Ok((session, held));
        }
    }
    Err(Outcome::Postponed(Error::new(ErrorKind::Store, "some parts could not be sent")))
}

/// Some stores (Ceph 16) copy parts of whatever the key holds: in the end the base must still be what it was. If it
/// is not, nobody knows what the copied parts hold, and none of the upload is used.
async fn base_unchanged(
    file: &Arc<StagedFile>,
    job: &Job,
    parts: &[Part],
    session: &Arc<Session>,
) -> std::result::Result<(), Outcome> {
    let Some(base) = &job.view.base else { return Ok(()) };
    let is_copied = parts.iter().any(|part| part.source == Source::Copy);
    if !is_copied || base.version.as_ref().is_some_and(VersionId::is_kept) {
        return Ok(());
    }
    let shared = file.shared();
    let head = HeadObject {
        bucket: shared.bucket.clone(),
        key: base.key.to_string(),
        conditions: ReadConditions { if_match: Some(base.etag.clone()), ..ReadConditions::default() },
        ..HeadObject::default()
    };
    let outcome = match shared.client.send(&head).await {
        Ok(headers) if headers.etag.as_ref() == Some(&base.etag) => return Ok(()),
        Ok(_) => Outcome::of_base(&s3::Error::new(
            s3::ErrorKind::PreconditionFailed,
            "it changed while parts of it were copied",
        )),
        Err(error) => Outcome::of_base(&error),
    };
    if matches!(outcome, Outcome::BaseGone(_)) {
        lose_session(file, job);
        shared.abort(session.clone());
    }
    Err(outcome)
}

fn origin(parts: &[Part]) -> PartOrigin {
    if parts.iter().any(|part| part.source == Source::Copy) {
        PartOrigin::AlsoCopied
    } else {
        PartOrigin::Sent
    }
}

/// A part that was sent ahead may have failed: it is sent once more, and then again.
const ROUNDS: usize = 3;

fn record_start(file: &StagedFile, job: &Job, session: &Session, parts: &[Part]) {
    let held = session.held();
    let record = |part: &Part| {
        let etag =
            held.get(&part.number).filter(|held| held.range == part.range).map(|held| held.etag.clone());
        PartRecord { part: *part, etag }
    };
    let upload = Upload { key: session.key.clone(), id: session.upload_id.clone() };
    let parts = parts.iter().map(record).collect();
    file.shared().journal.started(file.id(), job.sealed.generation, upload, parts);
}

async fn send_missing(
    file: &Arc<StagedFile>,
    job: &Job,
    session: &Arc<Session>,
    missing: &[&Part],
) -> std::result::Result<(), Outcome> {
    let shared = file.shared();
    let mut sending = FuturesUnordered::new();
    let mut left = missing.iter().copied();
    let mut next = left.next();
    while next.is_some() || !sending.is_empty() {
        tokio::select! {
            biased;
            Some(sent) = sending.next(), if !sending.is_empty() => sent?,
            slot = shared.gate.enter(), if next.is_some() => {
                if let Some(part) = next.take() {
                    sending.push(send_part(file, job, session, *part, slot));
                    next = left.next();
                }
            }
        }
    }
    Ok(())
}

async fn send_part(
    file: &Arc<StagedFile>,
    job: &Job,
    session: &Arc<Session>,
    part: Part,
    slot: Slot,
) -> std::result::Result<(), Outcome> {
    let sender = Sender { shared: file.shared(), session, slot: &slot, client: &file.client() };
    session.begin(part.number, part.range);
    let mut unsent = Unsent { session, number: Some(part.number) };
    let held = match (part.source, &job.view.base) {
        (Source::Copy, Some(base)) => sender.copy(&part, base).await,
        _ => sender.put(&part, &job.view.pieces(part.range)).await,
    };
    let held = held?;
    unsent.number = None;
    let etag = held.etag.clone();
    session.hold(part.number, held);
    file.shared().journal.part(file.id(), job.sealed.generation, part, etag);
    file.wake();
    Ok(())
}

/// Takes a part off the list of those on their way, also when its future is dropped.
struct Unsent<'a> {
    session: &'a Session,
    /// `None` once the store holds the part.
    number: Option<u32>,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.session.fail(number);
        }
    }
}

/// Sends single parts.
pub struct Sender<'a> {
    pub shared: &'a Arc<Shared>,
    pub session: &'a Session,
    pub slot: &'a Slot,
    pub client: &'a s3::Client,
}

/// Parts up to this size are read into memory once, for their digests and for the socket; the pieces of longer ones
/// are read as they are needed: one buffer is with the socket, one is being read.
const IN_MEMORY_MAX: u64 = 16 << 20;
const BUFFERS: u64 = 2;

impl Sender<'_> {
    pub async fn put(&self, part: &Part, pieces: &[Piece]) -> std::result::Result<Held, Outcome> {
        let in_memory = part.range.len() <= IN_MEMORY_MAX && source::is_local(pieces);
        let bytes =
            if in_memory { part.range.len() } else { BUFFERS * self.shared.pool.buffer_bytes() as u64 };
        let _permit = self.shared.budget.acquire(bytes.min(part.range.len()), Priority::Background).await;
        let (body, passed) = if in_memory {
            source::load(self.shared, pieces).await.map_err(|error| unread(&error))?
        } else {
            source::body(self.shared, pieces.to_vec(), None)
        };
        let upload = UploadPart {
            bucket: self.shared.bucket.clone(),
            key: self.session.key.clone(),
            upload_id: self.session.upload_id.clone(),
            part_number: part.number,
            body,
        };
        let sent = self.client.send(&upload).await;
        let stored = sent.map_err(|error| commit::of_body(&error, &passed))?;
        self.slot.stored(part.range.len());
        Ok(Held {
            range: part.range,
            etag: stored.etag,
            checksum: passed.checksum(),
            stored_checksum: stored.checksum,
        })
    }

    async fn copy(&self, part: &Part, base: &ObjectRef) -> std::result::Result<Held, Outcome> {
        let copy = UploadPartCopy {
            source: source_of(self.shared, base),
            range: Some(part.range),
            bucket: self.shared.bucket.clone(),
            key: self.session.key.clone(),
            upload_id: self.session.upload_id.clone(),
            part_number: part.number,
        };
        let stored = self.shared.client.send(&copy).await.map_err(|error| Outcome::of_base(&error))?;
        Ok(Held { range: part.range, etag: stored.etag, checksum: None, stored_checksum: stored.checksum })
    }
}

/// Pinned by ETag, and by version where there is one.
pub fn source_of(shared: &Shared, base: &ObjectRef) -> CopySource {
    CopySource {
        bucket: shared.bucket.clone(),
        key: base.key.to_string(),
        version: base.version.clone(),
        conditions: ReadConditions { if_match: Some(base.etag.clone()), ..ReadConditions::default() },
    }
}

/// The bytes that were sent are those that were sealed, as far as the checksum of the whole was kept.
fn verify(job: &Job, parts: &[Part], held: &Parts) -> Result<()> {
    let Some(sealed) = job.view.whole_checksum() else { return Ok(()) };
    let mut sent = Crc64Nvme::new().value();
    for part in parts {
        let Some(checksum) = held.get(&part.number).and_then(|held| held.checksum) else { return Ok(()) };
        sent = Crc64Nvme::combine(sent, checksum, part.range.len());
    }
    if sent == sealed { Ok(()) } else { Err(damaged()) }
}

fn unread(error: &std::io::Error) -> Outcome {
    match error.kind() {
        std::io::ErrorKind::Interrupted => {
            Outcome::Postponed(Error::new(ErrorKind::Store, "the mount is shutting down"))
        }
        _ => Outcome::Refused(damaged()),
    }
}

/// What was read is not what was written.
pub fn damaged() -> Error {
    let message = "the state directory gave back other bytes than were written: nothing of them is stored";
    Error::new(ErrorKind::Disk, message)
}

/// Repeats until the upload is gone: parts that were on their way may arrive after the first abort.
pub async fn abort(shared: &Shared, session: &Session) {
    let abort = AbortMultipartUpload {
        bucket: shared.bucket.clone(),
        key: session.key.clone(),
        upload_id: session.upload_id.clone(),
    };
    for pause in [0, 100, 1_000, 10_000] {
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        match shared.client.send(&abort).await {
            Ok(())
                if list_parts(shared, &session.key, &session.upload_id)
                    .await
                    .is_ok_and(|left| left.is_none()) =>
            {
                return;
            }
            Err(error) if error.kind() == s3::ErrorKind::NoSuchUpload => return,
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(key = %session.key.escape_debug(), "an upload cannot be aborted yet: {error}")
            }
        }
    }
    tracing::warn!(key = %session.key.escape_debug(), "an unfinished upload may be left at the store");
}

/// The parts of an upload, by number; `None` if there is no such upload.
pub async fn list_parts(
    shared: &Shared,
    key: &str,
    upload_id: &str,
) -> s3::Result<Option<BTreeMap<u32, s3::ops::Part>>> {
    let mut list = ListParts {
        bucket: shared.bucket.clone(),
        key: key.to_owned(),
        upload_id: upload_id.to_owned(),
        ..ListParts::default()
    };
    let mut parts = BTreeMap::new();
    loop {
        let page = match shared.client.send(&list).await {
            Ok(page) => page,
            Err(error) if error.kind() == s3::ErrorKind::NoSuchUpload => return Ok(None),
            Err(error) => return Err(error),
        };
        parts.extend(page.parts.into_iter().map(|part| (part.number, part)));
        if !page.is_truncated || page.next_part_number_marker <= list.part_number_marker {
            return Ok(Some(parts));
        }
        list.part_number_marker = page.next_part_number_marker;
    }
}

/// A session of a former process: of the recorded parts those count that the store still lists with the same ETag.
pub async fn resume_session(
    shared: &Shared,
    upload: &Upload,
    object: &NewObject,
    parts: &[PartRecord],
) -> s3::Result<Option<Arc<Session>>> {
    let Some(listed) = list_parts(shared, &upload.key, &upload.id).await? else { return Ok(None) };
    let session = Session::new(upload.key.clone(), upload.id.clone(), object.clone());
    for PartRecord { part, etag } in parts {
        let stored = listed.get(&part.number).filter(|stored| stored.size == part.range.len());
        if let (Some(etag), Some(stored)) = (etag, stored)
            && stored.etag == *etag
        {
            let stored_checksum = stored.checksum.clone();
            let held = Held { range: part.range, etag: etag.clone(), checksum: None, stored_checksum };
            session.hold(part.number, held);
        }
    }
    Ok(Some(Arc::new(session)))
}

/// Nothing is left of what was sent.
pub fn lose_session(file: &StagedFile, job: &Job) {
    file.set_session(None);
    file.shared().journal.upload_lost(file.id(), job.sealed.generation);
}

/// The word that the journal has for a generation whose publishing request is out.
pub async fn record_completing(file: &StagedFile, job: &Job) -> Result<()> {
    file.shared().journal.word(file.id(), job.sealed.generation, Word::Completing, None).await
}

/// All of a generation's pieces.
pub fn whole(job: &Job) -> Vec<Piece> {
    job.view.pieces(ByteRange::new(0, job.view.size))
}
