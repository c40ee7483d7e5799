//! The composition root of a mount, and everything about it that is neither S3 nor FUSE.
//!
//! ```text
//!   prepare (DIR, /dev/fuse) ─▶ daemon (fork) ─▶ checks (10 s) ─▶ FileSystem ─▶ Session ─▶ ready ─▶ serve
//!                                                                                                     │
//!              exit ◀─ shut down ◀─ unmount ◀─ disarm ◀─ drain ◀─ SIGTERM, SIGINT, `holdfs umount` ◀──┘
//! ```
//!
//! `prepare` looks at what mounting needs of this machine, [`daemon`] puts the process into the background,
//! `checks` asks the store once, `serve` builds the engines and runs them until the end. [`table`] reads the kernel's
//! list of mounts, [`control`] is the socket by which `holdfs status` and `holdfs umount` reach a mount.
//!
//! Invariants: the process forks before it has a thread. Nothing here looks into the mount it serves: a process
//! that waits for itself waits for ever.

mod checks;
pub mod control;
pub mod daemon;
mod error;
mod journals;
mod prepare;
mod process;
mod serve;
pub mod table;
mod target;
mod unmount;

pub use checks::explain;
pub use error::{Error, Result};
pub use journals::{Unserved, unserved};
pub use prepare::{Device, check_device, check_mount_point, check_state_directory};
pub use serve::serve;
pub use target::Target;
pub use unmount::{Detach, unmount};

use std::path::PathBuf;

use crate::config::Options;
use crate::fuse::MountFlags;

/// What to mount, where and how.
#[derive(Clone, Debug)]
pub struct Request {
    pub target: Target,
    /// Absolute, without symlinks.
    pub directory: PathBuf,
    pub options: Options,
    pub flags: MountFlags,
}

impl Request {
    /// As `/proc/mounts` shows it.
    pub fn mount_flags(&self) -> MountFlags {
        MountFlags {
            source: self.target.to_string(),
            read_only: self.options.read_only,
            allow_other: self.options.allow_other,
            ..self.flags.clone()
        }
    }
}
