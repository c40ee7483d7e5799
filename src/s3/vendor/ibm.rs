//! IBM Cloud Object Storage: buckets that protect what they hold, legal holds with ids, retention in seconds,
//! listings with locations, high-speed transfer, replication that failed.
//! <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-compatibility-api-bucket-operations>
//!
//! These legal holds are not S3's: an object has up to 100 of them, each with an id.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, Method};

use crate::base::secret::Secret;
use crate::base::timestamp;
use crate::s3::document::{self, Date, document};
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::{With, on_bucket, on_object, on_service, put_some};
use crate::s3::settings::Setting;
use crate::s3::xml::Reader;
use crate::s3::{Error, Operation, Result};

document! {
    /// How long a bucket keeps what is put into it. Once set on an empty bucket it cannot be removed.
    #[derive(Default, Eq)]
    pub struct BucketProtection {
        /// `Retention`; `Disabled` is what a bucket without protection says.
        status: Option<String> = "Status",
        minimum: Option<ProtectionDays> = "MinimumRetention",
        /// `minimum` ≤ `default` ≤ `maximum`.
        maximum: Option<ProtectionDays> = "MaximumRetention",
        default: Option<ProtectionDays> = "DefaultRetention",
        /// Objects may be kept for ever. Once true, it must be in every later document.
        permanent: Option<bool> = "EnablePermanentRetention",
    }

    #[derive(Eq)]
    pub struct ProtectionDays {
        /// 0 to 365,243.
        days: u32 = "Days",
    }
}

impl Setting for BucketProtection {
    const SUBRESOURCE: &'static str = "protection";
    const GET: &'static str = "GetBucketProtectionConfiguration";
    const PUT: &'static str = "PutBucketProtectionConfiguration";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        document::encode("ProtectionConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("ProtectionConfiguration", document)
    }
}

/// 409 when the object has a hold of this id.
#[derive(Clone, Debug, Default)]
pub struct AddLegalHold {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// 1 to 64 letters, digits and `!_.*()-'`.
    pub id: String,
}

/// IBM: DeleteLegalHold.
#[derive(Clone, Debug, Default)]
pub struct DeleteLegalHold {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// Its id.
    pub id: String,
}

/// Output: [`RetentionState`].
#[derive(Clone, Debug, Default)]
pub struct ListLegalHolds {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
}

/// What keeps an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionState {
    /// When the object was stored.
    pub created: Option<SystemTime>,
    /// In any order.
    pub holds: Vec<Hold>,
    /// Seconds; -1 without end, -2 for ever.
    pub period_seconds: Option<i64>,
    /// Until when it is kept.
    pub expires: Option<SystemTime>,
}

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: String,
    /// When it was put on.
    pub since: Option<SystemTime>,
}

/// Keeps an object longer; never shorter.
#[derive(Clone, Debug)]
pub struct ExtendObjectRetention {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// How much longer.
    pub extension: Extension,
}

/// How much longer an object is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Seconds more than the present period.
    Additional(u64),
    /// Seconds from now.
    FromNow(u64),
    /// Until then.
    Until(SystemTime),
    /// A new period in seconds from the creation of the object; -1 without end.
    Period(i64),
}

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

/// How long a new object is kept: goes with PutObject, CopyObject and CompleteMultipartUpload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewRetention {
    /// Seconds; -1 without end, -2 for ever.
    Period(i64),
    /// Until then.
    Until(SystemTime),
}

impl<O> With<O> {
    /// IBM: retention of the new object.
    pub fn ibm_retention(self, retention: NewRetention) -> Result<Self> {
        match retention {
            NewRetention::Period(seconds) => self.header("retention-period", &seconds.to_string()),
            NewRetention::Until(until) => {
                self.header("retention-expiration-date", &timestamp::compact(until))
            }
        }
    }

    /// IBM: a legal hold on the new object.
    pub fn ibm_legal_hold(self, id: &str) -> Result<Self> {
        self.header("retention-legal-hold-id", id)
    }

    /// IBM: whether a copy keeps the retention of its source (`COPY`) or has its own (`REPLACE`).
    pub fn ibm_retention_directive(self, directive: &str) -> Result<Self> {
        self.header("retention-directive", directive)
    }

    /// IBM: reads through to the bucket that is being migrated from.
    pub fn ibm_mirror(self, destination: &str) -> Result<Self> {
        self.header("mirror-destination", destination)
    }

