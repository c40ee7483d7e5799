//! Object lock: who may remove a version, and how its protection may change.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::version::Lock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Those with the permission may pass it by saying so.
    Governance,
    /// Nobody may shorten it.
    Compliance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub mode: Mode,
    pub until: SystemTime,
}

/// `x-amz-bypass-governance-retention`. The one key pair of this server may always say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    No,
    Governance,
}

/// What a bucket gives to new versions that bring no retention of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    pub mode: Mode,
    pub period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    Days(u32),
    Years(u32),
}

impl DefaultRetention {
    pub fn starting(self, now: SystemTime) -> Retention {
        let days = match self.period {
            Period::Days(days) => days,
            Period::Years(years) => years * 365,
        };
        Retention { mode: self.mode, until: now + Duration::from_secs(u64::from(days) * 86_400) }
    }
}

impl Retention {
    fn binds(self, bypass: Bypass, now: SystemTime) -> bool {
        self.until > now && (self.mode == Mode::Compliance || bypass == Bypass::No)
    }
}

impl Lock {
    /// May this very version be removed for good?
    pub fn may_remove(self, bypass: Bypass, now: SystemTime) -> Result<(), Refusal> {
        let retained = self.retention.is_some_and(|retention| retention.binds(bypass, now));
        if self.legal_hold || retained { Err(Refusal::locked()) } else { Ok(()) }
    }

    /// May the retention become `new`? Protection may always grow; to shrink, soften or end it takes a bypass,
    /// and compliance has none.
    pub fn may_retain(self, new: Option<Retention>, bypass: Bypass, now: SystemTime) -> Result<(), Refusal> {
        if new.is_some_and(|new| new.until <= now) {
            return Err(Refusal::argument("The retain until date must be in the future!"));
        }
        let Some(old) = self.retention.filter(|old| old.binds(bypass, now)) else { return Ok(()) };
        let grows = new.is_some_and(|new| {
            new.until >= old.until && (new.mode == old.mode || new.mode == Mode::Compliance)
        });
        if grows { Ok(()) } else { Err(Refusal::locked()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn retained(mode: Mode, until: u64) -> Option<Retention> {
        Some(Retention { mode, until: at(until) })
    }

    const NOW: u64 = 1000;

    #[test]
    fn removal_waits_for_hold_and_retention() {
        use Bypass::{Governance as Pass, No};
        use Mode::{Compliance, Governance};
        let cases = [
            (None, false, No, true),
            (None, true, No, false),
            (None, true, Pass, false),
            (retained(Governance, 2000), false, No, false),
            (retained(Governance, 2000), false, Pass, true),
            (retained(Governance, 2000), true, Pass, false),
            (retained(Governance, 999), false, No, true),
            (retained(Governance, 1000), false, No, true),
            (retained(Compliance, 2000), false, No, false),
            (retained(Compliance, 2000), false, Pass, false),
            (retained(Compliance, 999), false, No, true),
            (retained(Compliance, 999), true, No, false),
        ];
        for (retention, legal_hold, bypass, allowed) in cases {
            let lock = Lock { retention, legal_hold };
            assert_eq!(lock.may_remove(bypass, at(NOW)).is_ok(), allowed, "{lock:?} {bypass:?}");
        }
    }

    #[test]
    fn retention_grows_freely_and_shrinks_by_bypass() {
        use Bypass::{Governance as Pass, No};
        use Mode::{Compliance, Governance};
        let cases = [
            (None, retained(Governance, 2000), No, true),
            (None, retained(Governance, 900), No, false),
            (None, None, No, true),
            (retained(Governance, 2000), retained(Governance, 3000), No, true),
            (retained(Governance, 2000), retained(Governance, 2000), No, true),
            (retained(Governance, 2000), retained(Governance, 1500), No, false),
            (retained(Governance, 2000), retained(Governance, 1500), Pass, true),
            (retained(Governance, 2000), retained(Compliance, 3000), No, true),
            (retained(Governance, 2000), retained(Compliance, 1500), No, false),
            (retained(Governance, 2000), None, No, false),
            (retained(Governance, 2000), None, Pass, true),
            (retained(Governance, 900), None, No, true),
            (retained(Compliance, 2000), retained(Compliance, 3000), No, true),
            (retained(Compliance, 2000), retained(Compliance, 1500), Pass, false),
            (retained(Compliance, 2000), retained(Governance, 3000), Pass, false),
            (retained(Compliance, 2000), None, Pass, false),
            (retained(Compliance, 900), retained(Governance, 1500), No, true),
        ];
        for (retention, new, bypass, allowed) in cases {
            let lock = Lock { retention, legal_hold: false };
            assert_eq!(
                lock.may_retain(new, bypass, at(NOW)).is_ok(),
                allowed,
                "{retention:?} {new:?} {bypass:?}"
            );
        }
    }

    #[test]
    fn default_retention_counts_from_the_write() {
        let rule = |period| DefaultRetention { mode: Mode::Governance, period };
        assert_eq!(rule(Period::Days(2)).starting(at(0)).until, at(172_800));
        assert_eq!(rule(Period::Years(1)).starting(at(0)).until, at(365 * 86_400));
    }
}
