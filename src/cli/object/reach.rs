//! The first word with a store: whether it can be reached, and what people can do if not.

use std::time::Duration;

use super::Target;
use crate::cli::{Exit, Failure, Outcome};
use crate::mount;
use crate::s3::ops::ListObjectsV2;
use crate::s3::{Client, ErrorKind};

/// Later requests may wait longer: a store that has answered once is only slow.
const FIRST_ANSWER: Duration = Duration::from_secs(7);

/// The target, whose store and bucket are there. Who may not list may still do what was asked for.
pub(super) async fn reached(client: &Client, target: Target) -> Outcome<Target> {
    let list = ListObjectsV2 {
        bucket: target.bucket.clone(),
        prefix: target.key.clone(),
        max_keys: Some(1),
        ..ListObjectsV2::default()
    };
    match client.with_deadline(FIRST_ANSWER).send(&list).await {
        Ok(_) => Ok(target),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(target),
        Err(error) => {
            let failure = Failure::from(error.clone());
            if failure.exit != Exit::Environment {
                return Err(failure);
            }
            let why = mount::explain(&error, client.endpoint(), &target.bucket, None);
            Err(failure.said(why.to_string()))
        }
    }
}
