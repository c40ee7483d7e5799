//! Archives that unpack themselves: many small objects in one request.
//!
//! [`Snowball`] keeps the archive in memory. [`SnowballWriter`] writes it to whatever takes bytes, with or without
//! gzip, from memory, files and readers; [`upload_snowball`] makes and uploads one, by way of a file where it is large.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::s3::ops::{DeleteObject, HeadObject, NewObject, PutObject, Stored, WriteCondition};
use crate::s3::transfer::{self, PartialFile, Target, Tuning, UploadSource};
use crate::s3::{Body, Client, Error, ErrorKind, Result};

/// Many small objects in one request: a tar archive that the store unpacks under the key's folder.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/snowball-edge-batching-small-files.html>
#[derive(Clone, Debug, Default)]
pub struct Snowball {
    segments: Vec<Bytes>,
}

const UNPACK: &str = "snowball-auto-extract";
const BLOCK_BYTES: usize = 512;
/// Two blocks of nothing.
const END: &[u8] = &[0; 2 * BLOCK_BYTES];

/// The store unpacks what is marked so.
fn mark(object: &mut NewObject) {
    object.metadata.insert(UNPACK.to_owned(), "true".to_owned());
}

impl Snowball {
    /// Adds an object; the bytes are not copied.
    pub fn add(&mut self, key: &str, body: impl Into<Bytes>, modified: SystemTime) -> Result<()> {
        let body = body.into();
        let bytes = body.len() as u64;
        self.segments.extend([head(key, bytes, modified)?.into(), body, padding(bytes)]);
        Ok(())
    }

    /// The archive as one PutObject; `object` is given to every object in it. At most 5 GiB.
    pub fn upload(
        mut self,
        bucket: impl Into<String>,
        key: impl Into<String>,
        object: NewObject,
    ) -> PutObject {
        self.segments.push(Bytes::from_static(END));
        self.segments.retain(|segment| !segment.is_empty());
        let mut object = object;
        mark(&mut object);
        PutObject {
            bucket: bucket.into(),
            key: key.into(),
            body: Body::Segments(Arc::from(self.segments)),
            condition: WriteCondition::None,
            object,
        }
    }
}

/// An archive on its way to a writer.
pub struct SnowballWriter<W: Write>(Out<W>);

enum Out<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
}

impl<W: Write> SnowballWriter<W> {
    /// A tar archive, or one in gzip.
    pub fn new(writer: W, gzip: bool) -> Self {
        Self(if gzip {
            Out::Gzip(GzEncoder::new(writer, Compression::default()))
        } else {
            Out::Plain(writer)
        })
    }

    fn out(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            Out::Plain(writer) => writer,
            Out::Gzip(writer) => writer,
        }
    }

    /// Adds an object whose content is read to its end, which must come after exactly `bytes` bytes.
    pub fn add(&mut self, key: &str, bytes: u64, modified: SystemTime, content: impl Read) -> Result<()> {
        let head = head(key, bytes, modified)?;
        let out = self.out();
        let written = out.write_all(&head).and_then(|()| {
            // One byte more would show that there is more.
            let copied = io::copy(&mut content.take(bytes.saturating_add(1)), out)?;
            match copied == bytes {
                true => out.write_all(&padding(bytes)),
                false => Err(io::Error::other(format!("it has not {bytes} bytes any more"))),
            }
        });
        written.map_err(|error| unwritten(key, &error))
    }

    /// Adds a file as it is now.
    pub fn add_file(&mut self, key: &str, path: &Path) -> Result<()> {
        let file = File::open(path).map_err(|error| unwritten(key, &error))?;
        let metadata = file.metadata().map_err(|error| unwritten(key, &error))?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        self.add(key, metadata.len(), modified, file)
    }

    /// Ends the archive and gives the writer back.
    pub fn finish(mut self) -> Result<W> {
        let ended = self.out().write_all(END).and_then(|()| match self.0 {
            Out::Plain(writer) => Ok(writer),
            Out::Gzip(writer) => writer.finish(),
        });
        ended.map_err(|error| unwritten("its end", &error))
    }
}

fn unwritten(what: &str, error: &io::Error) -> Error {
    Error::new(ErrorKind::Source, format!("The archive cannot be made: {what:?}: {error}."))
}

/// An object of an archive.
pub struct SnowballObject {
    /// Its key. AWS puts it below the folder of the archive's own key, MinIO does not: an archive at the top of the bucket
    /// is the same to both.
    pub key: String,
    /// Its bytes.
    pub content: SnowballContent,
}

/// Where the bytes of an object of an archive come from.
pub enum SnowballContent {
    /// Memory, and the date that they are given.
    Bytes(Bytes, SystemTime),
    /// A file, with its own date.
    File(PathBuf),
    /// A reader that ends after so many bytes, and the date that they are given.
    Reader(Box<dyn Read + Send>, u64, SystemTime),
}

