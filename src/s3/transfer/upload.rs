//! Managed upload: one PutObject, or parallel parts.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::assembly::{Assembly, Leftover, ensure_lock, in_parallel, put_late_tags, take_late_tags};
use super::progress::Meter;
use super::unfinished::{self, Unfinished};
use super::{Tuning, plan};
use crate::base::ranges::ByteRange;
use crate::s3::ops::{NewObject, Part, PartOrigin, PutObject, Stored, UploadPart, WriteCondition};
use crate::s3::{Body, BodySource, Client, Error, ErrorKind, Limits, Result};

/// Bytes read from a file at once.
const READ_BYTES: u64 = 1 << 20;

/// Where an upload goes and what the object is given beside its bytes.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// Stores only where this holds: `PreconditionFailed` else.
    pub condition: WriteCondition,
    /// What it is given beside its bytes.
    pub object: NewObject,
}

/// What to upload.
pub enum UploadSource {
    /// From memory.
    Bytes(Bytes),
    /// All of it, as it is when the upload starts: a file that changes meanwhile is an error.
    File(Arc<File>),
    /// The same, going on with the parts that an earlier upload of the same file to the same key has left. Where this
    /// one ends early, too, its parts stay for the next. The object is given what the first of them was begun with.
    Resumed(Arc<File>),
    /// Of unknown length, read once.
    Stream(Pieces),
}

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Stores the whole source or nothing: an upload that fails is aborted, unless it is [`UploadSource::Resumed`].
pub async fn upload(
    client: &Client,
    tuning: &Tuning,
    target: &Target,
    source: UploadSource,
) -> Result<Stored> {
    let mut object = target.object.clone();
    let long_tags = take_late_tags(client, &mut object);
    let total = match &source {
        UploadSource::Bytes(bytes) => Some(bytes.len() as u64),
        UploadSource::File(file) | UploadSource::Resumed(file) => {
            file.metadata().ok().map(|metadata| metadata.len())
        }
        UploadSource::Stream(_) => None,
    };
    let begin = || {
        let (object, meter) = (object.clone(), Meter::of(tuning, total));
        Upload { client, tuning, target, object, meter }
    };
    let upload = begin();
    let stored = match source {
        UploadSource::Bytes(bytes) => upload.bytes(bytes).await,
        UploadSource::File(file) => upload.file(file, Leftover::Abort).await,
        UploadSource::Resumed(file) => match upload.file(file.clone(), Leftover::Keep).await {
            // Whoever began it has ended it meanwhile.
            Err(error) if error.kind() == ErrorKind::NoSuchUpload => begin().file(file, Leftover::Keep).await,
            stored => stored,
        },
        UploadSource::Stream(pieces) => upload.stream(pieces).await,
    }?;
    put_late_tags(client, target, long_tags, stored.version.clone()).await?;
    ensure_lock(client, target, target.object.lock, stored.version.clone()).await?;
    Ok(stored)
}

struct Upload<'a> {
    client: &'a Client,
    tuning: &'a Tuning,
    target: &'a Target,
    object: NewObject,
    meter: Meter,
}

