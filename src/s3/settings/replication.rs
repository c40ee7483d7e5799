//! Which objects are copied to which other bucket.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html>

use bytes::Bytes;

use super::filter::ObjectFilter;
use super::{Removable, Setting};
use crate::s3::Result;
use crate::s3::document::{self, Toggle, document};

document! {
    /// Up to 1,000 rules; versioning must be on at both ends.
    #[derive(Default, Eq)]
    pub struct Replication {
        /// ARN of the role that copies; AWS requires one, IBM and MinIO do not.
        role: Option<String> = "Role",
        rules: Vec<ReplicationRule> = "Rule",
    }

    #[derive(Eq)]
    pub struct ReplicationRule {
        /// At most 255 characters.
        id: Option<String> = "ID",
        /// The highest of those that fit an object wins; required beside a filter.
        priority: Option<i64> = "Priority",
        /// Only in the older form, which has no filter.
        prefix: Option<String> = "Prefix",
        filter: Option<ObjectFilter> = "Filter",
        status: Toggle = "Status",
        source: Option<SourceSelection> = "SourceSelectionCriteria",
        existing_objects: Option<Switch> = "ExistingObjectReplication",
        destination: Destination = "Destination",
        /// Required beside a filter.
        delete_markers: Option<Switch> = "DeleteMarkerReplication",
        /// MinIO: deletes of versions too.
        deletes: Option<Switch> = "DeleteReplication",
    }

    #[derive(Eq)]
    pub struct Switch {
        status: Toggle = "Status",
    }

    #[derive(Default, Eq)]
    pub struct SourceSelection {
        kms_encrypted: Option<Switch> = "SseKmsEncryptedObjects",
        replica_modifications: Option<Switch> = "ReplicaModifications",
    }

    #[derive(Eq)]
    pub struct Destination {
        /// ARN.
        bucket: String = "Bucket",
        /// Who owns the copies, with `owner`.
        account: Option<String> = "Account",
        storage_class: Option<String> = "StorageClass",
        owner: Option<OwnerTranslation> = "AccessControlTranslation",
        encryption: Option<ReplicaEncryption> = "EncryptionConfiguration",
        time: Option<ReplicationTime> = "ReplicationTime",
        metrics: Option<ReplicationMetrics> = "Metrics",
    }

    #[derive(Eq)]
    pub struct OwnerTranslation {
        /// `Destination`.
        owner: String = "Owner",
    }

    #[derive(Default, Eq)]
    pub struct ReplicaEncryption {
        kms_key_id: Option<String> = "ReplicaKmsKeyID",
    }

    #[derive(Eq)]
    pub struct ReplicationTime {
        status: Toggle = "Status",
        time: Minutes = "Time",
    }

    #[derive(Eq)]
    pub struct ReplicationMetrics {
        status: Toggle = "Status",
        threshold: Option<Minutes> = "EventThreshold",
    }

    #[derive(Default, Eq)]
    pub struct Minutes {
        /// AWS knows 15.
        minutes: Option<u32> = "Minutes",
    }
}

impl Setting for Replication {
    const SUBRESOURCE: &'static str = "replication";
    const GET: &'static str = "GetBucketReplication";
    const PUT: &'static str = "PutBucketReplication";
    const ABSENT: &'static [&'static str] = &["ReplicationConfigurationNotFoundError"];

    fn encode(&self) -> Result<Bytes> {
        document::encode("ReplicationConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("ReplicationConfiguration", document)
    }
}

impl Removable for Replication {
    const DELETE: &'static str = "DeleteBucketReplication";
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;

    #[test]
    fn replication_as_in_the_reference() {
        let replication: Replication = survives(
            r#"<ReplicationConfiguration>
    <Role>arn:aws:iam::35667example:role/CrossRegionReplicationRoleForS3</Role>
    <Rule>
        <ID>rule1</ID>
        <Status>Enabled</Status>
        <Priority>1</Priority>
        <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>
        <Filter>
            <And>
                <Prefix>TaxDocs</Prefix>
                <Tag><Key>key1</Key><Value>value1</Value></Tag>
                <Tag><Key>key1</Key><Value>value1</Value></Tag>
            </And>
        </Filter>
        <SourceSelectionCriteria>
            <SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects>
            <ReplicaModifications><Status>Enabled</Status></ReplicaModifications>
        </SourceSelectionCriteria>
        <ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>
        <Destination>
            <Bucket>arn:aws:s3:::exampletargetbucket</Bucket>
            <Account>111122223333</Account>
            <StorageClass>STANDARD</StorageClass>
            <AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>
            <EncryptionConfiguration><ReplicaKmsKeyID>key</ReplicaKmsKeyID></EncryptionConfiguration>
            <ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>
            <Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics>
        </Destination>
    </Rule>
</ReplicationConfiguration>"#,
        );
        let rule = &replication.rules[0];
        assert_eq!(rule.priority, Some(1));
        let and = rule.filter.as_ref().and_then(|filter| filter.and.as_ref()).unwrap();
        assert_eq!(and.tags.len(), 2);
        assert_eq!(rule.destination.time.as_ref().unwrap().time.minutes, Some(15));
    }

    #[test]
    fn rules_without_a_role_are_read() {
        let replication: Replication = survives(
            "<ReplicationConfiguration><Rule><Status>Enabled</Status><Prefix/><Destination>\
             <Bucket>arn:aws:s3:::b</Bucket></Destination></Rule></ReplicationConfiguration>",
        );
        assert_eq!(replication.role, None);
    }
}
