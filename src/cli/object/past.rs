//! `holdfs object versions`, `revert` and `undelete`: what an object was, and making it that again.

use std::pin::pin;

use futures_util::TryStreamExt;

use super::{Format, Target, ls};
use crate::cli::terminal::note;
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{DeleteObject, ListObjectVersions, ListedVersion};
use crate::s3::transfer::pages::{self, ListedAny};
use crate::s3::transfer::{self, CopyRequest, Tuning};
use crate::s3::{Client, VersionId};

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

pub(super) async fn list(client: &Client, target: &Target, format: Format) -> Outcome {
    let versions = of_key(client, target).await?;
    if versions.is_empty() {
        return Err(Failure::refused(format!("The bucket {} has no version of this key.", target.bucket)));
    }
    ls::show_versions(&versions, format)
}

/// A copy of the version becomes the current one; nothing is lost.
pub(super) async fn revert(client: &Client, target: &Target) -> Outcome {
    let object = target.head(client, false).await?.object_ref(&target.key)?;
    let request = CopyRequest {
        source_bucket: target.bucket.clone(),
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        ..CopyRequest::default()
    };
    transfer::copy_object(client, &Tuning::default(), &object, &request).await?;
    Ok(())
}

/// Takes the delete markers away that hide the newest version.
pub(super) async fn undelete(client: &Client, target: &Target) -> Outcome {
    let versions = of_key(client, target).await?;
    let markers: Vec<VersionId> = versions
        .iter()
        .take_while(|version| version.object.is_none())
        .map(|version| version.version.clone())
        .collect();
    if markers.len() == versions.len() {
        return Err(Failure::refused("The store has no version of it to bring back."));
    }
    if markers.is_empty() {
        note("It is not deleted.");
    }
    for version in markers {
        let delete = DeleteObject {
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            version: Some(version),
            ..DeleteObject::default()
        };
        client.send(&delete).await?;
    }
    Ok(())
}