impl Upload<'_> {
    async fn bytes(self, bytes: Bytes) -> Result<Stored> {
        let size = bytes.len() as u64;
        if size <= self.one_put() {
            return self.put(Body::Bytes(bytes)).await;
        }
        let body = move |range: ByteRange| Body::Bytes(bytes.slice(range.start as usize..range.end as usize));
        let ranges = self.ranges(size)?;
        self.cut(ranges, body, Beginning::new(), async || Ok(())).await
    }

    async fn file(self, file: Arc<File>, leftover: Leftover) -> Result<Stored> {
        let snapshot = Arc::new(Snapshot::of(file)?);
        let size = snapshot.metadata.len();
        let body = |range: ByteRange| Body::Source(Arc::new(FileRange { snapshot: snapshot.clone(), range }));
        if size <= self.one_put() {
            return self.put(body(ByteRange::new(0, size))).await;
        }
        let ranges = self.ranges(size)?;
        let found = match leftover {
            Leftover::Keep => unfinished::find(self.client, self.target, &snapshot.file, &ranges).await?,
            Leftover::Abort => None,
        };
        let check = async || snapshot.check().map_err(|error| source_failed(&error));
        self.cut(ranges, body, Beginning { found, leftover }, check).await
    }

    async fn stream(self, pieces: Pieces) -> Result<Stored> {
        let limits = *self.client.limits();
        let first = plan::growing(1, self.tuning.part_bytes.max(self.one_put()), &limits);
        let mut source = Cutter { pieces: pieces.fuse(), rest: Bytes::new() };
        let head = source.take(first).await?;
        if source.is_at_end().await? {
            return self.put(Body::Segments(head.into())).await;
        }
        let wished = self.tuning.part_bytes;
        let first = stream::iter([Ok((1, Body::Segments(head.into())))]);
        let others =
            stream::try_unfold((source, 2), move |(source, number)| source.part(number, wished, limits));
        let parts = first.chain(others);
        self.assemble(parts, Beginning::new(), async || Ok(())).await
    }

    fn ranges(&self, size: u64) -> Result<Vec<ByteRange>> {
        let limits = self.client.limits();
        plan::cut(size, self.tuning.part_bytes, limits.part_bytes_max, limits)
    }

    /// The largest size, in bytes, that goes by one PutObject.
    fn one_put(&self) -> u64 {
        self.tuning.multipart_threshold.min(self.client.limits().put_bytes_max)
    }

    async fn put(self, body: Body) -> Result<Stored> {
        let Target { bucket, key, condition, .. } = self.target.clone();
        let counted = self.meter.counted(self.client, body.len());
        let put = PutObject { bucket, key, body, condition, object: self.object };
        let stored = counted.client.send(&put).await?;
        counted.done();
        Ok(stored)
    }

    async fn cut(
        self,
        ranges: Vec<ByteRange>,
        body: impl Fn(ByteRange) -> Body,
        beginning: Beginning,
        check: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<Stored> {
        let parts = stream::iter((1..).zip(ranges).map(|(number, range)| Ok((number, body(range)))));
        self.assemble(parts, beginning, check).await
    }

    async fn assemble(
        self,
        bodies: impl Stream<Item = Result<(u32, Body)>>,
        Beginning { found, leftover }: Beginning,
        check: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<Stored> {
        let (mut assembly, mut there) = match found {
            Some(found) => (Assembly::going_on(self.client, self.target, found.upload_id), found.parts),
            None => {
                let begun = Assembly::begin(self.client, self.target, self.object, PartOrigin::Sent).await?;
                (begun, BTreeMap::new())
            }
        };
        assembly.leftover = leftover;
        let (client, target, upload_id) = (self.client, self.target, assembly.upload_id.clone());
        let meter = self.meter.clone();
        let send = |(part_number, body): (u32, Body)| {
            let (bucket, key, upload_id) = (target.bucket.clone(), target.key.clone(), upload_id.clone());
            let upload = UploadPart { bucket, key, upload_id, part_number, body };
            let counted = meter.counted(client, upload.body.len());
            let part = there.remove(&part_number);
            async move {
                if let Some(part) = part {
                    counted.done();
                    return Ok((part, upload.body.len()));
                }
                let part: Part = counted.client.send(&upload).await?;
                counted.done();
                Ok((part, upload.body.len()))
            }
        };
        assembly.finish(in_parallel(bodies, self.tuning.parallel, send), check).await
    }
}

/// Whether an upload goes on where another one ended, and what is to become of it when it fails.
struct Beginning {
    found: Option<Unfinished>,
    leftover: Leftover,
}

impl Beginning {
    fn new() -> Self {
        Self { found: None, leftover: Leftover::Abort }
    }
}

pub(super) fn source_failed(error: &io::Error) -> Error {
    Error::new(ErrorKind::Source, format!("What was to be uploaded cannot be read: {error}."))
}

/// A part with its number, and the rest with the number of the next.
type Cut = ((u32, Body), (Cutter, u32));

/// Cuts a stream of pieces of any size into parts.
struct Cutter {
    /// Asked again at its end, which not every stream can stand.
    pieces: stream::Fuse<Pieces>,
    rest: Bytes,
}

impl Cutter {
    /// The next `bytes` bytes, or all that are left.
    async fn take(&mut self, bytes: u64) -> Result<Vec<Bytes>> {
        let (mut taken, mut left) = (Vec::new(), bytes);
        while left > 0 && !self.is_at_end().await? {
            let piece = self.rest.split_to(self.rest.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            left -= piece.len() as u64;
            taken.push(piece);
        }
        Ok(taken)
    }

    /// Part `number` and where the next one begins; `None` at the end.
    async fn part(mut self, number: u32, wished: u64, limits: Limits) -> Result<Option<Cut>> {
        let segments = self.take(plan::growing(number, wished, &limits)).await?;
        if segments.is_empty() {
            return Ok(None);
        }
        if number > limits.parts_max {
            return Err(Error::new(ErrorKind::TooLarge, "The stream is larger than the store takes."));
        }
        Ok(Some(((number, Body::Segments(segments.into())), (self, number + 1))))
    }

    /// Reads ahead until there is a byte or the end.
    async fn is_at_end(&mut self) -> Result<bool> {
        while self.rest.is_empty() {
            match self.pieces.try_next().await.map_err(|error| source_failed(&error))? {
                Some(piece) => self.rest = piece,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

/// A file as it was when the upload began.
struct Snapshot {
    file: Arc<File>,
    metadata: Metadata,
}

impl Snapshot {
    fn of(file: Arc<File>) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| source_failed(&error))?;
        Ok(Self { file, metadata })
    }

    fn check(&self) -> io::Result<()> {
        let now = self.file.metadata()?;
        let same = now.len() == self.metadata.len() && now.modified()? == self.metadata.modified()?;
        if same { Ok(()) } else { Err(io::Error::other("it changed while it was uploaded; try again")) }
    }
}

/// A part of a file, read again by every attempt.
struct FileRange {
    snapshot: Arc<Snapshot>,
    range: ByteRange,
}

impl BodySource for FileRange {
    fn len(&self) -> u64 {
        self.range.len()
    }

    fn open(&self) -> Pieces {
        let (snapshot, range) = (self.snapshot.clone(), self.range);
        let starts = (range.start..range.end).step_by(READ_BYTES as usize);
        let pieces = stream::iter(starts).map(move |start| {
            let piece = read_piece(&snapshot.file, start, READ_BYTES.min(range.end - start))?;
            if start + READ_BYTES >= range.end {
                snapshot.check()?;
            }
            Ok(piece)
        });
        Box::pin(pieces)
    }
}

fn read_piece(file: &File, start: u64, bytes: u64) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(bytes as usize);
    file.read_exact_at(&mut piece, start)?;
    Ok(piece.freeze())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn cutter(pieces: &[&'static str]) -> Cutter {
        let pieces: Vec<io::Result<Bytes>> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let mut pieces = pieces.into_iter();
        // Unlike `iter`, `unfold` panics when it is polled after its end.
        let pieces: Pieces = Box::pin(stream::unfold((), move |()| {
            std::future::ready(pieces.next().map(|piece| (piece, ())))
        }));
        Cutter { pieces: pieces.fuse(), rest: Bytes::new() }
    }

    async fn parts(mut cutter: Cutter, bytes: u64) -> Vec<String> {
        let mut parts = Vec::new();
        while !cutter.is_at_end().await.unwrap() {
            let part = cutter.take(bytes).await.unwrap().concat();
            parts.push(String::from_utf8(part).unwrap());
        }
        parts
    }

    #[tokio::test]
    async fn a_stream_is_cut_wherever_its_pieces_end() {
        assert_eq!(parts(cutter(&["ab", "", "cde", "f"]), 2).await, ["ab", "cd", "ef"]);
        assert_eq!(parts(cutter(&["abcdefg"]), 3).await, ["abc", "def", "g"]);
        assert_eq!(parts(cutter(&["", ""]), 3).await, [""; 0]);
    }

    async fn read(source: &FileRange) -> io::Result<Vec<u8>> {
        source
            .open()
            .try_fold(Vec::new(), async |mut all, piece| {
                Ok({
                    all.extend(piece);
                    all
                })
            })
            .await
    }

    #[tokio::test]
    async fn a_range_of_a_file_is_read_as_often_as_asked() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..READ_BYTES * 2 + 10).map(|n| n as u8).collect();
        file.write_all(&content).unwrap();
        let snapshot = Arc::new(Snapshot::of(Arc::new(file)).unwrap());
        let source = FileRange { snapshot, range: ByteRange::new(3, READ_BYTES * 2 + 5) };
        for _ in 0..2 {
            assert_eq!(read(&source).await.unwrap(), content[3..content.len() - 5]);
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let snapshot = Arc::new(Snapshot::of(Arc::new(file.try_clone().unwrap())).unwrap());
        let source = FileRange { snapshot, range: ByteRange::new(0, 10) };
        file.write_all(b"more").unwrap();
        assert!(read(&source).await.is_err(), "it grew");
        file.set_len(5).unwrap();
        assert_eq!(read(&source).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "it shrank");
    }
}
