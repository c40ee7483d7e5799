//! `holdfs object cat` and `get`.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;

use futures_util::TryStreamExt;

use super::Target;
use super::progress::{self, Direction};
use crate::base::ranges::ByteRange;
use crate::cli::terminal::{self, Reader};
use crate::cli::{Failure, Outcome};
use crate::s3::transfer::{self, Tuning};
use crate::s3::{Client, ObjectRef};

/// To standard output, in order.
pub(super) async fn cat(client: &Client, target: &Target) -> Outcome {
    let object = find(client, target).await?;
    let whole = ByteRange::new(0, object.size);
    let tuning = Tuning::default();
    let mut pieces = pin!(transfer::read(client, &tuning, &target.bucket, &object, whole));
    while let Some(piece) = pieces.try_next().await? {
        if terminal::stream(&piece)? == Reader::Left {
            break;
        }
    }
    Ok(())
}

/// To a file that appears only when it is whole.
pub(super) async fn get(client: &Client, target: &Target, file: Option<&Path>) -> Outcome {
    if file.is_some_and(|file| file.as_os_str() == "-") {
        return cat(client, target).await;
    }
    let destination = destination(target, file)?;
    let object = find(client, target).await?;
    let partial = Partial::create(&destination)?;
    let whole = ByteRange::new(0, object.size);
    let tuning = Tuning::default();
    let work = transfer::download(client, &tuning, &target.bucket, &object, whole, &partial.file);
    progress::shown(client, Direction::Down, object.size, work).await?;
    partial.publish(&destination)
}

async fn find(client: &Client, target: &Target) -> Outcome<ObjectRef> {
    Ok(target.head(client, false).await?.object_ref(&target.key)?)
}

/// The file to write: as it was named, in the folder that was named, or after the key.
fn destination(target: &Target, file: Option<&Path>) -> Outcome<PathBuf> {
    let folder = match file {
        Some(file) if !file.is_dir() => return Ok(file.to_owned()),
        Some(folder) => folder,
        None => Path::new(""),
    };
    match target.file_name() {
        name @ ("" | "." | "..") => Err(Failure::usage(format!(
            "The key ends with {name:?}, which names no file: say which file to write."
        ))),
        name => Ok(folder.join(name)),
    }
}

/// A file beside its destination, gone again unless it is published.
struct Partial {
    file: File,
    path: Option<PathBuf>,
}

impl Partial {
    fn create(destination: &Path) -> Outcome<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(destination.file_name().unwrap_or_default());
        name.push(format!(".{:08x}.part", fastrand::u32(..)));
        let path = destination.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_CLOEXEC)
            .open(&path)
            .map_err(|error| Failure::refused(format!("Cannot write {}: {error}.", path.display())))?;
        Ok(Self { file, path: Some(path) })
    }

    fn publish(mut self, destination: &Path) -> Outcome {
        let path = self.path.take().unwrap_or_default();
        fs::rename(&path, destination).map_err(|error| {
            let _ = fs::remove_file(&path);
            Failure::refused(format!("Cannot write {}: {error}.", destination.display()))
        })
    }
}

impl Drop for Partial {
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
    fn a_key_names_a_file_only_when_it_can() {
        let at = |key: &str, file: Option<&str>| {
            destination(&Target::object(&format!("b/{key}"), None).unwrap(), file.map(Path::new)).ok()
        };
        assert_eq!(at("a/c.txt", None), Some("c.txt".into()));
        assert_eq!(at("a/c.txt", Some("/tmp")), Some("/tmp/c.txt".into()));
        assert_eq!(at("a/c.txt", Some("/tmp/other")), Some("/tmp/other".into()));
        assert_eq!(at("a/", Some("/tmp/other")), Some("/tmp/other".into()));
        for key in ["a/", "a/..", "."] {
            assert_eq!((at(key, None), at(key, Some("/tmp"))), (None, None), "{key}");
        }
    }

    #[test]
    fn a_partial_file_is_gone_unless_published() {
        let folder = tempfile::tempdir().unwrap();
        let destination = folder.path().join("f");
        drop(Partial::create(&destination).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Partial::create(&destination).unwrap().publish(&destination).unwrap();
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["f"]);
    }
}
