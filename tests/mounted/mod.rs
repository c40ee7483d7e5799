//! What a mount does, seen through the kernel. Each test has a bucket and a mount of its own; the mount is served by a
//! child process, and a watchdog ends both when a test takes too long, so that nothing hangs.
//!
//! The store is the embedded server, or the one that `HOLDFS_TEST_ENDPOINT` and the usual AWS variables name.

pub mod harness;

mod basic;
mod canary;
mod cli_errors;
mod lifecycle;
mod names;
mod workloads;
