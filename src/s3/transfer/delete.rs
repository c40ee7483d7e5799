//! Deletes of many objects, in batches of as many keys as one request takes.

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use crate::s3::ops::{DeleteFailure, DeleteObject, DeleteObjects};
use crate::s3::{Client, Error, ErrorKind, Result, VersionId};

/// A key, and the version of it that is meant; without one a versioned bucket hides the object behind a delete marker.
pub type Doomed = (String, Option<VersionId>);

/// Deletes what comes, and yields what the store refused to delete, as it is refused. Keys that are not there count
/// as deleted. An error ends it: what has come until then may be deleted or not.
pub fn delete_objects(
    client: &Client,
    bucket: &str,
    doomed: impl Stream<Item = Result<Doomed>> + Send,
    bypass_governance: bool,
) -> impl Stream<Item = Result<DeleteFailure>> + Send {
    let purge = Purge { client: client.clone(), bucket: bucket.to_owned(), bypass_governance };
    doomed
        .try_chunks(client.limits().delete_keys_max.max(1))
        .map_err(|cut| cut.1)
        .and_then(move |batch| {
            let purge = purge.clone();
            async move { purge.batch(batch).await }
        })
        .map_ok(|failures| stream::iter(failures).map(Ok))
        .try_flatten()
}

#[derive(Clone)]
struct Purge {
    client: Client,
    bucket: String,
    bypass_governance: bool,
}

impl Purge {
    /// XML cannot carry some keys: these go one by one.
    async fn batch(&self, batch: Vec<Doomed>) -> Result<Vec<DeleteFailure>> {
        let (together, alone): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|(key, _)| DeleteObjects::carries(key));
        let mut failed = self.together(together).await?;
        for doomed in alone {
            failed.extend(self.alone(doomed).await?);
        }
        Ok(failed)
    }

    async fn together(&self, keys: Vec<Doomed>) -> Result<Vec<DeleteFailure>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (bucket, bypass_governance) = (self.bucket.clone(), self.bypass_governance);
        Ok(self.client.send(&DeleteObjects { bucket, keys, bypass_governance, verbose: false }).await?.failed)
    }

    async fn alone(&self, (key, version): Doomed) -> Result<Option<DeleteFailure>> {
        let (bucket, bypass_governance) = (self.bucket.clone(), self.bypass_governance);
        let delete = DeleteObject { bucket, key, version, if_match: None, bypass_governance };
        match self.client.send(&delete).await {
            Ok(_) => Ok(None),
            Err(error) if is_about_the_key(&error) => Ok(Some(DeleteFailure {
                code: error.code().to_owned(),
                message: error.message().to_owned(),
                key: delete.key,
                version: delete.version,
            })),
            Err(error) => Err(error),
        }
    }
}

/// The next key may fare better.
fn is_about_the_key(error: &Error) -> bool {
    use ErrorKind::{Conflict, Denied, Invalid, KeyTooLong, MethodNotAllowed, PreconditionFailed};
    matches!(error.kind(), Conflict | Denied | Invalid | KeyTooLong | MethodNotAllowed | PreconditionFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::scripted::{Answer, Server};

    #[tokio::test]
    async fn keys_that_no_document_carries_go_alone_and_refusals_are_told() {
        let refused = "<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>\
                       </DeleteResult>";
        let answers = [Answer::document(refused), Answer::error(403, "AccessDenied")];
        let server = Server::answering(answers).await;
        let keys = ["a", "b", "c\u{1}"].map(|key| Ok((key.to_owned(), None)));
        let failed: Vec<DeleteFailure> =
            delete_objects(&server.client(), "bucket", stream::iter(keys), false)
                .try_collect()
                .await
                .unwrap();
        let failed: Vec<_> = failed.iter().map(|failure| (&*failure.key, &*failure.code)).collect();
        assert_eq!(failed, [("b", "AccessDenied"), ("c\u{1}", "AccessDenied")]);
        let heard = server.heard();
        assert_eq!((heard.len(), heard[1].target.as_str()), (2, "/bucket/c%01"));
    }

    #[tokio::test]
    async fn what_is_not_about_a_key_ends_it() {
        let server = Server::answering([Answer::error(404, "NoSuchBucket")]).await;
        let keys = ["a\u{1}", "b\u{1}"].map(|key| Ok((key.to_owned(), None)));
        let done: Result<Vec<_>> =
            delete_objects(&server.client(), "bucket", stream::iter(keys), false).try_collect().await;
        assert_eq!((done.unwrap_err().kind(), server.heard().len()), (ErrorKind::NoSuchBucket, 1));
    }
}
