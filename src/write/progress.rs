//! When anything last moved in storing a file: a slow line is no failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::base::clock::Clock;

pub struct Progress {
    latest: Mutex<Instant>,
    clock: Clock,
}

/// Nothing happened and nothing moved for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled;

impl Progress {
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { latest: Mutex::new(clock.now()), clock })
    }

    /// Bytes went to the store.
    pub fn moved(&self) {
        *self.latest.lock() = self.clock.now();
    }

    /// The next change, however long it takes while bytes move.
    pub async fn changed<T>(
        &self,
        changed: &mut watch::Receiver<T>,
        stalled_after: Duration,
    ) -> Result<(), Stalled> {
        let begun = self.clock.now();
        loop {
            let since = begun.max(*self.latest.lock());
            let left = stalled_after.saturating_sub(self.clock.now().saturating_duration_since(since));
            match tokio::time::timeout(left, changed.changed()).await {
                Ok(_) => return Ok(()),
                Err(_) if *self.latest.lock() > since => {}
                Err(_) => return Err(Stalled),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn bytes_that_move_keep_a_wait_alive_and_silence_ends_it() {
        let progress = Progress::new(Clock::system());
        let (sender, mut changed) = watch::channel(());
        let begun = Instant::now();
        let mover = async {
            for _ in 0..10 {
                tokio::time::sleep(SHORT / 3).await;
                progress.moved();
            }
        };
        let (stalled, ()) = tokio::join!(progress.changed(&mut changed, SHORT), mover);
        assert_eq!(stalled, Err(Stalled));
        assert!(begun.elapsed() > SHORT * 3, "{:?}", begun.elapsed());
        sender.send_replace(());
        assert_eq!(progress.changed(&mut changed, SHORT).await, Ok(()));
    }
}
