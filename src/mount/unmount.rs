//! Takes a mount out of the tree: umount2(2) with the privilege for it, fusermount3 without.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

/// What to do about open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detach {
    /// EBUSY while any are.
    WhenUnused,
    /// Vanish from the tree now, go when the last is closed (`umount -l`).
    Lazily,
}

/// May block for as long as the kernel writes back what was mapped: not for a thread that serves the mount.
pub fn unmount(directory: &Path, detach: Detach) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let flags = libc::UMOUNT_NOFOLLOW | if detach == Detach::Lazily { libc::MNT_DETACH } else { 0 };
    // SAFETY: `path` is a string that ends with NUL and outlives the call.
    if unsafe { libc::umount2(path.as_ptr(), flags) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::EPERM) => by_fusermount(directory, detach),
        error => Err(error),
    }
}

fn by_fusermount(directory: &Path, detach: Detach) -> io::Result<()> {
    let mut command = Command::new("fusermount3");
    command.arg("-u");
    if detach == Detach::Lazily {
        command.arg("-z");
    }
    let output = command.arg("--").arg(directory).output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        // The words of umount2(2), which fusermount3 passes on.
        false if message.contains("busy") => Err(io::Error::from_raw_os_error(libc::EBUSY)),
        false => Err(io::Error::other(message.trim().to_owned())),
    }
}
