//! What the server knows, without HTTP: buckets, versions, uploads, conditions and locks as plain data.
//!
//! All of it is in memory under one lock, held for a decision and never for bytes: those are in blobs before a
//! version names them. A change is noted for the journal under the same lock, so that the order on disk is the
//! order in memory, and is answered only when the journal has it.

pub mod bucket;
pub mod change;
pub mod checksum;
pub mod condition;
pub mod documents;
mod journal;
pub mod lifecycle;
pub mod listing;
pub mod lock;
pub mod multipart;
pub mod protection;
pub mod refusal;
pub mod version;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::RwLock;

use self::bucket::{Bucket, Settings, Versioning};
use self::change::{Change, Changes, Scope, Stamp};
use self::condition::WriteConditions;
use self::documents::Documents;
use self::journal::{Journal, Loaded};
use self::multipart::{Expected, ListedPart, Part, Start, Upload};
use self::refusal::Refusal;
use self::version::Version;
use super::blob::Blobs;
use super::options::Limits;
use crate::base::clock::Clock;
use crate::base::tasks::Tasks;

pub use self::journal::Error as JournalError;

pub struct Store {
    state: RwLock<State>,
    journal: Journal,
    pub blobs: Blobs,
    pub limits: Limits,
    clock: Clock,
    /// The claim on the data directory, as long as the server runs.
    _claim: Option<File>,
}

impl Drop for Store {
    fn drop(&mut self) {
        // What is in memory goes, what is on disk stays.
        self.blobs.close();
    }
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    serial: u64,
}

impl State {
    fn stamp(&mut self, now: SystemTime) -> Stamp {
        self.serial += 1;
        Stamp { serial: self.serial, now }
    }
}

impl Store {
    pub fn in_memory(limits: Limits, clock: Clock) -> Self {
        let journal = Journal::Nowhere;
        Self { state: RwLock::default(), journal, blobs: Blobs::Memory, limits, clock, _claim: None }
    }

    /// Takes up what an earlier run has left in the directory.
    pub fn in_directory(
        path: &Path,
        limits: Limits,
        clock: Clock,
        tasks: Tasks,
    ) -> Result<Self, JournalError> {
        std::fs::create_dir_all(path)?;
        let claim = claim(path)?;
        let blobs = Blobs::directory(path, tasks)?;
        let Loaded { journal, buckets, serial } = Journal::load(path, &blobs)?;
        blobs.sweep()?;
        let state = RwLock::new(State { buckets, serial });
        Ok(Self { state, journal, blobs, limits, clock, _claim: Some(claim) })
    }

    /// Of the latest change.
    pub fn serial(&self) -> u64 {
        self.state.read().serial
    }

    pub fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// Looks at a bucket.
    pub fn read<T>(
        &self,
        name: &str,
        look: impl FnOnce(&Bucket) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let state = self.state.read();
        look(state.buckets.get(name).ok_or_else(Refusal::no_such_bucket)?)
    }

