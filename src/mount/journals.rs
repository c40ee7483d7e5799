//! Journals on this machine that no mount serves.

use std::path::{Path, PathBuf};

use crate::write::{self, Pending};

/// What one of them holds.
pub struct Unserved {
    /// `BUCKET-HASH`, below the directory of `--state`.
    pub directory: PathBuf,
    pub pending: Vec<Pending>,
}

/// Those below `state` that hold something. One that cannot be read is told to `note`.
pub fn unserved(state: &Path, note: &mut dyn FnMut(String)) -> Vec<Unserved> {
    let entries = std::fs::read_dir(state).into_iter().flatten().flatten().map(|entry| entry.path());
    let with_journal = entries.filter(|directory| directory.join("journal.db").is_file());
    with_journal
        .filter_map(|directory| match write::left_in(&directory) {
            Ok(pending) => Some(Unserved { directory, pending: pending? }),
            Err(error) => {
                note(format!("{}: {error}", directory.display()));
                None
            }
        })
        .filter(|unserved| !unserved.pending.is_empty())
        .collect()
}
