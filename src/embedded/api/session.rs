//! Directory buckets: a listing of those whose names say that they are, and sessions of one bucket each. Here every
//! bucket can have sessions.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html>

use s3s::dto::{
    Bucket, CreateSessionInput, CreateSessionOutput, ListDirectoryBucketsInput, ListDirectoryBucketsOutput,
    SessionCredentials, SessionMode,
};
use s3s::{S3Request, S3Response, S3Result};

use super::{Api, timestamp};
use crate::embedded::storage::refusal::Refusal;

/// How the names of directory buckets end.
const DIRECTORY: &str = "--x-s3";
const PAGE_MAX: usize = 1000;

impl Api {
    pub(super) async fn create_session(
        &self,
        request: S3Request<CreateSessionInput>,
    ) -> S3Result<S3Response<CreateSessionOutput>> {
        let input = request.input;
        self.store.read(&input.bucket, |_| Ok(()))?;
        let writes = match input.session_mode.as_ref().map(SessionMode::as_str) {
            None | Some(SessionMode::READ_WRITE) => true,
            Some(SessionMode::READ_ONLY) => false,
            Some(_) => {
                return Err(Refusal::argument("x-amz-create-session-mode is ReadOnly or ReadWrite").into());
            }
        };
        let session = self.keys.begin(&input.bucket, writes);
        let credentials = SessionCredentials {
            access_key_id: session.pair.access_key,
            expiration: timestamp(session.expires),
            secret_access_key: session.pair.secret_key.expose().to_owned(),
            // The pair itself is known here; no second proof is needed.
            session_token: format!("{:032x}", fastrand::u128(..)),
        };
        Ok(S3Response::new(CreateSessionOutput {
            bucket_key_enabled: input.bucket_key_enabled,
            credentials,
            ssekms_encryption_context: input.ssekms_encryption_context,
            ssekms_key_id: input.ssekms_key_id,
            server_side_encryption: input.server_side_encryption,
        }))
    }

    pub(super) async fn list_directory_buckets(
        &self,
        request: S3Request<ListDirectoryBucketsInput>,
    ) -> S3Result<S3Response<ListDirectoryBucketsOutput>> {
        let input = request.input;
        let limit = input.max_directory_buckets.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let after = input.continuation_token.unwrap_or_default();
        let all = self.store.buckets().into_iter();
        let mut rest = all.filter(|(name, _)| name.ends_with(DIRECTORY) && *name > after);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let continuation_token = rest.next().and_then(|_| page.last().map(|(name, _)| name.clone()));
        let entry = |(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(created)),
            ..Bucket::default()
        };
        let buckets = Some(page.into_iter().map(entry).collect());
        Ok(S3Response::new(ListDirectoryBucketsOutput { buckets, continuation_token }))
    }
}
