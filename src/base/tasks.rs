//! Named, supervised tasks; ordered shutdown; the only place that spawns.
//!
//! A panic ends its task only: it is caught, logged under the task's name and counted. [`Tasks::shutdown`]
//! first asks (every [`Stop`] token resolves), then waits, then aborts what is left. A task that is spawned
//! after that is dropped at once.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::telemetry::metrics;

/// Cheap to clone; clones share the set of tasks.
#[derive(Clone)]
pub struct Tasks {
    runtime: Handle,
    shared: Arc<Shared>,
}

struct Shared {
    live: Mutex<Live>,
    /// Signalled when the last live task has ended.
    idle: Notify,
    stop: watch::Sender<bool>,
    next_id: AtomicU64,
}

#[derive(Default)]
struct Live {
    tasks: HashMap<u64, (&'static str, Option<AbortHandle>)>,
    closed: bool,
}

/// A spawned task. Dropping this leaves the task running.
pub struct Task(Option<AbortHandle>);

impl Task {
    /// Drops the task's future at its next await; does nothing to one that has ended.
    pub fn abort(&self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}

/// The result of work on a thread of its own.
pub struct Blocking<T>(tokio::task::JoinHandle<T>);

/// The work panicked, or the runtime is shutting down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work ended without a result (it panicked, or the process is shutting down)")]
pub struct Lost;

impl<T> Future for Blocking<T> {
    type Output = Result<T, Lost>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|result| result.map_err(|_| Lost))
    }
}

/// Tells a task that it should come to its end.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Resolves when shutdown begins (or every `Tasks` is gone).
    pub async fn asked(&mut self) {
        // An error means that the sender is gone, which is an end as well.
        let _gone = self.0.wait_for(|asked| *asked).await;
    }
}

/// Takes the task off the list however it ends.
struct Listed {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut live = self.shared.live.lock();
        live.tasks.remove(&self.id);
        if live.tasks.is_empty() {
            self.shared.idle.notify_waiters();
        }
    }
}

impl Tasks {
    pub fn new(runtime: Handle) -> Self {
        let (live, idle, next_id) = (Mutex::default(), Notify::new(), AtomicU64::new(0));
        Self { runtime, shared: Arc::new(Shared { live, idle, stop: watch::Sender::new(false), next_id }) }
    }

    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let Some(listed) = self.list(name) else { return Task(None) };
        let id = listed.id;
        let supervised = async move {
            let _listed = listed;
            if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
                report_panic(name, panic.as_ref());
            }
        };
        let handle = self.runtime.spawn(supervised).abort_handle();
        if let Some((_, slot)) = self.shared.live.lock().tasks.get_mut(&id) {
            *slot = Some(handle.clone());
        }
        Task(Some(handle))
    }

    /// Runs `work` on a thread that may block. It cannot be aborted; shutdown waits for it until its deadline.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Blocking<T> {
        let listed = self.list(name);
        Blocking(self.runtime.spawn_blocking(move || {
            let _listed = listed;
            std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                report_panic(name, panic.as_ref());
                std::panic::resume_unwind(panic)
            })
        }))
    }

    pub fn token(&self) -> Stop {
        Stop(self.shared.stop.subscribe())
    }

    /// Tasks that have not ended, by name.
    pub fn live(&self) -> Vec<&'static str> {
        self.shared.live.lock().tasks.values().map(|(name, _)| *name).collect()
    }

    /// Asks all tasks to end, waits for `grace` at most, aborts the rest and names them.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stop.send_replace(true);
        let in_time = tokio::time::timeout(grace, self.idle()).await;
        let left = {
            let mut live = self.shared.live.lock();
            live.closed = true;
            live.tasks.values().cloned().collect::<Vec<_>>()
        };
        if in_time.is_err() {
            let names: Vec<_> = left.iter().map(|(name, _)| *name).collect();
            tracing::warn!(tasks = ?names, "these tasks did not end in {grace:?} and are aborted");
        }
        left.iter().filter_map(|(_, handle)| handle.as_ref()).for_each(AbortHandle::abort);
    }

    async fn idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.live.lock().tasks.is_empty() {
                return;
            }
            idle.await;
        }
    }

    /// `None` once shutdown is over.
    fn list(&self, name: &'static str) -> Option<Listed> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let mut live = self.shared.live.lock();
        if live.closed {
            return None;
        }
        live.tasks.insert(id, (name, None));
        Some(Listed { shared: self.shared.clone(), id })
    }
}

fn report_panic(name: &'static str, panic: &(dyn std::any::Any + Send)) {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    metrics::PANICS.add(1);
    tracing::error!(task = name, "a task panicked: {}", text.unwrap_or("(no message)"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    #[test]
    fn a_panic_ends_only_its_own_task() {
        let runtime = runtime();
        let tasks = Tasks::new(runtime.handle().clone());
        runtime.block_on(async {
            let before = metrics::PANICS.value();
            tasks.spawn("falls", async { panic!("oh") });
            assert_eq!(tasks.spawn_blocking("falls", || panic!("oh")).await.map(|(): ()| ()), Err(Lost));
            assert_eq!(tasks.spawn_blocking("stands", || 7).await, Ok(7));
            tasks.shutdown(Duration::from_secs(5)).await;
            assert!(metrics::PANICS.value() >= before + 2);
            assert!(tasks.live().is_empty());
        });
    }

    #[test]
    fn shutdown_asks_then_aborts() {
        let runtime = runtime();
        let tasks = Tasks::new(runtime.handle().clone());
        runtime.block_on(async {
            let (done, mut ended) = watch::channel(0);
            let (mut stop, polite) = (tasks.token(), done.clone());
            tasks.spawn("polite", async move {
                stop.asked().await;
                polite.send_modify(|n| *n += 1);
            });
            let on_drop = scopeguard(move || done.send_modify(|n| *n += 10));
            tasks.spawn("stubborn", async move {
                let _on_drop = on_drop;
                std::future::pending::<()>().await;
            });
            tasks.shutdown(Duration::from_millis(50)).await;
            ended.wait_for(|n| *n == 11).await.unwrap();
            tasks.spawn("late", async { panic!("must not run") });
            assert!(tasks.live().iter().all(|name| *name != "late"));
        });
    }

    struct Guard<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Guard<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    fn scopeguard<F: FnMut()>(f: F) -> Guard<F> {
        Guard(f)
    }

    #[test]
    fn an_aborted_task_leaves_the_list() {
        let runtime = runtime();
        let tasks = Tasks::new(runtime.handle().clone());
        runtime.block_on(async {
            let task = tasks.spawn("waits", std::future::pending());
            task.abort();
            tokio::time::timeout(Duration::from_secs(5), tasks.idle()).await.unwrap();
        });
    }
}
