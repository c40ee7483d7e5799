//! Server-side encryption: asked for, remembered and told. Nothing is encrypted: who runs this server owns its
//! memory and its directory. A key of the customer's is refused, since to take it would promise what is not kept.

use s3s::dto::ServerSideEncryption;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Api;
use super::beyond::{document, replied};
use super::wire::version_id;
use super::xml;
use crate::embedded::operation::{Query, Target};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::Encryption;

pub fn refuse_customer_key(algorithm: Option<&str>) -> Result<(), Refusal> {
    match algorithm {
        None => Ok(()),
        Some(_) => Err(Refusal::not_implemented("Encryption with a key of the customer is not implemented")),
    }
}

/// What the headers of a write ask for.
pub fn asked_encryption(
    kind: Option<&ServerSideEncryption>,
    key: Option<String>,
    bucket_key: Option<bool>,
) -> Result<Option<Encryption>, Refusal> {
    let Some(kind) = kind else {
        return match key {
            None => Ok(None),
            Some(_) => Err(Refusal::argument(
                "x-amz-server-side-encryption-aws-kms-key-id needs x-amz-server-side-encryption: aws:kms",
            )),
        };
    };
    let of_kms = matches!(kind.as_str(), ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE);
    if !of_kms && kind.as_str() != ServerSideEncryption::AES256 {
        return Err(Refusal::new(
            400,
            "InvalidEncryptionAlgorithmError",
            "The encryption request you specified is not valid. Supported values: AES256, aws:kms, aws:kms:dsse.",
        ));
    }
    if !of_kms && key.is_some() {
        return Err(Refusal::argument("AES256 takes no key of KMS"));
    }
    Ok(Some(Encryption { kind: kind.as_str().to_owned(), key, bucket_key: bucket_key.filter(|_| of_kms) }))
}

impl Api {
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html>
    pub(super) async fn update_object_encryption(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (bucket, key) = target.object()?;
        let leaves = xml::leaves(&document(request), "ObjectEncryption", &["SSE-KMS"])?;
        let leaf = |path: &str| leaves.iter().find(|(at, _)| at == path).map(|(_, text)| text.trim());
        let arn = leaf("SSE-KMS/KMSKeyArn").filter(|arn| !arn.is_empty());
        let arn = arn.ok_or_else(|| xml::malformed("SSE-KMS needs a KMSKeyArn"))?.to_owned();
        let bucket_key = leaf("SSE-KMS/BucketKeyEnabled").map(|text| text.eq_ignore_ascii_case("true"));
        let kind = ServerSideEncryption::AWS_KMS.to_owned();
        let encryption = Encryption { kind, key: Some(arn), bucket_key };
        let query = Query(request.uri.query().unwrap_or_default());
        let version = version_id(query.decoded("versionId"));
        self.store
            .write(bucket, |bucket, scope, _| {
                bucket.edit(scope, key, version.as_ref(), |object| {
                    object.about.encryption = Some(encryption);
                    Ok(())
                })
            })
            .await?;
        Ok(replied(http::StatusCode::OK, String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_belong_to_kms() {
        let asked = |kind: Option<&'static str>, key: Option<&str>| {
            let kind = kind.map(ServerSideEncryption::from_static);
            asked_encryption(kind.as_ref(), key.map(str::to_owned), Some(true))
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(asked(None, None), Ok(None));
        assert_eq!(asked(None, Some("k")), Err("InvalidArgument"));
        assert_eq!(asked(Some("AES256"), Some("k")), Err("InvalidArgument"));
        assert_eq!(asked(Some("rot13"), None), Err("InvalidEncryptionAlgorithmError"));
        let kms = asked(Some("aws:kms"), Some("arn")).unwrap().unwrap();
        assert_eq!(
            (kms.kind.as_str(), kms.key.as_deref(), kms.bucket_key),
            ("aws:kms", Some("arn"), Some(true))
        );
        assert_eq!(asked(Some("AES256"), None).unwrap().unwrap().bucket_key, None);
    }
}
