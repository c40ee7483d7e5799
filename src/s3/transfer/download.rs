//! Managed download: parallel ranges of one object version. A range whose stream breaks is resumed where it broke.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use super::Tuning;
use super::assembly::in_parallel;
use super::progress::Meter;
use crate::base::ranges::ByteRange;
use crate::s3::ops::{GetObject, ReadConditions};
use crate::s3::{Client, Error, ErrorKind, ObjectRef, Result};

/// Streams of one range that may break without a byte of progress.
const BREAKS_MAX: u32 = 5;

/// Takes the bytes of a download, in any order, each byte once.
pub trait Sink: Send + Sync + 'static {
    /// Takes `bytes`, which begin at `offset` of the object.
    fn write_at(&self, offset: u64, bytes: &Bytes) -> std::io::Result<()>;
}

impl Sink for std::fs::File {
    fn write_at(&self, offset: u64, bytes: &Bytes) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }
}

/// Reads `range` of exactly `object` into `sink`; offsets count from the start of the object.
pub async fn download<S: Sink>(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    range: ByteRange,
    sink: &Arc<S>,
) -> Result<()> {
    let source = Source::new(client, bucket, object);
    let pieces = stream::iter(cut(range, tuning.part_bytes).map(Ok));
    let meter = Meter::of(tuning, Some(range.len()));
    let fetch = |piece: ByteRange| {
        let (source, sink, meter) = (source.clone(), sink.clone(), meter.clone());
        on_task(async move { source.fetch_into(piece, &*sink, &meter).await })
    };
    in_parallel(pieces, tuning.parallel, fetch).try_collect().await
}

/// `range` of exactly `object` in order and in pieces of `tuning.part_bytes`; holds up to `tuning.parallel` of them in memory.
pub fn read(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    range: ByteRange,
) -> impl Stream<Item = Result<Bytes>> + use<> {
    let source = Source::new(client, bucket, object);
    let meter = Meter::of(tuning, Some(range.len()));
    let fetch = move |piece: ByteRange| {
        let (source, meter) = (source.clone(), meter.clone());
        on_task(async move {
            let mut whole = BytesMut::with_capacity(piece.len() as usize);
            // Copied: a frame of a few hundred bytes keeps the whole of the buffer that it was received in.
            let append = |_, bytes: Bytes| {
                meter.add(bytes.len() as u64);
                whole.extend_from_slice(&bytes);
                Ok(())
            };
            source.fetch(piece, append).await?;
            Ok(whole.freeze())
        })
    };
    stream::iter(cut(range, tuning.part_bytes)).map(fetch).buffered(tuning.parallel.max(1))
}

/// Runs `work` as a task that ends with this future: pieces are then received, checked and written by as many threads
/// as the runtime has.
pub(super) async fn on_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        _ => Err(Error::new(ErrorKind::Source, "It was interrupted.")),
    }
}

pub(super) fn write_failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Source, format!("What was downloaded cannot be written: {error}."))
}

pub(super) fn cut(range: ByteRange, piece: u64) -> impl Iterator<Item = ByteRange> {
    let piece = piece.max(1);
    (0..range.len().div_ceil(piece)).map(move |n| {
        let start = range.start + n * piece;
        ByteRange::new(start, range.end.min(start.saturating_add(piece)))
    })
}

/// Exactly one version of an object, and who reads it.
pub(super) struct Source {
    client: Client,
    bucket: String,
    object: ObjectRef,
}

impl Source {
    pub(super) fn new(client: &Client, bucket: &str, object: &ObjectRef) -> Arc<Self> {
        Arc::new(Self { client: client.clone(), bucket: bucket.to_owned(), object: object.clone() })
    }

    /// Writes every byte of `range` to `sink`.
    pub(super) async fn fetch_into(&self, range: ByteRange, sink: &impl Sink, meter: &Meter) -> Result<()> {
        let take = |offset, bytes: Bytes| {
            sink.write_at(offset, &bytes).map_err(write_failed)?;
            meter.add(bytes.len() as u64);
            Ok(())
        };
        self.fetch(range, take).await
    }

    /// Gives every byte of `range` to `take`, in order.
    async fn fetch(&self, range: ByteRange, mut take: impl FnMut(u64, Bytes) -> Result<()>) -> Result<()> {
        let (mut at, mut breaks) = (range.start, 0);
        while at < range.end {
            let mut body = self.client.send(&self.get(ByteRange::new(at, range.end))).await?.body;
            let before = at;
            loop {
                match body.next().await {
                    None => break,
                    Some(Ok(bytes)) => {
                        let next = at + bytes.len() as u64;
                        take(at, bytes)?;
                        at = next;
                    }
                    Some(Err(error)) => {
                        breaks = if at > before { 0 } else { breaks + 1 };
                        if at == range.end || breaks == BREAKS_MAX || !is_worth_resuming(&error) {
                            return Err(error);
                        }
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn get(&self, range: ByteRange) -> GetObject {
        let object = &self.object;
        let is_whole = range == ByteRange::new(0, object.size);
        GetObject {
            bucket: self.bucket.clone(),
            key: object.key.to_string(),
            version: object.version.clone(),
            range: Some(range).filter(|_| !is_whole),
            // The whole can be verified on its way, a range cannot.
            checksum_mode: is_whole,
            conditions: ReadConditions { if_match: Some(object.etag.clone()), ..ReadConditions::default() },
            ..GetObject::default()
        }
    }
}

fn is_worth_resuming(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Corrupt | ErrorKind::Throttled
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_from_its_own_start() {
        let pieces = |start, end, piece| {
            cut(ByteRange::new(start, end), piece).map(|r| (r.start, r.end)).collect::<Vec<_>>()
        };
        assert_eq!(pieces(3, 10, 3), [(3, 6), (6, 9), (9, 10)]);
        assert_eq!(pieces(0, 6, 3), [(0, 3), (3, 6)]);
        assert_eq!(pieces(5, 5, 3), []);
        assert_eq!(pieces(0, 2, 0), [(0, 1), (1, 2)]);
        assert_eq!(pieces(u64::MAX - 1, u64::MAX, 3), [(u64::MAX - 1, u64::MAX)]);
    }
}