/// How an archive is made.
#[derive(Clone, Debug, Default)]
pub struct SnowballOptions {
    /// In gzip.
    pub gzip: bool,
    /// A file that holds the archive while it is uploaded, gone afterwards; `None` holds it in memory.
    pub staging: Option<PathBuf>,
    /// What every object is given, as far as the store does so: MinIO takes no more of it than storage class and lock.
    pub object: NewObject,
}

/// Makes an archive and uploads it with one PutObject; the store unpacks it beside `key`. At most 5 GiB.
pub async fn upload_snowball(
    client: &Client,
    tuning: &Tuning,
    (bucket, key): (&str, &str),
    objects: impl IntoIterator<Item = SnowballObject>,
    options: SnowballOptions,
) -> Result<Stored> {
    let SnowballOptions { gzip, staging, mut object } = options;
    mark(&mut object);
    let target = Target { bucket: bucket.to_owned(), key: key.to_owned(), object, ..Target::default() };
    // Parts would arrive as they are.
    let most = client.limits().put_bytes_max;
    let whole = Tuning { multipart_threshold: most, ..tuning.clone() };
    let too_large = |bytes: u64| {
        let message = format!("The archive has {bytes} bytes; one request takes {most}.");
        Err(Error::new(ErrorKind::TooLarge, message))
    };
    let Some(path) = staging else {
        let archive = packed(SnowballWriter::new(Vec::new(), gzip), objects)?;
        return match archive.len() as u64 {
            bytes if bytes > most => too_large(bytes),
            _ => transfer::upload(client, &whole, &target, UploadSource::Bytes(archive.into())).await,
        };
    };
    let staged = PartialFile::create(&path).map_err(|error| unwritten("staging", &error))?;
    packed(SnowballWriter::new(&**staged.file(), gzip), objects)?;
    let reader = staged.reader().and_then(|file| Ok((file.metadata()?.len(), file)));
    let (bytes, file) = reader.map_err(|error| unwritten("staging", &error))?;
    match bytes > most {
        true => too_large(bytes),
        false => transfer::upload(client, &whole, &target, UploadSource::File(Arc::new(file))).await,
    }
}

/// Whether the store unpacks archives. An empty one is uploaded: a store that knows nothing of archives keeps it as an
/// object, which is removed again.
pub async fn unpacks_snowballs(client: &Client, bucket: &str) -> Result<bool> {
    let key = format!(".holdfs-{:016x}.tar", fastrand::u64(..));
    let stored = client.send(&Snowball::default().upload(bucket, &key, NewObject::default())).await?;
    let (bucket, version) = (bucket.to_owned(), stored.version);
    let head = HeadObject { bucket: bucket.clone(), key: key.clone(), ..HeadObject::default() };
    match client.send(&head).await {
        Ok(_) => {
            client.send(&DeleteObject { bucket, key, version, ..DeleteObject::default() }).await?;
            Ok(false)
        }
        Err(error) if error.kind() == ErrorKind::NoSuchKey => Ok(true),
        Err(error) => Err(error),
    }
}

fn packed<W: Write>(
    mut archive: SnowballWriter<W>,
    objects: impl IntoIterator<Item = SnowballObject>,
) -> Result<W> {
    for SnowballObject { key, content } in objects {
        match content {
            SnowballContent::Bytes(bytes, modified) => {
                archive.add(&key, bytes.len() as u64, modified, &bytes[..])?;
            }
            SnowballContent::File(path) => archive.add_file(&key, &path)?,
            SnowballContent::Reader(reader, bytes, modified) => archive.add(&key, bytes, modified, reader)?,
        }
    }
    archive.finish()
}

/// What stands before the bytes of an object: one block, and before it what says a name that does not fit there.
fn head(key: &str, bytes: u64, modified: SystemTime) -> Result<Vec<u8>> {
    if key.is_empty() {
        return Err(Error::invalid("The key of an object is not empty."));
    }
    let seconds = modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut head = Vec::new();
    if key.len() > NAME_BYTES || !key.is_ascii() {
        let record = pax_record("path", key);
        head.extend(header("pax", b'x', record.len() as u64, seconds)?);
        head.extend(record.as_bytes());
        head.extend(padding(record.len() as u64));
    }
    head.extend(header(key, b'0', bytes, seconds)?);
    Ok(head)
}

/// Up to the next block.
fn padding(bytes: u64) -> Bytes {
    let block = BLOCK_BYTES as u64;
    Bytes::from_static(&[0; BLOCK_BYTES]).slice(..(bytes.next_multiple_of(block) - bytes) as usize)
}

/// `LENGTH KEY=VALUE\n`, the length counting itself (POSIX.1-2001, pax).
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() != length {
        length = length.to_string().len() + rest.len();
    }
    format!("{length}{rest}")
}

const NAME_BYTES: usize = 100;

