//! Files: opened, created, released.
//!
//! An open of a name that is known asks the store whether it is still what we know (close-to-open). For a small file
//! that is about to be read, the question is the GET that brings its bytes. What a foreign writer put there in the
//! meantime is taken over if nobody has the file open; else the name goes to a new inode, the open answers ESTALE
//! once, and the kernel looks the name up again.

use std::ffi::OsStr;
use std::sync::Arc;

use crate::fs::ahead::SMALL_BYTES_MAX;
use crate::fs::content::{Content, File, Held};
use crate::fs::handle::FileHandle;
use crate::fs::seen::Seen;
use crate::fs::support::text_of;
use crate::fs::{
    Caller, EntryReply, Error, ErrorKind, FileKind, FileSystem, HandleId, NodeId, OpenFlags, Opened, Result,
    posix, seen,
};
use crate::namespace::{NewNode, Node, Standing};
use crate::read;
use crate::s3::ops::NewObject;
use crate::s3::{self, ObjectRef};
use crate::write::Origin;

impl FileSystem {
    /// Opens what needs no question: a file with local changes, or one that was fetched ahead a moment ago.
    pub fn open_now(&self, node: NodeId, flags: OpenFlags) -> Option<Result<Opened>> {
        if flags.writes() || flags.truncates() {
            return None;
        }
        let node = self.regular(node).ok()?;
        let is_local = self.files.get(node.id()).is_some_and(|file| self.is_local(&file));
        let fetched = if is_local { None } else { Some(self.fetched_unchanged(&node)?) };
        let file = self.hold(&node).ok()?;
        if let Some(seen) = fetched {
            pin_to_what_was_seen(&file, &seen.object);
            self.fetch_ahead(&node);
        }
        Some(Ok(self.hand_out(file, flags)))
    }

    pub async fn open_file(&self, node: NodeId, flags: OpenFlags) -> Result<Opened> {
        let node = self.regular(node)?;
        let changes = flags.writes() || flags.truncates();
        if changes {
            self.refuse_read_only()?;
        }
        let _claim = if changes { Some(self.claims.key(node.key()).await) } else { None };
        let file = self.hold(&node)?;
        if !self.is_local(&file) {
            self.validate(&file, changes).await?;
        }
        if changes {
            self.prepare_edit(&file).await?;
        }
        if flags.truncates() {
            self.edit(&file, |staged| staged.set_len(0)).await?;
        }
        let opened = self.hand_out(file, flags);
        if flags.truncates() {
            self.handles.file(opened.handle)?.wrote();
        }
        Ok(opened)
    }

    fn fetched_unchanged(&self, node: &Node) -> Option<Arc<Seen>> {
        let known = self.stored_object(node)?;
        self.ahead.take_if(&known.key, |seen| seen.object.same_content(&known))
    }

    /// Nobody else can know better: the file has local changes, or no name any more.
    fn is_local(&self, file: &File) -> bool {
        file.staged().is_some() || file.node.is_unlinked()
    }

    fn hand_out(&self, file: Held, flags: OpenFlags) -> Opened {
        let keep_cache = self.files.pages_are(file.node.id(), &file.content());
        let handle = self.handles.add_file(FileHandle::new(file, flags));
        Opened { handle, keep_cache, direct_io: false }
    }

    /// Is the name still what we know? Leaves the file as the store has it, or fails with `Stale`.
    async fn validate(&self, file: &Held, for_change: bool) -> Result<()> {
        while let Content::Clean(known) = file.content() {
            let answer = match for_change || known.size > SMALL_BYTES_MAX {
                true => self.memory.look_afresh(&known.key).await,
                false => self.look_and_fetch(&known).await,
            };
            if !file.with(|state| matches!(&state.content, Content::Clean(now) if *now == known)) {
                // Changed through this mount in the meantime: the answer is about what was before.
                continue;
            }
            let seen = match answer {
                Ok(seen) => seen,
                Err(error) if error.kind() == s3::ErrorKind::NoSuchKey => {
                    return Err(self.name_lost(&file.node));
                }
                Err(error) => return Err(error.into()),
            };
            if !for_change {
                self.fetch_ahead(&file.node);
            }
            return self.take_over(file, &known, &seen).await;
        }
        Ok(())
    }

