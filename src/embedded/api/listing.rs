//! Listings of objects, versions and uploads.
//!
//! Asked for `encoding-type=url`, keys, prefixes, delimiters and markers go out percent-encoded. The listing of
//! versions is written here and not by `s3s`, which would separate versions from delete markers: their order
//! within a key is what a client wants to know.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    ChecksumAlgorithm, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, Object as ObjectDto, ObjectStorageClass,
    StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::instead::Document;
use super::listed::{Encoding, given, metadata_document, versions_document};
use super::restore::restore_status;
use super::sums::kind_name;
use super::wire;
use super::{Api, owner, timestamp};
use crate::embedded::operation::Query as HttpQuery;
use crate::embedded::options::Limits;
use crate::embedded::storage::listing::{self, Page, Query, Start};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::Version;

pub(super) fn page_limit(asked: Option<i32>, limits: &Limits) -> Result<usize, Refusal> {
    let Some(asked) = asked else { return Ok(limits.page_keys_max) };
    let asked = usize::try_from(asked);
    let asked = asked
        .map_err(|_| Refusal::argument("Argument maxKeys must be an integer between 0 and 2147483647"))?;
    Ok(asked.min(limits.page_keys_max))
}

impl Encoding {
    fn objects(
        self,
        page: &Page<(String, Arc<Version>)>,
        owned: bool,
        restores: Option<SystemTime>,
    ) -> Option<Vec<ObjectDto>> {
        Some(page.entries.iter().map(|(key, version)| self.object(key, version, owned, restores)).collect())
    }

    fn object(self, key: &str, version: &Version, owned: bool, restores: Option<SystemTime>) -> ObjectDto {
        let object = version.object.as_ref();
        let class = object.and_then(|object| object.about.storage_class.clone());
        let checksum = object.map(|object| &object.checksum);
        ObjectDto {
            key: Some(self.encode(key)),
            last_modified: Some(timestamp(version.modified)),
            e_tag: object.map(|object| wire::etag(&object.etag)),
            size: object.and_then(|object| i64::try_from(object.content.len()).ok()),
            storage_class: Some(ObjectStorageClass::from(class.unwrap_or_else(standard))),
            checksum_algorithm: checksum
                .map(|sum| vec![ChecksumAlgorithm::from_static(sum.algorithm.name())]),
            checksum_type: checksum.map(|sum| kind_name(sum.kind)),
            owner: owned.then(owner),
            restore_status: object.zip(restores).and_then(|(object, now)| restore_status(object, now)),
        }
    }
}

fn standard() -> String {
    ObjectStorageClass::STANDARD.to_owned()
}

fn after(marker: &Option<String>) -> Start<'_> {
    match marker.as_deref() {
        None | Some("") => Start::First,
        Some(marker) => Start::After(marker),
    }
}

fn count(number: usize) -> Option<i32> {
    i32::try_from(number).ok()
}

