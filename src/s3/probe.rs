//! Finds out what a store of unknown make can do, by asking for what it must refuse.

use bytes::Bytes;

use super::dialect::Vendor;
use super::ops::{DeleteObject, PutObject, WriteCondition};
use super::{Client, ETag, ErrorKind, Result};

/// No object has it.
const NO_ETAG: &str = "00000000000000000000000000000000";

/// Whether the store compares what a write is conditional on; `dialect` remembers it. Stores whose ways are known
/// are not asked. `key` must name nothing: a good store has nothing to compare with and stores nothing; one that
/// ignores the condition stores an empty object, which is removed again.
pub async fn write_conditions(client: &Client, bucket: &str, key: &str) -> Result<bool> {
    if client.dialect().vendor() != Vendor::Unknown {
        return Ok(client.dialect().honours_write_conditions());
    }
    let condition = WriteCondition::Matches(ETag(NO_ETAG.into()));
    match client.send(&PutObject { condition, ..PutObject::new(bucket, key, Bytes::new()) }).await {
        Ok(stored) => {
            client.dialect().note_ignored_condition();
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            let remove = DeleteObject { bucket, key, version: stored.version, ..DeleteObject::default() };
            client.send(&remove).await?;
            Ok(false)
        }
        Err(error) if is_refusal(error.kind()) => Ok(true),
        Err(error) => Err(error),
    }
}

/// AWS says NoSuchKey where there is nothing to match, others say that the condition failed.
fn is_refusal(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PreconditionFailed | ErrorKind::NoSuchKey | ErrorKind::Conflict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::scripted::{Answer, Server};

    #[tokio::test]
    async fn a_store_that_stores_what_it_must_refuse_is_caught_and_cleaned() {
        let stored = Answer::new(200, &[("etag", "\"e\""), ("x-amz-version-id", "v1")], "");
        let server = Server::answering([stored, Answer::new(204, &[], "")]).await;
        let client = server.client();
        assert!(client.dialect().honours_write_conditions());
        assert!(!write_conditions(&client, "bucket", ".holdfs.d/probe").await.expect("an answer"));
        assert!(!client.dialect().honours_write_conditions());
        let heard = server.heard();
        assert_eq!(
            (heard[1].method.as_str(), heard[1].target.as_str()),
            ("DELETE", "/bucket/.holdfs.d/probe?versionId=v1")
        );
    }

    #[tokio::test]
    async fn a_refusal_is_a_good_sign_and_anything_else_no_answer() {
        for (answer, honours) in [
            (Answer::error(412, "PreconditionFailed"), Some(true)),
            (Answer::error(404, "NoSuchKey"), Some(true)),
            (Answer::error(403, "AccessDenied"), None),
        ] {
            let server = Server::answering([answer]).await;
            let found = write_conditions(&server.client(), "bucket", "probe").await.ok();
            assert_eq!((found, server.heard().len()), (honours, 1));
        }
    }
}