    /// One GET that is the question and brings the bytes; answered by a fetch ahead where there is one. It joins no
    /// other open's GET: that one may have been answered before a writer ended whom this open has to see.
    async fn look_and_fetch(&self, known: &ObjectRef) -> s3::Result<Arc<Seen>> {
        if let Some(seen) = self.ahead.take_if(&known.key, |_| true) {
            return Ok(seen);
        }
        if let Some(flight) = self.ahead.flight(&known.key)
            && let Some(seen) = flight.landed(&self.clock).await
        {
            self.ahead.forget(&known.key);
            return Ok(seen);
        }
        fetch_small(self.read.clone(), self.memory.clone(), known.clone()).await
    }

    /// The store's word on a name, and what it means for those who have it open.
    async fn take_over(&self, file: &Held, known: &ObjectRef, seen: &Seen) -> Result<()> {
        let node = &file.node;
        if known.same_content(&seen.object) {
            pin_to_what_was_seen(file, &seen.object);
            return Ok(());
        }
        self.forget_seen(&known.key);
        let others = file.with(|state| state.handles > 1);
        if others {
            self.namespace.superseded(node, &seen.object, &seen.headers);
            return Err(Error::new(ErrorKind::Stale, "another writer replaced the file while it was open"));
        }
        file.with(|state| {
            state.content = Content::Clean(seen.object.clone());
            state.edit = None;
            state.mtime = None;
        });
        self.namespace.updated(node, seen.object.clone(), Some(&seen.headers));
        self.kernel.attributes_changed(node.id()).await;
        Ok(())
    }

    /// Somebody else removed the name. The kernel looks it up again and finds what there is now.
    pub(in crate::fs) fn name_lost(&self, node: &Arc<Node>) -> Error {
        self.forget_seen(&node.key());
        if let (Some(parent), Some(name)) = (node.parent(), node.name()) {
            self.namespace.doubt(&parent, Some(&name));
            self.kernel.entry_changed(parent.id(), &name);
        }
        Error::new(ErrorKind::Stale, "another writer removed the file")
    }

    /// The files that the listing says are next, if they are opened in its order.
    fn fetch_ahead(&self, node: &Arc<Node>) {
        let Some(parent) = node.parent() else {
            return;
        };
        let following =
            |count| self.namespace.siblings_after(node, count).iter().map(|node| node.id()).collect();
        for id in self.ahead.opened(parent.id(), node.id(), following) {
            if let Some(sibling) = self.namespace.node(id) {
                self.fetch_one_ahead(&sibling);
            }
        }
    }

    fn fetch_one_ahead(&self, node: &Arc<Node>) {
        let Some(object) = node.object().filter(|object| object.size <= SMALL_BYTES_MAX) else {
            return;
        };
        if self.files.get(node.id()).is_some() {
            return;
        }
        let (key, fetch) = (object.key.clone(), fetch_small(self.read.clone(), self.memory.clone(), object));
        if let Some(landing) = self.ahead.begin(key, async move { fetch.await.ok() }) {
            self.tasks.spawn("fetch ahead", landing);
        }
    }

    pub async fn create(
        &self,
        parent: NodeId,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
        caller: Caller,
    ) -> Result<(EntryReply, Opened)> {
        self.refuse_read_only()?;
        let parent = self.directory(parent)?;
        let key = self.key_of_new(&parent, name)?;
        let claim = self.claims.key(key.as_str()).await;
        if let Some(present) = self.child(&parent, text_of(name)?).await? {
            drop(claim);
            return self.open_present(&present, flags).await;
        }
        let origin = if flags.exclusive() { Origin::ExclusiveName } else { Origin::NewName };
        let file = self.make_file(&parent, name, &key, mode, origin, caller).await?;
        let entry = self.entry(&file.node);
        let handle = self.handles.add_file(FileHandle::new(file, flags));
        self.handles.file(handle)?.wrote();
        Ok((entry, Opened { handle, keep_cache: true, direct_io: false }))
    }

    async fn open_present(&self, node: &Arc<Node>, flags: OpenFlags) -> Result<(EntryReply, Opened)> {
        if flags.exclusive() {
            return Err(ErrorKind::Exists.into());
        }
        let opened = self.open_file(node.id(), flags).await?;
        Ok((self.entry(node), opened))
    }

