//! Lifecycle rules: what expires when, as values. The sweep that carries them out is in `api::lifecycle`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::multipart::Start;
use super::version::{Tags, Version};

/// A rule that is on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    pub id: String,
    pub filter: Filter,
    /// Of current versions.
    pub expiration: Option<Age>,
    /// Delete markers that have no versions behind them go.
    pub lone_markers: bool,
    pub noncurrent: Option<Noncurrent>,
    /// Uploads that were begun so many days ago are aborted.
    pub abort_days: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Age {
    Days(u32),
    Date(SystemTime),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noncurrent {
    pub days: u32,
    /// The newest of them stay.
    pub kept: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub prefix: String,
    pub tags: Tags,
    pub larger_than: Option<u64>,
    pub smaller_than: Option<u64>,
}

impl Filter {
    fn fits_key(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
    }

    /// Markers have neither tags nor size: a rule that asks for those is not about them.
    fn fits(&self, key: &str, version: &Version) -> bool {
        let asks = !self.tags.is_empty() || self.larger_than.is_some() || self.smaller_than.is_some();
        let Some(object) = &version.object else {
            return self.fits_key(key) && !asks;
        };
        let size = object.content.len();
        let tagged = |(name, value): (&String, &String)| object.about.tags.get(name) == Some(value);
        self.fits_key(key)
            && self.tags.iter().all(tagged)
            && self.larger_than.is_none_or(|bound| size > bound)
            && self.smaller_than.is_none_or(|bound| size < bound)
    }
}

/// How long a day is, and with it when days end: real ones at midnight, scaled ones whenever they have passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calendar {
    pub day: Duration,
}

const REAL_DAY: Duration = Duration::from_secs(86_400);

impl Calendar {
    pub fn after(self, since: SystemTime, days: u32) -> SystemTime {
        let due = since + self.day * days;
        if self.day != REAL_DAY {
            return due;
        }
        let seconds = due.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.next_multiple_of(REAL_DAY.as_secs()))
    }

    fn due(self, age: Age, since: SystemTime) -> SystemTime {
        match age {
            Age::Days(days) => self.after(since, days),
            Age::Date(date) => date,
        }
    }
}

/// What is to be done with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The current version: a marker is laid over it, or it goes where there are no versions.
    Expire,
    /// The version of this serial goes for good.
    Remove(u64),
}

/// When the current version expires, and by which rule: the earliest.
pub fn expiry<'r>(
    rules: &'r [Rule],
    calendar: Calendar,
    key: &str,
    version: &Version,
) -> Option<(SystemTime, &'r str)> {
    let of_rule = |rule: &'r Rule| {
        let age = rule.expiration.filter(|_| !version.is_marker() && rule.filter.fits(key, version))?;
        Some((calendar.due(age, version.modified), rule.id.as_str()))
    };
    rules.iter().filter_map(of_rule).min_by_key(|(due, _)| *due)
}

/// What the rules say about the versions of a key, the oldest first.
pub fn fates(
    rules: &[Rule],
    calendar: Calendar,
    key: &str,
    versions: &[Arc<Version>],
    now: SystemTime,
) -> Vec<Fate> {
    let Some((current, past)) = versions.split_last() else {
        return Vec::new();
    };
    let mut fates = Vec::new();
    if current.is_marker() {
        let lone =
            past.is_empty() && rules.iter().any(|rule| rule.lone_markers && rule.filter.fits(key, current));
        if lone {
            fates.push(Fate::Remove(current.serial));
        }
    } else if expiry(rules, calendar, key, current).is_some_and(|(due, _)| due <= now) {
        fates.push(Fate::Expire);
    }
    // A version has been noncurrent since the next one was written.
    let noncurrent = past.iter().zip(versions[1..].iter().map(|next| next.modified)).rev().enumerate();
    for (newer, (version, since)) in noncurrent {
        let expired = |rule: &Rule| {
            let Some(Noncurrent { days, kept }) = rule.noncurrent else {
                return false;
            };
            newer >= kept && rule.filter.fits(key, version) && calendar.after(since, days) <= now
        };
        if rules.iter().any(expired) {
            fates.push(Fate::Remove(version.serial));
        }
    }
    fates
}

