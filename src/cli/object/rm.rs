//! `holdfs object rm`: one object, or every key that begins so.

use clap::Args;
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::batch::{Batch, Done, Report, Said, Verb};
use super::many::{Many, ORDER, Which};
use super::{Format, Target, listing, reach};
use crate::cli::terminal::{note, printable};
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{DeleteFailure, DeleteObject, DeleteObjects};
use crate::s3::{Client, ETag, VersionId};

/// Delete an object, or with --recursive every key that begins so.
#[derive(Args, Debug)]
#[command(after_help = format!("\
On a bucket with versions a delete marker hides an object whose versions stay; --version-id, or --versions with \
--recursive, deletes for good.\n\n{ORDER}\n\n\
Example: holdfs object rm logs/2025/ --recursive --exclude '*/keep/*' --dry-run"))]
pub struct RmArgs {
    #[command(flatten)]
    which: Which,
    /// With --recursive: every version and delete marker, for good.
    #[arg(long, requires = "recursive")]
    versions: bool,
    /// Override GOVERNANCE retention (needs the permission).
    #[arg(long)]
    bypass_governance: bool,
    /// Only if the object has this ETag. Some stores delete it all the same.
    #[arg(long, value_name = "ETAG", conflicts_with = "recursive")]
    if_match: Option<String>,
}

pub(super) async fn run(client: &Client, args: &RmArgs, format: Format) -> Outcome {
    let target = reach::reached(client, args.which.target()?).await?;
    if args.which.many.recursive {
        return all(client, args, target, format).await;
    }
    if let Some(etag) = &args.if_match {
        // MinIO and Ceph ignore the header: whoever asks for the condition shall have it looked at.
        let found = target.head(client, false).await?.etag;
        if found != Some(ETag::parse(etag)) {
            return Err(Failure::refused(format!("{target} has another ETag and was left as it is.")));
        }
    }
    one(client, args, &target, format).await
}

async fn one(client: &Client, args: &RmArgs, target: &Target, format: Format) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let if_match = args.if_match.as_deref().map(ETag::parse);
    let delete = DeleteObject { bucket, key, version, if_match, bypass_governance: args.bypass_governance };
    let deleted = client.send(&delete).await?;
    if let (Format::Text, true, None, Some(marker)) =
        (format, deleted.delete_marker, &target.version, &deleted.version)
    {
        note(format_args!(
            "A delete marker hides it now; its versions are still there ({}).",
            printable(&marker.0)
        ));
    }
    let mut fields = target.fields();
    fields.insert("delete_marker".to_owned(), deleted.delete_marker.into());
    fields.insert("version_id".to_owned(), json!(deleted.version.map(|version| version.0.to_string())));
    Said::done(fields.into()).write(format)
}

type Doomed = (String, Option<VersionId>);

/// With `versions`, every version and delete marker for good.
async fn all(client: &Client, args: &RmArgs, target: Target, format: Format) -> Outcome {
    let many = &args.which.many;
    let purge = Purge {
        client,
        bucket: &target.bucket,
        bypass_governance: args.bypass_governance,
        dry_run: many.dry_run,
    };
    let doomed = if args.versions {
        listing::versions(client, &target, many)
            .map_ok(|listed| (listed.key, Some(listed.version)))
            .boxed_local()
    } else {
        listing::objects(client, &target, many).map_ok(|listed| (listed.key.to_string(), None)).boxed_local()
    };
    purge.run(doomed, many, format).await
}

/// Deletes whatever a bucket holds, with all versions.
pub(in crate::cli) async fn empty(
    client: &Client,
    bucket: &str,
    bypass_governance: bool,
    format: Format,
) -> Outcome {
    let many = Many::all();
    let target = Target::parse(bucket)?;
    let purge = Purge { client, bucket, bypass_governance, dry_run: false };
    let doomed =
        listing::versions(client, &target, &many).map_ok(|listed| (listed.key, Some(listed.version)));
    purge.run(doomed, &many, format).await
}

struct Purge<'a> {
    client: &'a Client,
    bucket: &'a str,
    bypass_governance: bool,
    dry_run: bool,
}

