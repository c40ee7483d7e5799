//! An S3 server on loopback for `holdfs serve`, the demo, the tests and the benchmarks.
//!
//! [`Server`] listens and takes each HTTP request through the fault rules, the delays of a distant store and the
//! log, and hands it to `s3s`, which owns the protocol and the signatures. Buckets, versions, conditions, locks
//! and uploads are plain data under one lock, which knows no HTTP. Versions and uploads point at blobs, in memory
//! or in files, so that copies and the completion of a multipart upload move no byte.
//!
//! It never uses the client in `s3`: client and server must not share a misunderstanding.

mod admin;
mod api;
mod auth;
mod blob;
mod body;
mod events;
pub mod faults;
mod form;
mod front;
pub mod log;
mod operation;
mod options;
mod policy;
mod select;
mod server;
mod storage;
mod tar;
mod tls;
mod token;
mod wire;

pub use faults::Faults;
pub use log::Log;
pub use options::{Etags, KeyPair, Limits, Options, Storage, Times, Tls};
pub use server::{Error, Server};
