//! Access control lists, of buckets and of objects alike.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::s3::document::{self, Element, document, words};
use crate::s3::xml::{Reader, Writer};
use crate::s3::{Error, Result};

document! {
    /// Up to 100 grants.
    #[derive(Default, Eq)]
    pub struct AccessControl {
        owner: Option<AclOwner> = "Owner",
        list: GrantList = "AccessControlList",
    }

    #[derive(Default, Eq)]
    pub struct GrantList {
        grants: Vec<Grant> = "Grant",
    }

    #[derive(Default, Eq)]
    pub struct AclOwner {
        id: Option<String> = "ID",
        display_name: Option<String> = "DisplayName",
    }

    #[derive(Eq)]
    pub struct Grant {
        grantee: Grantee = "Grantee",
        permission: Permission = "Permission",
    }
}

words! {
    pub enum Permission {
        FullControl = "FULL_CONTROL",
        Write = "WRITE",
        /// Write the list itself.
        WriteAcp = "WRITE_ACP",
        Read = "READ",
        /// Read the list itself.
        ReadAcp = "READ_ACP",
    }
}

/// Everybody, also without a signature.
pub const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// Whoever signs.
pub const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// The service that writes access logs.
pub const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// To whom a grant is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Grantee {
    /// Somebody with an account.
    User {
        /// Empty where a store has but one user and does not name it.
        #[serde(rename = "ID")]
        id: String,
        /// For people; often empty.
        #[serde(rename = "DisplayName", skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
    },
    /// Such as [`ALL_USERS`].
    Group {
        /// Which group.
        #[serde(rename = "URI")]
        uri: String,
    },
    /// Understood in requests only.
    Email {
        /// Of an account.
        #[serde(rename = "EmailAddress")]
        address: String,
    },
}

/// What the attribute `xsi:type` says follows from the element inside.
impl Element for Grantee {
    fn write(&self, name: &str, xml: &mut Writer) -> Result<()> {
        match self {
            Self::User { id, display_name } => xml.nested_of_type(name, "CanonicalUser", |xml| {
                id.write("ID", xml)?;
                display_name.write("DisplayName", xml)
            }),
            Self::Group { uri } => xml.nested_of_type(name, "Group", |xml| uri.write("URI", xml)),
            Self::Email { address } => {
                xml.nested_of_type(name, "AmazonCustomerByEmail", |xml| address.write("EmailAddress", xml))
            }
        }
    }

    fn read(xml: &mut Reader<'_>) -> Result<Self> {
        let (mut id, mut display_name, mut uri, mut address) = (None, None, None, None);
        let mut is_user = false;
        xml.children(|name, xml| {
            match name {
                "ID" => id = xml.non_empty()?,
                "DisplayName" => display_name = xml.non_empty()?,
                "URI" => uri = xml.non_empty()?,
                "EmailAddress" => address = xml.non_empty()?,
                // MinIO's owner, of whom it says no more.
                "Type" => is_user = xml.text()? == "CanonicalUser",
                _ => {}
            }
            Ok(())
        })?;
        match (id, uri, address) {
            (Some(id), ..) => Ok(Self::User { id, display_name }),
            (None, Some(uri), _) => Ok(Self::Group { uri }),
            (None, None, Some(address)) => Ok(Self::Email { address }),
            (None, None, None) if is_user => Ok(Self::User { id: String::new(), display_name }),
            (None, None, None) => Err(Error::decode("The reply has a grant to nobody.")),
        }
    }
}

pub(in crate::s3) fn encode_acl(acl: &AccessControl) -> Result<Bytes> {
    document::encode("AccessControlPolicy", acl)
}

pub(in crate::s3) fn decode_acl(document: &[u8]) -> Result<AccessControl> {
    document::decode("AccessControlPolicy", document)
}

/// The list of a bucket. To name a canned one instead of it, see `ops::PutBucketCannedAcl`.
impl Setting for AccessControl {
    const SUBRESOURCE: &'static str = "acl";
    const GET: &'static str = "GetBucketAcl";
    const PUT: &'static str = "PutBucketAcl";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        encode_acl(self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        decode_acl(document)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;
    use crate::s3::ErrorKind;

    #[test]
    fn acl_as_in_the_reference() {
        let acl: AccessControl = survives(
            r#"<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Owner>
    <ID>852b113e7a2f25102679df27bb0ae12b3f85be6BucketOwnerCanonicalUserID</ID>
    <DisplayName>OwnerDisplayName</DisplayName>
  </Owner>
  <AccessControlList>
    <Grant>
      <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">
        <ID>852b113e7a2f25102679df27bb0ae12b3f85be6BucketOwnerCanonicalUserID</ID>
        <DisplayName>OwnerDisplayName</DisplayName>
      </Grantee>
      <Permission>FULL_CONTROL</Permission>
    </Grant>
    <Grant>
      <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
        <URI xmlns="">http://acs.amazonaws.com/groups/global/AllUsers</URI>
      </Grantee>
      <Permission xmlns="">READ</Permission>
    </Grant>
    <Grant>
      <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="AmazonCustomerByEmail">
        <EmailAddress xmlns="">xyz@amazon.com</EmailAddress>
      </Grantee>
      <Permission xmlns="">WRITE_ACP</Permission>
    </Grant>
  </AccessControlList>
</AccessControlPolicy>"#,
        );
        let [owner, all, _] = &acl.list.grants[..] else { panic!("three grants") };
        assert_eq!(owner.permission, Permission::FullControl);
        assert_eq!(all.grantee, Grantee::Group { uri: ALL_USERS.into() });
    }

    #[test]
    fn grantees_are_written_with_their_type() {
        let grantee = Grantee::Group { uri: ALL_USERS.into() };
        let list = GrantList { grants: vec![Grant { grantee, permission: Permission::Read }] };
        let text = encode_acl(&AccessControl { owner: None, list }).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        let expected =
            "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"><URI>";
        assert!(text.contains(expected), "{text}");
        let nobody = "<AccessControlPolicy><AccessControlList><Grant><Grantee/><Permission>READ</Permission></Grant>\
                      </AccessControlList></AccessControlPolicy>";
        assert_eq!(decode_acl(nobody.as_bytes()).unwrap_err().kind(), ErrorKind::Corrupt);
        let unnamed = nobody.replace("<Grantee/>", "<Grantee><Type>CanonicalUser</Type></Grantee>");
        let grants = decode_acl(unnamed.as_bytes()).unwrap().list.grants;
        assert_eq!(grants[0].grantee, Grantee::User { id: String::new(), display_name: None });
    }
}
