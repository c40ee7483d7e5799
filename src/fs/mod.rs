//! The mediator: what a file system does, said without a kernel.
//!
//! [`FileSystem`] joins the engines: `namespace` (names), `read` (bytes of a version), `write` (changed files) and
//! `xattr` (attributes). None of them knows another; whatever one needs of another passes through here.
//!
//! A plain `fn` answers from memory or the local disk and may be called on a thread that must not wait; an
//! `async fn` may reach the store, where each request has 60 s. Where both make sense there is a pair: `x_now`
//! answers if it can without waiting (`None`: it cannot), `x` always answers.
//!
//! * `ops`: the operations, one file per family; read `ops::open` first.
//! * `content`, `handle`: what an inode's bytes are, and who has it open.
//! * `claims`: who may change which names right now. No lock is held across an await; a claim may be.
//! * `commit`, `change`: what uploads came to, and what the kernel must forget.
//! * `worm`, `posix`, `ahead`, `intent`, `file_move`: locks, stored metadata, read-ahead over files, renames that
//!   a crash must not leave half done.

mod ahead;
mod change;
mod claims;
mod commit;
mod content;
mod descriptor;
mod error;
mod file_move;
mod handle;
mod intent;
mod ops;
mod options;
mod posix;
mod recovery;
mod seen;
mod status;
mod support;
mod trail;
mod types;
mod worm;

use std::sync::Arc;
use std::time::Duration;

pub use change::{InodeChange, KernelCache, NoKernel};
pub use error::{Error, ErrorKind, Result};
pub use options::{Access, Durability, OnConflict, Options, PosixMetadata, Worm};
pub use status::Status;
pub use types::*;

use crate::base::budget::Budget;
use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::base::ttl::TtlMap;
use crate::namespace::{self, Namespace};
use crate::{read, s3, write};

/// A metadata operation gives up after this long without progress (semantics 8). Each of its requests is progress.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a file system is made of.
pub struct Parts {
    pub client: s3::Client,
    pub bucket: String,
    /// Empty, or ends with a slash.
    pub prefix: String,
    pub options: Options,
    pub budget: Budget,
    pub clock: Clock,
    pub runtime: tokio::runtime::Handle,
}

/// A mounted bucket. Shared by reference count between the kernel's adapter and the daemon.
pub struct FileSystem {
    client: s3::Client,
    bucket: String,
    prefix: String,
    options: Options,
    clock: Clock,
    tasks: Tasks,

    namespace: Arc<Namespace>,
    read: Arc<read::Engine>,
    /// `None` on a read-only mount, which takes no journal.
    write: Option<Arc<write::Engine>>,

    files: Arc<content::Files>,
    handles: handle::Handles,
    claims: claims::Claims,
    memory: Arc<seen::Memory>,
    ahead: Arc<ahead::Ahead>,
    kernel: Arc<change::Kernel>,
    guard: worm::Guard,
    /// Targets of symbolic links, by the version they were read from.
    links: TtlMap<s3::ObjectRef, bytes::Bytes>,
    /// Inodes whose attribute names were asked for in full a moment ago.
    probed: TtlMap<NodeId, ()>,
}

