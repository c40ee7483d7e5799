//! Renames of directories: one step for every process on the mount, many requests for the store.
//!
//! 1. Claim both trees, so that nothing changes below them meanwhile.
//! 2. Look before anything moves: keys that no path can name, new keys that are too long, objects that are locked.
//! 3. Write the intent, copy everything in parallel; a failure undoes the copies.
//! 4. Switch the names, in one step.
//! 5. Delete the old keys. From here on there is no way back: what fails goes on at the next mount.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::remove::unnameable;
use super::rename::{Move, Target};
use crate::fs::claims::Mode;
use crate::fs::content::{Content, File};
use crate::fs::intent::{DirectoryMove, PARALLEL, Step, object_of, scopes_of};
use crate::fs::support::text_of;
use crate::fs::{Error, ErrorKind, FileSystem, Result};
use crate::namespace::{Node, Standing, name};
use crate::s3::ObjectRef;
use crate::s3::ops::{ListedObject, WriteCondition};
use crate::write::{Expected, IntentId};

impl FileSystem {
    pub(super) async fn rename_directory(&self, wanted: Move<'_>) -> Result<()> {
        let moved = DirectoryMove {
            from: wanted.node.key().to_string(),
            to: self.key_of_new_directory(&wanted.new_parent, wanted.new_name)?,
        };
        if moved.from == moved.to {
            return Ok(());
        }
        if moved.to.starts_with(&moved.from) {
            return Err(Error::new(ErrorKind::Invalid, "a directory cannot move into itself"));
        }
        let _claim = self.claims.claim(Mode::Exclusive, scopes_of(&moved)).await;
        if *wanted.node.key() != *moved.from || wanted.node.is_unlinked() {
            return Err(ErrorKind::NotFound.into());
        }
        self.make_way(&wanted).await?;
        self.publish_edits_below(&moved.from).await?;
        let objects = self.objects_below(&wanted.node).await?;
        self.check_objects(&moved, &objects).await?;
        self.keep_directory(&wanted.parent, &wanted.node).await?;

        let intent = self.begin_move(&moved)?;
        let copies = match self.copy_all(&moved, &objects).await {
            Ok(copies) => copies,
            Err(error) => return Err(self.undo_move(intent, &moved, error).await),
        };
        self.switch(&wanted, &moved, &copies)?;
        self.advance_move(intent, &moved, Step::Deleting)?;
        self.delete_old(intent, objects).await;
        Ok(())
    }

    /// An empty directory may be replaced, nothing else.
    async fn make_way(&self, wanted: &Move<'_>) -> Result<()> {
        let name = text_of(wanted.new_name)?;
        let Some(present) = self.namespace.lookup(&wanted.new_parent, name).await? else {
            return Ok(());
        };
        if wanted.target == Target::MustBeAbsent {
            return Err(ErrorKind::Exists.into());
        }
        if !present.is_directory() {
            return Err(ErrorKind::NotDirectory.into());
        }
        let contents = self.empty_contents(&present).await?;
        self.remove_directory_objects(&present, &contents).await
    }

    fn files_below(&self, prefix: &str) -> Vec<Arc<File>> {
        let below = |file: &Arc<File>| file.node.key().starts_with(prefix) && !file.node.is_unlinked();
        self.files.all().into_iter().filter(below).collect()
    }

    /// Edits of stored objects must be at the store to be copied. New files only change their target, later.
    async fn publish_edits_below(&self, prefix: &str) -> Result<()> {
        let has_base = |file: &Arc<File>| file.staged().is_some_and(|staged| staged.base().is_some());
        let edits: Vec<Arc<File>> = self.files_below(prefix).into_iter().filter(has_base).collect();
        stream::iter(edits.into_iter().map(Ok))
            .try_for_each_concurrent(PARALLEL, |file| async move { self.publish_claimed(&file).await })
            .await
    }

    async fn objects_below(&self, directory: &Arc<Node>) -> Result<Vec<ListedObject>> {
        let mut keys = self.namespace.keys_below(directory)?;
        let mut objects = Vec::new();
        while let Some(page) = keys.next().await? {
            objects.extend(page);
        }
        Ok(objects)
    }

    async fn check_objects(&self, moved: &DirectoryMove, objects: &[ListedObject]) -> Result<()> {
        if let Some(hidden) = first_hidden(&moved.from, objects) {
            return Err(unnameable(hidden));
        }
        if objects.iter().any(|object| moved.new_key(&object.key).len() > name::KEY_BYTES_MAX) {
            return Err(name::Error::TooLong.into());
        }
        if let Some(object) = objects.first() {
            self.guard.judge_unseen(&object.key)?;
        }
        if !self.guard.is_watchful() {
            return Ok(());
        }
        let objects: Vec<ObjectRef> = objects.iter().cloned().map(object_of).collect();
        stream::iter(objects.into_iter().map(Ok))
            .try_for_each_concurrent(PARALLEL, |object| async move {
                self.unlocked_object(Some(object)).await.map(|_| ())
            })
            .await
    }

