//! Reading one object: all of it, a range, a part, or its head alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::dto::{
    ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Metadata,
    ObjectLockMode, Range, StorageClass, StreamingBlob,
};
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3Request, S3Response, S3Result, StdError};

use super::kept::tell_retention;
use super::restore::{check_readable, restore_header};
use super::sums::{Seat, Sums, kind_name, with_sums};
use super::wire::{self, shown_version};
use super::{Api, Ignored, ignored, timestamp};
use crate::base::ranges::ByteRange;
use crate::embedded::blob::ContentStream;
use crate::embedded::storage::checksum::Kind;
use crate::embedded::storage::condition::ReadConditions;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Object, Version};

/// An object that a read has found and may have.
struct Found {
    version: Arc<Version>,
    /// Whether replies name versions.
    versioned: bool,
    /// Whether replies say how long it is kept, as IBM's do.
    protected: bool,
}

impl Found {
    fn object(&self) -> &Object {
        self.version.object.as_ref().expect("`Bucket::find` gives no delete markers")
    }
}

/// What of the object was asked for.
struct Slice {
    range: ByteRange,
    partial: bool,
    /// The number of the part, where one was asked for.
    part: Option<u32>,
}

impl Api {
    pub(super) async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let ignored = ignored(&request);
        let (found, slice) = self.find(&request.input, &request.headers, ignored)?;
        let object = found.object();
        check_readable(object, self.store.now())?;
        let (mut output, seat) = describe(&request.input, &found, &slice);
        output.restore = restore_header(object, self.store.now());
        output.expiration = self.expiration(&request.input.bucket, &request.input.key, &found.version);
        self.tell("s3:ObjectAccessed:Get", &request.input.bucket, &request.input.key, &found.version);
        let content = if slice.partial { object.content.slice(slice.range) } else { object.content.clone() };
        output.body = Some(StreamingBlob::new(Outgoing(content.stream())));
        let mut response = Seat::answer(seat, output);
        if found.protected {
            tell_retention(&mut response.headers, &found.version);
        }
        Ok(response)
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let ignored = ignored(&request);
        let input = as_get(request.input);
        let (found, slice) = self.find(&input, &request.headers, ignored)?;
        let partial = slice.partial;
        let (mut described, seat) = describe(&input, &found, &slice);
        described.restore = restore_header(found.object(), self.store.now());
        described.expiration = self.expiration(&input.bucket, &input.key, &found.version);
        self.tell("s3:ObjectAccessed:Head", &input.bucket, &input.key, &found.version);
        let tag_count = described.tag_count;
        let status = if partial { http::StatusCode::PARTIAL_CONTENT } else { http::StatusCode::OK };
        let mut response = Seat::answer(seat, as_head(described));
        response.status = Some(status);
        // S3 sends it with HEAD as with GET; the protocol crate knows it with GET alone.
        if let Some(count) = tag_count {
            response.headers.insert("x-amz-tagging-count", count.into());
        }
        if found.protected {
            tell_retention(&mut response.headers, &found.version);
        }
        Ok(response)
    }

    fn find(
        &self,
        input: &GetObjectInput,
        headers: &http::HeaderMap,
        ignored: Ignored,
    ) -> Result<(Found, Slice), S3Error> {
        let version_id = wire::version_id(input.version_id.clone());
        let found = self.store.read(&input.bucket, |bucket| {
            let mut found = bucket.find(&input.key, version_id.as_ref());
            if found.is_err() && ignored.last_slash {
                found = bucket.find(&format!("{}/", input.key), version_id.as_ref());
            }
            let version = found?.clone();
            let (versioned, protected) = (bucket.is_versioned(), bucket.settings.protection.is_some());
            Ok(Found { version, versioned, protected })
        })?;
        if !ignored.conditions {
            let since = |value: &Option<_>| value.as_ref().map(wire::system_time);
            let conditions = ReadConditions {
                if_match: wire::etags_header(headers, "if-match"),
                if_none_match: wire::etags_header(headers, "if-none-match"),
                if_modified_since: since(&input.if_modified_since),
                if_unmodified_since: since(&input.if_unmodified_since),
            };
            conditions.check_read(&found.object().etag, found.version.modified)?;
        }
        let range = input.range.filter(|_| !ignored.range);
        let slice = slice(found.object(), range, input.part_number)?;
        Ok((found, slice))
    }
}

