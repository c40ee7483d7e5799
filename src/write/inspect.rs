//! What a journal holds that no mount serves.

use std::path::Path;
use std::time::SystemTime;

use super::engine::Pending;
use super::journal::Journal;
use super::journal::record::word_text;
use super::lock::Lock;
use super::{ErrorKind, Result};

/// Files in the journal of a state directory; `None` while a mount has it. Changes nothing.
pub fn left_in(directory: &Path) -> Result<Option<Vec<Pending>>> {
    let _alone = match Lock::take(directory) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::Busy => return Ok(None),
        Err(error) => return Err(error),
    };
    let journal = Journal::open(&directory.join("journal.db"))?;
    let files = journal.load()?;
    Ok(Some(
        files
            .into_iter()
            .map(|(file, found)| {
                let newest = found.into_iter().filter_map(std::result::Result::ok).last();
                Pending {
                    file: file.id,
                    key: file.key,
                    bytes: newest.as_ref().map_or(0, |generation| generation.size),
                    state: newest
                        .as_ref()
                        .map_or("unreadable", |generation| word_text(generation.word))
                        .to_owned(),
                    error: newest.as_ref().and_then(|generation| generation.error.clone()),
                    age_seconds: newest.map_or(0, |generation| age_seconds(generation.since)),
                }
            })
            .collect(),
    ))
}

fn age_seconds(since: SystemTime) -> u64 {
    SystemTime::now().duration_since(since).map_or(0, |age| age.as_secs())
}
