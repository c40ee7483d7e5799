//! What only IBM's stores have: buckets that protect what they hold, legal holds with ids, retention that grows,
//! listings of buckets with their places.
//! <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-compatibility-api-bucket-operations>

use std::time::{Duration, SystemTime};

use http::StatusCode;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::beyond::{document, replied};
use super::wire::list_header;
use super::xml::{Xml, leaves, malformed};
use super::{ACCOUNT, Api};
use crate::base::timestamp::{http_date, parse_compact, parse_rfc3339, rfc3339_millis};
use crate::embedded::operation::{Query, Target};
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::lock::{Mode, Retention};
use crate::embedded::storage::protection::Protection;
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Lock, Object, Version, VersionId};

const HOLDS_MAX: usize = 100;
const ID_CHARS_MAX: usize = 64;

fn query(request: &S3Request<Body>) -> Query<'_> {
    Query(request.uri.query().unwrap_or_default())
}

fn done() -> S3Response<Body> {
    replied(StatusCode::OK, String::new())
}

fn unprotected() -> Refusal {
    Refusal::request("The bucket is not protected, or the object has no retention")
}

impl Api {
    pub(super) async fn get_bucket_protection(&self, target: &Target) -> S3Result<S3Response<Body>> {
        let protection = self.store.read(target.in_bucket()?, |bucket| Ok(bucket.settings.protection))?;
        let mut xml = Xml::new("ProtectionConfiguration");
        match protection {
            None => xml.element("Status", "Disabled"),
            Some(protection) => {
                xml.element("Status", "Retention");
                let days = [
                    ("MinimumRetention", protection.minimum_days),
                    ("MaximumRetention", protection.maximum_days),
                    ("DefaultRetention", protection.default_days),
                ];
                for (name, days) in days {
                    xml.group(name, |xml| xml.element("Days", &days.to_string()));
                }
                if protection.permanent {
                    xml.boolean("EnablePermanentRetention", true);
                }
            }
        }
        Ok(replied(StatusCode::OK, xml.end()))
    }

    pub(super) async fn put_bucket_protection(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let groups = ["MinimumRetention", "MaximumRetention", "DefaultRetention"];
        let leaves = leaves(&document(request), "ProtectionConfiguration", &groups)?;
        let leaf = |path: &str| leaves.iter().find(|(at, _)| at == path).map(|(_, text)| text.trim());
        if leaf("Status") != Some("Retention") {
            return Err(malformed("the Status of a protection is Retention").into());
        }
        let days = |name: &str| {
            let days = leaf(&format!("{name}/Days")).and_then(|days| days.parse::<u32>().ok());
            days.ok_or_else(|| malformed(format!("{name} needs Days")))
        };
        let protection = Protection {
            minimum_days: days("MinimumRetention")?,
            default_days: days("DefaultRetention")?,
            maximum_days: days("MaximumRetention")?,
            permanent: leaf("EnablePermanentRetention").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        };
        let set = |bucket: &mut Bucket| {
            protection.check(bucket.settings.protection)?;
            if bucket.settings.protection.is_none() && !bucket.is_empty() {
                return Err(Refusal::new(
                    409,
                    "BucketNotEmpty",
                    "Only an empty bucket can become a protected one",
                ));
            }
            bucket.settings.protection = Some(protection);
            Ok(())
        };
        self.store.set(target.in_bucket()?, set).await?;
        Ok(done())
    }

    pub(super) async fn change_legal_hold(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (bucket, key) = target.object()?;
        let adds = target.operation == "AddLegalHold";
        let id = query(request).decoded(if adds { "add" } else { "remove" }).unwrap_or_default();
        check_id(&id)?;
        let now = self.store.now();
        self.store
            .write(bucket, |bucket, scope, _| {
                if bucket.settings.protection.is_none() {
                    return Err(unprotected());
                }
                bucket.edit(
                    scope,
                    key,
                    None,
                    |object| {
                        if adds { hold(object, id, now) } else { release(object, &id) }
                    },
                )
            })
            .await?;
        Ok(done())
    }