/// One block as POSIX.1-1988 (ustar) has it: name, mode, owner, group, size, time, checksum, kind, magic.
fn header(name: &str, kind: u8, size: u64, seconds: u64) -> Result<Vec<u8>> {
    /// Eleven octal digits.
    const SIZE_MAX: u64 = 0o77_777_777_777;
    if size > SIZE_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "An object in an archive has less than 8 GiB."));
    }
    let mut block = vec![0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(NAME_BYTES)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{:011o}\0", seconds.min(SIZE_MAX)).as_bytes());
    // The checksum counts its own field as blanks.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::scripted::{Answer, Server};

    fn bytes(body: &Body) -> Vec<u8> {
        let Body::Segments(segments) = body else { panic!("segments") };
        segments.concat()
    }

    /// Every name with its content, as tar reads them.
    fn unpacked(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.tar");
        std::fs::write(&file, archive).unwrap();
        let tar = |arguments: &[&str]| {
            let output =
                std::process::Command::new("tar").arg(arguments[0]).arg(&file).args(&arguments[1..]).output();
            let output = output.expect("tar is there");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let names = String::from_utf8(tar(&["-tf", "--quoting-style=literal"])).unwrap();
        names.lines().map(|name| (name.to_owned(), tar(&["-xOf", name]))).collect()
    }

    #[test]
    fn an_archive_is_read_by_others() {
        let mut snowball = Snowball::default();
        let long = format!("d/{}/ö", "x".repeat(150));
        let objects =
            [("a.txt", &b"hello"[..]), ("empty", b""), (long.as_str(), &[7; 512]), ("ü", &[1; 1025])];
        for (key, body) in objects {
            snowball.add(key, body.to_vec(), SystemTime::UNIX_EPOCH).unwrap();
        }
        assert!(snowball.add("", "", SystemTime::UNIX_EPOCH).is_err());
        let put = snowball.upload("b", "snowball.tar", NewObject::default());
        assert_eq!(put.object.metadata["snowball-auto-extract"], "true");
        let archive = bytes(&put.body);
        assert_eq!(archive.len() % BLOCK_BYTES, 0);
        let expected: Vec<_> = objects.iter().map(|(key, body)| ((*key).to_owned(), body.to_vec())).collect();
        assert_eq!(unpacked(&archive), expected);
    }

    #[test]
    fn a_pax_record_counts_itself() {
        assert_eq!(pax_record("path", "ab"), "11 path=ab\n");
        let record = pax_record("path", &"x".repeat(90));
        assert_eq!(record.split(' ').next().unwrap().parse::<usize>().unwrap(), record.len());
    }

    #[test]
    fn a_written_archive_is_that_of_memory_and_gzip_is_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        std::fs::write(&path, "from a file").unwrap();
        for gzip in [false, true] {
            let mut archive = SnowballWriter::new(Vec::new(), gzip);
            archive.add("a", 5, SystemTime::UNIX_EPOCH, &b"hello"[..]).unwrap();
            archive.add_file("d/b", &path).unwrap();
            let expected = [("a".to_owned(), b"hello".to_vec()), ("d/b".to_owned(), b"from a file".to_vec())];
            assert_eq!(unpacked(&archive.finish().unwrap()), expected);
        }
        let mut snowball = Snowball::default();
        snowball.add("a", "hello", SystemTime::UNIX_EPOCH).unwrap();
        let mut written = SnowballWriter::new(Vec::new(), false);
        written.add("a", 5, SystemTime::UNIX_EPOCH, &b"hello"[..]).unwrap();
        let put = snowball.upload("b", "k", NewObject::default());
        assert_eq!(written.finish().unwrap(), bytes(&put.body));
    }

    #[tokio::test]
    async fn a_store_that_keeps_archives_as_they_are_is_told_from_one_that_unpacks() {
        let stored = || Answer::new(200, &[("etag", "\"e\""), ("x-amz-version-id", "v1")], "");
        let kept = Answer::new(200, &[("etag", "\"e\""), ("content-length", "1024")], "");
        let server = Server::answering([stored(), kept, Answer::new(204, &[], "")]).await;
        assert!(!unpacks_snowballs(&server.client(), "b").await.unwrap());
        let heard = server.heard();
        assert!(heard[0].target.starts_with("/b/.holdfs-"), "{}", heard[0].target);
        assert_eq!(heard[0].header("x-amz-meta-snowball-auto-extract"), "true");
        assert_eq!(heard[2].method, "DELETE");
        assert_eq!(heard[2].target, format!("{}?versionId=v1", heard[0].target), "nothing stays");
        let server = Server::answering([stored(), Answer::new(404, &[], "")]).await;
        assert!(unpacks_snowballs(&server.client(), "b").await.unwrap());
        assert_eq!(server.heard().len(), 2);
    }

    #[test]
    fn content_that_is_shorter_or_longer_than_it_said_is_refused() {
        for content in [&b"hell"[..], b"hello!"] {
            let mut archive = SnowballWriter::new(Vec::new(), false);
            let refused = archive.add("a", 5, SystemTime::UNIX_EPOCH, content).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Source);
        }
    }
}
