//! A complete S3 client that has never heard of files.
//!
//! A verb is a struct in [`ops`] that implements [`Operation`]; a configuration document is a struct in
//! [`settings`] that implements `Setting`, and four generic verbs serve them all. [`Client::send`] encodes an
//! operation, signs it, transports it, judges the reply, retries by class of failure and decodes the answer.

pub mod body;
mod checksum;
pub mod client;
pub mod config;
pub mod credentials;
pub mod dialect;
pub mod document;
pub mod endpoint;
mod envelope;
pub mod error;
pub mod event_stream;
mod exchange;
mod heed;
mod judge;
pub mod limits;
pub mod names;
pub mod object;
pub mod operation;
pub mod ops;
mod pace;
pub mod post;
pub mod probe;
mod region;
pub mod resource;
mod retry;
#[cfg(test)]
mod scripted;
mod session;
pub mod settings;
pub mod sign;
mod skew;
pub mod transfer;
mod transport;
pub mod vendor;
mod xml;

pub use body::{Body, BodySource, ByteStream};
pub use client::Client;
pub use config::{
    AwsAddress, ChecksumMode, ClientCertificate, Config, Deadlines, PayloadSigning, Proxy, Style,
    Verification,
};
pub use credentials::{Credentials, Provider};
pub use error::{Error, ErrorKind};
pub use limits::Limits;
pub use object::{ETag, ObjectRef, VersionId};
pub use operation::Operation;

pub type Result<T> = std::result::Result<T, Error>;
