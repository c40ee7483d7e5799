//! The verbs, one file per family; each carries the reference's own example as its test.
//!
//! A verb encodes itself into a [`Request`] and decodes a good [`Reply`]. An empty bucket, key, version or upload id
//! never reaches the wire: it would name something else (`DELETE /bucket/` + nothing is DeleteBucket).

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::s3::endpoint::arn::is_arn;
use crate::s3::operation::{Reply, ReplyBody, Request, RequestChecksum};
use crate::s3::{Body, Error, ErrorKind, Result, VersionId};

pub(in crate::s3) mod acl;
pub(in crate::s3) mod annotations;
pub(in crate::s3) mod append;
pub(in crate::s3) mod archive;
pub(in crate::s3) mod attributes;
pub(in crate::s3) mod bucket;
pub(in crate::s3) mod copy;
pub(in crate::s3) mod delete;
pub(crate) mod encoded_word;
pub(in crate::s3) mod facts;
pub(in crate::s3) mod headers;
pub(in crate::s3) mod lambda;
pub(in crate::s3) mod list;
pub(in crate::s3) mod list_v1;
mod listed_names;
pub(in crate::s3) mod multipart;
pub(in crate::s3) mod object;
pub(in crate::s3) mod protection;
pub(in crate::s3) mod select;
pub(in crate::s3) mod session;
pub(in crate::s3) mod tagging;
pub(in crate::s3) mod uploads;
pub(in crate::s3) mod versions;
pub(in crate::s3) mod with;

pub use acl::*;
pub use annotations::{
    Annotation, AnnotationList, DeleteObjectAnnotation, GetObjectAnnotation, ListObjectAnnotations,
    ObjectAnnotations, PutObjectAnnotation,
};
pub use append::{AppendObject, Appended, RenameObject, UpdateObjectEncryption};
pub use archive::{GetObjectTorrent, RestoreObject, RestoreTier, Restoring};
pub use attributes::*;
pub use bucket::*;
pub use copy::*;
pub use delete::*;
pub use facts::{IbmFacts, ObjectFacts};
pub use headers::*;
pub(in crate::s3) use headers::{put_some, text};
pub use lambda::{LambdaError, WriteGetObjectResponse};
pub use list::*;
pub use list_v1::*;
pub use multipart::*;
pub use object::*;
pub use protection::*;
pub use select::{
    Compression, CsvHeader, CsvInput, CsvOutput, JsonInput, JsonOutput, JsonShape, QuoteFields, ScanRange,
    ScanStats, SelectEvent, SelectInput, SelectObjectContent, SelectOutput, Selected,
};
pub use session::CreateSession;
pub use tagging::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
pub(in crate::s3) use tagging::{NO_TAGS, decode_tag_set, encode_tag_set, read_tag};
pub use uploads::*;
pub use versions::*;
pub use with::{ChecksumType, CustomerKey, CustomerKeys, Grants, KeepHeaders, With};

/// A request on the service itself.
pub(in crate::s3) fn on_service(method: Method) -> Request {
    Request {
        method,
        bucket: None,
        key: None,
        query: Vec::new(),
        headers: HeaderMap::new(),
        body: Body::Empty,
        needs_checksum: false,
        checksum: RequestChecksum::Usual,
    }
}

pub(in crate::s3) fn on_bucket(method: Method, bucket: &str) -> Result<Request> {
    let divided = bucket.contains('/') && !is_arn(bucket);
    if bucket.is_empty() || matches!(bucket, "." | "..") || divided || bucket.contains(['?', '#']) {
        return Err(Error::invalid(format!("{bucket:?} is not the name of a bucket.")));
    }
    Ok(Request { bucket: Some(bucket.to_owned()), ..on_service(method) })
}

pub(in crate::s3) fn on_object(method: Method, bucket: &str, key: &str) -> Result<Request> {
    if key.is_empty() {
        return Err(Error::invalid("The key of an object is not empty."));
    }
    Ok(Request { key: Some(key.to_owned()), ..on_bucket(method, bucket)? })
}

pub(in crate::s3) fn on_version(
    method: Method,
    bucket: &str,
    key: &str,
    version: Option<&VersionId>,
) -> Result<Request> {
    let request = on_object(method, bucket, key)?;
    match version {
        None => Ok(request),
        Some(version) if version.0.is_empty() => Err(Error::invalid("A version id is not empty.")),
        Some(version) => Ok(request.with("versionId", &*version.0)),
    }
}

impl Request {
    pub(in crate::s3) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(in crate::s3) fn with_some(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value.to_string()),
            None => self,
        }
    }

    /// A body that stores want a checksum of.
    pub(in crate::s3) fn with_document(mut self, document: Bytes) -> Self {
        self.body = Body::Bytes(document);
        self.needs_checksum = true;
        self
    }
}

impl Reply {
    /// The body of an operation that is not streamed.
    pub(in crate::s3) fn document(&self) -> Result<&[u8]> {
        match &self.body {
            ReplyBody::Collected(bytes) => Ok(bytes),
            ReplyBody::Stream(_) => Err(Error::new(ErrorKind::Bug, "The reply was not collected.")),
        }
    }
}

/// What the headers say of the body.
pub(in crate::s3) fn is_xml(headers: &HeaderMap) -> bool {
    text(headers, &http::header::CONTENT_TYPE).is_some_and(|kind| kind.contains("xml"))
}

impl Reply {
    /// As [`Reply::document`], about an object: a store that passes over a sub-resource that it does not know sends
    /// the object itself.
    pub(in crate::s3) fn document_of_object(&self) -> Result<&[u8]> {
        let document = self.document()?;
        if self.headers.contains_key(http::header::CONTENT_TYPE) && !is_xml(&self.headers) {
            let why = "The store does not know what was asked for: it answered with the object itself.";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        Ok(document)
    }
}

#[cfg(test)]
pub(in crate::s3) mod fixture {
    //! Requests as text, and replies made of text.

    use super::*;
    use crate::s3::Operation;

    /// `METHOD /bucket/key?query`, then the headers in order of their names, then the body, one a line.
    pub(in crate::s3) fn wire<O: Operation>(operation: &O) -> String {
        let request = operation.encode().expect("the operation encodes");
        let path: String = request.bucket.iter().chain(&request.key).map(|part| format!("/{part}")).collect();
        let query: Vec<String> =
            request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut headers: Vec<_> = request.headers.iter().collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        let path = if path.is_empty() { "/" } else { &path };
        let mut lines = vec![format!("{} {path}{mark}{}", request.method, query.join("&"))];
        lines.extend(
            headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))),
        );
        if let Body::Bytes(bytes) = &request.body {
            lines.push(String::from_utf8_lossy(bytes).into_owned());
        }
        lines.join("\n")
    }

    /// The kind of error that encoding ends with.
    pub(in crate::s3) fn refusal<O: Operation>(operation: &O) -> ErrorKind {
        operation.encode().err().expect("the operation is refused").kind()
    }

    pub(in crate::s3) fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        Reply {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: ReplyBody::Collected(Bytes::copy_from_slice(body.as_bytes())),
        }
    }

    /// As [`reply`], for an operation whose body is object data.
    pub(in crate::s3) fn streamed(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        streamed_bytes(status, headers, body.as_bytes().to_vec())
    }

    pub(in crate::s3) fn streamed_bytes(
        status: u16,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        let Reply { status, headers, .. } = reply(status, headers, "");
        let body = ReplyBody::Stream(crate::s3::ByteStream::from_bytes(body.into()));
        Reply { status, headers, body }
    }
}
