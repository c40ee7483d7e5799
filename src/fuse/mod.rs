//! The kernel's protocol around a [`FileSystem`](crate::fs::FileSystem); the only user of `fuser`.
//!
//! `adapter` decodes each callback; `dispatch` answers it: on the session thread if memory knows the answer, else
//! from a task that takes the reply along. `convert` turns types of one side into those of the other, `errno` turns
//! errors into numbers and log lines, `notify` tells the kernel what to forget, `device` mounts, [`session`] serves.
//!
//! Invariants: no session thread waits for the network or the disk. Every request is answered exactly once: a
//! reply that is dropped, by a panic too, answers EIO. Nothing here unmounts: the kernel, or the owner of the
//! mount, ends a session.

mod adapter;
mod convert;
mod device;
mod dispatch;
mod errno;
mod failpoint;
mod notify;
pub mod session;

pub use device::MountFlags;
pub use session::Session;
