//! How a request is answered: at once from memory, or by a task that takes the reply along.
//!
//! A panic is caught on both ways. The reply is dropped while it unwinds, which answers EIO, and the mount goes on.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fuser::{Errno, FileHandle, Generation};

use crate::base::tasks::Tasks;
use crate::fs::{self, AttrReply, EntryReply, FileSystem, Lookup, OpenFlags, Opened};

use super::{convert, errno};

/// A reply of the kernel's protocol that can carry a `T`.
pub trait Answer<T>: Send + 'static {
    fn give(self, value: T);
    fn refuse(self, errno: Errno);
}

/// Sends the value, or the error as a number.
pub fn answer<T>(operation: &'static str, reply: impl Answer<T>, result: fs::Result<T>) {
    match result {
        Ok(value) => reply.give(value),
        Err(error) => reply.refuse(errno::errno(operation, &error)),
    }
}

/// What every request needs.
#[derive(Clone)]
pub struct Dispatcher {
    pub fs: Arc<FileSystem>,
    pub tasks: Tasks,
}

impl Dispatcher {
    /// Answers from a task.
    pub fn later<T, R, F>(&self, operation: &'static str, reply: R, work: impl FnOnce(Arc<FileSystem>) -> F)
    where
        T: Send + 'static,
        R: Answer<T>,
        F: Future<Output = fs::Result<T>> + Send + 'static,
    {
        let work = work(self.fs.clone());
        self.tasks.spawn(operation, async move { answer(operation, reply, work.await) });
    }

    /// Answers on this thread if `now` can, else from a task.
    pub fn now_or_later<T, R, F>(
        &self,
        operation: &'static str,
        reply: R,
        now: impl FnOnce(&FileSystem) -> Option<fs::Result<T>>,
        work: impl FnOnce(Arc<FileSystem>) -> F,
    ) where
        T: Send + 'static,
        R: Answer<T>,
        F: Future<Output = fs::Result<T>> + Send + 'static,
    {
        self.guarded(operation, move |dispatcher| match now(&dispatcher.fs) {
            Some(result) => answer(operation, reply, result),
            None => dispatcher.later(operation, reply, work),
        });
    }

    /// Runs a handler on a session thread, which must outlive its panic.
    pub fn guarded(&self, operation: &'static str, handler: impl FnOnce(&Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| handler(self))) {
            tracing::error!(
                operation,
                "a request handler panicked and its caller got EIO: {}",
                message(&*panic)
            );
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Implements [`Answer`] for a reply whose `give` is one expression.
macro_rules! answers {
    ($reply:ty, $value:ty, |$self:ident, $given:ident| $give:expr) => {
        impl Answer<$value> for $reply {
            fn give($self, $given: $value) {
                $give;
            }
            fn refuse(self, errno: Errno) {
                self.error(errno);
            }
        }
    };
}

answers!(fuser::ReplyEmpty, (), |self, _done| self.ok());
answers!(fuser::ReplyData, bytes::Bytes, |self, data| self.data(&data));
answers!(fuser::ReplyWrite, u32, |self, written| self.written(written));
// Offsets of files end at 2^63-1, as the kernel's own.
answers!(fuser::ReplyLseek, u64, |self, offset| self.offset(offset as i64));
answers!(fuser::ReplyAttr, AttrReply, |self, reply| self.attr(&reply.ttl, &convert::attributes(&reply.attr)));
answers!(fuser::ReplyEntry, EntryReply, |self, entry| entry_found(self, &entry));
answers!(fuser::ReplyEntry, Lookup, |self, lookup| match lookup {
    Lookup::Found(entry) => entry_found(self, &entry),
    Lookup::Absent(ttl) if ttl.is_zero() => self.error(Errno::ENOENT),
    Lookup::Absent(ttl) => self.entry_with_ttls(&ttl, &ttl, &convert::absent(), Generation(0)),
});

fn entry_found(reply: fuser::ReplyEntry, entry: &EntryReply) {
    let (_, attributes, generation) = convert::entry(entry);
    reply.entry_with_ttls(&entry.attr_ttl, &entry.entry_ttl, &attributes, generation);
}

/// OPEN and OPENDIR: the answer depends on how the file is opened.
pub struct OpenReply<R>(pub R, pub OpenFlags);

impl Answer<Opened> for OpenReply<fuser::ReplyOpen> {
    fn give(self, opened: Opened) {
        self.0.opened(FileHandle(opened.handle.0), convert::opened(&opened, self.1));
    }
    fn refuse(self, errno: Errno) {
        self.0.error(errno);
    }
}

impl Answer<(EntryReply, Opened)> for OpenReply<fuser::ReplyCreate> {
    fn give(self, (entry, opened): (EntryReply, Opened)) {
        let (ttl, attributes, generation) = convert::entry(&entry);
        let handle = FileHandle(opened.handle.0);
        self.0.created(&ttl, &attributes, generation, handle, convert::opened(&opened, self.1));
    }
    fn refuse(self, errno: Errno) {
        self.0.error(errno);
    }
}

/// GETXATTR and LISTXATTR: the value, its size for a probe, or ERANGE when the caller's buffer is too small.
pub struct XattrReply {
    pub reply: fuser::ReplyXattr,
    pub buffer_bytes: u32,
}

impl Answer<bytes::Bytes> for XattrReply {
    fn give(self, value: bytes::Bytes) {
        match self.buffer_bytes as usize {
            // A value is at most 64 KiB, as XATTR_SIZE_MAX says.
            0 => self.reply.size(value.len() as u32),
            room if value.len() <= room => self.reply.data(&value),
            _ => self.reply.error(Errno::ERANGE),
        }
    }
    fn refuse(self, errno: Errno) {
        self.reply.error(errno);
    }
}
