//! `holdfs bucket create` and `remove`.

use std::pin::pin;

use clap::Args;
use futures_util::TryStreamExt;
use serde_json::json;

use super::uploads;
use crate::cli::object::{Format, empty};
use crate::cli::{Failure, Outcome, runtime, terminal};
use crate::s3::ops::{CreateBucket, DeleteBucket, HeadBucket, ListMultipartUploads};
use crate::s3::settings::{PutSetting, Versioning, VersioningStatus};
use crate::s3::transfer::pages;
use crate::s3::{Client, ErrorKind};

/// Create a bucket.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  holdfs bucket create photos --versioning\n  holdfs bucket create papers --object-lock --location eu-west-1")]
pub struct CreateArgs {
    /// Its name: 3 to 63 lower-case letters, digits, dots and hyphens.
    #[arg(value_name = "BUCKET")]
    bucket: String,
    /// Allow legal holds and retention; switches versioning on. Cannot be undone.
    #[arg(long)]
    object_lock: bool,
    /// Keep old versions.
    #[arg(long)]
    versioning: bool,
    /// Where, for a store with several regions.
    #[arg(long, value_name = "REGION")]
    location: Option<String>,
    /// A canned list, such as private or public-read.
    #[arg(long, value_name = "ACL")]
    acl: Option<String>,
    /// Who owns what others upload: BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter.
    #[arg(long, value_name = "WHO")]
    object_ownership: Option<String>,
}

pub(super) async fn create(client: &Client, args: CreateArgs, format: Format) -> Outcome {
    let CreateArgs { bucket, object_lock, versioning, location, acl, object_ownership } = args;
    let create = CreateBucket {
        bucket: bucket.clone(),
        object_lock,
        location,
        acl,
        ownership: object_ownership,
        ..CreateBucket::default()
    };
    client.send(&create).await.map_err(|error| match error.code() {
        "IllegalLocationConstraintException" => {
            let message = format!("{error}. Say where the bucket shall be with --location REGION.");
            Failure::from(error).said(message)
        }
        _ => error.into(),
    })?;
    if versioning {
        let document = Versioning::of(VersioningStatus::Enabled);
        client.send(&PutSetting { bucket: bucket.clone(), document }).await?;
    }
    done(format, json!({ "bucket": bucket, "created": true }))
}

/// Remove an empty bucket, or with --force one that is not.
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfs bucket remove old-photos --force")]
pub struct RemoveArgs {
    /// The bucket.
    #[arg(value_name = "BUCKET")]
    bucket: String,
    /// Delete all that is in it first, for good: every object, every version, every unfinished upload.
    #[arg(long)]
    force: bool,
    /// With --force: do not ask.
    #[arg(long, requires = "force")]
    yes: bool,
    /// With --force: override GOVERNANCE retention (needs the permission).
    #[arg(long, requires = "force")]
    bypass_governance: bool,
}

pub(super) async fn remove(client: &Client, args: RemoveArgs, format: Format) -> Outcome {
    let bucket = args.bucket;
    if args.force {
        // Nobody is asked about a bucket that is not there.
        client.send(&HeadBucket { bucket: bucket.clone() }).await?;
        let (name, yes) = (bucket.clone(), args.yes);
        let asked = runtime::blocking(move || confirm(&name, yes));
        client.unless_stopped(async { Ok(asked.await) }).await???;
        empty(client, &bucket, args.bypass_governance, format).await?;
        abort_all(client, &bucket).await?;
    }
    client.send(&DeleteBucket { bucket: bucket.clone() }).await.map_err(|error| match error.kind() {
        ErrorKind::BucketNotEmpty => {
            let message = format!("{error}. Old versions count too; --force deletes all that is in it.");
            Failure::from(error).said(message)
        }
        _ => error.into(),
    })?;
    done(format, json!({ "bucket": bucket, "removed": true }))
}

fn confirm(bucket: &str, yes: bool) -> Outcome {
    let shown = terminal::printable(bucket);
    let question = format_args!("All that is in {shown} will be gone for good. Type its name to go on:");
    match yes.then_some(true).or_else(|| terminal::confirmed(question, bucket)) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::refused("Nothing was deleted.")),
        None => Err(Failure::usage("There is nobody to ask: say --yes to delete all that is in the bucket.")),
    }
}

async fn abort_all(client: &Client, bucket: &str) -> Outcome {
    let list = ListMultipartUploads { bucket: bucket.to_owned(), ..ListMultipartUploads::default() };
    let mut unfinished = pin!(pages::uploads(client, list));
    while let Some(upload) = unfinished.try_next().await? {
        uploads::end(client, bucket, &upload).await?;
    }
    Ok(())
}

/// That it was done is what people asked for; JSON says it.
fn done(format: Format, said: serde_json::Value) -> Outcome {
    match format {
        Format::Json => terminal::data(said),
        Format::Text => Ok(()),
    }
}
