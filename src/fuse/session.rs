//! A mounted session: asks the kernel for the mount, serves its requests, says when it ended.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io, thread};

use fuser::{Config, SessionACL};
use tokio::sync::watch;

use crate::base::tasks::Tasks;
use crate::fs::FileSystem;

use super::adapter::Adapter;
use super::device::{self, MountFlags};
use super::dispatch::Dispatcher;
use super::notify::Notices;

/// Two to four threads read requests, each from a descriptor of its own: two beat one by half again, and more than
/// four only contend.
fn threads() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get).clamp(2, 4)
}

/// A session that serves until the kernel ends it. Dropping it leaves mount and threads alone: unmounting is the
/// owner's part.
pub struct Session {
    notices: Arc<Notices>,
    ended: watch::Receiver<bool>,
    fs: Arc<FileSystem>,
}

impl Session {
    /// Mounts and starts to serve. Blocks until the kernel has taken the mount, not longer.
    pub fn start(
        fs: Arc<FileSystem>,
        tasks: Tasks,
        directory: &Path,
        flags: &MountFlags,
    ) -> io::Result<Self> {
        let mut config = Config::default();
        config.n_threads = Some(threads());
        config.clone_fd = true;
        let (ended_sender, ended) = watch::channel(false);
        let adapter = Adapter { dispatcher: Dispatcher { fs: fs.clone(), tasks }, ended: ended_sender };
        let kernel = device::mount(directory, flags)?;
        // Whose requests are served is not decided here: the kernel has let them in.
        let session = fuser::Session::from_fd(adapter, kernel, SessionACL::All, config)?;
        let notices = Arc::new(Notices::start(session.notifier())?);
        fs.attach_kernel(notices.clone());
        session.spawn()?;
        Ok(Self { notices, ended, fs })
    }

    /// After an unmount that did not happen: notifications go on.
    pub fn arm(&self) {
        self.notices.arm();
        self.fs.attach_kernel(self.notices.clone());
    }

    /// No notification is sent to the kernel from now on. Call it before unmounting.
    pub fn disarm(&self) {
        self.fs.detach_kernel();
        self.notices.disarm();
    }

    /// Returns when the kernel has no more requests: the mount is gone and its last file closed.
    pub async fn ended(&self) {
        // The sender lives in the adapter: when that is gone, the session is, too.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

/// What the kernel reads ahead, in KiB. Its default for FUSE is 128, which halves sequential speed.
const READ_AHEAD_KIB: u32 = 1024;

/// Raises the read-ahead of a mount, named by its device `major:minor`, where we are allowed to.
pub fn raise_read_ahead(device: &str) {
    let file = format!("/sys/class/bdi/{device}/read_ahead_kb");
    if let Err(error) = fs::write(&file, READ_AHEAD_KIB.to_string()) {
        tracing::info!(
            "read-ahead stays at the kernel's default, and sequential reads are slower: cannot write {file}: {error}"
        );
    }
}
