//! Named payloads beside an object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAnnotation.html>

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, ETAG, HeaderName, HeaderValue, LAST_MODIFIED};
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Api;
use super::beyond::replied;
use super::integrity::Claims;
use super::read::Outgoing;
use super::receive::{Received, Terms, receive};
use super::sums::kind_name;
use super::wire::{etags_header, version_id};
use super::xml::Xml;
use crate::base::timestamp::{http_date, rfc3339_millis};
use crate::embedded::operation::{Query, Target};
use crate::embedded::storage::checksum::{Checksum, Choice};
use crate::embedded::storage::condition::WriteConditions;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Annotation, Object, VersionId};

const NAME_BYTES_MAX: usize = 512;
const PAYLOAD_BYTES_MAX: u64 = 1 << 20;
const ANNOTATIONS_MAX: usize = 1000;

/// What a request says of the annotation it is about.
struct Asked<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<VersionId>,
    /// Of the object, not of the annotation.
    conditions: WriteConditions,
}

impl<'a> Asked<'a> {
    fn read(request: &S3Request<Body>, target: &'a Target) -> Result<Self, Refusal> {
        let (bucket, key) = target.object()?;
        let version = version_id(query(request).decoded("versionId"));
        let if_match = etags_header(&request.headers, "x-amz-object-if-match");
        Ok(Self { bucket, key, version, conditions: WriteConditions { if_match, if_none_match: None } })
    }

    fn check(&self, object: &Object) -> Result<(), Refusal> {
        self.conditions.check(Some(&object.etag))
    }
}

fn query(request: &S3Request<Body>) -> Query<'_> {
    Query(request.uri.query().unwrap_or_default())
}

fn name(request: &S3Request<Body>) -> Result<String, Refusal> {
    let name = query(request).decoded("annotationName").unwrap_or_default();
    if name.is_empty() {
        return Err(Refusal::new(400, "InvalidAnnotationName", "The annotation has no name"));
    }
    if name.len() > NAME_BYTES_MAX {
        let message = format!("The name of an annotation has at most {NAME_BYTES_MAX} bytes");
        return Err(Refusal::new(400, "AnnotationNameTooLong", message));
    }
    Ok(name)
}

fn no_such_annotation() -> Refusal {
    Refusal::new(404, "NoSuchAnnotation", "The specified annotation does not exist.")
}

impl Api {
    pub(super) async fn put_object_annotation(
        &self,
        mut request: S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (asked, name) = (Asked::read(&request, target)?, name(&request)?);
        self.store.read(asked.bucket, |bucket| bucket.find(asked.key, asked.version.as_ref()).map(drop))?;
        let claims = Claims::read(&request.headers)?;
        let algorithm = claims.algorithm().unwrap_or(Choice::default().algorithm);
        let terms =
            Terms { claims, bytes_max: PAYLOAD_BYTES_MAX, algorithm: Some(algorithm), etags: self.etags };
        let body = StreamingBlob::from(std::mem::take(&mut request.input));
        let received = receive(&self.store, Some(body), request.trailing_headers.take(), terms).await?;
        let Received { content, etag, checksums } = received;
        if content.len() == 0 {
            return Err(Refusal::request("The payload of an annotation has at least one byte").into());
        }
        if std::str::from_utf8(&content.collect().await.map_err(Refusal::internal)?).is_err() {
            let message = "The payload of an annotation is text in UTF-8";
            return Err(Refusal::new(415, "UnsupportedMediaType", message).into());
        }
        let value = checksums.get(&algorithm).ok_or_else(|| Refusal::internal("no checksum"))?;
        let checksum = Checksum::whole(algorithm, value);
        let annotation = Annotation { content, etag: etag.clone(), modified: self.store.now(), checksum };
        let put = |object: &mut Object| {
            asked.check(object)?;
            if object.annotations.len() >= ANNOTATIONS_MAX && !object.annotations.contains_key(&name) {
                let message = format!("An object has at most {ANNOTATIONS_MAX} annotations");
                return Err(Refusal::new(400, "AnnotationLimitExceeded", message));
            }
            object.annotations.insert(name.clone(), annotation);
            Ok(())
        };
        let edited = self.store.write(asked.bucket, |bucket, scope, _| {
            bucket.edit(scope, asked.key, asked.version.as_ref(), put)
        });
        let version = edited.await?;
        let mut xml = Xml::new("PutObjectAnnotationResult");
        xml.element("Key", asked.key);
        xml.element("AnnotationName", &name);
        let mut response = replied(StatusCode::OK, xml.end());
        set(&mut response, ETAG, &format!("\"{etag}\""));
        Ok(with_version(response, &version.id))
    }

