//! Takes in the body of a PutObject or UploadPart: into a blob, through the digests, against what was claimed.

use bytes::Bytes;
use futures_util::StreamExt;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders};

use super::integrity::Claims;
use crate::base::checksum::{Algorithm, Running};
use crate::base::digest::Md5;
use crate::base::digest::hex;
use crate::embedded::blob::{Content, ContentStream};
use crate::embedded::options::Etags;
use crate::embedded::storage::Store;
use crate::embedded::storage::checksum::Checksums;
use crate::embedded::storage::refusal::Refusal;

/// Bytes at rest, not yet part of anything.
pub struct Received {
    pub content: Content,
    pub etag: String,
    pub checksums: Checksums,
}

/// All that is computed over the bytes in one pass.
pub struct Digests {
    md5: Option<Md5>,
    running: Vec<Running>,
}

impl Digests {
    pub fn new(md5: bool, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut wanted: Vec<Algorithm> = algorithms.into_iter().collect();
        wanted.sort();
        wanted.dedup();
        Self { md5: md5.then(Md5::default), running: wanted.into_iter().map(Running::new).collect() }
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.running.iter_mut().for_each(|running| running.update(bytes));
    }

    fn finish(self) -> (Option<[u8; 16]>, Checksums) {
        let values = self.running.into_iter().map(|running| (running.algorithm(), running.finish()));
        (self.md5.map(Md5::finish), values.collect())
    }

    /// Digests of bytes that are already at rest.
    pub async fn over(
        mut self,
        mut stream: ContentStream,
        etags: Etags,
    ) -> Result<(String, Checksums), Refusal> {
        while let Some(bytes) = stream.next().await {
            self.update(&bytes.map_err(Refusal::internal)?);
        }
        let (md5, checksums) = self.finish();
        Ok((etag_of(md5, etags), checksums))
    }
}

/// MD5 in hex, or as many random digits.
pub fn etag_of(md5: Option<[u8; 16]>, etags: Etags) -> String {
    match (etags, md5) {
        (Etags::Md5, Some(md5)) => hex(&md5),
        (Etags::Md5, None) | (Etags::Opaque, _) => format!("{:032x}", fastrand::u128(..)),
    }
}

/// What to expect of a body and what to compute over it.
pub struct Terms {
    pub claims: Claims,
    pub bytes_max: u64,
    /// Besides that of the claim.
    pub algorithm: Option<Algorithm>,
    pub etags: Etags,
}

pub async fn receive(
    store: &Store,
    body: Option<StreamingBlob>,
    trailers: Option<TrailingHeaders>,
    terms: Terms,
) -> S3Result<Received> {
    let too_large =
        || Refusal::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    if terms.claims.length.is_some_and(|length| length > terms.bytes_max) {
        return Err(too_large().into());
    }
    let needs_md5 = terms.etags == Etags::Md5 || terms.claims.md5.is_some();
    let mut digests = Digests::new(needs_md5, terms.algorithm.into_iter().chain(terms.claims.algorithm()));
    let mut writer = store.blobs.create();
    let mut received: u64 = 0;
    let mut body = body;
    while let Some(bytes) = next(&mut body).await? {
        received += bytes.len() as u64;
        if received > terms.bytes_max {
            return Err(too_large().into());
        }
        digests.update(&bytes);
        writer.append(bytes).await.map_err(Refusal::internal)?;
    }
    if terms.claims.length.is_some_and(|length| length != received) {
        return Err(incomplete().into());
    }
    let (md5, checksums) = digests.finish();
    let trailers = trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
    terms.claims.check(md5, &checksums, &trailers)?;
    let content = writer.finish().await.map_err(Refusal::internal)?;
    Ok(Received { content, etag: etag_of(md5, terms.etags), checksums })
}

async fn next(body: &mut Option<StreamingBlob>) -> S3Result<Option<Bytes>> {
    let Some(stream) = body else { return Ok(None) };
    stream.next().await.transpose().map_err(|error| body_error(&error))
}

fn incomplete() -> Refusal {
    Refusal::new(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    )
}

/// The stream of `s3s` ends with an error when a hash or a chunk's signature is wrong; its types are private, so
/// that only their words tell which it was.
fn body_error(error: &StdError) -> S3Error {
    let words = format!("{error:?}");
    if words.contains("Sha256Mismatch") {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        let mut refused =
            S3Error::with_message(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()), message);
        refused.set_status_code(http::StatusCode::BAD_REQUEST);
        return refused;
    }
    if words.contains("SignatureMismatch") {
        return S3ErrorCode::SignatureDoesNotMatch.into();
    }
    incomplete().into()
}
