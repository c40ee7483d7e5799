//! One object, or all below a prefix: what `--recursive` and its companions mean for every command that has them.

use clap::{Arg, ArgAction, ArgMatches, Args, Command};

use super::Target;
use super::glob::Glob;
use crate::cli::{Failure, Outcome};
use crate::s3::transfer::Tuning;

/// How several keys are chosen and worked on.
#[derive(Args, Clone, Debug)]
pub(super) struct Many {
    /// All keys that begin with what is named; of a local directory, all files below it.
    #[arg(long, short)]
    pub(super) recursive: bool,
    #[command(flatten)]
    pub(super) filter: Filter,
    /// With --recursive: how many keys are worked on at once.
    #[arg(
        long, value_name = "N", default_value_t = 8, requires = "recursive",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pub(super) jobs: u16,
    /// With --recursive: say what would be done, and do nothing.
    #[arg(long, requires = "recursive")]
    pub(super) dry_run: bool,
}

/// Which of the keys below a prefix are meant: rules in the order in which they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    includes: bool,
    glob: Glob,
}

pub(super) const ORDER: &str = "\
--include and --exclude take globs: * is any characters, slashes too, ? is one, [a-z] and [!a-z] are one of some. They \
are held against the name below the prefix or directory. Of several that match, the last one typed decides. What none \
matches is taken, unless the first of all is an --include: `--include '*.jpg'` alone takes nothing else.";

impl Filter {
    /// `name` is what follows the prefix or the directory.
    pub(super) fn takes(&self, name: &str) -> bool {
        let unless_told = !self.0.first().is_some_and(|rule| rule.includes);
        self.0.iter().rev().find(|rule| rule.glob.matches(name)).map_or(unless_told, |rule| rule.includes)
    }

    fn rules(matches: &ArgMatches) -> Vec<Rule> {
        let of = |id: &str, includes: bool| {
            let globs = matches.get_many::<Glob>(id).unwrap_or_default().cloned();
            let places = matches.indices_of(id).unwrap_or_default();
            places.zip(globs).map(|(place, glob)| (place, Rule { includes, glob })).collect::<Vec<_>>()
        };
        let mut rules = of("include", true);
        rules.extend(of("exclude", false));
        rules.sort_by_key(|(place, _)| *place);
        rules.into_iter().map(|(_, rule)| rule).collect()
    }
}

/// By hand, since derived arguments forget the order between each other.
impl clap::FromArgMatches for Filter {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(Self::rules(matches)))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = Self::rules(matches);
        Ok(())
    }
}

impl clap::Args for Filter {
    fn augment_args(command: Command) -> Command {
        let rule = |name: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name("GLOB")
                .help(help)
                .action(ArgAction::Append)
                .requires("recursive")
                .value_parser(Glob::parse)
        };
        command
            .arg(rule("include", "With --recursive: take what matches; the last rule that matches decides"))
            .arg(rule(
                "exclude",
                "With --recursive: leave what matches out; the last rule that matches decides",
            ))
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// One object, in its current version or the one named, or all below a prefix.
#[derive(Args, Clone, Debug)]
pub(super) struct Which {
    /// With --recursive, a bucket or a prefix.
    #[arg(value_name = "BUCKET/KEY")]
    pub(super) target: String,
    /// This version instead of the current one.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, conflicts_with = "recursive")]
    pub(super) version_id: Option<String>,
    #[command(flatten)]
    pub(super) many: Many,
}

impl Which {
    pub(super) fn target(&self) -> Outcome<Target> {
        if self.many.recursive {
            return Target::parse(&self.target);
        }
        Target::object(&self.target, self.version_id.clone())
    }
}

/// The part of a key that a person takes for its name below `prefix`: what follows the prefix's last slash. So below
/// `a/b` the key `a/b/c` is `b/c`, and below `a/b/` it is `c`.
pub(super) fn name_below<'k>(prefix: &str, key: &'k str) -> &'k str {
    let folder = prefix.rfind('/').map_or(0, |slash| slash + 1);
    key.get(folder..).unwrap_or(key)
}

impl Many {
    /// Everything.
    pub(super) fn all() -> Self {
        Self { recursive: true, filter: Filter::default(), jobs: 4, dry_run: false }
    }

    /// Whether a key that was listed is one of those that are meant.
    pub(super) fn takes(&self, prefix: &str, key: &str) -> bool {
        self.filter.takes(name_below(prefix, key))
    }

    /// How one of the objects is transferred.
    pub(super) fn tuning(&self) -> Tuning {
        let tuning = Tuning::default();
        if !self.recursive {
            return tuning;
        }
        // Together about as many requests as one large transfer would have in flight.
        let parallel = (2 * tuning.parallel).div_ceil(usize::from(self.jobs)).max(2);
        Tuning { parallel, ..tuning }
    }
}

/// A usage error where a name must be given that only a person can choose.
pub(super) fn needs_recursive(what: &str) -> Failure {
    Failure::usage(format!(
        "{what} is a directory: name a file, or add --recursive for all that is below it."
    ))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Parser, Debug)]
    struct Typed {
        #[command(flatten)]
        many: Many,
    }

    fn filter(arguments: &[&str]) -> Filter {
        let arguments = ["x", "-r"].iter().chain(arguments);
        let matches = Typed::command().try_get_matches_from(arguments).unwrap();
        Typed::from_arg_matches(&matches).unwrap().many.filter
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let table: &[(&[&str], &[&str], &[&str])] = &[
            (&[], &["a", "b.txt"], &[]),
            (&["--include", "*.txt"], &["b.txt", "d/b.txt"], &["a"]),
            (&["--exclude", "*.txt"], &["a"], &["b.txt"]),
            (&["--exclude", "*", "--include", "*.txt"], &["b.txt"], &["a"]),
            (&["--include", "*.txt", "--exclude", "*"], &[], &["a", "b.txt"]),
            (
                &["--exclude", "*.txt", "--include", "b*", "--exclude", "bc*"],
                &["a", "b.txt"],
                &["c.txt", "bc"],
            ),
            (&["--include", "*.txt", "--include", "*.md"], &["b.txt", "a.md"], &["a"]),
        ];
        for (arguments, takes, leaves) in table {
            let filter = filter(arguments);
            assert!(takes.iter().all(|name| filter.takes(name)), "{arguments:?} takes {takes:?}");
            assert!(!leaves.iter().any(|name| filter.takes(name)), "{arguments:?} leaves {leaves:?}");
        }
    }

    #[test]
    fn globs_go_with_recursive_and_must_be_globs() {
        let parse = |arguments: &[&str]| Typed::try_parse_from(["x"].iter().chain(arguments));
        assert!(parse(&["--include", "*"]).is_err());
        assert!(parse(&["--dry-run"]).is_err());
        assert!(parse(&["-r", "--include", "a[b"]).is_err());
        assert!(parse(&["-r", "--jobs", "0"]).is_err());
        assert!(parse(&[]).is_ok());
    }

    #[test]
    fn names_begin_behind_the_last_slash_of_the_prefix() {
        let table = [
            ("", "a/b", "a/b"),
            ("a", "a/b", "a/b"),
            ("a", "ab", "ab"),
            ("a/", "a/b", "b"),
            ("a/", "a/", ""),
            ("a/b", "a/bc/d", "bc/d"),
            ("a//", "a//b", "b"),
            ("a/", "a//b", "/b"),
        ];
        for (prefix, key, name) in table {
            assert_eq!(name_below(prefix, key), name, "{key} below {prefix}");
        }
    }
}
