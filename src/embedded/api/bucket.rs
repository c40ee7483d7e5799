//! Buckets: making, finding, listing and removing them; versioning and location.

use s3s::dto::{
    Bucket, BucketLocationConstraint, BucketVersioningStatus, CreateBucketInput, CreateBucketOutput,
    DeleteBucketInput, DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput,
    GetBucketVersioningInput, GetBucketVersioningOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput,
    ListBucketsOutput, ObjectOwnership, PutBucketVersioningInput, PutBucketVersioningOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use super::acl::take_acl;
use super::wire::list_header;
use super::xml::XMLNS;
use super::{Api, owner, timestamp};
use crate::embedded::storage::bucket::Versioning;
use crate::embedded::storage::documents::Documents;
use crate::embedded::storage::refusal::Refusal;

/// `x-amz-object-ownership` as the document that PutBucketOwnershipControls would bring.
fn ownership_document(ownership: &ObjectOwnership) -> Result<String, Refusal> {
    let known = ["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"];
    let word = ownership.as_str();
    if !known.contains(&word) {
        return Err(Refusal::argument("Invalid x-amz-object-ownership header"));
    }
    Ok(format!(
        "<OwnershipControls {XMLNS}><Rule><ObjectOwnership>{word}</ObjectOwnership></Rule></OwnershipControls>"
    ))
}

/// The region whose buckets have no location.
const NAMELESS_REGION: &str = "us-east-1";

impl Api {
    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let mut input = request.input;
        let asked = take_acl!(input; grant_write).document()?;
        let place =
            input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
        if let Some(place) = place.filter(|place| place.as_str() != self.region && !place.as_str().is_empty())
        {
            let message = format!(
                "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                place.as_str()
            );
            return Err(Refusal::new(400, "IllegalLocationConstraintException", message).into());
        }
        let lock = input.object_lock_enabled_for_bucket == Some(true);
        let mut documents = Documents::default();
        if let Some(list) = asked {
            documents.put("acl", "", list)?;
        }
        if let Some(ownership) = &input.object_ownership {
            documents.put("ownershipControls", "", ownership_document(ownership)?)?;
        }
        self.store.create_bucket(&input.bucket, lock, documents).await?;
        self.tell_gone("s3:BucketCreated:*", &input.bucket, "", None);
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) }))
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let name = &request.input.bucket;
        match list_header(&request.headers, "x-minio-force-delete").as_deref() {
            Some("true") => self.store.destroy_bucket(name).await?,
            _ => self.store.delete_bucket(name).await?,
        }
        self.tell_gone("s3:BucketRemoved:*", name, "", None);
        Ok(S3Response::with_status(DeleteBucketOutput {}, http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.store.read(&request.input.bucket, |_| Ok(()))?;
        let output = HeadBucketOutput { bucket_region: Some(self.region.clone()), ..Default::default() };
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let limit = input.max_buckets.map_or(10_000, |limit| limit.clamp(1, 10_000) as usize);
        let after = input.continuation_token.as_deref().unwrap_or_default();
        let all = self.store.buckets();
        let mut rest = all.into_iter().filter(|(name, _)| name.starts_with(&prefix) && name.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let next = rest.next().and_then(|_| page.last().map(|(name, _)| name.clone()));
        let entry = |(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(created)),
            bucket_region: Some(self.region.clone()),
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(page.into_iter().map(entry).collect()),
            continuation_token: next,
            owner: Some(owner()),
            prefix: input.prefix,
        }))
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.store.read(&request.input.bucket, |_| Ok(()))?;
        let named =
            (self.region != NAMELESS_REGION).then(|| BucketLocationConstraint::from(self.region.clone()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: named }))
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let versioning = self.store.read(&request.input.bucket, |bucket| Ok(bucket.settings.versioning))?;
        let status = match versioning {
            Versioning::Off => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        let status = status.map(BucketVersioningStatus::from_static);
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let input = request.input;
        let status = input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => {
                let message = "The Versioning element must be specified";
                return Err(Refusal::new(400, "IllegalVersioningConfigurationException", message).into());
            }
        };
        self.store.set(&input.bucket, |bucket| bucket.set_versioning(versioning)).await?;
        Ok(S3Response::new(PutBucketVersioningOutput {}))
    }
}
