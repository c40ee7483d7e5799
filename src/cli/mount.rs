//! `holdfs mount`, also called by mount(8) as `mount.holdfs` for lines of fstab.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::config::{self, MountOptions, Options};
use crate::fuse::MountFlags;
use crate::mount::daemon::{self, Readiness, Side};
use crate::mount::{self, Device, Request};
use crate::telemetry::logging::{self, Target};

use super::{Failure, Outcome, terminal};

/// What `--help` shows; a code block in a doc comment would be taken for Rust.
const ABOUT: &str = "\
Mounts a bucket, or the part of it below a prefix

Goes into the background when the mount works. A line of /etc/fstab (link the binary to /sbin/mount.holdfs):

    photos/2026 /mnt/photos holdfs _netdev,allow_other,endpoint=https://minio.example.org:9000 0 0";

#[derive(clap::Args, Debug)]
#[command(about = "Mounts a bucket, or the part of it below a prefix", long_about = ABOUT)]
pub struct Args {
    /// What to mount, such as photos or photos/2026
    #[arg(value_name = "BUCKET[/PREFIX]")]
    target: String,
    /// Where: a directory that exists
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Stay in the foreground until unmounted, and log to stderr
    #[arg(long, short)]
    foreground: bool,
    /// Options as in fstab: ro, allow_other, uid=1000, ttl=1m, noexec …
    #[arg(short = 'o', value_name = "OPT,…")]
    options: Vec<String>,
    /// Check the command line, mount nothing (mount -f)
    #[arg(long, hide = true)]
    fake: bool,
    #[command(flatten)]
    settings: super::options::MountArgs,
}

impl Args {
    pub fn run(self) -> Outcome {
        let (options, flags) = self.settings()?;
        let target = mount::Target::parse(&self.target)
            .map_err(|wrong| Failure::usage(format!("Cannot mount {}: {wrong}.", self.target)))?;
        if self.fake {
            return Ok(());
        }
        mount::check_device(&Device::default())?;
        let directory = mount::check_mount_point(&self.directory, &mut |note| terminal::note(note))?;
        let options = with_absolute_paths(options)?;
        let request = Request { target, directory, options, flags };
        if self.foreground { serve(&request, Readiness::nobody_waits()) } else { in_background(&request) }
    }

    fn settings(&self) -> Outcome<(Options, MountFlags)> {
        let MountOptions { assignments, flags } = config::from_mount_options(&self.options.join(","))?;
        Ok((self.settings.options(assignments)?, flags))
    }
}

fn in_background(request: &Request) -> Outcome {
    let split = daemon::fork()
        .map_err(|error| Failure::environment(format!("Cannot start a process for the mount: {error}.")))?;
    match split {
        Side::Child(readiness) => serve(request, readiness),
        Side::Parent(child) => {
            child.wait()?;
            // The mount is served by another process now: it answers, or this would hang and be seen.
            std::fs::metadata(&request.directory).map(drop).map_err(|error| {
                Failure::environment(format!(
                    "{} was mounted but does not answer: {error}.",
                    request.directory.display()
                ))
            })
        }
    }
}

fn serve(request: &Request, readiness: Readiness) -> Outcome {
    start_log(&request.options, &readiness)?;
    match mount::serve(request, readiness)? {
        0 => Ok(()),
        left => Err(Failure::refused(format!(
            "{left} files of {} are not uploaded. They stay in the journal, and the next mount goes on with them; \
             holdfs journal ls shows them.",
            request.target
        ))),
    }
}

fn start_log(options: &Options, readiness: &Readiness) -> Outcome {
    mount::check_state_directory(&options.state)?;
    logging::init(&options.log, &log_target(options, readiness))
        .map_err(|error| Failure::environment(format!("Cannot log: {error}.")))
}

