//! The seam to the network: one request out, one reply in, with time-outs and nothing else. No redirects, no
//! retries, no decompression, no cookies: what `client` decides is what is sent.
//!
//! [`http`] does it with hyper's pooled client straight away. A client on top (reqwest) was tried and measured: at
//! loopback speed it costs the same, but its URL type folds `.` and `..` segments, so that a request for the key
//! `a/../b` silently goes to another object, and its read buffer cannot be set. Beneath it, paths are opaque bytes.

pub mod http;

mod connect;
mod outgoing;
mod tls;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::body::Pieces;
use super::{Deadlines, ErrorKind};

pub use outgoing::{Outgoing, Progress, Watch};

/// A reply whose body has not been read yet.
pub type Incoming = ::http::Response<Pieces>;

pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Incoming, Failure>> + Send + 'a>>;

pub trait Transport: Send + Sync {
    fn send(&self, request: ::http::Request<Outgoing>, deadlines: Deadlines) -> Sending<'_>;
}

/// Why no reply came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: ErrorKind,
    pub reached: Reached,
    pub message: String,
}

/// Whether the store may have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    No,
    Maybe,
}

/// Bytes that are handed to the socket at once: small enough that a slow line shows progress between two of them.
const FRAME_BYTES: usize = 256 << 10;

fn frames(bytes: Bytes) -> impl Iterator<Item = Bytes> {
    (0..bytes.len()).step_by(FRAME_BYTES).map(move |at| bytes.slice(at..bytes.len().min(at + FRAME_BYTES)))
}
