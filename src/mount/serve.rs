//! Builds the engines of one mount and runs them until the end.

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::base::budget::Budget;
use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::base::timestamp;
use crate::config::{Options, paths};
use crate::fs::{self, Access, Durability, FileSystem, Parts};
use crate::fuse::{Session, session};
use crate::s3::Client;
use crate::telemetry::metrics;
use crate::write::FileId;

use super::control::{Act, Answer, Ask, Connection, Listener};
use super::daemon::Readiness;
use super::unmount::{Detach, unmount};
use super::{Error, Request, Result, checks, process, table};

/// How often a mount that drains says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// An unmount that takes longer waits for something that will not come: the process ends without it, and the kernel
/// ends the mount with the process.
const UNMOUNT_MAX: Duration = Duration::from_secs(5);
/// For a client to take the last word of a mount.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// For tasks that were told to end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// Mounts, serves until the end, and returns how many files stay in the journal.
pub fn serve(request: &Request, readiness: Readiness) -> Result<usize> {
    process::prepare();
    let runtime = runtime()?;
    let mounted = match runtime.block_on(Mounted::start(request)) {
        Ok(mounted) => mounted,
        Err(error) => {
            // Nothing was begun that has to end well, and somebody waits for the reason.
            let reported = report(error, readiness);
            runtime.shutdown_background();
            return Err(reported);
        }
    };
    let served = runtime.block_on(mounted.run(readiness));
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    served
}

/// The parent prints it if there is one; then it must not be printed twice.
fn report(error: Error, readiness: Readiness) -> Error {
    if readiness.failed(&error.to_string()) { Error::new("") } else { error }
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("worker").build().map_err(|error| {
        Error::new(format!("Cannot start threads: {error}. Is a limit on processes in the way?"))
    })
}

/// A mount that the kernel has taken.
struct Mounted<'a> {
    request: &'a Request,
    client: Client,
    fs: Arc<FileSystem>,
    tasks: Tasks,
    session: Session,
    device: String,
    since: SystemTime,
}

/// Why a mount ends.
enum Reason {
    /// umount(2) by somebody else: the tree is rid of it already.
    Ended,
    /// SIGTERM, SIGINT, SIGHUP.
    Signal,
    /// `holdfs umount`.
    Asked(Leave),
}

/// A wish of `holdfs umount`, and where to tell what became of it.
struct Leave {
    lazily: bool,
    wait: Option<Duration>,
    progress: mpsc::Sender<Answer>,
}

impl<'a> Mounted<'a> {
    async fn start(request: &'a Request) -> Result<Self> {
        let options = &request.options;
        let client = Client::new(options.store.client_config())
            .map_err(|error| Error::new(format!("Cannot talk to the store: {error}.")))?;
        checks::check_store(&client, &request.target, options.store.region.as_deref()).await?;
        checks::learn_conditions(&client, &request.target, options.read_only).await;
        let tasks = Tasks::new(tokio::runtime::Handle::current());
        let fs =
            FileSystem::open(parts(request, &client)).await.map_err(|error| cannot_open(request, &error))?;
        let session = Session::start(fs.clone(), tasks.clone(), &request.directory, &request.mount_flags())
            .map_err(|error| cannot_mount(request, &error))?;
        let device = match table::at(&request.directory) {
            Ok(Some(mount)) => mount.device,
            _ => String::new(),
        };
        session::raise_read_ahead(&device);
        tracing::info!("mounted {} on {}", request.target, request.directory.display());
        Ok(Self { request, client, fs, tasks, session, device, since: SystemTime::now() })
    }

