//! `holdfs bucket uploads` and `watch`: what is on its way into a bucket, and what happens in it.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::base::timestamp;
use crate::cli::terminal::{Answer, Reader, stream};
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{AbortMultipartUpload, ListMultipartUploads, Upload};
use crate::s3::transfer::pages;
use crate::s3::vendor::minio::{EventRecord, ListenNotification};
use crate::s3::{Client, ErrorKind};

/// How long to wait before listening again to a store that has hung up.
const HUNG_UP: Duration = Duration::from_secs(1);

/// Uploads that were begun and neither completed nor aborted; with `abort` they are.
pub(super) async fn uploads(client: &Client, list: ListMultipartUploads, abort: bool, json: bool) -> Outcome {
    let bucket = list.bucket.clone();
    let mut uploads = pin!(pages::uploads(client, list));
    let mut answer = Answer::to_stdout();
    while let Some(upload) = uploads.try_next().await? {
        let line = if json { described(&upload).to_string() } else { line(&answer, &upload) };
        if answer.line(line)? == Reader::Left {
            return Ok(());
        }
        if abort {
            end(client, &bucket, upload).await?;
        }
    }
    answer.finish()
}

async fn end(client: &Client, bucket: &str, upload: Upload) -> Outcome {
    let abort =
        AbortMultipartUpload { bucket: bucket.to_owned(), key: upload.key, upload_id: upload.upload_id };
    match client.send(&abort).await {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::NoSuchUpload => Ok(()),
        aborted => Ok(aborted?),
    }
}

fn described(upload: &Upload) -> Value {
    json!({
        "key": upload.key,
        "upload_id": upload.upload_id,
        "initiated": upload.initiated.map(timestamp::rfc3339),
    })
}

fn line(answer: &Answer, upload: &Upload) -> String {
    let initiated = upload.initiated.map_or_else(|| "-".to_owned(), timestamp::rfc3339);
    format!("{initiated} {} {}", answer.name(&upload.upload_id), answer.name(&upload.key))
}

/// Events as they come, until somebody interrupts. Only stores that are MinIO's can.
pub(super) async fn watch(client: &Client, listen: ListenNotification, json: bool) -> Outcome {
    loop {
        let mut events = client.send(&listen).await.map_err(|error| match error.kind() {
            ErrorKind::Unsupported | ErrorKind::MethodNotAllowed => {
                Failure::refused(format!("This store cannot tell what happens in it: {error}"))
            }
            // Other stores take the request for a listing.
            _ => error.into(),
        })?;
        while let Some(event) = events.next().await? {
            if show(&event, json)? == Reader::Left {
                return Ok(());
            }
        }
        tokio::time::sleep(HUNG_UP).await;
    }
}

fn show(event: &EventRecord, json: bool) -> Outcome<Reader> {
    if json {
        return stream(format!("{}\n", event.raw).as_bytes());
    }
    let time = event.time.map_or_else(|| "-".to_owned(), timestamp::rfc3339);
    let answer = Answer::to_stdout();
    stream(format!("{time} {} {}\n", answer.name(&event.name), answer.name(&event.key)).as_bytes())
}
