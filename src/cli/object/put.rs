//! `holdfs object put`: a file, or whatever comes on standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use clap::Args;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

use super::Target;
use super::labels::{pairs, parse_retention};
use super::progress::{self, Direction};
use crate::cli::terminal::printable;
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{ContentHeaders, HeadObject, LockHeaders, NewObject, WriteCondition};
use crate::s3::transfer::{self, Tuning, UploadSource};
use crate::s3::{Client, ErrorKind};

/// Bytes read from standard input at once, and how many of these wait to be sent.
const PIECE_BYTES: usize = 1 << 20;
const PIECES_AHEAD: usize = 4;

#[derive(Args, Debug)]
pub struct PutArgs {
    /// `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A key that ends with `/`, or a bucket alone, takes the file's name.
    #[arg(value_name = "BUCKET/KEY")]
    to: String,
    /// MIME type [default: by the ending of the key].
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// User metadata.
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Vec<String>,
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,
    /// Put a legal hold on it.
    #[arg(long)]
    hold: bool,
    /// Lock it: `GOVERNANCE 2027-01-31T00:00:00Z`.
    #[arg(long, num_args = 2, value_names = ["MODE", "UNTIL"])]
    retain: Option<Vec<String>>,
    /// Refuse to replace an object that exists.
    #[arg(long)]
    no_clobber: bool,
}

impl PutArgs {
    pub(super) fn target(&self) -> Outcome<Target> {
        destination(Target::parse(&self.to)?, &self.file)
    }
}

pub(super) async fn run(client: &Client, target: Target, args: PutArgs) -> Outcome {
    let Target { bucket, key, .. } = target;
    let object = described(&args, &key)?;
    let condition = if args.no_clobber { WriteCondition::Absent } else { WriteCondition::None };
    let (source, bytes) = source(&args.file)?;
    let target = transfer::Target { bucket, key, condition, object };
    if args.no_clobber {
        refuse_existing(client, &target).await?;
    }
    let tuning = Tuning::default();
    let stored =
        progress::shown(client, Direction::Up, bytes, transfer::upload(client, &tuning, &target, source))
            .await;
    match stored {
        Err(error) if args.no_clobber && error.kind() == ErrorKind::PreconditionFailed => {
            Err(exists(&target))
        }
        stored => Ok(stored.map(drop)?),
    }
}

/// Spares the upload, and is all there is on stores that know no conditions.
async fn refuse_existing(client: &Client, target: &transfer::Target) -> Outcome {
    let head = HeadObject { bucket: target.bucket.clone(), key: target.key.clone(), ..HeadObject::default() };
    match client.send(&head).await {
        Ok(_) => Err(exists(target)),
        Err(error) if error.kind() == ErrorKind::NoSuchKey => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn exists(target: &transfer::Target) -> Failure {
    Failure::refused(format!("{}/{} exists and was left as it is.", target.bucket, printable(&target.key)))
}

fn destination(mut target: Target, file: &Path) -> Outcome<Target> {
    if target.key.is_empty() || target.key.ends_with('/') {
        let name = file.file_name().and_then(|name| name.to_str()).filter(|name| *name != "-");
        let name =
            name.ok_or_else(|| Failure::usage("What is uploaded has no name of its own: write BUCKET/KEY."))?;
        target.key.push_str(name);
    }
    Ok(target)
}

fn described(args: &PutArgs, key: &str) -> Outcome<NewObject> {
    let guessed = || mime_guess::from_path(key).first_or_octet_stream().to_string();
    let content_type = Some(args.content_type.clone().unwrap_or_else(guessed));
    let retention = match args.retain.as_deref() {
        Some([mode, until]) => Some(parse_retention(mode, until)?),
        _ => None,
    };
    Ok(NewObject {
        content: ContentHeaders { content_type, ..ContentHeaders::default() },
        metadata: pairs(&args.metadata)?.into_iter().collect(),
        tags: Some(pairs(&args.tag)?.into_iter().collect()).filter(|_| !args.tag.is_empty()),
        lock: LockHeaders { retention, legal_hold: args.hold.then_some(true) },
        storage_class: args.storage_class.clone(),
        ..NewObject::default()
    })
}

/// What to upload and how many bytes it has, 0 for standard input.
fn source(path: &Path) -> Outcome<(UploadSource, u64)> {
    if path.as_os_str() == "-" {
        return Ok((UploadSource::Stream(Box::pin(pieces_of(io::stdin()))), 0));
    }
    let unreadable = |error: io::Error| Failure::refused(format!("Cannot read {}: {error}.", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    match metadata.file_type() {
        kind if kind.is_dir() => {
            Err(Failure::usage(format!("{} is a directory: name a file.", path.display())))
        }
        kind if kind.is_file() => Ok((UploadSource::File(Arc::new(file)), metadata.len())),
        _ => Ok((UploadSource::Stream(Box::pin(pieces_of(file))), 0)),
    }
}

/// Read on a thread of its own, which may wait for a pipe for as long as it likes.
fn pieces_of(mut reader: impl Read + Send + 'static) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    std::thread::spawn(move || {
        loop {
            let piece = read_piece(&mut reader);
            let is_last = piece.as_ref().map_or(true, Bytes::is_empty);
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    })
}

/// Empty at the end.
fn read_piece(reader: &mut impl Read) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(PIECE_BYTES);
    loop {
        match reader.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                piece.truncate(read?);
                return Ok(piece.freeze());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    #[test]
    fn a_folder_takes_the_name_of_the_file() {
        let to = |target: &str, file: &str| {
            destination(Target::parse(target).unwrap(), Path::new(file)).map(|target| target.key)
        };
        assert_eq!(to("b/k", "/etc/hosts").unwrap(), "k");
        assert_eq!(to("b/d/", "/etc/hosts").unwrap(), "d/hosts");
        assert_eq!(to("b", "/etc/hosts").unwrap(), "hosts");
        assert!(to("b", "-").is_err());
        assert!(to("b/d/", "..").is_err());
        assert_eq!(to("b/k", "-").unwrap(), "k");
    }

    #[tokio::test]
    async fn a_pipe_is_read_to_its_end() {
        let content: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|n| n as u8).collect();
        let pieces: Vec<Bytes> = pieces_of(io::Cursor::new(content.clone())).try_collect().await.unwrap();
        assert_eq!(pieces.concat(), content);
    }
}
