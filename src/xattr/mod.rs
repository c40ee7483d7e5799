//! Attribute names turned into S3 operations.
//!
//! * [`name`]: pure: what an attribute's name means.
//! * [`metadata`]: pure: `user.NAME` ↔ user metadata, with an encoding for what headers cannot carry.
//! * [`tags`], [`lock`]: pure: tag sets, legal holds and retention as text, and the store's rules about them.
//! * [`view`]: pure: values and names of a file, from what the store said and what is waiting to be stored.
//! * [`change`]: pure: what a setxattr or removexattr asks for, judged before anything is sent.
//! * [`store`]: the requests that labels (tags, hold, retention) take.
//!
//! Labels take effect at the store at once. Everything else is part of the object and needs it to be stored anew
//! (a copy onto itself), or travels with an upload that is pending anyway: `fs` decides which.

pub mod change;
pub mod lock;
pub mod metadata;
pub mod name;
pub mod store;
pub mod tags;
pub mod view;

pub use change::{Change, Effect};
pub use name::{Fact, Header, Name};
pub use view::View;

use crate::s3;

/// Why an attribute cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A value that the store would refuse.
    #[error("{0}")]
    Invalid(String),
    /// A name that holdfs keeps for itself, or a lock that may not be weakened.
    #[error("{0}")]
    Forbidden(String),
    #[error("there is no such attribute")]
    NoAttribute,
    /// XATTR_CREATE of an attribute that is there.
    #[error("the attribute exists already")]
    Exists,
    #[error("{0}")]
    Unsupported(String),
    /// Over what an object can carry.
    #[error("{0}")]
    NoSpace(String),
    /// Over what the kernel can carry.
    #[error("{0}")]
    TooBig(String),
    #[error(transparent)]
    Store(#[from] s3::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

/// The most bytes that Linux lets a value have.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
