//! The objects below a prefix that a command with `--recursive` is about.

use futures_util::{Stream, StreamExt, TryStreamExt};

use super::Target;
use super::many::Many;
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{ListObjectVersions, ListObjectsV2, ListedVersion};
use crate::s3::transfer::pages::{self, Listed, ListedAny};
use crate::s3::{Client, ObjectRef};

pub(super) fn objects<'a>(
    client: &Client,
    from: &'a Target,
    many: &'a Many,
) -> impl Stream<Item = Outcome<ObjectRef>> + use<'a> {
    let list =
        ListObjectsV2 { bucket: from.bucket.clone(), prefix: from.key.clone(), ..ListObjectsV2::default() };
    let listed = pages::objects(client, list).map_err(Failure::from);
    listed
        .try_filter_map(async |listed| {
            Ok(match listed {
                Listed::Object(object) if many.takes(&from.key, &object.key) => Some(ObjectRef {
                    key: object.key.into(),
                    etag: object.etag,
                    last_modified: object.last_modified,
                    version: None,
                    size: object.size,
                }),
                _ => None,
            })
        })
        .boxed_local()
}

/// With every version and delete marker.
pub(super) fn versions<'a>(
    client: &Client,
    from: &'a Target,
    many: &'a Many,
) -> impl Stream<Item = Outcome<ListedVersion>> + use<'a> {
    let list = ListObjectVersions {
        bucket: from.bucket.clone(),
        prefix: from.key.clone(),
        ..ListObjectVersions::default()
    };
    let listed = pages::versions(client, list).map_err(Failure::from);
    listed
        .try_filter_map(async |listed| {
            Ok(match listed {
                ListedAny::Version(version) if many.takes(&from.key, &version.key) => Some(version),
                _ => None,
            })
        })
        .boxed_local()
}
