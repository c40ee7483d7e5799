//! Listings. All ask for `encoding-type=url`, without which some keys have no XML, and undo it where the reply says
//! that it was done.
//!
//! A listing is believed only as far as it makes sense: an entry without its key, a key outside the prefix that was
//! asked for, a page that promises another and does not say which, all make the page an error. (An ETag may be empty:
//! Ceph 16 lists none of an object whose tags were removed.)

use std::time::SystemTime;

use http::{HeaderName, Method};

use super::listed_names::{Decoder, check_names, url_decoded};
use super::{Metadata, Tags, encoded_word, on_bucket, put_some};
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{ETag, Error, Operation, Result};

const OPTIONAL: HeaderName = HeaderName::from_static("x-amz-optional-object-attributes");

/// S3 API: [ListObjectsV2](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
#[derive(Clone, Debug, Default)]
pub struct ListObjectsV2 {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are rolled up to the first one of it behind the prefix: `/` shows folders.
    pub delimiter: Option<String>,
    /// Where the page begins, as the page before it said.
    pub continuation_token: Option<String>,
    /// Only keys behind this one.
    pub start_after: Option<String>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_keys: Option<u32>,
    /// Ask who owns each object.
    pub fetch_owner: bool,
    /// MinIO's `metadata=true`; other stores ignore it.
    pub with_metadata: bool,
    /// Ask where the restore of archived objects stands.
    pub restore_status: bool,
}

/// An object in a listing.
#[derive(Clone, Debug)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// Of its bytes.
    pub etag: ETag,
    /// Bytes.
    pub size: u64,
    /// When it was stored.
    pub last_modified: SystemTime,
    /// `None` where the store does not say.
    pub storage_class: Option<String>,
    /// Who owns it.
    pub owner: Option<Owner>,
    /// Only with `with_metadata`, on stores that know it.
    pub metadata: Option<Metadata>,
    /// Only with `with_metadata`, on stores that know it.
    pub tags: Option<Tags>,
    /// What else the listing says; few do.
    pub more: Option<Box<ListedMore>>,
}

/// What some stores say of a listed object besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedMore {
    /// Such as `CRC64NVME`.
    pub checksum_algorithms: Vec<String>,
    /// `COMPOSITE` or `FULL_OBJECT`.
    pub checksum_type: Option<String>,
    /// Only where it was asked for ([`ListObjectsV2::restore_status`]) and the object is archived.
    pub restore: Option<ListedRestore>,
}

/// Where the restore of an archived object stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListedRestore {
    /// It has begun and not ended.
    pub in_progress: bool,
    /// When the restored copy goes.
    pub expires: Option<SystemTime>,
}

/// Who owns or began something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub id: String,
    /// Its name for people; often empty.
    pub display_name: String,
}

/// A page of objects.
#[derive(Clone, Debug, Default)]
pub struct ListObjectsV2Output {
    /// In the order of their keys.
    pub objects: Vec<ListedObject>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// More pages follow.
    pub is_truncated: bool,
    /// Where the next page begins; `None` on the last.
    pub next_continuation_token: Option<String>,
}

impl Operation for ListObjectsV2 {
    type Output = ListObjectsV2Output;
    const NAME: &'static str = "ListObjectsV2";

    fn encode(&self) -> Result<Request> {
        // The token says where to go on; stores that are strict refuse a second word about it.
        let start_after = self.start_after.as_deref().filter(|_| self.continuation_token.is_none());
        let mut request = on_bucket(Method::GET, &self.bucket)?;
        put_some(&mut request.headers, OPTIONAL, self.restore_status.then_some("RestoreStatus"))?;
        Ok(request
            .with("list-type", "2")
            .with("encoding-type", "url")
            .with("prefix", &*self.prefix)
            .with_some("delimiter", self.delimiter.as_deref())
            .with_some("continuation-token", self.continuation_token.as_deref())
            .with_some("start-after", start_after)
            .with_some("max-keys", self.max_keys)
            .with_some("fetch-owner", self.fetch_owner.then_some(true))
            .with_some("metadata", self.with_metadata.then_some(true)))
    }

