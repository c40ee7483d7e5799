//! One piece of an object in memory, or on its way there.
//!
//! ```text
//!   Expected ──▶ Filling ──▶ Ready
//!       │           │
//!       └───────────┴──▶ Failed (the store's word) · Aborted (nobody wanted it any more: ask again)
//! ```
//!
//! A slot is shared by the table of blocks, the download that fills it and whoever waits. Waiters say how far they
//! need it and are woken as soon as that much is there; those that need all of a block are woken once, and get
//! slices of it without a copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::base::budget::Permit;
use crate::base::buffer::Buffer;
use crate::base::ranges::ByteRange;
use crate::read::download::Control;
use crate::read::window::BLOCK_BYTES;
use crate::s3::{Error, ObjectRef};

/// An object that is being read or kept, under a short name.
pub struct Object {
    pub id: u64,
    pub named: ObjectRef,
}

/// Names a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub object: u64,
    /// Of a block the range of all of it, also at the end of the object.
    pub range: ByteRange,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Stays in memory while there is room.
    Block,
    /// Only for those who wait for it.
    Passing,
}

impl Key {
    pub fn of_block(object: u64, index: u64) -> Self {
        Self { object, range: ByteRange::sized(index * BLOCK_BYTES, BLOCK_BYTES), kind: Kind::Block }
    }

    pub fn passing(object: u64, range: ByteRange) -> Self {
        Self { object, range, kind: Kind::Passing }
    }
}

pub struct Slot {
    pub key: Key,
    pub object: Arc<Object>,
    /// What it holds, or will hold, of the object: a block may begin at its first byte that was wanted.
    pub covers: ByteRange,
    /// The download that fills it; `None` for bytes that came at once.
    pub control: Option<Arc<Control>>,
    /// No reader was given any of it yet.
    unread: AtomicBool,
    /// A stream has read it to its end.
    spent: AtomicBool,
    content: Mutex<Content>,
}

struct Content {
    state: State,
    waiters: Vec<(u64, Waker)>,
}

enum State {
    Expected,
    Filling { buffer: Buffer, permit: Permit },
    Ready(Bytes),
    Failed(Error),
    Aborted,
}

/// Why a slot has no bytes.
#[derive(Clone, Debug)]
pub enum Loss {
    Failed(Error),
    Aborted,
}

/// What [`Slot::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    Partly(usize),
    Whole(usize),
}

impl Slot {
    pub fn expected(key: Key, object: Arc<Object>, covers: ByteRange, control: Arc<Control>) -> Self {
        Self::new(key, object, covers, Some(control), State::Expected)
    }

    pub fn ready(key: Key, object: Arc<Object>, covers: ByteRange, bytes: Bytes) -> Self {
        debug_assert_eq!(bytes.len() as u64, covers.len());
        Self::new(key, object, covers, None, State::Ready(bytes))
    }

    fn new(
        key: Key,
        object: Arc<Object>,
        covers: ByteRange,
        control: Option<Arc<Control>>,
        state: State,
    ) -> Self {
        let content = Mutex::new(Content { state, waiters: Vec::new() });
        let (unread, spent) = (AtomicBool::new(true), AtomicBool::new(false));
        Self { key, object, covers, control, unread, spent, content }
    }

    /// Bytes that it holds, or will.
    pub fn size(&self) -> u64 {
        self.covers.len()
    }

    /// Of the object's bytes in this block it has all.
    pub fn is_whole_block(&self) -> bool {
        self.key.kind == Kind::Block && self.covers.start == self.key.range.start
    }

    pub fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    pub fn mark_spent(&self) {
        self.spent.store(true, Ordering::Relaxed);
    }

