//! Changes to buckets, as the journal writes them down. What is removed travels there too, so that its bytes stay
//! until no record on disk names them.

use std::sync::Arc;
use std::time::SystemTime;

use super::bucket::Settings;
use super::multipart::{Part, Start, Upload};
use super::version::Version;

/// What the journal has to write down, in order.
#[derive(Default)]
pub struct Changes(pub Vec<Change>);

pub enum Change {
    PutBucket { name: String, settings: Settings },
    RemoveBucket { name: String },
    PutVersion { bucket: String, key: String, version: Arc<Version> },
    RemoveVersion { version: Arc<Version> },
    PutUpload { bucket: String, upload: Arc<Start> },
    PutPart { upload: u64, part: Arc<Part>, _replaced: Option<Arc<Part>> },
    RemoveUpload { upload: Upload },
}

/// Serial and wall time of one change.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    pub serial: u64,
    pub now: SystemTime,
}

impl Stamp {
    /// Begins with the serial, so that ids sort by age even when the version they name has gone.
    pub fn id(self) -> String {
        format!("{:012x}{:020x}", self.serial, fastrand::u128(..1 << 80))
    }

    pub(super) fn second(self) -> SystemTime {
        let since = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())
    }
}

/// Names the bucket for [`Changes`].
pub struct Scope<'a> {
    pub name: &'a str,
    pub changes: &'a mut Changes,
}

impl Scope<'_> {
    pub(super) fn put_version(&mut self, key: &str, version: &Arc<Version>) {
        let (bucket, key, version) = (self.name.to_owned(), key.to_owned(), version.clone());
        self.changes.0.push(Change::PutVersion { bucket, key, version });
    }

    pub(super) fn remove_version(&mut self, version: Arc<Version>) {
        self.changes.0.push(Change::RemoveVersion { version });
    }

    pub fn note(&mut self, change: Change) {
        self.changes.0.push(change);
    }
}
