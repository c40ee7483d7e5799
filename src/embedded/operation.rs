//! What a request asks for, told from its line and headers alone: faults strike and the log counts before `s3s`
//! has looked at it, and whatever it then says.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As S3 calls it.
    pub operation: &'static str,
    pub bucket: Option<String>,
    pub key: Option<String>,
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
    let operation = match (&bucket, &key) {
        (None, _) => of_service(method),
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

    fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The first of the names that the query has, and what stands beside it.
    fn choose(self, names: &[(&str, &'static str)]) -> Option<&'static str> {
        names.iter().find(|(name, _)| self.has(name)).map(|(_, operation)| *operation)
    }
}

/// What S3 would call an operation that this server does not have.
const OTHER: &str = "Other";

fn of_service(method: &Method) -> &'static str {
    if method == Method::GET { "ListBuckets" } else { OTHER }
}

fn of_bucket(method: &Method, query: Query<'_>) -> &'static str {
    match *method {
        Method::HEAD => "HeadBucket",
        Method::PUT => query
            .choose(&[("versioning", "PutBucketVersioning"), ("object-lock", "PutObjectLockConfiguration")])
            .unwrap_or_else(|| plain(query, "CreateBucket")),
        Method::DELETE => plain(query, "DeleteBucket"),
        Method::POST if query.has("delete") => "DeleteObjects",
        Method::GET => query
            .choose(&[
                ("location", "GetBucketLocation"),
                ("versioning", "GetBucketVersioning"),
                ("versions", "ListObjectVersions"),
                ("uploads", "ListMultipartUploads"),
                ("object-lock", "GetObjectLockConfiguration"),
                ("list-type", "ListObjectsV2"),
            ])
            .unwrap_or_else(|| plain(query, "ListObjects")),
        _ => OTHER,
    }
}

/// Sub-resources of a bucket that this server does not have.
fn plain(query: Query<'_>, operation: &'static str) -> &'static str {
    const OTHERS: [&str; 17] = [
        "acl",
        "policy",
        "cors",
        "lifecycle",
        "tagging",
        "website",
        "logging",
        "notification",
        "encryption",
        "replication",
        "requestPayment",
        "accelerate",
        "analytics",
        "inventory",
        "metrics",
        "publicAccessBlock",
        "ownershipControls",
    ];
    if OTHERS.iter().any(|name| query.has(name)) { OTHER } else { operation }
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
                ("acl", OTHER),
                ("torrent", OTHER),
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
                ("acl", OTHER),
            ])
            .unwrap_or(if copies { "CopyObject" } else { "PutObject" }),
        Method::POST => query
            .choose(&[("uploads", "CreateMultipartUpload"), ("uploadId", "CompleteMultipartUpload")])
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
            ("GET /b?policy", "Other"),
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
            ("POST /b/k?select", "Other"),
        ];
        for (line, expected) in cases {
            assert_eq!(operation(line, &[]).operation, expected, "{line}");
        }
        let copy = [("x-amz-copy-source", "a/b")];
        assert_eq!(operation("PUT /b/k", &copy).operation, "CopyObject");
        assert_eq!(operation("PUT /b/k?partNumber=1&uploadId=2", &copy).operation, "UploadPartCopy");
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
