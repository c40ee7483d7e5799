//! The disk of this machine.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::{Disk, File, Latch, OpenMode, copy_through_memory};
use crate::base::ranges::ByteRange;

/// The real one. Its files are latched.
pub fn system() -> Arc<dyn Disk> {
    Arc::new(System)
}

struct System;

struct SystemFile(fs::File);

impl Disk for System {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        // std adds O_CLOEXEC.
        options.read(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::Edit => options.write(true),
            OpenMode::EditOrCreate => options.write(true).create(true).truncate(false),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Arc::new(Latch::new(Arc::new(SystemFile(options.open(path)?)))))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(directory)?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<Result<Vec<_>, _>>()?;
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(directory)?.sync_all()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path is a C string, and statvfs fills `stat` whenever it returns 0.
        let stat = unsafe {
            if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            stat.assume_init()
        };
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl File for SystemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn punch_hole(&self, range: ByteRange) -> io::Result<()> {
        let Some(range) = range.intersect(ByteRange::new(0, self.len()?)) else { return Ok(()) };
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let (start, len) = (signed(range.start)?, signed(range.len())?);
        // SAFETY: the descriptor is open; the call touches no memory of ours.
        match checked(unsafe { libc::fallocate(self.0.as_raw_fd(), mode, start, len) }) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => self.write_zeros(range),
            result => result.map(drop),
        }
    }

    fn copy_to(&self, range: ByteRange, target: &dyn File, offset: u64) -> io::Result<u64> {
        let Some(target_fd) = target.as_fd() else { return copy_through_memory(self, range, target, offset) };
        let mut copied = 0;
        while copied < range.len() {
            let rest = ByteRange::new(range.start + copied, range.end);
            match self.copy_once(rest, target_fd, offset + copied) {
                Ok(0) => break,
                Ok(step) => copied += step,
                // Another file system, or one that cannot: the bytes can still be carried over.
                Err(_) => return Ok(copied + copy_through_memory(self, rest, target, offset + copied)?),
            }
        }
        Ok(copied)
    }

    fn seek_data(&self, offset: u64) -> io::Result<Option<ByteRange>> {
        let seek = |from: u64, whence| {
            let from = signed(from)?;
            // SAFETY: the descriptor is open; its cursor is used by nobody, all I/O here names its offset.
            let at = unsafe { libc::lseek(self.0.as_raw_fd(), from, whence) };
            u64::try_from(at).map_err(|_| io::Error::last_os_error())
        };
        let start = match seek(offset, libc::SEEK_DATA) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Ok(None),
            start => start?,
        };
        Ok(Some(ByteRange::new(start, seek(start, libc::SEEK_HOLE)?)))
    }

    fn uncache(&self, range: ByteRange) -> io::Result<()> {
        let (fd, start, len) = (self.0.as_raw_fd(), signed(range.start)?, signed(range.len())?);
        let write_out = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        // SAFETY: the descriptor is open; the call touches no memory of ours.
        match checked(unsafe { libc::sync_file_range(fd, start, len, write_out) }) {
            // A file system that has no pages to write out, such as one in memory.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ESPIPE | libc::ENOSYS | libc::EINVAL)) =>
            {
                return Ok(());
            }
            written => written?,
        };
        // SAFETY: as above. A refusal keeps the pages, which is no harm.
        let _kept = unsafe { libc::posix_fadvise(fd, start, len, libc::POSIX_FADV_DONTNEED) };
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

impl SystemFile {
    fn write_zeros(&self, range: ByteRange) -> io::Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut at = range.start;
        while at < range.end {
            let step = (range.end - at).min(ZEROS.len() as u64);
            self.write_at(&ZEROS[..step as usize], at)?;
            at += step;
        }
        Ok(())
    }

    fn copy_once(&self, range: ByteRange, target: BorrowedFd<'_>, offset: u64) -> io::Result<u64> {
        let (mut from, mut to) = (signed(range.start)?, signed(offset)?);
        let len = usize::try_from(range.len()).unwrap_or(usize::MAX);
        // SAFETY: both descriptors are open and both offsets live across the call.
        let copied = unsafe {
            libc::copy_file_range(self.0.as_raw_fd(), &raw mut from, target.as_raw_fd(), &raw mut to, len, 0)
        };
        u64::try_from(copied).map_err(|_| io::Error::last_os_error())
    }
}