/// In the background to a file: nobody reads a terminal that was left. In the foreground to stderr, which systemd reads
/// where it says so (`systemd.exec(5)`, `$JOURNAL_STREAM`).
fn log_target(options: &Options, readiness: &Readiness) -> Target {
    match &options.log_file {
        Some(file) => Target::File(file.clone()),
        None if readiness.in_background() => Target::File(options.state.join("log")),
        None if std::env::var_os("JOURNAL_STREAM").is_some() => Target::Journal,
        None => Target::Stderr,
    }
}

/// A process in the background has another working directory.
fn with_absolute_paths(mut options: Options) -> Outcome<Options> {
    let absolute = |path: &Path| std::path::absolute(path);
    options.state = absolute(&options.state)?;
    for path in [&mut options.log_file, &mut options.store.ca_file] {
        *path = path.as_deref().map(absolute).transpose()?;
    }
    Ok(options)
}

/// What mount(8) and umount(8) call: `mount.holdfs BUCKET DIR [-sfnv] [-t TYPE] [-o …]` becomes `holdfs mount …`,
/// `umount.holdfs DIR [-flnrv]` becomes `holdfs umount …`, and so does `holdfs BUCKET DIR -o …` of mount.fuse3(8).
/// Other arguments stay as they are.
pub fn arguments_of_mount_helper(arguments: Vec<OsString>) -> Vec<OsString> {
    let called = arguments.first().map(PathBuf::from).unwrap_or_default();
    match called.file_name().and_then(OsStr::to_str) {
        Some("mount.holdfs" | "mount.fuse.holdfs") => as_command("mount", &arguments[1..]),
        Some("umount.holdfs" | "umount.fuse.holdfs") => as_command("umount", &arguments[1..]),
        _ if arguments.get(3).is_some_and(|option| option == "-o")
            && !arguments[1].as_encoded_bytes().starts_with(b"-") =>
        {
            as_command("mount", &arguments[1..])
        }
        _ => arguments,
    }
}

fn as_command(command: &str, arguments: &[OsString]) -> Vec<OsString> {
    let mut translated = vec![OsString::from("holdfs"), OsString::from(command)];
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            // The type of the file system and the namespace: theirs to know.
            Some("-t" | "-N") => drop(rest.next()),
            Some("-o") => translated.extend([argument.clone()].into_iter().chain(rest.next().cloned())),
            Some(flags) if flags.starts_with('-') && !flags.starts_with("--") => {
                translated.extend(
                    flags[1..].chars().filter_map(|flag| helper_flag(command, flag)).map(OsString::from),
                );
            }
            _ => translated.push(argument.clone()),
        }
    }
    translated
}

/// Sloppy, verbose, no mtab: nothing to us.
fn helper_flag(command: &str, flag: char) -> Option<&'static str> {
    match (command, flag) {
        ("mount", 'f') => Some("--fake"),
        ("mount", 'r') => Some("--read-only"),
        ("umount", 'l') => Some("--lazy"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from).collect();
        let words: Vec<_> = arguments_of_mount_helper(arguments)
            .into_iter()
            .map(|word| word.into_string().expect("the test's own words"))
            .collect();
        words.join(" ")
    }

    #[test]
    fn mount_8_calls_us_by_another_name() {
        for (line, meant) in [
            ("/sbin/mount.holdfs b /mnt -o rw,uid=1", "holdfs mount b /mnt -o rw,uid=1"),
            ("mount.fuse.holdfs b /mnt -sfnv -t fuse.holdfs -o ro", "holdfs mount b /mnt --fake -o ro"),
            ("/sbin/umount.fuse.holdfs /mnt -l", "holdfs umount /mnt --lazy"),
            ("/usr/bin/holdfs b /mnt -o rw", "holdfs mount b /mnt -o rw"),
            ("/usr/bin/holdfs mount b /mnt -o rw", "/usr/bin/holdfs mount b /mnt -o rw"),
            ("holdfs status", "holdfs status"),
        ] {
            assert_eq!(translated(line), meant);
        }
    }
}
