//! What can go wrong between a write and the stored object.

use std::sync::Arc;

use crate::s3;

pub type Result<T> = std::result::Result<T, Error>;

/// What a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Another writer changed the object since the edit began (`--on-conflict fail`); the bytes stay in the journal.
    Conflict,
    /// An exclusive creation lost: the name exists at the store.
    Exists,
    /// The store refuses for good: permissions.
    Denied,
    /// Object lock forbids it.
    Locked,
    /// The state directory is full, or the store's quota (see the source) is used up.
    NoSpace,
    /// Over the largest object that the store takes.
    TooLarge,
    /// Metadata that the store does not take.
    Invalid,
    /// The state directory belongs to another mount, or the file is in a state that cannot do this now.
    Busy,
    /// The local disk failed: the bytes cannot be trusted and are not uploaded.
    Disk,
    /// The file was retired or discarded: stage it again.
    Retired,
    /// No progress for the deadline: the bytes stay in the journal and the upload goes on.
    TimedOut,
    /// Not offered (yet): the message says what is.
    Unsupported,
    /// Everything else that the store answered, or that kept it from answering.
    Store,
    /// A fault of ours.
    Bug,
}

/// Cheap to clone: the last error of a file is remembered and reported more than once.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Arc<str>,
    store: Option<Arc<s3::Error>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, message: message.into(), store: None }
    }
    /// The local disk failed to do `what`.
    pub(super) fn disk(what: &str, error: &std::io::Error) -> Self {
        let full = matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT));
        let kind = if full { ErrorKind::NoSpace } else { ErrorKind::Disk };
        Self::new(kind, format!("cannot {what}: {error}"))
    }
    pub(super) fn conflict(message: &str) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }
    pub(super) fn from_store(kind: ErrorKind, error: &s3::Error) -> Self {
        Self { kind, message: error.to_string().into(), store: Some(Arc::new(error.clone())) }
    }
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
    /// What the store answered, where that is the cause.
    pub fn store(&self) -> Option<&s3::Error> {
        self.store.as_deref()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
