//! Copies within the server: of whole objects, and into parts. No byte moves; bytes are read only where a digest
//! must be computed anew.

use std::sync::Arc;

use http::HeaderMap;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, MetadataDirective,
    TaggingDirective, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use super::about::check_about;
use super::acl::check_acl;
use super::encryption::refuse_customer_key;
use super::given::{Given, take_headers};
use super::kept::Kept;
use super::multipart::part_number;
use super::object::found_unless;
use super::receive::{Digests, etag_of};
use super::restore::check_readable;
use super::sums::{self, Seat, Sums, with_sums};
use super::wire::{self, shown_version};
use super::{Api, Ignored, ignored, timestamp};
use crate::base::checksum::Algorithm;
use crate::base::ranges::ByteRange;
use crate::embedded::options::Etags;
use crate::embedded::storage::checksum::{Checksum, Choice, Kind};
use crate::embedded::storage::condition::ReadConditions;
use crate::embedded::storage::multipart::Part;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, NewObject, Object, Version, VersionId};

struct Source {
    bucket: String,
    key: String,
    version: Arc<Version>,
    /// The source was named with a version.
    named: bool,
    shown_version: Option<String>,
}

impl Source {
    fn object(&self) -> &Object {
        self.version.object.as_ref().expect("`Bucket::find` gives no delete markers")
    }
}

impl Api {
    fn source(&self, source: CopySource, headers: &HeaderMap, ignored: Ignored) -> Result<Source, Refusal> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(Refusal::not_implemented("Access points are not implemented"));
        };
        let (bucket, key) = (String::from(bucket), String::from(key));
        let id = version_id.map(|id| VersionId::from(String::from(id)));
        let (version, shown_version) = self.store.read(&bucket, |bucket| {
            let version = bucket.find(&key, id.as_ref())?.clone();
            let shown = shown_version(&version.id, bucket.is_versioned());
            Ok((version, shown))
        })?;
        let source = Source { bucket, key, version, named: id.is_some(), shown_version };
        check_readable(source.object(), self.store.now())?;
        if !ignored.conditions {
            source_conditions(headers)?.check_source(&source.object().etag, source.version.modified)?;
        }
        Ok(source)
    }

    pub(super) async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let ignored = ignored(&request);
        let (mut input, headers) = (request.input, request.headers);
        let changes = changes_something(&input);
        let Given { about: given, lock: asked, acl } = take_headers!(input).understand()?;
        let conditions = found_unless(wire::write_conditions(&headers)?, ignored);
        let kept = Kept::read(&headers, self.store.now())?;
        let asked = kept.lock(asked);
        let source = self.source(input.copy_source.clone(), &headers, ignored)?;
        let retained = Kept::of_source(&headers, source.object())?;
        let asked = retained.as_ref().map_or(asked, |retained| retained.lock);
        let size = source.object().content.len();
        if size > self.store.limits.copy_bytes_max {
            let limit = self.store.limits.copy_bytes_max;
            let message = format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {limit}"
            );
            return Err(Refusal::request(message).into());
        }
        let onto_itself = input.bucket == source.bucket && input.key == source.key && !source.named;
        if onto_itself && !changes {
            return Err(vain().into());
        }
        let about = about_copy(&input, given, &source.object().about);
        check_about(&about, &self.store.limits)?;
        let algorithm =
            input.checksum_algorithm.as_ref().map(|name| sums::algorithm(name.as_str())).transpose()?;
        let (etag, checksum) = self.digests(source.object(), algorithm).await?;
        let content = source.object().content.clone();
        let (version, versioned) = self
            .store
            .write(&input.bucket, |bucket, scope, stamp| {
                bucket.check(&input.key, &conditions)?;
                let lock = bucket.lock_for(asked, stamp.now)?;
                check_acl(bucket, acl.as_deref())?;
                kept.check(bucket)?;
                let (parts, about) = (Vec::new(), Box::new(about));
                let object = NewObject { content, etag, checksum, parts, about, lock, acl };
                let mut object = Object::new(object);
                kept.hold(&mut object, stamp.now)?;
                object.holds.extend(retained.into_iter().flat_map(|retained| retained.holds));
                let version = bucket.put_again(scope, &input.key, object, stamp)?;
                Ok((version, bucket.is_versioned()))
            })
            .await?;
        self.tell("s3:ObjectCreated:Copy", &input.bucket, &input.key, &version);
        let mut response = copied(&version, versioned, source.shown_version);
        response.output.expiration = self.expiration(&input.bucket, &input.key, &version);
        Ok(response)
    }

    /// What the copy is known by. Only an object in one piece hands down its own.
    async fn digests(
        &self,
        source: &Object,
        asked: Option<Algorithm>,
    ) -> Result<(String, Checksum), Refusal> {
        let algorithm = asked.unwrap_or(source.checksum.algorithm);
        let kept = source.checksum.kind == Kind::FullObject && source.checksum.algorithm == algorithm;
        if kept && (source.parts.is_empty() || self.etags == Etags::Opaque) {
            let etag =
                if source.parts.is_empty() { source.etag.clone() } else { etag_of(None, Etags::Opaque) };
            return Ok((etag, source.checksum.clone()));
        }
        let digests = Digests::new(self.etags == Etags::Md5, [algorithm]);
        let (etag, checksums) = digests.over(source.content.stream(), self.etags).await?;
        let value =
            checksums.get(&algorithm).ok_or_else(|| Refusal::internal("the checksum was not computed"))?;
        Ok((etag, Checksum::whole(algorithm, value)))
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let ignored = ignored(&request);
        let (input, headers) = (request.input, request.headers);
        refuse_customer_key(input.sse_customer_algorithm.as_deref())?;
        let number = part_number(input.part_number, &self.store.limits)?;
        let start = self.store.upload(&input.bucket, &input.key, &input.upload_id)?;
        let source = self.source(input.copy_source, &headers, ignored)?;
        let whole = &source.object().content;
        let range = part_range(input.copy_source_range.as_deref(), whole.len())?;
        if range.len() > self.store.limits.part_bytes_max {
            let message =
                "The specified copy source range is larger than the maximum allowable size of a part";
            return Err(Refusal::request(message).into());
        }
        let content = whole.slice(range);
        let algorithm = start.choice().algorithm;
        let digests = Digests::new(self.etags == Etags::Md5, [algorithm]);
        let (etag, checksums) = digests.over(content.stream(), self.etags).await?;
        let part = Arc::new(Part { number, etag, modified: self.store.now(), content, checksums });
        self.store.put_part(&input.bucket, &start, part.clone()).await?;
        let sums = start.choice.map(|choice: Choice| Sums::of_part(&part.checksums, choice.algorithm));
        let sums = sums.unwrap_or_default();
        let seat = sums.seat;
        let result = with_sums!(sums; CopyPartResult {
            e_tag: Some(wire::etag(&part.etag)),
            last_modified: Some(timestamp(part.modified)),
        });
        let output = UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: source.shown_version,
            ..Default::default()
        };
        Ok(Seat::answer(seat, output))
    }
}

