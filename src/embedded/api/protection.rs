//! What lies on an object besides its bytes: tags, retention, legal hold; and the bucket's lock configuration.

use s3s::dto::{
    DefaultRetention as DefaultRetentionDto, DeleteObjectTaggingInput, DeleteObjectTaggingOutput,
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectLockConfigurationInput,
    GetObjectLockConfigurationOutput, GetObjectRetentionInput, GetObjectRetentionOutput,
    GetObjectTaggingInput, GetObjectTaggingOutput, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockLegalHold, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3Request, S3Response, S3Result};

use super::about::check_tags;
use super::wire::{self, bypass, version_id};
use super::xml::malformed;
use super::{Api, timestamp};
use crate::embedded::storage::bucket::LockRule;
use crate::embedded::storage::lock::{DefaultRetention, Period, Retention};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Object, Tags};

impl Api {
    /// Looks at an object; the id comes back where replies name versions.
    pub(super) fn look<T>(
        &self,
        bucket: &str,
        key: &str,
        version: Option<String>,
        look: impl FnOnce(&Object) -> Result<T, Refusal>,
    ) -> Result<(T, Option<String>), Refusal> {
        let version = version_id(version);
        self.store.read(bucket, |bucket| {
            let found = bucket.find(key, version.as_ref())?;
            let object = found.object.as_ref().ok_or_else(Refusal::no_such_key)?;
            let versioned = bucket.is_versioned();
            Ok((look(object)?, wire::shown_version(&found.id, versioned)))
        })
    }

    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<String>,
        tags: Tags,
        event: &'static str,
    ) -> Result<Option<String>, Refusal> {
        let version = version_id(version);
        let tagged = self.store.write(bucket, |bucket, scope, _| {
            let edit = |object: &mut Object| {
                object.about.tags = tags;
                Ok(())
            };
            let version = bucket.edit(scope, key, version.as_ref(), edit)?;
            Ok((version, bucket.is_versioned()))
        });
        let (version, versioned) = tagged.await?;
        self.tell(event, bucket, key, &version);
        Ok(wire::shown_version(&version.id, versioned))
    }

    pub(super) async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = request.input;
        let tags = |object: &Object| Ok(object.about.tags.clone());
        let (tags, version_id) = self.look(&input.bucket, &input.key, input.version_id, tags)?;
        let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
        Ok(S3Response::new(GetObjectTaggingOutput {
            tag_set: tags.into_iter().map(tag).collect(),
            version_id,
        }))
    }

    pub(super) async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = request.input;
        let mut tags = Tags::new();
        for tag in input.tagging.tag_set {
            if tags.insert(tag.key.unwrap_or_default(), tag.value.unwrap_or_default()).is_some() {
                let message = "Cannot provide multiple Tags with the same key";
                return Err(Refusal::new(400, "InvalidTag", message).into());
            }
        }
        check_tags(&tags, &self.store.limits)?;
        let event = "s3:ObjectTagging:Put";
        let version_id = self.set_tags(&input.bucket, &input.key, input.version_id, tags, event).await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
    }

    pub(super) async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let input = request.input;
        let (tags, event) = (Tags::new(), "s3:ObjectTagging:Delete");
        let version_id = self.set_tags(&input.bucket, &input.key, input.version_id, tags, event).await?;
        let output = DeleteObjectTaggingOutput { version_id };
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn get_object_legal_hold(
        &self,
        request: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        let input = request.input;
        self.store.read(&input.bucket, |bucket| bucket.needs_lock())?;
        let hold = |object: &Object| Ok(object.lock.legal_hold);
        let (on, _) = self.look(&input.bucket, &input.key, input.version_id, hold)?;
        let legal_hold = Some(ObjectLockLegalHold { status: Some(wire::hold_status(on)) });
        Ok(S3Response::new(GetObjectLegalHoldOutput { legal_hold }))
    }

    pub(super) async fn put_object_legal_hold(
        &self,
        request: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        let input = request.input;
        let status = input.legal_hold.and_then(|hold| hold.status);
        let on = wire::legal_hold(&status.ok_or_else(|| malformed("a legal hold needs a Status"))?)?;
        let version = version_id(input.version_id);
        let held = self.store.write(&input.bucket, |bucket, scope, _| {
            bucket.needs_lock()?;
            bucket.edit(scope, &input.key, version.as_ref(), |object| {
                object.lock.legal_hold = on;
                Ok(())
            })
        });
        self.tell("s3:ObjectCreated:PutLegalHold", &input.bucket, &input.key, &*held.await?);
        Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
    }

    pub(super) async fn get_object_retention(
        &self,
        request: S3Request<GetObjectRetentionInput>,
    ) -> S3Result<S3Response<GetObjectRetentionOutput>> {
        let input = request.input;
        self.store.read(&input.bucket, |bucket| bucket.needs_lock())?;
        let retention = |object: &Object| {
            let message = "The specified object does not have a ObjectLock configuration";
            object.lock.retention.ok_or_else(|| Refusal::new(404, "NoSuchObjectLockConfiguration", message))
        };
        let (retention, _) = self.look(&input.bucket, &input.key, input.version_id, retention)?;
        let retention = ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(wire::mode_name(retention.mode))),
            retain_until_date: Some(timestamp(retention.until)),
        };
        Ok(S3Response::new(GetObjectRetentionOutput { retention: Some(retention) }))
    }

    pub(super) async fn put_object_retention(
        &self,
        request: S3Request<PutObjectRetentionInput>,
    ) -> S3Result<S3Response<PutObjectRetentionOutput>> {
        let input = request.input;
        let asked = input.retention.ok_or_else(|| malformed("the document is missing"))?;
        let retention = match (asked.mode, asked.retain_until_date) {
            (None, None) => None,
            (Some(mode), Some(until)) => {
                Some(Retention { mode: wire::retention_mode(&mode)?, until: wire::system_time(&until) })
            }
            _ => return Err(malformed("a retention needs both Mode and RetainUntilDate, or neither").into()),
        };
        let (version, bypass) = (version_id(input.version_id), bypass(input.bypass_governance_retention));
        let retained = self.store.write(&input.bucket, |bucket, scope, stamp| {
            bucket.retain(scope, &input.key, version.as_ref(), retention, bypass, stamp.now)
        });
        self.tell("s3:ObjectCreated:PutRetention", &input.bucket, &input.key, &*retained.await?);
        Ok(S3Response::new(PutObjectRetentionOutput::default()))
    }

    pub(super) async fn get_object_lock_configuration(
        &self,
        request: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        let rule = self.store.read(&request.input.bucket, |bucket| {
            let message = "Object Lock configuration does not exist for this bucket";
            let missing = || Refusal::new(404, "ObjectLockConfigurationNotFoundError", message);
            bucket.settings.lock.ok_or_else(missing)
        })?;
        let configuration = ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule: rule
                .default
                .map(|default| ObjectLockRule { default_retention: Some(default_dto(default)) }),
        };
        Ok(S3Response::new(GetObjectLockConfigurationOutput {
            object_lock_configuration: Some(configuration),
        }))
    }

    pub(super) async fn put_object_lock_configuration(
        &self,
        request: S3Request<PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
        let input = request.input;
        let missing = || malformed("the document is missing");
        let configuration = input.object_lock_configuration.ok_or_else(missing)?;
        let enabled = configuration.object_lock_enabled.as_ref().map(ObjectLockEnabled::as_str);
        if enabled != Some(ObjectLockEnabled::ENABLED) {
            return Err(malformed("ObjectLockEnabled must be Enabled").into());
        }
        let default = configuration.rule.and_then(|rule| rule.default_retention);
        let rule = LockRule { default: default.map(default_of).transpose()? };
        self.store.set(&input.bucket, |bucket| bucket.set_lock_rule(rule)).await?;
        Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
    }
}

fn default_dto(default: DefaultRetention) -> DefaultRetentionDto {
    let (days, years) = match default.period {
        Period::Days(days) => (i32::try_from(days).ok(), None),
        Period::Years(years) => (None, i32::try_from(years).ok()),
    };
    let mode = Some(ObjectLockRetentionMode::from_static(wire::mode_name(default.mode)));
    DefaultRetentionDto { days, mode, years }
}

/// Days up to a century, or years; never both.
fn default_of(asked: DefaultRetentionDto) -> Result<DefaultRetention, Refusal> {
    let positive =
        |number: i32, most: u32| u32::try_from(number).ok().filter(|number| (1..=most).contains(number));
    let period = match (asked.days, asked.years) {
        (Some(days), None) => positive(days, 36_500).map(Period::Days),
        (None, Some(years)) => positive(years, 100).map(Period::Years),
        _ => return Err(malformed("a default retention needs Days or Years")),
    };
    let period = period
        .ok_or_else(|| Refusal::argument("Default retention period must be a positive integer value."))?;
    let mode = asked.mode.ok_or_else(|| malformed("a default retention needs a Mode"))?;
    Ok(DefaultRetention { mode: wire::retention_mode(&mode)?, period })
}
