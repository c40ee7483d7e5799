//! The operations of S3 in the types of `s3s`: what each asks of the [`Store`], and how its answer is said.
//!
//! One file per family. What `s3s` has no opinion on is decided here: conditions, integrity of bodies, limits,
//! ranges, encoding of listings. What no family answers stays `NotImplemented`.

mod about;
mod access;
mod acl;
mod annotations;
mod append;
mod attributes;
mod beyond;
mod bucket;
mod complete;
mod copy;
mod delete;
mod encryption;
mod fan_out;
mod given;
mod ibm;
mod instead;
mod integrity;
mod kept;
mod lifecycle;
mod listed;
mod listen;
mod listing;
mod metadata;
mod multipart;
mod named;
mod object;
mod protection;
mod read;
mod receive;
mod rename;
mod restore;
mod select;
mod session;
mod settings;
mod snowball;
mod sums;
mod wire;
mod xml;

pub use access::{Access, wrong_region};
pub use beyond::Beyond;
pub use instead::finish;
pub use integrity::{Required, check_document};
pub use listing::token_after;
pub use settings::Written;

use std::sync::Arc;

use s3s::dto::{self, Timestamp};
use s3s::{S3, S3Request, S3Response, S3Result};

use super::auth::Keys;
use super::events::Hub;
use super::options::{Etags, Times};
use super::storage::Store;

/// Parts of a request's meaning that a fault takes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    pub conditions: bool,
    pub range: bool,
    /// The slash at the end of a marker's key.
    pub last_slash: bool,
}

