//! Access control lists of buckets and objects: canned, granted by headers or written out; stored as documents and
//! told as they are. What they grant to everybody is enforced (see `access`); there is nobody else.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use std::fmt::Write;

use s3s::dto::{
    AccessControlPolicy, GetObjectAclInput, GetObjectAclOutput, OwnershipControls, PutObjectAclInput,
    PutObjectAclOutput,
};
use s3s::xml::{Deserialize, Deserializer};
use s3s::{S3Request, S3Response, S3Result};

use super::access::public_access_block;
use super::instead::Document;
use super::settings::written;
use super::wire::version_id;
use super::xml::XMLNS;
use super::{ACCOUNT, Api};
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::Object;

const GROUPS: &str = "http://acs.amazonaws.com/groups/global/";
const EVERYBODY: &str = "AllUsers";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Read,
    Write,
    ReadList,
    WriteList,
}

impl Permission {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadList => "READ_ACP",
            Self::WriteList => "WRITE_ACP",
        }
    }
}

/// What a write says about its list: a canned one, or grants by header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub canned: Option<String>,
    pub full_control: Option<String>,
    pub read: Option<String>,
    pub read_acp: Option<String>,
    pub write: Option<String>,
    pub write_acp: Option<String>,
}

impl Asked {
    /// The document of it; `None` where nothing is said.
    pub fn document(&self) -> Result<Option<String>, Refusal> {
        let granted = [
            (&self.full_control, "FULL_CONTROL"),
            (&self.read, "READ"),
            (&self.read_acp, "READ_ACP"),
            (&self.write, "WRITE"),
            (&self.write_acp, "WRITE_ACP"),
        ];
        let mut grants = Vec::new();
        for (header, permission) in granted {
            for grantee in header.iter().flat_map(|header| header.split(',')) {
                grants.push((Grantee::parse(grantee)?, permission));
            }
        }
        match (&self.canned, grants.is_empty()) {
            (None, true) => Ok(None),
            (Some(name), true) => canned(name).map(Some),
            (None, false) => Ok(Some(document(&grants))),
            (Some(_), false) => {
                Err(Refusal::request("Specifying both Canned ACLs and Header Grants is not allowed"))
            }
        }
    }
}

/// Takes [`Asked`] out of the input of any operation that has the headers; those that objects have not are left out.
macro_rules! take_acl {
    (@ $input:expr, $write:expr) => {
        $crate::embedded::api::acl::Asked {
            canned: $input.acl.take().map(|acl| acl.as_str().to_owned()),
            full_control: $input.grant_full_control.take(),
            read: $input.grant_read.take(),
            read_acp: $input.grant_read_acp.take(),
            write: $write,
            write_acp: $input.grant_write_acp.take(),
        }
    };
    ($input:expr) => {
        $crate::embedded::api::acl::take_acl!(@ $input, None)
    };
    ($input:expr; $write:ident) => {
        $crate::embedded::api::acl::take_acl!(@ $input, $input.$write.take())
    };
}
pub(super) use take_acl;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Grantee {
    Account(String),
    Group(String),
}

