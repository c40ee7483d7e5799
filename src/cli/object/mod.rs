//! `holdfs object`: what the store holds, key by key, without a mount. A file each does a command; what several share:
//!
//! * `target` is what `BUCKET/KEY` means, `many` what `--recursive` does, `glob` what its filters match;
//! * `batch` works on many keys side by side, `each` on one or many in the same way;
//! * `place` is where downloads may go, `walk` and `source` are where uploads come from.

mod acl;
mod across;
mod attributes;
mod batch;
mod checks;
mod copy;
mod describe;
mod each;
mod get;
mod glob;
mod grow;
mod keys;
mod labels;
mod listing;
mod ls;
mod many;
mod pack;
mod past;
mod place;
mod posix;
mod presign;
mod progress;
mod put;
mod reach;
mod rm;
mod select;
mod source;
mod span;
mod stat;
mod target;
mod thaw;
mod walk;
mod when;

use clap::{Args, Subcommand};

use super::runtime::Interrupt;
use crate::cli::Outcome;
use crate::config::Options;

pub(in crate::cli) use rm::empty;
use target::Target;

#[derive(Args, Debug)]
pub struct ObjectArgs {
    #[command(subcommand)]
    pub command: ObjectCommand,
    /// Answers and errors in JSON: one document, or one a line where there are many.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
pub enum ObjectCommand {
    Ls(ls::LsArgs),
    Stat(stat::StatArgs),
    Cat(get::CatArgs),
    Get(get::GetArgs),
    Put(put::PutArgs),
    Cp(copy::CpArgs),
    Mv(copy::MvArgs),
    Rm(rm::RmArgs),
    Tag(labels::TagArgs),
    Hold(labels::HoldArgs),
    Retain(labels::RetainArgs),
    Versions(past::VersionsArgs),
    Revert(past::RevertArgs),
    Undelete(past::UndeleteArgs),
    Thaw(thaw::ThawArgs),
    Acl(acl::AclArgs),
    Attributes(attributes::AttributesArgs),
    Presign(presign::PresignArgs),
    Select(select::SelectArgs),
    Append(grow::AppendArgs),
    Compose(grow::ComposeArgs),
}

impl ObjectCommand {
    /// Whether something is left half done by an interrupt, which the command then takes back.
    fn tidies(&self) -> bool {
        use ObjectCommand::*;
        matches!(self, Get(_) | Put(_) | Cp(_) | Mv(_) | Rm(_) | Revert(_) | Append(_) | Compose(_))
    }
}

pub async fn run(args: ObjectArgs, options: &Options, interrupt: &Interrupt) -> Outcome {
    use ObjectCommand::*;
    let format = Format::of(args.json);
    let client = super::options::client(options)?;
    let client = &if args.command.tidies() { client.stopped_by(interrupt.tidied()) } else { client };
    match args.command {
        Ls(args) => ls::run(client, &args, format).await,
        Stat(args) => stat::run(client, &args, format).await,
        Cat(args) => get::cat(client, &args).await,
        Get(args) => get::get(client, &args, format).await,
        Put(args) => put::run(client, &args, format).await,
        Cp(args) => copy::cp(client, options, &args, format).await,
        Mv(args) => copy::mv(client, options, &args, format).await,
        Rm(args) => rm::run(client, &args, format).await,
        Tag(args) => labels::tag(client, &args, format).await,
        Hold(args) => labels::hold(client, &args, format).await,
        Retain(args) => labels::retain(client, &args, format).await,
        Versions(args) => past::list(client, &args, format).await,
        Revert(args) => past::revert(client, &args, format).await,
        Undelete(args) => past::undelete(client, &args, format).await,
        Thaw(args) => thaw::run(client, &args, format).await,
        Acl(args) => acl::run(client, &args, format).await,
        Attributes(args) => attributes::run(client, &args, format).await,
        Presign(args) => presign::run(client, args, format).await,
        Select(args) => select::run(client, &args, format).await,
        Append(args) => grow::append(client, &args, format).await,
        Compose(args) => grow::compose(client, &args, format).await,
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    pub fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}
