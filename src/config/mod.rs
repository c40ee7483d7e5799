//! Options of holdfs: defined once, taken from flags, the environment, a file or defaults.
//!
//! [`definition::DEFINITIONS`] is the one table: flags of the command line, `HOLDFS_…` variables, lines of the
//! configuration file, `-o` options of mount(8) and docs/CONFIGURATION.md all come from it. [`Options`] is what
//! they mean, typed. A later [`Source`] wins: default, file, environment, `-o`, flag.

pub mod definition;
mod document;
mod file;
mod fstab;
pub mod paths;
pub mod values;

pub use definition::{DEFINITIONS, Definition, Group};
pub use document::document;
pub use file::from_file;
pub use fstab::{MountOptions, from_mount_options};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::fs::{OnConflict, PosixMetadata, Worm};
use crate::s3;
use crate::s3::config::Style;
use crate::s3::credentials::{Environment, Provider};

/// How to reach the store.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StoreOptions {
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub profile: Option<String>,
    pub anonymous: bool,
    pub address_style: Style,
    pub ca_file: Option<PathBuf>,
    pub bucket_owner: Option<String>,
}

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub store: StoreOptions,
    pub state: PathBuf,
    pub memory_bytes: Option<u64>,
    /// `Duration::MAX` is for ever.
    pub ttl: Duration,
    pub uid: u32,
    pub gid: u32,
    pub file_mode: u16,
    pub dir_mode: u16,
    pub allow_other: bool,
    pub read_only: bool,
    pub worm: Worm,
    pub bypass_governance: bool,
    pub posix_metadata: PosixMetadata,
    pub on_conflict: OnConflict,
    pub log: String,
    pub log_file: Option<PathBuf>,
    /// `Duration::MAX` is for ever.
    pub drain_timeout: Duration,
}

/// Where a value came from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    File,
    Environment,
    MountOption,
    Flag,
}

/// One value for one option.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub definition: &'static Definition,
    pub value: String,
    pub source: Source,
}

/// A value that means nothing, and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Options {
    /// What all assignments together mean, the strongest source last.
    pub fn resolve(mut assignments: Vec<Assignment>) -> Result<Self, Error> {
        assignments.sort_by_key(|assignment| assignment.source);
        let mut options = Self::default();
        for assignment in &assignments {
            assignment.apply(&mut options)?;
        }
        Ok(options)
    }
}

impl StoreOptions {
    /// What a client for this store is made of.
    pub fn client_config(&self) -> s3::Config {
        let credentials = self.credentials();
        s3::Config {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            style: self.address_style,
            ca_file: self.ca_file.clone(),
            expected_bucket_owner: self.bucket_owner.clone(),
            ..s3::Config::new(credentials)
        }
        .with_profile(&Environment::process(), self.profile.as_deref())
    }

    /// Where keys come from. Services that give them are reached by what was said of the store.
    pub fn credentials(&self) -> Provider {
        if self.anonymous {
            return Provider::anonymous();
        }
        let environment = Environment::process().told(
            self.region.as_deref(),
            self.endpoint.as_deref(),
            self.ca_file.as_deref(),
        );
        Provider::standard_in(environment, self.profile.as_deref())
    }
}

impl Assignment {
    fn apply(&self, options: &mut Options) -> Result<(), Error> {
        (self.definition.set)(options, &self.value).map_err(|wrong| {
            let Self { definition, value, source } = self;
            let given = match source {
                Source::Flag => format!("--{} {value}", definition.name),
                Source::MountOption => format!("-o {}={value}", definition.name),
                Source::Environment => format!("{}={value} in the environment", definition.variable()),
                Source::File => format!("{} = {value} in the configuration file", definition.name),
            };
            Error(format!("{given}: {wrong}."))
        })
    }
}

/// What the environment says; an empty variable counts as not set.
pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Vec<Assignment> {
    let value_of = |definition: &'static Definition| {
        let own = definition.variable();
        std::iter::once(own.as_str())
            .chain(definition.also.iter().copied())
            .find_map(|name| get(name).filter(|value| !value.is_empty()))
    };
    DEFINITIONS
        .iter()
        .filter_map(|definition| {
            let value = value_of(definition)?;
            Some(Assignment { definition, value, source: Source::Environment })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str, source: Source) -> Assignment {
        let definition = Definition::named(name).expect("an option of that name");
        Assignment { definition, value: value.into(), source }
    }

    #[test]
    fn a_flag_beats_mount_options_beat_the_environment_beats_the_file() {
        let all = [
            given("ttl", "4s", Source::Flag),
            given("ttl", "1s", Source::File),
            given("ttl", "3s", Source::MountOption),
            given("ttl", "2s", Source::Environment),
        ];
        for (strongest, seconds) in [(0, 4), (2, 3), (3, 2), (1, 1)] {
            let at_most = all[strongest].source;
            let some = all.iter().filter(|a| a.source <= at_most).cloned().collect();
            assert_eq!(Options::resolve(some).map(|o| o.ttl), Ok(Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn a_wrong_value_says_where_it_was_given_and_what_would_be_right() {
        let wrong = Options::resolve(vec![given("file-mode", "rw", Source::Environment)]);
        let message = wrong.expect_err("an error").to_string();
        assert_eq!(
            message,
            "HOLDFS_FILE_MODE=rw in the environment: expected permissions in octal, such as 644 or 0755."
        );
    }

    #[test]
    fn write_back_is_refused_with_the_reason() {
        for mode in ["local", "strict"] {
            let refused =
                Options::resolve(vec![given("durability", mode, Source::Flag)]).expect_err("an error");
            assert!(refused.to_string().contains("write-back"), "{refused}");
        }
        assert!(Options::resolve(vec![given("durability", "remote", Source::Flag)]).is_ok());
    }

    #[test]
    fn variables_of_the_aws_tools_come_after_our_own() {
        let variables = |name: &str| match name {
            "HOLDFS_ENDPOINT" => Some("https://ours".to_owned()),
            "AWS_ENDPOINT_URL" => Some("https://theirs".to_owned()),
            "AWS_REGION" => Some("eu-north-1".to_owned()),
            "HOLDFS_TTL" => Some(String::new()),
            _ => None,
        };
        let options = Options::resolve(from_environment(variables)).expect("all are good");
        assert_eq!(options.store.endpoint.as_deref(), Some("https://ours"));
        assert_eq!(options.store.region.as_deref(), Some("eu-north-1"));
        assert_eq!(options.ttl, Options::default().ttl);
    }

    #[test]
    fn no_option_takes_a_secret() {
        for definition in DEFINITIONS {
            for word in ["secret", "password", "token", "key"] {
                assert!(!definition.name.contains(word), "{}", definition.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_in_the_spelling_of_flags() {
        for (index, definition) in DEFINITIONS.iter().enumerate() {
            assert!(
                definition.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                definition.name
            );
            assert!(DEFINITIONS[..index].iter().all(|other| other.name != definition.name));
        }
    }
}
