//! Bytes in their order, held against the checksum that the store keeps of the object while they pass.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};

use super::verify::parts_of;
use super::{Kept, Tuning, read};
use crate::base::checksum::Running;
use crate::base::ranges::ByteRange;
use crate::s3::{Client, ObjectRef, Result};

/// The whole of exactly `object` in order, as [`read`] gives it. One whose bytes are not those of `kept` ends with
/// `ErrorKind::Corrupt` and without its last bytes: whoever has seen the end has what was stored. A composite checksum
/// is left alone where the store does not say of which parts it is.
pub fn read_verified(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    kept: &Kept,
) -> impl Stream<Item = Result<Bytes>> + use<> {
    let pieces = read(client, tuning, bucket, object, ByteRange::new(0, object.size));
    let (client, bucket, object) = (client.clone(), bucket.to_owned(), object.clone());
    let kept = kept.clone();
    let begun = async move {
        let sum = Sum::begin(&client, &bucket, &object, &kept).await?;
        Ok(checked(pieces, sum, kept))
    };
    stream::once(begun).try_flatten()
}

/// The same pieces, the last of them only once all are found to be right.
fn checked(
    pieces: impl Stream<Item = Result<Bytes>>,
    sum: Option<Sum>,
    kept: Kept,
) -> impl Stream<Item = Result<Bytes>> {
    let state = Some((Box::pin(pieces), sum, kept, None::<Bytes>));
    stream::try_unfold(state, async |state| {
        let Some((mut pieces, mut sum, kept, mut held)) = state else { return Ok(None) };
        while let Some(piece) = pieces.try_next().await? {
            if let Some(sum) = &mut sum {
                sum.update(&piece);
            }
            if let Some(before) = held.replace(piece) {
                return Ok(Some((before, Some((pieces, sum, kept, held)))));
            }
        }
        if let Some(sum) = sum {
            kept.check(&sum.finish())?;
        }
        Ok(held.map(|last| (last, None)))
    })
}

/// The checksum of bytes in order: of all of them, or of the checksums of parts.
struct Sum {
    running: Running,
    parts: Option<Parts>,
}

struct Parts {
    /// Bytes that are due of each, the first of which is under way.
    due: VecDeque<u64>,
    values: Running,
}

impl Sum {
    /// `None` where nobody knows what the checksum is of.
    async fn begin(client: &Client, bucket: &str, object: &ObjectRef, kept: &Kept) -> Result<Option<Self>> {
        if !kept.is_composite {
            return Ok(Some(Self::new(kept, None)));
        }
        let parts = parts_of(client, bucket, object).await?;
        Ok(parts.map(|parts| Self::new(kept, Some(parts.into_iter().map(ByteRange::len).collect()))))
    }

    fn new(kept: &Kept, parts: Option<VecDeque<u64>>) -> Self {
        let running = Running::new(kept.algorithm);
        let parts = parts.map(|due| Parts { due, values: running.clone() });
        Self { running, parts }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        let Some(parts) = &mut self.parts else { return self.running.update(bytes) };
        while let Some(due) = parts.due.front_mut() {
            let (now, later) = bytes.split_at((bytes.len() as u64).min(*due) as usize);
            self.running.update(now);
            *due -= now.len() as u64;
            if *due > 0 {
                return;
            }
            parts.due.pop_front();
            let next = Running::new(self.running.algorithm());
            parts.values.update(&std::mem::replace(&mut self.running, next).finish());
            bytes = later;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        // Parts without bytes have a checksum, too.
        self.update(b"");
        self.parts.map_or_else(|| self.running.finish(), |parts| parts.values.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checksum::Algorithm;
    use crate::s3::ErrorKind;

    fn kept(algorithm: Algorithm, value: &[u8], parts: usize) -> Kept {
        let value = crate::base::digest::base64(value);
        match parts {
            0 => Kept { algorithm, value, is_composite: false },
            _ => Kept { algorithm, value: format!("{value}-{parts}"), is_composite: true },
        }
    }

    #[test]
    fn parts_are_told_apart_wherever_the_pieces_end() {
        let content = b"one two three four";
        for algorithm in [Algorithm::Crc64Nvme, Algorithm::Sha256] {
            for cuts in [&[18][..], &[4, 14], &[8, 0, 10], &[17, 1, 0]] {
                let (mut at, mut values) = (0, Vec::new());
                for cut in cuts {
                    values.extend(algorithm.of(&content[at..at + cut]));
                    at += cut;
                }
                for step in 1..=content.len() {
                    let kept = kept(algorithm, &algorithm.of(&values), cuts.len());
                    let mut sum = Sum::new(&kept, Some(cuts.iter().map(|cut| *cut as u64).collect()));
                    content.chunks(step).for_each(|piece| sum.update(piece));
                    kept.check(&sum.finish()).unwrap();
                }
            }
            let nothing = kept(algorithm, &algorithm.of(&algorithm.of(b"")), 1);
            nothing.check(&Sum::new(&nothing, Some([0].into())).finish()).unwrap();
        }
    }

    #[tokio::test]
    async fn the_last_piece_comes_only_where_all_are_right() {
        let pieces = ["one ", "two ", "three"].map(|piece| Ok(Bytes::from(piece)));
        for (content, right) in [("one two three", true), ("one two tree", false)] {
            let kept = kept(Algorithm::Sha1, &Algorithm::Sha1.of(content.as_bytes()), 0);
            let pieces = stream::iter(pieces.clone());
            let mut checked = std::pin::pin!(checked(pieces, Some(Sum::new(&kept, None)), kept.clone()));
            let mut seen = Vec::new();
            let end = loop {
                match checked.try_next().await {
                    Ok(Some(piece)) => seen.extend_from_slice(&piece),
                    Ok(None) => break None,
                    Err(error) => break Some(error.kind()),
                }
            };
            let due = if right {
                (&b"one two three"[..], None)
            } else {
                (&b"one two "[..], Some(ErrorKind::Corrupt))
            };
            assert_eq!((&seen[..], end), due);
        }
    }
}
