//! Types of the kernel's protocol and of the file system, turned into each other.

use std::time::{Duration, UNIX_EPOCH};

use fuser::{FileAttr, FileType, FopenFlags, Generation, INodeNo, TimeOrNow};

use crate::fs::{
    Attr, Caller, EntryReply, FileKind, NodeId, OpenFlags, Opened, SetAttr, SetTime, SetXattr, Whence,
};

/// `st_blksize`: what cp and cat read and write at a time; one READ or WRITE request carries as much.
const BLOCK_SIZE_BYTES: u32 = 1 << 20;

pub fn node(ino: INodeNo) -> NodeId {
    NodeId(ino.0)
}

pub fn caller(request: &fuser::Request, umask: u32) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), pid: request.pid(), umask }
}

pub fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
    }
}

pub fn attributes(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: attr.atime,
        mtime: attr.mtime,
        ctime: attr.ctime,
        crtime: attr.ctime,
        kind: file_type(attr.kind),
        perm: attr.perm,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: BLOCK_SIZE_BYTES,
        flags: 0,
    }
}

/// The entry in the kernel's words, with one time to live for name and attributes: the shorter never shows anything
/// too old.
pub fn entry(entry: &EntryReply) -> (Duration, FileAttr, Generation) {
    let ttl = entry.attr_ttl.min(entry.entry_ttl);
    (ttl, attributes(&entry.attr), Generation(entry.generation))
}

/// A LOOKUP that answers with node 0 lets the kernel remember that the name is absent.
pub fn absent() -> FileAttr {
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

/// FOPEN_NOFLUSH (5.16) spares the FLUSH at the close of a descriptor that could not write.
pub fn opened(opened: &Opened, flags: OpenFlags) -> FopenFlags {
    let mut answer = FopenFlags::empty();
    answer.set(FopenFlags::FOPEN_KEEP_CACHE, opened.keep_cache);
    answer.set(FopenFlags::FOPEN_DIRECT_IO, opened.direct_io);
    answer.set(FopenFlags::FOPEN_NOFLUSH, !flags.writes());
    answer
}

fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(at) => SetTime::At(at),
    }
}

/// The kernel's mode carries the file type too, which chmod cannot change.
pub fn set_attr(
    mode: Option<u32>,
    (uid, gid): (Option<u32>, Option<u32>),
    size: Option<u64>,
    (atime, mtime): (Option<TimeOrNow>, Option<TimeOrNow>),
) -> SetAttr {
    SetAttr {
        mode: mode.map(|mode| mode & 0o7777),
        uid,
        gid,
        size,
        atime: atime.map(set_time),
        mtime: mtime.map(set_time),
    }
}

/// `None`: flags that setxattr(2) does not know.
pub fn set_xattr(flags: i32) -> Option<SetXattr> {
    match flags {
        0 => Some(SetXattr::CreateOrReplace),
        libc::XATTR_CREATE => Some(SetXattr::Create),
        libc::XATTR_REPLACE => Some(SetXattr::Replace),
        _ => None,
    }
}

/// The kernel answers SEEK_SET, SEEK_CUR and SEEK_END by itself.
pub fn whence(whence: i32) -> Option<Whence> {
    match whence {
        libc::SEEK_DATA => Some(Whence::Data),
        libc::SEEK_HOLE => Some(Whence::Hole),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::HandleId;

    #[test]
    fn chmod_carries_permission_bits_only() {
        let changes = set_attr(Some(0o104755), (None, Some(7)), None, (Some(TimeOrNow::Now), None));
        assert_eq!(changes.mode, Some(0o4755));
        assert_eq!((changes.uid, changes.gid), (None, Some(7)));
        assert_eq!((changes.atime, changes.mtime), (Some(SetTime::Now), None));
    }

    #[test]
    fn only_descriptors_that_could_write_are_flushed() {
        let handle = Opened { handle: HandleId(1), keep_cache: true, direct_io: false };
        for (flags, flushed) in [(libc::O_RDONLY, false), (libc::O_WRONLY, true), (libc::O_RDWR, true)] {
            let answer = opened(&handle, OpenFlags(flags));
            assert_eq!(!answer.contains(FopenFlags::FOPEN_NOFLUSH), flushed, "{flags:#o}");
            assert!(answer.contains(FopenFlags::FOPEN_KEEP_CACHE));
        }
    }

    #[test]
    fn unknown_flags_are_nobodys_wish() {
        assert_eq!(set_xattr(0), Some(SetXattr::CreateOrReplace));
        assert_eq!(set_xattr(libc::XATTR_CREATE | libc::XATTR_REPLACE), None);
        assert_eq!(whence(libc::SEEK_DATA), Some(Whence::Data));
        assert_eq!(whence(libc::SEEK_END), None);
    }
}