    async fn run(self, readiness: Readiness) -> Result<usize> {
        let mut signals = Signals::new()?;
        let listener = Listener::bind(&self.device)
            .inspect_err(|error| tracing::warn!("holdfs status cannot reach this mount: {error}"))
            .ok();
        if let Err(error) = readiness.ready() {
            tracing::warn!("nobody heard that the mount is ready: {error}");
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let (leaving, mut wishes) = mpsc::channel(1);
        let left = loop {
            let reason = tokio::select! {
                () = self.session.ended() => Reason::Ended,
                () = signals.next() => Reason::Signal,
                Some(leave) = wishes.recv() => Reason::Asked(leave),
                connection = accept(listener.as_ref()) => {
                    self.attend(connection, leaving.clone());
                    continue;
                }
            };
            if let Some(left) = self.leave(reason, &mut signals).await {
                break left;
            }
        };
        self.fs.shutdown().await;
        tracing::info!("unmounted {}", self.request.directory.display());
        Ok(left)
    }

    /// Answers one client from a task of its own.
    fn attend(&self, mut connection: Connection, leaving: mpsc::Sender<Leave>) {
        let (status, fs) = (self.status(), self.fs.clone());
        self.tasks.spawn("control", async move {
            let attended = match connection.ask().await {
                Ok(Ask::Journal { file, act }) => {
                    connection.answer(&act_on_journal(&fs, file, act).await).await
                }
                Ok(Ask::Status) => connection.answer(&Answer::Status(status)).await,
                Ok(Ask::Unmount { lazily, wait_seconds }) => {
                    let wait = wait_seconds.map(Duration::from_secs);
                    relay_leave(&mut connection, &leaving, lazily, wait).await
                }
                Err(error) => connection.answer(&Answer::Failed(error.to_string())).await,
            };
            if let Err(error) = attended {
                tracing::debug!("a client of the control socket went away: {error}");
            }
        });
    }

    /// `None`: the mount stays. Otherwise it is gone, and so many files are left in the journal.
    async fn leave(&self, reason: Reason, signals: &mut Signals) -> Option<usize> {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let (wait, progress) = match &reason {
            Reason::Asked(leave) => (leave.wait, Some(&leave.progress)),
            Reason::Ended | Reason::Signal => (None, None),
        };
        let left = self.drain(wait.unwrap_or(self.request.options.drain_timeout), progress, signals).await;
        match reason {
            Reason::Ended => {}
            Reason::Signal => self.detach().await,
            Reason::Asked(Leave { lazily, progress, .. }) => {
                let answer = self.detach_as_asked(lazily, left).await;
                let stays = !matches!(answer, Answer::Unmounted { .. });
                let _ = progress.send(answer).await;
                // Until the client has it, or has gone: the process must not end first.
                let _ = tokio::time::timeout(ANSWER_MAX, progress.closed()).await;
                if stays {
                    return None;
                }
            }
        }
        Some(left)
    }

    /// Uploads what is pending; a signal meanwhile means: at once.
    async fn drain(
        &self,
        timeout: Duration,
        progress: Option<&mpsc::Sender<Answer>>,
        signals: &mut Signals,
    ) -> usize {
        let drained = self.fs.drain(timeout);
        tokio::pin!(drained);
        let mut tick = tokio::time::interval(PROGRESS_EVERY);
        let left = loop {
            tokio::select! {
                left = &mut drained => break left,
                () = signals.next() => break self.fs.drain(Duration::ZERO).await,
                _ = tick.tick() => if let Some(progress) = progress {
                    // A client that does not read is not worth waiting for.
                    let _ = progress.try_send(Answer::Progress(self.status()));
                }
            }
        };
        if left > 0 {
            tracing::warn!(
                "{left} files are not uploaded; they stay in the journal, and the next mount goes on"
            );
        }
        left
    }

    /// Out of the tree, whoever still has files open.
    async fn detach(&self) {
        self.session.disarm();
        for detach in [Detach::WhenUnused, Detach::Lazily] {
            match self.try_unmount(detach).await {
                Ok(()) => return,
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) => return tracing::error!("cannot unmount: {error}"),
            }
        }
    }

    async fn detach_as_asked(&self, lazily: bool, left: usize) -> Answer {
        self.session.disarm();
        let detach = if lazily { Detach::Lazily } else { Detach::WhenUnused };
        match self.try_unmount(detach).await {
            Ok(()) => Answer::Unmounted { left },
            Err(error) => {
                self.session.arm();
                let busy = error.raw_os_error() == Some(libc::EBUSY);
                if busy { Answer::Busy } else { Answer::Failed(error.to_string()) }
            }
        }
    }

    /// umount2(2) may wait for this very process, so it has a thread of its own and limited time.
    async fn try_unmount(&self, detach: Detach) -> std::io::Result<()> {
        let (done, unmounted) = oneshot::channel();
        let directory = self.request.directory.clone();
        std::thread::Builder::new().name("unmount".into()).spawn(move || {
            let _ = done.send(unmount(&directory, detach));
        })?;
        match tokio::time::timeout(UNMOUNT_MAX, unmounted).await {
            Ok(Ok(result)) => result,
            _ => Err(std::io::Error::from(std::io::ErrorKind::TimedOut)),
        }
    }

    fn status(&self) -> Value {
        let (request, stats) = (self.request, self.client.stats());
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "source": request.target.to_string(),
            "directory": table::display(&request.directory),
            "endpoint": self.client.endpoint(),
            "access": if request.options.read_only { "read-only" } else { "read-write" },
            "since": timestamp::rfc3339(self.since),
            "requests": {
                "sent": stats.requests,
                "retried": stats.retries,
                "throttled": stats.throttled,
                "bytes_sent": stats.bytes_sent,
                "bytes_received": stats.bytes_received,
            },
            "files": self.fs.status(),
            "metrics": metrics::json(),
        })
    }
}

