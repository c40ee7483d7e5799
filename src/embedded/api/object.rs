//! Reading and writing one object.

use std::collections::BTreeMap;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use s3s::dto::{
    ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Metadata,
    ObjectLockMode, PutObjectInput, PutObjectOutput, Range, StorageClass, StreamingBlob,
};
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError};

use super::access::signed_by;
use super::acl::check_acl;
use super::given::{Given, take_headers};
use super::ibm::{Kept, tell_retention};
use super::integrity::Claims;
use super::receive::{Received, Terms, receive};
use super::restore::{check_readable, restore_header};
use super::snowball::Unpacking;
use super::wire::{self, shown_version};
use super::{Api, Ignored, ignored, timestamp};
use crate::base::ranges::ByteRange;
use crate::embedded::blob::ContentStream;
use crate::embedded::options::Limits;
use crate::embedded::storage::algorithm::Algorithm;
use crate::embedded::storage::bucket::Versioning;
use crate::embedded::storage::checksum::{Checksum, Choice};
use crate::embedded::storage::condition::ReadConditions;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, NewObject, Object, Tags, Version};

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
    parts: Option<i32>,
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
        let mut output = describe(&request.input, &found, &slice);
        output.restore = restore_header(object, self.store.now());
        output.expiration = self.expiration(&request.input.bucket, &request.input.key, &found.version);
        self.tell("s3:ObjectAccessed:Get", &request.input.bucket, &request.input.key, &found.version);
        let content = if slice.partial { object.content.slice(slice.range) } else { object.content.clone() };
        output.body = Some(StreamingBlob::new(Outgoing(content.stream())));
        let mut response = S3Response::new(output);
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
        let mut described = describe(&input, &found, &slice);
        described.restore = restore_header(found.object(), self.store.now());
        described.expiration = self.expiration(&input.bucket, &input.key, &found.version);
        self.tell("s3:ObjectAccessed:Head", &input.bucket, &input.key, &found.version);
        let tag_count = described.tag_count;
        let status = if partial { http::StatusCode::PARTIAL_CONTENT } else { http::StatusCode::OK };
        let mut response = S3Response::with_status(as_head(described), status);
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
            let settings = &bucket.settings;
            let (versioned, protected) =
                (settings.versioning != Versioning::Off, settings.protection.is_some());
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

    pub(super) async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let offset = request.input.write_offset_bytes;
        if let Some(offset) = offset
            && let Some(base) = self.grown(&request.input, offset)?
        {
            return self.append(request, base).await;
        }
        let ignored = ignored(&request);
        let is_form = request.extensions.get::<super::Form>().is_some();
        let who = signed_by(&request.extensions);
        let (mut input, headers) = (request.input, request.headers);
        if is_form {
            // Its key was not known when the request was let in.
            self.may(who, "PutObject", &input.bucket, Some(&input.key), &Default::default())?;
        }
        let Given { about, lock: asked, acl } = take_headers!(input).understand()?;
        check_about(&about, &self.store.limits)?;
        let kept = Kept::read(&headers, self.store.now())?;
        let asked = kept.lock(asked);
        let mut claims = Claims::read(&headers)?;
        claims.length = claims.length.filter(|_| !is_form);
        if claims.length.is_none() && !is_form {
            return Err(S3ErrorCode::MissingContentLength.into());
        }
        let conditions = wire::write_conditions(&headers).map(|found| found_unless(found, ignored))?;
        let early = headers.contains_key(http::header::EXPECT);
        let locks = self.store.read(&input.bucket, |bucket| {
            // With `Expect: 100-continue` the body is not even asked for.
            if early {
                bucket.check(&input.key, &conditions)?
            }
            check_acl(bucket, acl.as_deref())?;
            kept.check(bucket)?;
            bucket.lock_for(asked, self.store.now())
        })?;
        if claims.is_bare() && locks != Default::default() {
            let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock \
                           parameters";
            return Err(Refusal::request(message).into());
        }
        let algorithm = claims.algorithm().unwrap_or(Choice::default().algorithm);
        let bytes_max = self.store.limits.put_bytes_max;
        let terms = Terms { claims, bytes_max, algorithm: Some(algorithm), etags: self.etags };
        let received = receive(&self.store, input.body.take(), request.trailing_headers, terms).await?;
        let checksum = whole_checksum(&received, algorithm)?;
        if let Some(unpacking) = Unpacking::asked(&input.key, &about, who) {
            self.unpack(&input.bucket, &received.content, &unpacking, asked).await?;
            let e_tag = Some(wire::etag(&received.etag));
            return Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }));
        }
        let parts = Vec::new();
        let (version, versioned) = self
            .store
            .write(&input.bucket, |bucket, scope, stamp| {
                bucket.check(&input.key, &conditions)?;
                let lock = bucket.lock_for(asked, stamp.now)?;
                let Received { content, etag, .. } = received;
                let object = NewObject { content, etag, checksum, parts, about: Box::new(about), lock, acl };
                let mut object = Object::new(object);
                kept.hold(&mut object, stamp.now)?;
                let version = bucket.put_again(scope, &input.key, object, stamp)?;
                Ok((version, bucket.settings.versioning != Versioning::Off))
            })
            .await?;
        let event = if is_form { "s3:ObjectCreated:Post" } else { "s3:ObjectCreated:Put" };
        self.tell(event, &input.bucket, &input.key, &version);
        let mut output = put_output(&version, versioned);
        output.expiration = self.expiration(&input.bucket, &input.key, &version);
        let size = version.object.as_ref().and_then(|object| i64::try_from(object.content.len()).ok());
        output.size = size.filter(|_| offset.is_some());
        Ok(S3Response::new(output))
    }
}

