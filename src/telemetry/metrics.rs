//! Metrics declared once: one line here is the type, the name, the documentation and the export (`holdfs status`).
//!
//! Counters are process-wide statics, so that no layer has to carry a registry. Reading them is exact per
//! counter and unsynchronised between counters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use serde_json::{Map, Value};

/// Only ever grows.
pub struct Counter {
    name: &'static str,
    value: AtomicU64,
}

/// Goes up and down.
pub struct Gauge {
    name: &'static str,
    value: AtomicU64,
}

/// One counter for each label; labels are names from the code, so their number is bounded.
pub struct Family {
    name: &'static str,
    values: RwLock<BTreeMap<&'static str, AtomicU64>>,
}

impl Counter {
    const fn new(name: &'static str) -> Self {
        Self { name, value: AtomicU64::new(0) }
    }
    pub fn add(&self, amount: u64) {
        self.value.fetch_add(amount, Ordering::Relaxed);
    }
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Gauge {
    const fn new(name: &'static str) -> Self {
        Self { name, value: AtomicU64::new(0) }
    }
    pub fn add(&self, amount: u64) {
        self.value.fetch_add(amount, Ordering::Relaxed);
    }
    pub fn sub(&self, amount: u64) {
        self.value.fetch_sub(amount, Ordering::Relaxed);
    }
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Family {
    const fn new(name: &'static str) -> Self {
        Self { name, values: RwLock::new(BTreeMap::new()) }
    }
    pub fn add(&self, label: &'static str, amount: u64) {
        if let Some(value) = self.values.read().get(label) {
            value.fetch_add(amount, Ordering::Relaxed);
            return;
        }
        self.values.write().entry(label).or_default().fetch_add(amount, Ordering::Relaxed);
    }
    pub fn value(&self, label: &str) -> u64 {
        self.values.read().get(label).map_or(0, |value| value.load(Ordering::Relaxed))
    }
}

/// What the export needs of a metric.
trait Metric: Sync {
    fn json(&self, object: &mut Map<String, Value>);
}

impl Metric for Counter {
    fn json(&self, object: &mut Map<String, Value>) {
        object.insert(self.name.into(), self.value().into());
    }
}

impl Metric for Gauge {
    fn json(&self, object: &mut Map<String, Value>) {
        object.insert(self.name.into(), self.value().into());
    }
}

impl Metric for Family {
    fn json(&self, object: &mut Map<String, Value>) {
        let values = self.values.read();
        let pairs =
            values.iter().map(|(label, value)| ((*label).into(), value.load(Ordering::Relaxed).into()));
        object.insert(self.name.into(), Value::Object(pairs.collect()));
    }
}

macro_rules! metrics {
    ($($ident:ident: $kind:ident($name:literal, $help:literal);)*) => {
        $(#[doc = $help] pub static $ident: $kind = $kind::new($name);)*
        static ALL: &[&dyn Metric] = &[$(&$ident),*];
    };
}

metrics! {
    REQUESTS: Family("s3_requests_total", "Requests sent to the store, by operation, each attempt counted.");
    REQUEST_ERRORS: Family("s3_request_errors_total", "Attempts that failed, by operation.");
    RETRIES: Counter("s3_retries_total", "Attempts beyond the first.");
    BYTES_RECEIVED: Counter("s3_bytes_received_total", "Bytes of bodies received from the store.");
    BYTES_SENT: Counter("s3_bytes_sent_total", "Bytes of bodies sent to the store.");
    READ_BYTES: Counter("read_bytes_total", "Bytes given to readers from objects of the store.");
    READ_FETCHED_BYTES: Counter("read_fetched_bytes_total", "Bytes fetched for readers, read-ahead included.");
    READ_HITS: Counter("read_hits_total", "Reads answered from memory at once.");
    READ_WAITS: Counter("read_waits_total", "Reads that waited for the store.");
    READ_RESUMED: Counter("read_resumed_total", "Downloads resumed after a cut or stalled body.");
    READ_EVICTED_UNREAD: Counter("read_evicted_unread_total", "Blocks fetched ahead and evicted before they were read.");
    READ_CACHED_BYTES: Gauge("read_cached_bytes", "Bytes of blocks in memory.");
    PANICS: Counter("panics_total", "Tasks and handlers that panicked.");
}

/// One member per metric; a family is an object by label.
pub fn json() -> Value {
    let mut object = Map::new();
    ALL.iter().for_each(|metric| metric.json(&mut object));
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_exported_under_a_name_of_its_own() {
        REQUESTS.add("TestOperation", 2);
        RETRIES.add(1);
        let json = json();
        assert_eq!(json["s3_requests_total"]["TestOperation"], 2);
        assert!(json["s3_retries_total"].as_u64().unwrap() >= 1);
        assert!(json["read_cached_bytes"].is_u64());
        assert_eq!(json.as_object().unwrap().len(), ALL.len());
    }
}