#[derive(Clone)]
pub struct Api {
    pub store: Arc<Store>,
    pub region: String,
    pub etags: Etags,
    pub times: Times,
    pub events: Hub,
    pub keys: Keys,
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
    copy_object: CopyObjectInput -> CopyObjectOutput;
    create_bucket: CreateBucketInput -> CreateBucketOutput;
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput;
    create_session: CreateSessionInput -> CreateSessionOutput;
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput;
    delete_bucket_analytics_configuration: DeleteBucketAnalyticsConfigurationInput -> DeleteBucketAnalyticsConfigurationOutput;
    delete_bucket_cors: DeleteBucketCorsInput -> DeleteBucketCorsOutput;
    delete_bucket_encryption: DeleteBucketEncryptionInput -> DeleteBucketEncryptionOutput;
    delete_bucket_intelligent_tiering_configuration: DeleteBucketIntelligentTieringConfigurationInput -> DeleteBucketIntelligentTieringConfigurationOutput;
    delete_bucket_inventory_configuration: DeleteBucketInventoryConfigurationInput -> DeleteBucketInventoryConfigurationOutput;
    delete_bucket_lifecycle: DeleteBucketLifecycleInput -> DeleteBucketLifecycleOutput;
    delete_bucket_metrics_configuration: DeleteBucketMetricsConfigurationInput -> DeleteBucketMetricsConfigurationOutput;
    delete_bucket_ownership_controls: DeleteBucketOwnershipControlsInput -> DeleteBucketOwnershipControlsOutput;
    delete_bucket_policy: DeleteBucketPolicyInput -> DeleteBucketPolicyOutput;
    delete_bucket_replication: DeleteBucketReplicationInput -> DeleteBucketReplicationOutput;
    delete_bucket_tagging: DeleteBucketTaggingInput -> DeleteBucketTaggingOutput;
    delete_bucket_website: DeleteBucketWebsiteInput -> DeleteBucketWebsiteOutput;
    delete_object: DeleteObjectInput -> DeleteObjectOutput;
    delete_object_tagging: DeleteObjectTaggingInput -> DeleteObjectTaggingOutput;
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput;
    delete_public_access_block: DeletePublicAccessBlockInput -> DeletePublicAccessBlockOutput;
    get_bucket_accelerate_configuration: GetBucketAccelerateConfigurationInput -> GetBucketAccelerateConfigurationOutput;
    get_bucket_acl: GetBucketAclInput -> GetBucketAclOutput;
    get_bucket_analytics_configuration: GetBucketAnalyticsConfigurationInput -> GetBucketAnalyticsConfigurationOutput;
    get_bucket_cors: GetBucketCorsInput -> GetBucketCorsOutput;
    get_bucket_encryption: GetBucketEncryptionInput -> GetBucketEncryptionOutput;
    get_bucket_intelligent_tiering_configuration: GetBucketIntelligentTieringConfigurationInput -> GetBucketIntelligentTieringConfigurationOutput;
    get_bucket_inventory_configuration: GetBucketInventoryConfigurationInput -> GetBucketInventoryConfigurationOutput;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput -> GetBucketLifecycleConfigurationOutput;
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput;
    get_bucket_logging: GetBucketLoggingInput -> GetBucketLoggingOutput;
    get_bucket_metrics_configuration: GetBucketMetricsConfigurationInput -> GetBucketMetricsConfigurationOutput;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput -> GetBucketNotificationConfigurationOutput;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput -> GetBucketOwnershipControlsOutput;
    get_bucket_policy: GetBucketPolicyInput -> GetBucketPolicyOutput;
    get_bucket_policy_status: GetBucketPolicyStatusInput -> GetBucketPolicyStatusOutput;
    get_bucket_replication: GetBucketReplicationInput -> GetBucketReplicationOutput;
    get_bucket_request_payment: GetBucketRequestPaymentInput -> GetBucketRequestPaymentOutput;
    get_bucket_tagging: GetBucketTaggingInput -> GetBucketTaggingOutput;
    get_bucket_versioning: GetBucketVersioningInput -> GetBucketVersioningOutput;
    get_bucket_website: GetBucketWebsiteInput -> GetBucketWebsiteOutput;
    get_object: GetObjectInput -> GetObjectOutput;
    get_object_acl: GetObjectAclInput -> GetObjectAclOutput;
    get_object_attributes: GetObjectAttributesInput -> GetObjectAttributesOutput;
    get_object_legal_hold: GetObjectLegalHoldInput -> GetObjectLegalHoldOutput;
    get_object_lock_configuration: GetObjectLockConfigurationInput -> GetObjectLockConfigurationOutput;
    get_object_retention: GetObjectRetentionInput -> GetObjectRetentionOutput;
    get_object_tagging: GetObjectTaggingInput -> GetObjectTaggingOutput;
    get_public_access_block: GetPublicAccessBlockInput -> GetPublicAccessBlockOutput;
    head_bucket: HeadBucketInput -> HeadBucketOutput;
    head_object: HeadObjectInput -> HeadObjectOutput;
    list_bucket_analytics_configurations: ListBucketAnalyticsConfigurationsInput -> ListBucketAnalyticsConfigurationsOutput;
    list_bucket_intelligent_tiering_configurations: ListBucketIntelligentTieringConfigurationsInput -> ListBucketIntelligentTieringConfigurationsOutput;
    list_bucket_inventory_configurations: ListBucketInventoryConfigurationsInput -> ListBucketInventoryConfigurationsOutput;
    list_bucket_metrics_configurations: ListBucketMetricsConfigurationsInput -> ListBucketMetricsConfigurationsOutput;
    list_buckets: ListBucketsInput -> ListBucketsOutput;
    list_directory_buckets: ListDirectoryBucketsInput -> ListDirectoryBucketsOutput;
    list_multipart_uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput;
    list_object_versions: ListObjectVersionsInput -> ListObjectVersionsOutput;
    list_objects: ListObjectsInput -> ListObjectsOutput;
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output;
    list_parts: ListPartsInput -> ListPartsOutput;
    put_bucket_accelerate_configuration: PutBucketAccelerateConfigurationInput -> PutBucketAccelerateConfigurationOutput;
    put_bucket_acl: PutBucketAclInput -> PutBucketAclOutput;
    put_bucket_analytics_configuration: PutBucketAnalyticsConfigurationInput -> PutBucketAnalyticsConfigurationOutput;
    put_bucket_cors: PutBucketCorsInput -> PutBucketCorsOutput;
    put_bucket_encryption: PutBucketEncryptionInput -> PutBucketEncryptionOutput;
    put_bucket_intelligent_tiering_configuration: PutBucketIntelligentTieringConfigurationInput -> PutBucketIntelligentTieringConfigurationOutput;
    put_bucket_inventory_configuration: PutBucketInventoryConfigurationInput -> PutBucketInventoryConfigurationOutput;
    put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput -> PutBucketLifecycleConfigurationOutput;
    put_bucket_logging: PutBucketLoggingInput -> PutBucketLoggingOutput;
    put_bucket_metrics_configuration: PutBucketMetricsConfigurationInput -> PutBucketMetricsConfigurationOutput;
    put_bucket_notification_configuration: PutBucketNotificationConfigurationInput -> PutBucketNotificationConfigurationOutput;
    put_bucket_ownership_controls: PutBucketOwnershipControlsInput -> PutBucketOwnershipControlsOutput;
    put_bucket_policy: PutBucketPolicyInput -> PutBucketPolicyOutput;
    put_bucket_replication: PutBucketReplicationInput -> PutBucketReplicationOutput;
    put_bucket_request_payment: PutBucketRequestPaymentInput -> PutBucketRequestPaymentOutput;
    put_bucket_tagging: PutBucketTaggingInput -> PutBucketTaggingOutput;
    put_bucket_versioning: PutBucketVersioningInput -> PutBucketVersioningOutput;
    put_bucket_website: PutBucketWebsiteInput -> PutBucketWebsiteOutput;
    put_object: PutObjectInput -> PutObjectOutput;
    put_object_acl: PutObjectAclInput -> PutObjectAclOutput;
    put_object_legal_hold: PutObjectLegalHoldInput -> PutObjectLegalHoldOutput;
    put_object_lock_configuration: PutObjectLockConfigurationInput -> PutObjectLockConfigurationOutput;
    put_object_retention: PutObjectRetentionInput -> PutObjectRetentionOutput;
    put_object_tagging: PutObjectTaggingInput -> PutObjectTaggingOutput;
    restore_object: RestoreObjectInput -> RestoreObjectOutput;
    put_public_access_block: PutPublicAccessBlockInput -> PutPublicAccessBlockOutput;
    select_object_content: SelectObjectContentInput -> SelectObjectContentOutput;
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
