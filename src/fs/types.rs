//! What the file system and the adapter of the kernel's protocol say to each other.

use std::time::{Duration, SystemTime};

pub use crate::namespace::{FileKind, NodeId};

/// An open file or directory, until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandleId(pub u64);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub pid: u32,
    /// Applied here, whether or not the kernel did so already.
    pub umask: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    pub ino: NodeId,
    pub size: u64,
    /// Of 512 bytes.
    pub blocks: u64,
    pub atime: SystemTime,
    pub mtime: SystemTime,
    pub ctime: SystemTime,
    pub kind: FileKind,
    /// Permission bits only (07777).
    pub perm: u16,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
}

/// How `stat` is answered.
#[derive(Clone, Copy, Debug)]
pub struct AttrReply {
    pub attr: Attr,
    pub ttl: Duration,
}

/// A name that exists. The kernel has now one more reference to the node.
#[derive(Clone, Copy, Debug)]
pub struct EntryReply {
    pub node: NodeId,
    pub generation: u64,
    pub attr: Attr,
    pub attr_ttl: Duration,
    pub entry_ttl: Duration,
}

#[derive(Clone, Copy, Debug)]
pub enum Lookup {
    Found(EntryReply),
    /// Absent, and how long the kernel may remember that.
    Absent(Duration),
}

#[derive(Clone, Copy, Debug)]
pub struct Opened {
    pub handle: HandleId,
    /// The kernel's cached pages are still those of this version.
    pub keep_cache: bool,
    pub direct_io: bool,
}

/// The flags of open(2), as the kernel passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlags(pub i32);

impl OpenFlags {
    pub fn reads(self) -> bool {
        self.0 & libc::O_ACCMODE != libc::O_WRONLY
    }
    pub fn writes(self) -> bool {
        self.0 & libc::O_ACCMODE != libc::O_RDONLY
    }
    pub fn truncates(self) -> bool {
        self.0 & libc::O_TRUNC != 0
    }
    pub fn exclusive(self) -> bool {
        self.0 & libc::O_EXCL != 0
    }
    pub fn appends(self) -> bool {
        self.0 & libc::O_APPEND != 0
    }
    /// Each write returns when it is on stable storage.
    pub fn synchronous(self) -> bool {
        self.0 & (libc::O_SYNC | libc::O_DSYNC) != 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    Now,
    At(SystemTime),
}

/// chmod, chown, truncate and utimens in one, as the kernel sends them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// Permission bits.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<SetTime>,
    pub mtime: Option<SetTime>,
}

/// The flags of renameat2(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenameFlags(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    Data,
    Hole,
}

/// How fsync was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncScope {
    DataOnly,
    DataAndMetadata,
}

/// Whether a directory's sink has room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Added,
    /// The entry was not taken.
    Full,
}

/// One name of a directory, `.` and `..` included.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntry<'a> {
    pub ino: NodeId,
    /// Where the next READDIR goes on after this entry.
    pub cookie: u64,
    pub kind: FileKind,
    pub name: &'a str,
}

/// One name of a directory with its attributes. For `.` and `..` the kernel takes no reference.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntryPlus<'a> {
    pub cookie: u64,
    pub name: &'a str,
    pub entry: EntryReply,
}

#[derive(Clone, Copy, Debug)]
pub struct StatFs {
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub files: u64,
    pub files_free: u64,
    pub block_size: u32,
    pub name_length_max: u32,
}

/// The flags of setxattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetXattr {
    #[default]
    CreateOrReplace,
    /// XATTR_CREATE: EEXIST if it is there.
    Create,
    /// XATTR_REPLACE: ENODATA if it is not.
    Replace,
}

/// How listxattr was called: coreutils' `ls -l` guesses a small buffer, everything that wants the names asks for
/// their size first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListXattr {
    SizeProbe,
    Buffer(usize),
}
