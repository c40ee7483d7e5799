//! Legal holds and retention mean what they say.
//!
//! On a bucket with object lock, a locked object can be neither changed nor removed through the mount, although a
//! versioned store would only add a version or a marker. Other buckets cost no request for this. S3 leaves lock
//! headers out for callers who may not read them: whether that is so is probed once, at the mount; objects then
//! count as locked.

use std::time::SystemTime;

use super::{Error, ErrorKind, Result, Worm};
use crate::s3::ops::{GetObjectLegalHold, GetObjectRetention, LockHeaders};
use crate::s3::settings::{GetSetting, ObjectLockConfiguration};
use crate::s3::{self, Client};
use crate::xattr::lock::reason_locked;

const UNREADABLE: &str = "the bucket has object lock and these credentials may not read its state \
                          (s3:GetObjectRetention, s3:GetObjectLegalHold), so every object counts as locked; \
                          --worm store leaves the decision to the store";

/// What the mount knows of the bucket's object lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    /// The bucket has none: nothing is ever locked.
    Absent,
    Readable,
    /// There is one, and this caller may not see what is locked.
    Unreadable,
}

impl ObjectLock {
    /// Asks the bucket; `probe_key` names an object that need not exist.
    pub async fn probe(client: &Client, bucket: &str, probe_key: &str) -> s3::Result<Self> {
        let configuration = client.send(&GetSetting::<ObjectLockConfiguration>::new(bucket)).await;
        match configuration {
            Ok(configuration) if configuration.as_ref().is_none_or(|it| !it.enabled) => {
                return Ok(Self::Absent);
            }
            Ok(_) => {}
            Err(error) => match error.kind() {
                s3::ErrorKind::Unsupported | s3::ErrorKind::NoSuchSetting | s3::ErrorKind::Invalid => {
                    return Ok(Self::Absent);
                }
                // Perhaps there is one: only what can be read of an object will tell.
                s3::ErrorKind::Denied => {}
                _ => return Err(error),
            },
        }
        Self::probe_permission(client, bucket, probe_key).await
    }

    /// Without permission the answer is 403, also for a key that does not exist.
    async fn probe_permission(client: &Client, bucket: &str, key: &str) -> s3::Result<Self> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let hold = GetObjectLegalHold { bucket: bucket.clone(), key: key.clone(), version: None };
        let retention = GetObjectRetention { bucket, key, version: None };
        let (hold, retention) = futures_util::future::join(client.send(&hold), client.send(&retention)).await;
        let errors = [hold.err(), retention.err()];
        let denied = errors.iter().flatten().any(|error| error.kind() == s3::ErrorKind::Denied);
        Ok(if denied { Self::Unreadable } else { Self::Readable })
    }
}

/// The policy of a mount.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    pub policy: Worm,
    pub object_lock: ObjectLock,
}

impl Guard {
    /// Says at the mount what nobody would guess.
    pub fn announce(&self) {
        if (self.policy, self.object_lock) == (Worm::Enforce, ObjectLock::Unreadable) {
            tracing::warn!("nothing that is stored can be changed here: {UNREADABLE}");
        }
    }

    /// Does anything have to be asked before an object is changed?
    pub fn is_watchful(&self) -> bool {
        self.policy == Worm::Enforce && self.object_lock == ObjectLock::Readable
    }

    pub fn bucket_has_lock(&self) -> bool {
        self.object_lock != ObjectLock::Absent
    }

    /// Judges what the headers said of an object; `Locked` with the reason.
    pub fn judge(&self, key: &str, lock: LockHeaders, now: SystemTime) -> Result<()> {
        match (self.policy, self.object_lock) {
            (Worm::Store, _) | (_, ObjectLock::Absent) => Ok(()),
            (Worm::Enforce, ObjectLock::Unreadable) => Err(self.unreadable(key)),
            (Worm::Enforce, ObjectLock::Readable) => match reason_locked(lock, now) {
                Some(reason) => {
                    Err(Error::new(ErrorKind::Locked, format!("{key:?} cannot be changed: {reason}")))
                }
                None => Ok(()),
            },
        }
    }

    /// Without a request: what counts as locked whatever an object's headers say.
    pub fn judge_unseen(&self, key: &str) -> Result<()> {
        match (self.policy, self.object_lock) {
            (Worm::Enforce, ObjectLock::Unreadable) => Err(self.unreadable(key)),
            _ => Ok(()),
        }
    }

    /// The store refused a change of an object of which this is known: what is locked was refused for that.
    pub fn explain(key: &str, lock: LockHeaders, now: SystemTime, refusal: Error) -> Error {
        match reason_locked(lock, now) {
            Some(reason) if refusal.kind() == ErrorKind::Denied => {
                Error::new(ErrorKind::Locked, format!("{key:?} cannot be changed: {reason} ({refusal})"))
            }
            _ => refusal,
        }
    }

    fn unreadable(&self, key: &str) -> Error {
        Error::new(ErrorKind::Locked, format!("{key:?} cannot be changed: {UNREADABLE}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::s3::ops::{Retention, RetentionMode};

    #[test]
    fn what_is_locked_depends_on_policy_bucket_and_object() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let until = |seconds| Retention {
            mode: RetentionMode::Governance,
            until: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        };
        let free = LockHeaders::default();
        let held = LockHeaders { legal_hold: Some(true), retention: None };
        let kept = LockHeaders { legal_hold: None, retention: Some(until(2000)) };
        let expired = LockHeaders { legal_hold: Some(false), retention: Some(until(999)) };
        let refused = |kind: ErrorKind, lock| Guard::explain("k", lock, now, kind.into()).kind();
        assert_eq!(refused(ErrorKind::Denied, kept), ErrorKind::Locked);
        assert_eq!(refused(ErrorKind::Denied, expired), ErrorKind::Denied);
        assert_eq!(refused(ErrorKind::Unavailable, held), ErrorKind::Unavailable);
        #[rustfmt::skip]
        let cases = [
            (Worm::Enforce, ObjectLock::Absent,     held,    true),
            (Worm::Enforce, ObjectLock::Readable,   free,    true),
            (Worm::Enforce, ObjectLock::Readable,   held,    false),
            (Worm::Enforce, ObjectLock::Readable,   kept,    false),
            (Worm::Enforce, ObjectLock::Readable,   expired, true),
            (Worm::Enforce, ObjectLock::Unreadable, free,    false),
            (Worm::Store,   ObjectLock::Readable,   held,    true),
            (Worm::Store,   ObjectLock::Unreadable, free,    true),
        ];
        for (policy, object_lock, lock, allowed) in cases {
            let verdict = Guard { policy, object_lock }.judge("k", lock, now);
            assert_eq!(verdict.is_ok(), allowed, "{policy:?} {object_lock:?} {lock:?}");
            assert!(verdict.err().is_none_or(|error| error.kind() == ErrorKind::Locked));
        }
    }
}
