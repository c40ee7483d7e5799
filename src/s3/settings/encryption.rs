//! How the store encrypts what is put without a word about encryption.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>

use bytes::Bytes;

use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::document::{self, document};

document! {
    /// Exactly one rule.
    #[derive(Default, Eq)]
    pub struct BucketEncryption {
        rules: Vec<EncryptionRule> = "Rule",
    }

    #[derive(Default, Eq)]
    pub struct EncryptionRule {
        by_default: Option<DefaultEncryption> = "ApplyServerSideEncryptionByDefault",
        /// One key per bucket instead of one call to KMS per object.
        bucket_key: Option<bool> = "BucketKeyEnabled",
        blocked: Option<BlockedEncryption> = "BlockedEncryptionTypes",
    }

    #[derive(Eq)]
    pub struct DefaultEncryption {
        /// `AES256`, `aws:kms`, `aws:kms:dsse`, …
        algorithm: String = "SSEAlgorithm",
        /// Only with `aws:kms` and `aws:kms:dsse`.
        kms_key_id: Option<String> = "KMSMasterKeyID",
    }

    #[derive(Default, Eq)]
    pub struct BlockedEncryption {
        /// `NONE` or `SSE-C`.
        types: Vec<String> = "EncryptionType",
    }
}

impl Setting for BucketEncryption {
    const SUBRESOURCE: &'static str = "encryption";
    const GET: &'static str = "GetBucketEncryption";
    const PUT: &'static str = "PutBucketEncryption";
    const ABSENT: &'static [&'static str] = &["ServerSideEncryptionConfigurationNotFoundError"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("ServerSideEncryptionConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("ServerSideEncryptionConfiguration", document)
    }
}

impl Removable for BucketEncryption {
    const DELETE: &'static str = "DeleteBucketEncryption";
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;

    #[test]
    fn encryption_as_in_the_reference() {
        let encryption: BucketEncryption = survives(
            r#"<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
   <Rule>
      <ApplyServerSideEncryptionByDefault>
         <SSEAlgorithm>aws:kms</SSEAlgorithm>
         <KMSMasterKeyID>arn:aws:kms:us-east-1:1234/5678example</KMSMasterKeyID>
      </ApplyServerSideEncryptionByDefault>
      <BucketKeyEnabled>true</BucketKeyEnabled>
      <BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>
   </Rule>
</ServerSideEncryptionConfiguration>"#,
        );
        let rule = &encryption.rules[0];
        assert_eq!(rule.by_default.as_ref().map(|default| default.algorithm.as_str()), Some("aws:kms"));
        assert_eq!(rule.bucket_key, Some(true));
    }
}
