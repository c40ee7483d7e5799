//! `holdfs status`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::paths;
use crate::mount;
use crate::mount::control::{self, Answer, Ask};
use crate::mount::table::{self, Mount};

use super::{Failure, Outcome, terminal};

/// Shows mounts: pending uploads, failures, requests, and what the store can do.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Any path on the mount; without it, every mount of yours
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Where journals are looked for that no mount serves [default: as for mount]
    #[arg(long, value_name = "DIR", env = "HOLDFS_STATE")]
    state: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// A mount answers from memory.
const ANSWER_MAX: Duration = Duration::from_secs(5);

impl Args {
    pub fn run(self) -> Outcome {
        let mounts = match &self.directory {
            Some(path) => vec![table::ours_containing(path)?.ok_or_else(|| {
                Failure::refused(format!("{} is not on a mount of holdfs.", path.display()))
            })?],
            None => table::read()?.into_iter().filter(Mount::is_ours).collect(),
        };
        let statuses: Vec<Value> = mounts.iter().map(status_of).collect();
        let unserved = match self.directory {
            Some(_) => Vec::new(),
            None => unserved_journals(self.state),
        };
        if self.json {
            return terminal::data(json!({ "mounts": statuses, "unserved_journals": unserved }));
        }
        if statuses.is_empty() {
            terminal::data("Nothing is mounted.")?;
        }
        statuses.iter().try_for_each(|status| terminal::bytes(readable(status).as_bytes()))?;
        unserved.iter().try_for_each(|journal| {
            let (directory, files) = (plain(&journal["directory"]), journal["pending"].as_array().map_or(0, Vec::len));
            terminal::data(format_args!(
                "{directory} holds {files} files that are not uploaded, and no mount serves it: mount its bucket to go on."
            ))
        })
    }
}

/// Journals below the state directory that hold something and belong to no running mount.
pub fn unserved_journals(state: Option<PathBuf>) -> Vec<Value> {
    let state = state.unwrap_or_else(paths::default_state);
    let found = mount::unserved(&state, &mut |problem| terminal::note(problem));
    found
        .into_iter()
        .map(|journal| json!({ "directory": table::display(&journal.directory), "pending": journal.pending }))
        .collect()
}

pub fn status_of(mount: &Mount) -> Value {
    let mut status = json!({
        "source": mount.source,
        "directory": table::display(&mount.directory),
        "error": "The process that serves it does not answer (holdfs umount takes a dead mount away).",
    });
    let asked = control::ask(mount, &Ask::Status, ANSWER_MAX, &mut |answer| {
        if let Answer::Status(told) = answer {
            status = told;
        }
    });
    if asked.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
        status["error"] = json!("It belongs to another user: ask as that user, or as root.");
    }
    status
}

/// `photos on /mnt/photos`, and below it one indented line a fact.
fn readable(status: &Value) -> String {
    let text = |name: &str| status[name].as_str().unwrap_or("?").to_owned();
    let mut page = format!("{} on {}\n", text("source"), text("directory"));
    if let Value::Object(facts) = status {
        let rest = facts.iter().filter(|(name, _)| !matches!(name.as_str(), "source" | "directory"));
        let rest: Map<_, _> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
        lines(&mut page, &Value::Object(rest), 1);
    }
    page
}

fn lines(page: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(facts) => facts.iter().for_each(|(name, fact)| {
            let name = name.replace('_', " ");
            match fact {
                Value::Null => {}
                Value::Object(inner) if inner.is_empty() => {}
                Value::Array(inner) if inner.is_empty() => {}
                Value::Object(_) | Value::Array(_) => {
                    *page += &format!("{indent}{name}:\n");
                    lines(page, fact, depth + 1);
                }
                scalar => *page += &format!("{indent}{name}: {}\n", plain(scalar)),
            }
        }),
        Value::Array(items) => items.iter().for_each(|item| match item {
            Value::Object(facts) => {
                let facts: Vec<_> = facts.iter().filter(|(_, fact)| !fact.is_null()).collect();
                let facts = facts.into_iter().map(|(name, fact)| format!("{name} {}", plain(fact)));
                *page += &format!("{indent}- {}\n", facts.collect::<Vec<_>>().join(", "));
            }
            scalar => *page += &format!("{indent}- {}\n", plain(scalar)),
        }),
        scalar => *page += &format!("{indent}{}\n", plain(scalar)),
    }
}

/// Keys come from the store: their control characters must not reach a terminal.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_as_lines_and_leaves_out_what_is_not_there() {
        let status = json!({
            "source": "photos", "directory": "/mnt", "pid": 7, "error": null,
            "files": { "open_handles": 2, "pending": [{ "key": "a\u{1b}b", "bytes": 3, "error": null }], "failed": [] },
        });
        let text = readable(&status);
        assert!(text.starts_with("photos on /mnt\n"), "{text}");
        assert!(text.contains("  pid: 7\n") && text.contains("    open handles: 2\n"), "{text}");
        assert!(text.contains("bytes 3, key a\\u{1b}b") || text.contains("key a\\u{1b}b, bytes 3"), "{text}");
        assert!(!text.contains("failed") && !text.contains("null"), "{text}");
    }
}
