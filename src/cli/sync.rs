//! `holdfs sync`.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::mount::table;

use super::{Failure, Outcome};

/// Waits until files are stored.
///
/// Given the mount point, waits for the whole mount. (sync -f does not reach a FUSE file system.)
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files or directories on a mount
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Args {
    pub fn run(self) -> Outcome {
        self.paths.iter().try_for_each(|path| {
            if table::ours_containing(path)?.is_none() {
                return Err(Failure::refused(format!("{} is not on a mount of holdfs.", path.display())));
            }
            sync(path)
                .map_err(|error| Failure::refused(format!("{} is not stored: {error}.", path.display())))
        })
    }
}

/// fsync of a directory covers its entries, that of the root the whole mount; a file is asked by its attribute.
fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return File::open(path)?.sync_all();
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both strings end with NUL, the value is one byte, and all outlive the call.
    match unsafe { libc::setxattr(path.as_ptr(), c"user.holdfs.sync".as_ptr(), b"1".as_ptr().cast(), 1, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
