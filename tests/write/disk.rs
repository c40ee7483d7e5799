//! A local disk that fails: the Nth call, once and for good, for every N until none fails (DL-25), or that is full.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use holdfs::base::disk::{self, Disk, File, OpenMode};
use holdfs::base::ranges::ByteRange;
use holdfs::write::{Error, ErrorKind};

use super::rig::{KIB, Rig, bytes};

/// Counts calls down; at zero they fail.
struct Fuse {
    left: AtomicI64,
    errno: i32,
    for_good: bool,
}

impl Fuse {
    fn burn(&self) -> io::Result<()> {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        let fails = if self.for_good { left <= 0 } else { left == 0 };
        if fails { Err(io::Error::from_raw_os_error(self.errno)) } else { Ok(()) }
    }
}

struct Failing(Arc<dyn Disk>, Arc<Fuse>);
struct FailingFile(Arc<dyn File>, Arc<Fuse>);

impl Disk for Failing {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.1.burn()?;
        Ok(Arc::new(FailingFile(self.0.open(path, mode)?, self.1.clone())))
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir_all(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.0.list(directory)
    }
    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.0.sync_dir(directory)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.0.free_bytes(path)
    }
}

impl File for FailingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.burn()?;
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.1.burn()?;
        self.0.write_at(data, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.1.burn()?;
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn punch_hole(&self, range: ByteRange) -> io::Result<()> {
        self.1.burn()?;
        self.0.punch_hole(range)
    }
    fn copy_to(&self, range: ByteRange, target: &dyn File, offset: u64) -> io::Result<u64> {
        self.0.copy_to(range, target, offset)
    }
    fn seek_data(&self, offset: u64) -> io::Result<Option<ByteRange>> {
        self.0.seek_data(offset)
    }
}

fn with_fuse(calls: i64, errno: i32, for_good: bool) -> (Rig, Arc<Fuse>) {
    let fuse = Arc::new(Fuse { left: AtomicI64::new(calls), errno, for_good });
    let disk = Arc::new(Failing(disk::system(), fuse.clone()));
    (Rig::with(move |rig| rig.disk = disk), fuse)
}

/// Writes, cuts, punches and edits out of order, so that the seal has to read back.
fn work(rig: &Rig, key: &str) -> Result<Vec<u8>, Error> {
    let data = bytes(1, 300 * KIB);
    let file = rig.create(key);
    file.write_at(0, &data)?;
    file.write_at(10, b"edit")?;
    file.set_len(250 * KIB)?;
    file.zero(ByteRange::new(100, 200), holdfs::write::Allocate::KeepSize)?;
    rig.close(&file)?;
    let mut shown = data[..250 << 10].to_vec();
    shown[10..14].copy_from_slice(b"edit");
    shown[100..200].fill(0);
    Ok(shown)
}

/// DL-25
#[test]
fn dl_25_a_disk_that_fails_never_makes_a_close_lie() {
    for for_good in [false, true] {
        let mut clean_runs = 0;
        for calls in 0..60 {
            let (rig, fuse) = with_fuse(calls, libc::EIO, for_good);
            match work(&rig, "f") {
                Ok(shown) => {
                    assert!(rig.get("f").unwrap() == shown, "call {calls} failed, and close was a lie")
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Disk, "call {calls}: {error}");
                    assert_eq!(rig.get("f"), None, "call {calls}: unverified bytes were stored");
                }
            }
            if fuse.left.load(Ordering::Relaxed) > 0 {
                clean_runs += 1;
            }
        }
        assert!(clean_runs > 0, "the work has more than 60 calls: raise the bound");
    }
}

/// DL-06
#[test]
fn dl_06_a_full_disk_is_enospc_and_what_was_written_before_is_stored() {
    let (rig, fuse) = with_fuse(3, libc::ENOSPC, true);
    let file = rig.create("f");
    file.write_at(0, b"fits").unwrap();
    file.write_at(4, b" too").unwrap();
    assert_eq!(file.write_at(8, b" not").unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(rig.run(rig.engine().wait_for_space()).unwrap_err().kind(), ErrorKind::NoSpace);
    fuse.left.store(i64::MAX, Ordering::Relaxed);
    rig.close(&file).unwrap();
    assert_eq!(rig.get("f").unwrap(), b"fits too");
}
