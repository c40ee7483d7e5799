//! How many parts are in flight: found while running. Pure.
//!
//! More is not better: a memory-backed MinIO on two cores took 739 MB/s with two parts in flight and 400 with
//! sixteen, while a store 30 ms away needs many. So the number climbs as long as the throughput of a window grows,
//! turns back when it falls, and between equals the smaller one wins.

use std::time::Duration;

/// Bounds of what is tried.
const FEWEST: usize = 1;
const MOST: usize = 32;
const START: usize = 3;
/// A change below this share is noise.
const NOISE: f64 = 0.05;
/// A window lasts at least this long, and at least two rounds of what is in flight.
const WINDOW: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Hill climbing over the throughput of whole windows.
#[derive(Clone, Debug)]
pub struct Pace {
    limit: usize,
    direction: Direction,
    /// Bytes per second with the previous limit.
    previous: Option<f64>,
    /// Windows to go on without trying anything.
    rest: u32,
    window: Window,
}

#[derive(Clone, Debug, Default)]
struct Window {
    bytes: u64,
    parts: usize,
    busy: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { limit: START, direction: Direction::Up, previous: None, rest: 0, window: Window::default() }
    }
}

impl Pace {
    /// Parts that may be in flight now.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A part was stored `elapsed` after the previous one, during which the limit was what kept more from being in
    /// flight. (When the writer is the slower side, windows say nothing about the store, so they are not reported.)
    pub fn stored(&mut self, bytes: u64, elapsed: Duration) {
        self.window.bytes += bytes;
        self.window.parts += 1;
        self.window.busy += elapsed;
        if self.window.busy >= WINDOW && self.window.parts >= 2 * self.limit {
            let window = std::mem::take(&mut self.window);
            self.judge(window.bytes as f64 / window.busy.as_secs_f64());
        }
    }

    /// The limit was not reached: what was measured so far mixes two causes.
    pub fn idle(&mut self) {
        self.window = Window::default();
    }

    fn judge(&mut self, rate: f64) {
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let before = self.previous.replace(rate);
        match before {
            None => self.go(self.direction),
            Some(before) if rate > before * (1.0 + NOISE) => self.go(self.direction),
            Some(before) if rate < before * (1.0 - NOISE) => self.turn_back(),
            Some(_) => self.settle(),
        }
    }

    fn go(&mut self, direction: Direction) {
        self.direction = direction;
        self.limit = match direction {
            // In proportion: from 2 to 3, from 16 to 20.
            Direction::Up => (self.limit + (self.limit / 4).max(1)).min(MOST),
            Direction::Down => (self.limit - (self.limit / 4).max(1)).max(FEWEST),
        };
    }

    fn turn_back(&mut self) {
        let back = if self.direction == Direction::Up { Direction::Down } else { Direction::Up };
        self.go(back);
        // What the worse limit reached is no measure for the better one.
        self.previous = None;
        self.rest = 4;
    }

    /// No difference: the smaller number does as well, and something else is tried later.
    fn settle(&mut self) {
        if self.direction == Direction::Up {
            self.go(Direction::Down);
        }
        self.previous = None;
        self.rest = 8;
        self.direction = if self.limit == FEWEST { Direction::Up } else { self.direction };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `windows` windows against a store whose throughput is a function of the number in flight; what the
    /// second half of them averaged.
    fn average_limit(rate: impl Fn(usize) -> f64, windows: usize) -> f64 {
        let mut pace = Pace::default();
        let mut seen = Vec::new();
        for _ in 0..windows {
            let limit = pace.limit();
            seen.push(limit as f64);
            let part = 8 << 20;
            for _ in 0..(2 * limit).max(400) {
                pace.stored(part, Duration::from_secs_f64(part as f64 / rate(limit)));
                if pace.limit() != limit {
                    break;
                }
            }
        }
        let half = &seen[windows / 2..];
        half.iter().sum::<f64>() / half.len() as f64
    }

    #[test]
    fn a_store_with_few_cores_gets_few_parts() {
        let found =
            average_limit(|n| [0.0, 500e6, 739e6, 700e6, 600e6].get(n).copied().unwrap_or(400e6), 200);
        assert!((1.5..4.0).contains(&found), "{found}");
    }

    #[test]
    fn a_distant_store_gets_many() {
        let found = average_limit(|n| 30e6 * n.min(20) as f64, 200);
        assert!((14.0..28.0).contains(&found), "{found}");
    }

    #[test]
    fn the_bounds_hold() {
        assert!(average_limit(|n| n as f64 * 1e6, 300) <= MOST as f64);
        assert!(average_limit(|n| 1e9 / n as f64, 300) < 3.0);
    }
}
