//! Listings of objects, versions and uploads.
//!
//! Asked for `encoding-type=url`, keys, prefixes, delimiters and markers go out percent-encoded. The listing of
//! versions is written here and not by `s3s`, which would separate versions from delete markers: their order
//! within a key is what a client wants to know.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, EncodingType, Initiator, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, Object as ObjectDto,
    ObjectStorageClass, StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::wire;
use super::{Api, owner, timestamp};
use crate::base::timestamp::rfc3339_millis;
use crate::embedded::options::Limits;
use crate::embedded::storage::listing::{self, Page, Query, Start, VersionEntry};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::Version;

/// A body that takes the place of the one that `s3s` writes.
#[derive(Clone, Debug)]
pub struct Document(pub bytes::Bytes);

pub(super) fn page_limit(asked: Option<i32>, limits: &Limits) -> Result<usize, Refusal> {
    let Some(asked) = asked else { return Ok(limits.page_keys_max) };
    let asked = usize::try_from(asked);
    let asked = asked
        .map_err(|_| Refusal::argument("Argument maxKeys must be an integer between 0 and 2147483647"))?;
    Ok(asked.min(limits.page_keys_max))
}

/// How names go out.
#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Url,
}

/// Everything that is not plain in a URL; the slash stays readable.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

impl Encoding {
    fn of(asked: Option<&EncodingType>) -> Result<Self, Refusal> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(_) => Err(Refusal::argument("Invalid Encoding Method specified in Request")),
        }
    }

    fn encode(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Url => utf8_percent_encode(name, ENCODED).to_string(),
        }
    }

    fn encode_all(self, name: Option<String>) -> Option<String> {
        name.map(|name| self.encode(&name))
    }

    fn name(self) -> Option<EncodingType> {
        match self {
            Self::Plain => None,
            Self::Url => Some(EncodingType::from_static(EncodingType::URL)),
        }
    }

    fn prefixes(self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let prefix = |prefix: &String| CommonPrefix { prefix: Some(self.encode(prefix)) };
        Some(prefixes.iter().map(prefix).collect())
    }

    fn objects(self, page: &Page<(String, std::sync::Arc<Version>)>, owned: bool) -> Option<Vec<ObjectDto>> {
        Some(page.entries.iter().map(|(key, version)| self.object(key, version, owned)).collect())
    }

    fn object(self, key: &str, version: &Version, owned: bool) -> ObjectDto {
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
            checksum_type: checksum.map(|sum| wire::kind_name(sum.kind)),
            owner: owned.then(owner),
            restore_status: None,
        }
    }
}

fn standard() -> String {
    ObjectStorageClass::STANDARD.to_owned()
}

/// An empty delimiter is none.
fn given(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
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
    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let (limit, encoding) =
            (page_limit(input.max_keys, &self.store.limits)?, Encoding::of(input.encoding_type.as_ref())?);
        let query = Query { prefix: given(&input.prefix), delimiter: given(&input.delimiter), limit };
        let resumed = input.continuation_token.as_deref().map(open_token).transpose()?;
        let start = if resumed.is_some() { after(&resumed) } else { after(&input.start_after) };
        let page =
            self.store.read(&input.bucket, |bucket| Ok(listing::objects(&bucket.keys, query, start)))?;
        let next = page.next.as_ref().map(|(key, _)| token_after(key.as_bytes()));
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: count(page.entries.len() + page.prefixes.len()),
            max_keys: count(limit),
            is_truncated: Some(next.is_some()),
            contents: encoding.objects(&page, input.fetch_owner == Some(true)),
            common_prefixes: encoding.prefixes(&page.prefixes),
            next_continuation_token: next,
            continuation_token: input.continuation_token,
            name: Some(input.bucket),
            prefix: Some(encoding.encode(given(&input.prefix))),
            delimiter: encoding.encode_all(input.delimiter),
            start_after: encoding.encode_all(input.start_after),
            encoding_type: encoding.name(),
            ..Default::default()
        }))
    }

    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
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
            contents: encoding.objects(&page, true),
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
        let upload = |start: &std::sync::Arc<crate::embedded::storage::multipart::Start>| MultipartUpload {
            checksum_algorithm: start
                .choice
                .map(|choice| ChecksumAlgorithm::from_static(choice.algorithm.name())),
            checksum_type: start.choice.map(|choice| wire::kind_name(choice.kind)),
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

/// Text of an element. XML 1.0 has no way to say most control characters; S3 writes references to them
/// nevertheless, and so do we: clients that meet such keys ask for `encoding-type=url`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push_str(&format!("&#x{:x};", c as u32)),
            c => escaped.push(c),
        }
    }
    escaped
}

