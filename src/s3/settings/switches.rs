//! Documents of one word or a few: who pays, acceleration, ownership, public access, access by attributes.

use bytes::Bytes;

use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::document::{self, Element, Toggle, document, words};
use crate::s3::xml::Reader;

document! {
    /// Who pays for requests and transfer.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html>
    #[derive(Eq)]
    pub struct RequestPayment {
        payer: Payer = "Payer",
    }

    /// Transfers over the nearest edge location; not for names with dots. Takes up to half an hour.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html>
    #[derive(Default, Eq)]
    pub struct Acceleration {
        /// `None`: it never was on.
        status: Option<AccelerationStatus> = "Status",
    }

    /// Who owns what others put, and whether ACLs count. Exactly one rule.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
    #[derive(Default, Eq)]
    pub struct OwnershipControls {
        rules: Vec<OwnershipRule> = "Rule",
    }

    #[derive(Eq)]
    pub struct OwnershipRule {
        ownership: Ownership = "ObjectOwnership",
    }

    /// What no policy and no ACL can open; absent is `false`. IBM knows the first two.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>
    #[derive(Default, Eq)]
    pub struct PublicAccessBlock {
        block_acls: Option<bool> = "BlockPublicAcls",
        ignore_acls: Option<bool> = "IgnorePublicAcls",
        block_policy: Option<bool> = "BlockPublicPolicy",
        restrict_buckets: Option<bool> = "RestrictPublicBuckets",
    }

    /// Whether policies can speak of the bucket's tags. Once on, tags are set through TagResource.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAbac.html>
    #[derive(Default, Eq)]
    pub struct AttributeAccess {
        status: Option<Toggle> = "Status",
    }
}

words! {
    pub enum Payer {
        /// Every caller, who must say so with each request.
        Requester = "Requester",
        BucketOwner = "BucketOwner",
    }

    pub enum AccelerationStatus {
        Enabled = "Enabled",
        Suspended = "Suspended",
    }

    pub enum Ownership {
        /// The bucket's owner, where the writer grants full control.
        BucketOwnerPreferred = "BucketOwnerPreferred",
        ObjectWriter = "ObjectWriter",
        /// The bucket's owner; ACLs are off.
        BucketOwnerEnforced = "BucketOwnerEnforced",
    }
}

impl Setting for RequestPayment {
    const SUBRESOURCE: &'static str = "requestPayment";
    const GET: &'static str = "GetBucketRequestPayment";
    const PUT: &'static str = "PutBucketRequestPayment";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        document::encode("RequestPaymentConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("RequestPaymentConfiguration", document)
    }
}

impl Setting for Acceleration {
    const SUBRESOURCE: &'static str = "accelerate";
    const GET: &'static str = "GetBucketAccelerateConfiguration";
    const PUT: &'static str = "PutBucketAccelerateConfiguration";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        document::encode("AccelerateConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("AccelerateConfiguration", document)
    }
}

impl Setting for OwnershipControls {
    const SUBRESOURCE: &'static str = "ownershipControls";
    const GET: &'static str = "GetBucketOwnershipControls";
    const PUT: &'static str = "PutBucketOwnershipControls";
    const ABSENT: &'static [&'static str] = &["OwnershipControlsNotFoundError"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("OwnershipControls", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("OwnershipControls", document)
    }
}

impl Removable for OwnershipControls {
    const DELETE: &'static str = "DeleteBucketOwnershipControls";
}

impl Setting for PublicAccessBlock {
    const SUBRESOURCE: &'static str = "publicAccessBlock";
    const GET: &'static str = "GetPublicAccessBlock";
    const PUT: &'static str = "PutPublicAccessBlock";
    const ABSENT: &'static [&'static str] = &["NoSuchPublicAccessBlockConfiguration"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("PublicAccessBlockConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        // Ceph calls the root otherwise.
        Element::read(&mut Reader::open_any(document)?)
    }
}

impl Removable for PublicAccessBlock {
    const DELETE: &'static str = "DeletePublicAccessBlock";
}

impl Setting for AttributeAccess {
    const SUBRESOURCE: &'static str = "abac";
    const GET: &'static str = "GetBucketAbac";
    const PUT: &'static str = "PutBucketAbac";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        document::encode("AbacStatus", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("AbacStatus", document)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;

    #[test]
    fn request_payment_as_in_the_reference() {
        let payment: RequestPayment = survives(
            r#"<RequestPaymentConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Payer>Requester</Payer>
</RequestPaymentConfiguration>"#,
        );
        assert_eq!(payment.payer, Payer::Requester);
    }

    #[test]
    fn acceleration_as_in_the_reference() {
        let suspended: Acceleration = survives(
            r#"<AccelerateConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Status>Suspended</Status>
</AccelerateConfiguration>"#,
        );
        assert_eq!(suspended.status, Some(AccelerationStatus::Suspended));
        let never: Acceleration =
            survives(r#"<AccelerateConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>"#);
        assert_eq!(never.status, None);
    }

    #[test]
    fn ownership_as_in_the_reference() {
        let controls: OwnershipControls = survives(
            "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
             <ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>",
        );
        assert_eq!(controls.rules[0].ownership, Ownership::BucketOwnerEnforced);
    }

    #[test]
    fn public_access_block_as_in_the_reference() {
        let block: PublicAccessBlock = survives(
            r#"<PublicAccessBlockConfiguration>
   <BlockPublicAcls>true</BlockPublicAcls>
   <IgnorePublicAcls>false</IgnorePublicAcls>
   <BlockPublicPolicy>false</BlockPublicPolicy>
   <RestrictPublicBuckets>false</RestrictPublicBuckets>
</PublicAccessBlockConfiguration>"#,
        );
        assert_eq!((block.block_acls, block.ignore_acls), (Some(true), Some(false)));
        let of_ceph = "<BlockPublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
            </BlockPublicAccessBlockConfiguration>";
        assert_eq!(PublicAccessBlock::decode(of_ceph.as_bytes()).unwrap().block_acls, Some(true));
    }

    #[test]
    fn access_by_attributes_is_a_switch() {
        let abac: AttributeAccess = survives("<AbacStatus><Status>Enabled</Status></AbacStatus>");
        assert_eq!(abac.status, Some(Toggle::Enabled));
    }
}
