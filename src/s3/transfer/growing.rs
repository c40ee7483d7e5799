//! Downloads that go on where another process ended.
//!
//! Beside the file that is to be there grow two others: one has its bytes, the other says in lines which of them have
//! arrived. Both are named after the object in exactly this version, so that two versions never mix; what is left of
//! another version is removed. A line is written once its bytes are on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::assembly::in_parallel;
use super::download::{Source, cut, on_task, write_failed};
use super::progress::Meter;
use super::{Kept, Tuning, verify_file};
use crate::base::digest;
use crate::base::ranges::{ByteRange, RangeSet};
use crate::base::tasks::Tasks;
use crate::s3::{Client, ErrorKind, ObjectRef, Result};

/// What is there already of an object that is downloaded to a file.
pub struct GrowingFile {
    file: Arc<File>,
    path: PathBuf,
    notes: Arc<Mutex<File>>,
    notes_path: PathBuf,
    there: RangeSet,
}

impl GrowingFile {
    /// What was downloaded of exactly `object` to go to `destination`, or a beginning. An error where another process
    /// is at it.
    pub fn open(client: &Client, bucket: &str, object: &ObjectRef, destination: &Path) -> io::Result<Self> {
        let Some(name) = destination.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this names no file"));
        };
        let version = object.version.as_ref().map_or("", |version| &*version.0);
        let identity = [client.endpoint(), bucket, &object.key, &object.etag.0, version].join("\n");
        let place = format!(".holdfs-{}-", short(name.as_encoded_bytes()));
        let stem = format!("{place}{}", short(format!("{identity}\n{}", object.size).as_bytes()));
        remove_others(destination, &place, &stem);
        let [path, notes_path] =
            ["part", "ranges"].map(|ending| destination.with_file_name(format!("{stem}.{ending}")));
        let file = open(&path)?;
        file.try_lock().map_err(|_| io::Error::other("another process is downloading it"))?;
        let mut notes = open(&notes_path)?;
        if file.metadata()?.len() == 0 {
            // Notes without their bytes: who was killed right after the file got its name leaves them.
            notes.set_len(0)?;
        }
        let there = read_notes(&mut notes, object.size)?;
        Ok(Self { file: Arc::new(file), path, notes: Arc::new(Mutex::new(notes)), notes_path, there })
    }

    /// Bytes that are there already.
    pub fn bytes(&self) -> u64 {
        self.there.total()
    }

    /// What is to be read and written.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Downloads what is missing, and holds the whole against its checksum where there is one. What has arrived before
    /// an error stays for the next time; bytes that are not those of the object do not.
    pub async fn fill(
        &self,
        client: &Client,
        tuning: &Tuning,
        bucket: &str,
        object: &ObjectRef,
        kept: Option<&Kept>,
    ) -> Result<()> {
        let meter = Meter::of(tuning, Some(object.size));
        meter.add(self.bytes());
        let missing = self.there.holes(ByteRange::new(0, object.size));
        let pieces = missing.flat_map(|gap| cut(gap, tuning.part_bytes)).map(Ok);
        let source = Source::new(client, bucket, object);
        let get = |piece: ByteRange| {
            let (source, file, meter) = (source.clone(), self.file.clone(), meter.clone());
            let notes = self.notes.clone();
            on_task(async move {
                source.fetch_into(piece, &*file, &meter).await?;
                let tasks = Tasks::new(Handle::current());
                let noted =
                    tasks.spawn_blocking("waits for a disk", move || note(&file, &notes, piece)).await;
                noted.unwrap_or_else(|lost| Err(io::Error::other(lost))).map_err(write_failed)
            })
        };
        in_parallel(stream::iter(pieces), tuning.parallel, get).try_collect::<()>().await?;
        let Some(kept) = kept else { return Ok(()) };
        let verified = verify_file(client, bucket, object, kept, &self.file).await;
        if verified.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt) {
            self.remove();
        }
        verified
    }

    /// Gives it its name; it must have been filled.
    pub fn publish(self, destination: &Path) -> io::Result<()> {
        fs::rename(&self.path, destination)?;
        let _ = fs::remove_file(&self.notes_path);
        Ok(())
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.notes_path);
        let _ = fs::remove_file(&self.path);
    }
}

/// That this range has arrived, once it is on the disk.
fn note(file: &File, notes: &Mutex<File>, range: ByteRange) -> io::Result<()> {
    file.sync_data()?;
    notes.lock().write_all(format!("{} {}\n", range.start, range.end).as_bytes())
}

fn short(text: &[u8]) -> String {
    digest::hex(&digest::sha256(text)).chars().take(16).collect()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// What is left of other versions for the same place, unless somebody is at it.
fn remove_others(destination: &Path, place: &str, stem: &str) {
    let folder = destination.parent().filter(|folder| !folder.as_os_str().is_empty());
    for entry in fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_other = name.starts_with(place) && !name.starts_with(stem) && name.ends_with(".part");
        if is_other && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path().with_extension("ranges"));
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Leaves the notes at the end of their last whole line.
fn read_notes(notes: &mut File, size: u64) -> io::Result<RangeSet> {
    let mut text = String::new();
    if notes.read_to_string(&mut text).is_err() {
        text.clear();
    }
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    notes.set_len(whole as u64)?;
    notes.seek(SeekFrom::End(0))?;
    let parse = |line: &str| {
        let (start, end) = line.split_once(' ')?;
        let (start, end) = (start.parse().ok()?, end.parse().ok()?);
        (start < end && end <= size).then(|| ByteRange::new(start, end))
    };
    let mut there = RangeSet::default();
    text[..whole].lines().filter_map(parse).for_each(|range| there.insert(range));
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ranges: &RangeSet) -> Vec<(u64, u64)> {
        ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn notes_are_read_up_to_their_last_whole_line() {
        for (text, there) in [
            ("", vec![]),
            ("0 10\n20 30\n10 15\n", vec![(0, 15), (20, 30)]),
            ("20 30\n0 1", vec![(20, 30)]),
            ("5 5\n7 3\nx y\n90 101\n0 100\n", vec![(0, 100)]),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.rewind().unwrap();
            assert_eq!(pairs(&read_notes(&mut file, 100).unwrap()), there, "{text:?}");
            file.write_all(b"40 50\n").unwrap();
            file.rewind().unwrap();
            let again = pairs(&read_notes(&mut file, 100).unwrap());
            assert!(again.iter().any(|(start, end)| *start <= 40 && *end >= 50), "{again:?} after {text:?}");
        }
    }
}
