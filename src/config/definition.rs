//! The table of options: each defined once, read by flags, environment, file, `-o` and documentation.

use std::path::PathBuf;

use crate::fs::{OnConflict, PosixMetadata, Worm};
use crate::s3::config::Style;

use super::values;
use super::{Options, StoreOptions};

/// Which commands an option belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Every command that talks to a store.
    Store,
    /// `holdfs mount` only.
    Mount,
}

/// One option: `--name VALUE`, `HOLDFS_NAME=VALUE`, `name = VALUE` in a file, `-o name=VALUE`.
#[derive(Debug)]
pub struct Definition {
    pub name: &'static str,
    pub group: Group,
    /// What stands for the value in help; `None` is a switch.
    pub value: Option<&'static str>,
    /// Variables of the AWS tools that are honoured after `HOLDFS_…`.
    pub also: &'static [&'static str],
    /// In words, for help and documentation.
    pub default: &'static str,
    pub help: &'static str,
    pub set: fn(&mut Options, &str) -> Result<(), String>,
}

impl Definition {
    pub fn named(name: &str) -> Option<&'static Self> {
        DEFINITIONS.iter().find(|definition| definition.name == name)
    }
    pub fn variable(&self) -> String {
        format!("HOLDFS_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }
}

/// Fills in a definition's field of [`StoreOptions`].
macro_rules! store {
    ($field:ident, $parse:expr) => {
        |options, text| {
            options.store.$field = $parse(text)?;
            Ok(())
        }
    };
}

/// Fills in a definition's field of [`Options`].
macro_rules! mount {
    ($field:ident, $parse:expr) => {
        |options, text| {
            options.$field = $parse(text)?;
            Ok(())
        }
    };
}

pub static DEFINITIONS: &[Definition] = &[
    Definition {
        name: "endpoint",
        group: Group::Store,
        value: Some("URL"),
        also: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
        default: "Amazon S3 in the region",
        help: "Where the store is, such as https://minio.example.org:9000; https:// is assumed",
        set: store!(endpoint, some_text),
    },
    Definition {
        name: "region",
        group: Group::Store,
        value: Some("REGION"),
        also: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        default: "that of the profile, else found by asking",
        help: "The region that requests are signed for",
        set: store!(region, some_text),
    },
    Definition {
        name: "profile",
        group: Group::Store,
        value: Some("NAME"),
        also: &[],
        default: "AWS_PROFILE, else default",
        help: "The profile of ~/.aws/config and ~/.aws/credentials to use, whatever keys the environment holds",
        set: store!(profile, some_text),
    },
    Definition {
        name: "anonymous",
        group: Group::Store,
        value: None,
        also: &[],
        default: "false",
        help: "Send no credentials: for public buckets",
        set: store!(anonymous, values::switch),
    },
    Definition {
        name: "address-style",
        group: Group::Store,
        value: Some("STYLE"),
        also: &[],
        default: "auto",
        help: "Where URLs carry the bucket: path, virtual (in the host name), or auto",
        set: store!(address_style, |text| values::choice(
            text,
            &[("auto", Style::Auto), ("path", Style::Path), ("virtual", Style::Virtual)]
        )),
    },
    Definition {
        name: "ca-file",
        group: Group::Store,
        value: Some("FILE"),
        also: &["AWS_CA_BUNDLE"],
        default: "the system's",
        help: "Certificates (PEM) to trust for the endpoint instead of the system's",
        set: store!(ca_file, some_path),
    },
    Definition {
        name: "bucket-owner",
        group: Group::Store,
        value: Some("ACCOUNT"),
        also: &[],
        default: "any",
        help: "The account that the bucket must belong to, 12 digits on AWS: requests about the buckets of others are \
               refused by the store",
        set: store!(bucket_owner, some_text),
    },
    Definition {
        name: "read-only",
        group: Group::Mount,
        value: None,
        also: &[],
        default: "false",
        help: "Refuse every change; takes no journal lock",
        set: mount!(read_only, values::switch),
    },
    Definition {
        name: "state",
        group: Group::Mount,
        value: Some("DIR"),
        also: &[],
        default: "$XDG_STATE_HOME/holdfs, for root /var/lib/holdfs",
        help: "Where the journal and staged data of changed files live",
        set: mount!(state, path),
    },
    Definition {
        name: "memory",
        group: Group::Mount,
        value: Some("SIZE"),
        also: &[],
        default: "a share of what the machine or its cgroup allows",
        help: "The most memory that file data may take",
        set: |options, text| {
            options.memory_bytes = Some(memory(text)?);
            Ok(())
        },
    },
    Definition {
        name: "durability",
        group: Group::Mount,
        value: Some("MODE"),
        also: &[],
        default: "remote",
        help: "When close and fsync return: remote is when the store has the object",
        set: |_, text| durability(text),
    },
    Definition {
        name: "ttl",
        group: Group::Mount,
        value: Some("TIME"),
        also: &[],
        default: "5s",
        help: "How old names and attributes may be; 0 asks every time, inf never asks again",
        set: mount!(ttl, values::duration_or_forever),
    },
    Definition {
        name: "uid",
        group: Group::Mount,
        value: Some("ID"),
        also: &[],
        default: "of who mounts",
        help: "Owner of what carries no owner of its own",
        set: mount!(uid, values::id),
    },
    Definition {
        name: "gid",
        group: Group::Mount,
        value: Some("ID"),
        also: &[],
        default: "of who mounts",
        help: "Group of what carries no group of its own",
        set: mount!(gid, values::id),
    },
    Definition {
        name: "file-mode",
        group: Group::Mount,
        value: Some("MODE"),
        also: &[],
        default: "0644",
        help: "Permissions of files that carry none of their own, in octal",
        set: mount!(file_mode, values::mode),
    },
    Definition {
        name: "dir-mode",
        group: Group::Mount,
        value: Some("MODE"),
        also: &[],
        default: "0755",
        help: "Permissions of directories that carry none of their own, in octal",
        set: mount!(dir_mode, values::mode),
    },
    Definition {
        name: "allow-other",
        group: Group::Mount,
        value: None,
        also: &[],
        default: "false",
        help: "Let other users in, as far as permissions allow (needs user_allow_other in /etc/fuse.conf, or root)",
        set: mount!(allow_other, values::switch),
    },
    Definition {
        name: "worm",
        group: Group::Mount,
        value: Some("MODE"),
        also: &[],
        default: "enforce",
        help: "Objects under legal hold or retention: enforce refuses every change here, store leaves it to the store",
        set: mount!(worm, |text| values::choice(text, &[("enforce", Worm::Enforce), ("store", Worm::Store)])),
    },
    Definition {
        name: "bypass-governance",
        group: Group::Mount,
        value: None,
        also: &[],
        default: "false",
        help: "Let retention in GOVERNANCE mode be shortened or removed (needs the permission at the store)",
        set: mount!(bypass_governance, values::switch),
    },
    Definition {
        name: "posix-metadata",
        group: Group::Mount,
        value: Some("MODE"),
        also: &[],
        default: "own",
        help: "Mode, owner and times in object metadata: own is where holdfs put some, full asks for every object, \
               off neither reads nor writes any",
        set: mount!(posix_metadata, |text| values::choice(
            text,
            &[("own", PosixMetadata::Own), ("full", PosixMetadata::Full), ("off", PosixMetadata::Off)]
        )),
    },
    Definition {
        name: "on-conflict",
        group: Group::Mount,
        value: Some("MODE"),
        also: &[],
        default: "copy",
        help: "When another writer was faster: copy stores ours as NAME.conflict-HOST-TIME, fail makes close fail \
               and keeps ours in the journal",
        set: mount!(on_conflict, |text| values::choice(
            text,
            &[("copy", OnConflict::Copy), ("fail", OnConflict::Fail)]
        )),
    },
    Definition {
        name: "log",
        group: Group::Mount,
        value: Some("LEVEL"),
        also: &[],
        default: "info",
        help: "How much is logged: error, warn, info, debug or trace (also per module, as in info,holdfs::s3=debug)",
        set: mount!(log, text),
    },
    Definition {
        name: "log-file",
        group: Group::Mount,
        value: Some("FILE"),
        also: &[],
        default: "stderr in the foreground, else log in the state directory of the mount",
        help: "Where the log is appended to",
        set: mount!(log_file, some_path),
    },
    Definition {
        name: "drain-timeout",
        group: Group::Mount,
        value: Some("TIME"),
        also: &[],
        default: "60s",
        help: "How long unmounting waits for uploads; what is left then stays in the journal and is reported",
        set: mount!(drain_timeout, values::duration_or_forever),
    },
];

fn text(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("must not be empty".into()) } else { Ok(text.to_owned()) }
}

