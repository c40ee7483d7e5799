//! What is uploaded: a file, or whatever comes through a pipe.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

use super::many::needs_recursive;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::transfer::{self, UploadSource};

/// Something to upload.
pub(super) struct Source {
    pub(super) bytes: UploadSource,
    /// `None` of what comes through a pipe.
    pub(super) file: Option<Metadata>,
}

impl Source {
    /// 0 where nobody knows it yet.
    pub(super) fn size(&self) -> u64 {
        self.file.as_ref().map_or(0, Metadata::len)
    }

    pub(super) fn open(client: &Client, path: &Path) -> Outcome<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::pipe(client, io::stdin()));
        }
        let unreadable =
            |error: io::Error| Failure::refused(format!("Cannot read {}: {error}.", path.display()));
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        match metadata.file_type() {
            kind if kind.is_dir() => Err(needs_recursive(&path.display().to_string())),
            kind if kind.is_file() => {
                Ok(Self { bytes: UploadSource::File(Arc::new(file)), file: Some(metadata) })
            }
            _ => Ok(Self::pipe(client, file)),
        }
    }

    fn pipe(client: &Client, reader: impl Read + Send + 'static) -> Self {
        Self { bytes: UploadSource::Stream(Box::pin(pieces_of(client.clone(), reader))), file: None }
    }
}

/// What a pipe gives, until an interrupt: it may wait for more for as long as it likes.
fn pieces_of(
    client: Client,
    reader: impl Read + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let pieces = transfer::pieces_of_blocking(reader);
    stream::unfold((client, pieces), async |(client, mut pieces)| {
        let piece = client.unless_stopped(async { Ok(pieces.next().await) }).await;
        let piece =
            piece.unwrap_or_else(|interrupted| Some(Err(io::Error::other(interrupted.to_string()))))?;
        Some((piece, (client, pieces)))
    })
}
