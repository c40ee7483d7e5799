//! Managed download: parallel ranges of one object version. A range whose stream breaks is resumed where it broke.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::Tuning;
use super::assembly::in_parallel;
use super::progress::Meter;
use crate::base::ranges::ByteRange;
use crate::s3::ops::{GetObject, ReadConditions};
use crate::s3::{Client, Error, ErrorKind, ObjectRef, Result};

/// Streams of one range that may break without a byte of progress.
const BREAKS_MAX: u32 = 5;

/// Takes the bytes of a download, in any order, each byte once.
pub trait Sink: Sync {
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
    sink: &S,
) -> Result<()> {
    let pieces = stream::iter(cut(range, tuning.part_bytes).map(Ok));
    let meter = Meter::of(tuning, Some(range.len()));
    let meter = &meter;
    let fetch = |piece: ByteRange| {
        fetch(client, bucket, object, piece, move |offset, bytes| {
            sink.write_at(offset, &bytes).map_err(write_failed)?;
            meter.add(bytes.len() as u64);
            Ok(())
        })
    };
    in_parallel(pieces, tuning.parallel, fetch).try_collect().await
}

/// `range` of exactly `object` in order; holds up to `tuning.parallel` pieces in memory.
pub fn read(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    range: ByteRange,
) -> impl Stream<Item = Result<Bytes>> {
    let meter = Meter::of(tuning, Some(range.len()));
    let fetch_piece = move |piece: ByteRange| {
        let meter = meter.clone();
        async move {
            let mut whole = BytesMut::with_capacity(piece.len() as usize);
            let append = |_, bytes: Bytes| {
                whole.extend_from_slice(&bytes);
                meter.add(bytes.len() as u64);
                Ok(())
            };
            fetch(client, bucket, object, piece, append).await?;
            Ok(whole.freeze())
        }
    };
    stream::iter(cut(range, tuning.part_bytes)).map(fetch_piece).buffered(tuning.parallel.max(1))
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

/// Gives every byte of `range` to `take`, in order.
pub(super) async fn fetch(
    client: &Client,
    bucket: &str,
    object: &ObjectRef,
    range: ByteRange,
    mut take: impl FnMut(u64, Bytes) -> Result<()>,
) -> Result<()> {
    let (mut at, mut breaks) = (range.start, 0);
    while at < range.end {
        let get = GetObject {
            bucket: bucket.to_owned(),
            key: object.key.to_string(),
            version: object.version.clone(),
            // The whole can be verified on its way, a range cannot.
            range: Some(ByteRange::new(at, range.end)).filter(|range| range.len() < object.size),
            checksum_mode: at == 0 && range.end == object.size,
            conditions: ReadConditions { if_match: Some(object.etag.clone()), ..ReadConditions::default() },
            ..GetObject::default()
        };
        let mut body = client.send(&get).await?.body;
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
