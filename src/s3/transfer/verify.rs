//! Downloads held against the checksum that the store keeps of the object.
//!
//! A CRC of the whole follows from those of the pieces, which are computed while these arrive, in whatever order. What
//! is of no such kind is computed from the file once it is whole: a hash over all of it, a composite value over the
//! parts that the object was uploaded in.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::unfinished::sum_of;
use super::{Sink, Tuning, download};
use crate::base::checksum::{Algorithm, Running};
use crate::base::digest;
use crate::base::ranges::ByteRange;
use crate::s3::ops::{GetObjectAttributes, ObjectAttributes, ObjectHeaders};
use crate::s3::{Client, Error, ErrorKind, ObjectRef, Result};

/// The checksum of an object, as a HEAD with `checksum_mode` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub(super) algorithm: Algorithm,
    /// Base64, with `-N` behind it where it is of N parts.
    pub(super) value: String,
    pub(super) is_composite: bool,
}

impl Kept {
    /// The one that is the least work; `None` where the store keeps none, or none that we know.
    pub fn of(headers: &ObjectHeaders) -> Option<Self> {
        let composite = headers.checksum_type.as_deref() == Some("COMPOSITE");
        let known = headers.checksums.iter().filter_map(|(name, value)| {
            let is_composite = composite || value.contains('-');
            Some(Self { algorithm: Algorithm::parse(name)?, value: value.clone(), is_composite })
        });
        known.min_by_key(|kept| (kept.is_composite, !kept.algorithm.is_crc()))
    }

    pub(super) fn check(&self, found: &[u8]) -> Result<()> {
        let (found, value) = (digest::base64(found), self.value.split('-').next().unwrap_or_default());
        if found == value {
            return Ok(());
        }
        let message =
            format!("the bytes have the {} {found}, but the store says {}", self.algorithm, self.value);
        Err(Error::new(ErrorKind::Corrupt, message))
    }
}

/// Downloads exactly `object` to the start of `file`; `ErrorKind::Corrupt` where its bytes are not those of `kept`. A
/// composite checksum is left alone where the store does not say of which parts it is.
pub async fn download_verified(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    kept: &Kept,
    file: &Arc<File>,
) -> Result<()> {
    let whole = ByteRange::new(0, object.size);
    if kept.is_composite || !kept.algorithm.is_crc() {
        download(client, tuning, bucket, object, whole, file).await?;
        return verify_file(client, bucket, object, kept, file).await;
    }
    let watched =
        Arc::new(Watched { file: file.clone(), algorithm: kept.algorithm, stretches: Mutex::default() });
    download(client, tuning, bucket, object, whole, &watched).await?;
    kept.check(&watched.sum())
}

/// Whether the first bytes of `file` are those of `object`, as the checksum says it: `ErrorKind::Corrupt` else.
pub async fn verify_file(
    client: &Client,
    bucket: &str,
    object: &ObjectRef,
    kept: &Kept,
    file: &File,
) -> Result<()> {
    if !kept.is_composite {
        let whole = ByteRange::new(0, object.size);
        let sum = sum_of(file, whole, kept.algorithm).await.map_err(unreadable)?;
        return kept.check(&sum.finish());
    }
    let Some(ranges) = parts_of(client, bucket, object).await? else { return Ok(()) };
    let mut values = Running::new(kept.algorithm);
    for range in ranges {
        values.update(&sum_of(file, range, kept.algorithm).await.map_err(unreadable)?.finish());
    }
    kept.check(&values.finish())
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Source, format!("What was downloaded cannot be read again: {error}."))
}

/// The parts that it was uploaded in; `None` where the store does not say.
pub(super) async fn parts_of(
    client: &Client,
    bucket: &str,
    object: &ObjectRef,
) -> Result<Option<Vec<ByteRange>>> {
    let get = GetObjectAttributes {
        bucket: bucket.to_owned(),
        key: object.key.to_string(),
        version: object.version.clone(),
        ..GetObjectAttributes::default()
    };
    let attributes = match attributes(client, get).await {
        Ok(attributes) => attributes,
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Denied) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (mut ranges, mut at) = (Vec::new(), 0);
    for part in attributes.parts.unwrap_or_default().parts {
        ranges.push(ByteRange::new(at, at + part.size));
        at += part.size;
    }
    Ok(Some(ranges).filter(|_| at == object.size))
}

