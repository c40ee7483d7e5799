//! Who may do what with a bucket, in JSON, and whether that means everybody.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Removable, Setting};
use crate::s3::document::{self, document};
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::on_bucket;
use crate::s3::{Error, Operation, Result};

/// The JSON text as it was put, up to 20 KB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BucketPolicy(pub String);

impl Setting for BucketPolicy {
    const SUBRESOURCE: &'static str = "policy";
    const GET: &'static str = "GetBucketPolicy";
    const PUT: &'static str = "PutBucketPolicy";
    const ABSENT: &'static [&'static str] = &["NoSuchBucketPolicy"];

    fn encode(&self) -> Result<Bytes> {
        Ok(self.0.clone().into())
    }

    fn decode(document: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(document);
        text.map(|text| Self(text.to_owned()))
            .map_err(|_| Error::decode("The policy of the bucket is not UTF-8."))
    }
}

impl Removable for BucketPolicy {
    const DELETE: &'static str = "DeleteBucketPolicy";
}

document! {
    /// What the store makes of the policy. It can only be read.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>
    #[derive(Default, Eq)]
    pub struct PolicyStatus {
        is_public: Option<bool> = "IsPublic",
    }
}

/// Output: [`PolicyStatus`]; `None` when the bucket has no policy.
#[derive(Clone, Debug, Default)]
pub struct GetBucketPolicyStatus {
    /// The bucket.
    pub bucket: String,
}

impl Operation for GetBucketPolicyStatus {
    type Output = Option<PolicyStatus>;
    const NAME: &'static str = "GetBucketPolicyStatus";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with("policyStatus", ""))
    }

    fn decode(&self, reply: Reply) -> Result<Option<PolicyStatus>> {
        document::decode("PolicyStatus", reply.document()?).map(Some)
    }

    fn recover(&self, error: &Error) -> Option<Option<PolicyStatus>> {
        BucketPolicy::ABSENT.contains(&error.code()).then_some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DeleteSetting, GetSetting, PutSetting};
    use super::*;
    use crate::s3::ops::fixture::{reply, wire};

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
    const POLICY: &str = r#"{
"Version":"2008-10-17",
"Id":"aaaa-bbbb-cccc-dddd",
"Statement" : [
    {
        "Effect":"Deny",
        "Sid":"1",
        "Principal" : { "AWS":["111122223333","444455556666"] },
        "Action":["s3:*"],
        "Resource":"arn:aws:s3:::bucket/*"
    }
 ]
}"#;

    #[test]
    fn a_policy_stays_as_it_was_written() {
        let put = PutSetting { bucket: "b".into(), document: BucketPolicy(POLICY.into()) };
        assert_eq!(wire(&put), format!("PUT /b?policy=\n{POLICY}"));
        assert!(put.encode().unwrap().needs_checksum);
        let get = GetSetting::<BucketPolicy>::new("b");
        assert_eq!(wire(&get), "GET /b?policy=");
        assert_eq!(get.decode(reply(200, &[], POLICY)).unwrap(), Some(BucketPolicy(POLICY.into())));
        assert_eq!(wire(&DeleteSetting::<BucketPolicy>::new("b")), "DELETE /b?policy=");
    }

    #[test]
    fn policy_status_as_in_the_reference() {
        let get = GetBucketPolicyStatus { bucket: "b".into() };
        assert_eq!(wire(&get), "GET /b?policyStatus=");
        let document = r#"<PolicyStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <IsPublic>TRUE</IsPublic>
</PolicyStatus>"#;
        let status = get.decode(reply(200, &[], document)).unwrap();
        assert_eq!(status, Some(PolicyStatus { is_public: Some(true) }));
    }
}
