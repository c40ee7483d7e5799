//! `holdfs bucket`: ls, create, remove, and what is set on a bucket.

mod documents;
mod info;
mod make;
mod settings;
mod uploads;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::{Args, Subcommand};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::runtime::Interrupt;
use crate::base::timestamp;
use crate::cli::Outcome;
use crate::cli::object::Format;
use crate::cli::terminal::{Answer, Reader};
use crate::config::Options;
use crate::s3::Client;
use crate::s3::ops::{Bucket, ListBuckets};
use crate::s3::transfer::pages;

use settings::Which;

#[derive(Args, Debug)]
pub struct BucketArgs {
    #[command(subcommand)]
    pub command: BucketCommand,
    /// Answers and errors in JSON: one document, or one a line where there are many.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
pub enum BucketCommand {
    /// List the buckets, one a line.
    #[command(after_help = "Example: holdfs bucket ls --prefix photos-")]
    Ls {
        /// Only names that start so.
        #[arg(long)]
        prefix: Option<String>,
    },
    Create(make::CreateArgs),
    #[command(visible_alias = "rm")]
    Remove(make::RemoveArgs),
    /// Show where a bucket is and all that is set on it.
    #[command(after_help = "Example: holdfs bucket info photos")]
    Info {
        /// The bucket.
        #[arg(value_name = "BUCKET")]
        bucket: String,
    },
    /// Show a configuration document of a bucket, as the store has it; with --json in JSON, with the names of the XML.
    #[command(after_help = "\
A policy is a JSON string with --json.\n\nExample: holdfs bucket get photos lifecycle")]
    Get {
        /// The bucket.
        #[arg(value_name = "BUCKET")]
        bucket: String,
        /// Which document.
        #[arg(value_name = "SETTING", value_parser = settings::names())]
        setting: String,
        /// Which of several (analytics, intelligent-tiering, inventory, metrics) [default: list their ids].
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Set a configuration document of a bucket, from XML or JSON.
    #[command(after_help = "\
Examples:\n  holdfs bucket set photos versioning <<<'{\"Status\": \"Enabled\"}'\n  \
holdfs bucket set photos lifecycle rules.xml")]
    Set {
        /// The bucket.
        #[arg(value_name = "BUCKET")]
        bucket: String,
        /// Which document.
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
    #[command(after_help = "Example: holdfs bucket unset photos lifecycle")]
    Unset {
        /// The bucket.
        #[arg(value_name = "BUCKET")]
        bucket: String,
        /// Which document.
        #[arg(value_name = "SETTING", value_parser = settings::names())]
        setting: String,
        /// Which of several.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    Uploads(uploads::UploadsArgs),
    Watch(uploads::WatchArgs),
}

/// All these answers are small and come at once, or not at all.
const FIRST_ANSWER: Duration = Duration::from_secs(7);

pub async fn run(args: BucketArgs, options: &Options, interrupt: &Interrupt) -> Outcome {
    let format = Format::of(args.json);
    let client = &super::options::client(options)?;
    let quick = &client.with_deadline(FIRST_ANSWER);
    match args.command {
        BucketCommand::Ls { prefix } => ls(quick, prefix, format).await,
        BucketCommand::Create(args) => make::create(quick, args, format).await,
        BucketCommand::Remove(args) => {
            make::remove(&client.stopped_by(interrupt.tidied()), args, format).await
        }
        BucketCommand::Info { bucket } => info::run(quick, &bucket, format).await,
        BucketCommand::Get { bucket, setting, id } => {
            settings::get(quick, Which { bucket, setting, id }, format).await
        }
        BucketCommand::Set { bucket, setting, file, id } => {
            settings::set(quick, Which { bucket, setting, id }, &file, format).await
        }
        BucketCommand::Unset { bucket, setting, id } => {
            settings::unset(quick, Which { bucket, setting, id }, format).await
        }
        BucketCommand::Uploads(args) => uploads::uploads(quick, args, format).await,
        BucketCommand::Watch(args) => {
            uploads::watch(&quick.stopped_by(interrupt.tidied()), args, format).await
        }
    }
}

async fn ls(client: &Client, prefix: Option<String>, format: Format) -> Outcome {
    let mut buckets =
        pin!(pages::buckets(client, ListBuckets { prefix: prefix.clone(), ..ListBuckets::default() }));
    let mut answer = Answer::to_stdout();
    while let Some(bucket) = buckets.try_next().await? {
        // Most stores do not know the parameter and list all.
        if !bucket.name.starts_with(prefix.as_deref().unwrap_or_default()) {
            continue;
        }
        let line = match format {
            Format::Json => described(&bucket).to_string(),
            Format::Text => answer.name(&bucket.name).into_owned(),
        };
        if answer.line(line)? == Reader::Left {
            return Ok(());
        }
    }
    answer.finish()
}

fn described(bucket: &Bucket) -> Value {
    json!({ "name": bucket.name, "created": bucket.created.map(timestamp::rfc3339), "region": bucket.region })
}