    pub(super) async fn list_legal_holds(&self, target: &Target) -> S3Result<S3Response<Body>> {
        let (bucket, key) = target.object()?;
        let (created, retention, holds) = self.store.read(bucket, |bucket| {
            let version = bucket.find(key, None)?;
            let object = version.object.as_ref().ok_or_else(Refusal::no_such_key)?;
            let protected = bucket.settings.protection.ok_or_else(unprotected);
            protected.map(|_| (version.modified, object.lock.retention, object.holds.clone()))
        })?;
        let mut xml = Xml::new("RetentionState");
        xml.element("CreateTime", &http_date(created));
        if let Some(retention) = retention {
            let period = retention.until.duration_since(created).unwrap_or_default().as_secs();
            xml.element("RetentionPeriod", &period.to_string());
            xml.element("RetentionPeriodExpirationDate", &http_date(retention.until));
        }
        xml.group("LegalHoldSet", |xml| {
            for (id, since) in &holds {
                xml.group("LegalHold", |xml| {
                    xml.element("ID", id);
                    xml.element("Date", &http_date(*since));
                });
            }
        });
        Ok(replied(StatusCode::OK, xml.end()))
    }

    pub(super) async fn extend_object_retention(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let (name, key) = target.object()?;
        let extension = Extension::read(&request.headers)?;
        let now = self.store.now();
        self.store
            .write(name, |bucket, scope, _| {
                let protection = bucket.settings.protection.ok_or_else(unprotected)?;
                let created = bucket.find(key, None)?.modified;
                bucket.edit(scope, key, None, |object| {
                    let old = object.lock.retention.ok_or_else(unprotected)?.until;
                    let new = extension.applied(created, old, now);
                    object.lock.retention = Some(protection.extended(created, old, new)?);
                    Ok(())
                })
            })
            .await?;
        Ok(done())
    }

    /// What the completion of an upload says about its object, once that is there.
    pub(super) async fn keep(
        &self,
        bucket: &str,
        key: &str,
        id: &VersionId,
        kept: Kept,
    ) -> Result<(), Refusal> {
        if kept == Kept::default() {
            return Ok(());
        }
        let edit = self.store.write(bucket, |bucket, scope, stamp| {
            let protection = bucket.settings.protection.ok_or_else(unprotected)?;
            bucket.edit(scope, key, Some(id), |object| {
                if let Some(until) = kept.until {
                    object.lock.retention = Some(protection.asked(stamp.now, until)?);
                }
                kept.hold(object, stamp.now)
            })
        });
        edit.await.map(drop)
    }

    pub(super) async fn list_buckets_extended(
        &self,
        request: &S3Request<Body>,
    ) -> S3Result<S3Response<Body>> {
        let query = query(request);
        let text = |name: &str| query.decoded(name).unwrap_or_default();
        let (prefix, marker) = (text("prefix"), text("marker"));
        let limit =
            query.get("max-keys").and_then(|limit| limit.parse().ok()).unwrap_or(1000_usize).min(1000);
        let buckets = self.store.buckets();
        let mut rest = buckets.iter().filter(|(name, _)| name.starts_with(&prefix) && *name > marker);
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let truncated = rest.next().is_some();
        let mut xml = Xml::new("ListAllMyBucketsResult");
        xml.group("Owner", |xml| {
            xml.element("ID", ACCOUNT);
            xml.element("DisplayName", "holdfs");
        });
        xml.boolean("IsTruncated", truncated);
        xml.element("MaxKeys", &limit.to_string());
        xml.element("Prefix", &prefix);
        xml.element("Marker", &marker);
        xml.some("NextMarker", page.last().filter(|_| truncated).map(|(name, _)| name.as_str()));
        xml.group("Buckets", |xml| {
            for (name, created) in page {
                xml.group("Bucket", |xml| {
                    xml.element("Name", name);
                    xml.element("CreationDate", &rfc3339_millis(*created));
                    xml.element("LocationConstraint", &self.region);
                });
            }
        });
        Ok(replied(StatusCode::OK, xml.end()))
    }
}

