//! Configuration documents of a bucket. `s3s` parses each, so that a malformed one is refused, and what the client
//! wrote is stored and given back as it was. The server acts on none of them but those that have a file of their
//! own (versioning, object lock). `named` has those of which a bucket has several.

use s3s::dto;
use s3s::{S3Request, S3Response, S3Result};

use super::access::public_access_block;
use super::acl::{check_acl, private_acl, put_acl, take_acl};
use super::instead::Document;
use super::xml::{XMLNS, malformed};
use super::{Api, lifecycle};
use crate::embedded::policy::Policy;
use crate::embedded::storage::bucket::{Bucket, Versioning};
use crate::embedded::storage::refusal::Refusal;

/// The body of a request that carries a document, as it came.
#[derive(Clone, Debug)]
pub struct Written(pub bytes::Bytes);

/// What a GET says of a document that was never put.
enum Absent {
    Refused(&'static str, &'static str),
    /// An element without content.
    Empty(&'static str),
    Told(fn() -> String),
}

pub(super) fn written<T>(request: &S3Request<T>) -> Result<String, Refusal> {
    let Some(Written(bytes)) = request.extensions.get() else {
        return Ok(String::new());
    };
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("the document is not UTF-8"))?;
    Ok(text.to_owned())
}

pub(super) fn told<T>(output: T, document: String) -> S3Response<T> {
    let mut response = S3Response::new(output);
    response.extensions.insert(Document(document.into()));
    response
}

pub(super) fn no_content<T>(output: T) -> S3Response<T> {
    S3Response::with_status(output, http::StatusCode::NO_CONTENT)
}

impl Api {
    fn setting(&self, bucket: &str, subresource: &str, absent: &Absent) -> Result<String, Refusal> {
        let found = self
            .store
            .read(bucket, |bucket| Ok(bucket.settings.documents.get(subresource, "").map(str::to_owned)))?;
        match (found, absent) {
            (Some(document), _) => Ok(document),
            (None, Absent::Refused(code, message)) => Err(Refusal::new(404, code, *message)),
            (None, Absent::Empty(root)) => Ok(format!("<{root} {XMLNS}/>")),
            (None, Absent::Told(tell)) => Ok(tell()),
        }
    }

    pub(super) async fn set_setting(
        &self,
        bucket: &str,
        subresource: &str,
        id: &str,
        document: String,
        check: fn(&Bucket) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let set = |bucket: &mut Bucket| {
            check(bucket)?;
            bucket.settings.documents.put(subresource, id, document)
        };
        self.store.set(bucket, set).await
    }

    async fn unset_setting(&self, bucket: &str, subresource: &str) -> Result<(), Refusal> {
        let unset = |bucket: &mut Bucket| {
            bucket.settings.documents.remove(subresource, "");
            Ok(())
        };
        self.store.set(bucket, unset).await
    }

