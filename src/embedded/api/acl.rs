//! The access control list of one object version: stored and told, never enforced, since there is one account.

use s3s::dto::{GetObjectAclInput, GetObjectAclOutput, PutObjectAclInput, PutObjectAclOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::Api;
use super::listing::Document;
use super::settings::{canned_acl, no_acl, private_acl, written};
use super::wire::version_id;
use crate::embedded::storage::version::Object;

impl Api {
    pub(super) async fn get_object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let input = request.input;
        let acl = |object: &Object| Ok(object.acl.clone());
        let (acl, _) = self.look(&input.bucket, &input.key, input.version_id, acl)?;
        let mut response = S3Response::new(GetObjectAclOutput::default());
        response.extensions.insert(Document(acl.unwrap_or_else(private_acl).into()));
        Ok(response)
    }

    pub(super) async fn put_object_acl(
        &self,
        request: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let document = match (&request.input.acl, written(&request)?) {
            (_, document) if !document.is_empty() => document,
            (Some(canned), _) => canned_acl(canned.as_str())?,
            (None, _) => return Err(no_acl().into()),
        };
        let input = request.input;
        let version = version_id(input.version_id);
        self.store
            .write(&input.bucket, |bucket, scope, _| {
                bucket.edit(scope, &input.key, version.as_ref(), |object| {
                    object.acl = Some(document);
                    Ok(())
                })
            })
            .await?;
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }
}
