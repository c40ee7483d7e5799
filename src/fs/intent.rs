//! Journalled intents: what a crash must not leave half done.
//!
//! * `rename-directory`: every object below one prefix gets another. *Copying* goes on after a crash, then *deleting*;
//!   a rename that failed while copying is *undoing*. A key is only ever deleted while its counterpart is there, so
//!   each file exists at its old or at its new name, never at neither.
//! * `rename-file`: one object gets another key (see [`super::file_move`]).
//! * `aside`: a copy below `.holdfs.d` that open handles read; after a crash nobody does.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::claims::{Mode, Scope};
use super::file_move::RENAME_FILE;
use super::{Error, ErrorKind, FileSystem, Result};
use crate::s3::ops::{DeleteObjects, ListObjectsV2, ListedObject, WriteCondition};
use crate::s3::transfer::pages::{self, Listed};
use crate::s3::{Limits, ObjectRef};
use crate::write::{Intent, IntentId};

const RENAME_DIRECTORY: &str = "rename-directory";
const ASIDE: &str = "aside";

/// Copies and deletions of one rename in flight.
pub const PARALLEL: usize = 32;
/// Batches of deletions in flight.
const BATCHES: usize = 4;

/// Both prefixes, each ending with a slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryMove {
    pub from: String,
    pub to: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Copying,
    Deleting,
    Undoing,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Deleting => "deleting",
            Self::Undoing => "undoing",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Copying, Self::Deleting, Self::Undoing].into_iter().find(|step| step.word() == word)
    }
}

impl DirectoryMove {
    /// Where a key below `from` goes.
    pub fn new_key(&self, key: &str) -> String {
        format!("{}{}", self.to, key.strip_prefix(&self.from).unwrap_or(key))
    }

    fn backwards(&self) -> Self {
        Self { from: self.to.clone(), to: self.from.clone() }
    }
}

#[derive(Serialize, Deserialize)]
struct AsideObject {
    key: String,
}

impl FileSystem {
    pub(super) fn begin_move(&self, moved: &DirectoryMove) -> Result<IntentId> {
        Ok(self.writer()?.intents().begin(RENAME_DIRECTORY, &payload_of(moved)?, Step::Copying.word())?)
    }

    pub(super) fn advance_move(&self, id: IntentId, moved: &DirectoryMove, step: Step) -> Result<()> {
        Ok(self.writer()?.intents().advance(id, step.word(), &payload_of(moved)?)?)
    }

    pub(super) fn finish_intent(&self, id: IntentId) -> Result<()> {
        Ok(self.writer()?.intents().finish(id)?)
    }

    pub(super) fn begin_aside(&self, key: &str) -> Result<IntentId> {
        let payload = payload_of(&AsideObject { key: key.to_owned() })?;
        Ok(self.writer()?.intents().begin(ASIDE, &payload, "open")?)
    }

    pub(super) async fn remove_aside(&self, key: &str, intent: IntentId) -> Result<()> {
        self.delete_object(key).await?;
        self.finish_intent(intent)
    }

    /// At the mount: takes up what the last one left, in the background. Names that are still moving stay claimed.
    pub(super) fn resume_intents(self: &Arc<Self>) -> Result<()> {
        let Some(engine) = &self.write else {
            return Ok(());
        };
        for intent in engine.intents().open()? {
            let fs = self.clone();
            self.tasks.spawn("resume an intent", async move {
                if let Err(error) = fs.resume(&intent).await {
                    tracing::warn!(
                        kind = intent.kind,
                        "left by an earlier mount, tried again at the next: {error}"
                    );
                }
            });
        }
        Ok(())
    }

    async fn resume(&self, intent: &Intent) -> Result<()> {
        match intent.kind.as_str() {
            ASIDE => {
                let aside: AsideObject = payload_from(intent)?;
                self.remove_aside(&aside.key, intent.id).await
            }
            RENAME_DIRECTORY => {
                let moved: DirectoryMove = payload_from(intent)?;
                let step = Step::of_word(&intent.state).ok_or_else(|| unreadable(intent))?;
                self.resume_move(intent.id, &moved, step).await
            }
            RENAME_FILE => self.resume_file_move(intent).await,
            _ => Err(unreadable(intent)),
        }
    }

    async fn resume_move(&self, id: IntentId, moved: &DirectoryMove, step: Step) -> Result<()> {
        let _claim = self.claims.claim(Mode::Exclusive, scopes_of(moved)).await;
        tracing::info!(from = moved.from, to = moved.to, step = step.word(), "going on with a rename");
        match step {
            Step::Copying => {
                self.copy_missing(moved).await?;
                self.advance_move(id, moved, Step::Deleting)?;
                self.delete_doubled(moved).await?;
            }
            Step::Deleting => self.delete_doubled(moved).await?,
            Step::Undoing => self.delete_doubled(&moved.backwards()).await?,
        }
        self.finish_intent(id)?;
        self.namespace.doubt(&self.namespace.root(), None);
        Ok(())
    }

