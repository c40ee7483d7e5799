//! Listening to what happens (MinIO), and telling it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, HeaderValue};
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Api;
use crate::embedded::events::{Event, Filter};
use crate::embedded::operation::{Query, Target, form_decoded};
use crate::embedded::storage::refusal::Refusal;
use crate::embedded::storage::version::{Version, VersionId};

/// The longest silence that a client may ask for.
const PING_SECONDS_MAX: u64 = 3600;

impl Api {
    pub(super) async fn listen_notification(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        if let Some(bucket) = &target.bucket {
            self.store.read(bucket, |_| Ok(()))?;
        }
        let query = Query(request.uri.query().unwrap_or_default());
        let names: Vec<String> = query.all("events").map(form_decoded).collect();
        if let Some(unknown) = names.iter().find(|name| !name.starts_with("s3:")) {
            let message = format!("A specified event is not supported for notifications: {unknown}");
            return Err(Refusal::argument(message).into());
        }
        let ping = query.get("ping").map(str::parse::<u64>).transpose();
        let ping = ping.ok().filter(|ping| ping.is_none_or(|ping| (1..=PING_SECONDS_MAX).contains(&ping)));
        let wrong =
            || Refusal::argument(format!("ping must be a number of seconds from 1 to {PING_SECONDS_MAX}"));
        let ping = ping.ok_or_else(wrong)?.map(Duration::from_secs);
        let text = |name: &str| query.decoded(name).unwrap_or_default();
        let filter =
            Filter { bucket: target.bucket.clone(), prefix: text("prefix"), suffix: text("suffix"), names };
        let events = self.events.listen(filter, ping);
        let body = StreamingBlob::wrap(events.map(Ok::<Bytes, std::io::Error>));
        let mut response = S3Response::new(Body::from(body));
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        Ok(response)
    }

    /// Tells of a version that was written or looked at.
    pub(super) fn tell(&self, name: &'static str, bucket: &str, key: &str, version: &Version) {
        let id = match &version.id {
            VersionId::Null => None,
            VersionId::Named(id) => Some(id.as_str()),
        };
        let object = version.object.as_ref().map(|object| (object.content.len(), object.etag.as_str()));
        let (time, sequencer) = (self.store.now(), version.serial);
        self.events.tell(Event { name, time, bucket, key, version: id, object, sequencer });
    }

    /// Tells of what has gone; an empty key is that of a bucket.
    pub(super) fn tell_gone(&self, name: &'static str, bucket: &str, key: &str, version: Option<&VersionId>) {
        let id = version.filter(|id| **id != VersionId::Null).map(ToString::to_string);
        let (time, sequencer) = (self.store.now(), self.store.serial());
        let version = id.as_deref();
        self.events.tell(Event { name, time, bucket, key, version, object: None, sequencer });
    }
}
