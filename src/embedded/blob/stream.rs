//! The bytes of a [`Content`](super::Content) in order, a megabyte at a time. Memory is handed out without
//! copying; of a file, the next piece is read while the last one is being sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::{Blob, CHUNK_BYTES, Piece, directory};
use crate::base::ranges::ByteRange;

pub struct ContentStream {
    pieces: Arc<[Piece]>,
    /// The piece being read and how far into it, ahead of what was handed out.
    piece: usize,
    offset: u64,
    reading: Option<directory::Reading>,
    remaining: u64,
}

impl ContentStream {
    pub(super) fn new(pieces: Arc<[Piece]>, len: u64) -> Self {
        Self { pieces, piece: 0, offset: 0, reading: None, remaining: len }
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next run of bytes that one read may ask for.
    fn advance(&mut self) -> Option<(Arc<Blob>, ByteRange)> {
        let piece = self.pieces.get(self.piece)?;
        let start = piece.range.start + self.offset;
        // Ends where a block of memory ends, so that a misaligned start costs one short chunk only.
        let end = piece.range.end.min((start / CHUNK_BYTES + 1) * CHUNK_BYTES);
        let blob = piece.blob.clone();
        self.offset += end - start;
        if end == piece.range.end {
            (self.piece, self.offset) = (self.piece + 1, 0);
        }
        Some((blob, ByteRange::new(start, end)))
    }

    fn read_ahead(&mut self) {
        let next_is_file =
            self.pieces.get(self.piece).is_some_and(|piece| matches!(*piece.blob, Blob::Directory(_)));
        if next_is_file && let Some((blob, range)) = self.advance() {
            self.reading = directory::read(blob, range);
        }
    }
}

impl Stream for ContentStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.reading.is_none() {
            self.read_ahead();
        }
        let bytes = if let Some(reading) = &mut self.reading {
            let done = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
            match done {
                Ok(bytes) => bytes,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        } else {
            let Some((blob, range)) = self.advance() else { return Poll::Ready(None) };
            let Blob::Memory(blocks) = &*blob else { unreachable!("files are read ahead") };
            blocks.read(range)
        };
        self.read_ahead();
        self.remaining -= bytes.len() as u64;
        Poll::Ready(Some(Ok(bytes)))
    }
}
