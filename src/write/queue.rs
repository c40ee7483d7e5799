//! Who stores files and when: bounded workers, one writer per key, back-off.
//!
//! A file is offered when a generation is sealed, and again when an attempt failed in a way that can pass. Offering
//! twice is harmless: whoever comes second finds nothing waiting. Seals that come while a generation is in flight
//! gather into one that follows it, which is all the debouncing that `remote` durability has a use for: somebody
//! waits for every seal.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::commit::{self, Outcome};
use super::conflict::conflict_key;
use super::engine::{OnConflict, Shared};
use super::lifecycle::Event;
use super::staged::{Job, StagedFile};
use super::upload;
use super::{Error, ErrorKind};
use crate::base::timestamp;
use crate::s3::ops::DeleteObject;
use crate::s3::{self, ObjectRef};

/// Files in the hands of workers. Most of the time of a small one is a round trip.
pub const WORKERS: usize = 64;
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MOST: Duration = Duration::from_secs(60);
/// Names that are tried for one conflict copy.
const CONFLICT_NAMES: u32 = 8;

/// Keys that somebody writes to.
#[derive(Default)]
pub struct Keys {
    taken: Mutex<HashSet<Arc<str>>>,
    freed: Notify,
}

/// Nobody else of this mount writes to the key while this lives.
pub struct Claim<'a> {
    keys: &'a Keys,
    key: Arc<str>,
}

impl Keys {
    pub async fn claim(&self, key: &Arc<str>) -> Claim<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.taken.lock().insert(key.clone()) {
                return Claim { keys: self, key: key.clone() };
            }
            freed.await;
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.keys.taken.lock().remove(&self.key);
        self.keys.freed.notify_waiters();
    }
}

pub fn enqueue(file: &Arc<StagedFile>) {
    let file = file.clone();
    let shared = file.shared().clone();
    shared.tasks.clone().spawn("store a file", async move { work(&shared, &file).await });
}

pub fn enqueue_later(file: &Arc<StagedFile>) {
    let pause = back_off(file.attempts());
    let file = file.clone();
    let shared = file.shared().clone();
    shared.tasks.clone().spawn("store a file again", async move {
        tokio::time::sleep(pause).await;
        work(&shared, &file).await;
    });
}

/// Full jitter, so that many files do not come back together.
fn back_off(attempts: u32) -> Duration {
    let most = BACK_OFF_FIRST.saturating_mul(1 << attempts.min(10)).min(BACK_OFF_MOST);
    most.mul_f64(fastrand::f64())
}

async fn work(shared: &Arc<Shared>, file: &Arc<StagedFile>) {
    let Ok(_worker) = shared.workers.acquire().await else { return };
    let claim = shared.keys.claim(&file.key()).await;
    let Some(mut job) = file.take() else { return };
    if job.key != claim.key {
        // Renamed just now: it comes back under its new key.
        return file.cancelled();
    }
    let outcome = attempt(file, &job).await;
    settle(shared, file, &mut job, outcome).await;
}

/// What publishes nothing is dropped when the file moves on; what publishes is waited for.
async fn attempt(file: &Arc<StagedFile>, job: &Job) -> Outcome {
    tokio::select! {
        biased;
        outcome = upload::attempt(file, job) => outcome,
        () = file.moved_on(job) => Outcome::MovedOn,
    }
}

async fn settle(shared: &Arc<Shared>, file: &Arc<StagedFile>, job: &mut Job, outcome: Outcome) {
    match outcome {
        Outcome::Stored(stored) => publish(shared, file, job, &stored).await,
        Outcome::MovedOn => file.cancelled(),
        Outcome::Postponed(error) => postpone(file, job, error).await,
        Outcome::Refused(error) => file.not_stored(job, Event::Refused, error).await,
        Outcome::BaseGone(error) => file.not_stored(job, Event::Refused, error).await,
        Outcome::Lost(error) => lose(shared, file, job, error).await,
    }
}

