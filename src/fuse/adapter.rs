//! Callbacks of the kernel, decoded and handed to the dispatcher.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, INodeNo, InitFlags, KernelConfig,
    LockOwner, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry,
    ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use tokio::sync::watch;

use crate::base::ranges::ByteRange;
use crate::fs::{
    DirectoryEntry, DirectoryEntryPlus, Fill, HandleId, ListXattr, NodeId, OpenFlags, RenameFlags, SyncScope,
};

use super::convert::{self, caller, node};
use super::dispatch::{self, Dispatcher, OpenReply, XattrReply};
#[cfg(debug_assertions)]
use super::failpoint;

/// One WRITE of the kernel carries up to 1 MiB; larger requests were not faster and cost buffers.
const WRITE_BYTES_MAX: u32 = 1 << 20;
/// Asynchronous requests (read-ahead, for one) in flight before the kernel holds them back: four sequential readers
/// with a read-ahead of 1 MiB in pieces of 128 KiB, twice.
const BACKGROUND_MAX: u16 = 64;

/// What the mount wants of the kernel, each only if the kernel has it. Left out on purpose: WRITEBACK_CACHE (the
/// kernel would own size and mtime), POSIX_LOCKS and FLOCK_LOCKS (locks are kept by the kernel, for this host),
/// AUTO_INVAL_DATA (would drop our own pages at every own write), HANDLE_KILLPRIV_V2 (fuser hands on one of its
/// three flags only).
const WANTED: [InitFlags; 7] = [
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_ATOMIC_O_TRUNC,
    InitFlags::FUSE_DONT_MASK,
    InitFlags::FUSE_CACHE_SYMLINKS,
    // Pages go when we say so, or when the size that the kernel knows shrinks.
    InitFlags::FUSE_EXPLICIT_INVAL_DATA,
];

pub struct Adapter {
    pub dispatcher: Dispatcher,
    /// Becomes true when the kernel has no more requests.
    pub ended: watch::Sender<bool>,
}

