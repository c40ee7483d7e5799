//! How a command fails: one message for people, and the exit code that goes with it.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::terminal;
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
    /// What the store said, where that is the reason.
    pub error: Option<s3::Error>,
}

impl Failure {
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(Exit::Environment, message)
    }

    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), error: None }
    }

    /// A file that was named and cannot be read.
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let name = path.display().to_string();
        Self::refused(format!("Cannot read {}: {error}.", terminal::printable(&name)))
    }

    /// The same failure in other words, which say more to people.
    pub fn said(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// The next key would fail in the same way.
    pub fn is_hopeless(&self) -> bool {
        use s3::ErrorKind::*;
        let kind = self.error.as_ref().map(s3::Error::kind);
        matches!(kind, Some(NoSuchBucket | Credentials | NoCredentials | Tls | Redirect | Skew))
    }

    /// `{"error": {…}}`, always with all fields: those that do not apply are null. `about` is what failed, where
    /// there are several: a key or a file.
    pub fn to_json(&self, about: Option<&str>) -> Value {
        let said = |text: fn(&s3::Error) -> &str| {
            self.error.as_ref().map(text).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        json!({ "error": {
            "message": self.message,
            "exit_status": self.exit as u8,
            "about": about,
            "code": said(s3::Error::code),
            "http_status": self.error.as_ref().map(s3::Error::status).filter(|status| *status > 0),
            "operation": said(|error| error.operation()),
            "request_id": said(s3::Error::request_id),
            "host_id": said(s3::Error::host_id),
        } })
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
                terminal::failure(&failure, None);
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

impl From<s3::Error> for Failure {
    fn from(error: s3::Error) -> Self {
        let message = match advice(&error) {
            None => error.to_string(),
            Some(advice) => format!("{error}. {advice}"),
        };
        Self { exit: exit_of(error.kind()), message, error: Some(error) }
    }
}

/// What to do about it, where the store's own words do not say it.
fn advice(error: &s3::Error) -> Option<&'static str> {
    match error.kind() {
        s3::ErrorKind::Archived => Some(
            "Its bytes are in an archive: `holdfs object thaw` brings them back, `thaw --status` says when.",
        ),
        _ if error.is_object_lock() => {
            Some("It is locked: `holdfs object hold` and `holdfs object retain` show how, and until when.")
        }
        _ => None,
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
