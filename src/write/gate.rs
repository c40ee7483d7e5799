//! How many parts are in flight over all files: as many as [`Pace`] found best so far.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::pace::Pace;
use crate::base::clock::Clock;

pub struct Gate {
    state: Mutex<State>,
    freed: Notify,
    clock: Clock,
}

struct State {
    pace: Pace,
    in_flight: usize,
    waiting: usize,
    /// When a part was last stored while the gate was full.
    last: Option<Instant>,
}

/// The right to have one part in flight.
pub struct Slot(Arc<Gate>);

impl Gate {
    pub fn new(clock: Clock) -> Arc<Self> {
        let state = State { pace: Pace::default(), in_flight: 0, waiting: 0, last: None };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new(), clock })
    }

    pub fn limit(&self) -> usize {
        self.state.lock().pace.limit()
    }

    pub async fn enter(self: &Arc<Self>) -> Slot {
        let _waiting = Waiting::new(self);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(slot) = self.try_enter() {
                return slot;
            }
            freed.await;
        }
    }

    fn try_enter(self: &Arc<Self>) -> Option<Slot> {
        let mut state = self.state.lock();
        let room = state.in_flight < state.pace.limit();
        state.in_flight += usize::from(room);
        room.then(|| Slot(self.clone()))
    }
}

impl Slot {
    /// The part of this slot is stored.
    pub fn stored(&self, bytes: u64) {
        let now = self.0.clock.now();
        let mut state = self.0.state.lock();
        let full = state.waiting > 0 && state.in_flight >= state.pace.limit();
        match state.last.replace(now) {
            Some(last) if full => state.pace.stored(bytes, now.saturating_duration_since(last)),
            _ => state.pace.idle(),
        }
        if !full {
            state.last = None;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.state.lock().in_flight -= 1;
        self.0.freed.notify_waiters();
    }
}

struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.state.lock().waiting += 1;
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn no_more_enter_than_the_limit_and_a_slot_comes_back_on_drop() {
        let gate = Gate::new(Clock::system());
        let mut slots = Vec::new();
        for _ in 0..gate.limit() {
            slots.push(gate.enter().await);
        }
        let waits = gate.enter();
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        slots.pop();
        waits.await;
        assert_eq!(gate.state.lock().waiting, 0);
    }
}
