//! One integration binary: quick to link, and every test is found in one place.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that fails may panic and may talk")]

mod client;
mod contract;
mod embedded;
mod layers;
mod mounted;
mod namespace;
mod read;
mod reference;
mod semantics;
mod verbs;
mod write;
