//! `holdfs bucket`: ls, create, remove, and what is set on a bucket.

mod settings;
mod uploads;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::{Args, Subcommand};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::base::timestamp;
use crate::cli::terminal::{Answer, Reader};
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::ops::{Bucket, CreateBucket, DeleteBucket, ListBuckets, ListMultipartUploads};
use crate::s3::settings::{PutSetting, Versioning, VersioningStatus};
use crate::s3::transfer::pages;
use crate::s3::vendor::minio::ListenNotification;

use settings::Which;

#[derive(Args, Debug)]
pub struct BucketArgs {
    #[command(subcommand)]
    pub command: BucketCommand,
}

#[derive(Subcommand, Debug)]
pub enum BucketCommand {
    /// List the buckets, one a line.
    Ls {
        /// Only names that start so.
        #[arg(long)]
        prefix: Option<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Create a bucket.
    Create {
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
    },
    /// Remove an empty bucket.
    Remove {
        #[arg(value_name = "BUCKET")]
        bucket: String,
    },
    /// Show a configuration document of a bucket, as the store has it.
    Get {
        #[arg(value_name = "BUCKET")]
        bucket: String,
        #[arg(value_name = "SETTING", value_parser = settings::names())]
        setting: String,
        /// Which of several (analytics, intelligent-tiering, inventory, metrics) [default: list their ids].
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// In JSON, with the names of the XML; a policy as a JSON string.
        #[arg(long)]
        json: bool,
    },
    /// Set a configuration document of a bucket, from XML or JSON.
    Set {
        #[arg(value_name = "BUCKET")]
        bucket: String,
        #[arg(value_name = "SETTING", value_parser = settings::names())]
        setting: String,
        /// `-` is standard input.
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// The id that the document must have, where there are several.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Take back a configuration document of a bucket.
    Unset {
        #[arg(value_name = "BUCKET")]
        bucket: String,
        #[arg(value_name = "SETTING", value_parser = settings::names())]
        setting: String,
        /// Which of several.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// List the uploads that were begun and not completed: time, id and key.
    Uploads {
        #[arg(value_name = "BUCKET")]
        bucket: String,
        /// Only of keys that start so.
        #[arg(long, default_value = "")]
        prefix: String,
        /// Abort them: what they have sent is lost.
        #[arg(long)]
        abort: bool,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show what happens in a bucket as it happens, until interrupted (MinIO only).
    Watch {
        #[arg(value_name = "BUCKET")]
        bucket: String,
        /// Only keys that start so.
        #[arg(long, default_value = "")]
        prefix: String,
        /// Only keys that end so.
        #[arg(long, default_value = "")]
        suffix: String,
        /// Such as s3:ObjectCreated:* [default: created, removed, accessed].
        #[arg(long, value_name = "EVENT")]
        event: Vec<String>,
        /// One JSON object a line, as the store sends it.
        #[arg(long)]
        json: bool,
    },
}

/// All these answers are small and come at once, or not at all.
const FIRST_ANSWER: Duration = Duration::from_secs(7);

pub async fn run(args: BucketArgs, client: &Client) -> Outcome {
    let client = &client.with_deadline(FIRST_ANSWER);
    match args.command {
        BucketCommand::Ls { prefix, json } => ls(client, prefix, json).await,
        BucketCommand::Create { bucket, object_lock, versioning, location } => {
            create(
                client,
                CreateBucket { bucket, object_lock, location, ..CreateBucket::default() },
                versioning,
            )
            .await
        }
        BucketCommand::Remove { bucket } => Ok(client.send(&DeleteBucket { bucket }).await?),
        BucketCommand::Get { bucket, setting, id, json } => {
            settings::get(client, Which { bucket, setting, id }, json).await
        }
        BucketCommand::Set { bucket, setting, file, id } => {
            settings::set(client, Which { bucket, setting, id }, &file).await
        }
        BucketCommand::Unset { bucket, setting, id } => {
            settings::unset(client, Which { bucket, setting, id }).await
        }
        BucketCommand::Uploads { bucket, prefix, abort, json } => {
            let list = ListMultipartUploads { bucket, prefix, ..ListMultipartUploads::default() };
            uploads::uploads(client, list, abort, json).await
        }
        BucketCommand::Watch { bucket, prefix, suffix, event, json } => {
            let listen = ListenNotification { bucket: Some(bucket), prefix, suffix, events: event };
            uploads::watch(client, listen, json).await
        }
    }
}

async fn ls(client: &Client, prefix: Option<String>, json: bool) -> Outcome {
    let mut buckets =
        pin!(pages::buckets(client, ListBuckets { prefix: prefix.clone(), ..ListBuckets::default() }));
    let mut answer = Answer::to_stdout();
    while let Some(bucket) = buckets.try_next().await? {
        // Most stores do not know the parameter and list all.
        if !bucket.name.starts_with(prefix.as_deref().unwrap_or_default()) {
            continue;
        }
        let line = if json { described(&bucket).to_string() } else { answer.name(&bucket.name).into_owned() };
        if answer.line(line)? == Reader::Left {
            return Ok(());
        }
    }
    answer.finish()
}

fn described(bucket: &Bucket) -> Value {
    json!({ "name": bucket.name, "created": bucket.created.map(timestamp::rfc3339), "region": bucket.region })
}

async fn create(client: &Client, bucket: CreateBucket, versioning: bool) -> Outcome {
    client.send(&bucket).await.map_err(|error| match error.code() {
        "IllegalLocationConstraintException" => {
            Failure::refused(format!("{error}. Say where the bucket shall be with --location REGION."))
        }
        _ => error.into(),
    })?;
    if versioning {
        let document = Versioning::of(VersioningStatus::Enabled);
        client.send(&PutSetting { bucket: bucket.bucket, document }).await?;
    }
    Ok(())
}
