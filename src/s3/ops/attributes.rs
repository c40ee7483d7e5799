//! What a store knows of an object beside its bytes: checksums, and the parts that it was uploaded in.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use std::collections::BTreeMap;
use std::time::SystemTime;

use http::{HeaderName, Method, header};

use super::{on_version, own_version, parse_etag, put, put_some, text};
use crate::base::timestamp;
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::Reader;
use crate::s3::{ETag, Operation, Result, VersionId};

const ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-object-attributes");
const MAX_PARTS: HeaderName = HeaderName::from_static("x-amz-max-parts");
const MARKER: HeaderName = HeaderName::from_static("x-amz-part-number-marker");

/// Output: [`ObjectAttributes`].
#[derive(Clone, Debug, Default)]
pub struct GetObjectAttributes {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Parts of one page.
    pub max_parts: Option<u32>,
    /// Goes on behind this part.
    pub part_number_marker: Option<u32>,
}

/// `None` where the store does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectAttributes {
    /// Of its bytes.
    pub etag: Option<ETag>,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// When it was stored.
    pub last_modified: Option<SystemTime>,
    /// Algorithm in lower case (`crc64nvme`) → base64 value.
    pub checksums: BTreeMap<String, String>,
    /// `COMPOSITE` or `FULL_OBJECT`.
    pub checksum_type: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// `None` where the store does not say.
    pub storage_class: Option<String>,
    /// Of an object that was uploaded in parts.
    pub parts: Option<ObjectParts>,
}

/// A page of parts; stores list them only where each has a checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectParts {
    /// Of the whole object.
    pub count: Option<u32>,
    /// In the order of their numbers.
    pub parts: Vec<ObjectPart>,
    /// Where the next page begins; `None` on the last.
    pub next_marker: Option<u32>,
}

/// A part that an object was uploaded in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPart {
    /// 1 to 10,000.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Algorithm in lower case → base64 value.
    pub checksums: BTreeMap<String, String>,
}

impl Operation for GetObjectAttributes {
    type Output = ObjectAttributes;
    const NAME: &'static str = "GetObjectAttributes";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?;
        let mut request = request.with("attributes", "");
        let headers = &mut request.headers;
        put(headers, ATTRIBUTES, "ETag,Checksum,ObjectParts,StorageClass,ObjectSize")?;
        put_some(headers, MAX_PARTS, self.max_parts.map(|parts| parts.to_string()).as_deref())?;
        put_some(headers, MARKER, self.part_number_marker.map(|part| part.to_string()).as_deref())?;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<ObjectAttributes> {
        let modified = text(&reply.headers, &header::LAST_MODIFIED);
        let mut attributes = ObjectAttributes {
            version: own_version(&reply.headers),
            last_modified: modified.and_then(|date| timestamp::parse_http_date(&date)),
            ..ObjectAttributes::default()
        };
        // AWS's root is GetObjectAttributesResponse, the reference's GetObjectAttributesOutput, MinIO's begins small.
        Reader::open_any(reply.document_of_object()?)?.children(|name, xml| attributes.take(name, xml))?;
        Ok(attributes)
    }
}

impl ObjectAttributes {
    fn take(&mut self, name: &str, xml: &mut Reader<'_>) -> Result<()> {
        match name {
            "ETag" => self.etag = parse_etag(&xml.text()?),
            "Checksum" => xml.children(|name, xml| {
                match name {
                    "ChecksumType" => self.checksum_type = xml.non_empty()?,
                    name => take_checksum(name, xml, &mut self.checksums)?,
                }
                Ok(())
            })?,
            "ObjectParts" => self.parts = Some(ObjectParts::decode(xml)?),
            "StorageClass" => self.storage_class = xml.non_empty()?,
            "ObjectSize" => self.size = Some(xml.number()?),
            _ => {}
        }
        Ok(())
    }
}

