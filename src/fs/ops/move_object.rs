//! A stored object goes to another key: a copy on the server, then the deletion of the original.
//!
//! Both steps are journalled (`file_move`), and what happened is known before anything is said about it: a deletion
//! whose answer was lost is looked into, and a copy is only withdrawn while the original is there.

use std::sync::Arc;

use super::rename::Move;
use crate::fs::content::{Content, File};
use crate::fs::file_move::{FileMove, Step};
use crate::fs::{Error, ErrorKind, FileSystem, Result};
use crate::s3::ops::{DeleteObject, WriteCondition};
use crate::s3::{ObjectRef, VersionId};
use crate::write::IntentId;

/// A rename whose copy is there.
struct Copied<'a> {
    file: Option<&'a Arc<File>>,
    moved: FileMove,
    intent: IntentId,
    from: ObjectRef,
    to: ObjectRef,
}

impl FileSystem {
    /// Returns what the new key holds. `replaced` is what it held before.
    pub(super) async fn move_object(
        &self,
        wanted: &Move<'_>,
        new_key: &str,
        condition: WriteCondition,
        replaced: Option<&ObjectRef>,
    ) -> Result<ObjectRef> {
        let node = &wanted.node;
        let file = self.files.get(node.id());
        if let Some(file) = &file {
            // An edit on its way: the store must have it before it can be copied.
            self.publish_claimed(file).await?;
        }
        let object = self.stored_object(node).ok_or(ErrorKind::NotFound)?;
        self.keep_directory(&wanted.parent, node).await?;
        self.keep_metadata_visible(wanted).await?;
        let moved = FileMove::new(&object, new_key, replaced);
        let intent = self.begin_file_move(&moved)?;
        let copied = match self.copy_object(&object, new_key, condition, None).await {
            Ok(copied) => copied,
            Err(error) => {
                self.finish_intent(intent)?;
                return Err(error);
            }
        };
        let moved = FileMove { copy: Some(copied.etag.0.to_string()), ..moved };
        let copied = Copied { file: file.as_ref(), moved, intent, from: object, to: copied };
        self.remove_original(copied).await
    }

    async fn remove_original(&self, copied: Copied<'_>) -> Result<ObjectRef> {
        self.advance_file_move(copied.intent, &copied.moved, Step::Deleting)?;
        if let Some(file) = copied.file {
            self.follow_copy(file, &copied.from, &copied.to);
        }
        if let Err(error) = self.delete_object(&copied.from.key).await
            && self.is_still_there(&copied.from).await
        {
            self.withdraw_copy(&copied, error.kind()).await;
            return Err(error);
        }
        self.finish_intent(copied.intent)?;
        Ok(copied.to)
    }

    /// The deletion failed, or its answer was lost. What cannot be found out counts as there.
    async fn is_still_there(&self, object: &ObjectRef) -> bool {
        match self.look_if_there(&object.key).await {
            Ok(seen) => seen.is_some_and(|seen| seen.object.etag == object.etag),
            Err(_) => true,
        }
    }

    /// The original could not be removed: the rename did not happen. Where the copy destroyed what it replaced it stays,
    /// and both names have the file: for good where the store refused, else until the next mount goes on.
    async fn withdraw_copy(&self, copied: &Copied<'_>, cause: ErrorKind) {
        if let Some(file) = copied.file {
            self.follow_copy(file, &copied.to, &copied.from);
        }
        let kept_version = copied.to.version.clone().filter(|version| version.is_kept());
        let withdrawn = if kept_version.is_none() && copied.moved.replaces.is_some() {
            let may_pass = matches!(cause, ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::Corrupt);
            let error = || Error::new(cause, "it took the place of another object");
            if may_pass { Err(error()) } else { self.finish_intent(copied.intent) }
        } else {
            async {
                self.advance_file_move(copied.intent, &copied.moved, Step::Undoing)?;
                self.remove_copy(copied, kept_version).await?;
                self.finish_intent(copied.intent)
            }
            .await
        };
        if let Err(error) = withdrawn {
            tracing::warn!(
                from = %copied.from.key.escape_debug(), to = %copied.to.key.escape_debug(),
                "a rename failed half way, and both names have the file until the next mount: {error}"
            );
        }
    }

    /// Where there are versions, exactly the copy's: what it replaced is back then.
    async fn remove_copy(&self, copied: &Copied<'_>, version: Option<VersionId>) -> Result<()> {
        // An answer to the deletion may have been lost: the original has to be seen.
        match self.look_if_there(&copied.from.key).await? {
            Some(seen) if seen.object.etag == copied.from.etag => {}
            _ => return Err(Error::new(ErrorKind::Unavailable, "the original is not seen at its name")),
        }
        let delete = DeleteObject {
            bucket: self.bucket.clone(),
            key: copied.to.key.to_string(),
            version,
            ..DeleteObject::default()
        };
        self.forget_seen(&copied.to.key);
        Ok(self.client.send(&delete).await.map(drop)?)
    }

    /// The same bytes have another version now; handles and the kernel's pages go along.
    pub(in crate::fs) fn follow_copy(&self, file: &Arc<File>, from: &ObjectRef, to: &ObjectRef) {
        file.with(|state| {
            if matches!(&state.content, Content::Clean(object) if object == from) {
                state.content = Content::Clean(to.clone());
                state.edit = None;
            }
        });
        self.files.pages_moved(file.node.id(), from, to);
    }
}
