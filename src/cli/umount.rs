//! `holdfs umount`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::mount::control::{self, Answer, Ask};
use crate::mount::table::{self, Mount};
use crate::mount::{Detach, unmount};

use super::{Failure, Outcome, terminal};

/// Uploads what is pending, then unmounts.
///
/// Returns when the mount is gone. What cannot be uploaded in time stays in the journal, is reported, and is uploaded
/// by the next mount.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the bucket is mounted
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Leave the tree although files are open; they go on working until the uploads are done
    #[arg(long, short)]
    lazy: bool,
    /// Wait for uploads at most this many seconds [default: the mount's --drain-timeout]
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// A mount that drains says how far it is four times a second: after this much silence it is not there any more.
const SILENCE_MAX: Duration = Duration::from_secs(20);

impl Args {
    pub fn run(self) -> Outcome {
        let directory = table::absolute(&self.directory)?;
        let mount = mount_at(&directory)?;
        match self.ask(&mount) {
            Ok(Some(answer)) => self.judge(&directory, answer),
            Ok(None) => Err(Failure::refused(format!(
                "The mount on {} ended while it was asked.",
                directory.display()
            ))),
            Err(error) if gone(&error) => without_process(&directory, &mount),
            Err(error) => Err(Failure::refused(format!(
                "The process that serves {} does not answer: {error}. umount -l {0} takes the mount away without it.",
                directory.display()
            ))),
        }
    }

    /// The last word of the mount, with a progress bar until it comes.
    fn ask(&self, mount: &Mount) -> io::Result<Option<Answer>> {
        let ask = Ask::Unmount { lazily: self.lazy, wait_seconds: self.wait };
        let (bar, mut last) = (progress_bar(), None);
        let asked = control::ask(mount, &ask, SILENCE_MAX, &mut |answer| match answer {
            Answer::Progress(status) => bar.set_message(uploads(&status)),
            answer => last = Some(answer),
        });
        bar.finish_and_clear();
        match last {
            // The process ends as soon as it has said so, and the connection with it, one way or another.
            Some(answer) => Ok(Some(answer)),
            None => asked.map(|()| None),
        }
    }

    fn judge(&self, directory: &Path, answer: Answer) -> Outcome {
        let directory = directory.display();
        match answer {
            Answer::Unmounted { left: 0 } => Ok(()),
            Answer::Unmounted { left } => Err(Failure::refused(format!(
                "{directory} is unmounted, but {left} files are not uploaded. They stay in the journal, and the next mount \
                 goes on with them; holdfs journal ls shows them."
            ))),
            Answer::Busy => Err(Failure::refused(format!(
                "{directory} is in use: some process has a file open there, or works in it. fuser -vm {directory} shows \
                 which; holdfs umount --lazy {directory} leaves the tree all the same."
            ))),
            Answer::Failed(reason) => {
                Err(Failure::refused(format!("{directory} was not unmounted: {reason}.")))
            }
            Answer::Progress(_) | Answer::Status(_) | Answer::Done { .. } => {
                Err(Failure::refused("The mount gave an unexpected answer."))
            }
        }
    }
}

/// The mount of ours at exactly this place.
pub fn mount_at(directory: &Path) -> Outcome<Mount> {
    let found = table::at(directory)?;
    // Symlinks of the last component are followed only now: a dead mount could not be.
    let found = match (found, directory.canonicalize()) {
        (None, Ok(real)) => table::at(&real)?,
        (found, _) => found,
    };
    let directory = directory.display();
    match found {
        Some(mount) if mount.is_ours() => Ok(mount),
        Some(mount) => Err(Failure::refused(format!(
            "{directory} is a mount of type {}, not of holdfs: use umount {directory}.",
            mount.kind
        ))),
        None => Err(Failure::refused(format!(
            "Nothing is mounted on {directory}. holdfs status shows what is mounted."
        ))),
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// A dead mount, or one whose socket could not be made: the kernel can still let go of it.
fn without_process(directory: &Path, mount: &Mount) -> Outcome {
    unmount(&mount.directory, Detach::WhenUnused)
        .or_else(|_| unmount(&mount.directory, Detach::Lazily))
        .map_err(|error| Failure::refused(format!("Cannot unmount {}: {error}.", directory.display())))?;
    terminal::note(format_args!(
        "The process that served {} had ended without a word: the mount is taken away. What was not uploaded is in the \
         journal, and the next mount goes on with it.",
        directory.display()
    ));
    Ok(())
}

fn progress_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_message("unmounting");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// `uploading 3 files, 1.2 GiB to go`, from the status of a mount.
fn uploads(status: &Value) -> String {
    let pending = status.pointer("/files/write/pending").and_then(Value::as_array);
    match pending.map(Vec::as_slice).unwrap_or_default() {
        [] => "unmounting".into(),
        files => {
            let bytes: u64 = files.iter().filter_map(|file| file["bytes"].as_u64()).sum();
            format!("uploading {} files, {} to go", files.len(), indicatif::BinaryBytes(bytes))
        }
    }
}
