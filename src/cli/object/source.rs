//! What is uploaded: a file, or whatever comes through a pipe.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

use super::many::needs_recursive;
use crate::cli::{Failure, Outcome};
use crate::s3::Client;
use crate::s3::transfer::UploadSource;

/// Bytes read from standard input at once, and how many of these wait to be sent.
const PIECE_BYTES: usize = 1 << 20;
const PIECES_AHEAD: usize = 4;

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

/// Read on a thread of its own, which may wait for a pipe for as long as it likes.
fn pieces_of(
    client: Client,
    mut reader: impl Read + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    std::thread::spawn(move || {
        loop {
            let piece = read_piece(&mut reader);
            let is_last = piece.as_ref().map_or(true, |piece| piece.len() < PIECE_BYTES);
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    stream::unfold((client, receiver), async |(client, mut receiver)| {
        let piece = client.unless_stopped(async { Ok(receiver.recv().await) }).await;
        let piece =
            piece.unwrap_or_else(|interrupted| Some(Err(io::Error::other(interrupted.to_string()))))?;
        Some((piece, (client, receiver)))
    })
}

/// Short, or empty, only at the end: a pipe gives 64 KiB at a time, and a piece that holds few bytes takes up the memory
/// of a whole one for as long as they wait to be sent.
fn read_piece(reader: &mut impl Read) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(PIECE_BYTES);
    let mut filled = 0;
    while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece.freeze())
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::s3::{Config, Provider};

    #[tokio::test]
    async fn a_pipe_is_read_to_its_end() {
        let client = Client::new(Config::new(Provider::anonymous())).unwrap();
        let content: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|n| n as u8).collect();
        let pieces = pieces_of(client, io::Cursor::new(content.clone()));
        let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), content);
    }

    /// Gives a few bytes at a time, as a pipe does.
    struct Drops(io::Cursor<Vec<u8>>);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let few = buffer.len().min(1000);
            self.0.read(&mut buffer[..few])
        }
    }

    #[test]
    fn pieces_are_full_however_little_comes_at_a_time() {
        let mut drops = Drops(io::Cursor::new(vec![7; PIECE_BYTES + 5]));
        let sizes: Vec<usize> = (0..3).map(|_| read_piece(&mut drops).unwrap().len()).collect();
        assert_eq!(sizes, [PIECE_BYTES, 5, 0]);
    }
}
