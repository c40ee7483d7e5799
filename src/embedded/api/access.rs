//! Who may ask. Who signs with the one key pair owns everything, unless a policy denies; anybody else may what the
//! bucket's policy or an access control list allows to everybody, as far as the public access block lets them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html>

use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Extensions, HeaderMap, Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::PublicAccessBlockConfiguration;
use s3s::xml::{Deserialize, Deserializer};
use s3s::{Body, S3Result, s3_error};

use super::acl::{Permission, grants_everybody};
use super::xml::Xml;
use super::{ACCOUNT, Api};
use crate::embedded::operation::{Query, Target};
use crate::embedded::policy::{Act, Policy, Verdict, Who};
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::token;

pub struct Access(pub Api);

/// Who signed, as a later look at single keys wants to know it.
#[derive(Clone, Copy, Debug)]
pub struct Signed(pub Who);

/// Who signed the request that has these extensions.
pub fn signed_by(extensions: &Extensions) -> Who {
    extensions.get::<Signed>().map_or(Who::Anybody, |signed| signed.0)
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let key = context.credentials().map(|credentials| credentials.access_key.clone());
        let who = if key.is_some() { Who::Owner } else { Who::Anybody };
        context.extensions_mut().insert(Signed(who));
        let target = context.extensions_mut().get::<Target>().cloned();
        let target = target.ok_or_else(|| Refusal::internal("the request lost its target"))?;
        self.0.authorize(key.as_deref(), &target, context.method(), context.headers(), context.uri())
    }
}

fn denied(why: &str) -> Refusal {
    Refusal::new(403, "AccessDenied", format!("Access Denied: {why}"))
}

impl Api {
    /// `access_key` is of who has signed.
    pub(super) fn authorize(
        &self,
        access_key: Option<&str>,
        target: &Target,
        method: &Method,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> S3Result<()> {
        let who = if access_key.is_some() { Who::Owner } else { Who::Anybody };
        if let Some(token) = token::of(headers, uri) {
            self.keys.check_token(&token)?;
        }
        self.check_session(access_key, target, method)?;
        meant(headers)?;
        if who == Who::Anybody && is_chunked(headers) {
            let message = "Bodies in chunks are taken only in signed requests: send the bytes as they are";
            return Err(Refusal::not_implemented(message).into());
        }
        let Some(bucket) = &target.bucket else {
            return Ok(signed(who)?);
        };
        let query = Query(uri.query().unwrap_or_default());
        let context = context(query, headers);
        self.may(who, target.operation, bucket, target.key.as_deref(), &context)?;
        if let Some((bucket, key)) = source(headers) {
            self.may(who, "GetObject", &bucket, Some(&key), &context)?;
        }
        Ok(())
    }

    /// A session is for one bucket, and may be for reading alone.
    fn check_session(
        &self,
        access_key: Option<&str>,
        target: &Target,
        method: &Method,
    ) -> Result<(), Refusal> {
        let Some(session) = access_key.and_then(|key| self.keys.session(key)) else {
            return Ok(());
        };
        if target.bucket.as_deref() != Some(session.bucket.as_str()) {
            return Err(denied("the session is for another bucket"));
        }
        if !session.writes && *method != Method::GET && *method != Method::HEAD {
            return Err(denied("the session is for reading alone"));
        }
        Ok(())
    }

    /// Whether one thing may be done to one bucket or object.
    pub(super) fn may(
        &self,
        who: Who,
        operation: &str,
        bucket: &str,
        key: Option<&str>,
        context: &BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let may = self.store.read(bucket, |found| judge(who, operation, bucket, found, key, context));
        match may {
            // The operation itself says that there is no such bucket; to make one takes a signature.
            Err(refusal) if refusal.code == "NoSuchBucket" => match operation {
                "CreateBucket" => signed(who),
                _ => Ok(()),
            },
            other => other,
        }
    }
}

fn judge(
    who: Who,
    operation: &str,
    name: &str,
    bucket: &Bucket,
    key: Option<&str>,
    context: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let resource = match (operation, key) {
        // Of each key of the batch it is looked at again.
        ("DeleteObjects" | "PostObject", None) => format!("arn:aws:s3:::{name}/*"),
        (_, Some(key)) => format!("arn:aws:s3:::{name}/{key}"),
        (_, None) => format!("arn:aws:s3:::{name}"),
    };
    let action = action(operation);
    let document = bucket.settings.documents.get("policy", "");
    // Policies were understood when they were put.
    let policy = document.and_then(|text| Policy::parse(text).ok());
    let act = Act { who, action: &action, resource: &resource, context };
    let verdict = policy.as_ref().map_or(Verdict::Silent, |policy| policy.judge(&act));
    let of_policy = matches!(operation, "GetBucketPolicy" | "PutBucketPolicy" | "DeleteBucketPolicy");
    match (who, verdict) {
        // Nobody can lock himself out for good.
        (Who::Owner, Verdict::Denied) if of_policy => return Ok(()),
        (_, Verdict::Denied) => return Err(denied("the bucket's policy forbids it")),
        (Who::Owner, _) => return Ok(()),
        (Who::Anybody, _) => {}
    }
    let block = public_access_block(bucket);
    let by_policy = verdict == Verdict::Allowed && block.restrict_public_buckets != Some(true);
    let by_list = block.ignore_public_acls != Some(true) && listed(operation, bucket, key);
    if by_policy || by_list { Ok(()) } else { Err(denied("the request is not signed")) }
}

/// Whether an access control list lets everybody do it.
fn listed(operation: &str, bucket: &Bucket, key: Option<&str>) -> bool {
    let (of_object, permission) = match operation {
        "GetObject" | "HeadObject" | "GetObjectAttributes" => (true, Permission::Read),
        "GetObjectAcl" => (true, Permission::ReadList),
        "PutObjectAcl" => (true, Permission::WriteList),
        "ListObjects" | "ListObjectsV2" | "ListObjectVersions" | "ListMultipartUploads" | "HeadBucket" => {
            (false, Permission::Read)
        }
        "GetBucketAcl" => (false, Permission::ReadList),
        "PutBucketAcl" => (false, Permission::WriteList),
        "PutObject"
        | "PostObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload"
        | "AbortMultipartUpload"
        | "ListParts"
        | "DeleteObject"
        | "DeleteObjects" => (false, Permission::Write),
        _ => return false,
    };
    let of_bucket = || bucket.settings.documents.get("acl", "").map(str::to_owned);
    if !of_object {
        return of_bucket().is_some_and(|list| grants_everybody(&list, permission));
    }
    let object = key.and_then(|key| bucket.current(key)).and_then(|version| version.object.as_ref());
    match object {
        Some(object) => object.acl.as_ref().is_some_and(|list| grants_everybody(list, permission)),
        // Who may list the bucket may know that a key is absent.
        None => of_bucket().is_some_and(|list| grants_everybody(&list, Permission::Read)),
    }
}

pub fn public_access_block(bucket: &Bucket) -> PublicAccessBlockConfiguration {
    let document = bucket.settings.documents.get("publicAccessBlock", "").unwrap_or_default();
    PublicAccessBlockConfiguration::deserialize(&mut Deserializer::new(document.as_bytes()))
        .unwrap_or_default()
}

fn signed(who: Who) -> Result<(), Refusal> {
    if who == Who::Owner { Ok(()) } else { Err(denied("the request is not signed")) }
}

/// The permission that policies name.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn action(operation: &str) -> String {
    let name = match operation {
        "HeadObject" => "GetObject",
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "PostObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "PutObject",
        "DeleteObjects" => "DeleteObject",
        "ListParts" => "ListMultipartUploadParts",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetBucketReplication" => "GetReplicationConfiguration",
        "PutBucketReplication" | "DeleteBucketReplication" => "PutReplicationConfiguration",
        "DeleteBucketCors" => "PutBucketCORS",
        "DeleteBucketTagging" => "PutBucketTagging",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutBucketPublicAccessBlock",
        "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
        "SelectObjectContent" => "GetObject",
        "RenameObject" => "PutObject",
        other => other,
    };
    format!("s3:{name}")
}