    /// Changes a bucket; what `change` has done is safe when this returns, also when it was refused half way.
    pub async fn write<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Bucket, &mut Scope<'_>, Stamp) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.change(|state, changes, stamp| {
            let bucket = state.buckets.get_mut(name).ok_or_else(Refusal::no_such_bucket)?;
            change(bucket, &mut Scope { name, changes }, stamp)
        })
        .await
    }

    async fn change<T>(
        &self,
        change: impl FnOnce(&mut State, &mut Changes, Stamp) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let now = self.now();
        let (done, receipt) = {
            let mut state = self.state.write();
            let (stamp, mut changes) = (state.stamp(now), Changes::default());
            let done = change(&mut state, &mut changes, stamp);
            (done, self.journal.submit(changes))
        };
        receipt.wait().await?;
        done
    }

    pub fn buckets(&self) -> Vec<(String, SystemTime)> {
        let state = self.state.read();
        state.buckets.iter().map(|(name, bucket)| (name.clone(), bucket.settings.created)).collect()
    }

    pub async fn create_bucket(&self, name: &str, lock: bool, documents: Documents) -> Result<(), Refusal> {
        self.change(|state, changes, stamp| {
            if state.buckets.contains_key(name) {
                let message =
                    "Your previous request to create the named bucket succeeded and you already own it.";
                return Err(Refusal::new(409, "BucketAlreadyOwnedByYou", message));
            }
            let settings = Settings {
                created: stamp.now,
                versioning: if lock { Versioning::Enabled } else { Versioning::Off },
                lock: lock.then(Default::default),
                documents,
                protection: None,
            };
            changes.0.push(Change::PutBucket { name: name.to_owned(), settings: settings.clone() });
            state.buckets.insert(name.to_owned(), Bucket::new(settings));
            Ok(())
        })
        .await
    }

    pub async fn delete_bucket(&self, name: &str) -> Result<(), Refusal> {
        self.change(|state, changes, _| {
            let bucket = state.buckets.get(name).ok_or_else(Refusal::no_such_bucket)?;
            if !bucket.is_empty() {
                let message = "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
                return Err(Refusal::new(409, "BucketNotEmpty", message));
            }
            let removed = state.buckets.remove(name);
            let uploads = removed.into_iter().flat_map(|bucket| bucket.uploads.into_values().flatten());
            changes.0.extend(uploads.map(|(_, upload)| Change::RemoveUpload { upload }));
            changes.0.push(Change::RemoveBucket { name: name.to_owned() });
            Ok(())
        })
        .await
    }

    /// Removes a bucket with all that it holds, unless something in it is protected.
    pub async fn destroy_bucket(&self, name: &str) -> Result<(), Refusal> {
        self.change(|state, changes, stamp| {
            let bucket = state.buckets.get_mut(name).ok_or_else(Refusal::no_such_bucket)?;
            bucket.clear(&mut Scope { name, changes }, "", stamp.now)?;
            let uploads = std::mem::take(&mut bucket.uploads).into_values().flatten();
            changes.0.extend(uploads.map(|(_, upload)| Change::RemoveUpload { upload }));
            state.buckets.remove(name);
            changes.0.push(Change::RemoveBucket { name: name.to_owned() });
            Ok(())
        })
        .await
    }

    /// Changes what a bucket is.
    pub async fn set(
        &self,
        name: &str,
        set: impl FnOnce(&mut Bucket) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.write(name, |bucket, scope, _| {
            set(bucket)?;
            let (name, settings) = (scope.name.to_owned(), bucket.settings.clone());
            scope.note(Change::PutBucket { name, settings });
            Ok(())
        })
        .await
    }

    pub fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<Arc<Start>, Refusal> {
        self.read(bucket, |bucket| find_upload(bucket, key, id).map(|upload| upload.start.clone()))
    }

    pub fn parts(&self, bucket: &str, key: &str, id: &str) -> Result<(Arc<Start>, Vec<Arc<Part>>), Refusal> {
        self.read(bucket, |bucket| {
            let upload = find_upload(bucket, key, id)?;
            Ok((upload.start.clone(), upload.parts.values().cloned().collect()))
        })
    }

    pub async fn start_upload(
        &self,
        bucket: &str,
        make: impl FnOnce(&Bucket, Stamp) -> Result<Start, Refusal>,
    ) -> Result<Arc<Start>, Refusal> {
        self.write(bucket, |bucket, scope, stamp| {
            let start = Arc::new(make(bucket, stamp)?);
            let uploads = bucket.uploads.entry(start.key.clone()).or_default();
            uploads.insert(start.id.clone(), Upload::new(start.clone()));
            scope.note(Change::PutUpload { bucket: scope.name.to_owned(), upload: start.clone() });
            Ok(start)
        })
        .await
    }

    /// A part of the same number is replaced.
    pub async fn put_part(&self, bucket: &str, start: &Start, part: Arc<Part>) -> Result<(), Refusal> {
        self.write(bucket, |bucket, scope, _| {
            let upload = bucket.uploads.get_mut(&start.key).and_then(|uploads| uploads.get_mut(&start.id));
            let upload = upload.ok_or_else(Refusal::no_such_upload)?;
            let _replaced = upload.parts.insert(part.number, part.clone());
            scope.note(Change::PutPart { upload: start.serial, part, _replaced });
            Ok(())
        })
        .await
    }

    pub async fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> Result<(), Refusal> {
        self.write(bucket, |bucket, scope, _| {
            let upload = take_upload(bucket, key, id)?;
            scope.note(Change::RemoveUpload { upload });
            Ok(())
        })
        .await
    }

    pub async fn complete_upload(
        &self,
        bucket: &str,
        (key, id): (&str, &str),
        listed: &[ListedPart],
        expected: &Expected,
        conditions: &WriteConditions,
    ) -> Result<Arc<Version>, Refusal> {
        self.write(bucket, |bucket, scope, stamp| {
            let object = find_upload(bucket, key, id)?.assemble(listed, expected, &self.limits)?;
            bucket.check(key, conditions)?;
            let version = bucket.put(scope, key, object, stamp)?;
            let upload = take_upload(bucket, key, id)?;
            scope.note(Change::RemoveUpload { upload });
            Ok(version)
        })
        .await
    }
}

/// Two servers on one directory would overwrite each other.
fn claim(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another server is using it"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

fn find_upload<'b>(bucket: &'b Bucket, key: &str, id: &str) -> Result<&'b Upload, Refusal> {
    bucket.uploads.get(key).and_then(|uploads| uploads.get(id)).ok_or_else(Refusal::no_such_upload)
}

fn take_upload(bucket: &mut Bucket, key: &str, id: &str) -> Result<Upload, Refusal> {
    let uploads = bucket.uploads.get_mut(key).ok_or_else(Refusal::no_such_upload)?;
    let upload = uploads.remove(id).ok_or_else(Refusal::no_such_upload)?;
    if uploads.is_empty() {
        bucket.uploads.remove(key);
    }
    Ok(upload)
}
