//! What a request asks for, told from its line and headers alone: faults strike and the log counts before `s3s`
//! has looked at it, and whatever it then says.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use super::storage::refusal::Refusal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As S3 calls it.
    pub operation: &'static str,
    pub bucket: Option<String>,
    pub key: Option<String>,
}

impl Target {
    /// Bucket and key, which requests for objects have.
    pub fn object(&self) -> Result<(&str, &str), Refusal> {
        match (&self.bucket, &self.key) {
            (Some(bucket), Some(key)) => Ok((bucket, key)),
            _ => Err(Refusal::new(400, "InvalidURI", "The request names no object")),
        }
    }
}

impl Target {
    /// The bucket, which requests for buckets have.
    pub fn in_bucket(&self) -> Result<&str, Refusal> {
        let unnamed = || Refusal::new(400, "InvalidURI", "The request names no bucket");
        self.bucket.as_deref().ok_or_else(unnamed)
    }
}

/// The bucket in a host name: `bucket.localhost`, with or without a port.
pub fn host_bucket(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix(".localhost").filter(|bucket| !bucket.is_empty())
}

pub fn target(method: &Method, uri: &Uri, headers: &HeaderMap) -> Target {
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = uri.path().strip_prefix('/').unwrap_or(uri.path());
    let (bucket, key) = match host_bucket(host) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let some = |text: &str| (!text.is_empty()).then(|| decoded(text));
    let (bucket, key) = (some(bucket), some(key));
    let query = Query(uri.query().unwrap_or_default());
    let place = match (&bucket, &key) {
        (None, _) => Place::Service,
        (Some(_), None) => Place::Bucket,
        (Some(_), Some(_)) => Place::Object,
    };
    let operation = match (&bucket, &key) {
        _ if let Some(operation) = beyond(method, place, query) => operation,
        (None, _) => of_service(method, query),
        (Some(_), None) if is_form(headers) && method == Method::POST => "PostObject",
        (Some(_), None) => of_bucket(method, query),
        (Some(_), Some(_)) => of_object(method, query, headers),
    };
    Target { operation, bucket, key }
}