    /// IBM: the service instance that a bucket is made in.
    pub fn ibm_service_instance(self, id: &str) -> Result<Self> {
        self.header("ibm-service-instance-id", id)
    }

    /// IBM: a bucket whose objects are encrypted with a root key of Key Protect (SSE-KP).
    pub fn ibm_root_key(self, crn: &str) -> Result<Self> {
        self.header("ibm-sse-kp-encryption-algorithm", "AES256")?
            .header("ibm-sse-kp-customer-root-key-crn", crn)
    }
}

fn hold(bucket: &str, key: &str, change: &'static str, id: &str) -> Result<Request> {
    const ID_CHARS_MAX: usize = 64;
    let known = |char: char| char.is_ascii_alphanumeric() || "!_.*()-'".contains(char);
    if id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(known) {
        let message = "The id of a legal hold has 1 to 64 letters, digits and !_.*()-'.";
        return Err(Error::invalid(message));
    }
    Ok(on_object(Method::POST, bucket, key)?.with("legalHold", "").with(change, id))
}

impl Operation for AddLegalHold {
    type Output = ();
    const NAME: &'static str = "AddLegalHold";

    fn encode(&self) -> Result<Request> {
        hold(&self.bucket, &self.key, "add", &self.id)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for DeleteLegalHold {
    type Output = ();
    const NAME: &'static str = "DeleteLegalHold";

    fn encode(&self) -> Result<Request> {
        hold(&self.bucket, &self.key, "remove", &self.id)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

impl Operation for ListLegalHolds {
    type Output = RetentionState;
    const NAME: &'static str = "ListLegalHolds";

    fn encode(&self) -> Result<Request> {
        Ok(on_object(Method::GET, &self.bucket, &self.key)?.with("legalHold", ""))
    }

    /// The documentation and the service's own model disagree on names and dates: both are read.
    fn decode(&self, reply: Reply) -> Result<RetentionState> {
        let mut state = RetentionState::default();
        Reader::open_any(reply.document()?)?.children(|name, xml| {
            match name {
                "CreateTime" => state.created = date(xml)?,
                "RetentionPeriod" => state.period_seconds = Some(xml.number()?),
                "RetentionPeriodExpirationDate" => state.expires = date(xml)?,
                "LegalHolds" | "LegalHoldSet" => xml.children(|_, xml| {
                    state.holds.extend(held(xml)?);
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(state)
    }
}

fn held(xml: &mut Reader<'_>) -> Result<Option<Hold>> {
    let (mut id, mut since) = (None, None);
    xml.children(|name, xml| {
        match name {
            "ID" => id = xml.non_empty()?,
            "Date" => since = date(xml)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(id.map(|id| Hold { id, since }))
}

/// `Fri, 8 Sep 2017 21:33:08 GMT` or `2017-09-08T21:33:08.000Z`.
fn date(xml: &mut Reader<'_>) -> Result<Option<SystemTime>> {
    let text = xml.text()?;
    let text = text.trim();
    Ok(timestamp::parse_rfc3339(text).or_else(|| timestamp::parse_http_date(text)))
}

impl Operation for ExtendObjectRetention {
    type Output = ();
    const NAME: &'static str = "ExtendObjectRetention";

    fn encode(&self) -> Result<Request> {
        let mut request = on_object(Method::POST, &self.bucket, &self.key)?.with("extendRetention", "");
        let (name, value) = match self.extension {
            Extension::Additional(seconds) => ("additional-retention-period", seconds.to_string()),
            Extension::FromNow(seconds) => ("extend-retention-from-current-time", seconds.to_string()),
            Extension::Until(until) => ("new-retention-expiration-date", timestamp::compact(until)),
            Extension::Period(seconds) => ("new-retention-period", seconds.to_string()),
        };
        put_some(&mut request.headers, HeaderName::from_static(name), Some(&value))?;
        Ok(request)
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
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
    use crate::s3::ops::PutObject;
    use crate::s3::ops::fixture::{refusal, reply, wire};
    use crate::s3::settings::fixture::survives;
    use crate::s3::settings::{GetSetting, PutSetting};

    #[test]
    fn protection_as_in_the_reference() {
        let protection: BucketProtection = survives(
            "<ProtectionConfiguration><Status>Retention</Status><MinimumRetention><Days>100</Days>\
             </MinimumRetention><MaximumRetention><Days>10000</Days></MaximumRetention><DefaultRetention>\
             <Days>2555</Days></DefaultRetention><EnablePermanentRetention>true</EnablePermanentRetention>\
             </ProtectionConfiguration>",
        );
        assert_eq!(protection.default, Some(ProtectionDays { days: 2555 }));
        let put = PutSetting { bucket: "b".into(), document: protection };
        assert!(wire(&put).starts_with("PUT /b?protection=\n<ProtectionConfiguration"));
        assert!(put.encode().unwrap().needs_checksum);
        let get = GetSetting::<BucketProtection>::new("b");
        let none = "<ProtectionConfiguration><Status>Disabled</Status></ProtectionConfiguration>";
        let none = get.decode(reply(200, &[], none)).unwrap().unwrap();
        assert_eq!(none.status.as_deref(), Some("Disabled"));
    }

    #[test]
    fn legal_holds_have_ids() {
        let add = AddLegalHold { bucket: "b".into(), key: "k".into(), id: "PrefixDocument1.0".into() };
        assert_eq!(wire(&add), "POST /b/k?legalHold=&add=PrefixDocument1.0");
        assert_eq!(refusal(&AddLegalHold { id: String::new(), ..add.clone() }), ErrorKind::Invalid);
        assert_eq!(refusal(&AddLegalHold { id: "a b".into(), ..add }), ErrorKind::Invalid);
        let delete = DeleteLegalHold { bucket: "b".into(), key: "k".into(), id: "x".into() };
        assert_eq!(wire(&delete), "POST /b/k?legalHold=&remove=x");
    }

    #[test]
    fn both_spellings_of_a_retention_state_are_read() {
        let list = ListLegalHolds { bucket: "b".into(), key: "k".into() };
        assert_eq!(wire(&list), "GET /b/k?legalHold=");
        let documented = "<RetentionState><CreateTime>Fri, 8 Sep 2017 21:33:08 GMT</CreateTime><RetentionPeriod>101\
            </RetentionPeriod><RetentionPeriodExpirationDate>Fri, 15 Sep 2017 21:33:08 GMT\
            </RetentionPeriodExpirationDate><LegalHoldSet><LegalHold><ID>SomeLegalHoldID</ID>\
            <Date>Fri, 8 Sep 2017 21:33:18 GMT</Date></LegalHold></LegalHoldSet></RetentionState>";
        let modelled = "<RetentionState><CreateTime>2017-09-08T21:33:08.000Z</CreateTime><RetentionPeriod>101\
            </RetentionPeriod><RetentionPeriodExpirationDate>2017-09-15T21:33:08Z</RetentionPeriodExpirationDate>\
            <LegalHolds><member><Date>2017-09-08T21:33:18Z</Date><ID>SomeLegalHoldID</ID></member></LegalHolds>\
            </RetentionState>";
        let read = |document: &str| list.decode(reply(200, &[], document)).unwrap();
        assert_eq!(read(documented), read(modelled));
        assert_eq!(read(documented).holds[0].id, "SomeLegalHoldID");
        assert_eq!(read(documented).period_seconds, Some(101));
    }

    #[test]
    fn retention_is_extended_in_one_of_four_ways() {
        let extend =
            |extension| wire(&ExtendObjectRetention { bucket: "b".into(), key: "k".into(), extension });
        let line = "POST /b/k?extendRetention=";
        let until = timestamp::parse_rfc3339("2020-11-28T03:10:01Z").unwrap();
        assert_eq!(extend(Extension::Additional(60)), format!("{line}\nadditional-retention-period: 60"));
        assert_eq!(extend(Extension::FromNow(60)), format!("{line}\nextend-retention-from-current-time: 60"));
        assert_eq!(
            extend(Extension::Until(until)),
            format!("{line}\nnew-retention-expiration-date: 20201128T031001Z")
        );
        assert_eq!(extend(Extension::Period(-1)), format!("{line}\nnew-retention-period: -1"));
    }

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

    #[test]
    fn new_objects_are_kept() {
        let put = With::new(PutObject::new("b", "k", "x"))
            .ibm_retention(NewRetention::Period(3600))
            .and_then(|put| put.ibm_legal_hold("h"))
            .unwrap();
        assert_eq!(wire(&put), "PUT /b/k\nretention-legal-hold-id: h\nretention-period: 3600\nx");
    }
}
