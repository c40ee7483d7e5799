//! The command line: one file per command, and here what is common to all.
//!
//! `main` turns the arguments into a [`Command`] (also when the program was called as `mount.holdfs`), runs it
//! and turns its [`Outcome`] into an exit status: 0 done, 1 refused or failed, 2 usage, 3 environment. What a
//! command found goes to stdout, what people should know goes to stderr. No flag takes a secret.

pub mod bucket;
mod demo;
mod doctor;
pub mod failure;
mod journal;
mod mount;
pub mod object;
pub mod options;
mod reference;
mod runtime;
mod serve;
mod status;
mod sync;
pub mod terminal;
mod umount;

pub use failure::{Exit, Failure, Outcome};

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Options;
use runtime::Interrupt;

/// Mounts buckets of any S3-compatible store as a file system.
#[derive(Parser, Debug)]
#[command(name = "holdfs", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Credentials come from the standard AWS places (environment, profiles, container, instance); \
no flag takes a secret.\nExit status: 0 done, 1 refused or failed, 2 usage, 3 something in the environment."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Mount(mount::Args),
    Umount(umount::Args),
    Status(status::Args),
    Sync(sync::Args),
    Doctor(doctor::Args),
    Journal(journal::Args),
    /// Lists, creates and removes buckets, and shows and changes what is set on them.
    Bucket(OnStore<bucket::BucketArgs>),
    /// Works on objects key by key, without a mount.
    Object(Box<OnStore<object::ObjectArgs>>),
    Serve(serve::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    Reference(reference::Args),
}

/// A command that talks to a store: its own arguments, and those that say which store.
#[derive(clap::Args, Debug)]
pub struct OnStore<A: clap::Args> {
    #[command(flatten)]
    args: A,
    #[command(flatten)]
    store: options::StoreArgs,
}

impl<A: clap::Args> OnStore<A> {
    fn run(self, run: impl AsyncFnOnce(A, &Options, &Interrupt) -> Outcome) -> Outcome {
        let options = self.store.options()?;
        runtime::interruptible(async |interrupt| run(self.args, &options, interrupt).await)
    }
}

impl Command {
    fn run(self) -> Outcome {
        match self {
            Self::Mount(args) => args.run(),
            Self::Umount(args) => args.run(),
            Self::Status(args) => args.run(),
            Self::Sync(args) => args.run(),
            Self::Doctor(args) => args.run(),
            Self::Journal(args) => args.run(),
            Self::Bucket(on) => {
                on.run(async |args, options, interrupt| bucket::run(args, options, interrupt).await)
            }
            Self::Object(on) => {
                on.run(async |args, options, interrupt| object::run(args, options, interrupt).await)
            }
            Self::Serve(args) => args.run(),
            Self::Demo(args) => args.run(),
            Self::Reference(args) => args.run(),
        }
    }
}

/// Parses, dispatches, reports: the whole program.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let arguments = mount::arguments_of_mount_helper(arguments);
    let asks_for_json = arguments.iter().any(|argument| argument == "--json");
    let matches = Cli::command().try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| {
        if wants_json(&matches) {
            terminal::speak_json();
        }
        Cli::from_arg_matches(&matches)
    });
    match parsed {
        Ok(cli) => failure::report(cli.command.run()),
        // Also the way of --help and --version, which clap prints to stdout with status 0.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            ExitCode::SUCCESS
        }
        Err(error) if asks_for_json => {
            terminal::speak_json();
            failure::report(Err(Failure::usage(error.to_string().trim_end())))
        }
        Err(error) => {
            let _ = error.print();
            ExitCode::from(Exit::Usage as u8)
        }
    }
}

/// Whether the command that was typed, at whatever depth, has `--json`.
fn wants_json(matches: &ArgMatches) -> bool {
    let here = matches.try_get_one::<bool>("json").ok().flatten().is_some_and(|json| *json);
    here || matches.subcommand().is_some_and(|(_, matches)| wants_json(matches))
}