pub(super) fn found_unless(
    conditions: crate::embedded::storage::condition::WriteConditions,
    ignored: Ignored,
) -> crate::embedded::storage::condition::WriteConditions {
    if ignored.conditions { Default::default() } else { conditions }
}

fn whole_checksum(received: &Received, algorithm: Algorithm) -> Result<Checksum, Refusal> {
    let value = received.checksums.get(&algorithm);
    let value = value.ok_or_else(|| Refusal::internal("the object's checksum was not computed"))?;
    Ok(Checksum::whole(algorithm, value))
}

pub(super) fn put_output(version: &Version, versioned: bool) -> PutObjectOutput {
    let object = version.object.as_ref();
    let sums = object.map(|object| wire::Sums::of(&object.checksum)).unwrap_or_default();
    let encryption = object.and_then(|object| object.about.encryption.as_ref());
    PutObjectOutput {
        e_tag: object.map(|object| wire::etag(&object.etag)),
        version_id: shown_version(&version.id, versioned),
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: sums.kind,
        bucket_key_enabled: encryption.and_then(|it| it.bucket_key),
        server_side_encryption: encryption.map(|it| it.kind.clone().into()),
        ssekms_key_id: encryption.and_then(|it| it.key.clone()),
        ..Default::default()
    }
}

fn slice(object: &Object, range: Option<Range>, part: Option<i32>) -> Result<Slice, S3Error> {
    let len = object.content.len();
    match (range, part) {
        (Some(_), Some(_)) => {
            Err(Refusal::request("Cannot specify both Range header and partNumber query parameter").into())
        }
        (None, None) => Ok(Slice { range: ByteRange::new(0, len), partial: false, parts: None }),
        (Some(range), None) => {
            let cut =
                range.check(len).ok().filter(|cut| !cut.is_empty()).ok_or_else(|| unsatisfiable(len))?;
            Ok(Slice { range: ByteRange::new(cut.start, cut.end), partial: true, parts: None })
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
    let len = object.content.len();
    let invalid = || Refusal::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    if object.parts.is_empty() {
        let whole = Slice { range: ByteRange::new(0, len), partial: len > 0, parts: None };
        return if number == 1 { Ok(whole) } else { Err(invalid().into()) };
    }
    let mut start = 0;
    for part in &object.parts {
        if i64::from(part.number) == i64::from(number) {
            let parts = i32::try_from(object.parts.len()).ok();
            return Ok(Slice { range: ByteRange::sized(start, part.size), partial: true, parts });
        }
        start += part.size;
    }
    Err(invalid().into())
}

/// The head of a reply, for GET and HEAD alike.
fn describe(input: &GetObjectInput, found: &Found, slice: &Slice) -> GetObjectOutput {
    let (object, about) = (found.object(), &found.object().about);
    let asked = input.checksum_mode.as_ref().is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    let sums = if asked && !slice.partial { wire::Sums::of(&object.checksum) } else { wire::Sums::default() };
    let Slice { range, partial, parts } = slice;
    let content_range =
        partial.then(|| format!("bytes {}-{}/{}", range.start, range.end.max(1) - 1, object.content.len()));
    let retention = object.lock.retention;
    let text = |over: &Option<String>, own: &Option<String>| over.clone().or_else(|| own.clone());
    GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: text(&input.response_cache_control, &about.cache_control),
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
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
        parts_count: *parts,
        bucket_key_enabled: about.encryption.as_ref().and_then(|it| it.bucket_key),
        server_side_encryption: about.encryption.as_ref().map(|it| it.kind.clone().into()),
        ssekms_key_id: about.encryption.as_ref().and_then(|it| it.key.clone()),
        storage_class: about.storage_class.clone().map(StorageClass::from),
        tag_count: i32::try_from(about.tags.len()).ok().filter(|count| *count > 0),
        version_id: shown_version(&found.version.id, found.versioned),
        website_redirect_location: about.website_redirect.clone(),
        ..Default::default()
    }
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

/// `aws-chunked` was an encoding of the transfer.
pub(super) fn stored_encoding(header: Option<String>) -> Option<String> {
    let header = header?;
    let kept: Vec<&str> =
        header.split(',').map(str::trim).filter(|encoding| *encoding != "aws-chunked").collect();
    Some(kept.join(",")).filter(|kept| !kept.is_empty())
}

pub(super) fn storage_class(class: Option<StorageClass>) -> Result<Option<String>, Refusal> {
    const KNOWN: [&str; 7] = [
        StorageClass::REDUCED_REDUNDANCY,
        StorageClass::STANDARD_IA,
        StorageClass::ONEZONE_IA,
        StorageClass::INTELLIGENT_TIERING,
        StorageClass::GLACIER,
        StorageClass::DEEP_ARCHIVE,
        StorageClass::GLACIER_IR,
    ];
    match class.as_ref().map(StorageClass::as_str) {
        None | Some(StorageClass::STANDARD) => Ok(None),
        Some(name) if KNOWN.contains(&name) => Ok(Some(name.to_owned())),
        Some(_) => {
            Err(Refusal::new(400, "InvalidStorageClass", "The storage class you specified is not valid"))
        }
    }
}

/// Tags as in `x-amz-tagging`: a form.
pub(super) fn parse_tags(header: &str) -> Result<Tags, Refusal> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned())
    };
    let invalid = || {
        Refusal::argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
                                        parameters without tag name duplicates.",
        )
    };
    let mut tags = Tags::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode(key).map_err(|_| invalid())?, decode(value).map_err(|_| invalid())?);
        if tags.insert(key, value).is_some() {
            return Err(invalid());
        }
    }
    Ok(tags)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
