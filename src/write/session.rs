//! A multipart upload that is under way, and which parts of it are good.
//!
//! A part counts only if nothing wrote to its range since its bytes began to be read: a write marks the parts it
//! touches, whether they are being sent or stored already.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::journal::record::{self, PartRecord};
use super::plan::{Part, Source};
use crate::base::ranges::ByteRange;
use crate::s3::ETag;
use crate::s3::ops::NewObject;

pub struct Session {
    pub key: String,
    pub upload_id: String,
    /// What the object is to be given, as it was when the upload was opened: it cannot be changed later.
    pub object: NewObject,
    parts: Mutex<BTreeMap<u32, State>>,
    settled: Notify,
    touched: AtomicUsize,
}

/// A part that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub range: ByteRange,
    pub etag: ETag,
    /// CRC-64/NVME of the bytes as they were sent; unknown for copies and for parts of a former process.
    pub checksum: Option<u64>,
    /// Algorithm and value as the store said them. An upload that announced a checksum is only completed by a store
    /// (MinIO) that is told those of its parts again.
    pub stored_checksum: Option<(String, String)>,
}

enum State {
    InFlight { range: ByteRange, touched: bool },
    Held(Held),
}

/// What became of a part that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// Its range was written to in the meantime.
    Stale,
}

impl Session {
    pub fn new(key: String, upload_id: String, object: NewObject) -> Self {
        let (parts, settled, touched) = (Mutex::default(), Notify::new(), AtomicUsize::new(0));
        Self { key, upload_id, object, parts, settled, touched }
    }

    /// The object that the upload becomes is given exactly this.
    pub fn is_given(&self, object: &NewObject) -> bool {
        record::new_object_text(&self.object) == record::new_object_text(object)
    }

    /// A part is about to be read and sent.
    pub fn begin(&self, number: u32, range: ByteRange) {
        self.parts.lock().insert(number, State::InFlight { range, touched: false });
    }

    /// The store has it.
    pub fn hold(&self, number: u32, held: Held) -> Verdict {
        let mut parts = self.parts.lock();
        let stale = matches!(parts.get(&number), Some(State::InFlight { touched: true, .. }));
        if stale {
            parts.remove(&number);
        } else {
            parts.insert(number, State::Held(held));
        }
        drop(parts);
        self.settled.notify_waiters();
        if stale { Verdict::Stale } else { Verdict::Good }
    }

    /// It could not be sent.
    pub fn fail(&self, number: u32) {
        self.parts.lock().remove(&number);
        self.settled.notify_waiters();
    }

    /// `range` was written to: parts there no longer count.
    pub fn touch(&self, range: ByteRange) {
        let mut parts = self.parts.lock();
        let mut lost = Vec::new();
        for (&number, state) in parts.iter_mut() {
            match state {
                State::InFlight { range: part, touched } => *touched |= part.intersect(range).is_some(),
                State::Held(held) if held.range.intersect(range).is_some() => lost.push(number),
                State::Held(_) => {}
            }
        }
        lost.iter().for_each(|number| drop(parts.remove(number)));
        self.touched.fetch_add(lost.len(), Ordering::Relaxed);
    }

    /// Parts that were sent in vain.
    pub fn lost(&self) -> usize {
        self.touched.load(Ordering::Relaxed)
    }

    /// Ranges of parts that are held or on their way, by number.
    pub fn taken(&self) -> BTreeMap<u32, ByteRange> {
        let parts = self.parts.lock();
        let range = |state: &State| match state {
            State::InFlight { range, touched } => (!touched).then_some(*range),
            State::Held(held) => Some(held.range),
        };
        parts.iter().filter_map(|(&number, state)| Some((number, range(state)?))).collect()
    }

    pub fn held(&self) -> BTreeMap<u32, Held> {
        let parts = self.parts.lock();
        let held = |state: &State| match state {
            State::Held(held) => Some(held.clone()),
            State::InFlight { .. } => None,
        };
        parts.iter().filter_map(|(&number, state)| Some((number, held(state)?))).collect()
    }

    /// As the journal keeps the parts that are held. (A copied one is as good as one that was sent.)
    pub fn records(&self) -> Vec<PartRecord> {
        let held = self.held().into_iter();
        let record = |(number, Held { range, etag, .. })| PartRecord {
            part: Part { number, range, source: Source::Put },
            etag: Some(etag),
        };
        held.map(record).collect()
    }

    pub fn stored_bytes(&self) -> u64 {
        self.held().values().map(|held| held.range.len()).sum()
    }

    /// Waits until no part is on its way.
    pub async fn settle(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if !self.parts.lock().values().any(|state| matches!(state, State::InFlight { .. })) {
                return;
            }
            settled.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(start: u64) -> Held {
        Held {
            range: ByteRange::sized(start, 8),
            etag: ETag("e".into()),
            checksum: None,
            stored_checksum: None,
        }
    }

    fn session() -> Session {
        Session::new("k".into(), "u".into(), NewObject::default())
    }

    #[test]
    fn a_part_that_was_written_to_while_it_was_sent_does_not_count() {
        let session = session();
        session.begin(1, ByteRange::sized(0, 8));
        session.begin(2, ByteRange::sized(8, 8));
        session.touch(ByteRange::new(7, 8));
        assert_eq!(session.taken().into_keys().collect::<Vec<_>>(), [2]);
        assert_eq!((session.hold(1, held(0)), session.hold(2, held(8))), (Verdict::Stale, Verdict::Good));
        assert_eq!(session.held().into_keys().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_stored_part_that_is_written_to_has_to_be_sent_again() {
        let session = session();
        session.begin(1, ByteRange::sized(0, 8));
        session.hold(1, held(0));
        session.touch(ByteRange::new(100, 200));
        assert_eq!((session.lost(), session.stored_bytes()), (0, 8));
        session.touch(ByteRange::new(0, 1));
        assert_eq!((session.lost(), session.stored_bytes()), (1, 0));
    }
}
