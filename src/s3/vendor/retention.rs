//! Protected buckets of IBM: how long objects are kept, and legal holds. These holds are not S3's: an object has up to
//! 100 of them, each with an id.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, Method};

use crate::base::timestamp;
use crate::s3::document::{self, document};
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::{With, on_object, put_some};
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
    fn new_objects_are_kept() {
        let put = With::new(PutObject::new("b", "k", "x"))
            .ibm_retention(NewRetention::Period(3600))
            .and_then(|put| put.ibm_legal_hold("h"))
            .unwrap();
        assert_eq!(wire(&put), "PUT /b/k\nretention-legal-hold-id: h\nretention-period: 3600\nx");
    }
}
