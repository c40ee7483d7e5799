//! How a command fails: one message for people, and the exit code that goes with it.

use std::process::ExitCode;

use crate::{config, mount, s3};

pub type Outcome<T = ()> = Result<T, Failure>;

/// 0 is success; clap answers 2 by itself for what it cannot parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Refused or failed.
    Refused = 1,
    /// What was asked makes no sense.
    Usage = 2,
    /// Endpoint, credentials, bucket, device: nothing that this command could do would succeed.
    Environment = 3,
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What happened, why, what to do.
    pub message: String,
}

impl Failure {
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }
    pub fn environment(message: impl Into<String>) -> Self {
        Self { exit: Exit::Environment, message: message.into() }
    }
}

/// The answer could not be written, for one: a full disk.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<mount::Error> for Failure {
    fn from(error: mount::Error) -> Self {
        Self::environment(error.to_string())
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::usage(error.to_string())
    }
}

/// Prints the failure, if any, and gives the status to exit with: the two cannot disagree.
pub fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                super::terminal::note(format_args!("holdfs: {}", failure.message));
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

impl From<s3::Error> for Failure {
    fn from(error: s3::Error) -> Self {
        Self { exit: exit_of(error.kind()), message: error.to_string() }
    }
}

fn exit_of(kind: s3::ErrorKind) -> Exit {
    use s3::ErrorKind::*;
    match kind {
        NoSuchBucket | Credentials | NoCredentials | Throttled | Unavailable | TimedOut | Tls | Redirect
        | Skew => Exit::Environment,
        NoSuchKey | NoSuchVersion | NoSuchUpload | NoSuchSetting | NotModified | Denied
        | PreconditionFailed | Conflict | BucketExists | BucketNotEmpty | InvalidRange | MethodNotAllowed
        | Unsupported | Archived | InvalidPart | Invalid | TooLarge | KeyTooLong | MetadataTooLarge
        | Quota | Corrupt | Source | Bug => Exit::Refused,
    }
}