/// What the headers of a write say about keeping the new object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    until: Option<SystemTime>,
    hold: Option<String>,
}

impl Kept {
    pub fn read(headers: &http::HeaderMap, now: SystemTime) -> Result<Self, Refusal> {
        let period = list_header(headers, "retention-period").map(|text| text.trim().parse::<i64>());
        let period = match period {
            None => None,
            Some(Ok(seconds @ (-1 | -2))) => {
                let message =
                    format!("Retention without end (Retention-Period: {seconds}) is not implemented");
                return Err(Refusal::not_implemented(message));
            }
            Some(Ok(seconds)) if (0..=i64::from(u32::MAX)).contains(&seconds) => {
                Some(now + Duration::from_secs(seconds.unsigned_abs()))
            }
            Some(_) => return Err(Refusal::argument("Retention-Period is a number of seconds")),
        };
        let date = list_header(headers, "retention-expiration-date");
        let date = date.map(|text| {
            let date = parse_rfc3339(&text).or_else(|| parse_compact(&text));
            date.ok_or_else(|| Refusal::argument("Retention-Expiration-Date is no date"))
        });
        let until = match (period, date.transpose()?) {
            (Some(_), Some(_)) => {
                let message = "Retention-Period and Retention-Expiration-Date exclude each other";
                return Err(Refusal::request(message));
            }
            (period, date) => period.or(date),
        };
        let hold = list_header(headers, "retention-legal-hold-id");
        hold.as_deref().map_or(Ok(()), check_id)?;
        Ok(Self { until, hold })
    }

    /// Only a protected bucket keeps.
    pub fn check(&self, bucket: &Bucket) -> Result<(), Refusal> {
        match *self != Self::default() && bucket.settings.protection.is_none() {
            true => Err(unprotected()),
            false => Ok(()),
        }
    }

    /// The same as the lock of the object.
    pub fn lock(&self, asked: Lock) -> Lock {
        let kept = self.until.map(|until| Retention { mode: Mode::Compliance, until });
        Lock { retention: kept.or(asked.retention), ..asked }
    }

    pub fn hold(self, object: &mut Object, now: SystemTime) -> Result<(), Refusal> {
        self.hold.map_or(Ok(()), |id| hold(object, id, now))
    }
}

/// How long an object of a protected bucket is kept, as a reply says it.
pub fn tell_retention(headers: &mut http::HeaderMap, version: &Version) {
    let Some(object) = &version.object else { return };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    if let Some(retention) = object.lock.retention {
        let period = retention.until.duration_since(version.modified).unwrap_or_default().as_secs();
        set("retention-period", period.to_string());
        set("retention-expiration-date", http_date(retention.until));
    }
    set("retention-legal-hold-count", object.holds.len().to_string());
}

fn check_id(id: &str) -> Result<(), Refusal> {
    let known = |char: char| char.is_ascii_alphanumeric() || "!_.*()-'".contains(char);
    match !id.is_empty() && id.len() <= ID_CHARS_MAX && id.chars().all(known) {
        true => Ok(()),
        false => Err(Refusal::argument("The id of a legal hold has 1 to 64 letters, digits and !_.*()-'")),
    }
}

fn hold(object: &mut Object, id: String, now: SystemTime) -> Result<(), Refusal> {
    object.lock.retention.ok_or_else(unprotected)?;
    if object.holds.contains_key(&id) {
        return Err(Refusal::new(
            409,
            "LegalHoldExists",
            format!("The object has a legal hold {id} already"),
        ));
    }
    if object.holds.len() >= HOLDS_MAX {
        return Err(Refusal::request(format!("An object has at most {HOLDS_MAX} legal holds")));
    }
    object.holds.insert(id, now);
    Ok(())
}

