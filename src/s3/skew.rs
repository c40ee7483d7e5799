//! The store's clock as seen from ours: every reply's `Date` is compared with the middle of its round trip, and
//! requests are signed with our time plus the difference. No decision about data rests on either clock.

use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

/// A reply that took longer says nothing about the clock.
const TRIP_MAX: Duration = Duration::from_secs(15 * 60);
/// With a smaller difference no store refuses a signature because of its time (their tolerance is 15 minutes).
pub const SUSPICIOUS_SECONDS: i64 = 4 * 60;

/// When a reply was asked for and came, by our clock.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    pub sent: SystemTime,
    pub received: SystemTime,
}

/// Seconds by which the store is ahead of us; `None` when this reply cannot tell.
pub fn measure(trip: Trip, date: Option<SystemTime>, aged: bool) -> Option<i64> {
    let date = date.filter(|_| !aged)?;
    let took = trip.received.duration_since(trip.sent).ok()?;
    if took > TRIP_MAX {
        return None;
    }
    Some(seconds_between(trip.sent + took / 2, date))
}

fn seconds_between(from: SystemTime, to: SystemTime) -> i64 {
    let whole = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(ahead) => whole(ahead),
        Err(behind) => -whole(behind.duration()),
    }
}

pub fn is_suspicious(seconds: i64) -> bool {
    seconds.abs() > SUSPICIOUS_SECONDS
}

/// The latest measure, shared by all clones of a client.
#[derive(Default)]
pub struct Skew(Mutex<i64>);

impl Skew {
    pub fn learn(&self, seconds: i64) {
        *self.0.lock() = seconds;
    }
    pub fn seconds(&self) -> i64 {
        *self.0.lock()
    }
    /// The time to sign with.
    pub fn apply(&self, wall: SystemTime) -> SystemTime {
        let seconds = self.seconds();
        let by = Duration::from_secs(seconds.unsigned_abs());
        let moved = if seconds < 0 { wall.checked_sub(by) } else { wall.checked_add(by) };
        moved.unwrap_or(wall)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::base::timestamp;

    #[derive(Deserialize)]
    struct Fixture {
        tests: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        description: String,
        operations: Vec<Operation>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Operation {
        initial_client_skew: i64,
        attempts: Vec<Attempt>,
        expected_client_skew: i64,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Attempt {
        client_time_at_send: String,
        client_time_at_receive: String,
        expected_signing_time: String,
        response: Option<Reply>,
    }

    #[derive(Deserialize)]
    struct Reply {
        #[serde(default)]
        headers: std::collections::BTreeMap<String, String>,
    }

    fn time(text: &str) -> SystemTime {
        timestamp::parse_rfc3339(text).expect("a time")
    }

    #[test]
    fn the_sdks_cases_agree() {
        let text = include_str!("../../tests/fixtures/aws/clock-skew-test-cases.json");
        let fixture: Fixture = serde_json::from_str(text).expect("the fixture");
        assert_eq!(fixture.tests.len(), 10);
        for case in fixture.tests {
            for operation in case.operations {
                let skew = Skew::default();
                skew.learn(operation.initial_client_skew);
                for attempt in operation.attempts {
                    let sent = time(&attempt.client_time_at_send);
                    assert_eq!(
                        skew.apply(sent),
                        time(&attempt.expected_signing_time),
                        "{}",
                        case.description
                    );
                    let Some(reply) = attempt.response else { continue };
                    let trip = Trip { sent, received: time(&attempt.client_time_at_receive) };
                    let date = reply.headers.get("Date").and_then(|date| timestamp::parse_http_date(date));
                    if let Some(seconds) = measure(trip, date, reply.headers.contains_key("Age")) {
                        skew.learn(seconds);
                    }
                }
                assert_eq!(skew.seconds(), operation.expected_client_skew, "{}", case.description);
            }
        }
    }
}
