//! `holdfs object put`: a file, whatever comes on standard input, or with --recursive all files below a directory.

use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::stream;

use super::batch::{Batch, Done, Report, Said, Verb};
use super::checks::Checks;
use super::describe::Description;
use super::keys::OwnKey;
use super::many::{Many, ORDER};
use super::pack::{self, Load, Packing};
use super::progress;
use super::source::Source;
use super::walk::{self, Links, Local};
use super::{Format, Target, posix, reach};
use crate::cli::{Failure, Outcome};
use crate::s3::ops::{HeadObject, Stored, WriteCondition};
use crate::s3::transfer::{self, Tuning};
use crate::s3::{Client, ETag, ErrorKind};

/// Upload a file or standard input, or with --recursive all files below a directory.
#[derive(Args, Debug)]
#[command(after_help = format!("\
With --recursive the files below the directory get KEY, a slash and their path below it; symbolic links, sockets and \
the like are skipped with a note. An upload that is interrupted leaves nothing behind at the store.\n\n{ORDER}\n\n\
Examples:\n  holdfs object put a.pdf papers/2026/ --tag state=draft\n  \
holdfs object put ./site www --recursive --exclude '.git/*'\n  tar c . | holdfs object put - backup/home.tar"))]
pub struct PutArgs {
    /// `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A key that ends with `/`, or a bucket alone, takes the file's name.
    #[arg(value_name = "BUCKET/KEY")]
    to: String,
    #[command(flatten)]
    many: Many,
    /// With --recursive: upload what symbolic links point to.
    #[arg(long, requires = "recursive")]
    follow_symlinks: bool,
    #[command(flatten)]
    description: Description,
    /// Store mode, owner and time of modification of files, as `holdfs mount` and s3fs do.
    #[arg(long)]
    preserve: bool,
    /// Refuse to replace an object that exists; with --recursive, skip it.
    #[arg(long)]
    no_clobber: bool,
    /// Replace exactly the object that has this ETag.
    #[arg(long, value_name = "ETAG", conflicts_with_all = ["no_clobber", "recursive"])]
    if_match: Option<String>,
    /// Go on where an upload of the same file that did not end has stopped, and leave what was sent if this one does not
    /// end either: parts of the file that are at the store already are not sent again.
    #[arg(long)]
    resume: bool,
    /// With --recursive: send small files (up to 1 MiB) together, in archives that the store unpacks (MinIO and `holdfs
    /// serve` do); they are given nothing beside their bytes.
    #[arg(
        long,
        requires = "recursive",
        conflicts_with_all = [
            "preserve", "no_clobber", "resume", "checksum", "sse_c_key_file"
        ]
    )]
    snowball: bool,
    #[command(flatten)]
    checks: Checks,
    #[command(flatten)]
    key: OwnKey,
}

pub(super) async fn run(client: &Client, args: &PutArgs, format: Format) -> Outcome {
    let client = &args.checks.given_to(&args.key.given_to(client)?);
    if args.many.recursive {
        return all(client, args, format).await;
    }
    let target = reach::reached(client, destination(Target::parse(&args.to)?, &args.file)?).await?;
    let uploaded = one(client, args, &target, &args.file, None).await?;
    uploaded.map_err(Failure::refused)?.write(format)
}

/// The inner error says why it was skipped. Without a tuning it is the only one, which shows how far it is.
async fn one(
    client: &Client,
    args: &PutArgs,
    target: &Target,
    file: &Path,
    tuning: Option<&Tuning>,
) -> Outcome<Result<Said, String>> {
    let source = Source::open(client, file, args.resume)?;
    let mut object = args.description.of_new(&target.key)?;
    if let (true, Some(metadata)) = (args.preserve, &source.file) {
        posix::keep(metadata, &mut object.metadata);
    }
    let condition = match &args.if_match {
        Some(etag) => WriteCondition::Matches(ETag::parse(etag)),
        None if args.no_clobber => WriteCondition::Absent,
        None => WriteCondition::None,
    };
    let exists = || Ok(Err(format!("{target} exists and was left as it is.")));
    if args.no_clobber && is_there(client, target).await? {
        return exists();
    }
    let size = source.size();
    let shown = source.file.is_some().then_some(size);
    let to = transfer::Target { bucket: target.bucket.clone(), key: target.key.clone(), condition, object };
    let upload = async |tuning: &Tuning| transfer::upload(client, tuning, &to, source.bytes).await;
    match progress::shown(tuning, shown, upload).await {
        Err(error) if error.kind() == ErrorKind::PreconditionFailed && args.no_clobber => exists(),
        Err(error) if args.resume && error.kind() != ErrorKind::PreconditionFailed => {
            let failure = Failure::from(error);
            let message = format!("{} What was sent stays: --resume goes on from there.", failure.message);
            Err(failure.said(message))
        }
        stored => Ok(Ok(said(target, file, &stored?).moving(size))),
    }
}

