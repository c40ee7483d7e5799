//! GetObjectAttributes: what HEAD says, and the parts of an object.

use s3s::dto::{
    Checksum as ChecksumDto, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
    ObjectAttributes, ObjectPart, StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::sums::{Seat, Sums, with_sums};
use super::wire::{self, shown_version, version_id};
use super::{Api, listing, timestamp};
use crate::embedded::options::Limits;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Object, PartSummary};

impl Api {
    pub(super) async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = request.input;
        let id = version_id(input.version_id.clone());
        let (version, versioned) = self.store.read(&input.bucket, |bucket| {
            let version = bucket.find(&input.key, id.as_ref())?.clone();
            Ok((version, bucket.is_versioned()))
        })?;
        let object = version.object.as_ref().ok_or_else(Refusal::no_such_key)?;
        // One header with a list, or several.
        let asked: Vec<&str> =
            input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).collect();
        let wants = |name: &str| asked.iter().any(|asked| asked.trim() == name);
        let class =
            || object.about.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned());
        let parts = if wants(ObjectAttributes::OBJECT_PARTS) {
            parts(&input, object, &self.store.limits)?
        } else {
            None
        };
        let output = GetObjectAttributesOutput {
            checksum: wants(ObjectAttributes::CHECKSUM).then(|| checksum(object)),
            e_tag: wants(ObjectAttributes::ETAG).then(|| wire::etag(&object.etag)),
            last_modified: Some(timestamp(version.modified)),
            object_parts: parts,
            object_size: i64::try_from(object.content.len())
                .ok()
                .filter(|_| wants(ObjectAttributes::OBJECT_SIZE)),
            storage_class: wants(ObjectAttributes::STORAGE_CLASS).then(|| StorageClass::from(class())),
            version_id: shown_version(&version.id, versioned),
            ..Default::default()
        };
        Ok(Seat::answer(Seat::of(object.checksum.algorithm), output))
    }
}

fn checksum(object: &Object) -> ChecksumDto {
    let sums = Sums::of(&object.checksum);
    with_sums!(sums; ChecksumDto { checksum_type: sums.kind })
}

/// S3 lists single parts only where they have checksums; here all have.
fn parts(
    input: &GetObjectAttributesInput,
    object: &Object,
    limits: &Limits,
) -> Result<Option<GetObjectAttributesParts>, Refusal> {
    if object.parts.is_empty() {
        return Ok(None);
    }
    let total_parts_count = i32::try_from(object.parts.len()).ok();
    let limit = listing::page_limit(input.max_parts, limits)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let mut rest = object.parts.iter().filter(|part| i64::from(part.number) > i64::from(marker));
    let page: Vec<&PartSummary> = rest.by_ref().take(limit).collect();
    let last = page.last().and_then(|part| i32::try_from(part.number).ok());
    Ok(Some(GetObjectAttributesParts {
        is_truncated: Some(rest.next().is_some()),
        max_parts: i32::try_from(limit).ok(),
        next_part_number_marker: last,
        part_number_marker: Some(marker),
        parts: Some(page.into_iter().map(|part| part_dto(part, object)).collect()),
        total_parts_count,
    }))
}

fn part_dto(part: &PartSummary, object: &Object) -> ObjectPart {
    let sums = Sums::of_part(&part.checksums, object.checksum.algorithm);
    with_sums!(sums; ObjectPart {
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size).ok(),
    })
}