    /// Old key → the copy.
    async fn copy_all(
        &self,
        moved: &DirectoryMove,
        objects: &[ListedObject],
    ) -> Result<HashMap<String, ObjectRef>> {
        let objects: Vec<ObjectRef> = objects.iter().cloned().map(object_of).collect();
        stream::iter(objects)
            .map(|object| async move {
                let key = moved.new_key(&object.key);
                let copy = self.copy_object(&object, &key, WriteCondition::None, None).await?;
                Ok((object.key.to_string(), copy))
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn undo_move(&self, intent: IntentId, moved: &DirectoryMove, cause: Error) -> Error {
        let backwards = DirectoryMove { from: moved.to.clone(), to: moved.from.clone() };
        let undone = async {
            self.advance_move(intent, moved, Step::Undoing)?;
            self.delete_doubled(&backwards).await?;
            self.finish_intent(intent)
        };
        if let Err(error) = undone.await {
            tracing::warn!(to = moved.to, "copies of a failed rename stay until the next mount: {error}");
        }
        cause
    }

    /// The one step that every process sees.
    fn switch(
        &self,
        wanted: &Move<'_>,
        moved: &DirectoryMove,
        copies: &HashMap<String, ObjectRef>,
    ) -> Result<()> {
        let files = self.files_below(&moved.from);
        self.namespace.renamed(&wanted.node, &wanted.new_parent, text_of(wanted.new_name)?, Standing::Stored);
        for copy in copies.values() {
            if let Some(node) = self.namespace.node_at(&copy.key) {
                self.namespace.updated(&node, copy.clone(), None);
            }
        }
        for file in files {
            self.follow_move(&file, moved, copies)?;
        }
        Ok(())
    }

    fn follow_move(
        &self,
        file: &Arc<File>,
        moved: &DirectoryMove,
        copies: &HashMap<String, ObjectRef>,
    ) -> Result<()> {
        match file.content() {
            Content::Clean(object) => {
                if let Some(copy) = copies.get(&*object.key) {
                    self.follow_copy(file, &object, copy);
                }
                Ok(())
            }
            Content::Staged(staged) => Ok(staged.retarget(&moved.new_key(&staged.key()), Expected::Absent)?),
            Content::Kept(_) => Ok(()),
        }
    }

    async fn delete_old(&self, intent: IntentId, objects: Vec<ListedObject>) {
        let deleted = self.delete_keys(objects.into_iter().map(|object| object.key).collect()).await;
        if let Err(error) = deleted.and_then(|()| self.finish_intent(intent)) {
            tracing::warn!(
                "old names of a renamed directory stay at the store until the next mount: {error}"
            );
        }
    }
}

/// The first key that no path below `directory` names: it would be left behind, or merged with another.
fn first_hidden<'a>(directory: &str, objects: &'a [ListedObject]) -> Option<&'a str> {
    let keys = || objects.iter().map(|object| object.key.as_str());
    let directories: HashSet<&str> = keys().flat_map(parents_of).collect();
    keys().find(|key| {
        let below = key.strip_prefix(directory).unwrap_or(key);
        (!below.is_empty() && name::reachable(below).is_err())
            || (!key.ends_with('/') && directories.contains(key))
    })
}

/// Every directory that a key implies, without its last slash.
fn parents_of(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(move |(at, _)| &key[..at])
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::s3::ETag;

    fn hidden(keys: &[&str]) -> Option<String> {
        let listed = |key: &&str| ListedObject::new(*key, ETag("e".into()), 0, SystemTime::UNIX_EPOCH);
        let objects: Vec<ListedObject> = keys.iter().map(listed).collect();
        first_hidden("d/", &objects).map(str::to_owned)
    }

    #[test]
    fn a_tree_of_names_can_move() {
        assert_eq!(hidden(&["d/", "d/.holdfs", "d/a", "d/b/", "d/b/c", "d/b-c"]), None);
        assert_eq!(hidden(&[]), None);
    }

    #[test]
    fn a_key_that_no_path_names_stays_where_it_is() {
        for key in ["d//x", "d/x//", "d/./x", "d/../x", "d/a\0b"] {
            assert_eq!(hidden(&["d/", key]).as_deref(), Some(key));
        }
        let long = format!("d/{}", "x".repeat(256));
        assert_eq!(hidden(&[&long]), Some(long));
        assert_eq!(hidden(&["d/a", "d/a/b"]).as_deref(), Some("d/a"), "hidden by the directory of its name");
    }
}
