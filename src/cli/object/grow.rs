//! `holdfs object append` and `compose`: objects made on the server from what it has.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::batch::Said;
use super::describe::Description;
use super::keys::{CopyKeys, OwnKey};
use super::{Format, Target, reach};
use crate::cli::{Failure, Outcome, runtime};
use crate::s3::Client;
use crate::s3::ops::Stored;
use crate::s3::transfer::{self, Piece, Tuning};

/// Add a file, or standard input with `-`, to the end of an object.
#[derive(Args, Debug)]
#[command(after_help = "\
The object is replaced as a whole, on the server, unless somebody else changes it meanwhile; it is made where there is \
none. More than 64 MiB are appended in several steps.\n\n\
Example: journalctl -b | holdfs object append - logs/boot.log")]
pub struct AppendArgs {
    /// What is added; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The object that grows.
    #[arg(value_name = "BUCKET/KEY")]
    target: String,
    #[command(flatten)]
    key: OwnKey,
}

/// Make one object of several, one behind the other, on the server.
#[derive(Args, Debug)]
#[command(after_help = "\
--version-id is about the source before it.\n\n\
Examples:\n  holdfs object compose logs/all.log logs/1.log logs/2.log\n  \
holdfs object compose a/now.log a/log --version-id 3sL4kqtJlcpXroDTDmJ a/log")]
pub struct ComposeArgs {
    /// The object that is made; it may be one of the sources.
    #[arg(value_name = "BUCKET/KEY")]
    to: String,
    #[command(flatten)]
    from: Sources,
    #[command(flatten)]
    description: Description,
    #[command(flatten)]
    keys: CopyKeys,
}

/// What is composed, in the order in which it was typed, each with the version that was typed after it.
#[derive(Clone, Debug, Default)]
struct Sources(Vec<(String, Option<String>)>);

const FROM: &str = "from";
const VERSION_ID: &str = "version_id";

/// By hand, since derived arguments forget the order between each other.
impl FromArgMatches for Sources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = |id: &str| {
            let places = matches.indices_of(id).unwrap_or_default();
            places.zip(matches.get_many::<String>(id).unwrap_or_default().cloned()).collect::<Vec<_>>()
        };
        let mut sources: Vec<_> = typed(FROM).into_iter().map(|(place, from)| (place, from, None)).collect();
        for (place, id) in typed(VERSION_ID) {
            match sources.iter_mut().rfind(|(source, ..)| *source < place) {
                Some((.., version @ None)) => *version = Some(id),
                _ => {
                    let message = "write each --version-id after the one source that it is about\n";
                    return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, message));
                }
            }
        }
        Ok(Self(sources.into_iter().map(|(_, from, version)| (from, version)).collect()))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Sources {
    fn augment_args(command: Command) -> Command {
        let from = Arg::new(FROM)
            .value_name("SOURCE")
            .required(true)
            .num_args(1..)
            .help("What it is made of, in this order: BUCKET/KEY");
        let version = Arg::new(VERSION_ID)
            .long("version-id")
            .allow_hyphen_values(true)
            .value_name("ID")
            .help("This version of the source before it instead of the current one");
        command.arg(from.action(ArgAction::Append)).arg(version.action(ArgAction::Append))
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Bytes that are appended at once. Each time the object is replaced as a whole, on the server.
const CHUNK_BYTES: u64 = 64 << 20;

/// A file of more than a chunk grows the object several times: who fails half way has appended a part.
pub(super) async fn append(client: &Client, args: &AppendArgs, format: Format) -> Outcome {
    let target = reach::reached(client, Target::object(&args.target, None)?).await?;
    let keyed = args.key.given_to(client)?;
    let mut source = open(&args.file)?;
    let (mut first, mut appended, mut stored) = (true, 0, Stored::default());
    loop {
        let (chunk, rest) = {
            let read = runtime::blocking(move || read_chunk(source));
            client.unless_stopped(async { Ok(read.await) }).await???
        };
        source = rest;
        if chunk.is_empty() && !first {
            break;
        }
        let last = (chunk.len() as u64) < CHUNK_BYTES;
        appended += chunk.len() as u64;
        let chunk = Bytes::from(chunk);
        stored = transfer::append(&keyed, &Tuning::default(), &target.bucket, &target.key, chunk).await?;
        if last {
            break;
        }
        first = false;
    }
    let mut fields = target.stored(&stored);
    fields.insert("appended".to_owned(), appended.into());
    Said::done(fields.into()).write(format)
}

type Source = Box<dyn Read + Send>;

/// At most a chunk, and what there is to read behind it.
fn read_chunk(mut source: Source) -> std::io::Result<(Vec<u8>, Source)> {
    let mut chunk = Vec::new();
    source.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk)?;
    Ok((chunk, source))
}

fn open(file: &Path) -> Outcome<Source> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(file).map_err(|error| Failure::unreadable(file, &error))?;
    Ok(Box::new(file))
}

/// The objects one behind the other.
pub(super) async fn compose(client: &Client, args: &ComposeArgs, format: Format) -> Outcome {
    let named = args.from.0.iter().map(|(from, version)| Target::object(from, version.clone()));
    let sources: Vec<_> = named.collect::<Outcome<_>>()?;
    let clients = args.keys.given_to_both(client, None)?;
    let to = reach::reached(client, Target::object(&args.to, None)?).await?;
    let mut pieces = Vec::new();
    for source in &sources {
        let object = source.head(&clients.from, false).await?.object_ref(&source.key)?;
        pieces.push(Piece::whole(&source.bucket, object));
    }
    let target = transfer::Target {
        bucket: to.bucket.clone(),
        key: to.key.clone(),
        object: args.description.of_new(&to.key)?,
        ..transfer::Target::default()
    };
    let stored = transfer::compose(&clients.to, &Tuning::default(), &target, &pieces).await?;
    let mut fields = to.stored(&stored);
    fields.insert("sources".to_owned(), args.from.0.iter().map(|(from, _)| from.clone()).collect());
    Said::done(fields.into()).write(format)
}
