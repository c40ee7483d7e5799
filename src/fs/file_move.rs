//! The journalled intent of one file's rename at the store: a copy, then a deletion.
//!
//! ```text
//!   copying ──the copy is there──▶ deleting ──the old key is gone──▶ (finished)
//!                                     └──the old key cannot be removed──▶ undoing ──the copy is gone──▶ (finished)
//! ```
//!
//! There is no way back where the copy took the place of another object: a store that was away goes on at the next mount.
//!
//! What a crash left is decided by what both keys hold then: [`decide`] is pure and its table stands in the tests.
//! An object is only ever removed while its counterpart is seen at the other name, and only if it is the one that
//! the intent names: so the file is at its old or at its new name, and nobody else's object is touched.

use serde::{Deserialize, Serialize};

use super::claims::{Mode, Scope};
use super::intent::{payload_from, payload_of, unreadable};
use super::seen::Seen;
use super::{FileSystem, Result};
use crate::s3::{self, ETag, ObjectRef};
use crate::write::{Intent, IntentId};

pub const RENAME_FILE: &str = "rename-file";

/// User metadata that a copy takes along, and no two written objects share.
pub const WRITE_ID: &str = "holdfs-write-id";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMove {
    pub from: String,
    /// Of the object that moves.
    pub etag: String,
    pub to: String,
    /// Of the object that had the new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Of the copy, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Copying,
    Deleting,
    Undoing,
}

const STEPS: [Step; 3] = [Step::Copying, Step::Deleting, Step::Undoing];

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Deleting => "deleting",
            Self::Undoing => "undoing",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        STEPS.into_iter().find(|step| step.word() == word)
    }
}

/// What one of the two keys holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    /// At the old key the object that was to move, at the new one its copy.
    TheFile,
    /// At the new key: what was there before.
    WhatWasThere,
    SomethingElse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    DeleteOld,
    DeleteCopy,
    /// Nothing is left to do, or somebody else took over.
    Leave,
}

/// What to do about a rename that ended half way.
pub fn decide(step: Step, old: Holds, new: Holds) -> Decision {
    match (step, old, new) {
        (Step::Copying | Step::Deleting, Holds::TheFile, Holds::TheFile) => Decision::DeleteOld,
        (Step::Undoing, Holds::TheFile, Holds::TheFile) => Decision::DeleteCopy,
        _ => Decision::Leave,
    }
}

impl FileMove {
    pub fn new(object: &ObjectRef, to: &str, replaces: Option<&ObjectRef>) -> Self {
        Self {
            from: object.key.to_string(),
            etag: object.etag.0.to_string(),
            to: to.to_owned(),
            replaces: replaces.map(|object| object.etag.0.to_string()),
            copy: None,
        }
    }

    fn old_holds(&self, seen: Option<&Seen>) -> Holds {
        match seen {
            None => Holds::Nothing,
            Some(seen) if is(&seen.object.etag, &self.etag) => Holds::TheFile,
            Some(_) => Holds::SomethingElse,
        }
    }

    fn new_holds(&self, seen: Option<&Seen>, old: Option<&Seen>) -> Holds {
        let Some(seen) = seen else {
            return Holds::Nothing;
        };
        if let Some(copy) = &self.copy {
            return if is(&seen.object.etag, copy) { Holds::TheFile } else { Holds::SomethingElse };
        }
        if self.replaces.as_ref().is_some_and(|replaces| is(&seen.object.etag, replaces)) {
            return Holds::WhatWasThere;
        }
        let is_copy = is(&seen.object.etag, &self.etag) || old.is_some_and(|old| same_write(old, seen));
        if is_copy { Holds::TheFile } else { Holds::SomethingElse }
    }
}

fn is(etag: &ETag, recorded: &str) -> bool {
    &*etag.0 == recorded
}

/// A copy can have another ETag (of an object stored in parts, or encrypted), but never another write id.
fn same_write(one: &Seen, other: &Seen) -> bool {
    let write_id = |seen: &Seen| seen.headers.metadata.get(WRITE_ID).cloned();
    one.object.size == other.object.size && write_id(one).is_some() && write_id(one) == write_id(other)
}

impl FileSystem {
    pub(super) fn begin_file_move(&self, moved: &FileMove) -> Result<IntentId> {
        let payload = payload_of(moved)?;
        Ok(self.writer()?.intents().begin_unsynced(RENAME_FILE, &payload, Step::Copying.word())?)
    }

