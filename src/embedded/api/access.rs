//! Who may ask: those who sign with the one key pair, for this region and this account.

use http::{HeaderMap, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Result, s3_error};

use super::ACCOUNT;
use crate::embedded::operation::Query;

pub struct Access {
    pub region: String,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        signed(context.credentials().is_some())?;
        meant(context.headers())?;
        check_region(&self.region, context.headers(), context.uri())
    }
}

pub fn signed(is_signed: bool) -> S3Result<()> {
    match is_signed {
        true => Ok(()),
        false => Err(s3_error!(AccessDenied, "Access Denied: the request is not signed")),
    }
}

/// The client expects the bucket to be ours.
pub fn meant(headers: &HeaderMap) -> S3Result<()> {
    let meant = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
    match meant.iter().filter_map(|name| headers.get(*name)).any(|owner| owner != ACCOUNT) {
        true => Err(s3_error!(AccessDenied, "Access Denied: the bucket has another owner")),
        false => Ok(()),
    }
}

/// As S3 does it: the answer tells the region to use.
pub fn check_region(own: &str, headers: &HeaderMap, uri: &Uri) -> S3Result<()> {
    let signed = signed_region(headers, uri);
    let Some(signed) = signed.filter(|signed| *signed != own) else { return Ok(()) };
    let mut error = s3_error!(
        AuthorizationHeaderMalformed,
        "The authorization header is malformed; the region '{signed}' is wrong; expecting '{own}'"
    );
    if let Ok(value) = http::HeaderValue::from_str(own) {
        let xml = http::HeaderValue::from_static("application/xml");
        let region = http::HeaderName::from_static("x-amz-bucket-region");
        error.set_headers([(region, value), (http::header::CONTENT_TYPE, xml)].into_iter().collect());
    }
    Err(error)
}

/// The region in the credential scope: `KEY/20260101/REGION/s3/aws4_request`.
fn signed_region(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let scope_of = |text: &str| text.split('/').nth(2).map(str::to_owned);
    let header = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some((_, credential)) = header.and_then(|header| header.split_once("Credential=")) {
        return scope_of(credential.split(',').next()?);
    }
    let credential = Query(uri.query()?).get("X-Amz-Credential")?;
    scope_of(&credential.replace("%2F", "/").replace("%2f", "/"))
}
