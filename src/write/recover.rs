//! Takes up what the last mount left: runs the table of [`super::recovery`].
//!
//! What can be told from the local disk is decided at once, and nothing is deleted by it but what the journal says is
//! finished. The rest needs the store's word: such files are shown as the journal has them, and the decision is made
//! in the background, as soon as the store answers.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::commit::{self, Found};
use super::engine::{Quarantined, Recovered, Shared};
use super::journal::record::{FileRecord, GenerationRecord, LayerRecord, PartRecord, Upload, WriteId};
use super::layer::{Layer, LayerId};
use super::recovery::{Data, Decision, Remote, Upload as Alive, Word, decide};
use super::session::Session;
use super::staged::{Expected, FileId, Generation, Job, Restored, Sealed, StagedFile};
use super::view::{Extent, Piece};
use super::{Error, ErrorKind, Result, queue, upload};
use crate::base::disk::{File, OpenMode};
use crate::base::ranges::{ByteRange, RangeSet};
use crate::s3::ops::{DeleteObject, ObjectHeaders};
use crate::s3::{self};

const ASK_AGAIN_FIRST: Duration = Duration::from_secs(1);
const ASK_AGAIN_MOST: Duration = Duration::from_secs(60);

pub fn recover(shared: &Arc<Shared>) -> Result<Recovered> {
    // What the last mount had done with, and no time to remove.
    shared.journal.loose_layers()?.into_iter().for_each(|layer| shared.remove_data(layer));
    let mut known = HashSet::new();
    let mut files = Vec::new();
    for (file, generations) in shared.journal.load()? {
        for record in generations.iter().flatten() {
            known.extend(record.layers.iter().map(|layer| layer.id));
        }
        files.extend(recover_file(shared, file, generations)?);
    }
    quarantine_strays(shared, &known)?;
    Ok(Recovered { files, quarantined: shared.quarantine.lock().clone() })
}

/// The staged file, if one is to be shown.
fn recover_file(
    shared: &Arc<Shared>,
    file: FileRecord,
    generations: Vec<super::journal::Found>,
) -> Result<Option<Arc<StagedFile>>> {
    let mut sealed = Vec::new();
    let alone = generations.len() == 1;
    for found in generations {
        match found {
            Err((generation, reason)) => set_apart(shared, &file, generation, alone, None, &reason)?,
            Ok(record) => match record.word {
                Word::Unreadable => {
                    let reason = "its record was written by another version, or is damaged";
                    set_apart(shared, &file, record.generation, alone, Some(&record), reason)?;
                }
                Word::Begin | Word::Early => {
                    let reason = "it was being written when the last mount ended, and never closed";
                    set_apart(shared, &file, record.generation, alone, Some(&record), reason)?;
                }
                Word::Committed | Word::Discarded => clean_up(shared, file.id, &record),
                Word::Removed => decide_removal(shared, file.clone(), record),
                Word::Seal | Word::Started | Word::Completing | Word::Failed => sealed.push(record),
            },
        }
    }
    restore(shared, file, sealed)
}

fn clean_up(shared: &Shared, file: FileId, record: &GenerationRecord) {
    shared.journal.drop_generation(file, record.generation);
    record.layers.iter().for_each(|layer| shared.remove_data(layer.id));
}

/// Gives what cannot be placed an entry of its own, so that it can be listed, exported and discarded.
fn set_apart(
    shared: &Shared,
    file: &FileRecord,
    generation: Generation,
    alone: bool,
    record: Option<&GenerationRecord>,
    reason: &str,
) -> Result<()> {
    let id = if alone { file.id } else { shared.next_file() };
    if !alone {
        shared.journal.set_apart(file.clone(), generation, id)?;
    }
    let bytes = record.map_or(0, |record| stored_bytes(shared, &record.layers));
    let age =
        record.and_then(|record| shared.clock.wall().duration_since(record.since).ok()).unwrap_or_default();
    tracing::warn!(key = %file.key.escape_debug(), bytes, "kept aside: {reason} (`holdfs journal ls` lists it)");
    shared.quarantine.lock().push(Quarantined {
        file: id,
        key: file.key.clone(),
        bytes,
        reason: reason.to_owned(),
        age_seconds: age.as_secs(),
    });
    Ok(())
}

