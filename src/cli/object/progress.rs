//! How far long work is, on a terminal: of one transfer a bar fed by what the client has moved, of many keys a line.

use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

use super::batch::Tally;
use crate::cli::terminal;
use crate::s3::Client;

/// Smaller transfers are over before a bar is read.
const SHOWN_FROM_BYTES: u64 = 32 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Waits for `work`, which moves `bytes` bytes.
pub(super) async fn shown<T>(
    client: &Client,
    direction: Direction,
    bytes: u64,
    work: impl Future<Output = T>,
) -> T {
    if bytes < SHOWN_FROM_BYTES || !terminal::shows_progress() {
        return work.await;
    }
    let moved = || match direction {
        Direction::Up => client.stats().bytes_sent,
        Direction::Down => client.stats().bytes_received,
    };
    let (bar, before) = (bar(bytes), moved());
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            // What a retry moves again counts twice: the bar stops at its end.
            () = tokio::time::sleep(Duration::from_millis(100)) => bar.set_position((moved() - before).min(bytes)),
        }
    }
}

fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {binary_bytes} / {binary_total_bytes}, {binary_bytes_per_sec}, {eta} to go",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
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

    /// `moved` are the bytes on the wire since the beginning, those of transfers that are under way among them.
    pub(super) fn show(&self, tally: &Tally, moved: u64) {
        let Some(line) = &self.line else { return };
        let seconds = line.elapsed().as_secs_f64().max(0.1);
        let rate = BinaryBytes((moved as f64 / seconds) as u64);
        line.set_message(format!("{}, {rate}/s", tally.described(self.verb)));
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