async fn act_on_journal(fs: &FileSystem, file: i64, act: Act) -> Answer {
    let Some(journal) = fs.journal() else {
        return Answer::Failed("a read-only mount has no journal".into());
    };
    let file = FileId(file);
    let done = match act {
        Act::Retry => journal.retry(file).map(|()| 0),
        Act::Discard => journal.discard(file).await.map(|()| 0),
        Act::Export { target } => {
            journal.export(file, target).await.map(|ranges| ranges.iter().map(|range| range.len()).sum())
        }
    };
    done.map_or_else(|error| Answer::Failed(error.to_string()), |bytes| Answer::Done { bytes })
}

/// Passes the wish on, and what comes of it back.
async fn relay_leave(
    connection: &mut Connection,
    leaving: &mpsc::Sender<Leave>,
    lazily: bool,
    wait: Option<Duration>,
) -> std::io::Result<()> {
    let (progress, mut answers) = mpsc::channel(4);
    if leaving.send(Leave { lazily, wait, progress }).await.is_err() {
        return connection.answer(&Answer::Failed("the mount is ending already".into())).await;
    }
    while let Some(answer) = answers.recv().await {
        connection.answer(&answer).await?;
        if matches!(answer, Answer::Unmounted { .. }) {
            drop(answers);
            // The client waits for the end of the connection, which comes with that of the process: then the journal is
            // free for the next mount.
            return pending().await;
        }
    }
    Ok(())
}

async fn accept(listener: Option<&Listener>) -> Connection {
    loop {
        match listener {
            Some(listener) => match listener.accept().await {
                Ok(connection) => return connection,
                // Out of descriptors, for one: not worth a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            },
            None => pending().await,
        }
    }
}

/// Those that ask a process to end.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::new(format!("Cannot listen to signals: {error}.")));
        Ok(Self([
            listen(SignalKind::terminate())?,
            listen(SignalKind::interrupt())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn parts(request: &Request, client: &Client) -> Parts {
    let options = &request.options;
    let capacity_bytes = options.memory_bytes.unwrap_or_else(Budget::detect_capacity_bytes);
    Parts {
        client: client.clone(),
        bucket: request.target.bucket.clone(),
        prefix: request.target.prefix.clone(),
        options: file_system_options(request, client.endpoint(), options),
        budget: Budget::new(capacity_bytes),
        clock: Clock::system(),
        runtime: tokio::runtime::Handle::current(),
    }
}

fn file_system_options(request: &Request, endpoint: &str, options: &Options) -> fs::Options {
    let target = &request.target;
    fs::Options {
        access: if options.read_only { Access::ReadOnly } else { Access::ReadWrite },
        durability: Durability::Remote,
        worm: options.worm,
        posix_metadata: options.posix_metadata,
        on_conflict: options.on_conflict,
        ttl: options.ttl,
        uid: options.uid,
        gid: options.gid,
        file_mode: options.file_mode,
        dir_mode: options.dir_mode,
        bypass_governance: options.bypass_governance,
        state_dir: paths::of_mount(&options.state, endpoint, &target.bucket, &target.prefix),
        host_id: paths::host_id(),
    }
}

fn cannot_open(request: &Request, error: &fs::Error) -> Error {
    let state: &Path = &request.options.state;
    match error.kind() {
        fs::ErrorKind::Busy => Error::new(format!(
            "{} is mounted for writing already, and two mounts must not share one journal: {error}. Unmount the other, \
             mount this one with --read-only, or give it a directory of its own with --state.",
            request.target
        )),
        _ => Error::new(format!(
            "Cannot open the journal of {} below {}: {error}. The directory must belong to this user, with mode 0700, \
             on a local disk with room; another is chosen with --state.",
            request.target,
            state.display()
        )),
    }
}

fn cannot_mount(request: &Request, error: &std::io::Error) -> Error {
    // A mount that was made, and whose session then did not start, is dead.
    if table::at(&request.directory).is_ok_and(|mount| mount.is_some_and(|mount| mount.is_ours())) {
        let _ = unmount(&request.directory, Detach::Lazily);
    }
    let text = error.to_string();
    let advice = if text.contains("user_allow_other") {
        "--allow-other without root needs the line user_allow_other in /etc/fuse.conf."
    } else if error.kind() == std::io::ErrorKind::PermissionDenied || text.contains("ermission") {
        "Mounting needs root or the program fusermount3, and the directory must belong to you and be writable."
    } else {
        "holdfs doctor shows what FUSE on this machine lacks."
    };
    Error::new(format!(
        "The kernel did not take the mount on {}: {}. {advice}",
        request.directory.display(),
        text.trim()
    ))
}
