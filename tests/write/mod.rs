//! The write engine against the embedded server: what reaches the store, what faults do to it, what a crash leaves.
//!
//! The store's limits are scaled down (parts of 64 KiB instead of 5 MiB), so that multipart uploads, part copies and
//! early parts happen with files of a megabyte.

mod disk;
mod faults;
mod model;
mod moving;
mod recovery;
mod rig;
mod storing;