    pub(super) fn advance_file_move(&self, id: IntentId, moved: &FileMove, step: Step) -> Result<()> {
        Ok(self.writer()?.intents().advance_unsynced(id, step.word(), &payload_of(moved)?)?)
    }

    pub(super) async fn resume_file_move(&self, intent: &Intent) -> Result<()> {
        let moved: FileMove = payload_from(intent)?;
        let step = Step::of_word(&intent.state).ok_or_else(|| unreadable(intent))?;
        let scopes = vec![Scope::Key(moved.from.as_str().into()), Scope::Key(moved.to.as_str().into())];
        let _claim = self.claims.claim(Mode::Exclusive, scopes).await;
        let old = self.look_if_there(&moved.from).await?;
        let new = self.look_if_there(&moved.to).await?;
        let holds = (moved.old_holds(old.as_deref()), moved.new_holds(new.as_deref(), old.as_deref()));
        let decision = decide(step, holds.0, holds.1);
        tracing::info!(from = moved.from, to = moved.to, ?decision, "a rename was left half way");
        match decision {
            Decision::DeleteOld => self.delete_object(&moved.from).await?,
            Decision::DeleteCopy if moved.replaces.is_none() => self.delete_object(&moved.to).await?,
            Decision::DeleteCopy | Decision::Leave => {}
        }
        self.finish_intent(intent.id)?;
        self.namespace.doubt(&self.namespace.root(), None);
        Ok(())
    }

    pub(super) async fn look_if_there(&self, key: &str) -> Result<Option<std::sync::Arc<Seen>>> {
        match self.memory.look_afresh(&key.into()).await {
            Ok(seen) => Ok(Some(seen)),
            Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::s3::ops::ObjectHeaders;

    fn seen(etag: &str, write_id: Option<&str>) -> Seen {
        let mut headers = ObjectHeaders::default();
        if let Some(write_id) = write_id {
            headers.metadata.insert(WRITE_ID.to_owned(), write_id.to_owned());
        }
        let object = ObjectRef {
            key: "k".into(),
            etag: ETag(etag.into()),
            last_modified: SystemTime::UNIX_EPOCH,
            version: None,
            size: 7,
        };
        Seen { object, headers: Arc::new(headers) }
    }

    #[test]
    fn an_object_is_removed_only_while_its_counterpart_is_there() {
        use Holds::*;
        let all = [Nothing, TheFile, WhatWasThere, SomethingElse];
        for step in STEPS {
            for (old, new) in all.into_iter().flat_map(|old| all.map(|new| (old, new))) {
                let expected = match (step, old, new) {
                    (Step::Undoing, TheFile, TheFile) => Decision::DeleteCopy,
                    (_, TheFile, TheFile) => Decision::DeleteOld,
                    _ => Decision::Leave,
                };
                assert_eq!(decide(step, old, new), expected, "{step:?} {old:?} {new:?}");
            }
            assert_eq!(Step::of_word(step.word()), Some(step));
        }
    }

    #[test]
    fn a_copy_is_known_by_its_etag_or_its_write_id() {
        let old = seen("o", Some("w"));
        let moved = FileMove::new(&old.object, "new", Some(&seen("before", None).object));
        let holds = |found: Seen| moved.new_holds(Some(&found), Some(&old));
        assert_eq!(holds(seen("o", None)), Holds::TheFile);
        assert_eq!(holds(seen("o-2", Some("w"))), Holds::TheFile, "copied in parts");
        assert_eq!(holds(seen("before", Some("w"))), Holds::WhatWasThere);
        assert_eq!(holds(seen("x", Some("other"))), Holds::SomethingElse);
        assert_eq!(holds(seen("x", None)), Holds::SomethingElse);
        assert_eq!(moved.new_holds(None, Some(&old)), Holds::Nothing);
        let copied = FileMove { copy: Some("c".into()), ..moved.clone() };
        assert_eq!(copied.new_holds(Some(&seen("c", None)), Some(&old)), Holds::TheFile);
        assert_eq!(copied.new_holds(Some(&seen("o", Some("w"))), Some(&old)), Holds::SomethingElse);
        assert_eq!(moved.old_holds(Some(&old)), Holds::TheFile);
        assert_eq!(moved.old_holds(Some(&seen("x", None))), Holds::SomethingElse);
    }
}
