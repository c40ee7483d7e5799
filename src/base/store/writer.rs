//! The thread that writes, and the group commit.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Durability, Error, sql};

/// Closures in one commit at most: bounds how long the first of them waits.
const BATCH_MAX: usize = 512;

pub struct Writer {
    /// `None` only while dropping: closing the channel ends the thread.
    jobs: Option<mpsc::Sender<Submitted>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

struct Submitted {
    durability: Durability,
    job: Box<dyn Job>,
}

/// A closure with its result, its types erased.
trait Job: Send {
    /// Runs the closure and keeps its result; true if it succeeded.
    fn run(&mut self, transaction: &Transaction<'_>) -> bool;
    /// Tells the waiter, by the outcome of the commit.
    fn acknowledge(self: Box<Self>, commit: Result<(), Error>);
}

struct Write<T, F> {
    f: Option<F>,
    result: Option<Result<T, Error>>,
    waiter: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> sql::Result<T> + Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> bool {
        let Some(f) = self.f.take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| f(transaction)));
        self.result = Some(result.map_or(Err(Error::Panicked), |result| result.map_err(Error::from)));
        self.result.as_ref().is_some_and(Result::is_ok)
    }

    fn acknowledge(self: Box<Self>, commit: Result<(), Error>) {
        let own = self.result.unwrap_or(Err(Error::Closed));
        // Its own failure says more than that of the commit. A waiter that has gone needs no answer.
        drop(self.waiter.send(own.and_then(|value| commit.map(|()| value))));
    }
}

impl Writer {
    pub fn start(connection: Connection) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let commits = Arc::new(AtomicU64::new(0));
        let mut state =
            State { connection, broken: None, synchronous: Durability::Power, commits: commits.clone() };
        let thread = std::thread::Builder::new()
            .name("holdfs-store".into())
            .spawn(move || state.write_until_closed(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), commits })
    }

    pub fn submit<T: Send + 'static>(
        &self,
        durability: Durability,
        f: impl FnOnce(&Transaction<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Error>>, Error> {
        let (waiter, receiver) = oneshot::channel();
        let job = Box::new(Write { f: Some(f), result: None, waiter });
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(Submitted { durability, job }).map_err(|_| Error::Closed)?;
        Ok(receiver)
    }

    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the database panicked");
        }
    }
}

struct State {
    connection: Connection,
    /// The first I/O error of a commit: see the module's head.
    broken: Option<Arc<sql::Error>>,
    /// What the connection is set to.
    synchronous: Durability,
    commits: Arc<AtomicU64>,
}

impl State {
    fn write_until_closed(&mut self, queue: &mpsc::Receiver<Submitted>) {
        while let Ok(first) = queue.recv() {
            let gathered = std::iter::once(first).chain(queue.try_iter()).take(BATCH_MAX);
            self.write_batch(gathered.collect());
        }
    }

    fn write_batch(&mut self, mut batch: Vec<Submitted>) {
        let outcome = match &self.broken {
            Some(error) => Err(Error::Broken(error.clone())),
            None => self.commit(&mut batch).map_err(|error| self.judge(error)),
        };
        batch.into_iter().for_each(|submitted| submitted.job.acknowledge(outcome.clone()));
    }

    fn commit(&mut self, batch: &mut [Submitted]) -> sql::Result<()> {
        let durability =
            batch.iter().map(|submitted| submitted.durability).max().unwrap_or(Durability::Process);
        self.set_synchronous(durability)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for submitted in batch {
            run_in_savepoint(&transaction, submitted.job.as_mut())?;
        }
        transaction.commit()?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// FULL syncs the log at each commit, NORMAL only at checkpoints (sqlite.org/pragma.html#pragma_synchronous).
    fn set_synchronous(&mut self, durability: Durability) -> sql::Result<()> {
        if self.synchronous != durability {
            let level = match durability {
                Durability::Process => "NORMAL",
                Durability::Power => "FULL",
            };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.synchronous = durability;
        }
        Ok(())
    }

    fn judge(&mut self, error: sql::Error) -> Error {
        let error = Arc::new(error);
        if error.sqlite_error_code() == Some(sql::ErrorCode::SystemIoFailure) {
            tracing::error!(%error, "the database cannot be written any more");
            self.broken = Some(error.clone());
        }
        Error::Sql(error)
    }
}

fn run_in_savepoint(transaction: &Transaction<'_>, job: &mut dyn Job) -> sql::Result<()> {
    let execute = |sql| transaction.prepare_cached(sql)?.execute([]).map(drop);
    execute("SAVEPOINT one")?;
    if !job.run(transaction) {
        execute("ROLLBACK TO one")?;
    }
    execute("RELEASE one")
}