fn slice(object: &Object, range: Option<Range>, part: Option<i32>) -> Result<Slice, S3Error> {
    let len = object.content.len();
    match (range, part) {
        (Some(_), Some(_)) => {
            Err(Refusal::request("Cannot specify both Range header and partNumber query parameter").into())
        }
        (None, None) => Ok(Slice { range: ByteRange::new(0, len), partial: false, part: None }),
        (Some(range), None) => {
            let cut =
                range.check(len).ok().filter(|cut| !cut.is_empty()).ok_or_else(|| unsatisfiable(len))?;
            Ok(Slice { range: ByteRange::new(cut.start, cut.end), partial: true, part: None })
        }
        (None, Some(number)) => part_slice(object, number),
    }
}

fn unsatisfiable(len: u64) -> S3Error {
    let mut error: S3Error =
        Refusal::new(416, "InvalidRange", "The requested range is not satisfiable").into();
    if let Ok(value) = http::HeaderValue::from_str(&format!("bytes */{len}")) {
        let xml = http::HeaderValue::from_static("application/xml");
        let headers = [(http::header::CONTENT_RANGE, value), (http::header::CONTENT_TYPE, xml)];
        error.set_headers(headers.into_iter().collect());
    }
    error
}

/// A whole object counts as its own part 1.
fn part_slice(object: &Object, number: i32) -> Result<Slice, S3Error> {
    let invalid = || Refusal::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    let number = u32::try_from(number).map_err(|_| invalid())?;
    if object.parts.is_empty() {
        let len = object.content.len();
        let whole = Slice { range: ByteRange::new(0, len), partial: len > 0, part: Some(number) };
        return if number == 1 { Ok(whole) } else { Err(invalid().into()) };
    }
    let mut start = 0;
    for part in &object.parts {
        if part.number == number {
            let range = ByteRange::sized(start, part.size);
            return Ok(Slice { range, partial: true, part: Some(number) });
        }
        start += part.size;
    }
    Err(invalid().into())
}

/// The checksum that goes with the bytes of a reply: none with a range. That of one of several parts is known where
/// the object's is made of those of its parts.
fn sums(object: &Object, slice: &Slice) -> Sums {
    let part = object.parts.iter().find(|part| Some(part.number) == slice.part);
    match (part, object.checksum.kind) {
        (Some(part), Kind::Composite) => Sums {
            kind: Some(kind_name(Kind::Composite)),
            ..Sums::of_part(&part.checksums, object.checksum.algorithm)
        },
        (Some(_), Kind::FullObject) if object.parts.len() > 1 => Sums::default(),
        (None, _) if slice.partial && slice.part.is_none() => Sums::default(),
        _ => Sums::of(&object.checksum),
    }
}