    fn decode(&self, reply: Reply) -> Result<ListObjectsV2Output> {
        let mut output = ListObjectsV2Output::default();
        let mut names = Decoder::default();
        Reader::open(reply.document()?, "ListBucketResult")?.children(|name, xml| {
            match name {
                "Contents" => output.objects.push(ListedObject::decode(xml)?),
                "CommonPrefixes" => names.common_prefix(xml, &mut output.common_prefixes)?,
                "EncodingType" => names.encoding_type(xml)?,
                "IsTruncated" => output.is_truncated = xml.boolean()?,
                "NextContinuationToken" => output.next_continuation_token = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        names.decode(output.objects.iter_mut().map(|object| &mut object.key))?;
        names.decode(&mut output.common_prefixes)?;
        check_names(
            &self.prefix,
            output.objects.iter().map(|object| &object.key).chain(&output.common_prefixes),
        )?;
        if output.is_truncated && output.next_continuation_token.is_none() {
            return Err(Error::decode("The listing goes on, but the reply has no token to go on with."));
        }
        Ok(output)
    }
}

impl ListedObject {
    /// As listings have it that say no more; `size` is in bytes.
    pub fn new(key: impl Into<String>, etag: ETag, size: u64, last_modified: SystemTime) -> Self {
        Self {
            key: key.into(),
            etag,
            size,
            last_modified,
            storage_class: None,
            owner: None,
            metadata: None,
            tags: None,
            more: None,
        }
    }

    pub(super) fn decode(xml: &mut Reader<'_>) -> Result<Self> {
        let (mut key, mut etag, mut size, mut last_modified) = (String::new(), None, None, None);
        let (mut storage_class, mut owner, mut metadata, mut tags) = (None, None, None, None);
        let mut more = ListedMore::default();
        xml.children(|name, xml| {
            match name {
                "Key" => key = xml.string()?,
                "ETag" => etag = Some(ETag::parse(&xml.text()?)),
                "Size" => size = Some(xml.number()?),
                "LastModified" => last_modified = Some(xml.time()?),
                "StorageClass" => storage_class = xml.non_empty()?,
                "Owner" => owner = Some(Owner::decode(xml)?),
                "UserMetadata" => metadata = Some(user_metadata(xml)?),
                "UserTags" => tags = Some(form_decoded(&xml.text()?)?),
                "ChecksumAlgorithm" => more.checksum_algorithms.extend(xml.non_empty()?),
                "ChecksumType" => more.checksum_type = xml.non_empty()?,
                "RestoreStatus" => more.restore = Some(ListedRestore::decode(xml)?),
                _ => {}
            }
            Ok(())
        })?;
        let more = Some(more).filter(|more| *more != ListedMore::default()).map(Box::new);
        match (etag, size, last_modified) {
            (Some(etag), Some(size), Some(last_modified)) => {
                Ok(Self { key, etag, size, last_modified, storage_class, owner, metadata, tags, more })
            }
            _ => Err(incomplete(&key)),
        }
    }
}

impl ListedRestore {
    fn decode(xml: &mut Reader<'_>) -> Result<Self> {
        let mut restore = Self::default();
        xml.children(|name, xml| {
            match name {
                "IsRestoreInProgress" => restore.in_progress = xml.boolean()?,
                "RestoreExpiryDate" => restore.expires = Some(xml.time()?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(restore)
    }
}

pub(super) fn incomplete(key: &str) -> Error {
    Error::decode(format!("The listing has {key:?} without its ETag, size, date or version."))
}

impl Owner {
    pub(super) fn decode(xml: &mut Reader<'_>) -> Result<Self> {
        let mut owner = Self::default();
        xml.children(|name, xml| {
            match name {
                "ID" => owner.id = xml.string()?,
                "DisplayName" => owner.display_name = xml.string()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(owner)
    }
}

/// MinIO lists user metadata by the name of the header, among other headers.
fn user_metadata(xml: &mut Reader<'_>) -> Result<Metadata> {
    let mut metadata = Metadata::new();
    xml.children(|name, xml| {
        if let Some(name) = name.to_ascii_lowercase().strip_prefix("x-amz-meta-") {
            metadata.insert(name.to_owned(), encoded_word::decode(&xml.string()?).into_owned());
        }
        Ok(())
    })?;
    Ok(metadata)
}

/// `k1=v1&k2=v2`, percent-encoded.
fn form_decoded(form: &str) -> Result<Tags> {
    form.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((url_decoded(key)?.into_owned(), url_decoded(value)?.into_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::super::ListObjectVersions;
    use super::super::fixture::{reply, wire};
    use super::*;
    use crate::base::timestamp;
    use crate::s3::ErrorKind;

    fn list(prefix: &str) -> ListObjectsV2 {
        ListObjectsV2 { bucket: "bucket".into(), prefix: prefix.into(), ..ListObjectsV2::default() }
    }

    #[test]
    fn what_ceph_leaves_as_it_is_does_not_hide_that_the_rest_is_encoded() {
        let guessed = |name: &str| {
            let mut decoder = Decoder::default();
            let mut names = [name.to_owned()];
            decoder.guess(names.iter());
            decoder.decode(names.iter_mut()).unwrap();
            names[0].clone()
        };
        for (listed, key) in [
            ("amp%26%3C%3E%22'", "amp&<>\"'"),
            ("(par)*!$|~.-_", "(par)*!$|~.-_"),
            ("a%20b", "a b"),
            ("a&%41", "a&%41"),
            ("a b%41", "a b%41"),
        ] {
            assert_eq!(guessed(listed), key, "{listed}");
        }
    }

    #[test]
    fn an_empty_etag_is_one() {
        let entry =
            "<Key>k</Key><LastModified>2024-05-01T00:00:00Z</LastModified><ETag></ETag><Size>1</Size>";
        let list = ListObjectsV2 { bucket: "b".into(), ..ListObjectsV2::default() };
        let page = format!("<ListBucketResult><Contents>{entry}</Contents></ListBucketResult>");
        assert_eq!(&*list.decode(reply(200, &[], &page)).unwrap().objects[0].etag.0, "");
        let page = page.replace("<ETag></ETag>", "");
        assert!(list.decode(reply(200, &[], &page)).is_err(), "none at all");
    }

    #[test]
    fn list_objects_v2_asks_for_what_it_wants() {
        assert_eq!(wire(&list("")), "GET /bucket?list-type=2&encoding-type=url&prefix=");
        let full = ListObjectsV2 {
            delimiter: Some("/".into()),
            start_after: Some("ExampleGuide.pdf".into()),
            max_keys: Some(3),
            fetch_owner: true,
            with_metadata: true,
            ..list("E")
        };
        assert_eq!(
            wire(&full),
            "GET /bucket?list-type=2&encoding-type=url&prefix=E&delimiter=/&start-after=ExampleGuide.pdf&max-keys=3&\
             fetch-owner=true&metadata=true"
        );
        let next = ListObjectsV2 {
            continuation_token: Some("1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=".into()),
            max_keys: None,
            fetch_owner: false,
            with_metadata: false,
            ..full
        };
        assert_eq!(
            wire(&next),
            "GET /bucket?list-type=2&encoding-type=url&prefix=E&delimiter=/&continuation-token=\
             1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="
        );
    }

    #[test]
    fn a_listing_says_where_a_restore_stands() {
        let list = ListObjectsV2 { restore_status: true, ..list("") };
        assert!(wire(&list).ends_with("\nx-amz-optional-object-attributes: RestoreStatus"));
        let document = "<ListBucketResult><Contents><Key>k</Key><ETag>e</ETag><Size>1</Size>\
            <LastModified>2026-01-31T10:00:00Z</LastModified><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
            <RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>\
            <RestoreExpiryDate>2026-02-02T00:00:00Z</RestoreExpiryDate></RestoreStatus></Contents>\
            <IsTruncated>false</IsTruncated></ListBucketResult>";
        let more = list.decode(reply(200, &[], document)).unwrap().objects.remove(0).more.unwrap();
        assert_eq!(more.checksum_algorithms, ["CRC32"]);
        let expires = timestamp::parse_rfc3339("2026-02-02T00:00:00Z");
        assert_eq!(more.restore, Some(ListedRestore { in_progress: false, expires }));
    }

    #[test]
    fn list_objects_v2_as_in_the_reference() {
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>bucket</Name>
    <Prefix/>
    <KeyCount>205</KeyCount>
    <MaxKeys>1000</MaxKeys>
    <IsTruncated>true</IsTruncated>
    <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
    <Contents>
        <Key>my-image.jpg</Key>
        <LastModified>2009-10-12T17:50:30.000Z</LastModified>
        <ETag>"fba9dede5f27731c9771645a39863328"</ETag>
        <Size>434234</Size>
        <StorageClass>STANDARD</StorageClass>
        <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>
        <Owner><ID>mtd@example</ID><DisplayName>mtd</DisplayName></Owner>
    </Contents>
    <CommonPrefixes><Prefix>photos/</Prefix></CommonPrefixes>
</ListBucketResult>"#;
        let output = list("").decode(reply(200, &[], document)).unwrap();
        let object = &output.objects[0];
        assert_eq!((object.key.as_str(), object.size), ("my-image.jpg", 434_234));
        assert_eq!(object.etag, ETag("fba9dede5f27731c9771645a39863328".into()));
        assert_eq!(Some(object.last_modified), timestamp::parse_rfc3339("2009-10-12T17:50:30Z"));
        assert_eq!(object.storage_class.as_deref(), Some("STANDARD"));
        assert_eq!(object.owner, Some(Owner { id: "mtd@example".into(), display_name: "mtd".into() }));
        assert_eq!(output.common_prefixes, ["photos/"]);
        assert!(output.is_truncated);
        assert_eq!(
            output.next_continuation_token.as_deref(),
            Some("1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=")
        );
    }

    /// A page of one object and its raw key.
    fn page(key: &str, rest: &str) -> String {
        format!(
            "<ListBucketResult><Contents><Key>{key}</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
             <ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>{rest}</ListBucketResult>"
        )
    }

    #[test]
    fn keys_are_decoded_only_when_the_reply_says_they_are_encoded() {
        let key = |raw: &str, rest: &str| {
            let output = list("").decode(reply(200, &[], &page(raw, rest)))?;
            Ok::<_, Error>(output.objects.into_iter().map(|object| object.key).collect::<String>())
        };
        let encoded = "<EncodingType>url</EncodingType>";
        assert_eq!(key("a%2Fb+c%2B%01%F0%9F%98%80", encoded).unwrap(), "a/b c+\u{1}😀");
        assert_eq!(key("100%", encoded).unwrap(), "100%", "not an escape");
        assert_eq!(key("a%2Fb+c", "").unwrap(), "a%2Fb+c");
        assert_eq!(key("&#x1;&amp;", "").unwrap(), "\u{1}&");
        assert_eq!(key(" blank ", "").unwrap(), " blank ");
        assert_eq!(key("%FF", encoded).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn metadata_and_tags_of_minio_are_read() {
        let extras = "<Contents><Key>k</Key><LastModified>2009-10-12T17:50:30Z</LastModified><ETag>e</ETag>\
                      <Size>1</Size><UserMetadata><X-Amz-Meta-Mode>33188</X-Amz-Meta-Mode>\
                      <X-Amz-Meta-Name>=?UTF-8?Q?J=C3=BCr?= =?UTF-8?Q?gen?=</X-Amz-Meta-Name><content-type>text/plain</content-type></UserMetadata><UserTags>a=1&amp;b%20c=d+e</UserTags>\
                      </Contents>";
        let output = list("").decode(reply(200, &[], &page("j", extras))).unwrap();
        let object = &output.objects[1];
        let metadata =
            [("mode", "33188"), ("name", "Jürgen")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(object.metadata, Some(metadata.into()));
        let tags = [("a".to_owned(), "1".to_owned()), ("b c".to_owned(), "d e".to_owned())];
        assert_eq!(object.tags, Some(tags.into()));
        assert_eq!(output.objects[0].metadata, None);
    }

    #[test]
    fn a_listing_that_makes_no_sense_is_an_error() {
        let cases = [
            ("x/", page("y/1", "")),
            ("x/", page("x/1", "<CommonPrefixes><Prefix>y/</Prefix></CommonPrefixes>")),
            ("", page("", "")),
            ("", page("k", "<IsTruncated>true</IsTruncated>")),
            ("", page("k", "<Contents><Key>no-etag</Key><Size>1</Size></Contents>")),
            (
                "",
                page(
                    "k",
                    "<Contents><Key>a</Key><ETag>e</ETag><LastModified>2009-10-12T17:50:30Z</LastModified></Contents>",
                ),
            ),
            ("", page("k", "").replace("<Size>1<", "<Size>-1<")),
            ("", page("k", "").replace("2009", "MMIX")),
            ("", "<ListVersionsResult/>".to_owned()),
            ("", page("k", "").replace("</ListBucketResult>", "")),
        ];
        for (prefix, document) in cases {
            let error = list(prefix).decode(reply(200, &[], &document)).expect_err(&document);
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }

    /// A full page as AWS sends it.
    fn thousand_keys() -> String {
        let mut page = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
        for n in 0..1000 {
            write!(
                page,
                "<Contents><Key>photos%2F2024%2Fimage-{n:06}.jpg</Key><LastModified>2024-05-01T10:20:30.000Z\
                 </LastModified><ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>{n}</Size>\
                 <StorageClass>STANDARD</StorageClass></Contents>"
            )
            .unwrap();
        }
        page.push_str("<EncodingType>url</EncodingType></ListBucketResult>");
        page
    }

    #[test]
    fn a_full_page_is_read_whole() {
        let output = list("photos/").decode(reply(200, &[], &thousand_keys())).unwrap();
        assert_eq!(output.objects.len(), 1000);
        assert_eq!(output.objects[999].key, "photos/2024/image-000999.jpg");
    }

    /// `cargo test --release --lib speed_of_listings -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn speed_of_listings() {
        let (list, page) = (list("photos/"), thousand_keys());
        let started = std::time::Instant::now();
        for _ in 0..1000 {
            assert_eq!(list.decode(reply(200, &[], &page)).unwrap().objects.len(), 1000);
        }
        eprintln!("{:.0} keys/s", 1e6 / started.elapsed().as_secs_f64());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(body in "(<ListBucketResult>|<Contents>|</Contents>|<Key>|</Key>|<Size>|1|</Size>|<ETag>|</ETag>|&quot;|%F|\\PC){0,30}") {
            let _ = list("").decode(reply(200, &[], &body));
            let _ = ListObjectVersions::default().decode(reply(200, &[], &body));
        }

        #[test]
        fn any_url_decodes_to_what_was_encoded(key in "\\PC*") {
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(url_decoded(&encoded).unwrap(), key);
        }
    }
}
