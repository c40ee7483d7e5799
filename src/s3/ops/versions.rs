//! All versions of objects, and their delete markers.

use std::time::SystemTime;

use http::Method;

use super::list::{Owner, incomplete};
use super::listed_names::{Decoder, check_names};
use super::on_bucket;
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{ETag, Error, Operation, Result, VersionId};

/// S3 API: [ListObjectVersions](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html).
#[derive(Clone, Debug, Default)]
pub struct ListObjectVersions {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are rolled up to the first one of it behind the prefix: `/` shows folders.
    pub delimiter: Option<String>,
    /// Goes on behind this key.
    pub key_marker: Option<String>,
    /// Goes on behind this version of the key.
    pub version_id_marker: Option<String>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_keys: Option<u32>,
}

/// In document order: newest first per key.
#[derive(Clone, Debug)]
pub struct ListedVersion {
    /// The key.
    pub key: String,
    /// Its version, where the bucket keeps them.
    pub version: VersionId,
    /// It is the current version.
    pub is_latest: bool,
    /// When it was stored.
    pub last_modified: SystemTime,
    /// Who owns it.
    pub owner: Option<Owner>,
    /// `None` for a delete marker.
    pub object: Option<ListedVersionObject>,
}

/// What a version has that a delete marker has not.
#[derive(Clone, Debug)]
pub struct ListedVersionObject {
    /// Of its bytes.
    pub etag: ETag,
    /// Bytes.
    pub size: u64,
    /// `None` where the store does not say.
    pub storage_class: Option<String>,
}

/// A page of versions.
#[derive(Clone, Debug, Default)]
pub struct ListObjectVersionsOutput {
    /// In the order of their keys, newest first per key.
    pub versions: Vec<ListedVersion>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// More pages follow.
    pub is_truncated: bool,
    /// Where the next page begins; `None` on the last.
    pub next_key_marker: Option<String>,
    /// Where the next page begins.
    pub next_version_id_marker: Option<String>,
}