    /// A new, empty file, staged and shown under its name.
    async fn make_file(
        &self,
        parent: &Arc<Node>,
        name: &OsStr,
        key: &str,
        mode: u32,
        origin: Origin,
        caller: Caller,
    ) -> Result<Held> {
        let attributes = posix::attributes_of_new(FileKind::File, mode, 0, caller, self.clock.wall());
        let stored = posix::of_new(&attributes, &self.options);
        let mut carried = new_object(key);
        if !stored.is_empty() {
            self.flag_directory(parent).await?;
            stored.encode_into(&mut carried.metadata);
        }
        let staged = self.writer()?.stage(key, None, carried, origin)?;
        let new = NewNode { attributes, object: None };
        let node = self.namespace.inserted(parent, text_of(name)?, new, Standing::Local);
        self.forget_seen(key);
        self.files.pages_follow(node.id(), None);
        Ok(self.files.hold(&node, || Content::Staged(staged)))
    }

    /// A file, fifo, socket or device: `mode` carries the type.
    pub async fn mknod(
        &self,
        parent: NodeId,
        name: &OsStr,
        mode: u32,
        rdev: u32,
        caller: Caller,
    ) -> Result<EntryReply> {
        self.refuse_read_only()?;
        let parent = self.directory(parent)?;
        match FileKind::from_mode(mode) {
            None | Some(FileKind::File) => self.make_empty(&parent, name, mode, caller).await,
            Some(FileKind::Directory | FileKind::Symlink) => Err(ErrorKind::Invalid.into()),
            Some(kind) => self.make_special(&parent, name, kind, mode, rdev, caller).await,
        }
    }

    async fn make_empty(
        &self,
        parent: &Arc<Node>,
        name: &OsStr,
        mode: u32,
        caller: Caller,
    ) -> Result<EntryReply> {
        let key = self.key_of_new(parent, name)?;
        let file = {
            let _claim = self.claims.key(key.as_str()).await;
            if self.child(parent, text_of(name)?).await?.is_some() {
                return Err(ErrorKind::Exists.into());
            }
            self.make_file(parent, name, &key, mode, Origin::ExclusiveName, caller).await?
        };
        self.publish(&file).await?;
        Ok(self.entry(&file.node))
    }

    /// Seals what a mapping wrote after the last flush. Its error reaches nobody but the log and
    /// `user.holdfs.error`.
    pub async fn release(&self, _node: NodeId, handle: HandleId) {
        let Some(handle) = self.handles.remove_file(handle) else {
            return;
        };
        if handle.take_unflushed()
            && let Err(error) = self.publish(&handle.file).await
        {
            tracing::warn!(key = %handle.file.node.key().escape_debug(), "after its last close: {error}");
        }
        self.clean_up_unlinked(&handle.file).await;
    }
}

/// The GET of a small object, or the store's word that what is in memory is still it.
async fn fetch_small(
    read: Arc<read::Engine>,
    memory: Arc<seen::Memory>,
    known: ObjectRef,
) -> s3::Result<Arc<Seen>> {
    let cached = read.has_whole(&known).then(|| known.etag.clone());
    match read.fetch_whole(&known.key, cached).await {
        Ok(fetched) => Ok(memory.remember(fetched.object, fetched.headers)),
        Err(error) if error.kind() == s3::ErrorKind::NotModified => {
            Ok(Arc::new(Seen { object: known, headers: Arc::default() }))
        }
        Err(error) => Err(error),
    }
}

/// The same bytes, and more is known of them: a listing does not tell the version.
fn pin_to_what_was_seen(file: &File, seen: &ObjectRef) {
    file.with(|state| match &state.content {
        Content::Clean(object) if state.handles == 1 && object.same_content(seen) => {
            state.content = Content::Clean(seen.clone());
        }
        _ => {}
    });
}

/// What a new file is given: the content type that its name suggests.
pub(in crate::fs) fn new_object(key: &str) -> NewObject {
    let mut object = NewObject::default();
    object.content.content_type = mime_guess::from_path(key).first_raw().map(str::to_owned);
    object
}