impl Api {
    /// Now, if the client wants to know how archived objects stand.
    fn asked_restores(&self, headers: &http::HeaderMap) -> Option<SystemTime> {
        let asked = wire::list_header(headers, "x-amz-optional-object-attributes")?;
        asked.split(',').any(|name| name.trim() == "RestoreStatus").then(|| self.store.now())
    }

    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let uri = HttpQuery(request.uri.query().unwrap_or_default());
        let with_metadata = uri.get("metadata") == Some("true");
        let restores = self.asked_restores(&request.headers);
        let input = request.input;
        let (limit, encoding) =
            (page_limit(input.max_keys, &self.store.limits)?, Encoding::of(input.encoding_type.as_ref())?);
        let query = Query { prefix: given(&input.prefix), delimiter: given(&input.delimiter), limit };
        let resumed = input.continuation_token.as_deref().map(open_token).transpose()?;
        let start = if resumed.is_some() { after(&resumed) } else { after(&input.start_after) };
        let page =
            self.store.read(&input.bucket, |bucket| Ok(listing::objects(&bucket.keys, query, start)))?;
        let next = page.next.as_ref().map(|(key, _)| token_after(key.as_bytes()));
        let owned = input.fetch_owner == Some(true);
        let output = ListObjectsV2Output {
            key_count: count(page.entries.len() + page.prefixes.len()),
            max_keys: count(limit),
            is_truncated: Some(next.is_some()),
            contents: encoding.objects(&page, owned, restores),
            common_prefixes: encoding.prefixes(&page.prefixes),
            next_continuation_token: next,
            continuation_token: input.continuation_token,
            name: Some(input.bucket),
            prefix: Some(encoding.encode(given(&input.prefix))),
            delimiter: encoding.encode_all(input.delimiter),
            start_after: encoding.encode_all(input.start_after),
            encoding_type: encoding.name(),
            ..Default::default()
        };
        let told = with_metadata.then(|| metadata_document(&output, encoding, &page, owned));
        let mut response = S3Response::new(output);
        if let Some(told) = told {
            response.extensions.insert(Document(told.into()));
        }
        Ok(response)
    }

    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let restores = self.asked_restores(&request.headers);
        let input = request.input;
        let (limit, encoding) =
            (page_limit(input.max_keys, &self.store.limits)?, Encoding::of(input.encoding_type.as_ref())?);
        let query = Query { prefix: given(&input.prefix), delimiter: given(&input.delimiter), limit };
        let start = after(&input.marker);
        let page =
            self.store.read(&input.bucket, |bucket| Ok(listing::objects(&bucket.keys, query, start)))?;
        let next = page.next.as_ref().map(|(key, _)| key.clone());
        Ok(S3Response::new(ListObjectsOutput {
            max_keys: count(limit),
            is_truncated: Some(next.is_some()),
            contents: encoding.objects(&page, true, restores),
            common_prefixes: encoding.prefixes(&page.prefixes),
            // Without a delimiter the last key is the marker.
            next_marker: encoding.encode_all(next).filter(|_| !query.delimiter.is_empty()),
            marker: Some(encoding.encode(given(&input.marker))),
            name: Some(input.bucket),
            prefix: Some(encoding.encode(given(&input.prefix))),
            delimiter: encoding.encode_all(input.delimiter),
            encoding_type: encoding.name(),
            ..Default::default()
        }))
    }

    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let (limit, encoding) =
            (page_limit(input.max_keys, &self.store.limits)?, Encoding::of(input.encoding_type.as_ref())?);
        let query = Query { prefix: given(&input.prefix), delimiter: given(&input.delimiter), limit };
        let start = match (input.key_marker.as_deref(), input.version_id_marker.as_deref()) {
            (None | Some(""), Some(_)) => {
                return Err(Refusal::argument(
                    "A version-id marker cannot be specified without a key marker.",
                )
                .into());
            }
            (Some(key), Some(id)) if !id.is_empty() => Start::Within(key, id),
            _ => after(&input.key_marker),
        };
        let page =
            self.store.read(&input.bucket, |bucket| Ok(listing::versions(&bucket.keys, query, start)))?;
        let mut response = S3Response::new(ListObjectVersionsOutput::default());
        response.extensions.insert(Document(versions_document(&input, limit, encoding, &page).into()));
        Ok(response)
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let (limit, encoding) =
            (page_limit(input.max_uploads, &self.store.limits)?, Encoding::of(input.encoding_type.as_ref())?);
        let query = Query { prefix: given(&input.prefix), delimiter: given(&input.delimiter), limit };
        let start = match (input.key_marker.as_deref(), input.upload_id_marker.as_deref()) {
            (Some(key), Some(id)) if !key.is_empty() && !id.is_empty() => Start::Within(key, id),
            _ => after(&input.key_marker),
        };
        let page =
            self.store.read(&input.bucket, |bucket| Ok(listing::uploads(&bucket.uploads, query, start)))?;
        let owner = owner();
        let upload = |start: &Arc<crate::embedded::storage::multipart::Start>| MultipartUpload {
            checksum_algorithm: start
                .choice
                .map(|choice| ChecksumAlgorithm::from_static(choice.algorithm.name())),
            checksum_type: start.choice.map(|choice| kind_name(choice.kind)),
            initiated: Some(timestamp(start.initiated)),
            initiator: Some(Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }),
            key: Some(encoding.encode(&start.key)),
            owner: Some(owner.clone()),
            storage_class: Some(StorageClass::from(
                start.about.storage_class.clone().unwrap_or_else(standard),
            )),
            upload_id: Some(start.id.clone()),
        };
        let uploads = page.entries.iter().map(upload).collect();
        let (next_key, next_upload) = page.next.clone().map_or((None, None), |(key, id)| (Some(key), id));
        Ok(S3Response::new(ListMultipartUploadsOutput {
            is_truncated: Some(next_key.is_some()),
            common_prefixes: encoding.prefixes(&page.prefixes),
            next_key_marker: encoding.encode_all(next_key),
            next_upload_id_marker: next_upload,
            max_uploads: count(limit),
            uploads: Some(uploads),
            bucket: Some(input.bucket),
            key_marker: Some(encoding.encode(given(&input.key_marker))),
            upload_id_marker: input.upload_id_marker.or(Some(String::new())),
            prefix: Some(encoding.encode(given(&input.prefix))),
            delimiter: encoding.encode_all(input.delimiter),
            encoding_type: encoding.name(),
            ..Default::default()
        }))
    }
}

/// A listing goes on after this key.
pub fn token_after(key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// Tokens are opaque to clients: the key, so that a change between two pages does no harm.
fn open_token(token: &str) -> Result<String, Refusal> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| Refusal::argument("The continuation token provided is incorrect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_open_only_as_they_were_sealed() {
        let token = URL_SAFE_NO_PAD.encode("key\u{1}/ü");
        assert_eq!(open_token(&token).unwrap(), "key\u{1}/ü");
        assert_eq!(open_token("!!").unwrap_err().code, "InvalidArgument");
    }
}