    pub(super) async fn put_bucket_policy(
        &self,
        request: S3Request<dto::PutBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::PutBucketPolicyOutput>> {
        let input = request.input;
        let policy = Policy::parse(&input.policy)?;
        policy.check_bucket(&input.bucket)?;
        let set = |bucket: &mut Bucket| {
            if policy.is_public() && public_access_block(bucket).block_public_policy == Some(true) {
                let message = "Access Denied: the public access block forbids public policies";
                return Err(Refusal::new(403, "AccessDenied", message));
            }
            bucket.settings.documents.put("policy", "", input.policy)
        };
        self.store.set(&input.bucket, set).await?;
        Ok(no_content(dto::PutBucketPolicyOutput {}))
    }

    pub(super) async fn get_bucket_policy(
        &self,
        request: S3Request<dto::GetBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyOutput>> {
        let policy = self.setting(&request.input.bucket, "policy", &NO_POLICY)?;
        Ok(S3Response::new(dto::GetBucketPolicyOutput { policy: Some(policy) }))
    }

    pub(super) async fn delete_bucket_policy(
        &self,
        request: S3Request<dto::DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketPolicyOutput>> {
        self.unset_setting(&request.input.bucket, "policy").await?;
        Ok(no_content(dto::DeleteBucketPolicyOutput {}))
    }

    pub(super) async fn get_bucket_policy_status(
        &self,
        request: S3Request<dto::GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyStatusOutput>> {
        let policy = self.setting(&request.input.bucket, "policy", &NO_POLICY)?;
        let status = dto::PolicyStatus { is_public: Some(Policy::parse(&policy)?.is_public()) };
        Ok(S3Response::new(dto::GetBucketPolicyStatusOutput { policy_status: Some(status) }))
    }

    pub(super) async fn put_bucket_acl(
        &self,
        mut request: S3Request<dto::PutBucketAclInput>,
    ) -> S3Result<S3Response<dto::PutBucketAclOutput>> {
        let asked = take_acl!(request.input; grant_write);
        let document = put_acl(&request, &asked)?;
        let set = |bucket: &mut Bucket| {
            check_acl(bucket, Some(&document))?;
            bucket.settings.documents.put("acl", "", document)
        };
        self.store.set(&request.input.bucket, set).await?;
        Ok(S3Response::new(dto::PutBucketAclOutput {}))
    }

    pub(super) async fn get_bucket_acl(
        &self,
        request: S3Request<dto::GetBucketAclInput>,
    ) -> S3Result<S3Response<dto::GetBucketAclOutput>> {
        let document = self.setting(&request.input.bucket, "acl", &Absent::Told(private_acl))?;
        Ok(told(dto::GetBucketAclOutput::default(), document))
    }
}

const NO_POLICY: Absent = Absent::Refused("NoSuchBucketPolicy", "The bucket policy does not exist");

pub(super) fn anything(_: &Bucket) -> Result<(), Refusal> {
    Ok(())
}

fn versioned(bucket: &Bucket) -> Result<(), Refusal> {
    match bucket.settings.versioning {
        Versioning::Enabled => Ok(()),
        Versioning::Off | Versioning::Suspended => Err(Refusal::request(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        )),
    }
}

/// Puts and gets: those that can be deleted have a third name.
macro_rules! settings {
    ($($subresource:literal, $absent:expr, $check:ident:
        $get:ident($get_input:ident, $get_output:ident)
        $put:ident($put_input:ident, $put_output:ident -> $said:ident)
        $($delete:ident($delete_input:ident, $delete_output:ident))?;
    )*) => {
        impl Api {$(
            pub(super) async fn $get(
                &self,
                request: S3Request<dto::$get_input>,
            ) -> S3Result<S3Response<dto::$get_output>> {
                let document = self.setting(&request.input.bucket, $subresource, &$absent)?;
                Ok(told(dto::$get_output::default(), document))
            }

            pub(super) async fn $put(
                &self,
                request: S3Request<dto::$put_input>,
            ) -> S3Result<S3Response<dto::$put_output>> {
                let document = written(&request)?;
                if $subresource == "lifecycle" {
                    lifecycle::rules(&document)?;
                }
                self.set_setting(&request.input.bucket, $subresource, "", document, $check).await?;
                Ok($said(dto::$put_output::default()))
            }

            $(pub(super) async fn $delete(
                &self,
                request: S3Request<dto::$delete_input>,
            ) -> S3Result<S3Response<dto::$delete_output>> {
                self.unset_setting(&request.input.bucket, $subresource).await?;
                Ok(no_content(dto::$delete_output::default()))
            })?
        )*}
    };
}

pub(super) fn ok<T>(output: T) -> S3Response<T> {
    S3Response::new(output)
}

settings! {
    "accelerate", Absent::Empty("AccelerateConfiguration"), anything:
        get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput)
        put_bucket_accelerate_configuration(
            PutBucketAccelerateConfigurationInput, PutBucketAccelerateConfigurationOutput -> ok);
    "cors", Absent::Refused("NoSuchCORSConfiguration", "The CORS configuration does not exist"), anything:
        get_bucket_cors(GetBucketCorsInput, GetBucketCorsOutput)
        put_bucket_cors(PutBucketCorsInput, PutBucketCorsOutput -> ok)
        delete_bucket_cors(DeleteBucketCorsInput, DeleteBucketCorsOutput);
    "encryption",
    Absent::Refused(
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ), anything:
        get_bucket_encryption(GetBucketEncryptionInput, GetBucketEncryptionOutput)
        put_bucket_encryption(PutBucketEncryptionInput, PutBucketEncryptionOutput -> ok)
        delete_bucket_encryption(DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput);
    "lifecycle",
    Absent::Refused("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"), anything:
        get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput)
        put_bucket_lifecycle_configuration(
            PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput -> ok)
        delete_bucket_lifecycle(DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput);
    "logging", Absent::Empty("BucketLoggingStatus"), anything:
        get_bucket_logging(GetBucketLoggingInput, GetBucketLoggingOutput)
        put_bucket_logging(PutBucketLoggingInput, PutBucketLoggingOutput -> ok);
    "notification", Absent::Empty("NotificationConfiguration"), anything:
        get_bucket_notification_configuration(
            GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput)
        put_bucket_notification_configuration(
            PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput -> ok);
    "ownershipControls",
    Absent::Refused("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"), anything:
        get_bucket_ownership_controls(GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput)
        put_bucket_ownership_controls(PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput -> ok)
        delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput);
    "publicAccessBlock",
    Absent::Refused(
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ), anything:
        get_public_access_block(GetPublicAccessBlockInput, GetPublicAccessBlockOutput)
        put_public_access_block(PutPublicAccessBlockInput, PutPublicAccessBlockOutput -> ok)
        delete_public_access_block(DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput);
    "replication",
    Absent::Refused(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ), versioned:
        get_bucket_replication(GetBucketReplicationInput, GetBucketReplicationOutput)
        put_bucket_replication(PutBucketReplicationInput, PutBucketReplicationOutput -> ok)
        delete_bucket_replication(DeleteBucketReplicationInput, DeleteBucketReplicationOutput);
    "requestPayment", Absent::Told(owner_pays), anything:
        get_bucket_request_payment(GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput)
        put_bucket_request_payment(PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput -> ok);
    "tagging", Absent::Refused("NoSuchTagSet", "The TagSet does not exist"), anything:
        get_bucket_tagging(GetBucketTaggingInput, GetBucketTaggingOutput)
        put_bucket_tagging(PutBucketTaggingInput, PutBucketTaggingOutput -> no_content)
        delete_bucket_tagging(DeleteBucketTaggingInput, DeleteBucketTaggingOutput);
    "website",
    Absent::Refused("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"), anything:
        get_bucket_website(GetBucketWebsiteInput, GetBucketWebsiteOutput)
        put_bucket_website(PutBucketWebsiteInput, PutBucketWebsiteOutput -> ok)
        delete_bucket_website(DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput);
}

fn owner_pays() -> String {
    format!("<RequestPaymentConfiguration {XMLNS}><Payer>BucketOwner</Payer></RequestPaymentConfiguration>")
}
