//! `holdfs bucket uploads` and `watch`: what is on its way into a bucket, and what happens in it.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use clap::Args;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::base::timestamp;
use crate::cli::object::Format;
use crate::cli::terminal::{Answer, Reader, stream};
use crate::cli::{Failure, Outcome};
use crate::config;
use crate::s3::ops::{AbortMultipartUpload, ListMultipartUploads, Upload};
use crate::s3::transfer::pages;
use crate::s3::vendor::minio::{EventRecord, ListenNotification};
use crate::s3::{Client, ErrorKind};

/// How long to wait before listening again to a store that has hung up.
const HUNG_UP: Duration = Duration::from_secs(1);

/// List the uploads that were begun and not completed: time, id and key.
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfs bucket uploads photos --older-than 7d --abort")]
pub struct UploadsArgs {
    /// The bucket.
    #[arg(value_name = "BUCKET")]
    bucket: String,
    /// Only of keys that start so.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only those that were begun longer ago than this, such as 12h or 7d.
    #[arg(long, value_name = "TIME", value_parser = config::values::duration)]
    older_than: Option<Duration>,
    /// Abort them: what they have sent is lost.
    #[arg(long)]
    abort: bool,
}

/// Show what happens in a bucket as it happens, until interrupted (MinIO and `holdfs serve` only).
#[derive(Args, Debug)]
#[command(after_help = "\
A line is the time, the event and the key; with --json the event as the store sends it.\n\n\
Example: holdfs bucket watch photos --suffix .jpg --event s3:ObjectCreated:*")]
pub struct WatchArgs {
    /// The bucket.
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
}

/// Uploads that were begun and neither completed nor aborted; with `abort` they are.
pub(super) async fn uploads(client: &Client, args: UploadsArgs, format: Format) -> Outcome {
    let UploadsArgs { bucket, prefix, older_than, abort } = args;
    let list = ListMultipartUploads { bucket: bucket.clone(), prefix, ..ListMultipartUploads::default() };
    let before = older_than.and_then(|age| SystemTime::now().checked_sub(age));
    let mut uploads = pin!(pages::uploads(client, list));
    let mut answer = Answer::to_stdout();
    while let Some(upload) = uploads.try_next().await? {
        // Who does not say when it was begun may have begun it just now.
        if before.is_some_and(|before| upload.initiated.is_none_or(|initiated| initiated > before)) {
            continue;
        }
        if abort {
            end(client, &bucket, &upload).await?;
        }
        let line = match format {
            Format::Json => described(&upload, abort).to_string(),
            Format::Text => line(&answer, &upload),
        };
        if answer.line(line)? == Reader::Left && !abort {
            return Ok(());
        }
    }
    answer.finish()
}

pub(super) async fn end(client: &Client, bucket: &str, upload: &Upload) -> Outcome {
    let (key, upload_id) = (upload.key.clone(), upload.upload_id.clone());
    match client.send(&AbortMultipartUpload { bucket: bucket.to_owned(), key, upload_id }).await {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::NoSuchUpload => Ok(()),
        aborted => Ok(aborted?),
    }
}

fn described(upload: &Upload, aborted: bool) -> Value {
    json!({
        "key": upload.key,
        "upload_id": upload.upload_id,
        "initiated": upload.initiated.map(timestamp::rfc3339),
        "aborted": aborted,
    })
}

fn line(answer: &Answer, upload: &Upload) -> String {
    let initiated = upload.initiated.map_or_else(|| "-".to_owned(), timestamp::rfc3339);
    format!("{initiated} {} {}", answer.name(&upload.upload_id), answer.name(&upload.key))
}

/// Events as they come, until somebody interrupts.
pub(super) async fn watch(client: &Client, args: WatchArgs, format: Format) -> Outcome {
    let WatchArgs { bucket, prefix, suffix, event } = args;
    let listen = ListenNotification { bucket: Some(bucket), prefix, suffix, events: event };
    match client.unless_stopped(async { Ok(follow(client, &listen, format).await) }).await {
        Ok(ended) => ended,
        Err(_interrupted) => Ok(()),
    }
}

async fn follow(client: &Client, listen: &ListenNotification, format: Format) -> Outcome {
    loop {
        let mut events = client.send(listen).await.map_err(|error| match error.kind() {
            ErrorKind::Unsupported | ErrorKind::MethodNotAllowed => {
                let message = format!("This store cannot tell what happens in it: {error}");
                Failure::from(error).said(message)
            }
            // Other stores take the request for a listing.
            _ => error.into(),
        })?;
        while let Some(event) = events.next().await? {
            if show(&event, format)? == Reader::Left {
                return Ok(());
            }
        }
        tokio::time::sleep(HUNG_UP).await;
    }
}

fn show(event: &EventRecord, format: Format) -> Outcome<Reader> {
    if format == Format::Json {
        return stream(format!("{}\n", event.raw).as_bytes());
    }
    let time = event.time.map_or_else(|| "-".to_owned(), timestamp::rfc3339);
    let answer = Answer::to_stdout();
    stream(format!("{time} {} {}\n", answer.name(&event.name), answer.name(&event.key)).as_bytes())
}
