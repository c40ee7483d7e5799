//! Multipart uploads: starting, filling, listing, aborting; `complete` has the end.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, Initiator, ListPartsInput, ListPartsOutput, Part as PartDto, StorageClass,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::about::check_about;
use super::acl::check_acl;
use super::encryption::refuse_customer_key;
use super::given::{Given, take_headers};
use super::integrity::Claims;
use super::receive::{Received, Terms, receive};
use super::sums::{self, Seat, Sums, kind_name, with_sums};
use super::wire;
use super::{Api, owner, timestamp};
use crate::embedded::options::Limits;
use crate::embedded::storage::checksum::Choice;
use crate::embedded::storage::multipart::{Part, Start};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::About;

pub(super) fn part_number(number: i32, limits: &Limits) -> Result<u32, Refusal> {
    let number = u32::try_from(number).ok().filter(|number| (1..=limits.parts_max).contains(number));
    number.ok_or_else(|| {
        Refusal::argument(format!(
            "Part number must be an integer between 1 and {}, inclusive",
            limits.parts_max
        ))
    })
}

impl Api {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut input = request.input;
        let Given { about, lock: asked, acl } = take_headers!(input).understand()?;
        check_about(&about, &self.store.limits)?;
        let about = Box::new(about);
        let choice = choice(&input)?;
        let key = input.key.clone();
        let start = self
            .store
            .start_upload(&input.bucket, |bucket, stamp| {
                check_acl(bucket, acl.as_deref())?;
                let lock = bucket.lock_for(asked, stamp.now)?;
                let (id, serial, initiated) = (stamp.id(), stamp.serial, stamp.now);
                Ok(Start { id, serial, key, initiated, about, lock, choice, acl })
            })
            .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(start.id.clone()),
            checksum_algorithm: choice.map(algorithm_name),
            checksum_type: choice.map(|choice| kind_name(choice.kind)),
            ..Default::default()
        }))
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let (mut input, headers) = (request.input, request.headers);
        refuse_customer_key(input.sse_customer_algorithm.as_deref())?;
        let number = part_number(input.part_number, &self.store.limits)?;
        let start = self.store.upload(&input.bucket, &input.key, &input.upload_id)?;
        let claims = Claims::read(&headers)?;
        if claims.length.is_none() {
            return Err(S3ErrorCode::MissingContentLength.into());
        }
        let given = claims.algorithm();
        if let (Some(choice), Some(given)) = (start.choice, given)
            && choice.algorithm != given
        {
            let message = format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                choice.algorithm.name().to_lowercase(),
                given.name().to_lowercase()
            );
            return Err(Refusal::request(message).into());
        }
        let bytes_max = self.store.limits.part_bytes_max;
        let terms = Terms { claims, bytes_max, algorithm: Some(start.choice().algorithm), etags: self.etags };
        let received = receive(&self.store, input.body.take(), request.trailing_headers, terms).await?;
        let Received { content, etag, checksums } = received;
        let part = Arc::new(Part { number, etag, modified: self.store.now(), content, checksums });
        self.store.put_part(&input.bucket, &start, part.clone()).await?;
        let told = given.or(start.choice.map(|choice| choice.algorithm));
        let sums = told.map(|algorithm| Sums::of_part(&part.checksums, algorithm)).unwrap_or_default();
        let seat = sums.seat;
        let output = with_sums!(sums; UploadPartOutput {
            e_tag: Some(wire::etag(&part.etag)),
            ..Default::default()
        });
        Ok(Seat::answer(seat, output))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        self.store.abort_upload(&input.bucket, &input.key, &input.upload_id).await?;
        let output = AbortMultipartUploadOutput::default();
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let (start, parts) = self.store.parts(&input.bucket, &input.key, &input.upload_id)?;
        let limit = super::listing::page_limit(input.max_parts, &self.store.limits)?;
        let marker = input.part_number_marker.unwrap_or(0);
        let mut rest = parts.into_iter().filter(|part| i64::from(part.number) > i64::from(marker));
        let page: Vec<Arc<Part>> = rest.by_ref().take(limit).collect();
        let is_truncated = limit > 0 && rest.next().is_some();
        let last = page.last().and_then(|part| i32::try_from(part.number).ok());
        let owner = owner();
        let output = ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: start.choice.map(algorithm_name),
            checksum_type: start.choice.map(|choice| kind_name(choice.kind)),
            initiator: Some(Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }),
            owner: Some(owner),
            storage_class: Some(listed_class(&start.about)),
            part_number_marker: Some(marker),
            next_part_number_marker: last.filter(|_| is_truncated),
            max_parts: i32::try_from(limit).ok(),
            is_truncated: Some(is_truncated),
            parts: Some(page.iter().map(|part| part_dto(part, start.choice)).collect()),
            ..Default::default()
        };
        Ok(Seat::answer(start.choice.and_then(|choice| Seat::of(choice.algorithm)), output))
    }
}

fn listed_class(about: &About) -> StorageClass {
    StorageClass::from(about.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned()))
}

fn algorithm_name(choice: Choice) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from_static(choice.algorithm.name())
}

fn choice(input: &CreateMultipartUploadInput) -> Result<Option<Choice>, Refusal> {
    let kind = input.checksum_type.as_ref().map(|kind| sums::kind(kind.as_str())).transpose()?;
    let Some(name) = &input.checksum_algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(Refusal::request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    Choice::new(sums::algorithm(name.as_str())?, kind).map(Some)
}

fn part_dto(part: &Part, choice: Option<Choice>) -> PartDto {
    let sums = choice.map(|choice| Sums::of_part(&part.checksums, choice.algorithm)).unwrap_or_default();
    with_sums!(sums; PartDto {
        e_tag: Some(wire::etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.content.len()).ok(),
    })
}
