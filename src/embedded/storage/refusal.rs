//! Why a request is refused, in S3's words.

use std::borrow::Cow;

use super::version::VersionId;

/// Code and status as in <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    pub code: &'static str,
    pub status: u16,
    pub message: Cow<'static, str>,
    /// The delete marker that stood where an object was asked for.
    pub marker: Option<VersionId>,
    /// Of the object that a condition was about; a 304 names it.
    pub etag: Option<String>,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status, message: message.into(), marker: None, etag: None }
    }

    pub fn no_such_bucket() -> Self {
        Self::new(404, "NoSuchBucket", "The specified bucket does not exist")
    }
    pub fn no_such_key() -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.")
    }
    /// The key's current version is a delete marker.
    pub fn deleted(marker: VersionId) -> Self {
        Self { marker: Some(marker), ..Self::no_such_key() }
    }
    pub fn no_such_version() -> Self {
        Self::new(404, "NoSuchVersion", "The specified version does not exist.")
    }
    pub fn no_such_upload() -> Self {
        Self::new(
            404,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted \
             or completed.",
        )
    }
    /// A version was named that is a delete marker.
    pub fn is_marker(marker: VersionId) -> Self {
        let message = "The specified method is not allowed against this resource.";
        Self { marker: Some(marker), ..Self::new(405, "MethodNotAllowed", message) }
    }
    pub fn precondition(header: &str) -> Self {
        let message = format!("At least one of the pre-conditions you specified did not hold: {header}");
        Self::new(412, "PreconditionFailed", message)
    }
    pub fn not_modified(etag: &str) -> Self {
        Self { etag: Some(etag.to_owned()), ..Self::new(304, "NotModified", "Not Modified") }
    }
    pub fn locked() -> Self {
        Self::new(403, "AccessDenied", "Access Denied because object protected by object lock.")
    }
    pub fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }
    pub fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "InvalidRequest", message)
    }
    pub fn not_implemented(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(501, "NotImplemented", what)
    }
    pub fn internal(source: impl std::fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("We encountered an internal error: {source}"))
    }
}