impl Operation for ListObjectVersions {
    type Output = ListObjectVersionsOutput;
    const NAME: &'static str = "ListObjectVersions";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?
            .with("versions", "")
            .with("encoding-type", "url")
            .with("prefix", &*self.prefix)
            .with_some("delimiter", self.delimiter.as_deref())
            .with_some("key-marker", self.key_marker.as_deref())
            .with_some("version-id-marker", self.version_id_marker.as_deref())
            .with_some("max-keys", self.max_keys))
    }

    fn decode(&self, reply: Reply) -> Result<ListObjectVersionsOutput> {
        let mut output = ListObjectVersionsOutput::default();
        let mut names = Decoder::default();
        Reader::open(reply.document()?, "ListVersionsResult")?.children(|name, xml| {
            match name {
                "Version" => output.versions.push(ListedVersion::decode(xml, Listed::Object)?),
                "DeleteMarker" => output.versions.push(ListedVersion::decode(xml, Listed::DeleteMarker)?),
                "CommonPrefixes" => names.common_prefix(xml, &mut output.common_prefixes)?,
                "EncodingType" => names.encoding_type(xml)?,
                "IsTruncated" => output.is_truncated = xml.boolean()?,
                "NextKeyMarker" => output.next_key_marker = xml.non_empty()?,
                "NextVersionIdMarker" => output.next_version_id_marker = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        names.decode(output.versions.iter_mut().map(|version| &mut version.key))?;
        names.decode(&mut output.common_prefixes)?;
        names.decode(&mut output.next_key_marker)?;
        check_names(
            &self.prefix,
            output.versions.iter().map(|version| &version.key).chain(&output.common_prefixes),
        )?;
        if output.is_truncated && output.next_key_marker.is_none() {
            return Err(Error::decode("The listing goes on, but the reply has no marker to go on from."));
        }
        Ok(output)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Object,
    DeleteMarker,
}

impl ListedVersion {
    fn decode(xml: &mut Reader<'_>, listed: Listed) -> Result<Self> {
        let (mut key, mut version, mut is_latest, mut last_modified) = (String::new(), None, false, None);
        let (mut etag, mut size, mut storage_class, mut owner) = (None, None, None, None);
        xml.children(|name, xml| {
            match name {
                "Key" => key = xml.string()?,
                "Owner" => owner = Some(Owner::decode(xml)?),
                "VersionId" => version = xml.non_empty()?,
                "IsLatest" => is_latest = xml.boolean()?,
                "LastModified" => last_modified = Some(xml.time()?),
                "ETag" => etag = Some(ETag::parse(&xml.text()?)),
                "Size" => size = Some(xml.number()?),
                "StorageClass" => storage_class = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        let object = match (listed, etag, size) {
            (Listed::DeleteMarker, ..) => None,
            (Listed::Object, Some(etag), Some(size)) => {
                Some(ListedVersionObject { etag, size, storage_class })
            }
            (Listed::Object, ..) => return Err(incomplete(&key)),
        };
        match (version, last_modified) {
            (Some(version), Some(last_modified)) => {
                let version = VersionId(version.into());
                Ok(Self { key, version, is_latest, last_modified, owner, object })
            }
            _ => Err(incomplete(&key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;

    use crate::s3::ErrorKind;

    #[test]
    fn versions_and_markers_keep_the_order_of_the_document() {
        let list = ListObjectVersions {
            bucket: "bucket".into(),
            prefix: "my".into(),
            ..ListObjectVersions::default()
        };
        assert_eq!(wire(&list), "GET /bucket?versions=&encoding-type=url&prefix=my");
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01">
    <Name>bucket</Name><Prefix>my</Prefix><KeyMarker/><VersionIdMarker/><MaxKeys>5</MaxKeys>
    <IsTruncated>true</IsTruncated>
    <NextKeyMarker>my-third%20image.jpg</NextKeyMarker>
    <NextVersionIdMarker>03jpff543dhffds434rfdsFDN943fdsFkdmqnh892</NextVersionIdMarker>
    <EncodingType>url</EncodingType>
    <Version>
        <Key>my-image.jpg</Key>
        <VersionId>3/L4kqtJl40Nr8X8gdRQBpUMLUo</VersionId>
        <IsLatest>false</IsLatest>
        <LastModified>2009-10-12T17:50:30.000Z</LastModified>
        <ETag>"fba9dede5f27731c9771645a39863328"</ETag>
        <Size>434234</Size>
        <StorageClass>STANDARD</StorageClass>
    </Version>
    <DeleteMarker>
        <Key>my-second-image.jpg</Key>
        <VersionId>03jpff543dhffds434rfdsFDN943fdsFkdmqnh892</VersionId>
        <IsLatest>true</IsLatest>
        <LastModified>2009-11-12T17:50:30.000Z</LastModified>
    </DeleteMarker>
    <Version>
        <Key>my-second-image.jpg</Key>
        <VersionId>null</VersionId>
        <IsLatest>false</IsLatest>
        <LastModified>2009-10-10T17:50:30.000Z</LastModified>
        <ETag>"9b2cf535f27731c974343645a3985328"</ETag>
        <Size>0</Size>
    </Version>
</ListVersionsResult>"#;
        let output = list.decode(reply(200, &[], document)).unwrap();
        let seen: Vec<_> = output
            .versions
            .iter()
            .map(|version| {
                (version.key.as_str(), &*version.version.0, version.is_latest, version.object.is_some())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("my-image.jpg", "3/L4kqtJl40Nr8X8gdRQBpUMLUo", false, true),
                ("my-second-image.jpg", "03jpff543dhffds434rfdsFDN943fdsFkdmqnh892", true, false),
                ("my-second-image.jpg", "null", false, true),
            ]
        );
        assert_eq!(output.next_key_marker.as_deref(), Some("my-third image.jpg"));
        assert!(output.next_version_id_marker.is_some());
        let nameless = document.replace("<VersionId>null</VersionId>", "");
        assert_eq!(list.decode(reply(200, &[], &nameless)).unwrap_err().kind(), ErrorKind::Corrupt);
        let endless = document.replace("my-third%20image.jpg", "");
        assert_eq!(list.decode(reply(200, &[], &endless)).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
