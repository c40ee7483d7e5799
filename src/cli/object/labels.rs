//! `holdfs object tag`, `hold` and `retain`: what can be changed on a stored object without touching its bytes.

use super::{HoldAction, Target};
use crate::base::timestamp;
use crate::cli::terminal::{Answer, data};
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::ops::{
    GetObjectLegalHold, GetObjectRetention, GetObjectTagging, PutObjectLegalHold, PutObjectRetention,
    PutObjectTagging, Retention, RetentionMode, Tags,
};

/// `NAME=VALUE`, split at the first `=`.
pub(super) fn pairs(texts: &[String]) -> Outcome<Vec<(String, String)>> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Failure::usage(format!("{text:?} is not NAME=VALUE."))),
        })
        .collect()
}

#[derive(Clone, Debug, Default)]
pub(super) struct TagChange {
    set: Tags,
    remove: Vec<String>,
    clear: bool,
}

impl TagChange {
    pub(super) fn parse(set: &[String], remove: Vec<String>, clear: bool) -> Outcome<Self> {
        Ok(Self { set: pairs(set)?.into_iter().collect(), remove, clear })
    }

    fn is_none(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty() && !self.clear
    }

    fn apply(self, mut tags: Tags) -> Tags {
        if self.clear {
            tags.clear();
        }
        tags.retain(|key, _| !self.remove.contains(key));
        tags.extend(self.set);
        tags
    }
}

pub(super) async fn tag(client: &Client, target: &Target, change: TagChange) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let get = GetObjectTagging { bucket: bucket.clone(), key: key.clone(), version: version.clone() };
    let before = client.send(&get).await?;
    if change.is_none() {
        return show(&before);
    }
    let tags = change.apply(before);
    // Also an empty set: some stores ignore DeleteObjectTagging.
    Ok(client.send(&PutObjectTagging { bucket, key, version, tags }).await?)
}

fn show(tags: &Tags) -> Outcome {
    let mut answer = Answer::to_stdout();
    for (key, value) in tags {
        let line = format!("{}={}", answer.name(key), answer.name(value));
        answer.line(line)?;
    }
    answer.finish()
}

pub(super) async fn hold(client: &Client, target: &Target, action: HoldAction) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let on = match action {
        HoldAction::Show => {
            let on = client.send(&GetObjectLegalHold { bucket, key, version }).await?;
            return data(if on { "ON" } else { "OFF" });
        }
        HoldAction::On => true,
        HoldAction::Off => false,
    };
    Ok(client.send(&PutObjectLegalHold { bucket, key, version, on }).await?)
}

/// What is wanted of a retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Show,
    Set(Retention),
    Remove,
}

impl Wish {
    pub(super) fn parse(mode: Option<&str>, until: Option<&str>) -> Outcome<Self> {
        match (mode, until) {
            (None, None) => Ok(Self::Show),
            (Some("off"), None) => Ok(Self::Remove),
            (Some(mode), Some(until)) => parse_retention(mode, until).map(Self::Set),
            _ => Err(Failure::usage("Write MODE and UNTIL, or `off`, or nothing to see what holds now.")),
        }
    }
}

pub(super) fn parse_retention(mode: &str, until: &str) -> Outcome<Retention> {
    let mode = RetentionMode::parse(mode)
        .ok_or_else(|| Failure::usage(format!("{mode:?} is no mode: write GOVERNANCE or COMPLIANCE.")))?;
    let until = timestamp::parse_rfc3339(until)
        .ok_or_else(|| Failure::usage(format!("{until:?} is no date: write it as 2027-01-31T00:00:00Z.")))?;
    Ok(Retention { mode, until })
}

pub(super) async fn retain(client: &Client, target: &Target, wish: Wish, bypass_governance: bool) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let retention = match wish {
        Wish::Show => {
            let retention = client.send(&GetObjectRetention { bucket, key, version }).await?;
            return data(described(retention));
        }
        Wish::Set(retention) => Some(retention),
        Wish::Remove => None,
    };
    Ok(client.send(&PutObjectRetention { bucket, key, version, retention, bypass_governance }).await?)
}

/// As it is typed to set it.
fn described(retention: Option<Retention>) -> String {
    retention.map_or_else(
        || "none".to_owned(),
        |Retention { mode, until }| format!("{} {}", mode.as_str(), timestamp::rfc3339(until)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_are_cleared_then_removed_then_set() {
        let before = tags(&[("a", "1"), ("b", "2")]);
        let change = |set: &[&str], remove: &[&str], clear| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let change = TagChange::parse(&owned(set), owned(remove), clear).map_err(|error| error.exit)?;
            Ok(change.apply(before.clone()))
        };
        assert_eq!(change(&["c=x=y", "a="], &[], false), Ok(tags(&[("a", ""), ("b", "2"), ("c", "x=y")])));
        assert_eq!(change(&[], &["a", "none"], false), Ok(tags(&[("b", "2")])));
        assert_eq!(change(&["c=3"], &[], true), Ok(tags(&[("c", "3")])));
        assert_eq!(change(&["c"], &[], false), Err(Exit::Usage));
        assert_eq!(change(&["=c"], &[], false), Err(Exit::Usage));
    }

    #[test]
    fn a_retention_is_typed_as_it_is_shown() {
        let wish = Wish::parse(Some("governance"), Some("2027-01-31T00:00:00Z")).unwrap();
        let Wish::Set(retention) = wish else { panic!("{wish:?}") };
        assert_eq!(described(Some(retention)), "GOVERNANCE 2027-01-31T00:00:00Z");
        assert_eq!(Wish::parse(None, None).unwrap(), Wish::Show);
        assert_eq!(Wish::parse(Some("off"), None).unwrap(), Wish::Remove);
        for (mode, until) in [
            (Some("GOVERNANCE"), None),
            (Some("OFTEN"), Some("2027-01-31T00:00:00Z")),
            (Some("COMPLIANCE"), Some("tomorrow")),
        ] {
            assert_eq!(Wish::parse(mode, until).unwrap_err().exit, Exit::Usage, "{mode:?} {until:?}");
        }
    }
}