fn signed(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_directories_are_private() {
        let (disk, root) = (system(), tempfile::tempdir().unwrap());
        let directory = root.path().join("a/b");
        disk.create_dir_all(&directory).unwrap();
        disk.open(&directory.join("f"), OpenMode::CreateNew).unwrap();
        assert_eq!((mode(&directory), mode(&directory.join("f"))), (0o700, 0o600));
        assert_eq!(disk.list(&directory).unwrap(), ["f"]);
        disk.sync_dir(&directory).unwrap();
        assert!(disk.free_bytes(&directory).unwrap() > 0);
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let (disk, root) = (system(), tempfile::tempdir().unwrap());
        let (target, link) = (root.path().join("target"), root.path().join("link"));
        fs::write(&target, "x").unwrap();
        symlink(&target, &link).unwrap();
        for mode in [OpenMode::Read, OpenMode::Edit, OpenMode::EditOrCreate, OpenMode::CreateNew] {
            assert!(disk.open(&link, mode).is_err(), "{mode:?}");
        }
    }

    #[test]
    fn uncached_bytes_are_still_there() {
        let (disk, root) = (system(), tempfile::tempdir().unwrap());
        let file = disk.open(&root.path().join("f"), OpenMode::CreateNew).unwrap();
        file.write_at(&[7; 3 << 16], 0).unwrap();
        file.uncache(ByteRange::new(1 << 16, 1 << 20)).unwrap();
        let mut bytes = vec![0; 4 << 16];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 3 << 16);
        assert!(bytes[..3 << 16].iter().all(|byte| *byte == 7));
    }

    #[test]
    fn holes_are_punched_found_and_copied_around() {
        let (disk, root) = (system(), tempfile::tempdir().unwrap());
        let file = disk.open(&root.path().join("f"), OpenMode::CreateNew).unwrap();
        file.write_at(&[7; 3 << 16], 0).unwrap();
        file.punch_hole(ByteRange::new(1 << 16, 2 << 16)).unwrap();
        let mut byte = [1];
        assert_eq!((file.read_at(&mut byte, 1 << 16).unwrap(), byte), (1, [0]));
        file.punch_hole(ByteRange::new(2 << 16, u64::MAX)).unwrap();
        assert_eq!(file.len().unwrap(), 3 << 16);
        assert_eq!(file.seek_data(3 << 16).unwrap(), None);
        assert_eq!(file.seek_data(0).unwrap().unwrap().start, 0);

        let copy = disk.open(&root.path().join("g"), OpenMode::CreateNew).unwrap();
        assert_eq!(file.copy_to(ByteRange::new(1, 1 << 20), &*copy, 5).unwrap(), (3 << 16) - 1);
        let mut bytes = [1; 6];
        copy.read_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [0, 0, 0, 0, 0, 7]);
    }

    #[test]
    fn opening_says_what_it_may_create() {
        let (disk, root) = (system(), tempfile::tempdir().unwrap());
        let path = root.path().join("f");
        assert!(disk.open(&path, OpenMode::Edit).is_err());
        disk.open(&path, OpenMode::EditOrCreate).unwrap().write_at(b"kept", 0).unwrap();
        assert!(disk.open(&path, OpenMode::CreateNew).is_err());
        assert_eq!(disk.open(&path, OpenMode::EditOrCreate).unwrap().len().unwrap(), 4);
        assert!(disk.open(&path, OpenMode::Read).unwrap().write_at(b"x", 0).is_err());
        disk.rename(&path, &root.path().join("g")).unwrap();
        disk.remove(&root.path().join("g")).unwrap();
        assert_eq!(disk.list(root.path()).unwrap(), Vec::<OsString>::new());
    }
}
