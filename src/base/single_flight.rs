//! One computation in flight per key.
//!
//! Who comes while the computation runs shares its result; who comes after it ended starts another. The work
//! runs in a task of its own, so that a caller that goes away cancels nothing for the others.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::base::tasks::Tasks;

/// The computation ended without a value; the next caller may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the computation ended without a result (it panicked, or the process is shutting down)")]
pub struct Panicked;

pub struct SingleFlight<K, V> {
    tasks: Tasks,
    flights: Arc<Flights<K, V>>,
}

type Flights<K, V> = Mutex<HashMap<K, watch::Receiver<Option<V>>>>;

/// Clears the key however the computation ends, and only then lets the waiters know: whoever saw the end never
/// joins the flight that came to it.
struct Landing<K: Hash + Eq, V> {
    key: K,
    flights: Arc<Flights<K, V>>,
    result: watch::Sender<Option<V>>,
}

impl<K: Hash + Eq, V> Landing<K, V> {
    fn land(self, value: V) {
        self.flights.lock().remove(&self.key);
        self.result.send_replace(Some(value));
    }
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub fn new(tasks: Tasks) -> Self {
        Self { tasks, flights: Arc::default() }
    }

    /// `make` is called only if nothing is in flight for `key`.
    pub async fn run<F>(&self, key: K, make: impl FnOnce() -> F) -> Result<V, Panicked>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut result = self.join_or_start(key, make);
        // An error means that the sender was dropped without a value.
        result.wait_for(Option::is_some).await.ok().and_then(|value| value.clone()).ok_or(Panicked)
    }

    fn join_or_start<F>(&self, key: K, make: impl FnOnce() -> F) -> watch::Receiver<Option<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (result, receiver) = watch::channel(None);
        {
            let mut flights = self.flights.lock();
            if let Some(flight) = flights.get(&key) {
                return flight.clone();
            }
            flights.insert(key.clone(), receiver.clone());
        }
        let landing = Landing { key, flights: self.flights.clone(), result };
        let work = make();
        self.tasks.spawn("single flight", async move {
            let value = work.await;
            landing.land(value);
        });
        receiver
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    fn on_runtime<F: Future>(test: impl FnOnce(Tasks) -> F) -> F::Output {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let tasks = Tasks::new(runtime.handle().clone());
        runtime.block_on(test(tasks))
    }

    #[test]
    fn callers_at_the_same_time_share_one_computation() {
        on_runtime(|tasks| async move {
            let (flight, count) = (SingleFlight::new(tasks), Arc::new(AtomicU32::new(0)));
            let one = || {
                let count = count.clone();
                flight.run("key", move || async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    count.fetch_add(1, Ordering::SeqCst)
                })
            };
            assert_eq!(tokio::join!(one(), one(), one()), (Ok(0), Ok(0), Ok(0)));
            assert_eq!(one().await, Ok(1));
        });
    }

    #[test]
    fn a_dropped_caller_cancels_nothing() {
        on_runtime(|tasks| async move {
            let flight = Arc::new(SingleFlight::new(tasks));
            let gate = Arc::new(tokio::sync::Notify::new());
            let inside = gate.clone();
            let first = flight.run(1, move || async move {
                inside.notified().await;
                "done"
            });
            assert!(tokio::time::timeout(Duration::from_millis(10), first).await.is_err());
            let second = flight.run(1, || async { "never made" });
            let (second, ()) = tokio::join!(second, async { gate.notify_one() });
            assert_eq!(second, Ok("done"));
        });
    }

    #[test]
    fn a_panic_yields_to_the_next_caller() {
        on_runtime(|tasks| async move {
            let flight: SingleFlight<u8, u8> = SingleFlight::new(tasks);
            assert_eq!(flight.run(1, || async { panic!("oh") }).await, Err(Panicked));
            assert_eq!(flight.run(1, || async { 2 }).await, Ok(2));
            assert!(flight.flights.lock().is_empty());
        });
    }
}
