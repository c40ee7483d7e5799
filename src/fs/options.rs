//! What a mount may be told, in the file system's own words.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::namespace::PosixMetadata;
pub use crate::write::OnConflict;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// What an application may rely on when close and fsync return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The store has acknowledged.
    #[default]
    Remote,
}

/// What object lock means on the mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Worm {
    /// What is locked cannot be changed or removed, although a versioned store would allow it.
    #[default]
    Enforce,
    /// S3's own behaviour.
    Store,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub access: Access,
    pub durability: Durability,
    pub worm: Worm,
    pub posix_metadata: PosixMetadata,
    pub on_conflict: OnConflict,
    /// How old `stat` and `readdir` may be.
    pub ttl: Duration,
    pub uid: u32,
    pub gid: u32,
    pub file_mode: u16,
    pub dir_mode: u16,
    /// Lets retention in governance mode be shortened or removed.
    pub bypass_governance: bool,
    /// Of this mount: journal and staged data.
    pub state_dir: PathBuf,
    /// Of this host, in names of conflict copies and below `.holdfs.d`.
    pub host_id: String,
}

impl Default for Options {
    fn default() -> Self {
        let namespace = crate::namespace::Options::default();
        Self {
            access: Access::default(),
            durability: Durability::default(),
            worm: Worm::default(),
            posix_metadata: PosixMetadata::default(),
            on_conflict: OnConflict::Copy,
            ttl: namespace.ttl,
            uid: namespace.uid,
            gid: namespace.gid,
            file_mode: namespace.file_mode,
            dir_mode: namespace.dir_mode,
            bypass_governance: false,
            state_dir: PathBuf::new(),
            host_id: String::new(),
        }
    }
}