pub(super) fn check_tags(tags: &Tags, limits: &Limits) -> Result<(), Refusal> {
    if tags.len() > limits.tags_max {
        let message = format!("Object tags cannot be greater than {}", limits.tags_max);
        return Err(Refusal::new(400, "BadRequest", message));
    }
    let legal =
        |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c));
    for (key, value) in tags {
        let key_fits = (1..=128).contains(&key.chars().count()) && !key.starts_with("aws:") && legal(key);
        if !key_fits {
            return Err(Refusal::new(400, "InvalidTag", "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !legal(value) {
            return Err(Refusal::new(400, "InvalidTag", "The TagValue you have provided is invalid"));
        }
    }
    Ok(())
}

pub(super) fn check_about(about: &About, limits: &Limits) -> Result<(), Refusal> {
    let size: usize = about.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > limits.metadata_bytes_max {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(Refusal::new(400, "MetadataTooLarge", message));
    }
    check_tags(&about.tags, limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_as_a_form() {
        let tags = |header| parse_tags(header).map_err(|refusal| refusal.code);
        let pairs = |list: &[(&str, &str)]| {
            Ok(list.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<Tags>())
        };
        assert_eq!(tags("a=1&b=x%20y+z"), pairs(&[("a", "1"), ("b", "x y z")]));
        assert_eq!(tags("bare"), pairs(&[("bare", "")]));
        assert_eq!(tags("%C3%BC=%2B"), pairs(&[("ü", "+")]));
        assert_eq!(tags("a=1&a=2"), Err("InvalidArgument"));
        assert_eq!(tags(""), pairs(&[]));
    }

    #[test]
    fn tags_are_limited_in_number_length_and_letters() {
        let check = |tags: Vec<(String, String)>| {
            check_tags(&tags.into_iter().collect(), &Limits::default())
                .map_or_else(|refusal| refusal.code, |()| "OK")
        };
        let one = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        assert_eq!(check((0..10).map(|n| (n.to_string(), String::new())).collect()), "OK");
        assert_eq!(check((0..11).map(|n| (n.to_string(), String::new())).collect()), "BadRequest");
        assert_eq!(check(one(&"k".repeat(128), &"v".repeat(256))), "OK");
        assert_eq!(check(one(&"k".repeat(129), "")), "InvalidTag");
        assert_eq!(check(one("", "")), "InvalidTag");
        assert_eq!(check(one("k", &"v".repeat(257))), "InvalidTag");
        assert_eq!(check(one("aws:k", "")), "InvalidTag");
        assert_eq!(check(one("k", "a&b")), "InvalidTag");
        assert_eq!(check(one("ключ", "значение @ +-=._:/")), "OK");
    }

    #[test]
    fn the_transfer_encoding_is_not_stored() {
        let stored = |header: &str| stored_encoding(Some(header.to_owned()));
        assert_eq!(stored("aws-chunked"), None);
        assert_eq!(stored("gzip,aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(stored("gzip").as_deref(), Some("gzip"));
    }
}
