//! What an upload in parts that somebody began and did not end has of a file already.
//!
//! Who was killed in the middle leaves parts at the store. They count where each of them is known to be a part of this
//! very file: by the checksum that the store keeps of it, or by an ETag that is the MD5 of its bytes. An upload with any
//! other part is somebody else's, and left alone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use futures_util::TryStreamExt as _;

use super::Target;
use super::pages;
use super::upload::source_failed;
use crate::base::checksum::{Algorithm, Running};
use crate::base::digest;
use crate::base::ranges::ByteRange;
use crate::s3::ops::{ListMultipartUploads, ListParts, ListPartsOutput, Part, Upload};
use crate::s3::{Client, Error, ErrorKind, Result};

/// Uploads of one key that are looked at, the newest first.
const LOOKED_AT: usize = 8;

/// Bytes read at once.
const READ_BYTES: u64 = 1 << 20;

/// An upload that goes on.
pub(super) struct Unfinished {
    pub(super) upload_id: String,
    /// By their numbers.
    pub(super) parts: BTreeMap<u32, Part>,
}

/// The newest upload of `target` that holds parts of `file`, which is cut into `ranges`, and no others. `None` where
/// there is none, or where who asks may not list them.
pub(super) async fn find(
    client: &Client,
    target: &Target,
    file: &File,
    ranges: &[ByteRange],
) -> Result<Option<Unfinished>> {
    let list = ListMultipartUploads {
        bucket: target.bucket.clone(),
        prefix: target.key.clone(),
        ..ListMultipartUploads::default()
    };
    let uploads: Vec<Upload> = match pages::uploads(client, list).try_collect().await {
        Ok(uploads) => uploads,
        Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut uploads: Vec<_> = uploads.into_iter().filter(|upload| upload.key == target.key).collect();
    uploads.sort_by_key(|upload| std::cmp::Reverse(upload.initiated));
    for Upload { upload_id, .. } in uploads.into_iter().take(LOOKED_AT) {
        let parts = match parts(client, target, &upload_id).await {
            Ok(parts) => parts,
            // It was ended meanwhile.
            Err(error) if error.kind() == ErrorKind::NoSuchUpload => continue,
            Err(error) => return Err(error),
        };
        if !parts.is_empty() && are_of(file, ranges, &parts).await? {
            let parts = parts.into_iter().map(|part| (part.number, part)).collect();
            return Ok(Some(Unfinished { upload_id, parts }));
        }
    }
    Ok(None)
}

/// None of an upload whose parts have another kind of checksum than ours would: the store takes no mixture.
async fn parts(client: &Client, target: &Target, upload_id: &str) -> Result<Vec<Part>> {
    let mut list = ListParts {
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        upload_id: upload_id.to_owned(),
        part_number_marker: None,
        max_parts: None,
    };
    let ours = client.checksum().unwrap_or(Algorithm::Crc64Nvme);
    let mut all = Vec::new();
    loop {
        let page: ListPartsOutput = client.send(&list).await?;
        if page.checksum_algorithm.is_some_and(|theirs| Algorithm::parse(&theirs) != Some(ours)) {
            return Ok(Vec::new());
        }
        all.extend(page.parts);
        match page.next_part_number_marker.filter(|_| page.is_truncated) {
            Some(next) if list.part_number_marker.is_none_or(|before| before < next) => {
                list.part_number_marker = Some(next);
            }
            Some(_) => return Err(Error::new(ErrorKind::Corrupt, "The list of parts goes in a circle.")),
            None => return Ok(all),
        }
    }
}

async fn are_of(file: &File, ranges: &[ByteRange], parts: &[Part]) -> Result<bool> {
    for part in parts {
        let place = (part.number as usize).checked_sub(1).and_then(|place| ranges.get(place));
        let Some(range) = place.filter(|range| range.len() == part.size) else { return Ok(false) };
        if !is_of(file, *range, part).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_of(file: &File, range: ByteRange, part: &Part) -> Result<bool> {
    let known = part.checksum.as_ref().and_then(|(name, value)| Some((Algorithm::parse(name)?, value)));
    let algorithm = known.map_or(Algorithm::Md5, |(algorithm, _)| algorithm);
    let sum = sum_of(file, range, algorithm).await.map_err(|error| source_failed(&error))?;
    Ok(match known {
        Some((_, value)) => sum.spell() == *value,
        None => digest::hex(&sum.finish()) == *part.etag.0,
    })
}

/// The checksum of a range of a file; other tasks get their turn meanwhile.
pub(super) async fn sum_of(file: &File, range: ByteRange, algorithm: Algorithm) -> io::Result<Running> {
    let (mut running, mut at) = (Running::new(algorithm), range.start);
    let mut piece = vec![0; READ_BYTES.min(range.len()) as usize];
    while at < range.end {
        let piece = &mut piece[..READ_BYTES.min(range.end - at) as usize];
        file.read_exact_at(piece, at)?;
        running.update(piece);
        at += piece.len() as u64;
        tokio::task::yield_now().await;
    }
    Ok(running)
}
