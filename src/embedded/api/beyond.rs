//! Operations that `s3s` does not know, or not all of: newer S3, MinIO, IBM. They come here behind its check of the
//! signature.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Extensions, HeaderMap, Method, StatusCode, Uri};
use s3s::route::S3Route;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Api;
use super::access::Signed;
use super::settings::Written;
use crate::embedded::operation::{Target, is_beyond};
use crate::embedded::policy::Who;
use crate::embedded::storage::refusal::Refusal;

/// Takes what is beyond `s3s` out of its way.
pub struct Beyond(pub Api);

#[async_trait::async_trait]
impl S3Route for Beyond {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, extensions: &mut Extensions) -> bool {
        extensions.get::<Target>().is_some_and(|target| is_beyond(target.operation))
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let who = if request.credentials.is_some() { Who::Owner } else { Who::Anybody };
        request.extensions.insert(Signed(who));
        let target = request.extensions.get::<Target>().cloned();
        let target = target.ok_or_else(|| Refusal::internal("the request lost its target"))?;
        let key = request.credentials.as_ref().map(|credentials| credentials.access_key.clone());
        self.0.authorize(key.as_deref(), &target, &request.method, &request.headers, &request.uri)
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let target = request.extensions.get::<Target>().cloned();
        let target = target.ok_or_else(|| Refusal::internal("the request lost its target"))?;
        let api = &self.0;
        match target.operation {
            "AddLegalHold" | "DeleteLegalHold" => api.change_legal_hold(&request, &target).await,
            "CompleteMultipartUpload" => api.complete_multipart_upload(request, &target).await,
            "DeleteObjectAnnotation" => api.delete_object_annotation(&request, &target).await,
            "ExtendObjectRetention" => api.extend_object_retention(&request, &target).await,
            "GetBucketAbac" => api.get_bucket_abac(&target),
            "GetBucketProtectionConfiguration" => api.get_bucket_protection(&target).await,
            "GetObjectAnnotation" => api.get_object_annotation(&request, &target).await,
            "ListBucketReplicationFailures" => api.list_replication_failures(&target).await,
            "ListBucketsExtended" => api.list_buckets_extended(&request).await,
            "ListLegalHolds" => api.list_legal_holds(&target).await,
            "ListObjectAnnotations" => api.list_object_annotations(&request, &target).await,
            "ListenNotification" => api.listen_notification(&request, &target).await,
            "PutBucketAbac" => api.put_bucket_abac(&request, &target).await,
            "PutBucketProtectionConfiguration" => api.put_bucket_protection(&request, &target).await,
            "PutBucketReplicationReattempt" => api.reattempt_replication(&target).await,
            "PutObjectAnnotation" => api.put_object_annotation(request, &target).await,
            "RenameObject" => api.rename_object(&request, &target).await,
            "UpdateObjectEncryption" => api.update_object_encryption(&request, &target).await,
            name if name.contains("BucketMetadata") => api.metadata_configuration(&request, &target).await,
            name => Err(Refusal::not_implemented(format!("This server does not have {name}.")).into()),
        }
    }
}

/// The document that came with a request, or nothing.
pub fn document(request: &S3Request<Body>) -> Bytes {
    request.extensions.get::<Written>().map(|written| written.0.clone()).unwrap_or_default()
}

/// An answer with a document of ours.
pub fn replied(status: StatusCode, xml: String) -> S3Response<Body> {
    let empty = xml.is_empty();
    let mut response = S3Response::with_status(Body::from(xml), status);
    if !empty {
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    response
}