impl Purge<'_> {
    async fn run(&self, doomed: impl Stream<Item = Outcome<Doomed>>, many: &Many, format: Format) -> Outcome {
        let batch = Batch::new(self.client, many, format, Verb("deleted"));
        batch
            .run(batches(doomed, self.client.limits().delete_keys_max), async |doomed| {
                self.delete(doomed).await
            })
            .await
    }

    async fn delete(&self, doomed: Vec<Doomed>) -> Vec<Report> {
        if self.dry_run {
            let would = |(key, version): &Doomed| {
                let line = format!("delete {}/{key}{}", self.bucket, in_version(version.as_ref()));
                Said::would(self.fields(key, version.as_ref()), line)
            };
            let report = |doomed: Doomed| Report { outcome: Ok(Done::Did(would(&doomed))), about: doomed.0 };
            return doomed.into_iter().map(report).collect();
        }
        // XML cannot carry some keys: these go one by one.
        let (together, alone): (Vec<_>, Vec<_>) =
            doomed.into_iter().partition(|(key, _)| DeleteObjects::carries(key));
        let mut reports = self.together(together).await;
        for doomed in alone {
            reports.push(self.alone(doomed).await);
        }
        reports
    }

    async fn together(&self, keys: Vec<Doomed>) -> Vec<Report> {
        if keys.is_empty() {
            return Vec::new();
        }
        let delete = DeleteObjects {
            bucket: self.bucket.to_owned(),
            keys: keys.clone(),
            bypass_governance: self.bypass_governance,
            ..DeleteObjects::default()
        };
        let failed = match self.client.send(&delete).await {
            Ok(deleted) => deleted.failed,
            Err(error) => {
                let report = |(key, _)| Report { about: key, outcome: Err(Failure::from(error.clone())) };
                return keys.into_iter().map(report).collect();
            }
        };
        let failures: std::collections::HashMap<_, _> = failed
            .iter()
            .map(|failure| ((failure.key.as_str(), failure.version.as_ref()), failure))
            .collect();
        let report = |(key, version): &Doomed| {
            let by_version = failures.get(&(key.as_str(), version.as_ref()));
            let outcome = match by_version.or_else(|| failures.get(&(key.as_str(), None))) {
                Some(failure) => Err(refusal(failure)),
                None => Ok(Done::Did(Said::done(self.fields(key, version.as_ref())))),
            };
            Report { about: key.clone(), outcome }
        };
        keys.iter().map(report).collect()
    }

    async fn alone(&self, (key, version): Doomed) -> Report {
        let (bucket, bypass_governance) = (self.bucket.to_owned(), self.bypass_governance);
        let fields = self.fields(&key, version.as_ref());
        let delete = DeleteObject { bucket, key, version, if_match: None, bypass_governance };
        let deleted = self.client.send(&delete).await;
        Report {
            about: delete.key,
            outcome: deleted.map(|_| Done::Did(Said::done(fields))).map_err(Failure::from),
        }
    }

    fn fields(&self, key: &str, version: Option<&VersionId>) -> Value {
        json!({ "bucket": self.bucket, "key": key, "version_id": version.map(|version| &*version.0) })
    }
}

fn in_version(version: Option<&VersionId>) -> String {
    version.map(|version| format!(" in version {}", version.0)).unwrap_or_default()
}

/// As many at once as one request takes; an error comes after those that were found before it.
fn batches(
    doomed: impl Stream<Item = Outcome<Doomed>>,
    size: usize,
) -> impl Stream<Item = Outcome<Vec<Doomed>>> {
    doomed.try_ready_chunks(size).flat_map(|batch| {
        let parts = match batch {
            Ok(batch) => vec![Ok(batch)],
            Err(futures_util::stream::TryReadyChunksError(found, failure)) => vec![Ok(found), Err(failure)],
        };
        futures_util::stream::iter(parts)
    })
}

fn refusal(failure: &DeleteFailure) -> Failure {
    let DeleteFailure { code, message, .. } = failure;
    Failure::refused(format!("{}: {}", printable(code), printable(message)))
}