    /// The whole content, if it is there.
    pub fn whole(&self) -> Option<Bytes> {
        match &self.content.lock().state {
            State::Ready(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// `range`, which must lie within [`Slot::covers`], as soon as all of it is there.
    pub fn piece(&self, range: ByteRange) -> Option<Result<Bytes, Loss>> {
        let (from, to) = self.within(range);
        match &self.content.lock().state {
            State::Ready(bytes) => {
                self.unread.store(false, Ordering::Relaxed);
                Some(Ok(bytes.slice(from..to)))
            }
            State::Filling { buffer, .. } => {
                buffer.as_slice().get(from..to).map(|part| Ok(Bytes::copy_from_slice(part)))
            }
            State::Expected => None,
            State::Failed(error) => Some(Err(Loss::Failed(error.clone()))),
            State::Aborted => Some(Err(Loss::Aborted)),
        }
    }

    /// Waits for `range` as [`Slot::piece`] gives it.
    pub async fn wait(&self, range: ByteRange) -> Result<Bytes, Loss> {
        std::future::poll_fn(|context| self.poll_piece(context, range)).await
    }

    fn poll_piece(&self, context: &mut Context<'_>, range: ByteRange) -> Poll<Result<Bytes, Loss>> {
        if let Some(piece) = self.piece(range) {
            return Poll::Ready(piece);
        }
        let need = range.end - self.covers.start;
        let mut content = self.content.lock();
        if content.has(need) {
            drop(content);
            // What was there once stays, so this ends after one more look.
            return self.poll_piece(context, range);
        }
        content.waiters.retain(|(_, known)| !known.will_wake(context.waker()));
        content.waiters.push((need, context.waker().clone()));
        Poll::Pending
    }

    fn within(&self, range: ByteRange) -> (usize, usize) {
        debug_assert!(self.covers.contains(range));
        ((range.start - self.covers.start) as usize, (range.end - self.covers.start) as usize)
    }

    /// Gives an expected slot the memory to fill.
    pub fn begin(&self, buffer: Buffer, permit: Permit) {
        self.content.lock().state = State::Filling { buffer, permit };
    }

    pub fn needs_memory(&self) -> bool {
        matches!(self.content.lock().state, State::Expected)
    }

    /// Appends what it takes of `data`; the last byte makes it ready. Wakes whoever has enough now.
    pub fn fill(&self, data: &[u8]) -> Filled {
        let mut content = self.content.lock();
        let State::Filling { buffer, .. } = &mut content.state else { return Filled::Partly(0) };
        let taken = buffer.fill(data);
        let have = buffer.len() as u64;
        let whole = have == self.covers.len();
        if whole
            && let State::Filling { buffer, permit } = std::mem::replace(&mut content.state, State::Expected)
        {
            content.state = State::Ready(buffer.freeze(permit));
        }
        let woken = content.satisfied(have);
        drop(content);
        woken.into_iter().for_each(Waker::wake);
        if whole { Filled::Whole(taken) } else { Filled::Partly(taken) }
    }

    /// Ends a slot that is not ready; all its waiters learn why.
    pub fn lose(&self, loss: Loss) {
        let mut content = self.content.lock();
        if matches!(content.state, State::Ready(_)) {
            return;
        }
        let end = match loss {
            Loss::Failed(error) => State::Failed(error),
            Loss::Aborted => State::Aborted,
        };
        let unfinished = std::mem::replace(&mut content.state, end);
        let woken = content.satisfied(u64::MAX);
        drop(content);
        // Gives memory and permit back, outside of the lock.
        drop(unfinished);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Content {
    fn has(&self, need: u64) -> bool {
        match &self.state {
            State::Expected => false,
            State::Filling { buffer, .. } => buffer.len() as u64 >= need,
            State::Ready(_) | State::Failed(_) | State::Aborted => true,
        }
    }

    /// Takes out those who wait for no more than `have` bytes.
    fn satisfied(&mut self, have: u64) -> Vec<Waker> {
        self.waiters.extract_if(.., |(need, _)| *need <= have).map(|(_, waker)| waker).collect()
    }
}
