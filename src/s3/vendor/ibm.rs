//! IBM Cloud Object Storage: buckets that protect what they hold, legal holds with ids, retention in seconds,
//! listings with locations, high-speed transfer, replication that failed.
//! <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-compatibility-api-bucket-operations>

use std::time::SystemTime;

use http::{HeaderName, Method};

pub use super::retention::{
    AddLegalHold, BucketProtection, DeleteLegalHold, ExtendObjectRetention, Extension, Hold, ListLegalHolds,
    NewRetention, ProtectionDays, RetentionState,
};

use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::document::{self, Date, document};
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::{on_bucket, on_service, put_some};
use crate::s3::xml::Reader;
use crate::s3::{Error, Operation, Result};

/// What high-speed transfer (Aspera) needs to know. Output: [`AsperaConnection`].
#[derive(Clone, Debug, Default)]
pub struct GetBucketAspera {
    /// The bucket.
    pub bucket: String,
}

/// Keys and place of high-speed transfer.
#[derive(Clone, Debug)]
pub struct AsperaConnection {
    /// Id of the key.
    pub access_key: String,
    /// The key.
    pub secret: Secret,
    /// URL.
    pub endpoint: String,
}

/// Buckets of a service instance with their places. Output: [`ExtendedBuckets`].
#[derive(Clone, Debug, Default)]
pub struct ListBucketsExtended {
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// Goes on behind this name.
    pub marker: Option<String>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_keys: Option<u32>,
    /// Required with IAM, unless the client is configured with one.
    pub service_instance: Option<String>,
}

document! {
    pub struct ExtendedBuckets {
        truncated: Option<bool> = "IsTruncated",
        next_marker: Option<String> = "NextMarker",
        list: Option<ExtendedBucketList> = "Buckets",
    }

    #[derive(Default, Eq)]
    pub struct ExtendedBucketList {
        buckets: Vec<ExtendedBucket> = "Bucket",
    }

    #[derive(Eq)]
    pub struct ExtendedBucket {
        name: String = "Name",
        created: Option<Date> = "CreationDate",
        /// Region and class, such as `us-south-smart`.
        location: Option<String> = "LocationConstraint",
        template: Option<String> = "CreationTemplateId",
    }
}

impl ExtendedBuckets {
    /// Those of the page.
    pub fn buckets(&self) -> &[ExtendedBucket] {
        self.list.as_ref().map_or(&[], |list| &list.buckets)
    }

    /// Where the next page begins; `None` on the last. Some replies do not say it: the last name does.
    pub fn next(&self) -> Option<&str> {
        if self.truncated != Some(true) {
            return None;
        }
        let last = self.buckets().last().map(|bucket| bucket.name.as_str());
        self.next_marker.as_deref().filter(|marker| !marker.is_empty()).or(last)
    }
}

/// Objects that could not be replicated. Output: [`ReplicationFailures`].
#[derive(Clone, Debug, Default)]
pub struct ListBucketReplicationFailures {
    /// The bucket.
    pub bucket: String,
    /// Where the page begins, as the page before it said.
    pub continuation_token: Option<String>,
    /// Entries of a page; stores give 1,000 at most.
    pub max_keys: Option<u32>,
    /// Only what was tried before for the first time.
    pub first_attempted_before: Option<SystemTime>,
}

document! {
    pub struct ReplicationFailures {
        truncated: Option<bool> = "IsTruncated",
        /// Where the next page begins; `None` on the last.
        next: Option<String> = "NextContinuationToken",
        failures: Vec<ReplicationFailure> = "Contents",
    }

    #[derive(Eq)]
    pub struct ReplicationFailure {
        key: String = "Key",
        version: Option<String> = "VersionId",
        /// `content`, `delete`, `metadata` …
        sync: Option<String> = "SyncType",
        first_attempt: Option<Date> = "FirstSyncAttempted",
        last_attempt: Option<Date> = "LastSyncAttempted",
        cause: Option<String> = "SyncFailureCause",
    }
}

/// Tries again to replicate what failed.
#[derive(Clone, Debug, Default)]
pub struct PutBucketReplicationReattempt {
    /// The bucket.
    pub bucket: String,
}

impl Operation for GetBucketAspera {
    type Output = AsperaConnection;
    const NAME: &'static str = "GetBucketAspera";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with("faspConnectionInfo", ""))
    }

    fn decode(&self, reply: Reply) -> Result<AsperaConnection> {
        let (mut access_key, mut secret, mut endpoint) = (None, None, None);
        Reader::open_any(reply.document()?)?.children(|name, xml| {
            match name {
                "AccessKey" => xml.children(|name, xml| {
                    match name {
                        "Id" => access_key = xml.non_empty()?,
                        "Secret" => secret = xml.non_empty()?,
                        _ => {}
                    }
                    Ok(())
                })?,
                "ATSEndpoint" => endpoint = xml.non_empty()?,
                _ => {}
            }
            Ok(())
        })?;
        match (access_key, secret, endpoint) {
            (Some(access_key), Some(secret), Some(endpoint)) => {
                Ok(AsperaConnection { access_key, secret: Secret::new(secret), endpoint })
            }
            _ => Err(Error::decode("The reply has no key or no endpoint of Aspera.")),
        }
    }
}

