//! How long objects of IBM's protected buckets are kept, as the headers of requests and replies say it.
//! <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-immutable>

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::wire::list_header;
use crate::base::timestamp::{http_date, parse_compact, parse_rfc3339};
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::lock::{Mode, Retention};
use crate::embedded::storage::protection::{indefinite, permanent};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Lock, Object, Version};

const HOLDS_MAX: usize = 100;
const ID_CHARS_MAX: usize = 64;
/// A `Retention-Period` without an end.
const INDEFINITE_SECONDS: i64 = -1;
/// One that nothing ever ends.
const PERMANENT_SECONDS: i64 = -2;

pub fn unprotected() -> Refusal {
    Refusal::request("The bucket is not protected, or the object has no retention")
}

/// What the headers of a write say about keeping the new object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub until: Option<SystemTime>,
    hold: Option<String>,
}

impl Kept {
    pub fn read(headers: &http::HeaderMap, now: SystemTime) -> Result<Self, Refusal> {
        let period = list_header(headers, "retention-period").map(|text| text.trim().parse::<i64>());
        let period = match period {
            None => None,
            Some(Ok(seconds)) if let Some(until) = after(now, seconds) => Some(until),
            Some(_) => return Err(Refusal::argument("Retention-Period is a number of seconds, or -1 or -2")),
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

    /// What a copy takes over from its source, where `Retention-Directive` says so: retention and legal holds.
    pub fn of_source(headers: &http::HeaderMap, source: &Object) -> Result<Option<Retained>, Refusal> {
        match list_header(headers, "retention-directive").as_deref() {
            None | Some("REPLACE") => Ok(None),
            Some("COPY") => Ok(Some(Retained { lock: source.lock, holds: source.holds.clone() })),
            Some(_) => Err(Refusal::argument("Retention-Directive is COPY or REPLACE")),
        }
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

/// What keeps an object.
pub struct Retained {
    pub lock: Lock,
    pub holds: BTreeMap<String, SystemTime>,
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
        let (period, until) = period_of(retention, version.modified);
        set("retention-period", period.to_string());
        if let Some(until) = until {
            set("retention-expiration-date", http_date(until));
        }
    }
    set("retention-legal-hold-count", object.holds.len().to_string());
}

/// Seconds from one moment on, or what stands for no end.
fn after(start: SystemTime, seconds: i64) -> Option<SystemTime> {
    match seconds {
        INDEFINITE_SECONDS => Some(indefinite()),
        PERMANENT_SECONDS => Some(permanent()),
        _ => u32::try_from(seconds).ok().map(|seconds| start + Duration::from_secs(seconds.into())),
    }
}

/// The seconds of a retention, and when it ends, if it does.
pub fn period_of(retention: Retention, created: SystemTime) -> (i64, Option<SystemTime>) {
    let until = retention.until;
    if until >= permanent() {
        (PERMANENT_SECONDS, None)
    } else if until >= indefinite() {
        (INDEFINITE_SECONDS, None)
    } else {
        let seconds = until.duration_since(created).unwrap_or_default().as_secs();
        (i64::try_from(seconds).unwrap_or(i64::MAX), Some(until))
    }
}

pub fn check_id(id: &str) -> Result<(), Refusal> {
    let known = |char: char| char.is_ascii_alphanumeric() || "!_.*()-'".contains(char);
    match !id.is_empty() && id.len() <= ID_CHARS_MAX && id.chars().all(known) {
        true => Ok(()),
        false => Err(Refusal::argument("The id of a legal hold has 1 to 64 letters, digits and !_.*()-'")),
    }
}

pub fn hold(object: &mut Object, id: String, now: SystemTime) -> Result<(), Refusal> {
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

pub fn release(object: &mut Object, id: &str) -> Result<(), Refusal> {
    let missing = || Refusal::new(404, "NoSuchLegalHold", format!("The object has no legal hold {id}"));
    object.holds.remove(id).map(drop).ok_or_else(missing)
}

/// By exactly one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    Additional(Duration),
    FromNow(Duration),
    Until(SystemTime),
    /// Seconds, as `Retention-Period` has them.
    FromCreation(i64),
}

impl Extension {
    pub fn read(headers: &http::HeaderMap) -> Result<Self, Refusal> {
        let seconds = |name: &str| {
            let text = list_header(headers, name);
            let parsed = |text: String| text.trim().parse::<u32>().map(|it| Duration::from_secs(it.into()));
            text.map(parsed)
                .transpose()
                .map_err(|_| Refusal::argument(format!("{name} is a number of seconds")))
        };
        let period = list_header(headers, "new-retention-period").map(|text| {
            let seconds =
                text.trim().parse().ok().filter(|seconds| after(SystemTime::UNIX_EPOCH, *seconds).is_some());
            seconds
                .ok_or_else(|| Refusal::argument("new-retention-period is a number of seconds, or -1 or -2"))
        });
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
            period.transpose()?.map(Self::FromCreation),
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

    pub fn applied(self, created: SystemTime, old: SystemTime, now: SystemTime) -> SystemTime {
        match self {
            Self::Additional(more) => old + more,
            Self::FromNow(more) => now + more,
            Self::Until(until) => until,
            Self::FromCreation(period) => after(created, period).unwrap_or(old),
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
        assert_eq!(read(&[("retention-period", "-1")]).unwrap().until, Some(indefinite()));
        assert_eq!(read(&[("retention-period", "-2")]).unwrap().until, Some(permanent()));
        assert_eq!(read(&[("retention-period", "-3")]), Err("InvalidArgument"));
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
        assert_eq!(applied(read(&[("new-retention-period", "-1")]).unwrap()), indefinite());
        let date = read(&[("new-retention-expiration-date", "19700101T000500Z")]).unwrap();
        assert_eq!(applied(date), at(300));
        assert_eq!(read(&[]), Err("InvalidRequest"));
        let two = [("new-retention-period", "1"), ("additional-retention-period", "1")];
        assert_eq!(read(&two), Err("InvalidRequest"));
        assert_eq!(read(&[("new-retention-period", "soon")]), Err("InvalidArgument"));
    }
}
