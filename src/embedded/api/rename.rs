//! RenameObject: another name for an object, at once. AWS has it for directory buckets; here every bucket has it,
//! and one with versions keeps the old name's under a delete marker.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html>

use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Api;
use super::access::signed_by;
use super::beyond::replied;
use super::wire::{self, etags_header, list_header};
use crate::embedded::operation::Target;
use crate::embedded::storage::bucket::Renaming;
use crate::embedded::storage::condition::ReadConditions;
use crate::embedded::storage::refusal::Refusal;

impl Api {
    pub(super) async fn rename_object(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (bucket_name, key) = target.object()?;
        let source = source(&request.headers, bucket_name)?;
        // The old name goes.
        let who = signed_by(&request.extensions);
        self.may(who, "DeleteObject", bucket_name, Some(&source), &Default::default())?;
        let conditions = wire::write_conditions(&request.headers)?;
        let of_source = source_conditions(&request.headers)?;
        let token = list_header(&request.headers, "x-amz-client-token");
        self.store
            .write(bucket_name, |bucket, scope, stamp| {
                let renaming = Renaming { from: source.clone(), to: key.to_owned() };
                if let Some(token) = &token
                    && bucket.renamed_before(token, &renaming)?
                {
                    return Ok(());
                }
                let version = bucket.find(&source, None)?;
                let etag = version.object.as_ref().map(|object| object.etag.clone()).unwrap_or_default();
                of_source.check_source(&etag, version.modified)?;
                bucket.check(key, &conditions)?;
                bucket.rename(scope, &renaming, stamp)?;
                if let Some(token) = token {
                    bucket.note_renaming(token, renaming);
                }
                Ok(())
            })
            .await?;
        self.tell_gone("s3:ObjectRemoved:Delete", bucket_name, &source, None);
        let renamed = self.store.read(bucket_name, |bucket| Ok(bucket.current(key).cloned()))?;
        if let Some(version) = renamed {
            self.tell("s3:ObjectCreated:Put", bucket_name, key, &version);
        }
        Ok(replied(StatusCode::OK, String::new()))
    }
}

/// `bucket/key` or `/bucket/key`, percent-encoded.
fn source(headers: &HeaderMap, bucket: &str) -> Result<String, Refusal> {
    let header = list_header(headers, "x-amz-rename-source");
    let header = header.ok_or_else(|| Refusal::request("x-amz-rename-source is missing"))?;
    let decoded = percent_decode_str(&header).decode_utf8();
    let decoded = decoded.map_err(|_| Refusal::argument("x-amz-rename-source is not UTF-8"))?;
    let path = decoded.strip_prefix('/').unwrap_or(&decoded);
    let key = path.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/'));
    let key = key.filter(|key| !key.is_empty());
    key.map(str::to_owned).ok_or_else(|| {
        Refusal::argument("x-amz-rename-source must be an object of the same bucket, written as bucket/key")
    })
}

fn source_conditions(headers: &HeaderMap) -> Result<ReadConditions, Refusal> {
    let date = |name: &str| {
        let text = list_header(headers, name);
        text.map(|text| wire::http_date(&text).ok_or_else(|| Refusal::argument(format!("{name} is no date"))))
            .transpose()
    };
    Ok(ReadConditions {
        if_match: etags_header(headers, "x-amz-rename-source-if-match"),
        if_none_match: etags_header(headers, "x-amz-rename-source-if-none-match"),
        if_modified_since: date("x-amz-rename-source-if-modified-since")?,
        if_unmodified_since: date("x-amz-rename-source-if-unmodified-since")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_lies_in_the_same_bucket() {
        let source = |value: &str| {
            let headers = [("x-amz-rename-source".parse().unwrap(), value.parse().unwrap())];
            source(&headers.into_iter().collect(), "b").ok()
        };
        assert_eq!(source("b/old%20name").as_deref(), Some("old name"));
        assert_eq!(source("/b/a//b").as_deref(), Some("a//b"));
        for bad in ["c/k", "bk", "b/", "b", ""] {
            assert_eq!(source(bad), None, "{bad}");
        }
    }
}
