//! Bytes at rest. A [`Blob`] is written once, front to back, and never changes; it goes when the last version,
//! part or reader that points at it has gone.
//!
//! [`Content`] is what a version or a part holds: pieces of blobs in a row. Copying an object shares its pieces,
//! and completing a multipart upload strings together those of its parts.

mod directory;
mod memory;
mod stream;

pub use stream::ContentStream;

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::ranges::ByteRange;
use crate::base::tasks::Tasks;

/// Reads go out in pieces of this size: large enough that a system call and a poll cost nothing beside it.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// Where new blobs are made.
pub enum Blobs {
    Memory,
    Directory(directory::Folder),
}

impl Blobs {
    pub fn directory(path: &Path, tasks: Tasks) -> io::Result<Self> {
        directory::Folder::open(path, tasks).map(Self::Directory)
    }

    pub fn create(&self) -> Writer {
        match self {
            Self::Memory => Writer::Memory(memory::Writer::default()),
            Self::Directory(folder) => Writer::Directory(folder.create()),
        }
    }

    /// A blob that an earlier run has written.
    pub fn find(&self, id: BlobId) -> io::Result<Arc<Blob>> {
        match self {
            Self::Memory => Err(io::ErrorKind::NotFound.into()),
            Self::Directory(folder) => folder.find(id),
        }
    }

    /// The server is going: from here on no file is removed any more.
    pub fn close(&self) {
        if let Self::Directory(folder) = self {
            folder.close();
        }
    }

    /// All records have been read: removes what a crash left, the blobs that none of them named.
    pub fn sweep(&self) -> io::Result<()> {
        match self {
            Self::Memory => Ok(()),
            Self::Directory(folder) => folder.sweep(),
        }
    }
}

/// Number of a blob within one data directory; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlobId(pub u64);

pub enum Blob {
    Memory(memory::Blocks),
    Directory(directory::Stored),
}

impl Blob {
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(blocks) => blocks.len(),
            Self::Directory(file) => file.len(),
        }
    }

    fn id(&self) -> BlobId {
        match self {
            Self::Memory(_) => BlobId(0),
            Self::Directory(file) => file.id(),
        }
    }
}

/// A blob in the making; dropping it leaves nothing.
pub enum Writer {
    Memory(memory::Writer),
    Directory(directory::Writer),
}

impl Writer {
    pub async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Self::Memory(writer) => writer.append(&bytes),
            Self::Directory(writer) => writer.append(bytes).await?,
        }
        Ok(())
    }

    pub async fn finish(self) -> io::Result<Content> {
        Ok(Content::whole(match self {
            Self::Memory(writer) => Blob::Memory(writer.finish()),
            Self::Directory(writer) => Blob::Directory(writer.finish().await?),
        }))
    }
}

/// Part of a blob.
#[derive(Clone)]
pub struct Piece {
    pub blob: Arc<Blob>,
    pub range: ByteRange,
}

/// Where a piece lies, as it is written to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRecord {
    blob: BlobId,
    start: u64,
    end: u64,
}

/// Bytes of an object or a part: pieces in a row. Cheap to clone.
#[derive(Clone, Default)]
pub struct Content {
    pieces: Arc<[Piece]>,
    len: u64,
}

impl Content {
    fn whole(blob: Blob) -> Self {
        let range = ByteRange::new(0, blob.len());
        Self::join([Piece { blob: Arc::new(blob), range }])
    }

    fn join(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces: Arc<[Piece]> = pieces.into_iter().filter(|piece| !piece.range.is_empty()).collect();
        let len = pieces.iter().map(|piece| piece.range.len()).sum();
        Self { pieces, len }
    }

    #[cfg(test)]
    pub fn in_memory(data: &[u8]) -> Self {
        let mut writer = memory::Writer::default();
        writer.append(data);
        Self::whole(Blob::Memory(writer.finish()))
    }

    pub fn concat<'a>(contents: impl IntoIterator<Item = &'a Content>) -> Self {
        Self::join(contents.into_iter().flat_map(|content| content.pieces.iter().cloned()))
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// The pieces that hold `range`, which lies within the content.
    pub fn slice(&self, range: ByteRange) -> Self {
        let mut start = 0;
        let cut = self.pieces.iter().filter_map(|piece| {
            let here = ByteRange::sized(start, piece.range.len());
            start = here.end;
            let common = here.intersect(range)?;
            let from = piece.range.start + (common.start - here.start);
            Some(Piece { blob: piece.blob.clone(), range: ByteRange::sized(from, common.len()) })
        });
        Self::join(cut.collect::<Vec<_>>())
    }

    /// All bytes in memory: only of what is known to be small.
    pub async fn collect(&self) -> io::Result<Vec<u8>> {
        use futures_util::StreamExt;
        let (mut bytes, mut stream) = (Vec::new(), self.stream());
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    pub fn stream(&self) -> ContentStream {
        ContentStream::new(self.pieces.clone(), self.len)
    }

    pub fn from_records(records: &[PieceRecord], blobs: &Blobs) -> io::Result<Self> {
        let piece = |record: &PieceRecord| {
            let blob = blobs.find(record.blob)?;
            if record.start > record.end || record.end > blob.len() {
                return Err(io::Error::other(format!("blob {} is shorter than its object", record.blob.0)));
            }
            Ok(Piece { blob, range: ByteRange::new(record.start, record.end) })
        };
        Ok(Self::join(records.iter().map(piece).collect::<io::Result<Vec<_>>>()?))
    }
}

/// Where the pieces lie, for a record on disk.
impl Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.pieces.iter().map(|piece| PieceRecord {
            blob: piece.blob.id(),
            start: piece.range.start,
            end: piece.range.end,
        }))
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes in {} pieces)", self.len, self.pieces.len())
    }
}