fn stored_bytes(shared: &Shared, layers: &[LayerRecord]) -> u64 {
    let length = |layer: &LayerRecord| open_data(shared, layer.id).and_then(|file| file.len()).unwrap_or(0);
    layers.iter().map(length).sum()
}

fn open_data(shared: &Shared, layer: LayerId) -> std::io::Result<Arc<dyn File>> {
    shared.disk.open(&layer.path(&shared.data_dir), OpenMode::Read)
}

/// Data files that no record names: their `begin` did not reach the journal.
fn quarantine_strays(shared: &Shared, known: &HashSet<LayerId>) -> Result<()> {
    let names =
        shared.disk.list(&shared.data_dir).map_err(|error| Error::disk("list the staged data", &error))?;
    let strays = names.iter().filter_map(|name| LayerId::from_name(name.to_str()?));
    for layer in strays.filter(|layer| !known.contains(layer)) {
        let file = FileRecord {
            id: shared.next_file(),
            key: String::new(),
            base: None,
            expected: Expected::Absent,
            exclusive: false,
            leftover: None,
        };
        let generation = Generation(1);
        shared.journal.begin(file.clone(), generation, WriteId::random(), Some(layer));
        let bytes = open_data(shared, layer).and_then(|file| file.len()).unwrap_or(0);
        let reason = "staged data that no record names: the last mount ended just as it was begun".to_owned();
        shared.quarantine.lock().push(Quarantined {
            file: file.id,
            key: file.key,
            bytes,
            reason,
            age_seconds: 0,
        });
    }
    Ok(())
}

/// One staged file out of all generations that were sealed: the newest whose data is as sealed contains the others.
fn restore(
    shared: &Arc<Shared>,
    file: FileRecord,
    mut sealed: Vec<GenerationRecord>,
) -> Result<Option<Arc<StagedFile>>> {
    let mut lost = Vec::new();
    let newest = loop {
        let Some(record) = sealed.pop() else { break None };
        match layers(shared, &record) {
            Some(layers) => break Some((record, layers)),
            None => lost.push(record),
        }
    };
    let alone = newest.is_none() && lost.len() == 1;
    for record in lost {
        decide_loss(shared, &file, record, alone)?;
    }
    let Some((record, layers)) = newest else {
        finish_without_data(shared, &file);
        return Ok(None);
    };
    let restored = restored(&file, &record, layers, &sealed);
    for older in &sealed {
        shared.journal.drop_generation(file.id, older.generation);
        abort_recorded(shared, older);
        let needless =
            older.layers.iter().filter(|layer| !record.layers.iter().any(|kept| kept.id == layer.id));
        needless.for_each(|layer| shared.remove_data(layer.id));
    }
    let staged = StagedFile::restore(shared.clone(), restored);
    shared.list(&staged);
    decide_in_background(shared, &staged, record);
    Ok(Some(staged))
}

/// A former object may be left to remove; then nothing is left of the file.
fn finish_without_data(shared: &Arc<Shared>, file: &FileRecord) {
    if let Some(leftover) = &file.leftover {
        queue::remove_object(shared, leftover.clone());
    }
}

fn restored(
    file: &FileRecord,
    record: &GenerationRecord,
    layers: Vec<Arc<Layer>>,
    older: &[GenerationRecord],
) -> Restored {
    let mut earlier = record.earlier.clone();
    earlier.extend(older.iter().flat_map(|older| older.earlier.iter().chain([&older.write_id]).cloned()));
    let error = (record.word == Word::Failed).then(|| {
        let message =
            record.error.clone().unwrap_or_else(|| "an earlier mount could not store it".to_owned());
        Error::new(ErrorKind::Store, message)
    });
    let sealed = Sealed {
        generation: record.generation,
        write_id: record.write_id.clone(),
        earlier,
        layers: layers.len(),
        size: record.size,
        object: record.object.clone(),
        session: None,
        since: record.since,
    };
    Restored { file: file.clone(), layers, sealed, error }
}