fn release(object: &mut Object, id: &str) -> Result<(), Refusal> {
    let missing = || Refusal::new(404, "NoSuchLegalHold", format!("The object has no legal hold {id}"));
    object.holds.remove(id).map(drop).ok_or_else(missing)
}

/// By exactly one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    Additional(Duration),
    FromNow(Duration),
    Until(SystemTime),
    FromCreation(Duration),
}

impl Extension {
    fn read(headers: &http::HeaderMap) -> Result<Self, Refusal> {
        let seconds = |name: &str| {
            let text = list_header(headers, name);
            let parsed = |text: String| text.trim().parse::<u32>().map(|it| Duration::from_secs(it.into()));
            text.map(parsed)
                .transpose()
                .map_err(|_| Refusal::argument(format!("{name} is a number of seconds")))
        };
        let date = list_header(headers, "new-retention-expiration-date");
        let date = date.map(|text| parse_rfc3339(&text).or_else(|| parse_compact(&text)));
        let date = match date {
            Some(None) => {
                return Err(Refusal::argument("new-retention-expiration-date is no date"));
            }
            date => date.flatten(),
        };
        let given = [
            seconds("additional-retention-period")?.map(Self::Additional),
            seconds("extend-retention-from-current-time")?.map(Self::FromNow),
            date.map(Self::Until),
            seconds("new-retention-period")?.map(Self::FromCreation),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(Refusal::request(
                "Exactly one of Additional-Retention-Period, Extend-Retention-From-Current-Time, \
                 New-Retention-Expiration-Date and New-Retention-Period is needed",
            )),
        }
    }

    fn applied(self, created: SystemTime, old: SystemTime, now: SystemTime) -> SystemTime {
        match self {
            Self::Additional(more) => old + more,
            Self::FromNow(more) => now + more,
            Self::Until(until) => until,
            Self::FromCreation(period) => created + period,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_object_may_say_how_long_it_is_kept() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let read = |list: &[(&'static str, &str)]| {
            let headers = list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            Kept::read(&headers.collect(), at(100)).map_err(|refusal| refusal.code)
        };
        assert_eq!(read(&[]), Ok(Kept::default()));
        let kept = read(&[("retention-period", "60"), ("retention-legal-hold-id", "case-1")]).unwrap();
        assert_eq!((kept.until, kept.hold.as_deref()), (Some(at(160)), Some("case-1")));
        assert_eq!(read(&[("retention-expiration-date", "19700101T000500Z")]).unwrap().until, Some(at(300)));
        assert_eq!(read(&[("retention-period", "-1")]), Err("NotImplemented"));
        assert_eq!(read(&[("retention-period", "soon")]), Err("InvalidArgument"));
        assert_eq!(read(&[("retention-legal-hold-id", "a b")]), Err("InvalidArgument"));
        let both = [("retention-period", "1"), ("retention-expiration-date", "19700101T000500Z")];
        assert_eq!(read(&both), Err("InvalidRequest"));
    }

    #[test]
    fn retention_is_extended_by_one_header() {
        let read = |list: &[(&'static str, &str)]| {
            let headers = list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            Extension::read(&headers.collect()).map_err(|refusal| refusal.code)
        };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let applied = |extension: Extension| extension.applied(at(100), at(200), at(150));
        assert_eq!(applied(read(&[("additional-retention-period", "60")]).unwrap()), at(260));
        assert_eq!(applied(read(&[("extend-retention-from-current-time", "60")]).unwrap()), at(210));
        assert_eq!(applied(read(&[("new-retention-period", "60")]).unwrap()), at(160));
        let date = read(&[("new-retention-expiration-date", "19700101T000500Z")]).unwrap();
        assert_eq!(applied(date), at(300));
        assert_eq!(read(&[]), Err("InvalidRequest"));
        let two = [("new-retention-period", "1"), ("additional-retention-period", "1")];
        assert_eq!(read(&two), Err("InvalidRequest"));
        assert_eq!(read(&[("new-retention-period", "soon")]), Err("InvalidArgument"));
    }
}