fn element(xml: &mut String, name: &str, text: &str) {
    let text = escape(text);
    let _ = write!(xml, "<{name}>{text}</{name}>");
}

fn versions_document(
    input: &ListObjectVersionsInput,
    limit: usize,
    encoding: Encoding,
    page: &Page<VersionEntry>,
) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    element(&mut xml, "Name", &input.bucket);
    element(&mut xml, "Prefix", &encoding.encode(given(&input.prefix)));
    element(&mut xml, "KeyMarker", &encoding.encode(given(&input.key_marker)));
    element(&mut xml, "VersionIdMarker", given(&input.version_id_marker));
    if let Some((key, id)) = &page.next {
        element(&mut xml, "NextKeyMarker", &encoding.encode(key));
        element(&mut xml, "NextVersionIdMarker", given(id));
    }
    element(&mut xml, "MaxKeys", &limit.to_string());
    if let Some(delimiter) = input.delimiter.as_deref() {
        element(&mut xml, "Delimiter", &encoding.encode(delimiter));
    }
    if let Some(name) = encoding.name() {
        element(&mut xml, "EncodingType", name.as_str());
    }
    element(&mut xml, "IsTruncated", if page.next.is_some() { "true" } else { "false" });
    page.entries.iter().for_each(|entry| version_element(&mut xml, encoding, entry));
    for prefix in &page.prefixes {
        xml.push_str("<CommonPrefixes>");
        element(&mut xml, "Prefix", &encoding.encode(prefix));
        xml.push_str("</CommonPrefixes>");
    }
    xml.push_str("</ListVersionsResult>");
    xml
}

fn version_element(xml: &mut String, encoding: Encoding, entry: &VersionEntry) {
    let version = &entry.version;
    let name = if version.is_marker() { "DeleteMarker" } else { "Version" };
    let _ = write!(xml, "<{name}>");
    element(xml, "Key", &encoding.encode(&entry.key));
    element(xml, "VersionId", &version.id.to_string());
    element(xml, "IsLatest", if entry.latest { "true" } else { "false" });
    element(xml, "LastModified", &rfc3339_millis(version.modified));
    if let Some(object) = &version.object {
        element(xml, "ETag", &format!("\"{}\"", object.etag));
        element(xml, "ChecksumAlgorithm", object.checksum.algorithm.name());
        element(xml, "ChecksumType", wire::kind_name(object.checksum.kind).as_str());
        element(xml, "Size", &object.content.len().to_string());
        element(
            xml,
            "StorageClass",
            object.about.storage_class.as_deref().unwrap_or(ObjectStorageClass::STANDARD),
        );
    }
    let owner = owner();
    xml.push_str("<Owner>");
    element(xml, "ID", given(&owner.id));
    element(xml, "DisplayName", given(&owner.display_name));
    let _ = write!(xml, "</Owner></{name}>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_so_that_plus_and_space_both_survive() {
        assert_eq!(Encoding::Url.encode("a b+c/d\u{1}é%"), "a%20b%2Bc/d%01%C3%A9%25");
        assert_eq!(Encoding::Plain.encode("a b"), "a b");
    }

    #[test]
    fn text_is_escaped_down_to_control_characters() {
        assert_eq!(escape("<a&\"b\">\u{1}\n"), "&lt;a&amp;&quot;b&quot;&gt;&#x1;&#xa;");
    }

    #[test]
    fn tokens_open_only_as_they_were_sealed() {
        let token = URL_SAFE_NO_PAD.encode("key\u{1}/ü");
        assert_eq!(open_token(&token).unwrap(), "key\u{1}/ü");
        assert_eq!(open_token("!!").unwrap_err().code, "InvalidArgument");
    }
}