fn some_text(given: &str) -> Result<Option<String>, String> {
    text(given).map(Some)
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must not be empty".into()) } else { Ok(PathBuf::from(text)) }
}

fn some_path(text: &str) -> Result<Option<PathBuf>, String> {
    path(text).map(Some)
}

/// Below this, not even one full-speed stream would fit.
const MEMORY_BYTES_MIN: u64 = 64 << 20;

fn memory(text: &str) -> Result<u64, String> {
    match values::size(text)? {
        bytes if bytes < MEMORY_BYTES_MIN => Err("must be at least 64M".into()),
        bytes => Ok(bytes),
    }
}

fn durability(text: &str) -> Result<(), String> {
    match text {
        "remote" => Ok(()),
        "local" | "strict" => Err(format!(
            "{text} needs write-back, which this version of holdfs does not have; \
             use remote: close and fsync return when the store has the data"
        )),
        _ => Err("expected remote".into()),
    }
}

impl Default for Options {
    /// What holds where nothing was said.
    fn default() -> Self {
        Self {
            store: StoreOptions::default(),
            state: super::paths::default_state(),
            memory_bytes: None,
            ttl: std::time::Duration::from_secs(5),
            uid: super::paths::user_id(),
            gid: super::paths::group_id(),
            file_mode: 0o644,
            dir_mode: 0o755,
            allow_other: false,
            read_only: false,
            worm: Worm::Enforce,
            bypass_governance: false,
            posix_metadata: PosixMetadata::Own,
            on_conflict: OnConflict::Copy,
            log: "info".into(),
            log_file: None,
            drain_timeout: std::time::Duration::from_secs(60),
        }
    }
}
