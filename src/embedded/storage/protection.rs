//! IBM's protected buckets: how long they keep what is put into them.
//! <https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-immutable>

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::lock::{Mode, Retention};
use super::refusal::Refusal;

/// Once it is there it stays; only its figures may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    pub minimum_days: u32,
    pub default_days: u32,
    pub maximum_days: u32,
    pub permanent: bool,
}

const DAYS_MAX: u32 = 365_243;

/// The last day of the year 9999, beyond every date that can be asked for: no end that anybody has set yet.
pub fn indefinite() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_798)
}

/// A second later: kept for ever.
pub fn permanent() -> SystemTime {
    indefinite() + Duration::from_secs(1)
}

pub const DAY: Duration = Duration::from_secs(86_400);

impl Protection {
    pub fn check(self, before: Option<Self>) -> Result<(), Refusal> {
        let ordered = self.minimum_days <= self.default_days && self.default_days <= self.maximum_days;
        if !ordered || self.maximum_days > DAYS_MAX {
            let message =
                format!("Retention days must lie between 0 and {DAYS_MAX}, minimum ≤ default ≤ maximum");
            return Err(Refusal::argument(message));
        }
        if before.is_some_and(|before| before.permanent) && !self.permanent {
            return Err(Refusal::argument("Permanent retention cannot be disabled once it is enabled"));
        }
        Ok(())
    }

    /// Of an object that is made now and says nothing of it.
    pub fn retention(self, now: SystemTime) -> Retention {
        Retention { mode: Mode::Compliance, until: now + DAY * self.default_days }
    }

    /// Of an object that is made now and says until when it is to be kept.
    pub fn asked(self, now: SystemTime, until: SystemTime) -> Result<Retention, Refusal> {
        if until >= indefinite() {
            return self.endless(until);
        }
        let within = now + DAY * self.minimum_days <= until && until <= now + DAY * self.maximum_days;
        if !within {
            let message =
                format!("The bucket keeps objects for {} to {} days", self.minimum_days, self.maximum_days);
            return Err(Refusal::request(message));
        }
        Ok(Retention { mode: Mode::Compliance, until })
    }

    fn endless(self, until: SystemTime) -> Result<Retention, Refusal> {
        if !self.permanent {
            let message = "The bucket keeps nothing without end: EnablePermanentRetention is not set";
            return Err(Refusal::request(message));
        }
        Ok(Retention { mode: Mode::Compliance, until })
    }

    /// Keeps longer, never shorter, and no longer than the bucket allows from the object's creation on.
    pub fn extended(
        self,
        created: SystemTime,
        old: SystemTime,
        new: SystemTime,
    ) -> Result<Retention, Refusal> {
        if new < old {
            return Err(Refusal::request("A retention period can be extended only, not shortened"));
        }
        if new >= indefinite() {
            return self.endless(new);
        }
        if new > created + DAY * self.maximum_days {
            let message = format!("The bucket keeps objects for {} days at most", self.maximum_days);
            return Err(Refusal::request(message));
        }
        Ok(Retention { mode: Mode::Compliance, until: new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_an_order() {
        let days = |minimum_days, default_days, maximum_days| Protection {
            minimum_days,
            default_days,
            maximum_days,
            permanent: false,
        };
        assert!(days(0, 0, 0).check(None).is_ok() && days(1, 2, 3).check(None).is_ok());
        assert!(days(2, 1, 3).check(None).is_err() && days(1, 4, 3).check(None).is_err());
        assert!(days(0, 0, DAYS_MAX + 1).check(None).is_err());
        let permanent = Protection { permanent: true, ..days(1, 2, 3) };
        assert!(
            days(1, 2, 3).check(Some(permanent)).is_err() && permanent.check(Some(days(1, 2, 3))).is_ok()
        );
    }

    #[test]
    fn retention_grows_up_to_the_maximum() {
        let protection = Protection { minimum_days: 0, default_days: 1, maximum_days: 2, permanent: false };
        let at = |days: u32| SystemTime::UNIX_EPOCH + DAY * days;
        assert_eq!(protection.retention(at(5)).until, at(6));
        assert_eq!(protection.extended(at(0), at(1), at(2)).unwrap().until, at(2));
        assert_eq!(protection.asked(at(5), at(7)).unwrap().until, at(7));
        assert!(protection.asked(at(5), at(8)).is_err());
        assert!(protection.extended(at(0), at(1), at(3)).is_err());
        assert!(protection.extended(at(0), at(2), at(1)).is_err());
    }

    #[test]
    fn only_some_buckets_keep_without_end() {
        let some = Protection { minimum_days: 0, default_days: 1, maximum_days: 2, permanent: false };
        let now = SystemTime::UNIX_EPOCH;
        for until in [indefinite(), permanent()] {
            assert!(some.asked(now, until).is_err() && some.extended(now, now, until).is_err());
            let permanent = Protection { permanent: true, ..some };
            assert_eq!(permanent.asked(now, until).unwrap().until, until);
            assert_eq!(permanent.extended(now, now + DAY, until).unwrap().until, until);
        }
        let forever = Protection { permanent: true, ..some };
        assert!(forever.extended(now, permanent(), indefinite()).is_err(), "never shorter");
        assert!(forever.extended(now, indefinite(), now + DAY).is_err(), "never shorter");
    }
}