/// The head of a reply, for GET and HEAD alike.
fn describe(input: &GetObjectInput, found: &Found, slice: &Slice) -> (GetObjectOutput, Option<Seat>) {
    let (object, about) = (found.object(), &found.object().about);
    let asked = input.checksum_mode.as_ref().is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    let sums = if asked { sums(object, slice) } else { Sums::default() };
    let Slice { range, partial, part } = slice;
    let parts_count = part.and_then(|_| i32::try_from(object.parts.len()).ok()).filter(|count| *count > 0);
    let content_range =
        partial.then(|| format!("bytes {}-{}/{}", range.start, range.end.max(1) - 1, object.content.len()));
    let retention = object.lock.retention;
    let text = |over: &Option<String>, own: &Option<String>| over.clone().or_else(|| own.clone());
    let seat = sums.seat;
    let output = with_sums!(sums; GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: text(&input.response_cache_control, &about.cache_control),
        checksum_type: sums.kind,
        content_disposition: text(&input.response_content_disposition, &about.content_disposition),
        content_encoding: text(&input.response_content_encoding, &about.content_encoding),
        content_language: text(&input.response_content_language, &about.content_language),
        content_length: i64::try_from(range.len()).ok(),
        content_range,
        content_type: text(&input.response_content_type, &about.content_type)
            .or_else(|| Some("binary/octet-stream".to_owned())),
        e_tag: Some(wire::etag(&object.etag)),
        expires: input.response_expires.clone().or_else(|| about.expires.map(timestamp)),
        last_modified: Some(timestamp(found.version.modified)),
        metadata: metadata(&about.metadata),
        object_lock_legal_hold_status: object.lock.legal_hold.then(|| wire::hold_status(true)),
        object_lock_mode: retention.map(|it| ObjectLockMode::from_static(wire::mode_name(it.mode))),
        object_lock_retain_until_date: retention.map(|it| timestamp(it.until)),
        parts_count,
        bucket_key_enabled: about.encryption.as_ref().and_then(|it| it.bucket_key),
        server_side_encryption: about.encryption.as_ref().map(|it| it.kind.clone().into()),
        ssekms_key_id: about.encryption.as_ref().and_then(|it| it.key.clone()),
        storage_class: about.storage_class.clone().map(StorageClass::from),
        tag_count: i32::try_from(about.tags.len()).ok().filter(|count| *count > 0),
        version_id: shown_version(&found.version.id, found.versioned),
        website_redirect_location: about.website_redirect.clone(),
        ..Default::default()
    });
    (output, seat)
}

fn metadata(metadata: &BTreeMap<String, String>) -> Option<Metadata> {
    let pairs = metadata.iter().map(|(name, value)| (name.clone(), value.clone()));
    (!metadata.is_empty()).then(|| pairs.collect())
}

fn as_get(input: HeadObjectInput) -> GetObjectInput {
    GetObjectInput {
        bucket: input.bucket,
        checksum_mode: input.checksum_mode,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
        key: input.key,
        part_number: input.part_number,
        range: input.range,
        response_cache_control: input.response_cache_control,
        response_content_disposition: input.response_content_disposition,
        response_content_encoding: input.response_content_encoding,
        response_content_language: input.response_content_language,
        response_content_type: input.response_content_type,
        response_expires: input.response_expires,
        version_id: input.version_id,
        ..Default::default()
    }
}

fn as_head(output: GetObjectOutput) -> HeadObjectOutput {
    HeadObjectOutput {
        accept_ranges: output.accept_ranges,
        cache_control: output.cache_control,
        checksum_crc32: output.checksum_crc32,
        checksum_crc32c: output.checksum_crc32c,
        checksum_crc64nvme: output.checksum_crc64nvme,
        checksum_sha1: output.checksum_sha1,
        checksum_sha256: output.checksum_sha256,
        checksum_type: output.checksum_type,
        content_disposition: output.content_disposition,
        content_encoding: output.content_encoding,
        content_language: output.content_language,
        content_length: output.content_length,
        content_range: output.content_range,
        content_type: output.content_type,
        e_tag: output.e_tag,
        expiration: output.expiration,
        expires: output.expires,
        last_modified: output.last_modified,
        metadata: output.metadata,
        object_lock_legal_hold_status: output.object_lock_legal_hold_status,
        object_lock_mode: output.object_lock_mode,
        object_lock_retain_until_date: output.object_lock_retain_until_date,
        parts_count: output.parts_count,
        bucket_key_enabled: output.bucket_key_enabled,
        restore: output.restore,
        server_side_encryption: output.server_side_encryption,
        ssekms_key_id: output.ssekms_key_id,
        storage_class: output.storage_class,
        version_id: output.version_id,
        website_redirect_location: output.website_redirect_location,
        ..Default::default()
    }
}

/// The body of a reply, with its exact length.
pub(super) struct Outgoing(pub ContentStream);

impl futures_util::Stream for Outgoing {
    type Item = Result<bytes::Bytes, StdError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.0).poll_next(cx).map_err(Into::into)
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(self.0.remaining() as usize)
    }
}
