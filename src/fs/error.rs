//! One error for every file-system operation: its kind is the errno, its text is for the log.
//!
//! Two tables, both exhaustive: [`ErrorKind::errno`] (kind → what the application sees) and
//! [`ErrorKind::of_store`] (what the store said → kind). Nothing else in the crate turns a reply of the store
//! into an errno, so that a 403, a 503 or a cut connection can never become "no such file".

use std::fmt;

use crate::base::errno::Errno;
use crate::{namespace, s3, write, xattr};

/// What went wrong, in the file system's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    NotFound,
    Exists,
    NotDirectory,
    IsDirectory,
    NotEmpty,
    NameTooLong,
    /// A name that is not UTF-8, which no key can carry.
    NameEncoding,
    Invalid,
    /// The mount is read-only.
    ReadOnly,
    Denied,
    /// Legal hold or unexpired retention.
    Locked,
    /// Not possible here whoever asks: hard links, reserved names.
    Forbidden,
    /// The bytes are in an archive class; a restore is needed first.
    Archived,
    Stale,
    /// A file larger than the store can hold.
    TooLarge,
    /// An attribute value over the limit of the kernel.
    TooBig,
    NoSpace,
    Quota,
    NoAttribute,
    Unsupported,
    CrossDevice,
    Busy,
    BadHandle,
    /// lseek past the last data or hole.
    NoSuchOffset,
    /// Still failing when the retry deadline came.
    Unavailable,
    TimedOut,
    Corrupt,
    Bug,
}

impl ErrorKind {
    pub fn errno(self) -> Errno {
        Errno(match self {
            Self::NotFound => libc::ENOENT,
            Self::Exists => libc::EEXIST,
            Self::NotDirectory => libc::ENOTDIR,
            Self::IsDirectory => libc::EISDIR,
            Self::NotEmpty => libc::ENOTEMPTY,
            Self::NameTooLong => libc::ENAMETOOLONG,
            Self::NameEncoding => libc::EILSEQ,
            Self::Invalid => libc::EINVAL,
            Self::ReadOnly => libc::EROFS,
            Self::Denied => libc::EACCES,
            Self::Locked | Self::Forbidden => libc::EPERM,
            Self::Stale => libc::ESTALE,
            Self::TooLarge => libc::EFBIG,
            Self::TooBig => libc::E2BIG,
            Self::NoSpace => libc::ENOSPC,
            Self::Quota => libc::EDQUOT,
            Self::NoAttribute => libc::ENODATA,
            Self::Unsupported => libc::EOPNOTSUPP,
            Self::CrossDevice => libc::EXDEV,
            Self::Busy => libc::EBUSY,
            Self::BadHandle => libc::EBADF,
            Self::NoSuchOffset => libc::ENXIO,
            Self::TimedOut => libc::ETIMEDOUT,
            Self::Archived | Self::Unavailable | Self::Corrupt | Self::Bug => libc::EIO,
        })
    }

    /// What the store said; a refusal because of a lock is told from one for want of permission.
    pub fn of_refusal(error: &s3::Error) -> Self {
        if error.is_object_lock() { Self::Locked } else { Self::of_store(error.kind()) }
    }

    /// The one place where the store's words become the file system's.
    pub fn of_store(kind: s3::ErrorKind) -> Self {
        use s3::ErrorKind as Store;
        match kind {
            Store::NoSuchKey => Self::NotFound,
            // The pinned version is gone: the handle is stale, the name may well exist.
            Store::NoSuchVersion | Store::PreconditionFailed => Self::Stale,
            Store::NoSuchSetting => Self::NoAttribute,
            Store::Denied | Store::Credentials | Store::NoCredentials => Self::Denied,
            Store::Unsupported => Self::Unsupported,
            Store::Archived => Self::Archived,
            Store::TooLarge => Self::TooLarge,
            Store::KeyTooLong => Self::NameTooLong,
            Store::MetadataTooLarge => Self::NoSpace,
            Store::Quota => Self::Quota,
            Store::TimedOut => Self::TimedOut,
            Store::Corrupt => Self::Corrupt,
            Store::Conflict => Self::Busy,
            Store::NoSuchBucket
            | Store::Throttled
            | Store::Unavailable
            | Store::Tls
            | Store::Redirect
            | Store::Skew
            | Store::Source => Self::Unavailable,
            Store::Invalid => Self::Invalid,
            Store::NotModified
            | Store::NoSuchUpload
            | Store::BucketExists
            | Store::BucketNotEmpty
            | Store::InvalidRange
            | Store::MethodNotAllowed
            | Store::InvalidPart
            | Store::Bug => Self::Bug,
        }
    }
}

/// What an operation answers when it fails. `Display` is one line: what happened, and what to do about it.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    reason: Option<Box<str>>,
}

impl Error {
    pub fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: Some(reason.into().into_boxed_str()) }
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn errno(&self) -> Errno {
        self.kind.errno()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, reason: None }
    }
}

