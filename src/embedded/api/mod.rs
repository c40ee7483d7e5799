//! The operations of S3 in the types of `s3s`: what each asks of the [`Store`], and how its answer is said.
//!
//! One file per family. What `s3s` has no opinion on is decided here: conditions, integrity of bodies, limits,
//! ranges, encoding of listings. What no family answers stays `NotImplemented`.

mod attributes;
mod bucket;
mod copy;
mod delete;
mod integrity;
mod listing;
mod multipart;
mod object;
mod protection;
mod receive;
mod wire;

pub use integrity::{Required, check_document};
pub use listing::{Document, token_after};

use std::sync::Arc;

use s3s::dto::{self, Timestamp};
use s3s::{S3, S3Request, S3Response, S3Result};

use super::options::Etags;
use super::storage::Store;

/// Parts of a request's meaning that a fault takes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    pub conditions: bool,
    pub range: bool,
}

pub struct Api {
    pub store: Arc<Store>,
    pub region: String,
    pub etags: Etags,
}

fn ignored<T>(request: &S3Request<T>) -> Ignored {
    request.extensions.get().copied().unwrap_or_default()
}

/// Writes the trait of `s3s`: each operation is a method of [`Api`] in one of the files of this folder.
macro_rules! operations {
    ($($name:ident: $input:ident -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Api {
            $(async fn $name(
                &self,
                request: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                Self::$name(self, request).await
            })*
        }
    };
}

operations! {
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput;
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput;
    copy_object: CopyObjectInput -> CopyObjectOutput;
    create_bucket: CreateBucketInput -> CreateBucketOutput;
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput;
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput;
    delete_object: DeleteObjectInput -> DeleteObjectOutput;
    delete_object_tagging: DeleteObjectTaggingInput -> DeleteObjectTaggingOutput;
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput;
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput;
    get_bucket_versioning: GetBucketVersioningInput -> GetBucketVersioningOutput;
    get_object: GetObjectInput -> GetObjectOutput;
    get_object_attributes: GetObjectAttributesInput -> GetObjectAttributesOutput;
    get_object_legal_hold: GetObjectLegalHoldInput -> GetObjectLegalHoldOutput;
    get_object_lock_configuration: GetObjectLockConfigurationInput -> GetObjectLockConfigurationOutput;
    get_object_retention: GetObjectRetentionInput -> GetObjectRetentionOutput;
    get_object_tagging: GetObjectTaggingInput -> GetObjectTaggingOutput;
    head_bucket: HeadBucketInput -> HeadBucketOutput;
    head_object: HeadObjectInput -> HeadObjectOutput;
    list_buckets: ListBucketsInput -> ListBucketsOutput;
    list_multipart_uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput;
    list_object_versions: ListObjectVersionsInput -> ListObjectVersionsOutput;
    list_objects: ListObjectsInput -> ListObjectsOutput;
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output;
    list_parts: ListPartsInput -> ListPartsOutput;
    put_bucket_versioning: PutBucketVersioningInput -> PutBucketVersioningOutput;
    put_object: PutObjectInput -> PutObjectOutput;
    put_object_legal_hold: PutObjectLegalHoldInput -> PutObjectLegalHoldOutput;
    put_object_lock_configuration: PutObjectLockConfigurationInput -> PutObjectLockConfigurationOutput;
    put_object_retention: PutObjectRetentionInput -> PutObjectRetentionOutput;
    put_object_tagging: PutObjectTaggingInput -> PutObjectTaggingOutput;
    upload_part: UploadPartInput -> UploadPartOutput;
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput;
}

/// The one account, which owns everything.
pub const ACCOUNT: &str = "000000000000";

fn owner() -> dto::Owner {
    dto::Owner { display_name: Some("holdfs".to_owned()), id: Some(ACCOUNT.to_owned()) }
}

fn timestamp(time: std::time::SystemTime) -> Timestamp {
    Timestamp::from(time)
}
