//! What the server was asked: every request, and sums by operation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, StatusCode, Uri};
use parking_lot::Mutex;
use serde::Serialize;

use super::operation::Target;

/// One request, entered when its reply has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts from 1, in the order of arrival.
    pub number: u64,
    #[serde(serialize_with = "unix_seconds")]
    pub at: SystemTime,
    /// As S3 calls it, such as `GetObject`.
    pub operation: &'static str,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub query: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// Missing when the connection was dropped before a reply.
    pub status: Option<u16>,
    /// The `Code` of the error, if the reply was one.
    pub error: Option<String>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub milliseconds: u64,
    /// Numbers of the fault rules that fired.
    pub faults: Vec<u64>,
}

fn unix_seconds<S: serde::Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_f64(since.as_secs_f64())
}

/// Sums of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counter {
    pub requests: u64,
    /// Replies with status 400 and above, and connections dropped before a reply.
    pub errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// Cheap to clone; clones share the log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    arrived: u64,
    entries: VecDeque<Entry>,
    counters: BTreeMap<&'static str, Counter>,
}

/// Older entries make room.
const ENTRIES_MAX: usize = 100_000;

impl Log {
    /// The latest requests in the order of their ends; the log holds the last 100,000.
    pub fn entries(&self) -> Vec<Entry> {
        self.shared.lock().entries.iter().cloned().collect()
    }

    pub fn counters(&self) -> BTreeMap<&'static str, Counter> {
        self.shared.lock().counters.clone()
    }

    /// Requests of one operation, such as `GetObject`, that have ended.
    pub fn count(&self, operation: &str) -> u64 {
        self.shared.lock().counters.get(operation).map_or(0, |counter| counter.requests)
    }

    /// Forgets entries and sums.
    pub fn reset(&self) {
        let mut shared = self.shared.lock();
        shared.entries.clear();
        shared.counters.clear();
    }

    /// A request has arrived; it is entered when the record is dropped.
    pub(super) fn begin(&self, target: &Target, uri: &Uri, headers: &HeaderMap) -> Record {
        let number = {
            let mut shared = self.shared.lock();
            shared.arrived += 1;
            shared.arrived
        };
        let range = headers.get(http::header::RANGE).and_then(|range| range.to_str().ok());
        let entry = Entry {
            number,
            at: SystemTime::now(),
            operation: target.operation,
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            query: uri.query().map(without_signature).unwrap_or_default(),
            range: range.map(str::to_owned),
            status: None,
            error: None,
            bytes_in: 0,
            bytes_out: 0,
            milliseconds: 0,
            faults: Vec::new(),
        };
        let begun = Begun { log: self.clone(), began: Instant::now(), entry: Mutex::new(entry) };
        Record { inner: Arc::new(begun) }
    }

    fn enter(&self, entry: Entry) {
        let mut shared = self.shared.lock();
        let counter = shared.counters.entry(entry.operation).or_default();
        counter.requests += 1;
        counter.errors += u64::from(entry.status.is_none_or(|status| status >= 400));
        counter.bytes_in += entry.bytes_in;
        counter.bytes_out += entry.bytes_out;
        if shared.entries.len() == ENTRIES_MAX {
            shared.entries.pop_front();
        }
        shared.entries.push_back(entry);
    }
}

/// A presigned URL is a secret as long as it lives.
fn without_signature(query: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.starts_with("X-Amz-") && !pair.starts_with("Signature="));
    kept.collect::<Vec<_>>().join("&")
}

/// One request under way, shared by those who know parts of its story.
#[derive(Clone)]
pub(super) struct Record {
    inner: Arc<Begun>,
}

struct Begun {
    log: Log,
    began: Instant,
    entry: Mutex<Entry>,
}

impl Record {
    pub fn received(&self, bytes: u64) {
        self.inner.entry.lock().bytes_in += bytes;
    }
    pub fn sent(&self, bytes: u64) {
        self.inner.entry.lock().bytes_out += bytes;
    }
    pub fn fault(&self, rule: u64) {
        self.inner.entry.lock().faults.push(rule);
    }
    pub fn answered(&self, status: StatusCode, error: Option<String>) {
        let mut entry = self.inner.entry.lock();
        (entry.status, entry.error) = (Some(status.as_u16()), error);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut entry = self.entry.get_mut().clone();
        entry.milliseconds = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.log.enter(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_entered_when_its_last_holder_lets_go() {
        let log = Log::default();
        let target = Target { operation: "GetObject", bucket: Some("b".into()), key: Some("k".into()) };
        let uri = "/b/k?versionId=7&X-Amz-Signature=secret".parse().unwrap();
        let record = log.begin(&target, &uri, &HeaderMap::new());
        let body = record.clone();
        record.answered(StatusCode::OK, None);
        drop(record);
        assert_eq!(log.count("GetObject"), 0);
        body.sent(10);
        drop(body);
        let expected = Counter { requests: 1, errors: 0, bytes_in: 0, bytes_out: 10 };
        assert_eq!(log.counters()["GetObject"], expected);
        assert_eq!(log.entries()[0].query, "versionId=7");
        log.reset();
        assert!(log.entries().is_empty() && log.counters().is_empty());
    }

    #[test]
    fn no_reply_counts_as_an_error() {
        let log = Log::default();
        let target = Target { operation: "PutObject", bucket: None, key: None };
        drop(log.begin(&target, &"/".parse().unwrap(), &HeaderMap::new()));
        assert_eq!(log.counters()["PutObject"].errors, 1);
    }
}