    /// Copies what is not at its new name yet.
    async fn copy_missing(&self, moved: &DirectoryMove) -> Result<()> {
        let (old, new) = (self.list_all(&moved.from).await?, sizes(self.list_all(&moved.to).await?));
        let missing =
            old.into_iter().filter(|object| new.get(&moved.new_key(&object.key)) != Some(&object.size));
        stream::iter(missing.map(Ok))
            .try_for_each_concurrent(PARALLEL, |object| async move {
                let key = moved.new_key(&object.key);
                self.copy_object(&object_of(object), &key, WriteCondition::None, None).await.map(|_| ())
            })
            .await
    }

    /// Deletes every key below `from` whose counterpart is there.
    pub(super) async fn delete_doubled(&self, moved: &DirectoryMove) -> Result<()> {
        let (old, new) = (self.list_all(&moved.from).await?, sizes(self.list_all(&moved.to).await?));
        let doubled =
            old.into_iter().filter(|object| new.get(&moved.new_key(&object.key)) == Some(&object.size));
        self.delete_keys(doubled.map(|object| object.key).collect()).await
    }

    async fn list_all(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        let list = ListObjectsV2 {
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            ..ListObjectsV2::default()
        };
        let objects = pages::objects(&self.client, list).try_filter_map(|listed| async move {
            match listed {
                Listed::Object(object) => Ok(Some(object)),
                Listed::Prefix(_) => Ok(None),
            }
        });
        Ok(objects.try_collect().await?)
    }

    /// In batches; one by one where a batch cannot carry the keys, or failed.
    pub(super) async fn delete_keys(&self, keys: Vec<String>) -> Result<()> {
        let batches: Vec<Vec<String>> =
            keys.chunks(Limits::default().delete_keys_max).map(Vec::from).collect();
        stream::iter(batches.into_iter().map(Ok))
            .try_for_each_concurrent(BATCHES, |batch| async move { self.delete_batch(batch).await })
            .await
    }

    async fn delete_batch(&self, batch: Vec<String>) -> Result<()> {
        let delete = DeleteObjects {
            bucket: self.bucket.clone(),
            keys: batch.iter().map(|key| (key.clone(), None)).collect(),
            ..DeleteObjects::default()
        };
        let refused: Vec<String> = match self.client.send(&delete).await {
            Ok(output) => output.failed.into_iter().map(|failure| failure.key).collect(),
            Err(_) => batch,
        };
        stream::iter(refused.into_iter().map(Ok))
            .try_for_each_concurrent(PARALLEL, |key: String| async move { self.delete_object(&key).await })
            .await
    }
}

pub fn scopes_of(moved: &DirectoryMove) -> Vec<Scope> {
    vec![Scope::Below(moved.from.as_str().into()), Scope::Below(moved.to.as_str().into())]
}

pub fn object_of(listed: ListedObject) -> ObjectRef {
    ObjectRef {
        key: listed.key.into(),
        etag: listed.etag,
        last_modified: listed.last_modified,
        version: None,
        size: listed.size,
    }
}

fn sizes(objects: Vec<ListedObject>) -> HashMap<String, u64> {
    objects.into_iter().map(|object| (object.key, object.size)).collect()
}

pub fn payload_of(payload: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(payload).map_err(|error| Error::new(ErrorKind::Bug, error.to_string()))
}

pub fn payload_from<T: for<'de> Deserialize<'de>>(intent: &Intent) -> Result<T> {
    serde_json::from_value(intent.payload.clone()).map_err(|_| unreadable(intent))
}

pub fn unreadable(intent: &Intent) -> Error {
    let what =
        format!("the journal's intent {} ({} {}) cannot be read", intent.id.0, intent.kind, intent.state);
    Error::new(ErrorKind::Corrupt, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_to_their_new_prefix_and_back() {
        let moved = DirectoryMove { from: "a/b/".into(), to: "c/".into() };
        assert_eq!(moved.new_key("a/b/"), "c/");
        assert_eq!(moved.new_key("a/b/x/a/b/y"), "c/x/a/b/y");
        assert_eq!(moved.backwards().new_key("c/x"), "a/b/x");
    }

    #[test]
    fn steps_come_back_from_the_journal() {
        for step in [Step::Copying, Step::Deleting, Step::Undoing] {
            assert_eq!(Step::of_word(step.word()), Some(step));
        }
        assert_eq!(Step::of_word("dancing"), None);
        let moved = DirectoryMove { from: "a/".into(), to: "b/".into() };
        let intent = Intent {
            id: IntentId(1),
            kind: RENAME_DIRECTORY.into(),
            payload: payload_of(&moved).expect("serializes"),
            state: "copying".into(),
        };
        assert_eq!(payload_from::<DirectoryMove>(&intent).expect("comes back"), moved);
    }
}
