//! A file that remembers that it failed.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use parking_lot::Mutex;

use super::File;
use crate::base::errno::Errno;
use crate::base::ranges::ByteRange;

/// After a failed write-out or sync, no later sync of the file claims success.
pub struct Latch {
    file: Arc<dyn File>,
    failed: Mutex<Option<Errno>>,
}

impl Latch {
    pub fn new(file: Arc<dyn File>) -> Self {
        Self { file, failed: Mutex::new(None) }
    }

    /// Out of space is no reason to latch: the write was refused whole, and nothing that was promised is lost.
    fn latched<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            let errno = Errno::of(error);
            if ![libc::ENOSPC, libc::EDQUOT, libc::EINTR, libc::EFBIG].contains(&errno.0) {
                self.failed.lock().get_or_insert(errno);
            }
        })
    }

    fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if let Some(errno) = *self.failed.lock() {
            return Err(errno.into());
        }
        // Here out of space counts: pages that were taken did not reach the disk.
        sync().inspect_err(|error| {
            self.failed.lock().get_or_insert(Errno::of(error));
        })
    }
}

impl File for Latch {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.latched(self.file.write_at(data, offset))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.latched(self.file.set_len(len))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.sync(|| self.file.sync_data())
    }
    fn sync_all(&self) -> io::Result<()> {
        self.sync(|| self.file.sync_all())
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn punch_hole(&self, range: ByteRange) -> io::Result<()> {
        self.latched(self.file.punch_hole(range))
    }
    fn copy_to(&self, range: ByteRange, target: &dyn File, offset: u64) -> io::Result<u64> {
        self.file.copy_to(range, target, offset)
    }
    fn seek_data(&self, offset: u64) -> io::Result<Option<ByteRange>> {
        self.file.seek_data(offset)
    }
    /// The kernel tells of a failed write-out once: it counts as a failed sync.
    fn uncache(&self, range: ByteRange) -> io::Result<()> {
        self.sync(|| self.file.uncache(range))
    }
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails one sync, then pretends that all is well, as Linux does.
    struct Forgetful(Mutex<Option<i32>>);
    impl File for Forgetful {
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Ok(0)
        }
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            self.sync_all()
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn sync_data(&self) -> io::Result<()> {
            self.sync_all()
        }
        fn sync_all(&self) -> io::Result<()> {
            self.0.lock().take().map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
        }
        fn len(&self) -> io::Result<u64> {
            Ok(0)
        }
        fn punch_hole(&self, _: ByteRange) -> io::Result<()> {
            Ok(())
        }
        fn copy_to(&self, _: ByteRange, _: &dyn File, _: u64) -> io::Result<u64> {
            Ok(0)
        }
        fn seek_data(&self, _: u64) -> io::Result<Option<ByteRange>> {
            Ok(None)
        }
    }

    fn latched(errno: i32) -> Latch {
        Latch::new(Arc::new(Forgetful(Mutex::new(Some(errno)))))
    }

    #[test]
    fn a_failed_sync_is_never_forgotten() {
        for errno in [libc::EIO, libc::ENOSPC] {
            let file = latched(errno);
            assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(errno));
            assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(errno));
        }
    }

    #[test]
    fn a_write_that_lost_pages_spoils_the_sync_but_a_full_disk_does_not() {
        let broken = latched(libc::EIO);
        broken.write_at(b"x", 0).unwrap_err();
        broken.sync_all().unwrap_err();
        let full = latched(libc::ENOSPC);
        full.write_at(b"x", 0).unwrap_err();
        full.sync_all().unwrap();
    }
}
