//! holdfs mounts buckets of any S3-compatible store as a file system.
//!
//! Folders are layers and arrows point down; `tests/layers.rs` reads every `use crate::…` line and fails
//! when one points up, or sideways between engines. From the ground up:
//!
//! * L0 [`telemetry`]: metrics declared once, and the set-up of logging.
//! * L0 [`base`]: what knows neither S3 nor FUSE: ranges, budgets, single flight, durable files, SQLite.
//! * L1 [`s3`]: a complete S3 client that has never heard of files. Owns [`s3::ObjectRef`].
//! * L2 [`namespace`]: names and inodes; knows nothing of handles, uploads or memory.
//! * L2 [`read`]: bytes of one object version, fetched ahead and once.
//! * L2 [`write`](mod@write): changed files, from the first write to the committed object.
//! * L2 [`xattr`]: attribute names turned into S3 operations.
//! * L3 [`fs`]: the mediator: file-system semantics without a kernel.
//! * L4 [`fuse`]: the only user of `fuser`: the kernel's protocol around [`fs`].
//! * L4 [`embedded`]: an S3 server for `holdfs serve`, the demo, the tests and the benchmarks.
//! * L5 [`config`], [`mount`]: options, and the composition root of a mount.
//! * L6 [`cli`]: one file per command.

pub mod base;
pub mod cli;
pub mod config;
pub mod embedded;
pub mod fs;
pub mod fuse;
pub mod mount;
pub mod namespace;
pub mod read;
pub mod s3;
pub mod telemetry;
pub mod write;
pub mod xattr;
