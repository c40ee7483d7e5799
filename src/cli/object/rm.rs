//! `holdfs object rm`: one object, or every key that begins so.

use std::pin::pin;

use futures_util::{Stream, StreamExt, TryStreamExt};

use super::Target;
use crate::cli::terminal::{note, printable};
use crate::cli::{Exit, Failure, Outcome};
use crate::s3::ops::{DeleteFailure, DeleteObject, DeleteObjects, ListObjectVersions, ListObjectsV2};
use crate::s3::transfer::pages::{self, Listed, ListedAny};
use crate::s3::{Client, Result, VersionId};

pub(super) async fn one(client: &Client, target: &Target, bypass_governance: bool) -> Outcome {
    let Target { bucket, key, version } = target.clone();
    let named = version.is_some();
    let deleted =
        client.send(&DeleteObject { bucket, key, version, if_match: None, bypass_governance }).await?;
    if let (true, false, Some(marker)) = (deleted.delete_marker, named, deleted.version) {
        note(format_args!(
            "A delete marker hides it now; its versions are still there ({}).",
            printable(&marker.0)
        ));
    }
    Ok(())
}

type Doomed = (String, Option<VersionId>);

/// With `versions`, every version and delete marker for good.
pub(super) async fn all(client: &Client, target: Target, versions: bool, bypass_governance: bool) -> Outcome {
    let purge = Purge { client, bucket: target.bucket.clone(), bypass_governance };
    let failed = if versions {
        let list =
            ListObjectVersions { bucket: target.bucket, prefix: target.key, ..ListObjectVersions::default() };
        purge.run(pages::versions(client, list).try_filter_map(async |listed| Ok(version(listed)))).await?
    } else {
        let list = ListObjectsV2 { bucket: target.bucket, prefix: target.key, ..ListObjectsV2::default() };
        purge.run(pages::objects(client, list).try_filter_map(async |listed| Ok(object(listed)))).await?
    };
    match failed {
        0 => Ok(()),
        failed => Err(Failure::refused(format!("{failed} of the keys were not deleted."))),
    }
}

fn object(listed: Listed) -> Option<Doomed> {
    match listed {
        Listed::Object(object) => Some((object.key, None)),
        Listed::Prefix(_) => None,
    }
}

fn version(listed: ListedAny) -> Option<Doomed> {
    match listed {
        ListedAny::Version(version) => Some((version.key, Some(version.version))),
        ListedAny::Prefix(_) => None,
    }
}

struct Purge<'a> {
    client: &'a Client,
    bucket: String,
    bypass_governance: bool,
}

impl Purge<'_> {
    /// How many could not be deleted; each was told.
    async fn run(&self, doomed: impl Stream<Item = Result<Doomed>>) -> Outcome<usize> {
        let mut batches = pin!(doomed.try_chunks(self.client.limits().delete_keys_max));
        let mut failed = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| error.1)?;
            // XML cannot carry some keys: these go one by one.
            let (together, alone): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|(key, _)| DeleteObjects::carries(key));
            failed += self.together(together).await?;
            for doomed in alone {
                failed += self.alone(doomed).await?;
            }
        }
        Ok(failed)
    }

    async fn together(&self, keys: Vec<Doomed>) -> Outcome<usize> {
        if keys.is_empty() {
            return Ok(0);
        }
        let delete =
            DeleteObjects { bucket: self.bucket.clone(), keys, bypass_governance: self.bypass_governance };
        let failed = self.client.send(&delete).await?.failed;
        failed.iter().for_each(tell);
        Ok(failed.len())
    }

    async fn alone(&self, (key, version): Doomed) -> Outcome<usize> {
        let (bucket, bypass_governance) = (self.bucket.clone(), self.bypass_governance);
        let delete = DeleteObject { bucket, key, version, if_match: None, bypass_governance };
        match self.client.send(&delete).await {
            Ok(_) => Ok(0),
            Err(error) if Failure::from(error.clone()).exit == Exit::Environment => Err(error.into()),
            Err(error) => {
                note(format_args!("holdfs: {error}"));
                Ok(1)
            }
        }
    }
}

fn tell(failure: &DeleteFailure) {
    let DeleteFailure { key, code, message, .. } = failure;
    note(format_args!("holdfs: {}: {}: {}", printable(key), printable(code), printable(message)));
}
