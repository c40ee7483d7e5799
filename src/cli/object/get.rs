//! `holdfs object cat` and `get`: bytes to standard output, to a file, or to a directory of files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;

use super::batch::{Batch, Done, Report, Said, Verb};
use super::keys::OwnKey;
use super::many::{ORDER, Which, name_below};
use super::place::{Folder, unwritable};
use super::posix;
use super::progress;
use super::span::Span;
use super::when::When;
use super::{Format, Target, listing};
use crate::base::ranges::ByteRange;
use crate::cli::terminal::{self, Reader};
use crate::cli::{Failure, Outcome};
use crate::s3::ops::ObjectHeaders;
use crate::s3::transfer::{self, GrowingFile, Kept, PartialFile, Tuning};
use crate::s3::{Client, ObjectRef, VersionId};

/// Write the bytes of an object to standard output.
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfs object cat photos/notes.txt --range -1000")]
pub struct CatArgs {
    /// The object.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    /// This version instead of the current one.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    version_id: Option<String>,
    #[command(flatten)]
    part: Part,
}

/// Download an object to a file, or with --recursive all below a prefix to a directory.
#[derive(Args, Debug)]
#[command(after_help = format!("\
A file appears under its name only when it is whole. With --recursive the name of a file is what follows the last slash \
of the prefix; a key that names no file below the directory (`..`, `//`, a part over 255 bytes, a file where another \
key wants a directory) is an error, and the rest goes on.\n\n{ORDER}\n\n\
Examples:\n  holdfs object get photos/2026/a.jpg\n  holdfs object get photos/2026/ ./2026 --recursive --include '*.jpg'"))]
pub struct GetArgs {
    #[command(flatten)]
    which: Which,
    /// File or directory; `-` is standard output [default: the last part of the key; with --recursive, here].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    part: Part,
    /// Leave files that exist as they are.
    #[arg(long)]
    no_clobber: bool,
    /// Give files the mode, the time and, as root, the owner that `holdfs mount`, s3fs or rclone have stored with them.
    #[arg(long)]
    preserve: bool,
    /// Go on where a download of the same version that did not end has stopped, and leave what has arrived if this one
    /// does not end either; it lies beside the file, as .holdfs-….part.
    #[arg(long, conflicts_with = "range")]
    resume: bool,
}

/// Which bytes, and on what conditions.
#[derive(Args, Clone, Debug)]
struct Part {
    /// Only these bytes: FIRST-LAST, FIRST- or -COUNT, counted from 0.
    #[arg(long, value_name = "RANGE", value_parser = Span::parse, allow_hyphen_values = true)]
    range: Option<Span>,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    key: OwnKey,
}

/// An object as it is now, and which of its bytes are wanted.
struct Found {
    object: ObjectRef,
    headers: ObjectHeaders,
    range: ByteRange,
}

impl Part {
    async fn find(&self, client: &Client, target: &Target) -> Outcome<Found> {
        let headers = target.head_if(client, true, self.when.conditions()).await?;
        let object = headers.clone().object_ref(&target.key)?;
        let range = match self.range {
            None => ByteRange::new(0, object.size),
            Some(span) => span.of(object.size).ok_or_else(|| {
                Failure::refused(format!("{target} has {} bytes, none of them in that range.", object.size))
            })?,
        };
        Ok(Found { object, headers, range })
    }
}

pub(super) async fn cat(client: &Client, args: &CatArgs) -> Outcome {
    let target = Target::object(&args.target, args.version_id.clone())?;
    let target = super::reach::reached(client, target).await?;
    write_out(&args.part.key.given_to(client)?, &target, &args.part).await
}

/// To standard output, in order. A whole object is held against the checksum that the store keeps.
async fn write_out(client: &Client, target: &Target, part: &Part) -> Outcome {
    let Found { object, headers, range } = part.find(client, target).await?;
    let (tuning, bucket) = (Tuning::default(), &target.bucket);
    let mut pieces = pin!(match Kept::of(&headers).filter(|_| range.len() == object.size) {
        Some(kept) => transfer::read_verified(client, &tuning, bucket, &object, &kept).left_stream(),
        None => transfer::read(client, &tuning, bucket, &object, range).right_stream(),
    });
    while let Some(piece) = pieces.try_next().await.map_err(wrong_so_far)? {
        if terminal::stream(&piece)? == Reader::Left {
            break;
        }
    }
    Ok(())
}