fn handle(fh: FileHandle) -> HandleId {
    HandleId(fh.0)
}

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for capability in WANTED {
            if config.add_capabilities(capability).is_err() {
                tracing::debug!("this kernel lacks {capability:?}");
            }
        }
        // Both are in the range that fuser allows.
        let _ = config.set_max_write(WRITE_BYTES_MAX);
        let _ = config.set_max_background(BACKGROUND_MAX);
        Ok(())
    }

    fn destroy(&mut self) {
        self.ended.send_replace(true);
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (parent, owned) = (node(parent), name.to_owned());
        self.dispatcher.now_or_later(
            "lookup",
            reply,
            |fs| {
                #[cfg(debug_assertions)]
                failpoint::on_session_thread(name);
                fs.lookup_now(parent, name)
            },
            |fs| async move {
                #[cfg(debug_assertions)]
                failpoint::in_task(&owned);
                fs.lookup(parent, &owned).await
            },
        );
    }

    fn forget(&self, _request: &Request, ino: INodeNo, count: u64) {
        self.dispatcher.guarded("forget", |dispatcher| dispatcher.fs.forget(node(ino), count));
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, fh: Option<FileHandle>, reply: ReplyAttr) {
        let (node, fh) = (node(ino), fh.map(handle));
        self.dispatcher.now_or_later(
            "getattr",
            reply,
            |fs| fs.getattr_now(node, fh),
            |fs| async move { fs.getattr(node, fh).await },
        );
    }

    fn setattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changes = convert::set_attr(mode, (uid, gid), size, (atime, mtime));
        let (node, fh) = (node(ino), fh.map(handle));
        self.dispatcher.later("setattr", reply, |fs| async move { fs.setattr(node, fh, changes).await });
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        let node = node(ino);
        self.dispatcher.later("readlink", reply, |fs| async move { fs.readlink(node).await });
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let (parent, name, caller) = (node(parent), name.to_owned(), caller(request, umask));
        self.dispatcher
            .later("mknod", reply, |fs| async move { fs.mknod(parent, &name, mode, rdev, caller).await });
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let (parent, name, caller) = (node(parent), name.to_owned(), caller(request, umask));
        self.dispatcher.later(
            "mkdir",
            reply,
            |fs| async move { fs.mkdir(parent, &name, mode, caller).await },
        );
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (parent, name) = (node(parent), name.to_owned());
        self.dispatcher.later("unlink", reply, |fs| async move { fs.unlink(parent, &name).await });
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (parent, name) = (node(parent), name.to_owned());
        self.dispatcher.later("rmdir", reply, |fs| async move { fs.rmdir(parent, &name).await });
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let (parent, name, caller) = (node(parent), name.to_owned(), caller(request, 0));
        let target = target.as_os_str().to_owned();
        self.dispatcher
            .later("symlink", reply, |fs| async move { fs.symlink(parent, &name, &target, caller).await });
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: fuser::RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (parent, name) = (node(parent), name.to_owned());
        let (new_parent, new_name) = (node(new_parent), new_name.to_owned());
        let flags = RenameFlags(flags.bits());
        self.dispatcher.later("rename", reply, |fs| async move {
            fs.rename(parent, &name, new_parent, &new_name, flags).await
        });
    }

    fn open(&self, _request: &Request, ino: INodeNo, flags: fuser::OpenFlags, reply: ReplyOpen) {
        let (node, flags) = (node(ino), OpenFlags(flags.0));
        self.dispatcher.now_or_later(
            "open",
            OpenReply(reply, flags),
            |fs| fs.open_now(node, flags),
            |fs| async move { fs.open_file(node, flags).await },
        );
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: fuser::OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let (node, fh) = (node(ino), handle(fh));
        let range = ByteRange::sized(offset, size.into());
        self.dispatcher.now_or_later(
            "read",
            reply,
            |fs| fs.read_now(node, fh, range),
            |fs| async move { fs.read(node, fh, range).await },
        );
    }

    /// `data` is the session thread's buffer: what cannot be written at once is copied.
    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: fuser::OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let (node, fh) = (node(ino), handle(fh));
        self.dispatcher.now_or_later(
            "write",
            reply,
            |fs| fs.write_now(node, fh, offset, data),
            |fs| {
                let data = Bytes::copy_from_slice(data);
                async move { fs.write(node, fh, offset, data).await }
            },
        );
    }

    fn flush(&self, request: &Request, ino: INodeNo, fh: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        let (node, fh, caller) = (node(ino), handle(fh), caller(request, 0));
        self.dispatcher.later("flush", reply, |fs| async move { fs.flush(node, fh, caller).await });
    }

    fn release(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _flags: fuser::OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let (node, fh) = (node(ino), handle(fh));
        self.dispatcher.later("release", reply, |fs| async move {
            fs.release(node, fh).await;
            Ok(())
        });
    }

    fn fsync(&self, _request: &Request, ino: INodeNo, fh: FileHandle, datasync: bool, reply: ReplyEmpty) {
        let scope = if datasync { SyncScope::DataOnly } else { SyncScope::DataAndMetadata };
        let (node, fh) = (node(ino), handle(fh));
        self.dispatcher.later("fsync", reply, |fs| async move { fs.fsync(node, fh, scope).await });
    }

    fn opendir(&self, _request: &Request, ino: INodeNo, flags: fuser::OpenFlags, reply: ReplyOpen) {
        let reply = OpenReply(reply, OpenFlags(flags.0));
        self.dispatcher.guarded("opendir", |dispatcher| {
            dispatch::answer("opendir", reply, dispatcher.fs.opendir(node(ino)));
        });
    }

    fn readdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        cookie: u64,
        mut reply: ReplyDirectory,
    ) {
        let (node, fh, fs) = (node(ino), handle(fh), self.dispatcher.fs.clone());
        self.dispatcher.tasks.spawn("readdir", async move {
            let mut sink = |entry: &DirectoryEntry<'_>| {
                let kind = convert::file_type(entry.kind);
                fill(reply.add(INodeNo(entry.ino.0), entry.cookie, kind, entry.name))
            };
            match fs.readdir(node, fh, cookie, &mut sink).await {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(super::errno::errno("readdir", &error)),
            }
        });
    }

    fn readdirplus(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        cookie: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let (node, fh, fs) = (node(ino), handle(fh), self.dispatcher.fs.clone());
        self.dispatcher.tasks.spawn("readdirplus", async move {
            let mut retained = Vec::new();
            let mut sink = |entry: &DirectoryEntryPlus<'_>| {
                let filled = add_plus(&mut reply, entry);
                if filled == Fill::Added && entry.name != "." && entry.name != ".." {
                    retained.push(entry.entry.node);
                }
                filled
            };
            match fs.readdirplus(node, fh, cookie, &mut sink).await {
                Ok(()) => reply.ok(),
                Err(error) => {
                    // The kernel will never hear of these entries, so it cannot forget them.
                    retained.into_iter().for_each(|node: NodeId| fs.forget(node, 1));
                    reply.error(super::errno::errno("readdirplus", &error));
                }
            }
        });
    }

    fn releasedir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: fuser::OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.dispatcher.guarded("releasedir", |dispatcher| {
            dispatcher.fs.releasedir(handle(fh));
            reply.ok();
        });
    }

    fn fsyncdir(&self, _request: &Request, ino: INodeNo, fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let (node, fh) = (node(ino), handle(fh));
        self.dispatcher.later("fsyncdir", reply, |fs| async move { fs.fsyncdir(node, fh).await });
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        self.dispatcher.guarded("statfs", |dispatcher| {
            let s = dispatcher.fs.statfs();
            reply.statfs(
                s.blocks,
                s.blocks_free,
                s.blocks_available,
                s.files,
                s.files_free,
                s.block_size,
                s.name_length_max,
                s.block_size,
            );
        });
    }

    fn setxattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let Some(flags) = convert::set_xattr(flags) else { return reply.error(Errno::EINVAL) };
        let (node, name, value) = (node(ino), name.to_owned(), Bytes::copy_from_slice(value));
        self.dispatcher.later(
            "setxattr",
            reply,
            |fs| async move { fs.setxattr(node, &name, value, flags).await },
        );
    }

    fn getxattr(&self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let (node, owned, caller) = (node(ino), name.to_owned(), caller(request, 0));
        self.dispatcher.now_or_later(
            "getxattr",
            XattrReply { reply, buffer_bytes: size },
            |fs| fs.getxattr_now(node, name),
            |fs| async move { fs.getxattr(node, &owned, caller).await },
        );
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let (node, caller) = (node(ino), caller(request, 0));
        let call = match size {
            0 => ListXattr::SizeProbe,
            size => ListXattr::Buffer(size as usize),
        };
        self.dispatcher.now_or_later(
            "listxattr",
            XattrReply { reply, buffer_bytes: size },
            |fs| fs.listxattr_now(node, call),
            |fs| async move { fs.listxattr(node, call, caller).await },
        );
    }

    fn removexattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (node, name) = (node(ino), name.to_owned());
        self.dispatcher.later("removexattr", reply, |fs| async move { fs.removexattr(node, &name).await });
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (parent, name, caller) = (node(parent), name.to_owned(), caller(request, umask));
        let flags = OpenFlags(flags);
        self.dispatcher.later("create", OpenReply(reply, flags), |fs| async move {
            fs.create(parent, &name, mode, flags, caller).await
        });
    }

    fn fallocate(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let (node, fh) = (node(ino), handle(fh));
        self.dispatcher.later("fallocate", reply, |fs| async move {
            fs.fallocate(node, fh, offset, length, mode).await
        });
    }

    fn lseek(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let Some(whence) = convert::whence(whence) else { return reply.error(Errno::EINVAL) };
        let Ok(offset) = u64::try_from(offset) else { return reply.error(Errno::ENXIO) };
        let (node, fh) = (node(ino), handle(fh));
        self.dispatcher.later("lseek", reply, |fs| async move { fs.lseek(node, fh, offset, whence).await });
    }

    /// ENOSYS, once: from then on the kernel copies by itself.
    fn copy_file_range(
        &self,
        _request: &Request,
        _ino_in: INodeNo,
        _fh_in: FileHandle,
        _offset_in: u64,
        _ino_out: INodeNo,
        _fh_out: FileHandle,
        _offset_out: u64,
        _len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::ENOSYS);
    }
}

fn fill(full: bool) -> Fill {
    if full { Fill::Full } else { Fill::Added }
}

fn add_plus(reply: &mut ReplyDirectoryPlus, entry: &DirectoryEntryPlus<'_>) -> Fill {
    let (ttl, attributes, generation) = convert::entry(&entry.entry);
    fill(reply.add(INodeNo(entry.entry.node.0), entry.cookie, entry.name, &ttl, &attributes, generation))
}
