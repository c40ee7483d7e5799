//! How fast to ask a store that said "slow down": additive increase, multiplicative decrease of a token rate that
//! all clones of a client share. A store that never throttles is never slowed: until the first such reply there
//! is no rate, and a rate that has not been needed for a while goes away again.
//!
//! ```text
//!            throttled                 throttled: rate × 0.7
//!   Free ──────────────▶ Limited(rate) ──────────┐
//!     ▲  rate = 0.7 ×        │   ▲───────────────┘
//!     │  what was asked      │  every second without: rate + 1/20 of the ceiling
//!     └── a minute without ──┘
//! ```

use std::time::{Duration, Instant};

use parking_lot::Mutex;

const DECREASE: f64 = 0.7;
/// Of the rate at which the store first objected, gained back each second.
const INCREASE_SHARE: f64 = 0.05;
/// Requests a second, so that many waiting callers all get their turn before their deadlines.
const RATE_MIN: f64 = 8.0;
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// Replies to requests that were sent before the rate went down say nothing about the new rate.
const DECREASE_EVERY: Duration = Duration::from_millis(500);
/// What may be sent at once after a pause, in seconds of the rate.
const BURST_SECONDS: f64 = 0.25;
const MEASURE_SPAN: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct Pace(Mutex<State>);

#[derive(Default)]
struct State {
    asked: Meter,
    limit: Option<Limit>,
}

/// Requests a second, smoothed over half-second spans.
#[derive(Default)]
struct Meter {
    span: Option<(Instant, u32)>,
    rate: f64,
}

struct Limit {
    rate: f64,
    ceiling: f64,
    /// Negative while callers wait for tokens that were promised to them.
    tokens: f64,
    filled: Instant,
    decreased: Instant,
}

impl Pace {
    /// Takes the next place in the line; the caller waits that long before it sends.
    pub fn reserve(&self, now: Instant) -> Duration {
        let mut state = self.0.lock();
        state.asked.count(now);
        let Some(limit) = &mut state.limit else { return Duration::ZERO };
        limit.refill(now);
        if limit.is_outlived(now) {
            state.limit = None;
            return Duration::ZERO;
        }
        limit.tokens -= 1.0;
        Duration::from_secs_f64((-limit.tokens / limit.rate).max(0.0))
    }

    pub fn throttled(&self, now: Instant) {
        let mut state = self.0.lock();
        let asked = state.asked.rate;
        match &mut state.limit {
            None => state.limit = Some(Limit::start(asked.max(RATE_MIN), now)),
            Some(limit) => limit.decrease(now),
        }
    }

    /// Requests a second that are allowed now; `None` while the store has not objected.
    pub fn rate(&self) -> Option<f64> {
        self.0.lock().limit.as_ref().map(|limit| limit.rate)
    }
}

impl Meter {
    fn count(&mut self, now: Instant) {
        let (start, count) = self.span.get_or_insert((now, 0));
        *count += 1;
        let span = now.saturating_duration_since(*start);
        if span >= MEASURE_SPAN {
            let latest = f64::from(*count) / span.as_secs_f64();
            self.rate = if self.rate == 0.0 { latest } else { self.rate * 0.2 + latest * 0.8 };
            self.span = Some((now, 0));
        } else if self.rate == 0.0 || f64::from(*count) > self.rate {
            // A first burst counts at once: it may be what the store objects to.
            self.rate = f64::from(*count);
        }
    }
}

impl Limit {
    fn start(asked: f64, now: Instant) -> Self {
        let rate = (asked * DECREASE).max(RATE_MIN);
        Self { rate, ceiling: asked, tokens: 0.0, filled: now, decreased: now }
    }
    fn decrease(&mut self, now: Instant) {
        if now.saturating_duration_since(self.decreased) >= DECREASE_EVERY {
            self.refill(now);
            self.rate = (self.rate * DECREASE).max(RATE_MIN);
            self.decreased = now;
        }
    }
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.rate * BURST_SECONDS);
        self.rate += passed * (self.ceiling * INCREASE_SHARE).max(1.0);
    }
    fn is_outlived(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.decreased) > FORGET_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn nobody_waits_before_the_store_objects() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert!((0..10_000).all(|n| pace.reserve(start + ms(n / 10)) == Duration::ZERO));
        assert_eq!(pace.rate(), None);
    }

    #[test]
    fn the_rate_falls_by_parts_and_comes_back_by_steps() {
        let (pace, start) = (Pace::default(), Instant::now());
        for n in 0..2_000 {
            pace.reserve(start + ms(n)); // 1,000 a second
        }
        let now = start + ms(2_000);
        pace.throttled(now);
        let first = pace.rate().expect("limited");
        assert!((600.0..800.0).contains(&first), "{first}");
        pace.throttled(now + ms(10));
        assert_eq!(pace.rate(), Some(first), "replies to older requests do not count");
        pace.throttled(now + ms(600));
        let second = pace.rate().expect("limited");
        assert!(second < first * 0.8, "{second}");
        pace.reserve(now + ms(1_600));
        let third = pace.rate().expect("limited");
        assert!(third > second + 30.0 && third < second + 80.0, "{third}");
    }

    #[test]
    fn callers_get_their_turn_one_after_the_other() {
        let (pace, now) = (Pace::default(), Instant::now());
        pace.throttled(now);
        let waits: Vec<Duration> = (0..64).map(|_| pace.reserve(now)).collect();
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(waits[63] <= Duration::from_secs(8), "{:?}", waits[63]);
    }

    #[test]
    fn the_rate_never_falls_below_its_floor_and_is_forgotten_at_last() {
        let (pace, start) = (Pace::default(), Instant::now());
        for n in 0..100 {
            pace.throttled(start + ms(500 * n));
        }
        let rate = pace.rate().expect("limited");
        assert!((RATE_MIN..2.0 * RATE_MIN).contains(&rate), "{rate}");
        assert_eq!(pace.reserve(start + ms(500 * 99) + FORGET_AFTER + ms(1)), Duration::ZERO);
        assert_eq!(pace.rate(), None);
    }
}
