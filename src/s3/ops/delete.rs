//! Objects deleted, one by one or many at once.

use http::{Method, header};

use super::{flag, on_bucket, on_version, own_version, put_bypass_governance, put_some};
use crate::s3::operation::{Replay, Reply, Request};
use crate::s3::xml::{self, Reader, Writer};
use crate::s3::{ETag, Error, ErrorKind, Operation, Result, VersionId};

/// Keys of one DeleteObjects; a constant of the protocol, refused beyond by every store.
const DELETE_KEYS_MAX: usize = 1000;

/// S3 API: [DeleteObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html).
#[derive(Clone, Debug, Default)]
pub struct DeleteObject {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Only while it has this ETag.
    pub if_match: Option<ETag>,
    /// Also what a retention of mode GOVERNANCE keeps, where the caller may.
    pub bypass_governance: bool,
}

/// What the store says of a removal.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    /// A delete marker was made, or was what was deleted.
    pub delete_marker: bool,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
}

/// POST `?delete`: up to 1,000 keys. Keys that XML cannot carry are refused here (send them one by one).
#[derive(Clone, Debug, Default)]
pub struct DeleteObjects {
    /// The bucket.
    pub bucket: String,
    /// Each with the version that is meant; without one a versioned bucket hides the object behind a delete marker.
    pub keys: Vec<(String, Option<VersionId>)>,
    /// Also what a retention of mode GOVERNANCE keeps, where the caller may.
    pub bypass_governance: bool,
    /// Also tell what was deleted, and not only what was not.
    pub verbose: bool,
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct DeleteObjectsOutput {
    /// What was not deleted.
    pub failed: Vec<DeleteFailure>,
    /// What was, when that was asked for.
    pub deleted: Vec<DeletedObject>,
}

/// A key that was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedObject {
    /// The key.
    pub key: String,
    /// The version that was named.
    pub version: Option<VersionId>,
    /// A delete marker was made, or was what was deleted.
    pub delete_marker: bool,
    /// The version of that marker.
    pub delete_marker_version: Option<VersionId>,
}

/// A key that was not deleted, and why.
#[derive(Clone, Debug)]
pub struct DeleteFailure {
    /// The key.
    pub key: String,
    /// Its version, where the bucket keeps them.
    pub version: Option<VersionId>,
    /// The word of the store, such as `AccessDenied`.
    pub code: String,
    /// What the store says to people.
    pub message: String,
}

impl Operation for DeleteObject {
    type Output = Deleted;
    const NAME: &'static str = "DeleteObject";

    fn encode(&self) -> Result<Request> {
        let mut request = on_version(Method::DELETE, &self.bucket, &self.key, self.version.as_ref())?;
        put_some(
            &mut request.headers,
            header::IF_MATCH,
            self.if_match.as_ref().map(ETag::quoted).as_deref(),
        )?;
        put_bypass_governance(&mut request.headers, self.bypass_governance)?;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Deleted> {
        Ok(Deleted {
            delete_marker: flag(&reply.headers, "x-amz-delete-marker"),
            version: own_version(&reply.headers),
        })
    }

    /// S3 says 204 whether or not the key was there; some stores say 404.
    fn recover(&self, error: &Error) -> Option<Deleted> {
        let absent = matches!(error.kind(), ErrorKind::NoSuchKey | ErrorKind::NoSuchVersion);
        (absent && self.if_match.is_none()).then(Deleted::default)
    }

    fn replay(&self) -> Replay {
        if self.if_match.is_some() { Replay::LookFirst } else { Replay::Idempotent }
    }
}

impl DeleteObjects {
    /// Whether a batch can name this key; others are deleted one by one.
    pub fn carries(key: &str) -> bool {
        !key.is_empty() && xml::carries(key)
    }
}

impl Operation for DeleteObjects {
    type Output = DeleteObjectsOutput;
    const NAME: &'static str = "DeleteObjects";

    fn encode(&self) -> Result<Request> {
        if self.keys.is_empty()
            || self.keys.len() > DELETE_KEYS_MAX
            || self.keys.iter().any(|(key, _)| key.is_empty())
        {
            return Err(Error::invalid("A batch delete takes 1 to 1,000 keys, none of them empty."));
        }
        let mut request = on_bucket(Method::POST, &self.bucket)?;
        put_bypass_governance(&mut request.headers, self.bypass_governance)?;
        let document = Writer::document("Delete", |xml| {
            self.keys.iter().try_for_each(|(key, version)| {
                xml.nested("Object", |xml| {
                    xml.element("Key", key)?;
                    version.as_ref().map_or(Ok(()), |version| xml.element("VersionId", &version.0))
                })
            })?;
            xml.element("Quiet", if self.verbose { "false" } else { "true" })
        })?;
        Ok(request.with("delete", "").with_document(document))
    }