/// The frozen layers of a generation, if every one is as it was sealed.
fn layers(shared: &Shared, record: &GenerationRecord) -> Option<Vec<Arc<Layer>>> {
    let layer = |layer: &LayerRecord| {
        let file = open_data(shared, layer.id).ok()?;
        let LayerRecord { id, extents, checksum } = layer.clone();
        let layer = Layer { id, file, extents, checksum };
        layer.is_as_sealed(&shared.pool).then(|| Arc::new(layer))
    };
    record.layers.iter().map(layer).collect()
}

fn abort_recorded(shared: &Arc<Shared>, record: &GenerationRecord) {
    if let Some(Upload { key, id }) = record.upload.clone() {
        shared.abort(Arc::new(Session::new(key, id, record.object.clone())));
    }
}

/// Asks the store until it answers, then does what the table says.
fn decide_in_background(shared: &Arc<Shared>, file: &Arc<StagedFile>, record: GenerationRecord) {
    let (shared, file) = (shared.clone(), file.clone());
    shared.tasks.clone().spawn("decide on what a crash left", async move {
        let mut pause = ASK_AGAIN_FIRST;
        while !decided(&shared, &file, &record).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ASK_AGAIN_MOST);
        }
    });
}

async fn decided(shared: &Arc<Shared>, file: &Arc<StagedFile>, record: &GenerationRecord) -> bool {
    let Some(job) = file.look_at_waiting(record.generation) else { return true };
    let found = commit::head(shared, &job.key).await;
    let (remote, headers) = match found {
        Ok(headers) => {
            let found = commit::compare(&job, headers.as_ref());
            let rebased = found != Found::Earlier || rebase(file, &job, headers.as_ref());
            (if rebased { remote(found, headers.as_ref()) } else { Remote::Unknown }, headers)
        }
        Err(_) => (Remote::Unknown, None),
    };
    let (session, alive) = match resumable(shared, record, remote).await {
        Ok(Some(session)) => (Some(session), Alive::Alive),
        Ok(None) => (None, Alive::Gone),
        Err(_) => return false,
    };
    match decide(record.word, Data::AsSealed, remote, alive) {
        Decision::Wait => return false,
        Decision::Keep => {}
        Decision::Finish => finish(shared, file, &headers.unwrap_or_default()).await,
        Decision::CompleteAgain | Decision::Resume => file.resume(session),
        // Of a lost race the worker makes what `--on-conflict` says: the commit is refused.
        Decision::Enqueue | Decision::Conflict => {
            session.into_iter().for_each(|session| shared.abort(session));
            file.resume(None);
        }
        other => tracing::error!("the recovery table says {other:?} of a sealed generation"),
    }
    true
}

fn rebase(file: &StagedFile, job: &Job, headers: Option<&ObjectHeaders>) -> bool {
    headers.is_none_or(|headers| file.rebase(commit::object_ref(job, headers)).is_ok())
}

/// The upload that the journal names, where the decision can depend on it.
async fn resumable(
    shared: &Shared,
    record: &GenerationRecord,
    remote: Remote,
) -> s3::Result<Option<Arc<Session>>> {
    let matters = matches!(record.word, Word::Started | Word::Completing) && remote != Remote::Unknown;
    let Some(recorded) = record.upload.as_ref().filter(|_| matters) else { return Ok(None) };
    let parts: &[PartRecord] = &record.parts;
    upload::resume_session(shared, recorded, &record.object, parts).await
}