fn copied(version: &Version, versioned: bool, source: Option<String>) -> S3Response<CopyObjectOutput> {
    let object = version.object.as_ref();
    let sums = object.map(|object| Sums::of(&object.checksum)).unwrap_or_default();
    let seat = sums.seat;
    let result = with_sums!(sums; CopyObjectResult {
        checksum_type: sums.kind,
        e_tag: object.map(|object| wire::etag(&object.etag)),
        last_modified: Some(timestamp(version.modified)),
    });
    let output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source,
        version_id: shown_version(&version.id, versioned),
        ..Default::default()
    };
    Seat::answer(seat, output)
}

fn source_conditions(headers: &HeaderMap) -> Result<ReadConditions, Refusal> {
    let date = |name: &str| {
        let text = wire::list_header(headers, name);
        text.map(|text| wire::http_date(&text).ok_or_else(|| Refusal::argument(format!("{name} is no date"))))
            .transpose()
    };
    Ok(ReadConditions {
        if_match: wire::etags_header(headers, "x-amz-copy-source-if-match"),
        if_none_match: wire::etags_header(headers, "x-amz-copy-source-if-none-match"),
        if_modified_since: date("x-amz-copy-source-if-modified-since")?,
        if_unmodified_since: date("x-amz-copy-source-if-unmodified-since")?,
    })
}

fn replaces_metadata(input: &CopyObjectInput) -> bool {
    input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE)
}

/// A copy of an object onto itself must change something.
fn changes_something(input: &CopyObjectInput) -> bool {
    replaces_metadata(input)
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some()
}

fn vain() -> Refusal {
    Refusal::request(
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
         metadata, storage class, website redirect location or encryption attributes.",
    )
}

/// Storage class, encryption and redirect are never taken from the source.
fn about_copy(input: &CopyObjectInput, given: About, source: &About) -> About {
    let replaces_tags = input
        .tagging_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE);
    let described = if replaces_metadata(input) { given.clone() } else { source.clone() };
    About {
        website_redirect: given.website_redirect,
        storage_class: given.storage_class,
        encryption: given.encryption,
        tags: if replaces_tags { given.tags } else { source.tags.clone() },
        ..described
    }
}

/// `bytes=first-last`, wholly within the source.
fn part_range(header: Option<&str>, len: u64) -> Result<ByteRange, Refusal> {
    let Some(header) = header else {
        return Ok(ByteRange::new(0, len));
    };
    let bounds = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let bounds =
        bounds.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let (first, last) = bounds.filter(|(first, last)| first <= last).ok_or_else(|| {
        Refusal::argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
                           are the zero-based offsets of the first and last bytes to copy",
        )
    })?;
    if last >= len {
        return Err(Refusal::argument(format!(
            "Range specified is not valid for source object of size: {len}"
        )));
    }
    Ok(ByteRange::new(first, last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_ranges_lie_within_the_source() {
        let range = |header| part_range(header, 10).ok();
        assert_eq!(range(None), Some(ByteRange::new(0, 10)));
        assert_eq!(range(Some("bytes=0-9")), Some(ByteRange::new(0, 10)));
        assert_eq!(range(Some("bytes=3-3")), Some(ByteRange::new(3, 4)));
        for bad in ["bytes=0-10", "bytes=5-4", "bytes=5-", "bytes=-5", "0-5", "bytes=a-b"] {
            assert_eq!(range(Some(bad)), None, "{bad}");
        }
    }
}