impl Operation for ListBucketsExtended {
    type Output = ExtendedBuckets;
    const NAME: &'static str = "ListBucketsExtended";

    fn encode(&self) -> Result<Request> {
        let mut request = on_service(Method::GET)
            .with("extended", "")
            .with_some("prefix", self.prefix.as_deref())
            .with_some("marker", self.marker.as_deref())
            .with_some("max-keys", self.max_keys);
        let name = HeaderName::from_static("ibm-service-instance-id");
        put_some(&mut request.headers, name, self.service_instance.as_deref())?;
        Ok(request)
    }

    fn decode(&self, reply: Reply) -> Result<ExtendedBuckets> {
        document::Element::read(&mut Reader::open_any(reply.document()?)?)
    }
}

impl Operation for ListBucketReplicationFailures {
    type Output = ReplicationFailures;
    const NAME: &'static str = "ListBucketReplicationFailures";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?
            .with("ibm-replication-failures", "")
            .with_some("continuation-token", self.continuation_token.as_deref())
            .with_some("max-keys", self.max_keys)
            .with_some("first-sync-attempted-before", self.first_attempted_before.map(timestamp::rfc3339)))
    }

    fn decode(&self, reply: Reply) -> Result<ReplicationFailures> {
        document::decode("ListReplicationFailureResult", reply.document()?)
    }
}

impl Operation for PutBucketReplicationReattempt {
    type Output = ();
    const NAME: &'static str = "PutBucketReplicationReattempt";

    fn encode(&self) -> Result<Request> {
        let mut request = on_bucket(Method::PUT, &self.bucket)?.with("ibm-replication-reattempt", "");
        request.needs_checksum = true;
        Ok(request)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ErrorKind;

    use crate::s3::ops::fixture::{reply, wire};

    #[test]
    fn aspera_keys_show_nowhere() {
        let get = GetBucketAspera { bucket: "b".into() };
        assert_eq!(wire(&get), "GET /b?faspConnectionInfo=");
        let document = "<FASPConnectionInfo><AccessKey><Id>id</Id><Secret>canary</Secret></AccessKey>\
            <ATSEndpoint>https://ats.example.com:443</ATSEndpoint></FASPConnectionInfo>";
        let connection = get.decode(reply(200, &[], document)).unwrap();
        assert_eq!((connection.access_key.as_str(), connection.secret.expose()), ("id", "canary"));
        assert!(!format!("{connection:?}").contains("canary"));
        assert_eq!(get.decode(reply(200, &[], "<X/>")).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn buckets_are_listed_with_their_places() {
        let list = ListBucketsExtended {
            prefix: Some("a".into()),
            max_keys: Some(1),
            service_instance: Some("crn".into()),
            marker: None,
        };
        assert_eq!(wire(&list), "GET /?extended=&prefix=a&max-keys=1\nibm-service-instance-id: crn");
        let document = "<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><IsTruncated>true</IsTruncated><Buckets>\
            <Bucket><Name>a1</Name><CreationDate>2019-05-22T14:24:38.000Z</CreationDate>\
            <LocationConstraint>us-south-standard</LocationConstraint></Bucket></Buckets></ListAllMyBucketsResult>";
        let page = list.decode(reply(200, &[], document)).unwrap();
        assert_eq!(page.next(), Some("a1"));
        assert_eq!(page.buckets()[0].location.as_deref(), Some("us-south-standard"));
    }

    #[test]
    fn failures_of_replication_are_listed_and_tried_again() {
        let list = ListBucketReplicationFailures { bucket: "b".into(), ..Default::default() };
        assert_eq!(wire(&list), "GET /b?ibm-replication-failures=");
        let document = "<ListReplicationFailureResult><Name>b</Name><IsTruncated>false</IsTruncated><KeyCount>1\
            </KeyCount><Contents><Key>k</Key><VersionId>v</VersionId><SyncType>content</SyncType><FirstSyncAttempted>\
            2024-01-01T00:00:00.000Z</FirstSyncAttempted></Contents></ListReplicationFailureResult>";
        let page = list.decode(reply(200, &[], document)).unwrap();
        assert_eq!((page.failures[0].key.as_str(), page.next), ("k", None));
        let again = PutBucketReplicationReattempt { bucket: "b".into() };
        assert_eq!(wire(&again), "PUT /b?ibm-replication-reattempt=");
        assert!(again.encode().unwrap().needs_checksum);
    }
}
