//! Where the store writes down who asked for what.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>

use bytes::Bytes;

use super::Setting;
use super::acl::GrantList;
use crate::s3::Result;
use crate::s3::document::{self, Empty, document, words};

document! {
    /// Without `enabled` there is no log.
    #[derive(Default, Eq)]
    pub struct Logging {
        enabled: Option<LoggingTarget> = "LoggingEnabled",
    }

    /// A bucket of the same region and account.
    #[derive(Eq)]
    pub struct LoggingTarget {
        bucket: String = "TargetBucket",
        grants: Option<GrantList> = "TargetGrants",
        prefix: String = "TargetPrefix",
        key_format: Option<LogKeyFormat> = "TargetObjectKeyFormat",
    }

    /// One of the two.
    #[derive(Default, Eq)]
    pub struct LogKeyFormat {
        simple: Option<Empty> = "SimplePrefix",
        partitioned: Option<PartitionedPrefix> = "PartitionedPrefix",
    }

    #[derive(Default, Eq)]
    pub struct PartitionedPrefix {
        source: Option<PartitionDate> = "PartitionDateSource",
    }
}

words! {
    pub enum PartitionDate {
        EventTime = "EventTime",
        DeliveryTime = "DeliveryTime",
    }
}

impl Setting for Logging {
    const SUBRESOURCE: &'static str = "logging";
    const GET: &'static str = "GetBucketLogging";
    const PUT: &'static str = "PutBucketLogging";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        document::encode("BucketLoggingStatus", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("BucketLoggingStatus", document)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::survives;
    use super::*;

    #[test]
    fn logging_as_in_the_reference() {
        let logging: Logging = survives(
            r#"<BucketLoggingStatus xmlns="http://doc.s3.amazonaws.com/2006-03-01">
  <LoggingEnabled>
    <TargetBucket>mybucketlogs</TargetBucket>
    <TargetPrefix>mybucket-access_log-/</TargetPrefix>
    <TargetGrants>
      <Grant>
        <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="AmazonCustomerByEmail">
          <EmailAddress>user@company.com</EmailAddress>
        </Grantee>
        <Permission>READ</Permission>
      </Grant>
    </TargetGrants>
    <TargetObjectKeyFormat>
      <PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix>
    </TargetObjectKeyFormat>
  </LoggingEnabled>
</BucketLoggingStatus>"#,
        );
        let target = logging.enabled.unwrap();
        assert_eq!(target.bucket, "mybucketlogs");
        assert_eq!(target.grants.unwrap().grants.len(), 1);
        let off: Logging =
            survives(r#"<BucketLoggingStatus xmlns="http://doc.s3.amazonaws.com/2006-03-01" />"#);
        assert_eq!(off, Logging::default());
    }
}
