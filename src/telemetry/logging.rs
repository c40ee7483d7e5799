//! Where log lines go. Everything else only uses `tracing`'s macros.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// With colours on a terminal.
    Stderr,
    /// Appended to; made with 0600.
    File(PathBuf),
    /// Lines without a time and with a priority, as systemd's journal takes them from standard error.
    Journal,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "log level {0:?} is none of error, warn, info, debug, trace, or a list like info,holdfs::s3=debug"
    )]
    Level(String),
    #[error("the log file {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
}

/// To be called once, by a process that is about to work; a second call changes nothing. `level` is one of
/// tracing's levels, or a list of `module=level`.
pub fn init(level: &str, target: &Target) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(level).map_err(|_| Error::Level(level.to_owned()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let first = match target {
        Target::Stderr => {
            let colours = std::io::stderr().is_terminal();
            builder.with_ansi(colours).with_writer(std::io::stderr).try_init()
        }
        Target::File(path) => builder.with_ansi(false).with_writer(append_to(path)?).try_init(),
        Target::Journal => {
            builder.with_ansi(false).without_time().with_level(false).with_writer(Prioritised).try_init()
        }
    };
    // A subscriber that was there before stays: a test's own, for one.
    drop(first);
    Ok(())
}

fn append_to(path: &PathBuf) -> Result<BoxMakeWriter, Error> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let file = opened.map_err(|source| Error::File { path: path.clone(), source })?;
    Ok(BoxMakeWriter::new(Arc::new(file)))
}

/// Puts `<N>` before each line (`sd-daemon(3)`).
struct Prioritised;

struct PrioritisedLine {
    priority: Option<&'static str>,
}

impl<'a> MakeWriter<'a> for Prioritised {
    type Writer = PrioritisedLine;

    fn make_writer(&'a self) -> Self::Writer {
        PrioritisedLine { priority: Some("<6>") }
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        PrioritisedLine { priority: Some(priority(*meta.level())) }
    }
}

fn priority(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::ERROR => "<3>",
        tracing::Level::WARN => "<4>",
        tracing::Level::INFO => "<6>",
        tracing::Level::DEBUG | tracing::Level::TRACE => "<7>",
    }
}

impl std::io::Write for PrioritisedLine {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut stderr = std::io::stderr().lock();
        if let Some(priority) = self.priority.take() {
            stderr.write_all(priority.as_bytes())?;
        }
        stderr.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_level_is_told() {
        let error = init("info,holdfs=loud", &Target::Stderr).unwrap_err();
        assert!(error.to_string().contains("holdfs=loud"), "{error}");
    }

    #[test]
    fn a_log_file_is_private_and_appended_to() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append_to(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(append_to(&directory.path().join("absent/log")).is_err());
    }
}
