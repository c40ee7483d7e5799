//! How far long work is, on a terminal: of one transfer a bar, of many keys a line. Both are fed by the transfers
//! themselves, so that what a retry sends again counts once, and what other work sends not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

use super::batch::Tally;
use crate::cli::terminal;
use crate::s3::transfer::{Moved, Progress, Tuning};

/// Smaller transfers are over before a bar is read.
const SHOWN_FROM_BYTES: u64 = 32 << 20;

/// Bytes that transfers have moved, together.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// For one more transfer, which counts here.
    pub(super) fn on(&self, tuning: &Tuning) -> Tuning {
        let (all, mine) = (self.0.clone(), AtomicU64::new(0));
        let count = move |moved: Moved| {
            // Two steps side by side may be told in either order.
            let before = mine.fetch_max(moved.done, Relaxed);
            all.fetch_add(moved.done.saturating_sub(before), Relaxed);
        };
        Tuning { progress: Some(Progress::new(count)), ..tuning.clone() }
    }

    pub(super) fn moved(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Waits for a transfer of `bytes` bytes (`None` of a pipe, whose end nobody knows), which is to be tuned as it is told.
/// One of many comes with its tuning, and their line shows it; one alone shows itself.
pub(super) async fn shown<T>(
    of_many: Option<&Tuning>,
    bytes: Option<u64>,
    work: impl AsyncFnOnce(&Tuning) -> T,
) -> T {
    if let Some(tuning) = of_many {
        return work(tuning).await;
    }
    let gauge = Gauge::default();
    let tuning = gauge.on(&Tuning::default());
    let mut work = std::pin::pin!(work(&tuning));
    if bytes.is_some_and(|bytes| bytes < SHOWN_FROM_BYTES) || !terminal::shows_progress() {
        return work.await;
    }
    let mut bar = None;
    loop {
        tokio::select! {
            done = &mut work => {
                if let Some(bar) = bar {
                    ProgressBar::finish_and_clear(&bar);
                }
                return done;
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let moved = gauge.moved();
                if bytes.is_some() || moved >= SHOWN_FROM_BYTES {
                    bar.get_or_insert_with(|| new_bar(bytes)).set_position(moved);
                }
            }
        }
    }
}

fn new_bar(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:40} {binary_bytes} / {binary_total_bytes}, {binary_bytes_per_sec}, {eta} to go",
        ),
        None => (ProgressBar::no_length(), "{spinner} {binary_bytes}, {binary_bytes_per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// One line about many keys, which is gone when they are done. None where nobody would see it.
pub(super) struct Counted {
    line: Option<ProgressBar>,
    verb: &'static str,
}

impl Counted {
    pub(super) fn begin(verb: &'static str) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self { line: terminal::shows_progress().then(|| ProgressBar::new_spinner().with_style(style)), verb }
    }

    /// `moved` are the bytes of transfers, those that are under way among them.
    pub(super) fn show(&self, tally: &Tally, moved: u64) {
        let Some(line) = &self.line else { return };
        line.set_message(tally.described(self.verb) + &rate(moved, line.elapsed()));
        line.tick();
    }

    /// Writes something else to the terminal between two looks of the line.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        match &self.line {
            Some(line) => line.suspend(write),
            None => write(),
        }
    }

    pub(super) fn end(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

/// `, 3.00 MiB/s`; nothing where no bytes move.
fn rate(moved: u64, since: Duration) -> String {
    let seconds = since.as_secs_f64().max(0.1);
    match moved {
        0 => String::new(),
        moved => format!(", {}/s", BinaryBytes((moved as f64 / seconds) as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::scripted::{Answer, Server};
    use crate::s3::transfer::{self, Target, UploadSource};

    #[test]
    fn a_rate_is_of_bytes() {
        assert_eq!(rate(3 << 20, Duration::from_secs(2)), ", 1.50 MiB/s");
        assert_eq!(rate(0, Duration::from_secs(2)), "");
    }

    /// Sends a kibibyte over a client, as one of several transfers.
    async fn send(server: &Server, gauge: &Gauge) {
        let target = Target { bucket: "b".into(), key: "k".into(), ..Target::default() };
        let bytes = UploadSource::Bytes(vec![7; 1024].into());
        transfer::upload(&server.client(), &gauge.on(&Tuning::default()), &target, bytes).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_sent_again_counts_once_and_other_work_not_at_all() {
        let stored = || Answer::new(200, &[("etag", "\"e\"")], "");
        let slow = || Answer::error(503, "SlowDown");
        let server = Server::answering([slow(), slow(), stored(), stored(), stored()]).await;
        let gauge = Gauge::default();
        send(&server, &gauge).await;
        assert_eq!((gauge.moved(), server.heard().len()), (1024, 3));
        send(&server, &gauge).await;
        assert_eq!(gauge.moved(), 2048, "of many the sum");
        send(&server, &Gauge::default()).await;
        assert_eq!(gauge.moved(), 2048, "what another transfer sends counts there");
    }

    #[test]
    fn steps_that_come_late_take_nothing_back() {
        let gauge = Gauge::default();
        let tuning = gauge.on(&Tuning::default());
        for done in [5, 3, 9] {
            tuning.progress.as_ref().unwrap().tell(Moved { done, total: None });
        }
        assert_eq!(gauge.moved(), 9);
    }
}
