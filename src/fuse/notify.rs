//! Tells the kernel what to forget, from one thread of its own.
//!
//! The kernel takes locks to forget, and may wait for answers of ours while it holds them: whoever sends a
//! notification must neither answer requests nor hold a lock. Hence a queue and one thread. The queue is bounded:
//! what does not fit is forgotten when its time to live ends. Once disarmed nothing is sent any more, since
//! a notification to a mount that is being torn down may never return.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use fuser::{INodeNo, Notifier};
use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::oneshot;

use crate::fs::{InodeChange, KernelCache, NodeId};

const QUEUE_MAX: usize = 4096;

enum Notice {
    /// The sender is dropped when the kernel has forgotten.
    Inode(NodeId, InodeChange, oneshot::Sender<()>),
    Entry(NodeId, OsString),
}

/// The kernel's cache as `fs` sees it.
pub struct Notices {
    queue: SyncSender<Notice>,
    armed: Arc<AtomicBool>,
}

impl Notices {
    /// Starts the thread, which ends when the last reference is gone.
    pub fn start(notifier: Notifier) -> std::io::Result<Self> {
        let (queue, notices) = sync_channel(QUEUE_MAX);
        let armed = Arc::new(AtomicBool::new(true));
        let thread_armed = armed.clone();
        std::thread::Builder::new()
            .name("notify".into())
            .spawn(move || tell_kernel(&notices, &notifier, &thread_armed))?;
        Ok(Self { queue, armed })
    }

    /// Nothing is sent after this, except for a notice that is on its way.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::Release);
    }

    pub fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    fn enqueue(&self, notice: Notice) {
        if self.armed.load(Ordering::Acquire) && self.queue.try_send(notice).is_err() {
            tracing::debug!("too many notices to the kernel: one is left to the time to live");
        }
    }
}

impl KernelCache for Notices {
    fn inode_changed(&self, node: NodeId, change: InodeChange) -> BoxFuture<'static, ()> {
        let (done, told) = oneshot::channel();
        self.enqueue(Notice::Inode(node, change, done));
        told.map(|_dropped| ()).boxed()
    }

    fn entry_changed(&self, parent: NodeId, name: &str) {
        self.enqueue(Notice::Entry(parent, name.into()));
    }
}

/// Offset and length of FUSE_NOTIFY_INVAL_INODE: a negative offset drops no pages, a length of 0 is "to the end".
fn invalidated(change: InodeChange) -> (i64, i64) {
    match change {
        InodeChange::Attributes => (-1, 0),
        InodeChange::AttributesAndPages => (0, 0),
        InodeChange::Spare(range) => (range.start as i64, range.len() as i64),
    }
}

fn tell_kernel(notices: &Receiver<Notice>, notifier: &Notifier, armed: &AtomicBool) {
    for notice in notices {
        if !armed.load(Ordering::Acquire) {
            continue;
        }
        let told = match &notice {
            Notice::Inode(node, change, _done) => {
                let (offset, length) = invalidated(*change);
                notifier.inval_inode(INodeNo(node.0), offset, length)
            }
            Notice::Entry(parent, name) => notifier.inval_entry(INodeNo(parent.0), name),
        };
        if let Err(error) = told {
            tracing::debug!("the kernel did not take a notice: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ranges::ByteRange;

    #[test]
    fn attributes_alone_drop_no_pages() {
        assert_eq!(invalidated(InodeChange::Attributes), (-1, 0));
        assert_eq!(invalidated(InodeChange::AttributesAndPages), (0, 0));
        assert_eq!(invalidated(InodeChange::Spare(ByteRange::new(5, 12))), (5, 7));
    }
}