async fn finish(shared: &Shared, file: &Arc<StagedFile>, headers: &ObjectHeaders) {
    let Some(job) = file.take() else { return };
    let stored = commit::object_ref(&job, headers);
    if file.may_commit(&job)
        && let Some(effects) = file.landed(&job, &stored).await
    {
        shared.commits.committed(file, &stored, job.sealed.generation);
        file.follow(&effects);
    }
}

fn remote(found: Found, headers: Option<&ObjectHeaders>) -> Remote {
    match (found, headers) {
        (Found::Ours, _) => Remote::Ours,
        (Found::AsBegun, None) => Remote::AbsentAsBegun,
        (Found::AsBegun | Found::Earlier, _) => Remote::AsBegun,
        (Found::Other, None) => Remote::Absent,
        (Found::Other, Some(_)) => Remote::Other,
    }
}

/// Sealed bytes are not what they were. If the store has them all the same, nothing is lost.
fn decide_loss(shared: &Arc<Shared>, file: &FileRecord, record: GenerationRecord, alone: bool) -> Result<()> {
    let reason = "the staged data is not what was sealed: bytes are missing or damaged";
    let before = shared.quarantine.lock().len();
    set_apart(shared, file, record.generation, alone, Some(&record), reason)?;
    let Some(apart) = shared.quarantine.lock().get(before).map(|entry| entry.file) else { return Ok(()) };
    let (shared, key) = (shared.clone(), file.key.clone());
    shared.tasks.clone().spawn("look for lost bytes at the store", async move {
        let found = ask(&shared, &key).await;
        let ours =
            found.is_some_and(|headers| headers.metadata.get(upload::WRITE_ID) == Some(&record.write_id.0));
        let remote = if ours { Remote::Ours } else { Remote::Other };
        if decide(record.word, Data::Differs, remote, Alive::Gone) == Decision::Finish {
            tracing::info!(key = %key.escape_debug(), "the store has the bytes after all");
            forget_quarantined(&shared, apart, &record.layers);
        }
    });
    Ok(())
}

/// HEAD until the store gives a definite answer.
async fn ask(shared: &Shared, key: &str) -> Option<ObjectHeaders> {
    let mut pause = ASK_AGAIN_FIRST;
    loop {
        if let Ok(found) = commit::head(shared, key).await {
            return found;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ASK_AGAIN_MOST);
    }
}

/// Unlinked while a commit was under way: what that commit left is removed.
fn decide_removal(shared: &Arc<Shared>, file: FileRecord, record: GenerationRecord) {
    let shared = shared.clone();
    shared.tasks.clone().spawn("finish a removal", async move {
        abort_recorded(&shared, &record);
        loop {
            let headers = ask(&shared, &file.key).await;
            let remote = remote_of_removal(&file, &record, headers.as_ref());
            match decide(record.word, Data::AsSealed, remote, Alive::Gone) {
                Decision::FinishRemoval => {
                    let (bucket, key) = (shared.bucket.clone(), file.key.clone());
                    if shared.client.send(&DeleteObject { bucket, key, ..DeleteObject::default() }).await.is_err() {
                        tokio::time::sleep(ASK_AGAIN_FIRST).await;
                        continue;
                    }
                }
                Decision::LeaveObject => {
                    tracing::warn!(key = %file.key.escape_debug(), "removed here, but somebody else wrote it since: it stays");
                }
                _ => {}
            }
            record.layers.iter().for_each(|layer| shared.remove_data(layer.id));
            return shared.journal.forget(file.id);
        }
    });
}

fn remote_of_removal(
    file: &FileRecord,
    record: &GenerationRecord,
    headers: Option<&ObjectHeaders>,
) -> Remote {
    let Some(headers) = headers else { return Remote::Absent };
    let ids = [&record.write_id].into_iter().chain(&record.earlier);
    let ours = ids.map(|id| Some(&id.0)).any(|id| headers.metadata.get(upload::WRITE_ID) == id);
    let as_begun = file.base.as_ref().is_some_and(|base| headers.etag.as_ref() == Some(&base.etag));
    match (ours, as_begun) {
        (true, _) => Remote::Ours,
        (_, true) => Remote::AsBegun,
        _ => Remote::Other,
    }
}

