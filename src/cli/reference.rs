//! `holdfs reference`, hidden: how docs/CONFIGURATION.md and docs/COMMANDS.md are made.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _, ValueEnum};

use super::{Cli, Outcome, terminal};
use crate::config;

/// Prints docs/CONFIGURATION.md or docs/COMMANDS.md.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Which page.
    #[arg(value_name = "PAGE", default_value = "configuration")]
    page: Page,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Page {
    Configuration,
    Commands,
}

impl Args {
    pub fn run(self) -> Outcome {
        let page = match self.page {
            Page::Configuration => config::document(),
            Page::Commands => commands(),
        };
        terminal::bytes(page.as_bytes())
    }
}

const HEAD: &str = "\
# Commands

<!-- Made by `holdfs reference commands`; a test compares. -->

What every command can be told, as `--help` tells it. The options that say which store is meant (`--endpoint`,
`--region`, `--profile` …), and those of `holdfs mount` that have a variable and a line of the configuration file too,
are in [CONFIGURATION](CONFIGURATION.md).

Standard output is data, standard error is for people. The exit status is 0 when all was done, 1 when something was
refused or failed, 2 when what was typed makes no sense, 3 when nothing could have succeeded: the endpoint, the
credentials, the bucket. `BUCKET/KEY` may also be written `s3://BUCKET/KEY`; it is split at the first slash, and every
byte of the key means itself.

With `--json`, `holdfs object` and `holdfs bucket` answer with one document, or with one a line where there are many:
listings, events, selected records, everything with `--recursive`. The last line of a command with `--recursive` is
`{\"summary\": {\"verb\", \"done\", \"skipped\", \"failed\", \"bytes\", \"dry_run\"}}`. On standard error there is one document a
line, too: `{\"note\": …}`, or
`{\"error\": {\"message\", \"exit_status\", \"about\", \"code\", \"http_status\", \"operation\", \"request_id\", \"host_id\"}}`, where
`about` is the key or file of many that failed, `code` is the store's word, and what does not apply is null. With
`--recursive` each key that fails is an error of its own, the others go on, and the exit status is 1.
";

/// The whole page.
fn commands() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = HEAD.to_owned();
    for command in root.get_subcommands().filter(|command| is_shown(command)) {
        describe(&mut page, "holdfs", command, 2);
    }
    page
}

fn is_shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn describe(page: &mut String, above: &str, command: &Command, depth: usize) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n{} `{name}`\n\n{}.\n", "#".repeat(depth), about.trim_end_matches('.'));
    if command.has_subcommands() {
        for inner in command.get_subcommands().filter(|inner| is_shown(inner)) {
            describe(page, &name, inner, depth + 1);
        }
        return;
    }
    let _ = write!(page, "\n```\n{}\n```\n", usage(&name, command));
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| belongs_here(arg)).collect();
    if !arguments.is_empty() {
        page.push_str("\n| Argument | |\n|---|---|\n");
    }
    for arg in arguments {
        let _ = writeln!(page, "| `{}` | {} |", spelled(arg), help(arg).replace('|', "\\|"));
    }
    if let Some(after) = command.get_after_help() {
        after_help(page, &after.to_string());
    }
}

/// Options of the table of options have a page of their own.
fn belongs_here(arg: &Arg) -> bool {
    let id = arg.get_id().as_str();
    let is_common = ["help", "version"].contains(&id) || arg.is_global_set();
    let in_table = arg.get_long().is_some_and(|long| config::Definition::named(long).is_some());
    !is_common && !in_table && !arg.is_hide_set()
}

fn usage(name: &str, command: &Command) -> String {
    let mut usage = name.to_owned();
    for arg in command.get_positionals() {
        let value =
            arg.get_value_names().and_then(<[_]>::first).map_or(arg.get_id().as_str(), |name| name.as_str());
        let many = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "…" } else { "" };
        let _ = match arg.is_required_set() {
            true => write!(usage, " {value}{many}"),
            false => write!(usage, " [{value}]{many}"),
        };
    }
    usage + " [OPTIONS]"
}

fn spelled(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().join(" ");
    let takes = arg.get_action().takes_values();
    let flag = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => return values,
    };
    if takes { format!("{flag} {values}") } else { flag }
}

fn help(arg: &Arg) -> String {
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<_> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let takes = arg.get_action().takes_values() && !arg.is_hide_possible_values_set();
    if takes && !choices.is_empty() {
        let _ = write!(help, " One of {}.", choices.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_default(arg) && !defaults.concat().is_empty() {
        let _ = write!(help, " [default: {}]", defaults.join(" "));
    }
    help.trim().to_owned()
}

fn takes_default(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_hide_default_value_set()
}

/// Prose as it is, examples as a block of code.
fn after_help(page: &mut String, text: &str) {
    let at = text.find("Example");
    let (prose, examples) = at.map_or((text, ""), |at| text.split_at(at));
    for paragraph in prose.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let _ = write!(page, "\n{paragraph}\n");
    }
    let Some((_, lines)) = examples.split_once(':') else { return };
    let lines: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let _ = write!(page, "\n```console\n$ {}\n```\n", lines.join("\n$ "));
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    /// Arguments of a command and of those below it that say nothing of themselves.
    fn silent(command: &Command, path: &str) -> Vec<String> {
        let path = format!("{path} {}", command.get_name());
        let own = command.get_arguments().filter(|argument| {
            !argument.is_hide_set() && argument.get_help().is_none_or(|help| help.to_string().is_empty())
        });
        let own = own.map(|argument| format!("{path}: {}", argument.get_id()));
        own.chain(command.get_subcommands().flat_map(|below| silent(below, &path))).collect()
    }

    #[test]
    fn every_argument_explains_itself() {
        assert_eq!(silent(&crate::cli::Cli::command(), ""), [""; 0]);
    }

    /// Arguments for ids that the store makes up which take an id that begins with a hyphen for an option.
    fn misread(command: &Command, path: &str) -> Vec<String> {
        let path = format!("{path} {}", command.get_name());
        let own = command.get_arguments().filter(|argument| {
            argument.get_id().as_str().contains("version_id") && !argument.is_allow_hyphen_values_set()
        });
        let own = own.map(|argument| format!("{path}: {}", argument.get_id()));
        own.chain(command.get_subcommands().flat_map(|below| misread(below, &path))).collect()
    }

    /// One id of a Ceph gateway in 64 does: `object rm` said that there was no such option.
    #[test]
    fn version_ids_may_begin_with_a_hyphen() {
        assert_eq!(misread(&crate::cli::Cli::command(), ""), [""; 0]);
        let parsed = crate::cli::Cli::command().try_get_matches_from([
            "holdfs",
            "object",
            "rm",
            "b/k",
            "--version-id",
            "-J9x",
            "--bypass-governance",
        ]);
        let rm = parsed.unwrap().remove_subcommand().unwrap().1.remove_subcommand().unwrap().1;
        assert_eq!(rm.get_one::<String>("version_id").map(String::as_str), Some("-J9x"));
        assert!(rm.get_flag("bypass_governance"));
    }

    #[test]
    fn the_page_is_in_step_with_the_arguments() {
        let stored = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMMANDS.md"));
        assert!(
            stored.unwrap_or_default() == super::commands(),
            "docs/COMMANDS.md is out of step: holdfs reference commands > docs/COMMANDS.md"
        );
    }
}
