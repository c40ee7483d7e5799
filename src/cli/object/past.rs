//! `holdfs object versions`, `revert` and `undelete`: what an object was, and making it that again.

use std::pin::{Pin, pin};

use clap::Args;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::batch::{Batch, Done, Report, Said, Verb};
use super::keys::OwnKey;
use super::many::{Many, ORDER};
use super::{Format, Target, listing, ls, reach};
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{DeleteObject, ListObjectVersions, ListedVersion};
use crate::s3::transfer::pages::{self, ListedAny};
use crate::s3::transfer::{self, CopyRequest, Tuning};
use crate::s3::{Client, VersionId};

/// List the versions of an object, the newest first.
#[derive(Args, Debug)]
#[command(after_help = "\
A line is the time, the size in bytes (or DELETED), * for the current version, the id and the key.\n\n\
Example: holdfs object versions papers/a.pdf")]
pub struct VersionsArgs {
    /// The object, which may have been deleted.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
}

/// Make an old version the current one again, by a copy: nothing is lost.
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfs object revert papers/a.pdf 3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY")]
pub struct RevertArgs {
    /// The object.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    /// Which version, as `holdfs object versions` shows it.
    #[arg(value_name = "VERSION-ID", allow_hyphen_values = true)]
    version_id: String,
    #[command(flatten)]
    key: OwnKey,
}

/// Bring a deleted object back by removing its delete marker, or with --recursive all that begin so.
#[derive(Args, Debug)]
#[command(after_help = format!("{ORDER}\n\n\
Examples:\n  holdfs object undelete papers/a.pdf\n  holdfs object undelete papers/ --recursive --dry-run"))]
pub struct UndeleteArgs {
    /// With --recursive, a bucket or a prefix.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    #[command(flatten)]
    many: Many,
}

/// Of one key, the newest first.
async fn of_key(client: &Client, target: &Target) -> Outcome<Vec<ListedVersion>> {
    let list = ListObjectVersions {
        bucket: target.bucket.clone(),
        prefix: target.key.clone(),
        ..ListObjectVersions::default()
    };
    let mut listed = pin!(pages::versions(client, list));
    let mut versions = Vec::new();
    while let Some(entry) = listed.try_next().await? {
        match entry {
            ListedAny::Version(version) if version.key == target.key => versions.push(version),
            // Keys come in order: what follows is another.
            _ => break,
        }
    }
    Ok(versions)
}

pub(super) async fn list(client: &Client, args: &VersionsArgs, format: Format) -> Outcome {
    let target = reach::reached(client, Target::object(&args.target, None)?).await?;
    let versions = of_key(client, &target).await?;
    if versions.is_empty() {
        return Err(Failure::refused(format!("The bucket {} has no version of this key.", target.bucket)));
    }
    ls::show_versions(&versions, format)
}

/// A copy of the version becomes the current one; nothing is lost.
pub(super) async fn revert(client: &Client, args: &RevertArgs, format: Format) -> Outcome {
    let target = Target::object(&args.target, Some(args.version_id.clone()))?;
    let target = reach::reached(client, target).await?;
    let client = &args.key.given_to(client)?.with_one_customer_key();
    let object = target.head(client, false).await?.object_ref(&target.key)?;
    let request = CopyRequest {
        source_bucket: target.bucket.clone(),
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        ..CopyRequest::default()
    };
    let copied = transfer::copy_object(client, &Tuning::default(), &object, &request).await?;
    let mut fields = target.with_key(&*target.key).fields();
    fields.insert("from_version_id".to_owned(), args.version_id.clone().into());
    fields.insert("version_id".to_owned(), json!(copied.version.map(|version| version.0.to_string())));
    Said::done(fields.into()).write(format)
}

pub(super) async fn undelete(client: &Client, args: &UndeleteArgs, format: Format) -> Outcome {
    if args.many.recursive {
        return undelete_all(client, args, format).await;
    }
    let target = reach::reached(client, Target::object(&args.target, None)?).await?;
    let versions = of_key(client, &target).await?;
    let markers = markers_of(&versions);
    if markers.len() == versions.len() {
        return Err(Failure::refused("The store has no version of it to bring back."));
    }
    let said = uncover(client, &target, &markers).await?;
    let line = markers.is_empty().then(|| "It is not deleted.".to_owned());
    Said { lines: line.into_iter().collect(), ..said }.write(format)
}

/// The delete markers that hide the newest version.
fn markers_of(versions: &[ListedVersion]) -> Vec<VersionId> {
    let markers = versions.iter().take_while(|version| version.object.is_none());
    markers.map(|version| version.version.clone()).collect()
}

async fn uncover(client: &Client, target: &Target, markers: &[VersionId]) -> Outcome<Said> {
    for marker in markers {
        let Target { bucket, key, .. } = target.clone();
        client
            .send(&DeleteObject { bucket, key, version: Some(marker.clone()), ..Default::default() })
            .await?;
    }
    let mut fields = target.fields();
    fields.insert("delete_markers_removed".to_owned(), markers.len().into());
    Ok(Said::done(fields.into()))
}

/// Every key below the prefix whose newest version is hidden; one that has no version is left as it is.
async fn undelete_all(client: &Client, args: &UndeleteArgs, format: Format) -> Outcome {
    let prefix = reach::reached(client, Target::parse(&args.target)?).await?;
    let many = &args.many;
    let batch = Batch::new(client, many, format, Verb("brought back"));
    let hidden = by_key(listing::versions(client, &prefix, many)).try_filter(|versions| {
        let markers = markers_of(versions).len();
        std::future::ready(markers > 0 && markers < versions.len())
    });
    batch
        .run(hidden, async |versions| {
            let about = versions.first().map(|version| version.key.clone()).unwrap_or_default();
            let target = prefix.with_key(about.clone());
            let outcome = if many.dry_run {
                Ok(Said::would(
                    target.fields().into(),
                    format!("bring back {}/{}", target.bucket, target.key),
                ))
            } else {
                uncover(client, &target, &markers_of(&versions)).await
            };
            vec![Report { about, outcome: outcome.map(Done::Did) }]
        })
        .await
}

/// The versions of one key after the other, the newest first, up to the first that is no delete marker.
fn by_key(
    versions: impl Stream<Item = Outcome<ListedVersion>> + Unpin,
) -> impl Stream<Item = Outcome<Vec<ListedVersion>>> {
    stream::try_unfold(versions.peekable(), async |mut versions| {
        let Some(first) = versions.try_next().await? else { return Ok(None) };
        let mut group = vec![first];
        let same = |next: &Outcome<ListedVersion>, group: &[ListedVersion]| {
            next.as_ref().is_ok_and(|next| group.first().is_some_and(|first| first.key == next.key))
        };
        while let Some(next) = Pin::new(&mut versions).next_if(|next| same(next, &group)).await {
            if group.last().is_some_and(|last| last.object.is_none()) {
                group.push(next?);
            }
        }
        Ok(Some((group, versions)))
    })
}
