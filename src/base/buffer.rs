//! Reusable buffers for file bytes.
//!
//! Fresh memory costs a page fault for every 4 KiB, more than the copy that fills it. So buffers of one size
//! go round: [`Pool::take`], fill, [`Buffer::freeze`] into `Bytes`, and when the last slice of those is dropped
//! the memory is back in the pool. The pool keeps a bounded number of idle buffers and lends as many as asked:
//! the bound on those is the budget's business.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Cheap to clone; clones share the idle buffers.
#[derive(Clone)]
pub struct Pool(Arc<Idle>);

struct Idle {
    buffer_bytes: usize,
    idle_max: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// Appended to until it is full, then frozen. Goes back to its pool on drop.
pub struct Buffer {
    bytes: Vec<u8>,
    limit: usize,
    home: Pool,
}

impl Pool {
    pub fn new(buffer_bytes: usize, idle_max: usize) -> Self {
        Self(Arc::new(Idle { buffer_bytes, idle_max, buffers: Mutex::default() }))
    }

    pub fn buffer_bytes(&self) -> usize {
        self.0.buffer_bytes
    }

    /// An empty buffer with room for exactly `len` bytes: an idle one, the last used first, whose memory is warmest.
    /// A wish for less than half of the pool's size, or for more than that, gets memory of its own, which does not
    /// go round.
    pub fn take(&self, len: usize) -> Buffer {
        let size = self.0.buffer_bytes;
        let bytes = if (size / 2..=size).contains(&len) {
            let idle = self.0.buffers.lock().pop();
            idle.unwrap_or_else(|| Vec::with_capacity(size))
        } else {
            Vec::with_capacity(len)
        };
        Buffer { bytes, limit: len, home: self.clone() }
    }

    pub fn idle_bytes(&self) -> u64 {
        (self.0.buffers.lock().len() * self.0.buffer_bytes) as u64
    }

    fn put_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let mut idle = self.0.buffers.lock();
        if idle.len() < self.0.idle_max && bytes.capacity() == self.0.buffer_bytes {
            idle.push(bytes);
        }
    }
}

impl Buffer {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn room(&self) -> usize {
        self.limit - self.bytes.len()
    }

    /// Appends what fits of `data` and says how much that was.
    pub fn fill(&mut self, data: &[u8]) -> usize {
        let taken = self.room().min(data.len());
        self.bytes.extend_from_slice(&data[..taken]);
        taken
    }

    /// Appends `len` bytes, which must fit, as `read` leaves them; nothing if it fails.
    pub fn fill_with<E>(
        &mut self,
        len: usize,
        read: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.bytes.len();
        debug_assert!(len <= self.room());
        self.bytes.resize(before + len, 0);
        read(&mut self.bytes[before..]).inspect_err(|_| self.bytes.truncate(before))
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes for sharing. `companion` (a permit of the budget) is dropped together with the memory.
    pub fn freeze(self, companion: impl Send + 'static) -> Bytes {
        Bytes::from_owner(Frozen { buffer: self, _companion: companion })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.put_back(std::mem::take(&mut self.bytes));
    }
}

struct Frozen<T> {
    buffer: Buffer,
    _companion: T,
}

impl<T> AsRef<[u8]> for Frozen<T> {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_when_the_last_slice_goes() {
        let pool = Pool::new(8, 4);
        let mut buffer = pool.take(8);
        assert_eq!((buffer.fill(b"hello"), buffer.fill(b"world"), buffer.room()), (5, 3, 0));
        let companion = Arc::new(());
        let bytes = buffer.freeze(companion.clone());
        let slice = bytes.slice(5..);
        let address = bytes.as_ptr();
        drop(bytes);
        assert_eq!((&slice[..], pool.idle_bytes(), Arc::strong_count(&companion)), (&b"wor"[..], 0, 2));
        drop(slice);
        assert_eq!((pool.idle_bytes(), Arc::strong_count(&companion)), (8, 1));
        let again = pool.take(8);
        assert_eq!((again.as_slice().as_ptr(), again.len()), (address, 0));
    }

    #[test]
    fn a_small_wish_does_not_hold_a_large_buffer() {
        let pool = Pool::new(8, 2);
        let mut small = pool.take(3);
        assert_eq!((small.fill(b"hello"), small.as_slice()), (3, &b"hel"[..]));
        drop(small);
        assert_eq!(pool.idle_bytes(), 0);
    }

    #[test]
    fn a_large_wish_gets_all_it_asked_for() {
        let pool = Pool::new(8, 2);
        let mut large = pool.take(11);
        assert_eq!((large.fill(b"hello world!"), large.as_slice()), (11, &b"hello world"[..]));
        drop(large);
        assert_eq!(pool.idle_bytes(), 0);
    }

    #[test]
    fn only_so_many_are_kept_idle() {
        let pool = Pool::new(8, 2);
        let lent: Vec<_> = (0..5).map(|_| pool.take(8)).collect();
        drop(lent);
        assert_eq!(pool.idle_bytes(), 16);
    }
}
