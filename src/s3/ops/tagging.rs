//! The tag set of an object.

use bytes::Bytes;
use http::Method;

use super::{Tags, on_version};
use crate::s3::operation::{Reply, Request};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Operation, Result, VersionId};

/// Output: [`Tags`]; empty when the object has none.
#[derive(Clone, Debug, Default)]
pub struct GetObjectTagging {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
}

/// S3 API: [PutObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html).
#[derive(Clone, Debug, Default)]
pub struct PutObjectTagging {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// The tags.
    pub tags: Tags,
}

/// Ceph 16 says 204 and keeps the tags of a versioned object: put an empty set to be sure.
#[derive(Clone, Debug, Default)]
pub struct DeleteObjectTagging {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
}

impl Operation for GetObjectTagging {
    type Output = Tags;
    const NAME: &'static str = "GetObjectTagging";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("tagging", ""))
    }

    fn decode(&self, reply: Reply) -> Result<Tags> {
        decode_tag_set(reply.document()?)
    }

    fn recover(&self, error: &Error) -> Option<Tags> {
        NO_TAGS.contains(&error.code()).then(Tags::new)
    }
}

/// What a store answers for what was never tagged.
pub(in crate::s3) const NO_TAGS: &[&str] = &["NoSuchTagSet", "NoSuchTagSetError"];

/// The document of tags, of an object and of a bucket alike.
pub(in crate::s3) fn encode_tag_set(tags: &Tags) -> Result<Bytes> {
    Writer::document("Tagging", |xml| xml.nested("TagSet", |xml| write_tags(tags, xml)))
}

pub(super) fn write_tags(tags: &Tags, xml: &mut Writer) -> Result<()> {
    tags.iter().try_for_each(|(key, value)| {
        xml.nested("Tag", |xml| {
            xml.element("Key", key)?;
            xml.element("Value", value)
        })
    })
}

pub(in crate::s3) fn decode_tag_set(document: &[u8]) -> Result<Tags> {
    let mut tags = Tags::new();
    // Ceph 16 answers with nothing where it lost the tags that an upload in parts was begun with.
    if document.is_empty() {
        return Ok(tags);
    }
    Reader::open(document, "Tagging")?.children(|name, xml| match name {
        "TagSet" => xml.children(|name, xml| {
            if name == "Tag" {
                tags.extend([read_tag(xml)?]);
            }
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok(tags)
}

/// The open element as key and value. MinIO leaves out a value that is empty.
pub(in crate::s3) fn read_tag(xml: &mut Reader<'_>) -> Result<(String, String)> {
    let (mut key, mut value) = (None, String::new());
    xml.children(|name, xml| {
        match name {
            "Key" => key = xml.non_empty()?,
            "Value" => value = xml.string()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key.ok_or_else(|| Error::decode("The reply has a tag without a key."))?, value))
}

impl Operation for PutObjectTagging {
    type Output = ();
    const NAME: &'static str = "PutObjectTagging";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::PUT, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("tagging", "").with_document(encode_tag_set(&self.tags)?))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for DeleteObjectTagging {
    type Output = ();
    const NAME: &'static str = "DeleteObjectTagging";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::DELETE, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("tagging", ""))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, wire};
    use super::*;
    use crate::s3::ErrorKind;

    #[test]
    fn put_object_tagging_as_in_the_reference() {
        let put = PutObjectTagging {
            bucket: "examplebucket".into(),
            key: "object-key".into(),
            version: Some(VersionId("v1".into())),
            tags: [("tag1".to_owned(), "val1".to_owned()), ("tag2".to_owned(), " v&2".to_owned())].into(),
        };
        assert_eq!(
            wire(&put),
            "PUT /examplebucket/object-key?versionId=v1&tagging=\n<Tagging \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag><Key>tag1</Key><Value>val1</Value></Tag>\
             <Tag><Key>tag2</Key><Value> v&amp;2</Value></Tag></TagSet></Tagging>"
        );
        assert!(put.encode().unwrap().needs_checksum);
    }

    #[test]
    fn get_object_tagging_as_in_the_reference() {
        let get = GetObjectTagging { bucket: "b".into(), key: "example-object".into(), version: None };
        assert_eq!(wire(&get), "GET /b/example-object?tagging=");
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
   <TagSet>
      <Tag> <Key>tag1</Key> <Value>val1</Value> </Tag>
      <Tag> <Key>tag2</Key> <Value> spaced </Value> </Tag>
      <Tag><Key>tag3</Key><Value/></Tag>
   </TagSet>
</Tagging>"#;
        let tags = get.decode(reply(200, &[], document)).unwrap();
        let expected = [("tag1", "val1"), ("tag2", " spaced "), ("tag3", "")];
        assert!(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected));
        assert!(get.decode(reply(200, &[], "<Tagging><TagSet/></Tagging>")).unwrap().is_empty());
        let nameless = get.decode(reply(200, &[], "<Tagging><TagSet><Tag/></TagSet></Tagging>"));
        assert_eq!(nameless.unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn delete_object_tagging_needs_a_key() {
        let delete = DeleteObjectTagging { bucket: "b".into(), key: "k".into(), version: None };
        assert_eq!(wire(&delete), "DELETE /b/k?tagging=");
        assert_eq!(refusal(&DeleteObjectTagging { key: String::new(), ..delete }), ErrorKind::Invalid);
    }
}
