//! Sessions of directory buckets (S3 Express One Zone): keys for one bucket that live for five minutes.
//!
//! Objects and listings of such a bucket are asked for in the name of a session; copies, which read another bucket
//! too, and the bucket's own settings in ours. A session is opened once for all who wait, and renewed in its last
//! minute; while that fails it serves to its end.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::client::{Shared, purpose_of};
use super::config::AwsAddress;
use super::credentials::Credentials;
use super::endpoint::Purpose;
use super::endpoint::zone::zone_of;
use super::exchange;
use super::operation::Request;
use super::ops::CreateSession;
use super::{Deadlines, Error, Operation};
use crate::base::recency::RecencyMap;

const KEPT_MAX: std::num::NonZeroUsize = std::num::NonZeroUsize::new(100).expect("not zero");
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// The bucket whose session a request needs.
pub fn bucket_of(request: &Request, address: AwsAddress) -> Option<&str> {
    let bucket = request.bucket.as_deref().filter(|bucket| matches!(zone_of(bucket), Some(Ok(_))))?;
    let opens = is_create_session(request);
    let copies = request.headers.contains_key("x-amz-copy-source");
    let data = purpose_of(request) == Purpose::Data;
    (address.express_sessions && data && !opens && !copies).then_some(bucket)
}

fn is_create_session(request: &Request) -> bool {
    request.key.is_none() && request.query.iter().any(|(name, _)| *name == "session")
}

/// The sessions in use, the latest of them.
pub struct Sessions(Mutex<RecencyMap<Name, Arc<Slot>>>);

/// Bucket and access key.
type Name = (String, String);
/// Locked by the one who opens.
type Slot = tokio::sync::Mutex<Option<Arc<Credentials>>>;

impl Default for Sessions {
    fn default() -> Self {
        Self(Mutex::new(RecencyMap::new(KEPT_MAX)))
    }
}

impl Sessions {
    pub async fn credentials(
        &self,
        shared: &Shared,
        bucket: &str,
        ours: &Credentials,
        deadlines: Deadlines,
    ) -> Result<Arc<Credentials>, Error> {
        let name = (bucket.to_owned(), ours.access_key.clone());
        let slot = self.0.lock().get_or_insert(name, Arc::default).clone();
        let mut held = slot.lock().await;
        let now = shared.skew.apply(shared.config.clock.wall());
        let left = |keys: &Credentials| {
            keys.expires.map_or(Duration::MAX, |at| at.duration_since(now).unwrap_or_default())
        };
        match &*held {
            Some(keys) if left(keys) > RENEW_BEFORE => return Ok(keys.clone()),
            _ => {}
        }
        match open(shared, bucket, deadlines).await {
            Ok(keys) => Ok(held.insert(Arc::new(keys)).clone()),
            Err(error) => match &*held {
                Some(keys) if !left(keys).is_zero() => {
                    tracing::warn!("the session of a directory bucket could not be renewed: {error}");
                    Ok(keys.clone())
                }
                _ => Err(error),
            },
        }
    }
    /// The store refused these keys.
    pub fn forget(&self, refused: &Credentials) {
        let mut sessions = self.0.lock();
        let found = sessions.iter().find_map(|(name, slot)| {
            let held = slot.try_lock().ok()?;
            held.as_deref().is_some_and(|keys| keys == refused).then(|| name.clone())
        });
        if let Some(name) = found {
            sessions.pop(&name);
        }
    }
}

async fn open(shared: &Shared, bucket: &str, deadlines: Deadlines) -> Result<Credentials, Error> {
    let create = CreateSession { bucket: bucket.to_owned(), read_only: false };
    // An operation within an operation: without the box its future would contain itself.
    Box::pin(exchange::perform(shared, deadlines, &create, &create.encode()?, None)).await
}