fn said(target: &Target, file: &Path, stored: &Stored) -> Said {
    let mut fields = target.stored(stored);
    fields.insert("file".to_owned(), file.to_string_lossy().into());
    Said::done(fields.into())
}

/// Spares an upload or a copy, and is all there is on stores that know no conditions.
pub(super) async fn is_there(client: &Client, target: &Target) -> Outcome<bool> {
    let (bucket, key) = (target.bucket.clone(), target.key.clone());
    match client.send(&HeadObject { bucket, key, ..HeadObject::default() }).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NoSuchKey => Ok(false),
        Err(error) => Err(error.into()),
    }
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

async fn all(client: &Client, args: &PutArgs, format: Format) -> Outcome {
    let directory = &args.file;
    if args.snowball && !args.description.is_empty() {
        return Err(Failure::usage(
            "What goes up in archives is given nothing beside its bytes: leave out --snowball, or --tag, --metadata and \
the like.",
        ));
    }
    if !directory.is_dir() {
        let message =
            format!("{} is no directory: --recursive uploads what is below one.", directory.display());
        return Err(Failure::usage(message));
    }
    let mut to = reach::reached(client, Target::parse(&args.to)?).await?;
    if !to.key.is_empty() && !to.key.ends_with('/') {
        to.key.push('/');
    }
    let links = if args.follow_symlinks { Links::Follow } else { Links::Skip };
    let files = walk::below(directory, links).filter(|local| match local {
        Local::File { name, .. } => args.many.filter.takes(name),
        Local::Odd { path, .. } | Local::Unreadable { path, .. } => {
            let name = path.strip_prefix(directory).unwrap_or(path);
            args.many.filter.takes(&name.to_string_lossy())
        }
    });
    let batch = Batch::new(client, &args.many, format, Verb("uploaded"));
    let packing = Packing { client, to: &to };
    if args.snowball && !args.many.dry_run {
        packing.check().await?;
    }
    batch
        .run(stream::iter(pack::loads(files, args.snowball).map(Ok)), async |load| match load {
            Load::Alone(local) => vec![alone(client, args, &to, local, &batch).await],
            Load::Together(files) => packing.send(files, &batch).await,
        })
        .await
}

/// One of many.
async fn alone(client: &Client, args: &PutArgs, to: &Target, local: Local, batch: &Batch<'_>) -> Report {
    let (path, outcome) = match local {
        Local::Odd { path, why } => (path, Ok(Done::Skipped(why.to_owned()))),
        Local::Unreadable { path, failure } => (path, Err(failure)),
        Local::File { path, name } => {
            let target = to.with_key(format!("{}{name}", to.key));
            let outcome = match args.many.dry_run {
                true => Ok(Done::Did(plan(&target, &path))),
                false => {
                    one(client, args, &target, &path, Some(&batch.tuning())).await.map(|done| match done {
                        Ok(said) => Done::Did(said),
                        Err(why) => Done::Skipped(why),
                    })
                }
            };
            (path, outcome)
        }
    };
    Report { about: path.to_string_lossy().into_owned(), outcome }
}

pub(super) fn plan(target: &Target, file: &Path) -> Said {
    let mut fields = target.fields();
    fields.insert("file".to_owned(), file.to_string_lossy().into());
    Said::would(fields.into(), format!("upload {} to {}/{}", file.display(), target.bucket, target.key))
}

#[cfg(test)]
mod tests {
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
}
