//! One layer of a staged file: a sparse data file and which ranges of the file it holds.
//!
//! An [`OpenLayer`] takes writes. Frozen, it is a [`Layer`], whose bytes never change again; its checksum covers the
//! data ranges in ascending order, zeros left out, and proves at recovery that they are still what was sealed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::buffer::Pool;
use crate::base::digest::Crc64Nvme;
use crate::base::disk::File;
use crate::base::ranges::{ByteRange, RangeSet};

/// Names a data file: never reused while the journal knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub i64);

impl LayerId {
    /// A name that says nothing of the key.
    pub fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("{:016x}", self.0))
    }

    pub fn from_name(name: &str) -> Option<Self> {
        (name.len() == 16).then(|| i64::from_str_radix(name, 16).ok()).flatten().map(Self)
    }
}

/// Which bytes of the file a layer decides. Both sets belong to it; they do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    /// Bytes in the data file, at the offset they have in the file.
    pub data: RangeSet,
    /// Bytes that read as zero, whatever the data file holds there.
    pub zeros: RangeSet,
}

impl Extents {
    pub fn wrote(&mut self, range: ByteRange) {
        self.data.insert(range);
        self.zeros.remove(range);
    }

    pub fn zeroed(&mut self, range: ByteRange) {
        self.zeros.insert(range);
        self.data.remove(range);
    }

    /// Forgets everything from `size` on.
    pub fn truncate(&mut self, size: u64) {
        let beyond = ByteRange::new(size, u64::MAX);
        self.data.remove(beyond);
        self.zeros.remove(beyond);
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.zeros.is_empty()
    }

    /// All that the layer decides.
    pub fn all(&self) -> RangeSet {
        self.data.iter().chain(self.zeros.iter()).collect()
    }
}

/// The checksum of bytes that are written front to back, kept while they pass through memory anyway.
pub struct Running {
    crc: Crc64Nvme,
    end: u64,
    in_order: bool,
}

impl Running {
    fn new() -> Self {
        Self { crc: Crc64Nvme::new(), end: 0, in_order: true }
    }

    fn wrote(&mut self, offset: u64, bytes: &[u8]) {
        self.in_order &= offset >= self.end;
        if self.in_order {
            self.crc.update(bytes);
            self.end = offset + bytes.len() as u64;
        }
    }

    /// Bytes at and after `from` changed otherwise.
    fn disturbed(&mut self, from: u64) {
        self.in_order &= from >= self.end;
    }
}

/// The top of a staged file: what was written since the last seal.
pub struct OpenLayer {
    pub id: LayerId,
    pub file: Arc<dyn File>,
    running: Mutex<Running>,
}

impl OpenLayer {
    pub fn new(id: LayerId, file: Arc<dyn File>) -> Self {
        Self { id, file, running: Mutex::new(Running::new()) }
    }

    /// One pwrite. The checksum is kept beside it, in the order in which writers come by: two that race for the same
    /// bytes are out of order for one of them, and then the checksum is computed at the seal.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.running.lock().wrote(offset, bytes);
        self.file.write_at(bytes, offset).inspect_err(|_| self.running.lock().in_order = false)
    }

    /// Bytes from `from` on were zeroed or forgotten.
    pub fn disturbed(&self, from: u64) {
        self.running.lock().disturbed(from);
    }

    /// Every byte was forgotten.
    pub fn emptied(&self) {
        *self.running.lock() = Running::new();
    }

    /// The layer as it will stay. Reads what was not written in order.
    pub fn freeze(&self, extents: &Extents, pool: &Pool) -> io::Result<Layer> {
        let running = self.running.lock();
        let known = running.in_order.then(|| running.crc.value());
        drop(running);
        let checksum = match known {
            Some(checksum) => checksum,
            None => checksum(&*self.file, &extents.data, pool)?,
        };
        Ok(Layer { id: self.id, file: self.file.clone(), extents: extents.clone(), checksum })
    }
}

/// Frozen bytes.
pub struct Layer {
    pub id: LayerId,
    pub file: Arc<dyn File>,
    pub extents: Extents,
    /// CRC-64/NVME of the data ranges, ascending.
    pub checksum: u64,
}

impl Layer {
    /// The data file still holds what was sealed.
    pub fn is_as_sealed(&self, pool: &Pool) -> bool {
        checksum(&*self.file, &self.extents.data, pool).is_ok_and(|now| now == self.checksum)
    }
}

/// An error too where the file is shorter than its ranges.
fn checksum(file: &dyn File, data: &RangeSet, pool: &Pool) -> io::Result<u64> {
    let mut crc = Crc64Nvme::new();
    for range in data.iter() {
        let mut at = range.start;
        while at < range.end {
            let chunk = ByteRange::sized(at, pool.buffer_bytes() as u64).intersect(range).unwrap_or(range);
            let mut buffer = pool.take(chunk.len() as usize);
            buffer.fill_with(chunk.len() as usize, |space| read_exact_at(file, space, at))?;
            crc.update(buffer.as_slice());
            at = chunk.end;
        }
    }
    Ok(crc.value())
}

/// Fails where the file ends early.
pub fn read_exact_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if read_up_to(file, buffer, offset)? < buffer.len() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a staged data file is shorter than its record",
        ));
    }
    Ok(())
}

/// Bytes read before the end of the file.
pub fn read_up_to(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], offset + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}
