//! Archived objects: they cannot be read until they are restored, for some days, after
//! [`Options::restore`](crate::embedded::Options) has passed (no time by default).
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html>

use std::time::SystemTime;

use http::StatusCode;
use s3s::dto::{RestoreObjectInput, RestoreObjectOutput, RestoreStatus, StorageClass};
use s3s::{S3Request, S3Response, S3Result};

use super::instead::Status;
use super::wire::version_id;
use super::{Api, timestamp};
use crate::base::timestamp::http_date;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Object, Restored};

/// Where a restored copy stands.
enum Stage {
    None,
    Ongoing,
    Readable(SystemTime),
}

impl Stage {
    fn of(object: &Object, now: SystemTime) -> Self {
        match object.restored {
            Some(restored) if now < restored.from => Self::Ongoing,
            Some(restored) if now < restored.until => Self::Readable(restored.until),
            _ => Self::None,
        }
    }
}

fn is_archived(object: &Object) -> bool {
    matches!(object.about.storage_class.as_deref(), Some(StorageClass::GLACIER | StorageClass::DEEP_ARCHIVE))
}

fn wrong_state(message: &'static str) -> Refusal {
    Refusal::new(403, "InvalidObjectState", message)
}

/// Whether the bytes can be had.
pub fn check_readable(object: &Object, now: SystemTime) -> Result<(), Refusal> {
    match Stage::of(object, now) {
        Stage::None | Stage::Ongoing if is_archived(object) => {
            Err(wrong_state("The operation is not valid for the object's storage class"))
        }
        _ => Ok(()),
    }
}

/// `x-amz-restore`.
pub fn restore_header(object: &Object, now: SystemTime) -> Option<String> {
    match Stage::of(object, now) {
        Stage::None => None,
        Stage::Ongoing => Some("ongoing-request=\"true\"".to_owned()),
        Stage::Readable(until) => {
            Some(format!("ongoing-request=\"false\", expiry-date=\"{}\"", http_date(until)))
        }
    }
}

/// The same in a listing.
pub fn restore_status(object: &Object, now: SystemTime) -> Option<RestoreStatus> {
    let (ongoing, until) = match Stage::of(object, now) {
        Stage::None => return None,
        Stage::Ongoing => (true, None),
        Stage::Readable(until) => (false, Some(until)),
    };
    Some(RestoreStatus { is_restore_in_progress: Some(ongoing), restore_expiry_date: until.map(timestamp) })
}

impl Api {
    pub(super) async fn restore_object(
        &self,
        request: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let input = request.input;
        let asked = input.restore_request.unwrap_or_default();
        if asked.select_parameters.is_some() || asked.output_location.is_some() {
            return Err(Refusal::not_implemented("Restoring into another object is not implemented").into());
        }
        let days = asked.days.unwrap_or(1);
        let days = u32::try_from(days).ok().filter(|days| *days > 0);
        let days = days.ok_or_else(|| Refusal::argument("Days must be a positive number"))?;
        let version = version_id(input.version_id);
        let (now, times) = (self.store.now(), self.times);
        let mut status = StatusCode::ACCEPTED;
        let begun = self.store.write(&input.bucket, |bucket, scope, _| {
            bucket.edit(scope, &input.key, version.as_ref(), |object| {
                if !is_archived(object) {
                    let message = "Restore is not allowed for the object's current storage class";
                    return Err(wrong_state(message));
                }
                let from = match (Stage::of(object, now), object.restored) {
                    (Stage::Ongoing, _) => return Err(in_progress()),
                    (Stage::Readable(_), Some(restored)) => {
                        status = StatusCode::OK;
                        restored.from
                    }
                    _ => now + times.restore,
                };
                object.restored = Some(Restored { from, until: from.max(now) + times.day * days });
                Ok(())
            })
        });
        let version = begun.await?;
        self.tell("s3:ObjectRestore:Post", &input.bucket, &input.key, &version);
        // Later ones are told of by the sweep.
        if status == StatusCode::ACCEPTED && times.restore.is_zero() {
            self.tell(COMPLETED, &input.bucket, &input.key, &version);
        }
        let mut response = S3Response::new(RestoreObjectOutput::default());
        response.extensions.insert(Status(status));
        Ok(response)
    }
}

const COMPLETED: &str = "s3:ObjectRestore:Completed";

impl Api {
    /// Tells of the copies that can be read since then, and of those that cannot any more.
    pub(super) fn tell_restored(
        &self,
        name: &str,
        since: SystemTime,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        if self.events.is_idle() {
            return Ok(());
        }
        let past = |moment: SystemTime| since < moment && moment <= now;
        let told: Vec<_> = self.store.read(name, |bucket| {
            let versions =
                bucket.keys.iter().flat_map(|(key, versions)| versions.iter().map(move |it| (key, it)));
            let restored = versions.filter_map(|(key, version)| {
                let restored = version.object.as_ref()?.restored?;
                let completed = !self.times.restore.is_zero() && past(restored.from);
                (completed || past(restored.until))
                    .then(|| (key.clone(), version.clone(), completed, restored))
            });
            Ok(restored.collect())
        })?;
        for (key, version, completed, restored) in told {
            if completed {
                self.tell(COMPLETED, name, &key, &version);
            }
            if past(restored.until) {
                self.tell("s3:ObjectRestore:Delete", name, &key, &version);
            }
        }
        Ok(())
    }
}

fn in_progress() -> Refusal {
    Refusal::new(409, "RestoreAlreadyInProgress", "Object restore is already in progress")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn archived_objects_are_readable_between_two_moments() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut object = Object::for_test();
        assert!(check_readable(&object, at(5)).is_ok());
        object.about.storage_class = Some(StorageClass::GLACIER.to_owned());
        assert_eq!(check_readable(&object, at(5)).unwrap_err().code, "InvalidObjectState");
        object.restored = Some(Restored { from: at(10), until: at(20) });
        let seen: Vec<_> = [5, 10, 19, 20]
            .map(|now| (check_readable(&object, at(now)).is_ok(), restore_header(&object, at(now))))
            .into_iter()
            .collect();
        let ended = "ongoing-request=\"false\", expiry-date=\"Thu, 01 Jan 1970 00:00:20 GMT\"";
        assert_eq!(
            seen,
            [
                (false, Some("ongoing-request=\"true\"".to_owned())),
                (true, Some(ended.to_owned())),
                (true, Some(ended.to_owned())),
                (false, None)
            ]
        );
    }
}
