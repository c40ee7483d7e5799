//! An object made of others on the server, and one that grows at its end.
//!
//! Every part of an upload but the last has a least size. Pieces that are large enough are copied by the store
//! itself; what is too small for that is read and sent together with what follows it.

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};

use super::assembly::{Assembly, in_parallel, put_late_tags, take_late_tags};
use super::copy::carried;
use super::progress::Meter;
use super::{Target, Tuning, read};
use crate::base::ranges::ByteRange;
use crate::s3::ops::{
    CopySource, GetObjectTagging, HeadObject, Part, PartOrigin, PutObject, ReadConditions, Stored,
    UploadPart, UploadPartCopy, WriteCondition,
};
use crate::s3::{Body, Client, Error, ErrorKind, Limits, ObjectRef, Result};

/// What a composed object is made of.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A range of exactly this object.
    Of {
        /// Its bucket.
        bucket: String,
        /// Which object.
        object: ObjectRef,
        /// Which bytes of it.
        range: ByteRange,
    },
    /// Bytes of ours.
    Bytes(Bytes),
}

impl Piece {
    /// A whole object.
    pub fn whole(bucket: impl Into<String>, object: ObjectRef) -> Self {
        let range = ByteRange::new(0, object.size);
        Self::Of { bucket: bucket.into(), object, range }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Of { range, .. } => range.len(),
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// Makes the pieces one object, in their order. It appears whole or not at all. Of a customer's own keys that of
/// sources reads the pieces.
pub async fn compose(client: &Client, tuning: &Tuning, target: &Target, pieces: &[Piece]) -> Result<Stored> {
    let lengths: Vec<Stretch> = pieces
        .iter()
        .map(|piece| Stretch { bytes: piece.len(), on_server: matches!(piece, Piece::Of { .. }) })
        .collect();
    let plan = plan(&lengths, tuning.copy_part_bytes, client.limits())?;
    let total = lengths.iter().map(|piece| piece.bytes).sum();
    let meter = Meter::of(tuning, Some(total));
    let composing = Composing { client, tuning, target, pieces, meter };
    let mut object = target.object.clone();
    let late_tags = take_late_tags(client, &mut object);
    let stored = match plan.as_slice() {
        [] => composing.put(object, Bytes::new()).await,
        [Planned::Send(stretches)] => {
            let bytes = composing.gather(stretches).await?;
            composing.put(object, bytes).await
        }
        _ => {
            let assembly = Assembly::begin(client, target, object, PartOrigin::AlsoCopied).await?;
            let upload_id = assembly.upload_id.clone();
            let numbered = (1..).zip(plan).map(Ok);
            let parts = in_parallel(stream::iter(numbered), tuning.parallel, |(number, planned)| {
                composing.part(upload_id.clone(), number, planned)
            });
            assembly.finish(parts, async || Ok(())).await
        }
    }?;
    put_late_tags(client, target, late_tags, stored.version.clone()).await?;
    Ok(stored)
}

/// Adds bytes to the end of an object, or makes it. It is replaced as a whole, with its metadata, tags and class,
/// and only while nobody else has changed it meanwhile.
pub async fn append(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    key: &str,
    bytes: Bytes,
) -> Result<Stored> {
    let head = HeadObject { bucket: bucket.into(), key: key.into(), ..HeadObject::default() };
    let headers = match client.send(&head).await {
        Ok(headers) => headers,
        Err(error) if error.kind() == ErrorKind::NoSuchKey => {
            let put = PutObject { condition: WriteCondition::Absent, ..PutObject::new(bucket, key, bytes) };
            return client.send(&put).await;
        }
        Err(error) => return Err(error),
    };
    let object = headers.object_ref(key)?;
    let mut carried = carried(headers, std::time::SystemTime::now());
    let tags = GetObjectTagging { bucket: bucket.into(), key: key.into(), version: object.version.clone() };
    carried.tags = Some(client.send(&tags).await?).filter(|tags| !tags.is_empty());
    let target = Target {
        bucket: bucket.into(),
        key: key.into(),
        condition: WriteCondition::Matches(object.etag.clone()),
        object: carried,
    };
    let client = client.with_one_customer_key();
    compose(&client, tuning, &target, &[Piece::whole(bucket, object), Piece::Bytes(bytes)]).await
}

/// A piece as the plan sees it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    bytes: u64,
    on_server: bool,
}

/// A range of the piece of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice {
    piece: usize,
    range: ByteRange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Planned {
    Copy(Slice),
    Send(Vec<Slice>),
}

/// The parts in their order; ranges count from the start of each piece. Pure.
fn plan(pieces: &[Stretch], wished: u64, limits: &Limits) -> Result<Vec<Planned>> {
    let total: u64 = pieces.iter().map(|piece| piece.bytes).sum();
    let least = limits.part_bytes_min;
    // Half of the parts for copies leaves the other half for what is sent between them.
    let even = total.div_ceil(u64::from((limits.parts_max / 2).max(1)));
    let copied = wished.max(even).clamp(least, limits.copy_bytes_max.max(least));
    let (mut parts, mut sent, mut sent_bytes) = (Vec::new(), Vec::new(), 0);
    for (piece, stretch) in pieces.iter().enumerate() {
        let mut at = 0;
        while at < stretch.bytes {
            let left = stretch.bytes - at;
            let copies = stretch.on_server && sent.is_empty() && left >= least;
            let take = if copies { left.min(copied) } else { left.min(least - sent_bytes) };
            let slice = Slice { piece, range: ByteRange::new(at, at + take) };
            at += take;
            if copies {
                parts.push(Planned::Copy(slice));
                continue;
            }
            sent.push(slice);
            sent_bytes += take;
            if sent_bytes == least {
                parts.push(Planned::Send(std::mem::take(&mut sent)));
                sent_bytes = 0;
            }
        }
    }
    if !sent.is_empty() {
        parts.push(Planned::Send(sent));
    }
    if total > limits.object_bytes_max || parts.len() > limits.parts_max as usize {
        let message =
            format!("An object of {total} bytes in {} parts is too large for the store.", parts.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(parts)
}

struct Composing<'a> {
    client: &'a Client,
    tuning: &'a Tuning,
    target: &'a Target,
    pieces: &'a [Piece],
    meter: Meter,
}

impl Composing<'_> {
    async fn put(&self, object: crate::s3::ops::NewObject, bytes: Bytes) -> Result<Stored> {
        let Target { bucket, key, condition, .. } = self.target.clone();
        let counted = self.meter.counted(self.client, bytes.len() as u64);
        let put = PutObject { bucket, key, body: Body::Bytes(bytes), condition, object };
        let stored = counted.client.send(&put).await?;
        counted.done();
        Ok(stored)
    }

    async fn part(&self, upload_id: String, part_number: u32, planned: Planned) -> Result<(Part, u64)> {
        let (bucket, key) = (self.target.bucket.clone(), self.target.key.clone());
        match planned {
            Planned::Copy(slice) => {
                let (source, range) = self.source(slice)?;
                let copy = UploadPartCopy { source, range, bucket, key, upload_id, part_number };
                let part = self.client.send(&copy).await?;
                self.meter.add(slice.range.len());
                Ok((part, slice.range.len()))
            }
            Planned::Send(slices) => {
                let bytes = self.gather(&slices).await?;
                let len = bytes.len() as u64;
                let part = UploadPart { bucket, key, upload_id, part_number, body: Body::Bytes(bytes) };
                let counted = self.meter.counted(self.client, len);
                let sent = counted.client.send(&part).await?;
                counted.done();
                Ok((sent, len))
            }
        }
    }

    /// Without a range where the whole object is meant.
    fn source(&self, slice: Slice) -> Result<(CopySource, Option<ByteRange>)> {
        let Some(Piece::Of { bucket, object, range }) = self.pieces.get(slice.piece) else {
            return Err(Error::new(ErrorKind::Bug, "Only objects of the store can be copied."));
        };
        let copied = ByteRange::new(range.start + slice.range.start, range.start + slice.range.end);
        let conditions = ReadConditions { if_match: Some(object.etag.clone()), ..ReadConditions::default() };
        let source = CopySource {
            bucket: bucket.clone(),
            key: object.key.to_string(),
            version: object.version.clone(),
            conditions,
        };
        Ok((source, Some(copied).filter(|copied| copied.len() < object.size)))
    }

    async fn gather(&self, slices: &[Slice]) -> Result<Bytes> {
        let mut gathered = BytesMut::new();
        // What is read here counts when it is sent.
        let tuning = Tuning { progress: None, ..self.tuning.clone() };
        let source = self.client.at_source();
        for slice in slices {
            match &self.pieces[slice.piece] {
                Piece::Bytes(bytes) => {
                    gathered.extend_from_slice(&bytes[slice.range.start as usize..slice.range.end as usize]);
                }
                Piece::Of { bucket, object, range } => {
                    let read_range =
                        ByteRange::new(range.start + slice.range.start, range.start + slice.range.end);
                    let mut pieces = std::pin::pin!(read(&source, &tuning, bucket, object, read_range));
                    while let Some(piece) = pieces.try_next().await? {
                        gathered.extend_from_slice(&piece);
                    }
                }
            }
        }
        Ok(gathered.freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> Limits {
        Limits { part_bytes_min: 10, copy_bytes_max: 50, parts_max: 100, ..Limits::default() }
    }

    fn on_server(bytes: u64) -> Stretch {
        Stretch { bytes, on_server: true }
    }

    fn ours(bytes: u64) -> Stretch {
        Stretch { bytes, on_server: false }
    }

    /// `C` for a copied part, `S` for a sent one, with its slices.
    fn shown(pieces: &[Stretch]) -> String {
        let slice = |slice: &Slice| format!("{}:{}-{}", slice.piece, slice.range.start, slice.range.end);
        let parts = plan(pieces, 50, &limits()).unwrap();
        let parts = parts.iter().map(|planned| match planned {
            Planned::Copy(one) => format!("C{}", slice(one)),
            Planned::Send(all) => format!("S{}", all.iter().map(slice).collect::<Vec<_>>().join("+")),
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_large_enough_is_copied_and_the_rest_is_sent() {
        let table: &[(&[Stretch], &str)] = &[
            (&[], ""),
            (&[on_server(0), on_server(0)], ""),
            (&[on_server(30)], "C0:0-30"),
            (&[on_server(3), on_server(4)], "S0:0-3+1:0-4"),
            (&[on_server(30), on_server(4)], "C0:0-30 S1:0-4"),
            (&[on_server(30), ours(25)], "C0:0-30 S1:0-10 S1:10-20 S1:20-25"),
            (&[on_server(4), on_server(30)], "S0:0-4+1:0-6 C1:6-30"),
            (&[on_server(4), on_server(12), on_server(20)], "S0:0-4+1:0-6 S1:6-12+2:0-4 C2:4-20"),
            (&[on_server(105), on_server(20)], "C0:0-50 C0:50-100 S0:100-105+1:0-5 C1:5-20"),
        ];
        for (pieces, expected) in table {
            assert_eq!(shown(pieces), *expected, "{pieces:?}");
        }
    }

    #[test]
    fn too_many_parts_are_refused() {
        let few = Limits { parts_max: 2, ..limits() };
        assert!(plan(&[on_server(50), on_server(50)], 50, &few).is_ok());
        let refused = plan(&[on_server(50), on_server(50), ours(1)], 50, &few).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_part_and_parts_are_large_enough(
            pieces in proptest::collection::vec((0u64..120, any::<bool>()), 0..8)
        ) {
            let pieces: Vec<Stretch> =
                pieces.into_iter().map(|(bytes, on_server)| Stretch { bytes, on_server }).collect();
            let parts = plan(&pieces, 20, &limits()).unwrap();
            let slices = |planned: &Planned| match planned {
                Planned::Copy(one) => vec![*one],
                Planned::Send(all) => all.clone(),
            };
            let sizes: Vec<u64> =
                parts.iter().map(|part| slices(part).iter().map(|slice| slice.range.len()).sum()).collect();
            if let Some((_, whole)) = sizes.split_last() {
                prop_assert!(whole.iter().all(|size| *size >= 10));
            }
            let bytes = |slice: &Slice| (slice.range.start..slice.range.end).map(|at| (slice.piece, at)).collect::<Vec<_>>();
            let planned: Vec<_> = parts.iter().flat_map(slices).flat_map(|slice| bytes(&slice)).collect();
            let expected: Vec<_> = pieces.iter().enumerate().flat_map(|(n, piece)| (0..piece.bytes).map(move |at| (n, at))).collect();
            prop_assert_eq!(planned, expected);
        }
    }
}
