//! Transfers from and to files, readers and writers.
//!
//! A file that is downloaded appears under its name only when it is whole: until then it grows beside its place, and
//! whatever goes wrong takes it away again. A file that is uploaded must stay as it was when the upload began.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::download::write_failed;
use super::reader::pieces_of;
use super::{Target, Tuning, UploadSource, download, read, upload};
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

/// Writes `range` of exactly `object` to `writer`, in order; the ranges that it is read in come side by side.
pub async fn download_writer(
    client: &Client,
    tuning: &Tuning,
    bucket: &str,
    object: &ObjectRef,
    range: ByteRange,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    let mut pieces = std::pin::pin!(read(client, tuning, bucket, object, range));
    while let Some(piece) = pieces.try_next().await? {
        writer.write_all(&piece).await.map_err(write_failed)?;
    }
    writer.flush().await.map_err(write_failed)
}

/// A file beside its place, gone again unless it is published.
pub struct PartialFile {
    file: Arc<File>,
    /// `None` once it is published.
    path: Option<PathBuf>,
}

impl PartialFile {
    /// Beside `destination`, under a name that nobody else uses.
    pub fn create(destination: &Path) -> io::Result<Self> {
        if destination.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this names no file"));
        }
        // Short whatever the destination is called: that may be as long as a name can be.
        let path = destination.with_file_name(format!(".holdfs-{:016x}.part", fastrand::u64(..)));
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create_new(true).custom_flags(libc::O_CLOEXEC).open(&path)?;
        Ok(Self { file: Arc::new(file), path: Some(path) })
    }

    /// What to write to, and to read again.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// What it holds, to be read from the start.
    pub fn reader(&self) -> io::Result<File> {
        self.path.as_ref().map_or_else(|| self.file.try_clone(), File::open)
    }

    /// Gives it the name that it was created for.
    pub fn publish(mut self, destination: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            fs::rename(path, destination)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_file_is_gone_unless_published() {
        let folder = tempfile::tempdir().unwrap();
        let names = || -> Vec<_> {
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        let destination = folder.path().join("f".repeat(255));
        drop(PartialFile::create(&destination).unwrap());
        assert_eq!(names().len(), 0);
        let lost = PartialFile::create(&destination).unwrap();
        assert!(lost.publish(&folder.path().join("no/such/folder")).is_err());
        assert_eq!(names().len(), 0, "one that cannot be published is gone, too");
        PartialFile::create(&destination).unwrap().publish(&destination).unwrap();
        assert_eq!(names(), ["f".repeat(255).as_str()]);
        assert!(PartialFile::create(Path::new("/")).is_err());
    }
}
