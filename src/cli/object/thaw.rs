//! `holdfs object thaw`: brings archived objects back for some days.

use clap::Args;
use serde_json::json;

use super::batch::{Said, Verb};
use super::each::{self, Deed};
use super::keys::OwnKey;
use super::many::{ORDER, Which};
use super::{Format, Target};
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{RestoreObject, RestoreTier, Restoring};
use crate::s3::{Client, ErrorKind};

/// Bring an archived object back for some days, or with --recursive all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("\
It takes minutes to days, by the class and the tier; --status says how far it is.\n\n{ORDER}\n\n\
Example: holdfs object thaw archive/2020/ --recursive --days 7 --tier Bulk"))]
pub struct ThawArgs {
    #[command(flatten)]
    which: Which,
    /// How many days it stays.
    #[arg(long, value_name = "DAYS", default_value_t = 1)]
    days: u32,
    /// Expedited, Standard or Bulk; IBM: Accelerated.
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// Ask for nothing: show how far it is.
    #[arg(long, conflicts_with_all = ["tier", "days"])]
    status: bool,
    #[command(flatten)]
    key: OwnKey,
}

pub(super) async fn run(client: &Client, args: &ThawArgs, format: Format) -> Outcome {
    if args.status {
        let keyed = &args.key.given_to(client)?;
        return each::run(client, &args.which, format, Deed::SHOW, async |target| {
            status(keyed, &target).await
        })
        .await;
    }
    let deed = Deed { done: Verb("asked for"), would: "thaw" };
    each::run(client, &args.which, format, deed, async |target| thaw(client, target, args).await).await
}

/// As the attribute `user.s3.restore` of a mount has it.
async fn status(client: &Client, target: &Target) -> Outcome<Said> {
    let headers = target.head(client, false).await?;
    let restore = headers.restore.unwrap_or_default();
    let line = match restore.split_once("expiry-date=\"") {
        _ if restore.contains("ongoing-request=\"true\"") => "in progress".to_owned(),
        Some((_, rest)) => format!("until {}", rest.trim_end_matches('"')),
        None => "none".to_owned(),
    };
    let fields = json!({ "restore": line, "storage_class": headers.storage_class });
    Ok(Said::new(fields, vec![line]))
}

async fn thaw(client: &Client, target: Target, args: &ThawArgs) -> Outcome<Said> {
    let Target { bucket, key, version } = target;
    let tier = args.tier.clone().map(RestoreTier::from);
    let restore = RestoreObject { bucket, key, version, days: Some(args.days), tier, description: None };
    let (word, line) = match client.send(&restore).await {
        Ok(Restoring::Begun) => {
            ("begun", "The store is bringing it back: --status says how far it is.".to_owned())
        }
        Ok(Restoring::Extended) => ("extended", format!("It is there, and stays for {} days.", args.days)),
        Err(error) if error.code() == "RestoreAlreadyInProgress" => {
            return Err(Failure::from(error).said("The store is bringing it back already."));
        }
        // Its bytes are there; of a read the same code says the opposite.
        Err(error) if error.kind() == ErrorKind::Archived => {
            return Err(Failure::from(error).said("It is in no archive: there is nothing to bring back."));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Said::new(json!({ "thaw": word, "days": args.days }), vec![line]))
}