#[derive(Clone, Copy)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    pub fn get(self, name: &str) -> Option<&'a str> {
        let pairs = self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All values of the name.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The value in its own letters; a plus sign is a blank.
    pub fn decoded(self, name: &str) -> Option<String> {
        self.get(name).map(form_decoded)
    }

    fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn setting(self) -> Option<&'static SettingVerbs> {
        SETTINGS.iter().find(|setting| self.has(setting.subresource))
    }

    /// The first of the names that the query has, and what stands beside it.
    fn choose(self, names: &[(&str, &'static str)]) -> Option<&'static str> {
        names.iter().find(|(name, _)| self.has(name)).map(|(_, operation)| *operation)
    }
}

pub fn form_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// What S3 would call an operation that this server does not have.
const OTHER: &str = "Other";

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

fn of_service(method: &Method, query: Query<'_>) -> &'static str {
    match *method {
        Method::GET if query.get("x-id") == Some("ListDirectoryBuckets") => "ListDirectoryBuckets",
        Method::GET => "ListBuckets",
        _ => OTHER,
    }
}

fn of_bucket(method: &Method, query: Query<'_>) -> &'static str {
    match *method {
        Method::HEAD => "HeadBucket",
        Method::PUT => query
            .choose(&[("versioning", "PutBucketVersioning"), ("object-lock", "PutObjectLockConfiguration")])
            .or_else(|| query.setting().map(|setting| setting.put))
            .unwrap_or("CreateBucket"),
        Method::DELETE => query.setting().map_or("DeleteBucket", |setting| setting.delete),
        Method::POST if query.has("delete") => "DeleteObjects",
        Method::GET => query
            .choose(&[
                ("location", "GetBucketLocation"),
                ("session", "CreateSession"),
                ("versioning", "GetBucketVersioning"),
                ("versions", "ListObjectVersions"),
                ("uploads", "ListMultipartUploads"),
                ("object-lock", "GetObjectLockConfiguration"),
                ("list-type", "ListObjectsV2"),
                ("policyStatus", "GetBucketPolicyStatus"),
            ])
            .or_else(|| query.setting().map(|setting| setting.read(query.has("id"))))
            .unwrap_or("ListObjects"),
        _ => OTHER,
    }
}

/// A configuration document and the verbs that it has.
pub struct SettingVerbs {
    subresource: &'static str,
    get: &'static str,
    pub put: &'static str,
    delete: &'static str,
    /// Of those that have an id each.
    list: Option<&'static str>,
}

impl SettingVerbs {
    fn read(&self, by_id: bool) -> &'static str {
        self.list.filter(|_| !by_id).unwrap_or(self.get)
    }
}

macro_rules! verbs {
    ($($subresource:literal: $get:literal $put:literal $delete:expr, $list:expr;)*) => {
        &[$(SettingVerbs { subresource: $subresource, get: $get, put: $put, delete: $delete, list: $list }),*]
    };
}

pub const SETTINGS: &[SettingVerbs] = verbs! {
    "accelerate": "GetBucketAccelerateConfiguration" "PutBucketAccelerateConfiguration" OTHER, None;
    "acl": "GetBucketAcl" "PutBucketAcl" OTHER, None;
    "analytics": "GetBucketAnalyticsConfiguration" "PutBucketAnalyticsConfiguration"
        "DeleteBucketAnalyticsConfiguration", Some("ListBucketAnalyticsConfigurations");
    "cors": "GetBucketCors" "PutBucketCors" "DeleteBucketCors", None;
    "encryption": "GetBucketEncryption" "PutBucketEncryption" "DeleteBucketEncryption", None;
    "intelligent-tiering": "GetBucketIntelligentTieringConfiguration" "PutBucketIntelligentTieringConfiguration"
        "DeleteBucketIntelligentTieringConfiguration", Some("ListBucketIntelligentTieringConfigurations");
    "inventory": "GetBucketInventoryConfiguration" "PutBucketInventoryConfiguration"
        "DeleteBucketInventoryConfiguration", Some("ListBucketInventoryConfigurations");
    "lifecycle": "GetBucketLifecycleConfiguration" "PutBucketLifecycleConfiguration" "DeleteBucketLifecycle", None;
    "logging": "GetBucketLogging" "PutBucketLogging" OTHER, None;
    "metrics": "GetBucketMetricsConfiguration" "PutBucketMetricsConfiguration"
        "DeleteBucketMetricsConfiguration", Some("ListBucketMetricsConfigurations");
    "notification": "GetBucketNotificationConfiguration" "PutBucketNotificationConfiguration" OTHER, None;
    "ownershipControls": "GetBucketOwnershipControls" "PutBucketOwnershipControls" "DeleteBucketOwnershipControls", None;
    "policy": "GetBucketPolicy" "PutBucketPolicy" "DeleteBucketPolicy", None;
    "publicAccessBlock": "GetPublicAccessBlock" "PutPublicAccessBlock" "DeletePublicAccessBlock", None;
    "replication": "GetBucketReplication" "PutBucketReplication" "DeleteBucketReplication", None;
    "requestPayment": "GetBucketRequestPayment" "PutBucketRequestPayment" OTHER, None;
    "tagging": "GetBucketTagging" "PutBucketTagging" "DeleteBucketTagging", None;
    "website": "GetBucketWebsite" "PutBucketWebsite" "DeleteBucketWebsite", None;
};

/// Operations of newer S3, of MinIO and of IBM that `s3s` does not know, or not in all that they can carry: it would
/// take such a request as one for the bucket or the object itself, or refuse it. With method and sub-resource; the first that fits.
const BEYOND: &[(Method, Place, &str, &str)] = &[
    (Method::GET, Place::Service, "events", "ListenNotification"),
    (Method::GET, Place::Service, "extended", "ListBucketsExtended"),
    (Method::GET, Place::Bucket, "events", "ListenNotification"),
    (Method::GET, Place::Bucket, "abac", "GetBucketAbac"),
    (Method::PUT, Place::Bucket, "abac", "PutBucketAbac"),
    (Method::GET, Place::Bucket, "faspConnectionInfo", "GetBucketAspera"),
    (Method::GET, Place::Bucket, "ibm-replication-failures", "ListBucketReplicationFailures"),
    (Method::PUT, Place::Bucket, "ibm-replication-reattempt", "PutBucketReplicationReattempt"),
    (Method::GET, Place::Bucket, "metadataConfiguration", "GetBucketMetadataConfiguration"),
    (Method::POST, Place::Bucket, "metadataConfiguration", "CreateBucketMetadataConfiguration"),
    (Method::DELETE, Place::Bucket, "metadataConfiguration", "DeleteBucketMetadataConfiguration"),
    (Method::GET, Place::Bucket, "metadataTable", "GetBucketMetadataTableConfiguration"),
    (Method::POST, Place::Bucket, "metadataTable", "CreateBucketMetadataTableConfiguration"),
    (Method::DELETE, Place::Bucket, "metadataTable", "DeleteBucketMetadataTableConfiguration"),
    (Method::PUT, Place::Bucket, "metadataInventoryTable", "UpdateBucketMetadataInventoryTableConfiguration"),
    (Method::PUT, Place::Bucket, "metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration"),
    (
        Method::PUT,
        Place::Bucket,
        "metadataAnnotationTable",
        "UpdateBucketMetadataAnnotationTableConfiguration",
    ),
    (Method::GET, Place::Bucket, "protection", "GetBucketProtectionConfiguration"),
    (Method::PUT, Place::Bucket, "protection", "PutBucketProtectionConfiguration"),
    (Method::GET, Place::Object, "annotationName", "GetObjectAnnotation"),
    (Method::GET, Place::Object, "annotation", "ListObjectAnnotations"),
    (Method::PUT, Place::Object, "annotation", "PutObjectAnnotation"),
    (Method::DELETE, Place::Object, "annotation", "DeleteObjectAnnotation"),
    (Method::PUT, Place::Object, "encryption", "UpdateObjectEncryption"),
    (Method::PUT, Place::Object, "renameObject", "RenameObject"),
    (Method::GET, Place::Object, "legalHold", "ListLegalHolds"),
    (Method::POST, Place::Object, "add", "AddLegalHold"),
    (Method::POST, Place::Object, "remove", "DeleteLegalHold"),
    (Method::POST, Place::Object, "extendRetention", "ExtendObjectRetention"),
    (Method::POST, Place::Object, "lambdaArn", "PromptObject"),
    (Method::POST, Place::Object, "uploadId", "CompleteMultipartUpload"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Service,
    Bucket,
    Object,
}

fn beyond(method: &Method, place: Place, query: Query<'_>) -> Option<&'static str> {
    let fits = |(verb, at, name, _): &&(Method, Place, &str, &str)| {
        verb == method && *at == place && query.has(name)
    };
    BEYOND.iter().find(fits).map(|(.., operation)| *operation)
}

/// Whether the operation goes past `s3s`.
pub fn is_beyond(operation: &str) -> bool {
    BEYOND.iter().any(|(.., name)| *name == operation)
}

fn of_object(method: &Method, query: Query<'_>, headers: &HeaderMap) -> &'static str {
    let copies = headers.contains_key("x-amz-copy-source");
    match *method {
        Method::HEAD => "HeadObject",
        Method::GET => query
            .choose(&[
                ("uploadId", "ListParts"),
                ("tagging", "GetObjectTagging"),
                ("retention", "GetObjectRetention"),
                ("legal-hold", "GetObjectLegalHold"),
                ("attributes", "GetObjectAttributes"),
                ("acl", "GetObjectAcl"),
                ("torrent", "GetObjectTorrent"),
            ])
            .unwrap_or("GetObject"),
        Method::PUT if query.has("uploadId") => {
            if copies {
                "UploadPartCopy"
            } else {
                "UploadPart"
            }
        }
        Method::PUT => query
            .choose(&[
                ("tagging", "PutObjectTagging"),
                ("retention", "PutObjectRetention"),
                ("legal-hold", "PutObjectLegalHold"),
                ("acl", "PutObjectAcl"),
            ])
            .unwrap_or(if copies { "CopyObject" } else { "PutObject" }),
        Method::POST => query
            .choose(&[
                ("uploads", "CreateMultipartUpload"),
                ("select", "SelectObjectContent"),
                ("restore", "RestoreObject"),
            ])
            .unwrap_or(OTHER),
        Method::DELETE => query
            .choose(&[("uploadId", "AbortMultipartUpload"), ("tagging", "DeleteObjectTagging")])
            .unwrap_or("DeleteObject"),
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(line: &str, headers: &[(&'static str, &str)]) -> Target {
        let (method, uri) = line.split_once(' ').unwrap();
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        target(&method.parse().unwrap(), &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn lines_tell_the_operation() {
        let cases = [
            ("GET /", "ListBuckets"),
            ("GET /b", "ListObjects"),
            ("GET /b/?list-type=2&prefix=x", "ListObjectsV2"),
            ("GET /b?versions", "ListObjectVersions"),
            ("GET /b?uploads=", "ListMultipartUploads"),
            ("GET /b?location", "GetBucketLocation"),
            ("GET /b?policy", "GetBucketPolicy"),
            ("PUT /b?cors", "PutBucketCors"),
            ("DELETE /b?website=", "DeleteBucketWebsite"),
            ("GET /b?inventory", "ListBucketInventoryConfigurations"),
            ("GET /b?inventory&id=1", "GetBucketInventoryConfiguration"),
            ("GET /b?policyStatus", "GetBucketPolicyStatus"),
            ("PUT /b", "CreateBucket"),
            ("PUT /b?object-lock", "PutObjectLockConfiguration"),
            ("POST /b?delete", "DeleteObjects"),
            ("DELETE /b", "DeleteBucket"),
            ("HEAD /b", "HeadBucket"),
            ("GET /b/k", "GetObject"),
            ("GET /b/k?versionId=1", "GetObject"),
            ("GET /b/k?tagging", "GetObjectTagging"),
            ("GET /b/k?uploadId=1", "ListParts"),
            ("PUT /b/k", "PutObject"),
            ("PUT /b/k?partNumber=1&uploadId=2", "UploadPart"),
            ("PUT /b/k?legal-hold", "PutObjectLegalHold"),
            ("POST /b/k?uploads", "CreateMultipartUpload"),
            ("POST /b/k?uploadId=1", "CompleteMultipartUpload"),
            ("DELETE /b/k?uploadId=1", "AbortMultipartUpload"),
            ("DELETE /b/k", "DeleteObject"),
            ("POST /b/k?select&select-type=2", "SelectObjectContent"),
        ];
        for (line, expected) in cases {
            assert_eq!(operation(line, &[]).operation, expected, "{line}");
        }
        let form = [("content-type", "multipart/form-data; boundary=X")];
        assert_eq!(operation("POST /b", &form).operation, "PostObject");
        let copy = [("x-amz-copy-source", "a/b")];
        assert_eq!(operation("PUT /b/k", &copy).operation, "CopyObject");
        assert_eq!(operation("PUT /b/k?partNumber=1&uploadId=2", &copy).operation, "UploadPartCopy");
    }

    #[test]
    fn what_the_protocol_crate_does_not_know_is_told_from_the_rest() {
        let cases = [
            ("PUT /b/k?renameObject", "RenameObject"),
            ("GET /b/k?annotation&annotationName=a", "GetObjectAnnotation"),
            ("GET /b/k?annotation", "ListObjectAnnotations"),
            ("POST /b/k?legalHold&add=1", "AddLegalHold"),
            ("GET /b?events=s3:ObjectCreated:*", "ListenNotification"),
            ("GET /?events=x", "ListenNotification"),
        ];
        for (line, expected) in cases {
            let found = operation(line, &[]).operation;
            assert_eq!((found, is_beyond(found)), (expected, true), "{line}");
        }
        for line in
            ["GET /b/k?legal-hold", "GET /b", "GET /b?prefix=abac", "PUT /b?encryption", "POST /b/k?select"]
        {
            assert!(!is_beyond(operation(line, &[]).operation), "{line}");
        }
    }

    #[test]
    fn keys_are_decoded_and_buckets_found_in_either_place() {
        let odd = operation("GET /b/a%20b//%2e%2e/c/", &[]);
        assert_eq!((odd.bucket.as_deref(), odd.key.as_deref()), (Some("b"), Some("a b//../c/")));
        let hosted = operation("GET /x/y", &[("host", "b.localhost:7480")]);
        assert_eq!((hosted.bucket.as_deref(), hosted.key.as_deref()), (Some("b"), Some("x/y")));
        assert_eq!(operation("GET /b/k", &[("host", "localhost:1")]).bucket.as_deref(), Some("b"));
    }
}
