//! Access control lists: of an object as a document, of both by their canned names. The document of a bucket is a
//! setting.

use http::{HeaderName, Method};

use super::{on_bucket, on_version, put};
use crate::s3::operation::{Reply, Request};
use crate::s3::settings::AccessControl;
use crate::s3::settings::acl::{decode_acl, encode_acl};
use crate::s3::{Operation, Result, VersionId};

const ACL: HeaderName = HeaderName::from_static("x-amz-acl");

/// Output: [`AccessControl`].
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>
#[derive(Clone, Debug, Default)]
pub struct GetObjectAcl {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>
#[derive(Clone, Debug, Default)]
pub struct PutObjectAcl {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// The list, or the name of a canned one.
    pub acl: AccessControl,
}

/// `private`, `public-read`, `public-read-write`, `authenticated-read`, `aws-exec-read`, `bucket-owner-read`,
/// `bucket-owner-full-control`.
#[derive(Clone, Debug, Default)]
pub struct PutObjectCannedAcl {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// `None` means the current version.
    pub version: Option<VersionId>,
    /// The list, or the name of a canned one.
    pub acl: String,
}

/// `private`, `public-read`, `public-read-write`, `authenticated-read`.
#[derive(Clone, Debug, Default)]
pub struct PutBucketCannedAcl {
    /// The bucket.
    pub bucket: String,
    /// The list, or the name of a canned one.
    pub acl: String,
}

impl Operation for GetObjectAcl {
    type Output = AccessControl;
    const NAME: &'static str = "GetObjectAcl";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::GET, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("acl", ""))
    }

    fn decode(&self, reply: Reply) -> Result<AccessControl> {
        decode_acl(reply.document()?)
    }
}

impl Operation for PutObjectAcl {
    type Output = ();
    const NAME: &'static str = "PutObjectAcl";

    fn encode(&self) -> Result<Request> {
        let request = on_version(Method::PUT, &self.bucket, &self.key, self.version.as_ref())?;
        Ok(request.with("acl", "").with_document(encode_acl(&self.acl)?))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for PutObjectCannedAcl {
    type Output = ();
    const NAME: &'static str = "PutObjectAcl";

    fn encode(&self) -> Result<Request> {
        let mut request = on_version(Method::PUT, &self.bucket, &self.key, self.version.as_ref())?;
        put(&mut request.headers, ACL, &self.acl)?;
        Ok(request.with("acl", ""))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for PutBucketCannedAcl {
    type Output = ();
    const NAME: &'static str = "PutBucketAcl";

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::PUT, &self.bucket)?;
        put(&mut request.headers, ACL, &self.acl)?;
        Ok(request.with("acl", ""))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reply, wire};
    use super::*;
    use crate::s3::settings::acl::{Grant, GrantList, Grantee, Permission};

    #[test]
    fn the_list_of_an_object_is_that_of_a_version() {
        let version = Some(VersionId("v".into()));
        let get = GetObjectAcl { bucket: "b".into(), key: "k".into(), version: version.clone() };
        assert_eq!(wire(&get), "GET /b/k?versionId=v&acl=");
        let grantee = Grantee::User { id: "1".into(), display_name: None };
        let list = GrantList { grants: vec![Grant { grantee, permission: Permission::Read }] };
        let acl = AccessControl { owner: None, list };
        let put = PutObjectAcl { bucket: "b".into(), key: "k".into(), version, acl: acl.clone() };
        let document = wire(&put);
        let (line, document) = document.split_once('\n').unwrap();
        assert_eq!(line, "PUT /b/k?versionId=v&acl=");
        assert_eq!(get.decode(reply(200, &[], document)).unwrap(), acl);
    }

    #[test]
    fn canned_lists_are_named_in_a_header() {
        let acl = "public-read".to_owned();
        let put = PutBucketCannedAcl { bucket: "b".into(), acl: acl.clone() };
        assert_eq!(wire(&put), "PUT /b?acl=\nx-amz-acl: public-read");
        let put = PutObjectCannedAcl { bucket: "b".into(), key: "k".into(), version: None, acl };
        assert_eq!(wire(&put), "PUT /b/k?acl=\nx-amz-acl: public-read");
    }
}
