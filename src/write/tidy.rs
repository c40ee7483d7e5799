//! Keeps staging from filling the kernel's page cache.
//!
//! What a long writer stages is read once more, for the upload, and then perhaps never. Its pages would push out
//! what other programs use, and taking fresh memory for every page costs more than writing the page. So behind the
//! first bytes of a file, a part that the store holds is written out and its pages are given back, and the
//! writer's next ones are those same pages, still warm. Short files never get that far: they are gone before the
//! kernel would write them.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::view::Piece;
use crate::base::disk::File;
use crate::base::ranges::ByteRange;
use crate::base::tasks::Tasks;

/// Of every file these first bytes stay in the page cache.
const KEPT_BYTES: u64 = 64 << 20;
/// Ranges in the queue: a disk that is slower than the store is not waited for, the kernel copes by itself.
const QUEUED_MAX: usize = 32;

type Range = (Arc<dyn File>, ByteRange);

/// What is waiting to be written out; one thread at a time does it.
#[derive(Default)]
pub struct Tidy(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Range>,
    running: bool,
}

impl Tidy {
    /// The store holds these pieces of a file. Never waits.
    pub fn stored(self: &Arc<Self>, tasks: &Tasks, pieces: &[Piece]) {
        let start = {
            let mut state = self.0.lock();
            state.queue.extend(pieces.iter().filter_map(worth_it));
            let surplus = state.queue.len().saturating_sub(QUEUED_MAX);
            state.queue.drain(..surplus);
            let start = !state.running && !state.queue.is_empty();
            state.running |= start;
            start
        };
        if start {
            let tidy = self.clone();
            drop(tasks.spawn_blocking("write staged bytes out", move || tidy.run()));
        }
    }

    fn run(&self) {
        while let Some((file, range)) = self.next() {
            if let Err(error) = file.uncache(range) {
                tracing::warn!("a data file of the state directory cannot be written out: {error}");
            }
        }
    }

    fn next(&self) -> Option<Range> {
        let mut state = self.0.lock();
        let next = state.queue.pop_front();
        state.running = next.is_some();
        next
    }
}

fn worth_it(piece: &Piece) -> Option<Range> {
    let Piece::Local(extent) = piece else { return None };
    let range = extent.range.intersect(ByteRange::new(KEPT_BYTES, u64::MAX))?;
    Some((extent.file.clone(), range))
}