    pub(super) async fn get_object_annotation(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (asked, name) = (Asked::read(request, target)?, name(request)?);
        let (annotation, id) = self.store.read(asked.bucket, |bucket| {
            let version = bucket.find(asked.key, asked.version.as_ref())?;
            let object = version.object.as_ref().ok_or_else(Refusal::no_such_key)?;
            let annotation = object.annotations.get(&name).ok_or_else(no_such_annotation)?;
            Ok((annotation.clone(), version.id.clone()))
        })?;
        let body = StreamingBlob::new(Outgoing(annotation.content.stream()));
        let mut response = S3Response::new(Body::from(body));
        set(&mut response, ETAG, &format!("\"{}\"", annotation.etag));
        set(&mut response, LAST_MODIFIED, &http_date(annotation.modified));
        set(&mut response, CONTENT_LENGTH, &annotation.content.len().to_string());
        if request.headers.contains_key("x-amz-checksum-mode") {
            let header = HeaderName::from_static(annotation.checksum.algorithm.header());
            set(&mut response, header, &annotation.checksum.value);
            let kind = kind_name(annotation.checksum.kind);
            set(&mut response, HeaderName::from_static("x-amz-checksum-type"), kind.as_str());
        }
        Ok(with_version(response, &id))
    }

    pub(super) async fn delete_object_annotation(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (asked, name) = (Asked::read(request, target)?, name(request)?);
        let remove = |object: &mut Object| {
            asked.check(object)?;
            object.annotations.remove(&name);
            Ok(())
        };
        let edited = self.store.write(asked.bucket, |bucket, scope, _| {
            bucket.edit(scope, asked.key, asked.version.as_ref(), remove)
        });
        Ok(with_version(replied(StatusCode::NO_CONTENT, String::new()), &edited.await?.id))
    }

    pub(super) async fn list_object_annotations(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let asked = Asked::read(request, target)?;
        let query = query(request);
        let prefix = query.decoded("annotation-prefix").unwrap_or_default();
        let limit = query.get("max-annotation-results").map(str::parse::<usize>).transpose();
        let limit = limit.map_err(|_| Refusal::argument("max-annotation-results is a number"))?;
        let limit = limit.unwrap_or(ANNOTATIONS_MAX).min(ANNOTATIONS_MAX);
        let token = query.decoded("continuation-token");
        let after = token.as_deref().map(opened).transpose()?.unwrap_or_default();
        let version = self
            .store
            .read(asked.bucket, |bucket| bucket.find(asked.key, asked.version.as_ref()).cloned())?;
        let object = version.object.as_ref().ok_or_else(Refusal::no_such_key)?;
        let fits = |(name, _): &(&String, &Annotation)| name.starts_with(&prefix) && **name > after;
        let mut rest = object.annotations.iter().filter(fits);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let next = rest.next().and_then(|_| page.last()).map(|(name, _)| URL_SAFE_NO_PAD.encode(name));
        let mut xml = Xml::new("ListObjectAnnotationsResult");
        xml.element("Bucket", asked.bucket);
        xml.element("Key", asked.key);
        xml.element("AnnotationPrefix", &prefix);
        xml.element("MaxAnnotationResults", &limit.to_string());
        xml.element("AnnotationCount", &page.len().to_string());
        xml.some("ContinuationToken", token.as_deref());
        xml.some("NextContinuationToken", next.as_deref());
        xml.group("Annotations", |xml| {
            page.iter().for_each(|(name, annotation)| entry(xml, name, annotation))
        });
        Ok(with_version(replied(StatusCode::OK, xml.end()), &version.id))
    }
}

fn entry(xml: &mut Xml, name: &str, annotation: &Annotation) {
    xml.group("AnnotationEntry", |xml| {
        xml.element("AnnotationName", name);
        xml.element("LastModified", &rfc3339_millis(annotation.modified));
        xml.element("ETag", &format!("\"{}\"", annotation.etag));
        xml.element("ChecksumAlgorithm", annotation.checksum.algorithm.name());
        xml.element("Size", &annotation.content.len().to_string());
    });
}

fn opened(token: &str) -> Result<String, Refusal> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| Refusal::argument("The continuation token provided is incorrect"))
}

fn set(response: &mut S3Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers.insert(name, value);
    }
}

fn with_version(mut response: S3Response<Body>, id: &VersionId) -> S3Response<Body> {
    if *id != VersionId::Null {
        set(&mut response, HeaderName::from_static("x-amz-object-version-id"), &id.to_string());
    }
    response
}
