//! `holdfs object`: what the store holds, key by key, without a mount. Here is what can be typed; a file each does it.

mod acl;
mod attributes;
mod copy;
mod grow;
mod labels;
mod ls;
mod move_bytes;
mod past;
mod presign;
mod progress;
mod put;
mod reach;
mod rm;
mod select;
mod stat;
mod target;
mod thaw;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::Outcome;
use crate::s3::Client;

use target::Target;

#[derive(Args, Debug)]
pub struct ObjectArgs {
    #[command(subcommand)]
    pub command: ObjectCommand,
}

#[derive(Subcommand, Debug)]
pub enum ObjectCommand {
    /// List keys under a prefix: like a folder, or all of them with --recursive.
    Ls {
        #[arg(value_name = "BUCKET[/PREFIX]")]
        target: String,
        /// Every key below, instead of one level.
        #[arg(long, short)]
        recursive: bool,
        /// Old versions and delete markers too.
        #[arg(long)]
        versions: bool,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Write the bytes of an object to standard output.
    Cat {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
    },
    /// Download an object to a file (default: the last part of its key, here).
    Get {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        /// `-` is standard output.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
    },
    /// Upload a file, or standard input with `-`.
    Put(put::PutArgs),
    /// Show what the store says about an object.
    Stat {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Delete an object, or every key that begins so with --recursive.
    Rm {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(long, short)]
        recursive: bool,
        /// Delete this version for good.
        #[arg(long, value_name = "ID", conflicts_with = "recursive")]
        version_id: Option<String>,
        /// With --recursive: every version and delete marker, for good.
        #[arg(long, requires = "recursive")]
        versions: bool,
        /// Override GOVERNANCE retention (needs the permission).
        #[arg(long)]
        bypass_governance: bool,
    },
    /// Show, set or remove tags.
    Tag {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        /// Tags to set; the others stay.
        #[arg(value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// A tag to remove.
        #[arg(long, value_name = "KEY")]
        remove: Vec<String>,
        /// Remove all tags before setting.
        #[arg(long)]
        clear: bool,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
    },
    /// Put a legal hold on an object, lift it, or show it.
    Hold {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(value_name = "on|off|show", default_value = "show")]
        action: HoldAction,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
    },
    /// Show, set or remove the retention of an object.
    Retain {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        /// GOVERNANCE, COMPLIANCE, or `off`.
        #[arg(value_name = "MODE")]
        mode: Option<String>,
        /// Such as 2027-01-31T00:00:00Z.
        #[arg(value_name = "UNTIL")]
        until: Option<String>,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
        /// Shorten or remove GOVERNANCE retention (needs the permission).
        #[arg(long)]
        bypass_governance: bool,
    },
    /// Copy an object on the server, or with --recursive every key that begins so.
    Cp {
        #[arg(value_name = "BUCKET/KEY")]
        from: String,
        /// A key that ends with `/`, or a bucket alone, takes the last part of the source's.
        #[arg(value_name = "BUCKET/KEY")]
        to: String,
        #[arg(long, short)]
        recursive: bool,
        #[arg(long, value_name = "ID", conflicts_with = "recursive")]
        version_id: Option<String>,
    },
    /// Move an object on the server, or with --recursive every key that begins so.
    Mv {
        #[arg(value_name = "BUCKET/KEY")]
        from: String,
        /// A key that ends with `/`, or a bucket alone, takes the last part of the source's.
        #[arg(value_name = "BUCKET/KEY")]
        to: String,
        #[arg(long, short)]
        recursive: bool,
    },
    /// Show who may do what with an object, or set a canned list.
    Acl {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        /// Such as private or public-read.
        #[arg(value_name = "CANNED")]
        acl: Option<String>,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
        #[arg(long, conflicts_with = "acl")]
        json: bool,
    },
    /// Show checksums, and the parts that an object was uploaded in.
    Attributes {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// List the versions of an object, the newest first.
    Versions {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(long)]
        json: bool,
    },
    /// Make an old version the current one again, by a copy.
    Revert {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(value_name = "VERSION-ID")]
        version_id: String,
    },
    /// Bring a deleted object back by removing its delete marker.
    Undelete {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
    },
    /// Make one object of several, one behind the other, on the server.
    Compose {
        #[arg(value_name = "BUCKET/KEY")]
        to: String,
        #[arg(value_name = "BUCKET/KEY", required = true)]
        from: Vec<String>,
    },
    /// Add a file, or standard input with `-`, to the end of an object.
    Append {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
    },
    /// Make a URL that lets its bearer do one thing with an object for a while.
    Presign(presign::PresignArgs),
    /// Run an SQL expression over an object.
    Select(select::SelectArgs),
    /// Bring an archived object back for some days.
    Thaw {
        #[arg(value_name = "BUCKET/KEY")]
        target: String,
        #[arg(long, value_name = "DAYS", default_value_t = 1)]
        days: u32,
        /// Expedited, Standard or Bulk; IBM: Accelerated.
        #[arg(long, value_name = "TIER")]
        tier: Option<String>,
        #[arg(long, value_name = "ID")]
        version_id: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HoldAction {
    On,
    Off,
    Show,
}

pub async fn run(args: ObjectArgs, client: &Client) -> Outcome {
    use ObjectCommand::*;
    let reached = async |target: Outcome<Target>| reach::reached(client, target?).await;
    let object = async |target: &str, version| reached(Target::object(target, version)).await;
    match args.command {
        Ls { target, recursive, versions, json } => {
            let target = reached(Target::parse(&target)).await?;
            let depth = if recursive { ls::Depth::Recursive } else { ls::Depth::Level };
            if versions {
                ls::versions(client, target, depth, Format::of(json)).await
            } else {
                ls::objects(client, target, depth, Format::of(json)).await
            }
        }
        Cat { target, version_id } => move_bytes::cat(client, &object(&target, version_id).await?).await,
        Get { target, file, version_id } => {
            let target = object(&target, version_id).await?;
            move_bytes::get(client, &target, file.as_deref()).await
        }
        Put(args) => {
            let target = reached(args.target()).await?;
            put::run(client, target, args).await
        }
        Stat { target, version_id, json } => {
            stat::run(client, &object(&target, version_id).await?, Format::of(json)).await
        }
        Rm { target, recursive: false, version_id, bypass_governance, .. } => {
            rm::one(client, &object(&target, version_id).await?, bypass_governance).await
        }
        Rm { target, versions, bypass_governance, .. } => {
            rm::all(client, reached(Target::parse(&target)).await?, versions, bypass_governance).await
        }
        Tag { target, set, remove, clear, version_id } => {
            let change = labels::TagChange::parse(&set, remove, clear)?;
            labels::tag(client, &object(&target, version_id).await?, change).await
        }
        Hold { target, action, version_id } => {
            labels::hold(client, &object(&target, version_id).await?, action).await
        }
        Retain { target, mode, until, version_id, bypass_governance } => {
            let wish = labels::Wish::parse(mode.as_deref(), until.as_deref())?;
            let target = object(&target, version_id).await?;
            labels::retain(client, &target, wish, bypass_governance).await
        }
        Cp { from, to, recursive, version_id } => {
            copied(client, Way { from, to, version_id }, recursive, copy::After::Keep).await
        }
        Mv { from, to, recursive } => {
            copied(client, Way { from, to, version_id: None }, recursive, copy::After::Remove).await
        }
        Acl { target, acl, version_id, json } => {
            acl::run(client, &object(&target, version_id).await?, acl, Format::of(json)).await
        }
        Attributes { target, version_id, json } => {
            let target = object(&target, version_id).await?;
            attributes::run(client, &target, Format::of(json)).await
        }
        Versions { target, json } => {
            past::list(client, &object(&target, None).await?, Format::of(json)).await
        }
        Revert { target, version_id } => {
            past::revert(client, &object(&target, Some(version_id)).await?).await
        }
        Undelete { target } => past::undelete(client, &object(&target, None).await?).await,
        Compose { to, from } => {
            let from: Vec<_> = from.iter().map(|from| Target::object(from, None)).collect::<Outcome<_>>()?;
            grow::compose(client, &object(&to, None).await?, &from).await
        }
        Append { file, target } => grow::append(client, &object(&target, None).await?, &file).await,
        Presign(args) => presign::run(client, args).await,
        Select(args) => {
            let target = reached(args.target()).await?;
            select::run(client, &target, &args).await
        }
        Thaw { target, days, tier, version_id } => {
            thaw::run(client, &object(&target, version_id).await?, days, tier).await
        }
    }
}

/// From where to where.
struct Way {
    from: String,
    to: String,
    version_id: Option<String>,
}

async fn copied(client: &Client, way: Way, recursive: bool, after: copy::After) -> Outcome {
    let to = Target::parse(&way.to)?;
    if recursive {
        let from = reach::reached(client, Target::parse(&way.from)?).await?;
        return copy::all(client, from, to, after).await;
    }
    let from = reach::reached(client, Target::object(&way.from, way.version_id)?).await?;
    copy::one(client, &from, to, after).await
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

impl Format {
    fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}
