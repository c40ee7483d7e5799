//! What a reply means: a good one, or an error with everything that the next decision needs.
//!
//! A good status is not believed blindly: CopyObject, UploadPartCopy and CompleteMultipartUpload answer 200 before
//! they know how it ends and may then write an error into the body. A bad status is not believed blindly either:
//! only an S3 server's own document (or its HEAD, which has none) can say that something is absent.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};

use super::error::{Asked, Document, kind_of, parse_document};
use super::operation::Request;
use super::{Error, ErrorKind};

/// What an error status or document leads to.
pub fn refusal(request: &Request, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> (Error, Document) {
    let document = parse_document(body).unwrap_or_default();
    let kind = match document.code.is_empty() {
        true if !may_speak_without_document(request, status, headers) => ErrorKind::Unavailable,
        // HEAD cannot say SlowDown, and hardly any other 503 comes from S3.
        true if request.method == Method::HEAD && status == StatusCode::SERVICE_UNAVAILABLE => {
            ErrorKind::Throttled
        }
        _ => kind_of(status.as_u16(), &document.code, asked(request)),
    };
    let message = match (document.code.is_empty(), kind) {
        (false, _) => document.message.clone(),
        (true, ErrorKind::Unavailable) if status.is_client_error() => {
            "no S3 server answered: is this the address of a store, or is a proxy in the way?".to_owned()
        }
        (true, _) => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    let error = Error::new(kind, message)
        .with_status(status.as_u16())
        .with_code(document.code.as_str())
        .with_details(document.details.clone());
    (with_ids(error, headers, &document), document)
}

/// An error that came with a good status (s3-client 3.8): as if it had been a 500.
pub fn hidden_refusal(request: &Request, headers: &HeaderMap, body: &[u8]) -> Option<(Error, Document)> {
    let document = parse_document(body)?;
    let kind = kind_of(500, &document.code, asked(request));
    let error = Error::new(kind, document.message.as_str())
        .with_status(200)
        .with_code(document.code.as_str())
        .with_details(document.details.clone());
    Some((with_ids(error, headers, &document), document))
}

fn with_ids(error: Error, headers: &HeaderMap, document: &Document) -> Error {
    let (request_id, host_id) = request_ids(headers);
    error.with_request_ids(request_id, host_id).with_request_ids(&document.request_id, &document.host_id)
}

/// `x-amz-request-id` and `x-amz-id-2`; empty where the reply has none.
pub fn request_ids(headers: &HeaderMap) -> (&str, &str) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request_id = match text("x-amz-request-id") {
        // IBM's own.
        "" => text("x-clv-request-id"),
        id => id,
    };
    (request_id, text("x-amz-id-2"))
}

/// 404 is the one status that changes what exists, so it takes more than a status line: a document, or the absence
/// of one where HEAD forbids it.
fn may_speak_without_document(request: &Request, status: StatusCode, headers: &HeaderMap) -> bool {
    if status != StatusCode::NOT_FOUND {
        return true;
    }
    let is_page = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    request.method == Method::HEAD && (!is_page || headers.contains_key("x-amz-request-id"))
}

fn asked(request: &Request) -> Asked {
    let has = |wanted: &str| request.query.iter().any(|(name, _)| *name == wanted);
    match (&request.bucket, &request.key) {
        (None, _) => Asked::Service,
        (Some(_), None) => Asked::Bucket,
        (Some(_), Some(_)) if has("versionId") => Asked::Version,
        (Some(_), Some(_)) => Asked::Key,
    }
}

/// The failure leaves open whether a change was made: no definite answer came, or one that the store did not mean
/// for this request in particular.
pub fn is_ambiguous(request: &Request, error: &Error) -> bool {
    let changes = !matches!(request.method, Method::GET | Method::HEAD);
    let status = error.status();
    let indefinite = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Corrupt => !(400..500).contains(&status),
        _ => false,
    };
    changes && indefinite
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::Body;
    use crate::s3::operation::RequestChecksum;

    fn request(method: Method, key: Option<&str>, query: &[&'static str]) -> Request {
        Request {
            method,
            bucket: Some("b".to_owned()),
            key: key.map(str::to_owned),
            query: query.iter().map(|name| (*name, String::new())).collect(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            needs_checksum: false,
            checksum: RequestChecksum::Usual,
        }
    }

    fn kind(request: &Request, status: u16, content_type: &'static str, body: &str) -> ErrorKind {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(content_type))]);
        let status = StatusCode::from_u16(status).expect("a status");
        refusal(request, status, &headers, body.as_bytes()).0.kind()
    }

    #[test]
    fn absence_takes_the_word_of_an_s3_server() {
        let xml = "application/xml";
        let document = "<Error><Code>NoSuchKey</Code></Error>";
        let get = request(Method::GET, Some("k"), &[]);
        let head = request(Method::HEAD, Some("k"), &[]);
        assert_eq!(kind(&get, 404, xml, document), ErrorKind::NoSuchKey);
        assert_eq!(kind(&get, 404, "text/html", "<html>not here</html>"), ErrorKind::Unavailable);
        assert_eq!(kind(&get, 404, xml, ""), ErrorKind::Unavailable);
        assert_eq!(kind(&head, 404, xml, ""), ErrorKind::NoSuchKey);
        assert_eq!(kind(&head, 404, "text/html; charset=utf-8", ""), ErrorKind::Unavailable);
        assert_eq!(kind(&request(Method::HEAD, None, &[]), 404, xml, ""), ErrorKind::NoSuchBucket);
        assert_eq!(
            kind(&request(Method::HEAD, Some("k"), &["versionId"]), 404, xml, ""),
            ErrorKind::NoSuchVersion
        );
        assert_eq!(kind(&head, 403, xml, ""), ErrorKind::Denied);
        assert_eq!(kind(&get, 503, "text/html", "<html>busy</html>"), ErrorKind::Unavailable);
        assert_eq!(kind(&head, 503, xml, ""), ErrorKind::Throttled);
    }

    #[test]
    fn an_error_inside_a_good_reply_counts_as_a_server_error() {
        let complete = request(Method::POST, Some("k"), &["uploadId"]);
        let hidden = |body: &str| {
            hidden_refusal(&complete, &HeaderMap::new(), body.as_bytes()).map(|(error, _)| error)
        };
        let internal =
            hidden("  \n\n<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>").expect("one");
        assert_eq!(internal.kind(), ErrorKind::Unavailable);
        assert!(is_ambiguous(&complete, &internal));
        let part = hidden("<Error><Code>InvalidPart</Code></Error>").expect("one");
        assert_eq!((part.kind(), is_ambiguous(&complete, &part)), (ErrorKind::InvalidPart, false));
        assert!(hidden("<CompleteMultipartUploadResult/>").is_none());
    }

    #[test]
    fn only_changes_without_a_definite_answer_are_ambiguous() {
        let put = request(Method::PUT, Some("k"), &[]);
        let get = request(Method::GET, Some("k"), &[]);
        let error = |kind, status| Error::new(kind, "").with_status(status);
        for (kind, status, ambiguous) in [
            (ErrorKind::Unavailable, 0, true),
            (ErrorKind::Unavailable, 500, true),
            (ErrorKind::TimedOut, 0, true),
            (ErrorKind::TimedOut, 400, false),
            (ErrorKind::Corrupt, 400, false),
            (ErrorKind::Corrupt, 200, true),
            (ErrorKind::Throttled, 503, false),
            (ErrorKind::Unsupported, 501, false),
            (ErrorKind::PreconditionFailed, 412, false),
        ] {
            assert_eq!(is_ambiguous(&put, &error(kind, status)), ambiguous, "{kind:?} {status}");
            assert!(!is_ambiguous(&get, &error(kind, status)));
        }
    }
}
