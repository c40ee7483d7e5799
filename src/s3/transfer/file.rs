//! Transfers from and to files, readers and writers.
//!
//! A file that is downloaded appears under its name only when it is whole (`partial`). A file that is uploaded must stay
//! as it was when the upload began.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, TryStreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::download::write_failed;
use super::reader::pieces_of;
use super::{Kept, PartialFile, Target, Tuning, UploadSource, download, download_verified, read, upload};
use crate::base::ranges::ByteRange;
use crate::s3::ops::Stored;
use crate::s3::{Client, Error, ErrorKind, ObjectRef, Result};

/// Uploads the file at `path` whole. One that changes meanwhile, or that cannot be read, is `ErrorKind::Source`.
pub async fn upload_file(client: &Client, tuning: &Tuning, target: &Target, path: &Path) -> Result<Stored> {
    let unreadable = |error: io::Error| {
        Error::new(ErrorKind::Source, format!("{} cannot be read: {error}.", path.display()))
    };
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        let message = format!("{} is no regular file: read it as a stream.", path.display());
        return Err(Error::new(ErrorKind::Source, message));
    }
    upload(client, tuning, target, UploadSource::File(Arc::new(file))).await
}

/// Uploads what `reader` gives until its end, however much that is.
pub async fn upload_reader(
    client: &Client,
    tuning: &Tuning,
    target: &Target,
    reader: impl AsyncRead + Send + Unpin + 'static,
) -> Result<Stored> {
    upload(client, tuning, target, UploadSource::Stream(Box::pin(pieces_of(reader)))).await
}

/// The same where the length is known: a reader that ends before `bytes` bytes or goes on behind them is
/// `ErrorKind::Source`, and nothing is stored.
pub async fn upload_exactly(
    client: &Client,
    tuning: &Tuning,
    target: &Target,
    reader: impl AsyncRead + Send + Unpin + 'static,
    bytes: u64,
) -> Result<Stored> {
    // One byte more would show that there is more.
    let reader = reader.take(bytes.saturating_add(1));
    let ends = stream::once(std::future::ready(Ok(None)));
    let pieces = pieces_of(reader).map_ok(Some).chain(ends);
    let checked = pieces.try_filter_map({
        let mut seen = 0;
        move |piece: Option<bytes::Bytes>| {
            seen += piece.as_ref().map_or(0, bytes::Bytes::len) as u64;
            let ended = piece.is_none();
            let wrong = seen > bytes || ended && seen < bytes;
            let end = if seen > bytes { "goes on behind" } else { "ended before" };
            let error = || io::Error::other(format!("it {end} the {bytes} bytes that it was to have"));
            std::future::ready(if wrong { Err(error()) } else { Ok(piece) })
        }
    });
    upload(client, tuning, target, UploadSource::Stream(Box::pin(checked))).await
}

/// Downloads exactly `object` to the file at `path`, in ranges side by side; a file that is there is replaced.
/// `ErrorKind::Source` when it cannot be written.
pub async fn download_file(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    path: &Path,
) -> Result<()> {
    let partial = PartialFile::create(path).map_err(write_failed)?;
    let whole = ByteRange::new(0, object.size);
    download(client, tuning, bucket, object, whole, partial.file()).await?;
    partial.publish(path).map_err(write_failed)
}

/// The same, held against the checksum that the store keeps: `ErrorKind::Corrupt` where the bytes are not those of
/// `kept`, and no file.
pub async fn download_file_verified(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    kept: &Kept,
    path: &Path,
) -> Result<()> {
    let partial = PartialFile::create(path).map_err(write_failed)?;
    download_verified(client, tuning, bucket, object, kept, partial.file()).await?;
    partial.publish(path).map_err(write_failed)
}

/// Writes `range` of exactly `object` to `writer`, in order; the ranges that it is read in come side by side.
pub async fn download_writer(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    range: ByteRange,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    write_all(read(client, tuning, bucket, object, range), writer).await
}

/// Writes what [`read`] or [`read_verified`](super::read_verified) gives to `writer`.
pub async fn write_all(
    pieces: impl Stream<Item = Result<bytes::Bytes>>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = pieces.try_next().await? {
        writer.write_all(&piece).await.map_err(write_failed)?;
    }
    writer.flush().await.map_err(write_failed)
}
