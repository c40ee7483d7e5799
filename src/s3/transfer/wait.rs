//! Waiting until a bucket or an object is there, or is gone: stores take their time to agree.

use std::time::Duration;

use crate::s3::ops::{HeadBucket, HeadObject};
use crate::s3::{Client, Error, ErrorKind, Operation, Result};

/// How often to look, and how long to wait between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks.
    pub delay: Duration,
    /// Looks in all.
    pub attempts: u32,
}

/// As the SDKs have it: every 5 seconds, 20 times.
impl Default for Patience {
    fn default() -> Self {
        Self { delay: Duration::from_secs(5), attempts: 20 }
    }
}

/// What one look has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    There,
    Gone,
}

/// Whether the bucket is there, ours or not: who may not enter it, or must ask elsewhere, knows that it exists.
pub async fn bucket_is_there(client: &Client, bucket: &str) -> Result<bool> {
    Ok(look(client, &HeadBucket { bucket: bucket.to_owned() }).await? == Seen::There)
}

/// Looks until the bucket is there, ours or not; `TimedOut` when patience ends.
pub async fn until_bucket_is_there(client: &Client, bucket: &str, patience: Patience) -> Result<()> {
    until(client, &HeadBucket { bucket: bucket.to_owned() }, Seen::There, patience).await
}

/// Looks until the bucket is gone; `TimedOut` when patience ends.
pub async fn until_bucket_is_gone(client: &Client, bucket: &str, patience: Patience) -> Result<()> {
    until(client, &HeadBucket { bucket: bucket.to_owned() }, Seen::Gone, patience).await
}

/// With a version or conditions: until exactly that is there.
pub async fn until_object_is_there(client: &Client, head: &HeadObject, patience: Patience) -> Result<()> {
    until(client, head, Seen::There, patience).await
}

/// Looks until the object is gone; `TimedOut` when patience ends.
pub async fn until_object_is_gone(client: &Client, head: &HeadObject, patience: Patience) -> Result<()> {
    until(client, head, Seen::Gone, patience).await
}

async fn until(client: &Client, head: &impl Operation, wanted: Seen, patience: Patience) -> Result<()> {
    for attempt in 1..=patience.attempts {
        if look(client, head).await? == wanted {
            return Ok(());
        }
        if attempt < patience.attempts {
            tokio::time::sleep(patience.delay).await;
        }
    }
    let what = match wanted {
        Seen::There => "It is still not there",
        Seen::Gone => "It is still there",
    };
    Err(Error::new(ErrorKind::TimedOut, format!("{what} after {} looks.", patience.attempts)))
}

async fn look<O: Operation>(client: &Client, head: &O) -> Result<Seen> {
    match client.send(head).await {
        Ok(_) => Ok(Seen::There),
        Err(error) => seen(error.kind(), O::NAME == HeadBucket::NAME).ok_or(error),
    }
}

/// What an error tells; `None` where it tells nothing.
fn seen(kind: ErrorKind, of_bucket: bool) -> Option<Seen> {
    match kind {
        ErrorKind::Denied | ErrorKind::Redirect if of_bucket => Some(Seen::There),
        ErrorKind::NoSuchBucket | ErrorKind::NoSuchKey | ErrorKind::NoSuchVersion => Some(Seen::Gone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::scripted::{Answer, Server};

    const SOON: Patience = Patience { delay: Duration::from_millis(1), attempts: 3 };

    fn head() -> HeadObject {
        HeadObject { bucket: "b".into(), key: "k".into(), ..HeadObject::default() }
    }

    #[tokio::test]
    async fn looks_go_on_until_it_is_there() {
        let server = Server::answering([Answer::error(404, "NoSuchKey"), Answer::object("x")]).await;
        until_object_is_there(&server.client(), &head(), SOON).await.unwrap();
        assert_eq!(server.heard().len(), 2);
    }

    #[tokio::test]
    async fn patience_ends() {
        let server = Server::answering([Answer::object("x")]).await;
        let error = until_object_is_gone(&server.client(), &head(), SOON).await.unwrap_err();
        assert_eq!((error.kind(), server.heard().len()), (ErrorKind::TimedOut, 3));
    }

    #[tokio::test]
    async fn a_bucket_that_may_not_be_entered_is_there() {
        let server = Server::answering([Answer::error(403, "AccessDenied")]).await;
        assert!(bucket_is_there(&server.client(), "b").await.unwrap());
        until_bucket_is_there(&server.client(), "b", SOON).await.unwrap();
        let gone = Server::answering([Answer::error(404, "NoSuchBucket")]).await;
        until_bucket_is_gone(&gone.client(), "b", SOON).await.unwrap();
        assert!(!bucket_is_there(&gone.client(), "b").await.unwrap());
    }

    #[test]
    fn an_object_that_may_not_be_read_tells_nothing() {
        assert_eq!(seen(ErrorKind::Denied, false), None);
        assert_eq!(seen(ErrorKind::Unavailable, true), None);
    }
}
