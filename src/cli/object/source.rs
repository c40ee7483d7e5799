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

    /// A file may have been sent in part by another process, where the upload of one that `resumes` goes on.
    pub(super) fn open(client: &Client, path: &Path, resumes: bool) -> Outcome<Self> {
        let file_of = |file| match resumes {
            true => UploadSource::Resumed(Arc::new(file)),
            false => UploadSource::File(Arc::new(file)),
        };
        let is_pipe = |kind: std::fs::FileType| !kind.is_dir() && !kind.is_file();
        if resumes
            && (path.as_os_str() == "-" || path.metadata().is_ok_and(|about| is_pipe(about.file_type())))
        {
            return Err(Failure::usage(
                "--resume is about files: nobody can read again what came through a pipe.",
            ));
        }
        if path.as_os_str() == "-" {
            return Ok(Self::pipe(client, io::stdin()));
        }
        let unreadable = |error: io::Error| Failure::unreadable(path, &error);
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        match metadata.file_type() {
            kind if kind.is_dir() => Err(needs_recursive(&path.display().to_string())),
            kind if kind.is_file() => Ok(Self { bytes: file_of(file), file: Some(metadata) }),
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
