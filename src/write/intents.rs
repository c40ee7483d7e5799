//! Journalled intents: operations over several objects that a crash must not leave half done.
//!
//! The journal knows nothing of what an intent means: a kind, a JSON payload and a state, all the caller's own words.

use super::Result;
use super::journal::{Journal, wait};
use crate::base::store::Durability;
use crate::base::store::sql::params;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntentId(pub i64);

#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    pub id: IntentId,
    /// Such as `rename-directory`.
    pub kind: String,
    pub payload: serde_json::Value,
    /// Such as `copying`, `deleting`.
    pub state: String,
}

/// The journal's table of intents. Every change survives a kill of the process when the call returns, and a power cut
/// unless it is called unsynced; all block on the local disk only.
#[derive(Clone)]
pub struct Intents {
    journal: Journal,
}

impl Intents {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal }
    }

    pub fn begin(&self, kind: &str, payload: &serde_json::Value, state: &str) -> Result<IntentId> {
        self.put(kind, payload, state, Durability::Power)
    }

    /// For an operation that a power cut may leave half done without loss.
    pub fn begin_unsynced(&self, kind: &str, payload: &serde_json::Value, state: &str) -> Result<IntentId> {
        self.put(kind, payload, state, Durability::Process)
    }

    fn put(
        &self,
        kind: &str,
        payload: &serde_json::Value,
        state: &str,
        durability: Durability,
    ) -> Result<IntentId> {
        let (kind, payload, state) = (kind.to_owned(), payload.to_string(), state.to_owned());
        let id = wait(self.journal.store().write(durability, move |tx| {
            let put = "INSERT INTO intents (kind, payload, state) VALUES (?1, ?2, ?3)";
            tx.prepare_cached(put)?.insert(params![kind, payload, state])
        }))?;
        Ok(IntentId(id))
    }

    pub fn advance(&self, id: IntentId, state: &str, payload: &serde_json::Value) -> Result<()> {
        self.set(id, state, payload, Durability::Power)
    }

    pub fn advance_unsynced(&self, id: IntentId, state: &str, payload: &serde_json::Value) -> Result<()> {
        self.set(id, state, payload, Durability::Process)
    }

    fn set(
        &self,
        id: IntentId,
        state: &str,
        payload: &serde_json::Value,
        durability: Durability,
    ) -> Result<()> {
        let (payload, state) = (payload.to_string(), state.to_owned());
        Ok(wait(self.journal.store().write(durability, move |tx| {
            let set = "UPDATE intents SET payload = ?2, state = ?3 WHERE id = ?1";
            tx.prepare_cached(set)?.execute(params![id.0, payload, state]).map(drop)
        }))?)
    }

    pub fn finish(&self, id: IntentId) -> Result<()> {
        Ok(wait(self.journal.store().write(Durability::Process, move |tx| {
            tx.prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([id.0]).map(drop)
        }))?)
    }

    /// What is not finished, oldest first. A payload that is no JSON is `null`.
    pub fn open(&self) -> Result<Vec<Intent>> {
        Ok(self.journal.store().read(|connection| {
            let mut select =
                connection.prepare("SELECT id, kind, payload, state FROM intents ORDER BY id")?;
            let intent = |row: &crate::base::store::sql::Row<'_>| {
                let payload: String = row.get(2)?;
                Ok(Intent {
                    id: IntentId(row.get(0)?),
                    kind: row.get(1)?,
                    payload: serde_json::from_str(&payload).unwrap_or_default(),
                    state: row.get(3)?,
                })
            };
            select.query_map([], intent)?.collect()
        })?)
    }
}