impl FileSystem {
    /// Looks at the bucket, opens the journal, and shows what a crash left.
    pub async fn open(parts: Parts) -> Result<Arc<Self>> {
        let Parts { client, bucket, prefix, options, budget, clock, runtime } = parts;
        let client = client.with_deadline(DEADLINE);
        let tasks = Tasks::new(runtime);
        let object_lock =
            worm::ObjectLock::probe(&client, &bucket, &format!("{prefix}{}/probe", namespace::name::ASIDE))
                .await?;
        let guard = worm::Guard { policy: options.worm, object_lock };
        guard.announce();

        let namespace = Namespace::new(
            client.clone(),
            &bucket,
            &prefix,
            namespace_options(&options),
            clock.clone(),
            tasks.clone(),
        );
        let read = read::Engine::new(
            client.clone(),
            &bucket,
            budget.clone(),
            tasks.clone(),
            clock.clone(),
            read::Options::default(),
        );
        let files = Arc::new(content::Files::new(namespace.clone()));
        let memory = Arc::new(seen::Memory::new(client.clone(), bucket.clone(), options.ttl, clock.clone()));
        let kernel = change::Kernel::detached();
        let publisher = commit::Publisher {
            files: files.clone(),
            namespace: namespace.clone(),
            memory: memory.clone(),
            kernel: kernel.clone(),
            guard,
        };
        let (write, recovered) = match options.access {
            Access::ReadOnly => (None, Vec::new()),
            Access::ReadWrite => {
                let parts = write::Parts {
                    client: client.clone(),
                    budget,
                    tasks: tasks.clone(),
                    clock: clock.clone(),
                    disk: crate::base::disk::system(),
                    base: Arc::new(commit::ReadBase(read.clone())),
                    commits: Arc::new(publisher),
                };
                let (engine, recovered) = write::Engine::open(write_config(&options, &bucket), parts)?;
                (Some(engine), recovered.files)
            }
        };
        let fs = Arc::new(Self {
            links: TtlMap::new(LINKS_MAX, clock.clone()),
            probed: TtlMap::new(PROBED_MAX, clock.clone()),
            ahead: Arc::new(ahead::Ahead::new(clock.clone())),
            handles: handle::Handles::default(),
            claims: claims::Claims::default(),
            client,
            bucket,
            prefix,
            options,
            clock,
            tasks,
            namespace,
            read,
            write,
            files,
            memory,
            kernel,
            guard,
        });
        fs.show_recovered(recovered).await?;
        fs.resume_intents()?;
        Ok(fs)
    }

    /// From now on `kernel` is told what to forget. Before, nobody is.
    pub fn attach_kernel(&self, kernel: Arc<dyn KernelCache>) {
        self.kernel.attach(kernel);
    }

    /// The mount goes away: notifications would deadlock with it.
    pub fn detach_kernel(&self) {
        self.kernel.attach(Arc::new(NoKernel));
    }

    /// Uploads what is pending. What is left when `timeout` has passed stays in the journal; its count is returned.
    pub async fn drain(&self, timeout: Duration) -> usize {
        let Some(engine) = &self.write else {
            return 0;
        };
        for file in self.files.all() {
            if let Err(error) = self.seal(&file).await {
                tracing::warn!(key = %file.node.key().escape_debug(), "cannot be sealed: {error}");
            }
        }
        engine.drain(timeout).await.left.len()
    }

    /// Stops background work. Call after [`Self::drain`]; the file system answers no more after it.
    pub async fn shutdown(&self) {
        self.detach_kernel();
        self.tasks.shutdown(SHUTDOWN).await;
    }
}

/// A few tens of bytes each.
const PROBED_MAX: usize = 1024;
/// At most 4 KiB each.
const LINKS_MAX: usize = 1024;
/// Background work that has not ended by then is dropped: all of it can be done again.
const SHUTDOWN: Duration = Duration::from_secs(5);

fn namespace_options(options: &Options) -> namespace::Options {
    namespace::Options {
        ttl: options.ttl,
        uid: options.uid,
        gid: options.gid,
        file_mode: options.file_mode,
        dir_mode: options.dir_mode,
        posix: options.posix_metadata,
        ..namespace::Options::default()
    }
}

fn write_config(options: &Options, bucket: &str) -> write::Config {
    write::Config {
        state_dir: options.state_dir.clone(),
        bucket: bucket.to_owned(),
        host: options.host_id.clone(),
        limits: s3::Limits::default(),
        durability: match options.durability {
            Durability::Remote => write::Durability::Remote,
        },
        on_conflict: options.on_conflict,
        progress_timeout: DEADLINE,
    }
}