/// What `get` asks for, with the parts of all pages.
pub async fn attributes(client: &Client, mut get: GetObjectAttributes) -> Result<ObjectAttributes> {
    let mut attributes = client.send(&get).await?;
    let mut next = attributes.parts.as_ref().and_then(|parts| parts.next_marker);
    while let Some(marker) = next {
        if get.part_number_marker.is_some_and(|before| before >= marker) {
            return Err(Error::new(ErrorKind::Corrupt, "The list of parts goes in a circle."));
        }
        get.part_number_marker = Some(marker);
        let page = client.send(&get).await?.parts.unwrap_or_default();
        next = page.next_marker;
        if let Some(parts) = &mut attributes.parts {
            parts.parts.extend(page.parts);
        }
    }
    Ok(attributes)
}

/// A file and the checksums of the stretches that have arrived, by their ends: a piece goes on where its last bytes
/// ended.
struct Watched {
    file: Arc<File>,
    algorithm: Algorithm,
    stretches: Mutex<BTreeMap<u64, (u64, Running)>>,
}

impl Sink for Watched {
    fn write_at(&self, offset: u64, bytes: &Bytes) -> std::io::Result<()> {
        Sink::write_at(&*self.file, offset, bytes)?;
        let before = self.stretches.lock().remove(&offset);
        let (start, mut running) = before.unwrap_or_else(|| (offset, Running::new(self.algorithm)));
        running.update(bytes);
        self.stretches.lock().insert(offset + bytes.len() as u64, (start, running));
        Ok(())
    }
}

impl Watched {
    /// Of all stretches, which lie end to end. Only for CRCs.
    fn sum(&self) -> Vec<u8> {
        let nothing = self.algorithm.of(b"");
        let stretches = std::mem::take(&mut *self.stretches.lock());
        stretches.into_iter().fold(nothing, |sum, (end, (start, running))| {
            self.algorithm.combine(&sum, &running.finish(), end - start).unwrap_or(sum)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_add_up_in_whatever_order_they_come() {
        let (content, file) = (b"one two three four", Arc::new(tempfile::tempfile().unwrap()));
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let watched = Watched { file: file.clone(), algorithm, stretches: Mutex::default() };
            for (start, end) in [(8, 10), (0, 4), (10, 18), (4, 8)] {
                watched.write_at(start as u64, &Bytes::from_static(&content[start..end])).unwrap();
            }
            assert_eq!(watched.sum(), algorithm.of(content));
            let empty = Watched { file: file.clone(), algorithm, stretches: Mutex::default() };
            assert_eq!(empty.sum(), algorithm.of(b""));
        }
    }

    #[test]
    fn of_several_checksums_the_one_that_is_the_least_work_is_taken() {
        let kept = |kind: &str, checksums: &[(&str, &str)]| {
            let checksums =
                checksums.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let checksum_type = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
            Kept::of(&ObjectHeaders { checksums, checksum_type, ..ObjectHeaders::default() })
                .map(|kept| (kept.algorithm, kept.is_composite))
        };
        assert_eq!(kept("", &[]), None);
        assert_eq!(kept("", &[("blake3", "x")]), None, "nobody here knows it");
        assert_eq!(kept("FULL_OBJECT", &[("sha256", "x"), ("crc32", "y")]), Some((Algorithm::Crc32, false)));
        assert_eq!(kept("", &[("crc32", "y-2"), ("sha1", "x")]), Some((Algorithm::Sha1, false)));
        assert_eq!(kept("COMPOSITE", &[("sha1", "x")]), Some((Algorithm::Sha1, true)));
    }
}
