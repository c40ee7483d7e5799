//! Removing objects and versions, one or many at a time.

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error,
    ObjectIdentifier,
};
use s3s::{S3Request, S3Response, S3Result};

use super::access::signed_by;
use super::object::found_unless;
use super::wire::{self, bypass, list_header, shown_version, version_id};
use super::xml::malformed;
use super::{Api, ignored};
use crate::embedded::policy::Who;
use crate::embedded::storage::bucket::Deletion;
use crate::embedded::storage::condition::{Etags, WriteConditions};
use crate::embedded::storage::lock::Bypass;
use crate::embedded::storage::refusal::Refusal;

impl Api {
    pub(super) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let conditions = found_unless(wire::write_conditions(&request.headers)?, ignored(&request));
        let input = request.input;
        let force = list_header(&request.headers, "x-minio-force-delete");
        if force.as_deref() == Some("true") {
            return self.clear(&input.bucket, &input.key).await;
        }
        let bypass = bypass(input.bypass_governance_retention);
        let deletion = self.delete(&input.bucket, &input.key, input.version_id, &conditions, bypass).await?;
        let output = DeleteObjectOutput {
            delete_marker: deletion.marker.then_some(true),
            version_id: deletion.version.as_ref().and_then(|id| shown_version(id, true)),
            ..Default::default()
        };
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    /// MinIO: all that lies below the key, with all versions.
    async fn clear(&self, bucket: &str, prefix: &str) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.store.write(bucket, |bucket, scope, stamp| bucket.clear(scope, prefix, stamp.now)).await?;
        self.tell_gone("s3:ObjectRemoved:Delete", bucket, prefix, None);
        Ok(S3Response::with_status(DeleteObjectOutput::default(), http::StatusCode::NO_CONTENT))
    }

    async fn delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<String>,
        conditions: &WriteConditions,
        bypass: Bypass,
    ) -> Result<Deletion, Refusal> {
        let version = version_id(version);
        let deletion = self
            .store
            .write(bucket, |bucket, scope, stamp| {
                if conditions.if_match.is_some() {
                    bucket.check(key, conditions)?;
                }
                bucket.delete(scope, key, version.as_ref(), bypass, stamp)
            })
            .await?;
        let laid = version.is_none() && deletion.marker;
        let event = if laid { "s3:ObjectRemoved:DeleteMarkerCreated" } else { "s3:ObjectRemoved:Delete" };
        self.tell_gone(event, bucket, key, deletion.version.as_ref());
        Ok(deletion)
    }

    /// Every key succeeds or fails by itself.
    pub(super) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let who = signed_by(&request.extensions);
        let input = request.input;
        self.store.read(&input.bucket, |_| Ok(()))?;
        let objects = input.delete.objects;
        let nameless = objects.iter().any(|object| object.key.is_empty());
        let most = self.store.limits.delete_keys_max;
        if objects.is_empty() || objects.len() > most || nameless {
            return Err(malformed(format!("a batch names 1 to {most} keys, none of them empty")).into());
        }
        let bypass = bypass(input.bypass_governance_retention);
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            match self.delete_one(who, &input.bucket, &object, bypass).await {
                Ok(deletion) => deleted.push(done(object, deletion)),
                Err(refusal) => errors.push(failed(object, refusal)),
            }
        }
        let quiet = input.delete.quiet == Some(true);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..Default::default()
        }))
    }

    async fn delete_one(
        &self,
        who: Who,
        bucket: &str,
        object: &ObjectIdentifier,
        bypass: Bypass,
    ) -> Result<Deletion, Refusal> {
        self.may(who, "DeleteObject", bucket, Some(&object.key), &Default::default())?;
        let if_match = object.e_tag.as_ref().map(|etag| Etags::List(vec![etag.value().to_owned()]));
        let conditions = WriteConditions { if_match, if_none_match: None };
        self.delete(bucket, &object.key, object.version_id.clone(), &conditions, bypass).await
    }
}

fn done(object: ObjectIdentifier, deletion: Deletion) -> DeletedObject {
    let named = object.version_id.is_some();
    let id = deletion.version.map(|id| id.to_string());
    DeletedObject {
        delete_marker: deletion.marker.then_some(true),
        delete_marker_version_id: id.clone().filter(|_| deletion.marker),
        key: Some(object.key),
        version_id: id.filter(|_| named),
    }
}

fn failed(object: ObjectIdentifier, refusal: Refusal) -> Error {
    Error {
        code: Some(refusal.code.to_owned()),
        key: Some(object.key),
        message: Some(refusal.message.into_owned()),
        version_id: object.version_id,
    }
}
