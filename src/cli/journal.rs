//! `holdfs journal`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::mount::control::{self, Act, Answer, Ask};
use crate::mount::table::{self, Mount};

use super::status::{plain, status_of, unserved_journals};
use super::umount::mount_at;
use super::{Failure, Outcome, terminal};

/// Shows what is not uploaded yet, and acts on what a crash or a refusal left.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List changed files that the store does not have: of every mount, and of journals that no mount serves
    Ls {
        /// Where journals are looked for that no mount serves [default: as for mount]
        #[arg(long, value_name = "DIR", env = "HOLDFS_STATE")]
        state: Option<PathBuf>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Upload a failed file again
    Retry {
        #[command(flatten)]
        file: File,
    },
    /// Write the bytes of a pending file to another one
    Export {
        #[command(flatten)]
        file: File,
        /// Must not be on the mount
        #[arg(value_name = "TARGET")]
        target: PathBuf,
    },
    /// Give up a failed or quarantined file: its data is deleted
    Discard {
        #[command(flatten)]
        file: File,
    },
}

#[derive(clap::Args, Debug)]
struct File {
    /// Where its bucket is mounted
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Its number, as holdfs journal ls shows it
    #[arg(value_name = "NUMBER")]
    number: i64,
}

/// An export may have to fetch what was never changed.
const ACT_MAX: Duration = Duration::from_secs(600);

impl Args {
    pub fn run(self) -> Outcome {
        match self.command {
            Command::Ls { state, json } => list(state, json),
            Command::Retry { file } => file.act(Act::Retry).map(drop),
            Command::Discard { file } => file.act(Act::Discard).map(drop),
            Command::Export { file, target } => {
                let target = std::path::absolute(target)?;
                let bytes = file.act(Act::Export { target })?;
                terminal::note(format_args!("{bytes} bytes were written."));
                Ok(())
            }
        }
    }
}

impl File {
    fn act(&self, act: Act) -> Outcome<u64> {
        let mount = mount_at(&table::absolute(&self.directory)?)?;
        let mut last = None;
        let ask = Ask::Journal { file: self.number, act };
        control::ask(&mount, &ask, ACT_MAX, &mut |answer| last = Some(answer)).map_err(|error| {
            Failure::refused(format!("The mount on {} does not answer: {error}.", self.directory.display()))
        })?;
        match last {
            Some(Answer::Done { bytes }) => Ok(bytes),
            Some(Answer::Failed(reason)) => Err(Failure::refused(format!("Not done: {reason}."))),
            _ => Err(Failure::refused("The mount gave no answer.")),
        }
    }
}

fn list(state: Option<PathBuf>, json: bool) -> Outcome {
    let mounts = table::read()?.into_iter().filter(Mount::is_ours);
    let mut journals: Vec<Value> = mounts.map(|mount| left_on(&mount)).collect();
    journals.extend(unserved_journals(state));
    match json {
        true => terminal::data(json!({ "journals": journals })),
        false => journals.iter().try_for_each(print),
    }
}

/// What one mount has in its journal.
fn left_on(mount: &Mount) -> Value {
    let status = status_of(mount);
    let listed =
        |name: &str| status.pointer(&format!("/files/write/{name}")).and_then(Value::as_array).cloned();
    let quarantined = listed("quarantined").unwrap_or_default().into_iter().map(|mut file| {
        file["state"] = json!("quarantined");
        file["error"] = file["reason"].take();
        file
    });
    let pending: Vec<Value> = listed("pending").unwrap_or_default().into_iter().chain(quarantined).collect();
    json!({ "directory": status["directory"], "error": status["error"], "pending": pending })
}

/// Directory, number, key, bytes and state of each file, separated by tabs, and why it is left.
fn print(journal: &Value) -> Outcome {
    let directory = plain(&journal["directory"]);
    if let Some(error) = journal["error"].as_str() {
        terminal::note(format_args!("{directory}: {error}"));
    }
    journal["pending"].as_array().into_iter().flatten().try_for_each(|file| {
        let fact = |name: &str| plain(&file[name]);
        let reason = file["error"].as_str().map(|_| format!("\t{}", fact("error"))).unwrap_or_default();
        let (number, key, bytes, state) = (fact("file"), fact("key"), fact("bytes"), fact("state"));
        terminal::data(format_args!("{directory}\t{number}\t{key}\t{bytes}\t{state}{reason}"))
    })
}