impl From<s3::Error> for Error {
    fn from(error: s3::Error) -> Self {
        Self::new(ErrorKind::of_refusal(&error), error.to_string())
    }
}

impl From<namespace::Error> for Error {
    fn from(error: namespace::Error) -> Self {
        let kind = match &error {
            namespace::Error::Name(name) => return (*name).into(),
            namespace::Error::Store(store) => ErrorKind::of_store(store.kind()),
            namespace::Error::NotDirectory => ErrorKind::NotDirectory,
            namespace::Error::Unlinked => ErrorKind::NotFound,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<namespace::name::Error> for Error {
    fn from(error: namespace::name::Error) -> Self {
        use namespace::name::Error as Name;
        let kind = match error {
            Name::NotUtf8 => ErrorKind::NameEncoding,
            Name::TooLong => ErrorKind::NameTooLong,
            Name::Reserved => ErrorKind::Forbidden,
            Name::Invalid => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<write::Error> for Error {
    fn from(error: write::Error) -> Self {
        use write::ErrorKind as Write;
        let kind = match error.kind() {
            Write::Conflict => ErrorKind::Stale,
            Write::Exists => ErrorKind::Exists,
            Write::Denied => ErrorKind::Denied,
            Write::Locked => ErrorKind::Locked,
            Write::NoSpace => ErrorKind::NoSpace,
            Write::TooLarge => ErrorKind::TooLarge,
            Write::Invalid => ErrorKind::Invalid,
            Write::Busy => ErrorKind::Busy,
            Write::TimedOut => ErrorKind::TimedOut,
            Write::Unsupported => ErrorKind::Unsupported,
            Write::Store => {
                error.store().map_or(ErrorKind::Unavailable, |store| ErrorKind::of_store(store.kind()))
            }
            Write::Disk => ErrorKind::Unavailable,
            Write::Retired | Write::Bug => ErrorKind::Bug,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<xattr::Error> for Error {
    fn from(error: xattr::Error) -> Self {
        use xattr::Error as Xattr;
        let kind = match &error {
            Xattr::Invalid(_) => ErrorKind::Invalid,
            Xattr::Forbidden(_) => ErrorKind::Forbidden,
            Xattr::NoAttribute => ErrorKind::NoAttribute,
            Xattr::Exists => ErrorKind::Exists,
            Xattr::Unsupported(_) => ErrorKind::Unsupported,
            Xattr::NoSpace(_) => ErrorKind::NoSpace,
            Xattr::TooBig(_) => ErrorKind::TooBig,
            Xattr::Store(store) => ErrorKind::of_refusal(store),
        };
        Self::new(kind, error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => f.write_str(reason),
            None => write!(f, "{:?}", self.kind),
        }
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::{Asked, kind_of};

    /// What applications do next depends on the number alone: "no such file" makes them create one, EIO makes some
    /// of them try for ever.
    #[test]
    fn s3_14_every_refusal_of_the_store_has_the_errno_that_says_what_to_do() {
        for (status, code, expected) in [
            (403, "AccessDenied", libc::EACCES),
            (403, "", libc::EACCES),
            (401, "", libc::EACCES),
            (403, "SignatureDoesNotMatch", libc::EACCES),
            (400, "ExpiredToken", libc::EACCES),
            (400, "KMS.DisabledException", libc::EACCES),
            (400, "KMS.NotFoundException", libc::EACCES),
            (400, "KMS.ThrottlingException", libc::EIO),
            (404, "NoSuchKey", libc::ENOENT),
            (404, "NoSuchVersion", libc::ESTALE),
            (404, "NoSuchBucket", libc::EIO),
            (405, "MethodNotAllowed", libc::EIO),
            (408, "", libc::ETIMEDOUT),
            (409, "ConditionalRequestConflict", libc::EBUSY),
            (409, "OperationAborted", libc::EBUSY),
            (412, "PreconditionFailed", libc::ESTALE),
            (413, "EntityTooLarge", libc::EFBIG),
            (400, "EntityTooLarge", libc::EFBIG),
            (400, "KeyTooLongError", libc::ENAMETOOLONG),
            (400, "MetadataTooLarge", libc::ENOSPC),
            (416, "InvalidRange", libc::EIO),
            (429, "", libc::EIO),
            (403, "InvalidObjectState", libc::EIO),
            (403, "QuotaExceeded", libc::EDQUOT),
            (507, "", libc::EDQUOT),
            (400, "InvalidArgument", libc::EINVAL),
            (501, "NotImplemented", libc::EOPNOTSUPP),
            (500, "InternalError", libc::EIO),
            (503, "SlowDown", libc::EIO),
            (503, "", libc::EIO),
            (301, "PermanentRedirect", libc::EIO),
        ] {
            let kind = ErrorKind::of_store(kind_of(status, code, Asked::Key));
            assert_eq!(kind.errno().0, expected, "{status} {code}");
        }
    }
}
