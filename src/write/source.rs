//! Staged bytes as the body of a request: read as the socket takes them, so that a part of any size costs two
//! buffers, and checked as they pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;

use super::engine::{BaseBytes, Shared};
use super::view::Piece;
use crate::base::buffer::Pool;
use crate::base::digest::Crc64Nvme;
use crate::base::ranges::ByteRange;
use crate::s3::{self, Body, BodySource};

/// Base bytes are asked for in steps of this size.
const BASE_STEP: u64 = 8 << 20;

/// The bytes of some pieces, one after the other.
pub struct PieceSource {
    pieces: Arc<[Piece]>,
    len: u64,
    pool: Pool,
    base: Arc<dyn BaseBytes>,
    /// What the bytes must come to: else the last of them are not given out, and the request fails.
    expected: Option<u64>,
    passed: Arc<Passed>,
}

/// What the last complete reading saw.
#[derive(Default)]
pub struct Passed {
    checksum: Mutex<Option<u64>>,
    /// Why base bytes could not be had.
    base_error: Mutex<Option<s3::Error>>,
}

impl Passed {
    /// CRC-64/NVME of all bytes; the last reading is the one that was sent.
    pub fn checksum(&self) -> Option<u64> {
        *self.checksum.lock()
    }

    pub fn take_base_error(&self) -> Option<s3::Error> {
        self.base_error.lock().take()
    }
}

/// The body that sends `pieces`, and where to find what passed.
pub fn body(shared: &Shared, pieces: Vec<Piece>, expected: Option<u64>) -> (Body, Arc<Passed>) {
    let len = pieces.iter().map(|piece| piece.range().len()).sum();
    let passed = Arc::new(Passed::default());
    if len == 0 {
        *passed.checksum.lock() = Some(Crc64Nvme::new().value());
        return (Body::Empty, passed);
    }
    let (pool, base) = (shared.pool.clone(), shared.base.clone());
    let source = PieceSource { pieces: pieces.into(), len, pool, base, expected, passed: passed.clone() };
    (Body::Source(Arc::new(source)), passed)
}

/// All bytes come from the local disk.
pub fn is_local(pieces: &[Piece]) -> bool {
    !pieces.iter().any(|piece| matches!(piece, Piece::Base(..)))
}

/// A body whose bytes are in memory, read on a thread that may wait for the disk. `pieces` are local. `Interrupted`
/// when the mount is shutting down.
pub async fn load(shared: &Shared, pieces: &[Piece]) -> io::Result<(Body, Arc<Passed>)> {
    let (pool, steps) = (shared.pool.clone(), steps(pieces, shared.pool.buffer_bytes() as u64));
    let read = move || {
        let mut crc = Crc64Nvme::new();
        let read = |step: &Piece| read_local(&pool, step).inspect(|bytes| crc.update(bytes));
        let segments = steps.iter().map(read).collect::<io::Result<Vec<_>>>()?;
        Ok((segments, crc.value()))
    };
    let read: Result<io::Result<_>, _> = shared.tasks.spawn_blocking("read a part", read).await;
    let (segments, checksum) = read.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))??;
    let passed = Passed { checksum: Mutex::new(Some(checksum)), ..Passed::default() };
    Ok((Body::Segments(segments.into()), Arc::new(passed)))
}

fn read_local(pool: &Pool, step: &Piece) -> io::Result<Bytes> {
    let length = step.range().len() as usize;
    let mut buffer = pool.take(length);
    buffer.fill_with(length, |space| match step {
        Piece::Local(extent) => extent.read_into(space).map_err(io::Error::other),
        Piece::Zero(_) => {
            space.fill(0);
            Ok(())
        }
        Piece::Base(..) => Err(io::Error::other("bytes of the base are not on the local disk")),
    })?;
    Ok(buffer.freeze(()))
}

impl BodySource for PieceSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn open(&self) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> {
        let reading = Reading {
            steps: steps(&self.pieces, self.pool.buffer_bytes() as u64).into(),
            pool: self.pool.clone(),
            base: self.base.clone(),
            crc: Crc64Nvme::new(),
            expected: self.expected,
            passed: self.passed.clone(),
        };
        *self.passed.checksum.lock() = None;
        Box::pin(futures_util::stream::unfold(reading, |mut reading| async move {
            let bytes = reading.next().await?;
            Some((bytes, reading))
        }))
    }
}

/// Pieces cut to what is read at once.
fn steps(pieces: &[Piece], buffer_bytes: u64) -> Vec<Piece> {
    let cut = |piece: &Piece| {
        let step = if matches!(piece, Piece::Base(..)) { BASE_STEP } else { buffer_bytes };
        let range = piece.range();
        let count = range.len().div_ceil(step);
        let piece = piece.clone();
        (0..count).filter_map(move |n| piece.clip(ByteRange::sized(range.start + n * step, step)))
    };
    pieces.iter().flat_map(cut).collect()
}

struct Reading {
    steps: std::collections::VecDeque<Piece>,
    pool: Pool,
    base: Arc<dyn BaseBytes>,
    crc: Crc64Nvme,
    expected: Option<u64>,
    passed: Arc<Passed>,
}

impl Reading {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let step = self.steps.pop_front()?;
        let bytes = self.read(step).await;
        if let Ok(bytes) = &bytes {
            self.crc.update(bytes);
        }
        // With the last piece, not after it: nobody has to ask again after the last byte.
        if self.steps.is_empty() {
            let checksum = self.crc.value();
            *self.passed.checksum.lock() = Some(checksum);
            if self.expected.is_some_and(|expected| expected != checksum) {
                return Some(Err(io::Error::other("the bytes are not those that were sealed")));
            }
        }
        Some(bytes)
    }

    /// Staged bytes are read on the spot: they were written a moment ago and come from memory.
    async fn read(&self, step: Piece) -> io::Result<Bytes> {
        let Piece::Base(object, range) = step else { return read_local(&self.pool, &step) };
        self.base.read(&object, range).await.map_err(|error| {
            *self.passed.base_error.lock() = Some(error.clone());
            io::Error::other(error)
        })
    }
}

/// All of a small body.
pub async fn collect(source: &dyn BodySource) -> io::Result<Bytes> {
    let mut stream = source.open();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.next().await {
        pieces.push(piece?);
    }
    Ok(match pieces.len() {
        1 => pieces.swap_remove(0),
        _ => pieces.concat().into(),
    })
}
