//! The runtimes of commands that talk to a store and then leave (a mount builds its own).

use std::future::Future;
use std::num::NonZero;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Outcome};
use crate::base::tasks::{Stop, Tasks};

/// How long a command that was interrupted may take to put things in order.
const GRACE: Duration = Duration::from_secs(10);

/// How long one that does nothing of that kind may seem to hear nothing.
const STUCK: Duration = Duration::from_secs(2);

const WORKERS_MAX: usize = 8;

/// For servers, which work while this thread does something else.
pub fn build() -> Outcome<Runtime> {
    started(Builder::new_multi_thread().worker_threads(2))
}

/// For a command. What one thread receives, it also checks and writes while it is in its caches: on two cores a second
/// thread costs up to twice the CPU for small objects, a fifth more for large ones, and makes nothing faster.
fn of_a_command() -> Outcome<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    match workers(cores) {
        0 => started(&mut Builder::new_current_thread()),
        workers => started(Builder::new_multi_thread().worker_threads(workers)),
    }
}

/// Threads beside the command's own: half of the cores, for the kernel has its share in every byte.
fn workers(cores: usize) -> usize {
    if cores < 4 { 0 } else { (cores / 2).min(WORKERS_MAX) }
}

fn started(builder: &mut Builder) -> Outcome<Runtime> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::environment(format!("Cannot start worker threads: {error}.")))
}

/// Runs one command's future to its end.
pub fn block_on<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    build()?.block_on(future)
}

/// What interrupts a command: Ctrl-C, SIGTERM, a terminal that is closed.
pub struct Interrupt {
    tasks: Tasks,
    tidies: AtomicBool,
}

impl Interrupt {
    /// For a command that must put things in order when it is interrupted: it goes on until it has, and should do so
    /// when this asks. Any other command is dropped where it stands.
    pub fn tidied(&self) -> Stop {
        self.tidies.store(true, Ordering::Relaxed);
        self.tasks.token()
    }
}

/// Runs what may wait for a person or a pipe on a thread of its own, so that an interrupt is heard meanwhile.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    let done = Tasks::new(Handle::current()).spawn_blocking("waits for input", work).await;
    done.map_err(|lost| Failure::refused(lost.to_string()))
}

/// Runs one command to its end, or until it is interrupted. The second interrupt ends any command at once.
pub fn interruptible<T>(work: impl AsyncFnOnce(&Interrupt) -> Outcome<T>) -> Outcome<T> {
    let runtime = of_a_command()?;
    have_a_last_resort()?;
    let outcome = runtime.block_on(async {
        let interrupt =
            Interrupt { tasks: Tasks::new(runtime.handle().clone()), tidies: AtomicBool::new(false) };
        let mut work = pin!(work(&interrupt));
        tokio::select! {
            outcome = &mut work => return outcome,
            caught = interrupted() => caught?,
        }
        interrupt.tasks.shutdown(Duration::ZERO).await;
        let interrupted_failure = Err(Failure::refused("Interrupted."));
        if !interrupt.tidies.load(Ordering::Relaxed) {
            return interrupted_failure;
        }
        tokio::select! {
            outcome = tokio::time::timeout(GRACE, work) => outcome.unwrap_or(interrupted_failure),
            _ = interrupted() => interrupted_failure,
        }
    });
    // A thread that still waits for standard input must not hold us up.
    runtime.shutdown_background();
    outcome
}

/// A command that is stuck in a system call hears no interrupt, and may have no other thread. Some time after the first
/// interrupt, the next one kills it.
fn have_a_last_resort() -> Outcome {
    let runtime = started(&mut Builder::new_current_thread())?;
    let thread = std::thread::Builder::new().name("last resort".to_owned());
    let spawned = thread.spawn(move || runtime.block_on(give_signals_back()));
    spawned.map(drop).map_err(|error| Failure::environment(format!("Cannot start a thread: {error}.")))
}

async fn give_signals_back() {
    if interrupted().await.is_ok() {
        tokio::time::sleep(STUCK).await;
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: takes plain numbers; no handler of ours is running that could be pulled away.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

async fn interrupted() -> Outcome {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else {
        return Err(Failure::environment("Cannot wait for signals."));
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::workers;

    #[test]
    fn few_cores_have_one_thread() {
        let table = [(1, 0), (2, 0), (3, 0), (4, 2), (8, 4), (16, 8), (128, 8)];
        assert_eq!(table.map(|(cores, _)| workers(cores)), table.map(|(_, threads)| threads));
    }
}
