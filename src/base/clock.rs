//! The clock seam: real time, or time that a test moves by hand.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

/// Cheap to clone; clones of a manual clock share its time.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    started: Instant,
    started_wall: SystemTime,
    elapsed: Mutex<Duration>,
}

impl Clock {
    pub fn system() -> Self {
        Self(Kind::System)
    }
    /// Stands still, beginning at the time of the call, until [`Clock::advance`].
    pub fn manual() -> Self {
        Self::manual_at(SystemTime::now())
    }
    /// A manual clock whose wall time begins at `wall`.
    pub fn manual_at(wall: SystemTime) -> Self {
        let elapsed = Mutex::new(Duration::ZERO);
        Self(Kind::Manual(Arc::new(Manual { started: Instant::now(), started_wall: wall, elapsed })))
    }
    /// Monotonic, for deadlines and time to live.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::System => Instant::now(),
            Kind::Manual(manual) => manual.started + *manual.elapsed.lock(),
        }
    }
    /// Wall time, for signatures and file times.
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            Kind::System => SystemTime::now(),
            Kind::Manual(manual) => manual.started_wall + *manual.elapsed.lock(),
        }
    }
    /// Moves a manual clock; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(manual) = &self.0 {
            *manual.elapsed.lock() += by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual_at(SystemTime::UNIX_EPOCH);
        let (other, before) = (clock.clone(), clock.now());
        other.advance(Duration::from_secs(7));
        assert_eq!(clock.now() - before, Duration::from_secs(7));
        assert_eq!(clock.wall(), SystemTime::UNIX_EPOCH + Duration::from_secs(7));
    }
}
