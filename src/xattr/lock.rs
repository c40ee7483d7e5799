//! Pure: legal hold and retention as text, and which changes of a retention are possible.

use std::time::SystemTime;

use super::{Error, Result};
use crate::base::timestamp;
use crate::s3::ops::{LockHeaders, Retention, RetentionMode};

/// May retention in governance mode be weakened (`--bypass-governance`)?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Governance {
    #[default]
    Respect,
    Bypass,
}

pub fn format_hold(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

pub fn parse_hold(text: &str) -> Result<bool> {
    match text {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(Error::Invalid(format!("a legal hold is ON or OFF, not {text:?}"))),
    }
}

/// `GOVERNANCE 2027-01-31T00:00:00Z`
pub fn format_retention(retention: Retention) -> String {
    let mode = match retention.mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    };
    format!("{mode} {}", timestamp::rfc3339(retention.until))
}

pub fn parse_retention(text: &str, now: SystemTime) -> Result<Retention> {
    let invalid = |why: &str| {
        Error::Invalid(format!("{text:?}: {why}; expected, for example, GOVERNANCE 2027-01-31T00:00:00Z"))
    };
    let (mode, until) =
        text.split_once(' ').ok_or_else(|| invalid("mode and date are separated by a blank"))?;
    let mode = match mode {
        "GOVERNANCE" => RetentionMode::Governance,
        "COMPLIANCE" => RetentionMode::Compliance,
        _ => return Err(invalid("the mode is GOVERNANCE or COMPLIANCE")),
    };
    let until = timestamp::parse_rfc3339(until).ok_or_else(|| invalid("this is no date of RFC 3339"))?;
    if until <= now {
        return Err(invalid("the date has passed"));
    }
    Ok(Retention { mode, until })
}

/// Can the retention of an object go from one to the other? Longer is always possible, weaker only in governance
/// mode by who may bypass it.
pub fn judge_retention(
    present: Option<Retention>,
    wanted: Option<Retention>,
    governance: Governance,
    now: SystemTime,
) -> Result<()> {
    let Some(present) = present.filter(|present| present.until > now) else {
        return Ok(());
    };
    if wanted.is_some_and(|wanted| is_stronger(wanted, present)) {
        return Ok(());
    }
    match (present.mode, governance) {
        (RetentionMode::Governance, Governance::Bypass) => Ok(()),
        (RetentionMode::Governance, Governance::Respect) => Err(Error::Forbidden(format!(
            "it is {}: to shorten or remove that, mount with --bypass-governance",
            format_retention(present)
        ))),
        (RetentionMode::Compliance, _) => Err(Error::Forbidden(format!(
            "it is {}, which nobody can shorten or remove",
            format_retention(present)
        ))),
    }
}

fn is_stronger(wanted: Retention, present: Retention) -> bool {
    let mode_kept = wanted.mode == present.mode || wanted.mode == RetentionMode::Compliance;
    mode_kept && wanted.until >= present.until
}

/// Why an object with these headers may be neither changed nor removed.
pub fn reason_locked(lock: LockHeaders, now: SystemTime) -> Option<String> {
    if lock.legal_hold == Some(true) {
        return Some("it is under legal hold".to_owned());
    }
    let retention = lock.retention.filter(|retention| retention.until > now)?;
    Some(format!("its retention is {}", format_retention(retention)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn retention(mode: RetentionMode, until: u64) -> Retention {
        Retention { mode, until: at(until) }
    }

    #[test]
    fn a_retention_comes_back_from_its_text() {
        let text = "COMPLIANCE 2027-01-31T00:00:00Z";
        let parsed = parse_retention(text, at(0)).expect("valid");
        assert_eq!(parsed.mode, RetentionMode::Compliance);
        assert_eq!(format_retention(parsed), text);
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        let now = at(4_000_000_000);
        for text in [
            "",
            "GOVERNANCE",
            "governance 2200-01-01T00:00:00Z",
            "GOVERNANCE soon",
            "COMPLIANCE 2027-01-31T00:00:00Z",
        ] {
            assert!(matches!(parse_retention(text, now), Err(Error::Invalid(_))), "{text}");
        }
        assert!(parse_hold("on").is_err() && parse_hold("").is_err());
    }

    #[test]
    fn a_retention_only_grows() {
        use Governance::{Bypass, Respect};
        use RetentionMode::{Compliance, Governance as G};
        let now = at(100);
        #[rustfmt::skip]
        let cases = [
            (None,                    Some(retention(G, 200)),          Respect, true),
            (Some(retention(G, 50)),  None,                             Respect, true),
            (Some(retention(G, 200)), Some(retention(G, 300)),          Respect, true),
            (Some(retention(G, 200)), Some(retention(Compliance, 200)), Respect, true),
            (Some(retention(G, 200)), Some(retention(G, 150)),          Respect, false),
            (Some(retention(G, 200)), None,                             Respect, false),
            (Some(retention(G, 200)), Some(retention(G, 150)),          Bypass,  true),
            (Some(retention(G, 200)), None,                             Bypass,  true),
            (Some(retention(Compliance, 200)), None,                    Bypass,  false),
            (Some(retention(Compliance, 200)), Some(retention(G, 300)), Bypass,  false),
            (Some(retention(Compliance, 200)), Some(retention(Compliance, 300)), Respect, true),
        ];
        for (present, wanted, governance, possible) in cases {
            let verdict = judge_retention(present, wanted, governance, now);
            assert_eq!(verdict.is_ok(), possible, "{present:?} to {wanted:?} by {governance:?}");
        }
    }

    #[test]
    fn holds_and_unexpired_retention_lock() {
        let now = at(100);
        let lock = |legal_hold, retention| LockHeaders { legal_hold, retention };
        assert!(reason_locked(lock(Some(true), None), now).is_some());
        assert!(reason_locked(lock(None, Some(retention(RetentionMode::Governance, 101))), now).is_some());
        assert!(
            reason_locked(lock(Some(false), Some(retention(RetentionMode::Governance, 100))), now).is_none()
        );
        assert!(reason_locked(lock(None, None), now).is_none());
    }
}
