//! One process per state directory: a lock that the kernel drops with the process, and its pid for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Error, ErrorKind, Result};

/// Held while it lives. A lock that a killed process left is none: the kernel took it back.
pub struct Lock {
    _held: File,
}

impl Lock {
    /// `Busy`, naming the process, if another one has the directory.
    pub fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW);
        let mut file = options
            .open(&path)
            .map_err(|error| Error::disk("open the lock of the state directory", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy(&mut file, directory)),
            Err(TryLockError::Error(error)) => return Err(Error::disk("lock the state directory", &error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| Error::disk("write the lock of the state directory", &error))?;
        Ok(Self { _held: file })
    }
}

fn busy(file: &mut File, directory: &Path) -> Error {
    let mut pid = String::new();
    let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
    let who = if known { format!("process {}", pid.trim()) } else { "another process".to_owned() };
    let message = format!(
        "{who} has the state directory {}: this bucket is mounted for writing already; unmount it there, mount \
         read-only, or give another --state directory",
        directory.display()
    );
    Error::new(ErrorKind::Busy, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_and_may_follow_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take(directory.path()).unwrap();
        let refused = Lock::take(directory.path()).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Busy);
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        Lock::take(directory.path()).unwrap();
    }
}