/// What is said of bytes that are out already.
fn wrong_so_far(error: crate::s3::Error) -> Failure {
    let is_wrong = error.kind() == crate::s3::ErrorKind::Corrupt;
    let failure = Failure::from(error);
    let message = format!("{} What was written so far is not the object: do not use it.", failure.message);
    if is_wrong { failure.said(message) } else { failure }
}

pub(super) async fn get(client: &Client, args: &GetArgs, format: Format) -> Outcome {
    let to_stdout = args.file.as_ref().is_some_and(|file| file.as_os_str() == "-");
    if to_stdout && args.which.many.recursive {
        return Err(Failure::usage("Several objects cannot go to standard output: name a directory."));
    }
    if args.part.range.is_some() && args.which.many.recursive {
        return Err(Failure::usage("--range is about one object: leave out --recursive."));
    }
    let client = &args.part.key.given_to(client)?;
    let target = super::reach::reached(client, args.which.target()?).await?;
    if args.which.many.recursive {
        return all(client, args, &target, format).await;
    }
    if to_stdout {
        return write_out(client, &target, &args.part).await;
    }
    let destination = destination(&target, args.file.as_deref())?;
    if args.no_clobber && destination.symlink_metadata().is_ok() {
        return Err(Failure::refused(format!("{} exists and was left as it is.", destination.display())));
    }
    let Found { object, headers, range } = args.part.find(client, &target).await?;
    let fetched = Fetched { client, bucket: &target.bucket, object: &object, range };
    let work = async |tuning: &Tuning| fetched.to_file(tuning, &destination, Some(&headers), args).await;
    progress::shown(None, Some(range.len()), work).await?;
    fetched.said(&destination).write(format)
}

/// Every object below the prefix to a directory.
async fn all(client: &Client, args: &GetArgs, from: &Target, format: Format) -> Outcome {
    let many = &args.which.many;
    let directory = args.file.as_deref().unwrap_or(Path::new("."));
    let download = Download { client, args, from, directory };
    let folder = if many.dry_run { None } else { Some(Folder::open(directory)?) };
    let objects = listing::objects(client, from, many);
    let batch = Batch::new(client, many, format, Verb("downloaded"));
    batch
        .run(objects, async |object: ObjectRef| {
            let about = object.key.to_string();
            let outcome = match &folder {
                None => Ok(Done::Did(download.plan(&object))),
                Some(folder) => download.one(folder, &object, &batch.tuning()).await,
            };
            vec![Report { about, outcome }]
        })
        .await
}

struct Download<'a> {
    client: &'a Client,
    args: &'a GetArgs,
    from: &'a Target,
    directory: &'a Path,
}

