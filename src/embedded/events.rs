//! What happens to objects, told to those who listen: MinIO's endless answer to `?events=…`.
//!
//! Each listener has a queue of its own. One that does not keep up is let go, so that it knows that it has missed
//! something: its answer ends, and it has to look for itself. Events have the names that S3 gives them, and those of
//! MinIO where S3 has none (changes of retention and legal hold).
//! <https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html>

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::Stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Interval;

use crate::base::timestamp::rfc3339_millis;

/// Events that wait for one listener.
const QUEUE_MAX: usize = 1000;
/// A blank goes out so often, where nothing else is asked for.
const KEEP_ALIVE: Duration = Duration::from_millis(500);

/// Names that MinIO has for what S3 calls otherwise: who asks for them hears of it, too.
const ALSO: [(&str, &str); 2] = [
    ("s3:ObjectTagging:Put", "s3:ObjectCreated:PutTagging"),
    ("s3:ObjectTagging:Delete", "s3:ObjectCreated:DeleteTagging"),
];

/// What a listener wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `None`: of every bucket.
    pub bucket: Option<String>,
    pub prefix: String,
    pub suffix: String,
    /// Such as `s3:ObjectCreated:*`.
    pub names: Vec<String>,
}

impl Filter {
    fn wants(&self, event: &Event<'_>) -> bool {
        let named = |wanted: &String| match wanted.strip_suffix('*') {
            Some(family) => event.name.starts_with(family),
            None => event.name == wanted || ALSO.contains(&(event.name, wanted)),
        };
        self.bucket.as_deref().is_none_or(|bucket| bucket == event.bucket)
            && event.key.starts_with(&self.prefix)
            && event.key.ends_with(&self.suffix)
            && self.names.iter().any(named)
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Such as `s3:ObjectCreated:Put`.
    pub name: &'static str,
    pub time: SystemTime,
    pub bucket: &'a str,
    /// Empty for what happens to a bucket.
    pub key: &'a str,
    pub version: Option<&'a str>,
    /// Bytes and ETag; not of removals.
    pub object: Option<(u64, &'a str)>,
    /// Grows with every event of a key.
    pub sequencer: u64,
}

impl Event<'_> {
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
    fn document(&self) -> Value {
        // As it is, as MinIO's stream has it; only S3's own messages write keys as in a form.
        let mut object = json!({ "key": self.key, "sequencer": format!("{:016X}", self.sequencer) });
        if let Some((size, etag)) = self.object {
            (object["size"], object["eTag"]) = (size.into(), etag.into());
        }
        if let Some(version) = self.version {
            object["versionId"] = version.into();
        }
        json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "holdfs:s3",
            "awsRegion": "",
            "eventTime": rfc3339_millis(self.time),
            "eventName": self.name,
            "userIdentity": { "principalId": super::api::ACCOUNT },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": {
                    "name": self.bucket,
                    "arn": format!("arn:aws:s3:::{}", self.bucket),
                    "ownerIdentity": { "principalId": super::api::ACCOUNT },
                },
                "object": object,
            },
        }] })
    }
}

struct Listener {
    filter: Filter,
    queue: mpsc::Sender<Bytes>,
}

/// Cheap to clone; clones share the listeners.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<Vec<Listener>>>);

impl Hub {
    pub fn listen(&self, filter: Filter, ping: Option<Duration>) -> Listening {
        let (queue, events) = mpsc::channel(QUEUE_MAX);
        self.0.lock().push(Listener { filter, queue });
        let mut beat = tokio::time::interval(ping.unwrap_or(KEEP_ALIVE));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let word = if ping.is_some() { "{\"Records\":[]}\n" } else { " " };
        Listening { events, beat, word: Bytes::from_static(word.as_bytes()) }
    }

