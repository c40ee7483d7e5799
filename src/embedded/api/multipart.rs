//! Multipart uploads: starting, filling, listing, completing, aborting.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    Initiator, ListPartsInput, ListPartsOutput, Part as PartDto, StorageClass, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::acl::check_acl;
use super::encryption::refuse_customer_key;
use super::given::{Given, take_headers};
use super::ibm::Kept;
use super::integrity::{Claims, decode_checksum};
use super::object::{check_about, found_unless};
use super::receive::{Received, Terms, receive};
use super::wire::{self, shown_version};
use super::{Api, ignored, owner, timestamp};
use crate::embedded::options::Limits;
use crate::embedded::storage::bucket::Versioning;
use crate::embedded::storage::checksum::Choice;
use crate::embedded::storage::multipart::{Expected, ListedPart, Part, Start};
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
            checksum_type: choice.map(|choice| wire::kind_name(choice.kind)),
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
        let sums = told.map(|algorithm| wire::Sums::of_part(&part.checksums, algorithm)).unwrap_or_default();
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(wire::etag(&part.etag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        }))
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let conditions = found_unless(wire::write_conditions(&request.headers)?, ignored(&request));
        let kept = Kept::read(&request.headers, self.store.now())?;
        let input = request.input;
        self.store.read(&input.bucket, |bucket| kept.check(bucket))?;
        let start = self.store.upload(&input.bucket, &input.key, &input.upload_id)?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let listed = parts.into_iter().map(listed_part).collect::<Result<Vec<_>, _>>()?;
        require_part_checksums(&start, &listed)?;
        let sums = wire::Sums {
            crc32: input.checksum_crc32,
            crc32c: input.checksum_crc32c,
            crc64nvme: input.checksum_crc64nvme,
            sha1: input.checksum_sha1,
            sha256: input.checksum_sha256,
            kind: None,
        };
        let expected = Expected {
            size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
            kind: input.checksum_type.as_ref().map(wire::kind).transpose()?,
            checksum: sums.given().next(),
        };
        let upload = (input.key.as_str(), input.upload_id.as_str());
        let version =
            self.store.complete_upload(&input.bucket, upload, &listed, &expected, &conditions).await?;
        self.keep(&input.bucket, &input.key, &version.id, kept).await?;
        self.tell("s3:ObjectCreated:CompleteMultipartUpload", &input.bucket, &input.key, &version);
        let versioned =
            self.store.read(&input.bucket, |bucket| Ok(bucket.settings.versioning != Versioning::Off))?;
        let object = version.object.as_ref();
        let sums = object.map(|object| wire::Sums::of(&object.checksum)).unwrap_or_default();
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: object.map(|object| wire::etag(&object.etag)),
            version_id: shown_version(&version.id, versioned),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: sums.kind,
            ..Default::default()
        }))
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
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: start.choice.map(algorithm_name),
            checksum_type: start.choice.map(|choice| wire::kind_name(choice.kind)),
            initiator: Some(Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }),
            owner: Some(owner),
            storage_class: Some(listed_class(&start.about)),
            part_number_marker: Some(marker),
            next_part_number_marker: last.filter(|_| is_truncated),
            max_parts: i32::try_from(limit).ok(),
            is_truncated: Some(is_truncated),
            parts: Some(page.iter().map(|part| part_dto(part, start.choice)).collect()),
            ..Default::default()
        }))
    }
}

fn listed_class(about: &About) -> StorageClass {
    StorageClass::from(about.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned()))
}

fn algorithm_name(choice: Choice) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from_static(choice.algorithm.name())
}

fn choice(input: &CreateMultipartUploadInput) -> Result<Option<Choice>, Refusal> {
    let kind = input.checksum_type.as_ref().map(wire::kind).transpose()?;
    let Some(name) = &input.checksum_algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(Refusal::request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    Choice::new(wire::algorithm(name.as_str())?, kind).map(Some)
}

fn part_dto(part: &Part, choice: Option<Choice>) -> PartDto {
    let sums =
        choice.map(|choice| wire::Sums::of_part(&part.checksums, choice.algorithm)).unwrap_or_default();
    PartDto {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        e_tag: Some(wire::etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.content.len()).ok(),
    }
}

fn listed_part(part: CompletedPart) -> Result<ListedPart, Refusal> {
    let malformed = || Refusal::new(400, "MalformedXML", "A part needs its number and its ETag");
    let number = part.part_number.and_then(|number| u32::try_from(number).ok()).ok_or_else(malformed)?;
    let etag = part.e_tag.ok_or_else(malformed)?.into_value();
    let sums = wire::Sums {
        crc32: part.checksum_crc32,
        crc32c: part.checksum_crc32c,
        crc64nvme: part.checksum_crc64nvme,
        sha1: part.checksum_sha1,
        sha256: part.checksum_sha256,
        kind: None,
    };
    let decoded = sums.given().map(|(algorithm, value)| Ok((algorithm, decode_checksum(algorithm, &value)?)));
    Ok(ListedPart { number, etag, checksums: decoded.collect::<Result<_, Refusal>>()? })
}

/// A composite checksum that the client has asked for is made of what the client says of each part.
fn require_part_checksums(start: &Start, listed: &[ListedPart]) -> Result<(), Refusal> {
    use crate::embedded::storage::checksum::Kind;
    let Some(choice) = start.choice.filter(|choice| choice.kind == Kind::Composite) else {
        return Ok(());
    };
    let Some(bare) = listed.iter().find(|part| !part.checksums.contains_key(&choice.algorithm)) else {
        return Ok(());
    };
    Err(Refusal::request(format!(
        "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was \
         missing for part {} in the request.",
        choice.algorithm.name().to_lowercase(),
        bare.number
    )))
}