impl Download<'_> {
    fn plan(&self, object: &ObjectRef) -> Said {
        let name = name_below(&self.from.key, &object.key);
        let file = self.directory.join(name.trim_start_matches('/'));
        let target = self.from.with_key(&*object.key);
        let mut fields = target.fields();
        fields.insert("file".to_owned(), file.to_string_lossy().into());
        Said::would(fields.into(), format!("download {}/{} to {}", target.bucket, target.key, file.display()))
    }

    async fn one(&self, folder: &Folder, object: &ObjectRef, tuning: &Tuning) -> Outcome<Done> {
        let name = name_below(&self.from.key, &object.key);
        let range = ByteRange::new(0, object.size);
        let fetched = Fetched { client: self.client, bucket: &self.from.bucket, object, range };
        if name.ends_with('/') || name.is_empty() {
            return if object.size > 0 {
                Err(Failure::refused(
                    "Its key ends with a slash, as of a directory, but it has bytes: get it by name.",
                ))
            } else if name.is_empty() {
                Ok(Done::Did(fetched.said(self.directory)))
            } else {
                folder.directory(name).map(|directory| Done::Did(fetched.said(&directory)))
            };
        }
        let destination = folder.file(name)?;
        if self.args.no_clobber && destination.symlink_metadata().is_ok() {
            return Ok(Done::Skipped("the file exists".to_owned()));
        }
        // Small objects come with their checksum.
        let asks = self.args.preserve || !self.args.part.when.is_empty() || object.size > tuning.part_bytes;
        let headers = match asks {
            false => None,
            true => match self
                .from
                .with_key(&*object.key)
                .head_if(self.client, true, self.args.part.when.conditions())
                .await
            {
                Err(failure) if unmet(&failure) => {
                    return Ok(Done::Skipped("the condition does not hold".to_owned()));
                }
                headers => Some(headers?),
            },
        };
        fetched.to_file(tuning, &destination, headers.as_ref(), self.args).await?;
        Ok(Done::Did(fetched.said(&destination).moving(object.size)))
    }
}

/// A condition of the request did not hold.
pub(super) fn unmet(failure: &Failure) -> bool {
    use crate::s3::ErrorKind::{NotModified, PreconditionFailed};
    failure.error.as_ref().is_some_and(|error| matches!(error.kind(), NotModified | PreconditionFailed))
}

struct Fetched<'a> {
    client: &'a Client,
    bucket: &'a str,
    object: &'a ObjectRef,
    range: ByteRange,
}

impl Fetched<'_> {
    /// The file appears only when it is whole, and as the checksum says where the store keeps one.
    async fn to_file(
        &self,
        tuning: &Tuning,
        destination: &Path,
        headers: Option<&ObjectHeaders>,
        args: &GetArgs,
    ) -> Outcome {
        let Self { client, bucket, object, range } = *self;
        let kept = headers.and_then(Kept::of).filter(|_| range.len() == object.size);
        let unwritable = |error: std::io::Error| unwritable(destination, &error);
        let restored = |file: &File| match headers.filter(|_| args.preserve) {
            Some(headers) => posix::restore(file, headers, &object.key),
            None => Ok(()),
        };
        if args.resume && object.size > tuning.part_bytes {
            let growing = GrowingFile::open(client, bucket, object, destination).map_err(unwritable)?;
            let work = growing.fill(client, tuning, bucket, object, kept.as_ref());
            client.unless_stopped(work).await.map_err(stays)?;
            restored(growing.file())?;
            return growing.publish(destination).map_err(unwritable);
        }
        let partial = PartialFile::create(destination).map_err(unwritable)?;
        let file = partial.file();
        let work = async {
            let sink = Arc::new(Shifted { file: file.clone(), by: range.start });
            match &kept {
                Some(kept) => transfer::download_verified(client, tuning, bucket, object, kept, file).await,
                None => transfer::download(client, tuning, bucket, object, range, &sink).await,
            }
        };
        client.unless_stopped(work).await?;
        restored(file)?;
        partial.publish(destination).map_err(unwritable)
    }

    fn said(&self, file: &Path) -> Said {
        Said::done(json!({
            "bucket": self.bucket,
            "key": &*self.object.key,
            "version_id": self.object.version.as_ref().map(|VersionId(id)| &**id),
            "etag": &*self.object.etag.0,
            "size": self.object.size,
            "bytes": self.range.len(),
            "file": file.to_string_lossy(),
        }))
    }
}

/// What is said of a download that another one may go on with.
fn stays(error: crate::s3::Error) -> Failure {
    let failure = Failure::from(error);
    let message = format!("{} What has arrived stays: --resume goes on from there.", failure.message);
    failure.said(message)
}

/// A file that begins with the first byte of a range.
struct Shifted {
    file: Arc<File>,
    by: u64,
}

impl transfer::Sink for Shifted {
    fn write_at(&self, offset: u64, bytes: &bytes::Bytes) -> std::io::Result<()> {
        transfer::Sink::write_at(&*self.file, offset - self.by, bytes)
    }
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
}
