//! Blobs in memory: blocks of one size, so that any byte is found without a search.
//!
//! What arrives is copied into the blocks: the connection's buffers are many times larger than the pieces that
//! a read leaves in them, and keeping a piece would keep its whole buffer.

use bytes::{Bytes, BytesMut};

use super::CHUNK_BYTES;
use crate::base::ranges::ByteRange;

/// All but the last block hold exactly [`CHUNK_BYTES`].
pub struct Blocks {
    blocks: Vec<Bytes>,
    len: u64,
}

impl Blocks {
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The longest run from the start of `range` that lies in one block.
    pub fn read(&self, range: ByteRange) -> Bytes {
        let block = &self.blocks[(range.start / CHUNK_BYTES) as usize];
        let start = (range.start % CHUNK_BYTES) as usize;
        let end = block.len().min(start + range.len() as usize);
        block.slice(start..end)
    }
}

#[derive(Default)]
pub struct Writer {
    blocks: Vec<Bytes>,
    filling: BytesMut,
}

impl Writer {
    pub fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.filling.is_empty() && !self.blocks.is_empty() {
                self.filling.reserve(CHUNK_BYTES as usize);
            }
            let room = CHUNK_BYTES as usize - self.filling.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.filling.extend_from_slice(now);
            if self.filling.len() == CHUNK_BYTES as usize {
                self.blocks.push(std::mem::take(&mut self.filling).freeze());
            }
            bytes = later;
        }
    }

    pub fn finish(mut self) -> Blocks {
        let len = self.blocks.len() as u64 * CHUNK_BYTES + self.filling.len() as u64;
        if !self.filling.is_empty() {
            // A boxed copy has no spare room: a bucket of small objects must not cost blocks.
            self.blocks.push(Bytes::from(self.filling.to_vec().into_boxed_slice()));
        }
        Blocks { blocks: self.blocks, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_full_but_for_the_last_and_read_back() {
        let data: Vec<u8> = (0..2 * CHUNK_BYTES + 17).map(|n| (n % 251) as u8).collect();
        let mut writer = Writer::default();
        data.chunks(77_777).for_each(|chunk| writer.append(chunk));
        let blocks = writer.finish();
        assert_eq!(blocks.len(), data.len() as u64);
        assert_eq!(blocks.blocks.iter().map(Bytes::len).collect::<Vec<_>>(), [1 << 20, 1 << 20, 17]);
        let at = CHUNK_BYTES - 3;
        assert_eq!(blocks.read(ByteRange::sized(at, 100)), data[at as usize..CHUNK_BYTES as usize]);
        assert_eq!(blocks.read(ByteRange::sized(CHUNK_BYTES, 5)), data[CHUNK_BYTES as usize..][..5]);
    }

    #[test]
    fn an_empty_blob_has_no_blocks() {
        assert_eq!(Writer::default().finish().len(), 0);
    }
}
