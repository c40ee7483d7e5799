//! PutObject with `x-amz-write-offset-bytes`: an object grows by one piece. No byte that is there already moves;
//! it is read again only where the old checksum cannot be continued.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html>

use std::sync::Arc;

use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::integrity::Claims;
use super::object::{found_unless, put_output};
use super::receive::{Digests, Received, Terms, receive};
use super::sums::Sums;
use super::{Api, ignored, wire};
use crate::base::checksum::Algorithm;
use crate::base::digest::{hex, md5};
use crate::embedded::blob::Content;
use crate::embedded::options::Etags;
use crate::embedded::storage::checksum::{Checksum, Choice, Kind};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Object, Version};

/// How often an object may grow.
const APPENDS_MAX: u32 = 10_000;

fn wrong_offset(size: u64) -> Refusal {
    let message =
        format!("The write offset value that you specified does not match the current object size: {size}");
    Refusal::new(400, "InvalidWriteOffset", message)
}

/// The checksum that a growing object has: one that can be continued.
fn continued(object: &Object) -> Option<Algorithm> {
    let Checksum { algorithm, kind, .. } = object.checksum;
    (kind == Kind::FullObject && algorithm.is_crc()).then_some(algorithm)
}

impl Api {
    /// The object that is to grow; `None` where there is none and the offset is 0.
    pub(super) fn grown(&self, input: &PutObjectInput, offset: i64) -> Result<Option<Arc<Version>>, Refusal> {
        let current = self.store.read(&input.bucket, |bucket| {
            Ok(bucket.current(&input.key).filter(|version| !version.is_marker()).cloned())
        })?;
        let size = current
            .as_ref()
            .and_then(|version| version.object.as_ref())
            .map_or(0, |object| object.content.len());
        if u64::try_from(offset).ok() != Some(size) {
            return Err(wrong_offset(size));
        }
        Ok(current)
    }

    pub(super) async fn append(
        &self,
        request: S3Request<PutObjectInput>,
        base: Arc<Version>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let conditions = found_unless(wire::write_conditions(&request.headers)?, ignored(&request));
        let (mut input, claims) = (request.input, Claims::read(&request.headers)?);
        let object = base.object.as_ref().ok_or_else(Refusal::no_such_key)?;
        if claims.length.is_none() {
            return Err(S3ErrorCode::MissingContentLength.into());
        }
        if object.appends >= APPENDS_MAX {
            let message = format!("An object can be appended to {APPENDS_MAX} times");
            return Err(Refusal::new(400, "TooManyParts", message).into());
        }
        let algorithm = continued(object).unwrap_or(Choice::default().algorithm);
        let bytes_max = self.store.limits.put_bytes_max;
        let terms = Terms { claims, bytes_max, algorithm: Some(algorithm), etags: self.etags };
        let piece = receive(&self.store, input.body.take(), request.trailing_headers, terms).await?;
        let whole = self.joined(object, &piece, algorithm).await?;
        let size = whole.content.len();
        if size > self.store.limits.object_bytes_max {
            let message = "Your proposed upload exceeds the maximum allowed object size.";
            return Err(Refusal::new(400, "EntityTooLarge", message).into());
        }
        let (version, versioned) = self
            .store
            .write(&input.bucket, |bucket, scope, stamp| {
                bucket.check(&input.key, &conditions)?;
                let now = bucket.current(&input.key).filter(|version| version.serial == base.serial);
                if now.is_none() {
                    return Err(wrong_offset(size));
                }
                let version = bucket.put_again(scope, &input.key, whole, stamp)?;
                Ok((version, bucket.is_versioned()))
            })
            .await?;
        self.tell("s3:ObjectCreated:Put", &input.bucket, &input.key, &version);
        // Clients take a checksum in the reply for that of what they have just sent.
        let mut output = put_output(&version, versioned, Sums::default());
        output.size = i64::try_from(size).ok();
        Ok(S3Response::new(output))
    }

    async fn joined(
        &self,
        object: &Object,
        piece: &Received,
        algorithm: Algorithm,
    ) -> Result<Object, Refusal> {
        let lost = || Refusal::internal("the checksum of the piece was not computed");
        let of_piece = piece.checksums.get(&algorithm).ok_or_else(lost)?;
        let of_old = match continued(object) {
            Some(_) => object.checksum.bytes().ok_or_else(lost)?,
            None => {
                let digests = Digests::new(false, [algorithm]);
                let (_, sums) = digests.over(object.content.stream(), Etags::Opaque).await?;
                sums.get(&algorithm).cloned().ok_or_else(lost)?
            }
        };
        let value = algorithm.combine(&of_old, of_piece, piece.content.len()).ok_or_else(lost)?;
        let appends = object.appends + 1;
        Ok(Object {
            content: Content::concat([&object.content, &piece.content]),
            // Not the MD5 of the bytes, and not to be taken for one.
            etag: format!("{}-{appends}", hex(&md5(format!("{}{}", object.etag, piece.etag).as_bytes()))),
            checksum: Checksum::whole(algorithm, &value),
            parts: Vec::new(),
            appends,
            ..object.clone()
        })
    }
}