/// The store has it: under its name, or beside the winner of a race.
async fn publish(shared: &Arc<Shared>, file: &Arc<StagedFile>, job: &Job, stored: &ObjectRef) {
    let Some(effects) = file.landed(job, stored).await else { return };
    // Whoever waits finds everything in its place.
    match file.take_gave_way() {
        None => shared.commits.committed(file, stored, job.sealed.generation),
        Some((lost_key, error)) => {
            file.note(Error::conflict(&format!("{error}; these bytes became {:?}", stored.key)));
            shared.commits.conflict(file, &lost_key, stored);
        }
    }
    file.follow(&effects);
}

async fn postpone(file: &Arc<StagedFile>, job: &Job, error: Error) {
    tracing::info!(key = %job.key.escape_debug(), "not stored yet, tried again later: {error}");
    file.not_stored(job, Event::Postponed, error).await;
}

/// Another writer won.
async fn lose(shared: &Arc<Shared>, file: &Arc<StagedFile>, job: &mut Job, error: Error) {
    if file.is_exclusive() {
        let message = format!("{error}, and it was to be created exclusively");
        return file.not_stored(job, Event::Refused, Error::new(ErrorKind::Exists, message)).await;
    }
    match shared.on_conflict {
        OnConflict::Fail => file.not_stored(job, Event::Refused, error).await,
        OnConflict::Copy => keep_both(shared, file, job, error).await,
    }
}

/// The loser's bytes become an object beside the winner.
async fn keep_both(shared: &Arc<Shared>, file: &Arc<StagedFile>, job: &mut Job, error: Error) {
    let lost_key = job.key.clone();
    let time = timestamp::compact(shared.clock.wall());
    for attempt_number in 0..CONFLICT_NAMES {
        let key = conflict_key(&lost_key, &shared.host, &time, attempt_number, &shared.limits);
        if let Err(error) = file.give_way(job, &key, &error) {
            return postpone(file, job, error).await;
        }
        match attempt(file, job).await {
            Outcome::Stored(stored) => return publish(shared, file, job, &stored).await,
            Outcome::Lost(_) => {}
            // A later attempt goes on under the new name.
            Outcome::Postponed(error) => return postpone(file, job, error).await,
            Outcome::MovedOn => return file.cancelled(),
            Outcome::Refused(error) | Outcome::BaseGone(error) => {
                return file.not_stored(job, Event::Refused, error).await;
            }
        }
    }
    file.not_stored(job, Event::Refused, error).await;
}

/// Removes an object of ours from a key that the file has left, unless somebody else's is there by now.
pub fn remove_object(shared: &Arc<Shared>, object: ObjectRef) {
    let shared = shared.clone();
    shared.tasks.clone().spawn("remove a renamed object", async move {
        let mut attempts = 0;
        while let Err(error) = try_remove(&shared, &object).await {
            tracing::warn!(key = %object.key.escape_debug(), "the former object of a renamed file stays for now: {error}");
            tokio::time::sleep(back_off(attempts)).await;
            attempts += 1;
        }
    });
}

async fn try_remove(shared: &Shared, object: &ObjectRef) -> s3::Result<()> {
    let _claim = shared.keys.claim(&object.key).await;
    let present = commit::head(shared, &object.key).await?;
    if present.and_then(|headers| headers.etag).as_ref() != Some(&object.etag) {
        return Ok(());
    }
    let delete = DeleteObject {
        bucket: shared.bucket.clone(),
        key: object.key.to_string(),
        ..DeleteObject::default()
    };
    shared.client.send(&delete).await.map(drop)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn back_off_grows_and_is_bounded() {
        for attempts in [0, 3, 10, 1000] {
            assert!(back_off(attempts) <= BACK_OFF_MOST);
        }
        assert!(back_off(0) <= BACK_OFF_FIRST);
    }

    #[tokio::test]
    async fn a_key_has_one_writer_at_a_time() {
        let keys = Keys::default();
        let key: Arc<str> = "k".into();
        let first = keys.claim(&key).await;
        let second = keys.claim(&key);
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        drop(keys.claim(&"other".into()).await);
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        second.await;
    }
}
