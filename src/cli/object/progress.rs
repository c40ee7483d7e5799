//! How far a long transfer is, on a terminal: a bar fed by what the client has moved.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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
    if bytes < SHOWN_FROM_BYTES || !std::io::stderr().is_terminal() {
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
