//! What the kernel must forget, and when.
//!
//! Attributes may be dropped at any time; pages only while no handle is open and no read is in flight, which is why
//! this module never asks for it: an open that finds another version answers "do not keep what you cached" instead.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use parking_lot::RwLock;

use super::NodeId;
use crate::base::ranges::ByteRange;

/// The kernel's caches, as far as somebody else's change makes them wrong. One dedicated thread tells the kernel:
/// a notification sent by a thread that answers requests, or with a lock held, can deadlock with it. So calls only
/// queue what is to be said.
pub trait KernelCache: Send + Sync {
    /// Resolves when the kernel has forgotten. An open may wait for `Attributes`, so that the size is right before it
    /// is answered; nobody may wait for pages from within a request.
    fn inode_changed(&self, node: NodeId, change: InodeChange) -> BoxFuture<'static, ()>;
    /// The name may now mean another node, or none.
    fn entry_changed(&self, parent: NodeId, name: &str);
}

/// What changed about an inode whose state the kernel caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InodeChange {
    Attributes,
    /// Attributes and all cached pages. Only ever asked for while no handle is open.
    AttributesAndPages,
    /// Attributes and the pages of this range, which are right but not worth their memory.
    Spare(ByteRange),
}

/// For a file system without a kernel.
pub struct NoKernel;

impl KernelCache for NoKernel {
    fn inode_changed(&self, _node: NodeId, _change: InodeChange) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
    fn entry_changed(&self, _parent: NodeId, _name: &str) {}
}

/// The kernel that is attached, if any is.
pub struct Kernel(RwLock<Arc<dyn KernelCache>>);

impl Kernel {
    pub fn detached() -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(NoKernel))))
    }

    pub fn attach(&self, kernel: Arc<dyn KernelCache>) {
        *self.0.write() = kernel;
    }

    pub async fn attributes_changed(&self, node: NodeId) {
        let forgotten = self.attached().inode_changed(node, InodeChange::Attributes);
        forgotten.await;
    }

    /// The pages behind a long writer can go. Nobody waits for it.
    pub fn spare(&self, node: NodeId, range: ByteRange) {
        drop(self.attached().inode_changed(node, InodeChange::Spare(range)));
    }

    pub fn entry_changed(&self, parent: NodeId, name: &str) {
        self.attached().entry_changed(parent, name);
    }

    fn attached(&self) -> Arc<dyn KernelCache> {
        self.0.read().clone()
    }
}
