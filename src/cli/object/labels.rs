//! `holdfs object tag`, `hold` and `retain`: what can be changed on a stored object without touching its bytes.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::batch::{Said, Verb};
use super::each::{self, Deed};
use super::many::{ORDER, Which};
use super::{Format, Target};
use crate::base::timestamp;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::ops::{
    GetObjectLegalHold, GetObjectRetention, GetObjectTagging, PutObjectLegalHold, PutObjectRetention,
    PutObjectTagging, Retention, RetentionMode, Tags,
};

/// Show, set or remove tags; with --recursive, of all objects that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("{ORDER}\n\n\
Examples:\n  holdfs object tag papers/a.pdf state=final --remove draft\n  \
holdfs object tag papers/ --recursive --include '*.pdf' year=2026"))]
pub struct TagArgs {
    #[command(flatten)]
    which: Which,
    /// Tags to set; the others stay.
    #[arg(value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A tag to remove.
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
    /// Remove all tags before setting.
    #[arg(long)]
    clear: bool,
}

/// Put a legal hold on an object, lift it, or show it; with --recursive, of all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("{ORDER}\n\nExample: holdfs object hold papers/contract.pdf on"))]
pub struct HoldArgs {
    #[command(flatten)]
    which: Which,
    /// What is to be done.
    #[arg(value_name = "on|off|show", default_value = "show", hide_possible_values = true)]
    action: HoldAction,
}

/// Show, set or remove the retention of an object; with --recursive, of all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("{ORDER}\n\n\
Example: holdfs object retain papers/contract.pdf GOVERNANCE 2027-01-31T00:00:00Z"))]
pub struct RetainArgs {
    #[command(flatten)]
    which: Which,
    /// GOVERNANCE, COMPLIANCE, or `off`.
    #[arg(value_name = "MODE")]
    mode: Option<String>,
    /// Such as 2027-01-31T00:00:00Z.
    #[arg(value_name = "UNTIL")]
    until: Option<String>,
    /// Shorten or remove GOVERNANCE retention (needs the permission).
    #[arg(long)]
    bypass_governance: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HoldAction {
    On,
    Off,
    Show,
}

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

pub(super) async fn tag(client: &Client, args: &TagArgs, format: Format) -> Outcome {
    let change = TagChange::parse(&args.set, args.remove.clone(), args.clear)?;
    let deed = match change.is_none() {
        true => Deed::SHOW,
        false => Deed { done: Verb("tagged"), would: "tag" },
    };
    each::run(client, &args.which, format, deed, async |target| tag_one(client, target, &change).await).await
}

async fn tag_one(client: &Client, target: Target, change: &TagChange) -> Outcome<Said> {
    let Target { bucket, key, version } = target;
    let get = GetObjectTagging { bucket: bucket.clone(), key: key.clone(), version: version.clone() };
    let before = client.send(&get).await?;
    if change.is_none() {
        let lines = before.iter().map(|(key, value)| format!("{key}={value}")).collect();
        return Ok(Said::new(json!({ "tags": before }), lines));
    }
    let tags = change.clone().apply(before);
    let said = Said::done(json!({ "tags": tags }));
    // Also an empty set: some stores ignore DeleteObjectTagging.
    client.send(&PutObjectTagging { bucket, key, version, tags }).await?;
    Ok(said)
}

pub(super) async fn hold(client: &Client, args: &HoldArgs, format: Format) -> Outcome {
    let deed = match args.action {
        HoldAction::On => Deed { done: Verb("held"), would: "hold" },
        HoldAction::Off => Deed { done: Verb("released"), would: "release" },
        HoldAction::Show => Deed::SHOW,
    };
    each::run(client, &args.which, format, deed, async |target| hold_one(client, target, args.action).await)
        .await
}

async fn hold_one(client: &Client, target: Target, action: HoldAction) -> Outcome<Said> {
    let Target { bucket, key, version } = target;
    let word = |on| if on { "ON" } else { "OFF" };
    let on = match action {
        HoldAction::Show => {
            let on = word(client.send(&GetObjectLegalHold { bucket, key, version }).await?);
            return Ok(Said::new(json!({ "legal_hold": on }), vec![on.to_owned()]));
        }
        HoldAction::On => true,
        HoldAction::Off => false,
    };
    client.send(&PutObjectLegalHold { bucket, key, version, on }).await?;
    Ok(Said::done(json!({ "legal_hold": word(on) })))
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

pub(super) async fn retain(client: &Client, args: &RetainArgs, format: Format) -> Outcome {
    let wish = Wish::parse(args.mode.as_deref(), args.until.as_deref())?;
    let deed = match wish {
        Wish::Show => Deed::SHOW,
        Wish::Set(_) => Deed { done: Verb("locked"), would: "lock" },
        Wish::Remove => Deed { done: Verb("unlocked"), would: "unlock" },
    };
    let retain = async |target| retain_one(client, target, wish, args.bypass_governance).await;
    each::run(client, &args.which, format, deed, retain).await
}

async fn retain_one(client: &Client, target: Target, wish: Wish, bypass_governance: bool) -> Outcome<Said> {
    let Target { bucket, key, version } = target;
    let fields = |retention: Option<Retention>| {
        json!({
            "retention_mode": retention.map(|retention| retention.mode.as_str()),
            "retention_until": retention.map(|retention| timestamp::rfc3339(retention.until)),
        })
    };
    let retention = match wish {
        Wish::Show => {
            let retention = client.send(&GetObjectRetention { bucket, key, version }).await?;
            return Ok(Said::new(fields(retention), vec![described(retention)]));
        }
        Wish::Set(retention) => Some(retention),
        Wish::Remove => None,
    };
    client.send(&PutObjectRetention { bucket, key, version, retention, bypass_governance }).await?;
    Ok(Said::done(fields(retention)))
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