/// Whether an upload that was never completed is to be aborted.
pub fn aborts(rules: &[Rule], calendar: Calendar, start: &Start, now: SystemTime) -> bool {
    rules.iter().any(|rule| {
        let old = rule.abort_days.is_some_and(|days| calendar.after(start.initiated, days) <= now);
        old && rule.filter.fits_key(&start.key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::storage::version::{Object, VersionId};

    const DAY: u64 = 10;
    const CALENDAR: Calendar = Calendar { day: Duration::from_secs(DAY) };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn version(serial: u64, modified: u64, object: bool) -> Arc<Version> {
        let object = object.then(Object::for_test);
        Arc::new(Version { id: VersionId::Null, serial, modified: at(modified), object })
    }

    fn rule(rule: Rule) -> [Rule; 1] {
        [Rule { id: "r".to_owned(), ..rule }]
    }

    fn fates_at(rules: &[Rule], versions: &[Arc<Version>], now: u64) -> Vec<Fate> {
        fates(rules, CALENDAR, "in/k", versions, at(now))
    }

    #[test]
    fn current_versions_expire_by_age_or_date() {
        let versions = [version(1, 100, true)];
        let days = rule(Rule { expiration: Some(Age::Days(2)), ..Rule::default() });
        assert_eq!(fates_at(&days, &versions, 119), []);
        assert_eq!(fates_at(&days, &versions, 120), [Fate::Expire]);
        assert_eq!(expiry(&days, CALENDAR, "in/k", &versions[0]), Some((at(120), "r")));
        let date = rule(Rule { expiration: Some(Age::Date(at(50))), ..Rule::default() });
        assert_eq!(
            (fates_at(&date, &versions, 49), fates_at(&date, &versions, 50)),
            (vec![], vec![Fate::Expire])
        );
        assert_eq!(fates_at(&days, &[version(1, 0, false)], 1000), [], "a marker does not expire again");
    }

    #[test]
    fn filters_choose_by_prefix_tags_and_size() {
        let mut tagged = Object::for_test();
        tagged.about.tags.insert("k".to_owned(), "v".to_owned());
        let version = Version { id: VersionId::Null, serial: 1, modified: at(0), object: Some(tagged) };
        let fits = |filter: Filter| filter.fits("in/k", &version);
        let tags = |value: &str| [("k".to_owned(), value.to_owned())].into();
        assert!(fits(Filter { prefix: "in/".to_owned(), tags: tags("v"), ..Filter::default() }));
        assert!(!fits(Filter { prefix: "out/".to_owned(), ..Filter::default() }));
        assert!(!fits(Filter { tags: tags("w"), ..Filter::default() }));
        assert!(!fits(Filter { larger_than: Some(0), ..Filter::default() }), "the object is empty");
        assert!(fits(Filter { smaller_than: Some(1), ..Filter::default() }));
    }

    #[test]
    fn noncurrent_versions_go_by_the_time_of_the_next() {
        let versions =
            [version(1, 0, true), version(2, 100, true), version(3, 200, false), version(4, 300, true)];
        let rules =
            |days, kept| rule(Rule { noncurrent: Some(Noncurrent { days, kept }), ..Rule::default() });
        let gone = |rules: &[Rule], now| fates_at(rules, &versions, now);
        assert_eq!(gone(&rules(1, 0), 109), []);
        assert_eq!(gone(&rules(1, 0), 110), [Fate::Remove(1)]);
        assert_eq!(gone(&rules(1, 0), 310), [Fate::Remove(3), Fate::Remove(2), Fate::Remove(1)]);
        assert_eq!(gone(&rules(1, 2), 310), [Fate::Remove(1)]);
    }

    #[test]
    fn markers_with_nothing_behind_them_go() {
        let rules = rule(Rule { lone_markers: true, ..Rule::default() });
        assert_eq!(fates_at(&rules, &[version(1, 0, false)], 1), [Fate::Remove(1)]);
        assert_eq!(fates_at(&rules, &[version(1, 0, true), version(2, 0, false)], 1), []);
    }

    #[test]
    fn real_days_end_at_midnight() {
        let calendar = Calendar { day: REAL_DAY };
        assert_eq!(calendar.after(at(3600), 1), at(2 * 86_400));
        assert_eq!(calendar.after(at(0), 1), at(86_400));
    }
}