    /// Keys that were not there are deleted: that is what was asked for.
    fn decode(&self, reply: Reply) -> Result<DeleteObjectsOutput> {
        let mut output = DeleteObjectsOutput::default();
        Reader::open(reply.document()?, "DeleteResult")?.children(|name, xml| {
            match name {
                "Error" => output.failed.push(failure(xml)?),
                "Deleted" if self.verbose => output.deleted.push(deleted(xml)?),
                _ => {}
            }
            Ok(())
        })?;
        output.failed.retain(|failure| !matches!(failure.code.as_str(), "NoSuchKey" | "NoSuchVersion"));
        Ok(output)
    }
}

fn deleted(xml: &mut Reader<'_>) -> Result<DeletedObject> {
    let mut deleted = DeletedObject::default();
    let version = |text: Option<String>| text.map(|version| VersionId(version.into()));
    xml.children(|name, xml| {
        match name {
            "Key" => deleted.key = xml.string()?,
            "VersionId" => deleted.version = version(xml.non_empty()?),
            "DeleteMarker" => deleted.delete_marker = xml.boolean()?,
            "DeleteMarkerVersionId" => deleted.delete_marker_version = version(xml.non_empty()?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(deleted)
}

fn failure(xml: &mut Reader<'_>) -> Result<DeleteFailure> {
    let mut failure =
        DeleteFailure { key: String::new(), version: None, code: String::new(), message: String::new() };
    xml.children(|name, xml| {
        match name {
            "Key" => failure.key = xml.string()?,
            "VersionId" => failure.version = xml.non_empty()?.map(|version| VersionId(version.into())),
            "Code" => failure.code = xml.string()?,
            "Message" => failure.message = xml.string()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(failure)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, wire};

    use super::*;

    #[test]
    fn delete_object_tells_a_marker_from_a_deletion() {
        let delete = DeleteObject {
            bucket: "b".into(),
            key: "k".into(),
            version: Some(VersionId("UIORUnfnd89493jJFJ".into())),
            bypass_governance: true,
            ..DeleteObject::default()
        };
        assert_eq!(
            wire(&delete),
            "DELETE /b/k?versionId=UIORUnfnd89493jJFJ\nx-amz-bypass-governance-retention: true"
        );
        let marker = [("x-amz-delete-marker", "true"), ("x-amz-version-id", "m")];
        let deleted = delete.decode(reply(204, &marker, "")).unwrap();
        assert_eq!((deleted.delete_marker, deleted.version), (true, Some(VersionId("m".into()))));
        let empty = DeleteObject { version: Some(VersionId("".into())), ..delete };
        assert_eq!(refusal(&empty), ErrorKind::Invalid);
    }

    #[test]
    fn a_missing_key_is_deleted_unless_a_condition_named_it() {
        let delete = DeleteObject { bucket: "b".into(), key: "k".into(), ..DeleteObject::default() };
        let absent = Error::new(ErrorKind::NoSuchKey, "");
        assert!(delete.recover(&absent).is_some());
        assert!(delete.recover(&Error::new(ErrorKind::NoSuchBucket, "")).is_none());
        assert!(DeleteObject { if_match: Some(ETag("e".into())), ..delete }.recover(&absent).is_none());
    }

    #[test]
    fn delete_objects_as_in_the_reference() {
        let delete = DeleteObjects {
            bucket: "bucketname".into(),
            keys: vec![
                ("SampleDocument.txt".into(), Some(VersionId("OYcLXagmS.WaD..oyH4KRguB95_YhLs7".into()))),
                ("a<b>&\r\n c".into(), None),
            ],
            ..DeleteObjects::default()
        };
        assert_eq!(
            wire(&delete),
            "POST /bucketname?delete=\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object>\
             <Key>SampleDocument.txt</Key><VersionId>OYcLXagmS.WaD..oyH4KRguB95_YhLs7</VersionId></Object><Object>\
             <Key>a&lt;b&gt;&amp;&#xD;&#xA; c</Key></Object><Quiet>true</Quiet></Delete>"
        );
        assert!(delete.encode().unwrap().needs_checksum);
        let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
 <Deleted><Key>sample1.txt</Key></Deleted>
 <Error><Key>sample2.txt</Key><VersionId>v</VersionId><Code>AccessDenied</Code><Message>Access Denied</Message></Error>
 <Deleted><Key>sample4.txt</Key></Deleted>
 <Error><Key>gone</Key><Code>NoSuchVersion</Code><Message/></Error>
</DeleteResult>"#;
        let failed = delete.decode(reply(200, &[], document)).unwrap().failed;
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0].key.as_str(), failed[0].code.as_str()), ("sample2.txt", "AccessDenied"));
        assert_eq!(failed[0].version, Some(VersionId("v".into())));
    }

    #[test]
    fn a_batch_that_could_do_harm_is_refused() {
        let batch = |keys: Vec<&str>| DeleteObjects {
            bucket: "b".into(),
            keys: keys.into_iter().map(|key| (key.to_owned(), None)).collect(),
            ..DeleteObjects::default()
        };
        for keys in [vec![], vec![""], vec!["ok", ""], vec!["\u{1}"], vec!["\u{FFFE}"], vec!["k"; 1001]] {
            assert_eq!(refusal(&batch(keys.clone())), ErrorKind::Invalid, "{:?}", keys.first());
        }
        assert!(batch(vec!["k"; 1000]).encode().is_ok());
    }

    #[test]
    fn a_verbose_batch_tells_what_was_deleted() {
        let keys = vec![("a".to_owned(), None)];
        let delete = DeleteObjects { bucket: "b".into(), keys, verbose: true, ..DeleteObjects::default() };
        assert!(wire(&delete).contains("<Quiet>false</Quiet>"));
        let document = "<DeleteResult><Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker>\
            <DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted></DeleteResult>";
        let output = delete.decode(reply(200, &[], document)).unwrap();
        let marker = output.deleted[0].delete_marker_version.clone();
        assert_eq!((output.deleted[0].delete_marker, marker), (true, Some(VersionId("m".into()))));
        let quiet = DeleteObjects { verbose: false, ..delete };
        assert!(quiet.decode(reply(200, &[], document)).unwrap().deleted.is_empty());
    }
}