impl Grantee {
    /// `id="…"` or `uri="…"`, as in the headers.
    fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::argument(format!("Argument format not recognized: {}", text.trim()));
        let (kind, value) = text.trim().split_once('=').ok_or_else(wrong)?;
        let value = value.trim_matches('"').to_owned();
        match kind.trim().to_ascii_lowercase().as_str() {
            "id" => Ok(Self::Account(value)),
            "uri" if value.starts_with("http://acs.amazonaws.com/groups/") => Ok(Self::Group(value)),
            "uri" => Err(Refusal::argument("Invalid group uri")),
            "emailaddress" => Err(Refusal::new(
                400,
                "UnresolvableGrantByEmailAddress",
                "The email address you provided does not match any account on record.",
            )),
            _ => Err(wrong()),
        }
    }

    fn write(&self, xml: &mut String) {
        const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
        let _ = match self {
            Self::Account(id) => write!(
                xml,
                "<Grantee {XSI} xsi:type=\"CanonicalUser\"><ID>{}</ID><DisplayName>holdfs</DisplayName></Grantee>",
                escaped(id)
            ),
            Self::Group(uri) => {
                write!(xml, "<Grantee {XSI} xsi:type=\"Group\"><URI>{}</URI></Grantee>", escaped(uri))
            }
        };
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub fn private_acl() -> String {
    document(&[(Grantee::Account(ACCOUNT.to_owned()), "FULL_CONTROL")])
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>
fn canned(name: &str) -> Result<String, Refusal> {
    let everybody: &[&str] = match name {
        "private"
        | "aws-exec-read"
        | "bucket-owner-read"
        | "bucket-owner-full-control"
        | "log-delivery-write" => &[],
        "public-read" => &["READ"],
        "public-read-write" => &["READ", "WRITE"],
        "authenticated-read" => {
            let signed = Grantee::Group(format!("{GROUPS}AuthenticatedUsers"));
            let own = Grantee::Account(ACCOUNT.to_owned());
            return Ok(document(&[(own, "FULL_CONTROL"), (signed, "READ")]));
        }
        _ => return Err(Refusal::argument(format!("{name} is no canned ACL"))),
    };
    let own = (Grantee::Account(ACCOUNT.to_owned()), "FULL_CONTROL");
    let group = |permission: &&'static str| (Grantee::Group(format!("{GROUPS}{EVERYBODY}")), *permission);
    Ok(document(&std::iter::once(own).chain(everybody.iter().map(group)).collect::<Vec<_>>()))
}

fn document(grants: &[(Grantee, &str)]) -> String {
    let mut list = String::new();
    for (grantee, permission) in grants {
        list.push_str("<Grant>");
        grantee.write(&mut list);
        let _ = write!(list, "<Permission>{permission}</Permission></Grant>");
    }
    format!(
        "<AccessControlPolicy {XMLNS}><Owner><ID>{ACCOUNT}</ID><DisplayName>holdfs</DisplayName></Owner>\
         <AccessControlList>{list}</AccessControlList></AccessControlPolicy>"
    )
}

/// Whether a document grants it to everybody.
pub fn grants_everybody(document: &str, permission: Permission) -> bool {
    let list = AccessControlPolicy::deserialize(&mut Deserializer::new(document.as_bytes()));
    let everybody = format!("{GROUPS}{EVERYBODY}");
    list.ok().and_then(|list| list.grants).unwrap_or_default().iter().any(|grant| {
        let to = grant.grantee.as_ref().and_then(|grantee| grantee.uri.as_deref());
        let given = grant.permission.as_ref().map(|given| given.as_str());
        to == Some(everybody.as_str()) && (given == Some("FULL_CONTROL") || given == Some(permission.name()))
    })
}

fn is_public(document: &str) -> bool {
    use Permission::{Read, ReadList, Write, WriteList};
    [Read, Write, ReadList, WriteList].into_iter().any(|permission| grants_everybody(document, permission))
}

/// Whether the bucket takes such a list at all.
pub fn check_acl(bucket: &Bucket, document: Option<&str>) -> Result<(), Refusal> {
    let Some(document) = document.filter(|document| **document != private_acl()) else {
        return Ok(());
    };
    let ownership = bucket.settings.documents.get("ownershipControls", "").unwrap_or_default();
    let ownership = OwnershipControls::deserialize(&mut Deserializer::new(ownership.as_bytes()));
    let enforced = ownership.is_ok_and(|controls| {
        controls.rules.iter().any(|rule| rule.object_ownership.as_str() == "BucketOwnerEnforced")
    });
    if enforced {
        return Err(Refusal::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    if is_public(document) && public_access_block(bucket).block_public_acls == Some(true) {
        let message = "Access Denied: the public access block forbids public ACLs";
        return Err(Refusal::new(403, "AccessDenied", message));
    }
    Ok(())
}

/// The list that a PUT of a list brings, in its body or in its headers.
pub fn put_acl<T>(request: &S3Request<T>, asked: &Asked) -> Result<String, Refusal> {
    let document = written(request)?;
    if !document.is_empty() {
        return Ok(document);
    }
    let none = "Your request was missing a required header: x-amz-acl";
    asked.document()?.ok_or_else(|| Refusal::new(400, "MissingSecurityHeader", none))
}

impl Api {
    pub(super) async fn get_object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let input = request.input;
        let acl = |object: &Object| Ok(object.acl.clone());
        let (acl, _) = self.look(&input.bucket, &input.key, input.version_id, acl)?;
        let mut response = S3Response::new(GetObjectAclOutput::default());
        response.extensions.insert(Document(acl.unwrap_or_else(private_acl).into()));
        Ok(response)
    }

    pub(super) async fn put_object_acl(
        &self,
        mut request: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let asked = take_acl!(request.input; grant_write);
        let document = put_acl(&request, &asked)?;
        let input = request.input;
        let version = version_id(input.version_id);
        let listed = self.store.write(&input.bucket, |bucket, scope, _| {
            check_acl(bucket, Some(&document))?;
            bucket.edit(scope, &input.key, version.as_ref(), |object| {
                object.acl = Some(document);
                Ok(())
            })
        });
        self.tell("s3:ObjectAcl:Put", &input.bucket, &input.key, &*listed.await?);
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canned_lists_open_what_they_say() {
        let open = |name: &str| {
            let list = canned(name).unwrap();
            (grants_everybody(&list, Permission::Read), grants_everybody(&list, Permission::Write))
        };
        assert_eq!(open("private"), (false, false));
        assert_eq!(open("public-read"), (true, false));
        assert_eq!(open("public-read-write"), (true, true));
        assert_eq!(open("authenticated-read"), (false, false));
        assert_eq!(canned("open-sesame").unwrap_err().code, "InvalidArgument");
        assert!(!grants_everybody("<broken", Permission::Read));
    }

    #[test]
    fn grants_come_by_header() {
        let read = |header: &str| Asked { read: Some(header.to_owned()), ..Asked::default() }.document();
        let list =
            read("id=\"123\", uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"").unwrap().unwrap();
        assert!(grants_everybody(&list, Permission::Read) && list.contains("<ID>123</ID>"));
        assert_eq!(read("emailAddress=\"a@b.c\"").unwrap_err().code, "UnresolvableGrantByEmailAddress");
        assert_eq!(read("uri=\"http://elsewhere/\"").unwrap_err().code, "InvalidArgument");
        assert_eq!(read("nonsense").unwrap_err().code, "InvalidArgument");
        let both = Asked { canned: Some("private".into()), read: Some("id=1".into()), ..Asked::default() };
        assert_eq!(both.document().unwrap_err().code, "InvalidRequest");
        assert_eq!(Asked::default().document(), Ok(None));
    }
}