    /// Nobody listens, most of the time.
    pub fn is_idle(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Never waits.
    pub fn tell(&self, event: Event<'_>) {
        let mut listeners = self.0.lock();
        if listeners.is_empty() {
            return;
        }
        let mut line = None;
        listeners.retain(|listener| {
            if !listener.filter.wants(&event) {
                return !listener.queue.is_closed();
            }
            let line = line.get_or_insert_with(|| Bytes::from(format!("{}\n", event.document())));
            listener.queue.try_send(line.clone()).is_ok()
        });
    }
}

/// Lines of JSON, and what keeps the connection alive between them. Ends when the listener was let go.
pub struct Listening {
    events: mpsc::Receiver<Bytes>,
    beat: Interval,
    word: Bytes,
}

impl Stream for Listening {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(event) = self.events.poll_recv(cx) {
            return Poll::Ready(event);
        }
        self.beat.poll_tick(cx).map(|_| Some(self.word.clone()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn event<'a>(name: &'static str, bucket: &'a str, key: &'a str) -> Event<'a> {
        let time = SystemTime::UNIX_EPOCH;
        Event { name, time, bucket, key, version: None, object: Some((3, "e")), sequencer: 7 }
    }

    fn filter(bucket: Option<&str>, prefix: &str, suffix: &str, name: &str) -> Filter {
        let (prefix, suffix, names) = (prefix.to_owned(), suffix.to_owned(), vec![name.to_owned()]);
        Filter { bucket: bucket.map(str::to_owned), prefix, suffix, names }
    }

    #[test]
    fn listeners_hear_what_they_asked_for() {
        let happened = event("s3:ObjectCreated:Put", "b", "in/a.txt");
        let cases = [
            (filter(Some("b"), "in/", ".txt", "s3:ObjectCreated:*"), true),
            (filter(None, "", "", "s3:ObjectCreated:Put"), true),
            (filter(Some("c"), "", "", "s3:ObjectCreated:*"), false),
            (filter(Some("b"), "out/", "", "s3:ObjectCreated:*"), false),
            (filter(Some("b"), "", ".jpg", "s3:ObjectCreated:*"), false),
            (filter(Some("b"), "", "", "s3:ObjectRemoved:*"), false),
            (filter(Some("b"), "", "", "s3:ObjectCreated:Copy"), false),
        ];
        for (filter, expected) in cases {
            assert_eq!(filter.wants(&happened), expected, "{filter:?}");
        }
        let tagged = event("s3:ObjectTagging:Put", "b", "k");
        let wants = |name: &str| filter(None, "", "", name).wants(&tagged);
        let names = [
            "s3:ObjectTagging:*",
            "s3:ObjectCreated:PutTagging",
            "s3:ObjectCreated:*",
            "s3:ObjectTagging:Delete",
        ];
        assert_eq!(names.map(wants), [true, true, false, false]);
    }

    #[tokio::test]
    async fn events_are_lines_and_silence_is_filled() {
        let hub = Hub::default();
        let everything = filter(None, "", "", "s3:*");
        let mut listening = hub.listen(everything.clone(), None);
        hub.tell(event("s3:ObjectCreated:Put", "b", "a b/ü"));
        let line = listening.next().await.unwrap();
        let document: Value = serde_json::from_slice(&line).unwrap();
        let object = &document["Records"][0]["s3"]["object"];
        assert_eq!((object["key"].as_str(), object["size"].as_u64()), (Some("a b/ü"), Some(3)));
        assert!(line.ends_with(b"\n"));
        assert_eq!(listening.next().await.unwrap(), " ");
        let mut pinged = hub.listen(everything, Some(Duration::from_millis(10)));
        assert_eq!(pinged.next().await.unwrap(), "{\"Records\":[]}\n");
    }

    #[tokio::test]
    async fn who_does_not_keep_up_is_let_go() {
        let hub = Hub::default();
        let mut slow = hub.listen(filter(None, "", "", "s3:*"), Some(Duration::from_secs(3600)));
        for _ in 0..=QUEUE_MAX {
            hub.tell(event("s3:ObjectCreated:Put", "b", "k"));
        }
        assert!(hub.0.lock().is_empty());
        let mut heard = 0;
        while slow.next().await.is_some() {
            heard += 1;
        }
        assert_eq!(heard, QUEUE_MAX);
        drop(hub.listen(filter(None, "", "", "s3:*"), None));
        hub.tell(event("s3:ObjectCreated:Put", "b", "k"));
        assert!(hub.0.lock().is_empty());
    }
}
