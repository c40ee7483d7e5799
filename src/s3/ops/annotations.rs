//! Named payloads beside an object: 1 byte to 1 MiB of UTF-8 each, up to 1,000 of them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAnnotation.html>

use http::{HeaderName, Method};

use super::archive::stream_of;
use super::{etag, on_version, put_some};
use crate::s3::document::{self, Date, document};
use crate::s3::operation::{Replay, Reply, Request};
use crate::s3::{Body, ByteStream, ETag, Error, Operation, Result, VersionId};

const IF_MATCH: HeaderName = HeaderName::from_static("x-amz-object-if-match");
const NAME_BYTES_MAX: usize = 512;

/// Output: the ETag of the annotation, where the store says it.
///
/// Sent only to a store that is known to do it: others (MinIO and Ceph, for two) take it for PutObject, and the object's
/// bytes would be lost.
#[derive(Clone)]
pub struct PutObjectAnnotation {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// 1 to 512 bytes.
    pub name: String,
    /// 1 byte to 1 MiB of UTF-8.
    pub payload: Body,
    /// Only while the object is this one.
    pub if_match: Option<ETag>,
}

/// Output: the payload.
#[derive(Clone, Debug, Default)]
pub struct GetObjectAnnotation {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Its name.
    pub name: String,
}

/// For good: annotations have no versions of their own.
#[derive(Clone, Debug, Default)]
pub struct DeleteObjectAnnotation {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Its name.
    pub name: String,
    /// Only while the object is this one.
    pub if_match: Option<ETag>,
}

/// Output: [`ObjectAnnotations`].
#[derive(Clone, Debug, Default)]
pub struct ListObjectAnnotations {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// At most 1,000.
    pub max_results: Option<u32>,
    /// Where the page begins, as the page before it said.
    pub continuation_token: Option<String>,
}

document! {
    #[derive(Eq)]
    pub struct ObjectAnnotations {
        list: Option<AnnotationList> = "Annotations",
        /// Where the next page begins; `None` on the last.
        next: Option<String> = "NextContinuationToken",
    }

    #[derive(Default, Eq)]
    pub struct AnnotationList {
        entries: Vec<Annotation> = "AnnotationEntry",
    }

    #[derive(Eq)]
    pub struct Annotation {
        name: String = "AnnotationName",
        modified: Date = "LastModified",
        etag: Option<String> = "ETag",
        checksums: Vec<String> = "ChecksumAlgorithm",
        /// Bytes.
        size: u64 = "Size",
        replication: Option<String> = "ReplicationStatus",
    }
}

/// Without a name a GET would list, and a DELETE would mean who knows what.
fn on_annotation(
    method: Method,
    (bucket, key, version): (&str, &str, Option<&VersionId>),
    name: &str,
) -> Result<Request> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("The name of an annotation has 1 to 512 bytes."));
    }
    Ok(on_version(method, bucket, key, version)?.with("annotation", "").with("annotationName", name))
}

impl Operation for PutObjectAnnotation {
    type Output = Option<ETag>;
    const NAME: &'static str = "PutObjectAnnotation";

    fn encode(&self) -> Result<Request> {
        let target = (self.bucket.as_str(), self.key.as_str(), self.version.as_ref());
        let mut request = on_annotation(Method::PUT, target, &self.name)?;
        put_some(&mut request.headers, IF_MATCH, self.if_match.as_ref().map(ETag::quoted).as_deref())?;
        request.body = self.payload.clone();
        request.needs_checksum = true;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<Option<ETag>> {
        Ok(etag(&reply.headers))
    }
}

impl Operation for GetObjectAnnotation {
    type Output = ByteStream;
    const NAME: &'static str = "GetObjectAnnotation";
    const STREAMED: bool = true;

    fn encode(&self) -> Result<Request> {
        on_annotation(Method::GET, (&self.bucket, &self.key, self.version.as_ref()), &self.name)
    }

    fn decode(&self, reply: Reply) -> Result<ByteStream> {
        stream_of(reply)
    }
}

impl Operation for DeleteObjectAnnotation {
    type Output = ();
    const NAME: &'static str = "DeleteObjectAnnotation";

    fn encode(&self) -> Result<Request> {
        let target = (self.bucket.as_str(), self.key.as_str(), self.version.as_ref());
        let mut request = on_annotation(Method::DELETE, target, &self.name)?;
        put_some(&mut request.headers, IF_MATCH, self.if_match.as_ref().map(ETag::quoted).as_deref())?;
        Ok(request)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }

    fn replay(&self) -> Replay {
        if self.if_match.is_some() { Replay::LookFirst } else { Replay::Idempotent }
    }
}

impl Operation for ListObjectAnnotations {
    type Output = ObjectAnnotations;
    const NAME: &'static str = "ListObjectAnnotations";

    fn encode(&self) -> Result<Request> {
        Ok(on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?
            .with("annotation", "")
            .with_some("annotation-prefix", self.prefix.as_deref())
            .with_some("max-annotation-results", self.max_results)
            .with_some("continuation-token", self.continuation_token.as_deref()))
    }

    fn decode(&self, reply: Reply) -> Result<ObjectAnnotations> {
        let mut reader = crate::s3::xml::Reader::open_any(reply.document_of_object()?)?;
        document::Element::read(&mut reader)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{refusal, reply, streamed, wire};
    use super::*;
    use crate::s3::ErrorKind;

    #[tokio::test]
    async fn annotations_have_names() {
        let get = GetObjectAnnotation {
            bucket: "b".into(),
            key: "k".into(),
            version: Some(VersionId("v".into())),
            name: "caption".into(),
        };
        assert_eq!(wire(&get), "GET /b/k?versionId=v&annotation=&annotationName=caption");
        assert_eq!(refusal(&GetObjectAnnotation { name: String::new(), ..get.clone() }), ErrorKind::Invalid);
        let payload = get.decode(streamed(200, &[], "a cat")).unwrap().collect(10).await.unwrap();
        assert_eq!(&payload[..], b"a cat");
        let put = PutObjectAnnotation {
            bucket: "b".into(),
            key: "k".into(),
            version: None,
            name: "caption".into(),
            payload: Body::Bytes("a cat".into()),
            if_match: Some(ETag("e".into())),
        };
        assert_eq!(
            wire(&put),
            "PUT /b/k?annotation=&annotationName=caption\nx-amz-object-if-match: \"e\"\na cat"
        );
        let delete = DeleteObjectAnnotation {
            bucket: "b".into(),
            key: "k".into(),
            name: "n".into(),
            ..Default::default()
        };
        assert_eq!(wire(&delete), "DELETE /b/k?annotation=&annotationName=n");
    }

    #[test]
    fn annotations_are_listed() {
        let list = ListObjectAnnotations {
            bucket: "b".into(),
            key: "k".into(),
            prefix: Some("c".into()),
            max_results: Some(2),
            ..ListObjectAnnotations::default()
        };
        assert_eq!(wire(&list), "GET /b/k?annotation=&annotation-prefix=c&max-annotation-results=2");
        let document = "<ListObjectAnnotationsResult><Annotations><AnnotationEntry><AnnotationName>caption\
            </AnnotationName><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"e\"</ETag><Size>5</Size>\
            </AnnotationEntry></Annotations><AnnotationCount>1</AnnotationCount><NextContinuationToken>t\
            </NextContinuationToken></ListObjectAnnotationsResult>";
        let page = list.decode(reply(200, &[], document)).unwrap();
        assert_eq!((page.list.unwrap().entries[0].size, page.next.as_deref()), (5, Some("t")));
    }
}