impl ObjectParts {
    fn decode(xml: &mut Reader<'_>) -> Result<Self> {
        let (mut parts, mut truncated) = (Self::default(), false);
        xml.children(|name, xml| {
            match name {
                // The second is what AWS calls it in its own replies.
                "TotalPartsCount" | "PartsCount" => parts.count = Some(xml.number()?),
                "NextPartNumberMarker" => parts.next_marker = Some(xml.number()?),
                "IsTruncated" => truncated = xml.boolean()?,
                "Part" => parts.parts.push(ObjectPart::decode(xml)?),
                _ => {}
            }
            Ok(())
        })?;
        parts.next_marker = parts.next_marker.filter(|_| truncated);
        Ok(parts)
    }
}

impl ObjectPart {
    fn decode(xml: &mut Reader<'_>) -> Result<Self> {
        let mut part = Self::default();
        xml.children(|name, xml| {
            match name {
                "PartNumber" => part.number = xml.number()?,
                "Size" => part.size = xml.number()?,
                name => take_checksum(name, xml, &mut part.checksums)?,
            }
            Ok(())
        })?;
        Ok(part)
    }
}

fn take_checksum(name: &str, xml: &mut Reader<'_>, checksums: &mut BTreeMap<String, String>) -> Result<()> {
    if let Some(algorithm) = name.strip_prefix("Checksum")
        && let Some(value) = xml.non_empty()?
    {
        checksums.insert(algorithm.to_ascii_lowercase(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;
    use crate::s3::ErrorKind;

    #[test]
    fn attributes_as_in_the_reference() {
        let get = GetObjectAttributes {
            bucket: "b".into(),
            key: "k".into(),
            max_parts: Some(2),
            part_number_marker: Some(1),
            ..GetObjectAttributes::default()
        };
        assert_eq!(
            wire(&get),
            "GET /b/k?attributes=\nx-amz-max-parts: 2\nx-amz-object-attributes: \
             ETag,Checksum,ObjectParts,StorageClass,ObjectSize\nx-amz-part-number-marker: 1"
        );
        let document = r#"<GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
   <ETag>d41d8cd98f00b204e9800998ecf8427e-3</ETag>
   <Checksum><ChecksumSHA256>3q2+7w==-3</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType></Checksum>
   <ObjectParts>
      <TotalPartsCount>3</TotalPartsCount>
      <PartNumberMarker>1</PartNumberMarker>
      <NextPartNumberMarker>2</NextPartNumberMarker>
      <MaxParts>1</MaxParts>
      <IsTruncated>true</IsTruncated>
      <Part><ChecksumSHA256>3q2+7w==</ChecksumSHA256><PartNumber>2</PartNumber><Size>5242880</Size></Part>
   </ObjectParts>
   <StorageClass>STANDARD</StorageClass>
   <ObjectSize>10485761</ObjectSize>
</GetObjectAttributesResponse>"#;
        let headers = [("last-modified", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-version-id", "v")];
        let attributes = get.decode(reply(200, &headers, document)).unwrap();
        assert_eq!(attributes.etag, Some(ETag("d41d8cd98f00b204e9800998ecf8427e-3".into())));
        assert_eq!(attributes.checksums["sha256"], "3q2+7w==-3");
        assert_eq!(
            (attributes.size, attributes.checksum_type.as_deref()),
            (Some(10_485_761), Some("COMPOSITE"))
        );
        let parts = attributes.parts.unwrap();
        let minio = document.replace("GetObjectAttributesResponse", "getObjectAttributesResponse");
        assert_eq!(get.decode(reply(200, &headers, &minio)).unwrap().size, Some(10_485_761));
        assert_eq!((parts.count, parts.next_marker), (Some(3), Some(2)));
        assert_eq!((parts.parts[0].number, parts.parts[0].size), (2, 5_242_880));
        assert_eq!(attributes.version, Some(VersionId("v".into())));
        let small = document.replace("GetObjectAttributesResponse", "getObjectAttributesResponse");
        assert_eq!(get.decode(reply(200, &[], &small)).unwrap().size, Some(10_485_761));
        let object = reply(200, &[("content-type", "binary/octet-stream")], "bytes");
        assert_eq!(get.decode(object).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