fn forget_quarantined(shared: &Shared, file: FileId, layers: &[LayerRecord]) {
    layers.iter().for_each(|layer| shared.remove_data(layer.id));
    shared.journal.forget(file);
    shared.quarantine.lock().retain(|entry| entry.file != file);
}

/// Its record, if it is in quarantine.
fn quarantined(shared: &Shared, file: FileId) -> Result<Vec<super::journal::Found>> {
    let known = shared.quarantine.lock().iter().any(|entry| entry.file == file);
    let found = shared.journal.load()?.into_iter().find(|(record, _)| known && record.id == file);
    let (_, generations) =
        found.ok_or_else(|| Error::new(ErrorKind::Invalid, format!("the journal has no file {}", file.0)))?;
    Ok(generations)
}

/// `holdfs journal discard`.
pub fn discard_quarantined(shared: &Arc<Shared>, file: FileId) -> Result<()> {
    let generations = quarantined(shared, file)?;
    for record in generations.iter().flatten() {
        abort_recorded(shared, record);
    }
    let layers: Vec<_> = generations.into_iter().flatten().flat_map(|record| record.layers).collect();
    forget_quarantined(shared, file, &layers);
    Ok(())
}

/// What is left of the bytes of a quarantined file: of an unsealed layer, whatever its data file holds.
pub fn quarantined_pieces(shared: &Shared, file: FileId) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for layer in quarantined(shared, file)?.into_iter().flatten().flat_map(|record| record.layers) {
        let Ok(file) = open_data(shared, layer.id) else { continue };
        let data = if layer.extents.is_empty() { data_ranges(&*file) } else { layer.extents.data };
        pieces.extend(data.iter().map(|range| Piece::Local(Extent { file: file.clone(), range })));
    }
    Ok(pieces)
}

fn data_ranges(file: &dyn File) -> RangeSet {
    let mut data = RangeSet::default();
    let mut at = 0;
    while let Ok(Some(range)) = file.seek_data(at) {
        data.insert(range);
        at = range.end;
    }
    data
}

/// Bytes that are copied at once.
const EXPORT_STEP: u64 = 8 << 20;

/// Writes `pieces` to a new file, and says which ranges there were.
pub async fn export(shared: &Shared, pieces: Vec<Piece>, target: &Path) -> Result<Vec<ByteRange>> {
    let opened = shared.disk.open(target, OpenMode::CreateNew);
    let target = opened.map_err(|error| Error::disk(&format!("make {}", target.display()), &error))?;
    let mut had = RangeSet::default();
    for piece in pieces {
        let range = piece.range();
        let mut at = range.start;
        while at < range.end {
            let step = ByteRange::sized(at, EXPORT_STEP.min(range.end - at));
            if let Some(piece) = piece.clip(step)
                && export_piece(shared, &piece, &*target).await?
            {
                had.insert(step);
            }
            at = step.end;
        }
    }
    target.sync_all().map_err(|error| Error::disk("export", &error))?;
    Ok(had.iter().collect())
}

/// `false`: the store has those bytes no more.
async fn export_piece(shared: &Shared, piece: &Piece, target: &dyn File) -> Result<bool> {
    let bytes = match piece {
        Piece::Local(extent) => extent.read()?,
        Piece::Base(object, range) => match shared.base.read(object, *range).await {
            Ok(bytes) => bytes,
            Err(_) => return Ok(false),
        },
        Piece::Zero(range) => {
            let long_enough = target.len().is_ok_and(|length| length >= range.end);
            let grown = if long_enough { Ok(()) } else { target.set_len(range.end) };
            return grown.map(|()| true).map_err(|error| Error::disk("export", &error));
        }
    };
    target.write_at(&bytes, piece.range().start).map(|()| true).map_err(|error| Error::disk("export", &error))
}
