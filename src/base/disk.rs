//! The durable-file seam: pwrite, sync, rename, sync of the directory; latches after an error.
//!
//! Whatever keeps data on local disk goes through [`Disk`] and [`File`], so that a test can crash or fill the
//! disk under it. Files of [`system()`] are private (0600, directories 0700, whatever the umask), close on exec
//! and never reached through a symbolic link. Every file is latched: once a write or a sync failed, the kernel
//! may have marked the lost pages clean, so that a later fsync would succeed (Rebello et al., ATC '20); from
//! then on each sync of that file fails with the first error.

mod latch;
mod system;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::base::ranges::ByteRange;

pub use latch::Latch;
pub use system::system;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    Read,
    /// Reading and writing a file that exists.
    Edit,
    /// Reading and writing; made if absent, kept if present.
    EditOrCreate,
    /// Made now; an error if present.
    CreateNew,
}

/// A file system that files are durable on.
pub trait Disk: Send + Sync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names in a directory, sorted.
    fn list(&self, directory: &Path) -> io::Result<Vec<std::ffi::OsString>>;
    /// Makes creations, renames and removals in `directory` durable.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;
    /// What unprivileged writers may still use.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file. Offsets are always given: there is no cursor to race for.
pub trait File: Send + Sync {
    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `data`.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
    fn sync_all(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Bytes of `range` read as zero afterwards; the length stays. Space is freed where the disk can.
    fn punch_hole(&self, range: ByteRange) -> io::Result<()>;
    /// Appends nothing and moves no cursor: `range` of this file becomes `offset..` of `target`, by reflink or in
    /// the kernel where it can. Bytes beyond this file's end are not written.
    fn copy_to(&self, range: ByteRange, target: &dyn File, offset: u64) -> io::Result<u64>;
    /// The first range of data at or after `offset`, or `None` when only holes are left. A disk that does not
    /// know takes all as data.
    fn seek_data(&self, offset: u64) -> io::Result<Option<ByteRange>>;
    /// Writes `range` out and gives the memory that the kernel caches it in to whoever needs it next. The bytes stay
    /// readable. Waits for the disk; makes nothing durable. A hint: a disk without such a cache does nothing.
    fn uncache(&self, _range: ByteRange) -> io::Result<()> {
        Ok(())
    }
    /// The descriptor, for what only the kernel can do with it.
    fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// Fills `buffer` or fails: `UnexpectedEof` where the file is too short.
pub fn read_exact_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let read = file.read_at(buffer, offset)?;
    if read == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Copies through memory: for disks and pairs of files that the kernel cannot copy between.
fn copy_through_memory(from: &dyn File, range: ByteRange, target: &dyn File, offset: u64) -> io::Result<u64> {
    const STEP_BYTES: u64 = 256 << 10;
    let mut buffer = vec![0; STEP_BYTES.min(range.len()) as usize];
    let mut copied = 0;
    while copied < range.len() {
        let step = STEP_BYTES.min(range.len() - copied) as usize;
        let read = from.read_at(&mut buffer[..step], range.start + copied)?;
        if read == 0 {
            break;
        }
        target.write_at(&buffer[..read], offset + copied)?;
        copied += read as u64;
    }
    Ok(copied)
}
