//! Writing one object.

use http::HeaderMap;
use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::about::check_about;
use super::access::signed_by;
use super::acl::check_acl;
use super::fan_out::{self, SharedBytes};
use super::given::{Given, take_headers};
use super::integrity::Claims;
use super::kept::Kept;
use super::receive::{Received, Terms, receive};
use super::snowball::Unpacking;
use super::sums::{Seat, Sums, with_sums};
use super::wire::{self, shown_version};
use super::{Api, Ignored, ignored};
use crate::base::checksum::Algorithm;
use crate::embedded::form::Form;
use crate::embedded::storage::checksum::{Checksum, Choice};
use crate::embedded::storage::condition::WriteConditions;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{NewObject, Object, Version};

impl Api {
    pub(super) async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let offset = request.input.write_offset_bytes;
        if let Some(offset) = offset
            && let Some(base) = self.grown(&request.input, offset)?
        {
            return self.append(request, base).await;
        }
        let ignored = ignored(&request);
        let form = request.extensions.get::<Form>().cloned();
        let is_form = form.is_some();
        let who = signed_by(&request.extensions);
        let (mut input, headers) = (request.input, request.headers);
        if let Some(form) = &form {
            input.key = form.key(&input.key);
            // Its key was not known when the request was let in.
            self.may(who, "PutObject", &input.bucket, Some(&input.key), &Default::default())?;
        }
        let Given { about, lock: asked, acl } = take_headers!(input).understand()?;
        check_about(&about, &self.store.limits)?;
        let kept = Kept::read(&headers, self.store.now())?;
        let asked = kept.lock(asked);
        let claims = claims(&headers, form.as_ref())?;
        let conditions = wire::write_conditions(&headers).map(|found| found_unless(found, ignored))?;
        let early = headers.contains_key(http::header::EXPECT);
        let locks = self.store.read(&input.bucket, |bucket| {
            // With `Expect: 100-continue` the body is not even asked for.
            if early {
                bucket.check(&input.key, &conditions)?
            }
            check_acl(bucket, acl.as_deref())?;
            kept.check(bucket)?;
            bucket.lock_for(asked, self.store.now())
        })?;
        if claims.is_bare() && locks != Default::default() {
            let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock \
                           parameters";
            return Err(Refusal::request(message).into());
        }
        let algorithm = claims.algorithm().unwrap_or(Choice::default().algorithm);
        let bytes_max = self.store.limits.put_bytes_max;
        let terms = Terms { claims, bytes_max, algorithm: Some(algorithm), etags: self.etags };
        let received = receive(&self.store, input.body.take(), request.trailing_headers, terms).await?;
        let checksum = whole_checksum(&received, algorithm)?;
        if let Some(list) = form.as_ref().and_then(|form| form.get(fan_out::LIST)) {
            let bytes = SharedBytes { received: &received, checksum: &checksum, who };
            return self.fan_out(&input.bucket, list, bytes).await;
        }
        if let Some(unpacking) = Unpacking::asked(&input.key, &about, who) {
            self.unpack(&input.bucket, &received.content, &unpacking, asked).await?;
            let e_tag = Some(wire::etag(&received.etag));
            return Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }));
        }
        let parts = Vec::new();
        let (version, versioned) = self
            .store
            .write(&input.bucket, |bucket, scope, stamp| {
                bucket.check(&input.key, &conditions)?;
                let lock = bucket.lock_for(asked, stamp.now)?;
                let Received { content, etag, .. } = received;
                let object = NewObject { content, etag, checksum, parts, about: Box::new(about), lock, acl };
                let mut object = Object::new(object);
                kept.hold(&mut object, stamp.now)?;
                let version = bucket.put_again(scope, &input.key, object, stamp)?;
                Ok((version, bucket.is_versioned()))
            })
            .await?;
        let event = if is_form { "s3:ObjectCreated:Post" } else { "s3:ObjectCreated:Put" };
        self.tell(event, &input.bucket, &input.key, &version);
        let sums = version.object.as_ref().map(|object| Sums::of(&object.checksum)).unwrap_or_default();
        let seat = sums.seat;
        let mut output = put_output(&version, versioned, sums);
        output.expiration = self.expiration(&input.bucket, &input.key, &version);
        let size = version.object.as_ref().and_then(|object| i64::try_from(object.content.len()).ok());
        output.size = size.filter(|_| offset.is_some());
        Ok(Seat::answer(seat, output))
    }
}

pub(super) fn found_unless(conditions: WriteConditions, ignored: Ignored) -> WriteConditions {
    if ignored.conditions { Default::default() } else { conditions }
}

/// Of a form it is the fields that speak of the file.
fn claims(headers: &HeaderMap, form: Option<&Form>) -> S3Result<Claims> {
    if let Some(form) = form {
        return Ok(Claims { length: None, ..Claims::read(&form.headers())? });
    }
    let claims = Claims::read(headers)?;
    match claims.length {
        Some(_) => Ok(claims),
        None => Err(S3ErrorCode::MissingContentLength.into()),
    }
}

fn whole_checksum(received: &Received, algorithm: Algorithm) -> Result<Checksum, Refusal> {
    let value = received.checksums.get(&algorithm);
    let value = value.ok_or_else(|| Refusal::internal("the object's checksum was not computed"))?;
    Ok(Checksum::whole(algorithm, value))
}

pub(super) fn put_output(version: &Version, versioned: bool, sums: Sums) -> PutObjectOutput {
    let object = version.object.as_ref();
    let encryption = object.and_then(|object| object.about.encryption.as_ref());
    with_sums!(sums; PutObjectOutput {
        e_tag: object.map(|object| wire::etag(&object.etag)),
        version_id: shown_version(&version.id, versioned),
        checksum_type: sums.kind,
        bucket_key_enabled: encryption.and_then(|it| it.bucket_key),
        server_side_encryption: encryption.map(|it| it.kind.clone().into()),
        ssekms_key_id: encryption.and_then(|it| it.key.clone()),
        ..Default::default()
    })
}