/// What conditions may ask for.
fn context(query: Query<'_>, headers: &HeaderMap) -> BTreeMap<String, String> {
    let asked = ["prefix", "delimiter", "max-keys"];
    let asked = asked.into_iter().filter_map(|name| Some((format!("s3:{name}"), query.decoded(name)?)));
    let said = [("x-amz-acl", "s3:x-amz-acl"), ("referer", "aws:referer"), ("user-agent", "aws:useragent")];
    let said = said
        .into_iter()
        .filter_map(|(header, key)| Some((key.to_owned(), headers.get(header)?.to_str().ok()?.to_owned())));
    asked.chain(said).collect()
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text("x-amz-content-sha256").starts_with("STREAMING-") || text("content-encoding").contains("aws-chunked")
}

/// Where a copy is from.
fn source(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get("x-amz-copy-source")?.to_str().ok()?;
    let path = header.split_once("?versionId=").map_or(header, |(path, _)| path);
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let (bucket, key) = decoded.trim_start_matches('/').split_once('/')?;
    Some((bucket.to_owned(), key.to_owned()))
}

/// The client expects the bucket to be ours.
/// Headers of IBM's that mean what this server cannot do: to take them without a word would be to promise it.
const UNKEPT: [(&str, &str); 3] = [
    ("ibm-sse-kp-customer-root-key-crn", "keys of Key Protect"),
    ("ibm-sse-kp-encryption-algorithm", "keys of Key Protect"),
    ("mirror-destination", "buckets that are migrated from elsewhere"),
];

fn meant(headers: &HeaderMap) -> S3Result<()> {
    let meant = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
    if meant.iter().filter_map(|name| headers.get(*name)).any(|owner| owner != ACCOUNT) {
        return Err(s3_error!(AccessDenied, "Access Denied: the bucket has another owner"));
    }
    match UNKEPT.iter().find(|(name, _)| headers.contains_key(*name)) {
        Some((_, what)) => Err(Refusal::not_implemented(format!("This server has no {what}")).into()),
        None => Ok(()),
    }
}

/// Looked at before the signature, as S3 does it: the answer tells the region to use, and clients learn it.
pub fn wrong_region(own: &str, headers: &HeaderMap, uri: &Uri) -> Option<Response<Body>> {
    let signed = signed_region(headers, uri).filter(|signed| signed != own)?;
    let mut xml = Xml::bare("Error");
    xml.element("Code", "AuthorizationHeaderMalformed");
    xml.element(
        "Message",
        &format!("The authorization header is malformed; the region '{signed}' is wrong; expecting '{own}'"),
    );
    xml.element("Region", own);
    let mut answer = Response::new(Body::from(xml.end()));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(own) = HeaderValue::from_str(own) {
        answer.headers_mut().insert("x-amz-bucket-region", own);
    }
    Some(answer)
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
