//! Errors of the file system as numbers for the kernel and lines for the log.

use crate::fs::{Error, ErrorKind};

/// How loud the log is about a kind: what an application does every day is debugging, what an administrator can put
/// right is a warning, our own faults are errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loudness {
    Debug,
    Info,
    Warning,
    Error,
}

fn loudness(kind: ErrorKind) -> Loudness {
    use ErrorKind::*;
    match kind {
        NotFound | Exists | NotDirectory | IsDirectory | NotEmpty | NameTooLong | NameEncoding | Invalid
        | ReadOnly | TooBig | NoAttribute | Unsupported | CrossDevice | Busy | BadHandle | NoSuchOffset => {
            Loudness::Debug
        }
        Locked | Forbidden | Stale | TooLarge => Loudness::Info,
        Denied | Archived | NoSpace | Quota | Unavailable | TimedOut | Corrupt => Loudness::Warning,
        Bug => Loudness::Error,
    }
}

/// The number for the kernel; what the number cannot say goes to the log.
pub fn errno(operation: &'static str, error: &Error) -> fuser::Errno {
    match loudness(error.kind()) {
        Loudness::Debug => tracing::debug!(operation, "{error}"),
        Loudness::Info => tracing::info!(operation, "{error}"),
        Loudness::Warning => tracing::warn!(operation, "{error}"),
        Loudness::Error => tracing::error!(operation, "{error}"),
    }
    fuser::Errno::from_i32(error.errno().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_must_act_on_is_at_least_a_warning() {
        for kind in [ErrorKind::Denied, ErrorKind::Unavailable, ErrorKind::Quota, ErrorKind::Corrupt] {
            assert_eq!(loudness(kind), Loudness::Warning, "{kind:?}");
        }
        assert_eq!(loudness(ErrorKind::NotFound), Loudness::Debug);
        assert_eq!(loudness(ErrorKind::Bug), Loudness::Error);
    }

    #[test]
    fn the_number_is_that_of_the_kind() {
        let error = Error::from(ErrorKind::Locked);
        assert_eq!(i32::from(errno("unlink", &error)), libc::EPERM);
    }
}
