//! Flags made from the table of options, for commands to flatten into theirs.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{self, Assignment, DEFINITIONS, Definition, Group, Options, Source};
use crate::s3::{self, Client};

use super::{Failure, Outcome};

/// What one read of a connection takes: 1 MiB is a tenth less CPU for a large download than 400 KiB; 4 MiB fall out of the
/// caches and are worse than both.
const RECEIVE_BYTES: usize = 1 << 20;

/// `--endpoint`, `--region`, `--profile` …: `#[command(flatten)]` it into a command that talks to a store.
#[derive(Clone, Debug, Default)]
pub struct StoreArgs(Given);

/// As [`StoreArgs`], and everything that a mount can be told.
#[derive(Clone, Debug, Default)]
pub struct MountArgs(Given);

/// What flags say, and the file that says the rest.
#[derive(Clone, Debug, Default)]
struct Given {
    flags: Vec<Assignment>,
    file: Option<PathBuf>,
}

impl StoreArgs {
    /// What flags, environment, file and defaults say together.
    pub fn options(&self) -> Outcome<Options> {
        self.0.resolve(Vec::new())
    }
}

impl MountArgs {
    /// What flags, `-o` options, environment, file and defaults say together.
    pub fn options(&self, mount_options: Vec<Assignment>) -> Outcome<Options> {
        self.0.resolve(mount_options)
    }
}

/// A client for the store that the options name.
pub fn client(options: &Options) -> Outcome<Client> {
    let config = s3::Config { receive_bytes: RECEIVE_BYTES, ..options.store.client_config() };
    Ok(Client::new(config)?)
}

impl Given {
    fn resolve(&self, mut all: Vec<Assignment>) -> Outcome<Options> {
        all.extend_from_slice(&self.flags);
        all.extend(config::from_environment(|name| std::env::var(name).ok()));
        all.extend(self.in_file()?);
        Ok(Options::resolve(all)?)
    }

    /// A file that was named must be there; the default one may be missing.
    fn in_file(&self) -> Outcome<Vec<Assignment>> {
        let path = self.file.clone().unwrap_or_else(config::paths::default_file);
        let name = path.display();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(config::from_file(&name.to_string(), &text)?),
            Err(error) if error.kind() == ErrorKind::NotFound && self.file.is_none() => Ok(Vec::new()),
            Err(error) => Err(Failure::usage(format!("Cannot read the configuration file {name}: {error}."))),
        }
    }
}

fn augment(command: Command, mut wanted: impl FnMut(Group) -> bool) -> Command {
    let command = command.arg(
        Arg::new("config")
            .long("config")
            .env("HOLDFS_CONFIG")
            .hide_env_values(true)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("A file with more options, one `name = value` a line")
            .help_heading("Store")
            .global(true),
    );
    DEFINITIONS.iter().filter(|definition| wanted(definition.group)).map(argument).fold(command, Command::arg)
}

fn argument(definition: &'static Definition) -> Arg {
    let heading = match definition.group {
        Group::Store => "Store",
        Group::Mount => "Mount",
    };
    let help =
        format!("{} [default: {}] [env: {}]", definition.help, definition.default, definition.variable());
    let checked = |text: &str| (definition.set)(&mut Options::default(), text).map(|()| text.to_owned());
    let arg = Arg::new(definition.name)
        .long(definition.name)
        .help(help)
        .help_heading(heading)
        .global(definition.group == Group::Store)
        .action(ArgAction::Set)
        .value_parser(checked);
    match definition.value {
        Some(name) => arg.value_name(name),
        None => arg.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true"),
    }
}

fn collect(matches: &ArgMatches, mut wanted: impl FnMut(Group) -> bool) -> Given {
    let flag = |definition: &'static Definition| {
        let value = matches.get_one::<String>(definition.name)?.clone();
        Some(Assignment { definition, value, source: Source::Flag })
    };
    let definitions = DEFINITIONS.iter().filter(|definition| wanted(definition.group));
    Given { flags: definitions.filter_map(flag).collect(), file: matches.get_one("config").cloned() }
}

/// Teaches clap to flatten a list of flags that only the table knows.
macro_rules! flattened {
    ($arguments:ident, $wanted:expr) => {
        impl clap::FromArgMatches for $arguments {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(collect(matches, $wanted)))
            }
            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                self.0 = collect(matches, $wanted);
                Ok(())
            }
        }
        impl clap::Args for $arguments {
            fn augment_args(command: Command) -> Command {
                augment(command, $wanted)
            }
            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $wanted)
            }
        }
    };
}

flattened!(StoreArgs, |group| group == Group::Store);
flattened!(MountArgs, |_| true);
