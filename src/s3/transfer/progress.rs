//! How far a transfer is.
//!
//! Every byte counts once, however often a retry sends it: what is told never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Tuning;
use crate::s3::Client;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Bytes that went out, came in or were copied by the store.
    pub done: u64,
    /// Bytes in all; `None` for a stream, whose end nobody knows.
    pub total: Option<u64>,
}

/// Is told of every step of a transfer, from whatever thread makes it; steps are a network frame to a part long, so
/// what it does should be quick. Two steps side by side may be told in either order.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Moved) + Send + Sync>);

impl Progress {
    /// A sink for what is moved.
    pub fn new(sink: impl Fn(Moved) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Tells the sink, for transfers made of others.
    pub fn tell(&self, moved: Moved) {
        (self.0)(moved);
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// Counts one transfer; nothing where nobody wants to know.
#[derive(Clone)]
pub(super) struct Meter(Option<Arc<Count>>);

struct Count {
    sink: Progress,
    done: AtomicU64,
    total: Option<u64>,
}

impl Meter {
    pub(super) fn of(tuning: &Tuning, total: Option<u64>) -> Self {
        let count = |sink: &Progress| Arc::new(Count { sink: sink.clone(), done: AtomicU64::new(0), total });
        Self(tuning.progress.as_ref().map(count))
    }

    pub(super) fn add(&self, bytes: u64) {
        if let Some(count) = &self.0 {
            let done = count.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            count.sink.tell(Moved { done, total: count.total });
        }
    }

    /// A client that counts the body of one request of `bytes` bytes while it goes out. [`Counted::done`] must be
    /// told when the store has it.
    pub(super) fn counted(&self, client: &Client, bytes: u64) -> Counted {
        let sent = Arc::new(AtomicU64::new(0));
        let client = match &self.0 {
            None => client.clone(),
            Some(_) => {
                let (meter, sent) = (self.clone(), sent.clone());
                client.watched_by(Arc::new(move |frame| meter.add(take(&sent, frame, bytes))))
            }
        };
        Counted { client, meter: self.clone(), sent, bytes }
    }
}

/// How much of a frame is new: what is sent again, and what frames the body, goes beyond its length.
fn take(sent: &AtomicU64, frame: u64, bytes: u64) -> u64 {
    let before = sent.fetch_add(frame, Ordering::Relaxed).min(bytes);
    frame.min(bytes - before)
}

/// A request whose body is counted.
pub(super) struct Counted {
    pub(super) client: Client,
    meter: Meter,
    sent: Arc<AtomicU64>,
    bytes: u64,
}

impl Counted {
    /// The store has all of it.
    pub(super) fn done(&self) {
        match take(&self.sent, self.bytes, self.bytes) {
            0 => {}
            rest => self.meter.add(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn every_byte_counts_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let progress = Progress::new(move |moved| sink.lock().push(moved.done));
        let tuning = Tuning { progress: Some(progress), ..Tuning::default() };
        let meter = Meter::of(&tuning, Some(10));
        let sent = Arc::new(AtomicU64::new(0));
        // Framing, a retry from the start, and the end.
        for frame in [4, 4, 4, 10] {
            meter.add(take(&sent, frame, 10));
        }
        assert_eq!(*told.lock(), [4, 8, 10, 10]);
    }
}
