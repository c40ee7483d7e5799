//! `holdfs object thaw`: brings an archived object back for some days.

use super::Target;
use crate::cli::terminal::note;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::ops::{RestoreObject, RestoreTier, Restoring};

pub(super) async fn run(client: &Client, target: &Target, days: u32, tier: Option<String>) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let tier = tier.map(RestoreTier::from);
    let restore = RestoreObject { bucket, key, version, days: Some(days), tier, description: None };
    match client.send(&restore).await {
        Ok(Restoring::Begun) => {
            note("The store is bringing it back: `holdfs object stat` says when it is there.");
            Ok(())
        }
        Ok(Restoring::Extended) => {
            note(format_args!("It is there, and stays for {days} days."));
            Ok(())
        }
        Err(error) if error.code() == "RestoreAlreadyInProgress" => {
            Err(Failure::refused("The store is bringing it back already."))
        }
        Err(error) => Err(error.into()),
    }
}
