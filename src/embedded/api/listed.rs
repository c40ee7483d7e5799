//! What listings say: how names go out, and the documents that this server writes itself, because `s3s` would lose
//! something of them.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectVersionsInput, ListObjectsV2Output, ObjectStorageClass,
};

use super::owner;
use super::sums::kind_name;
use super::xml::Xml;
use crate::base::timestamp::rfc3339_millis;
use crate::embedded::storage::listing::{Page, VersionEntry};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{About, Object, Version};

/// How names go out.
#[derive(Clone, Copy)]
pub enum Encoding {
    Plain,
    Url,
}

/// Everything that is not plain in a URL; the slash stays readable.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

impl Encoding {
    pub fn of(asked: Option<&EncodingType>) -> Result<Self, Refusal> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(_) => Err(Refusal::argument("Invalid Encoding Method specified in Request")),
        }
    }

    pub fn encode(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Url => utf8_percent_encode(name, ENCODED).to_string(),
        }
    }

    pub fn encode_all(self, name: Option<String>) -> Option<String> {
        name.map(|name| self.encode(&name))
    }

    pub fn name(self) -> Option<EncodingType> {
        match self {
            Self::Plain => None,
            Self::Url => Some(EncodingType::from_static(EncodingType::URL)),
        }
    }

    pub fn prefixes(self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let prefix = |prefix: &String| CommonPrefix { prefix: Some(self.encode(prefix)) };
        Some(prefixes.iter().map(prefix).collect())
    }
}

/// An empty delimiter is none.
pub fn given(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

pub fn versions_document(
    input: &ListObjectVersionsInput,
    limit: usize,
    encoding: Encoding,
    page: &Page<VersionEntry>,
) -> String {
    let mut xml = Xml::new("ListVersionsResult");
    xml.element("Name", &input.bucket);
    xml.element("Prefix", &encoding.encode(given(&input.prefix)));
    xml.element("KeyMarker", &encoding.encode(given(&input.key_marker)));
    xml.element("VersionIdMarker", given(&input.version_id_marker));
    if let Some((key, id)) = &page.next {
        xml.element("NextKeyMarker", &encoding.encode(key));
        xml.element("NextVersionIdMarker", given(id));
    }
    xml.element("MaxKeys", &limit.to_string());
    xml.some("Delimiter", encoding.encode_all(input.delimiter.clone()).as_deref());
    xml.some("EncodingType", encoding.name().as_ref().map(EncodingType::as_str));
    xml.boolean("IsTruncated", page.next.is_some());
    page.entries.iter().for_each(|entry| version_element(&mut xml, encoding, entry));
    for prefix in &page.prefixes {
        xml.group("CommonPrefixes", |xml| xml.element("Prefix", &encoding.encode(prefix)));
    }
    xml.end()
}

fn version_element(xml: &mut Xml, encoding: Encoding, entry: &VersionEntry) {
    let version = &entry.version;
    let name = if version.is_marker() { "DeleteMarker" } else { "Version" };
    xml.group(name, |xml| {
        xml.element("Key", &encoding.encode(&entry.key));
        xml.element("VersionId", &version.id.to_string());
        xml.boolean("IsLatest", entry.latest);
        xml.element("LastModified", &rfc3339_millis(version.modified));
        if let Some(object) = &version.object {
            object_elements(xml, object);
        }
        owner_element(xml);
    });
}

/// What every listing says of an object besides its name and time.
fn object_elements(xml: &mut Xml, object: &Object) {
    xml.element("ETag", &format!("\"{}\"", object.etag));
    xml.element("ChecksumAlgorithm", object.checksum.algorithm.name());
    xml.element("ChecksumType", kind_name(object.checksum.kind).as_str());
    xml.element("Size", &object.content.len().to_string());
    let class = object.about.storage_class.as_deref();
    xml.element("StorageClass", class.unwrap_or(ObjectStorageClass::STANDARD));
}

fn owner_element(xml: &mut Xml) {
    let owner = owner();
    xml.group("Owner", |xml| {
        xml.element("ID", given(&owner.id));
        xml.element("DisplayName", given(&owner.display_name));
    });
}

/// MinIO's answer to `metadata=true`: the second version of the listing, with the metadata of each object by the
/// names of their headers, and its tags as a form.
pub fn metadata_document(
    output: &ListObjectsV2Output,
    encoding: Encoding,
    page: &Page<(String, Arc<Version>)>,
    owned: bool,
) -> String {
    let mut xml = Xml::new("ListBucketResult");
    xml.some("Name", output.name.as_deref());
    xml.some("Prefix", output.prefix.as_deref());
    xml.some("Delimiter", output.delimiter.as_deref());
    xml.some("StartAfter", output.start_after.as_deref());
    xml.some("ContinuationToken", output.continuation_token.as_deref());
    xml.some("NextContinuationToken", output.next_continuation_token.as_deref());
    let numbers = [("KeyCount", output.key_count), ("MaxKeys", output.max_keys)];
    for (name, number) in numbers {
        xml.some(name, number.map(|number| number.to_string()).as_deref());
    }
    xml.some("EncodingType", encoding.name().as_ref().map(EncodingType::as_str));
    xml.boolean("IsTruncated", page.next.is_some());
    for (key, version) in &page.entries {
        let Some(object) = &version.object else { continue };
        xml.group("Contents", |xml| {
            xml.element("Key", &encoding.encode(key));
            xml.element("LastModified", &rfc3339_millis(version.modified));
            object_elements(xml, object);
            if owned {
                owner_element(xml);
            }
            metadata_elements(xml, &object.about);
        });
    }
    for prefix in &page.prefixes {
        xml.group("CommonPrefixes", |xml| xml.element("Prefix", &encoding.encode(prefix)));
    }
    xml.end()
}

fn metadata_elements(xml: &mut Xml, about: &About) {
    let form = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    xml.group("UserMetadata", |xml| {
        xml.some("content-type", about.content_type.as_deref());
        xml.some("content-encoding", about.content_encoding.as_deref());
        // Names of headers that are no names of elements cannot be told in XML.
        let named =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        for (name, value) in about.metadata.iter().filter(|(name, _)| named(name)) {
            xml.element(&format!("X-Amz-Meta-{}", capitals(name)), value);
        }
    });
    let tags: Vec<String> =
        about.tags.iter().map(|(key, value)| format!("{}={}", form(key), form(value))).collect();
    xml.element("UserTags", &tags.join("&"));
}

/// `my-name` as `My-Name`: how Go writes the names of headers.
fn capitals(name: &str) -> String {
    let mut first = true;
    let letter = |c: char| {
        let upper = std::mem::replace(&mut first, c == '-');
        if upper { c.to_ascii_uppercase() } else { c }
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_so_that_plus_and_space_both_survive() {
        assert_eq!(Encoding::Url.encode("a b+c/d\u{1}é%"), "a%20b%2Bc/d%01%C3%A9%25");
        assert_eq!(Encoding::Plain.encode("a b"), "a b");
    }
}
