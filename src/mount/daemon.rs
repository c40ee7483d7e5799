//! Into the background, once the mount works.
//!
//! The parent forks before there is any thread and waits at a pipe. The child goes on as leader of a session of
//! its own, and reports over the pipe: ready, or why not. Then it lets go of the terminal, so that
//! `$(holdfs mount …)` and a pipeline end; a child that dies without a word is reported, too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use super::{Error, Result};

/// Which of the two a process is after [`fork`].
pub enum Side {
    Parent(Child),
    Child(Readiness),
}

/// The parent's end.
pub struct Child {
    pipe: File,
    pid: libc::pid_t,
}

/// The child's end, or nobody's for a mount in the foreground.
pub struct Readiness {
    pipe: Option<File>,
}

const READY: u8 = b'+';
const FAILED: u8 = b'-';

/// Splits the process. Must be called while it has one thread.
pub fn fork() -> io::Result<Side> {
    let (read, write) = pipe()?;
    // SAFETY: there is one thread, so no lock can be held by another that the child would never see released.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(read);
            become_leader(write.as_raw_fd());
            Ok(Side::Child(Readiness { pipe: Some(File::from(write)) }))
        }
        pid => Ok(Side::Parent(Child { pipe: File::from(read), pid })),
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: pipe2 has just made both, and nobody else has them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Lets go of the shell's session, its directory and whatever descriptors it left open.
fn become_leader(keep: RawFd) {
    // SAFETY: setsid takes nothing; chdir a string that ends with NUL. A fresh child is never a group leader.
    unsafe {
        libc::setsid();
        libc::chdir(c"/".as_ptr());
    }
    let keep = keep as libc::c_uint;
    // SAFETY: only descriptors that this program has not opened are closed: it has opened `keep` only.
    unsafe {
        libc::close_range(3, keep.saturating_sub(1), 0);
        libc::close_range(keep + 1, libc::c_uint::MAX, 0);
    }
}

impl Child {
    /// Waits until the mount is there; the child's own words if it is not.
    pub fn wait(mut self) -> Result<()> {
        let mut report = Vec::new();
        let read = self.pipe.read_to_end(&mut report);
        match (read, report.split_first()) {
            (Ok(_), Some((&READY, _))) => Ok(()),
            (Ok(_), Some((&FAILED, words))) => Err(Error::new(String::from_utf8_lossy(words).into_owned())),
            _ => Err(Error::new(format!(
                "The process that was to serve the mount (pid {}) ended without a word. Run the same command with \
                 --foreground to see why.",
                self.pid
            ))),
        }
    }
}

impl Readiness {
    /// For a mount that stays in the foreground.
    pub fn nobody_waits() -> Self {
        Self { pipe: None }
    }

    pub fn in_background(&self) -> bool {
        self.pipe.is_some()
    }

    /// The mount answers: lets the parent go, and the terminal with it.
    pub fn ready(mut self) -> io::Result<()> {
        let Some(mut pipe) = self.pipe.take() else { return Ok(()) };
        detach_stdio()?;
        pipe.write_all(&[READY])
    }

    /// The mount did not come about. `false`: nobody else will say so.
    pub fn failed(mut self, reason: &str) -> bool {
        let Some(mut pipe) = self.pipe.take() else { return false };
        pipe.write_all(&[&[FAILED], reason.as_bytes()].concat()).is_ok()
    }
}

fn detach_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?.into_raw_fd();
    for standard in 0..=2 {
        // SAFETY: `null` is open, and nothing in this process owns descriptors 0 to 2.
        if unsafe { libc::dup2(null, standard) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: `null` is ours and is not used after this.
    unsafe { libc::close(null) };
    Ok(())
}
