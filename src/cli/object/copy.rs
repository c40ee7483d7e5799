//! `holdfs object cp` and `mv`: copies on the server, of one object or of all below a prefix.

use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt};

use super::Target;
use crate::cli::terminal::note;
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{DeleteObject, ListObjectsV2};
use crate::s3::transfer::pages::{self, Listed};
use crate::s3::transfer::{self, CopyRequest, Tuning};
use crate::s3::{Client, ObjectRef, Result};

/// What happens to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    /// It goes once its copy is there.
    Remove,
}

/// Objects that are copied at once.
const PARALLEL: usize = 8;

pub(super) async fn one(client: &Client, from: &Target, to: Target, after: After) -> Outcome {
    let to = named(from, to)?;
    if (&from.bucket, &from.key) == (&to.bucket, &to.key)
        && (after == After::Remove || from.version.is_none())
    {
        return Err(Failure::usage("Source and destination are the same object."));
    }
    let object = from.head(client, false).await?.object_ref(&from.key)?;
    Ok(Copying { client, from: &from.bucket, to: &to.bucket, after }.copy(object, to.key).await?)
}

/// A destination that ends with `/`, or is a bucket alone, takes the source's last part.
fn named(from: &Target, to: Target) -> Outcome<Target> {
    if !to.key.is_empty() && !to.key.ends_with('/') {
        return Ok(to);
    }
    match from.file_name() {
        "" => Err(Failure::usage("The source ends with a slash: say the whole key of the destination.")),
        name => Ok(Target { key: format!("{}{name}", to.key), ..to }),
    }
}

/// Every key that begins with the source's goes under the destination's, in the source's stead.
pub(super) async fn all(client: &Client, from: Target, to: Target, after: After) -> Outcome {
    if from.bucket == to.bucket && to.key.starts_with(&from.key) {
        return Err(Failure::usage("The destination lies below the source: it would be copied into itself."));
    }
    let copying = Copying { client, from: &from.bucket, to: &to.bucket, after };
    let list =
        ListObjectsV2 { bucket: from.bucket.clone(), prefix: from.key.clone(), ..ListObjectsV2::default() };
    let objects = pin!(pages::objects(client, list).try_filter_map(async |listed| Ok(object(listed))));
    let mut copies = pin!(
        objects
            .map(|object| async {
                let object = object?;
                let name = object.key.strip_prefix(&*from.key).unwrap_or(&object.key);
                let key = format!("{}{name}", to.key);
                Ok::<_, crate::s3::Error>(
                    copying.copy(object.clone(), key).await.map_err(|error| error.to_string()),
                )
            })
            .buffer_unordered(PARALLEL)
    );
    let mut failed = 0;
    while let Some(copied) = copies.next().await {
        if let Err(error) = copied? {
            note(format_args!("holdfs: {error}"));
            failed += 1;
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::refused(format!("{failed} of the objects were not copied."))),
    }
}

fn object(listed: Listed) -> Option<ObjectRef> {
    match listed {
        Listed::Object(object) => Some(ObjectRef {
            key: object.key.into(),
            etag: object.etag,
            last_modified: object.last_modified,
            version: None,
            size: object.size,
        }),
        Listed::Prefix(_) => None,
    }
}

struct Copying<'a> {
    client: &'a Client,
    from: &'a str,
    to: &'a str,
    after: After,
}

impl Copying<'_> {
    /// The source goes only once its copy is there.
    async fn copy(&self, object: ObjectRef, key: String) -> Result<()> {
        let request = CopyRequest {
            source_bucket: self.from.to_owned(),
            bucket: self.to.to_owned(),
            key,
            ..CopyRequest::default()
        };
        transfer::copy_object(self.client, &Tuning::default(), &object, &request).await?;
        if self.after == After::Remove {
            let delete = DeleteObject {
                bucket: self.from.to_owned(),
                key: object.key.to_string(),
                ..DeleteObject::default()
            };
            self.client.send(&delete).await?;
        }
        Ok(())
    }
}
