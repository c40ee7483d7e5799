//! A request body on its way out: exact in length, and watched while it goes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::frames;
use crate::s3::Body;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

pub struct Outgoing {
    ready: VecDeque<Bytes>,
    pieces: Option<Pieces>,
    /// Bytes that are still owed.
    left: u64,
    progress: Arc<Progress>,
}

impl Outgoing {
    pub fn new(body: &Body) -> Self {
        let mut outgoing = Self::streamed(None, body.len());
        match body {
            Body::Empty => {}
            Body::Bytes(bytes) => outgoing.ready.extend(frames(bytes.clone())),
            Body::Segments(segments) => outgoing.ready.extend(segments.iter().cloned().flat_map(frames)),
            Body::Source(source) => outgoing.pieces = (!source.is_empty()).then(|| source.open()),
        }
        outgoing
    }
    pub fn streamed(pieces: Option<Pieces>, len: u64) -> Self {
        Self { ready: VecDeque::new(), pieces, left: len, progress: Arc::new(Progress::new(len == 0)) }
    }
    /// Stays readable while and after the body is sent.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(piece)));
            }
            let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
            match ready!(pieces.as_mut().poll_next(context)) {
                Some(Ok(piece)) => self.ready.extend(frames(piece)),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.pieces = None,
            }
        }
    }
    fn accept(&mut self, piece: io::Result<Bytes>) -> io::Result<Bytes> {
        let piece = piece?;
        let len = piece.len() as u64;
        self.left = self.left.checked_sub(len).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the source of the body is longer than it said")
        })?;
        self.progress.moved(len, self.left == 0);
        Ok(piece)
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let result = match ready!(self.poll_piece(context)) {
            Some(piece) => self.accept(piece),
            None if self.left == 0 => return Poll::Ready(None),
            None => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the source of the body is shorter than it said",
            )),
        };
        if let Err(error) = &result {
            self.progress.fail(error);
        }
        Poll::Ready(Some(result.map(Frame::data)))
    }
    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// How far a request body has come.
pub struct Progress {
    started: Instant,
    /// Microseconds after the start at which the first and the latest frame went.
    first: AtomicU64,
    latest: AtomicU64,
    bytes: AtomicU64,
    ended: AtomicBool,
    source_error: Mutex<Option<String>>,
    watch: OnceLock<Watch>,
}

/// Told whenever the socket took bytes of a request's body, and how many: those of its framing included.
pub type Watch = Arc<dyn Fn(u64) + Send + Sync>;

const NEVER: u64 = u64::MAX;

impl Progress {
    fn new(ended: bool) -> Self {
        Self {
            started: Instant::now(),
            first: AtomicU64::new(NEVER),
            latest: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            ended: AtomicBool::new(ended),
            source_error: Mutex::new(None),
            watch: OnceLock::new(),
        }
    }
    fn moved(&self, bytes: u64, ended: bool) {
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(NEVER - 1);
        self.first.fetch_min(now, Ordering::Relaxed);
        self.latest.store(now, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.ended.store(ended, Ordering::Relaxed);
        if let Some(watch) = self.watch.get() {
            watch(bytes);
        }
    }
    /// Once, before the body is sent.
    pub fn watched_by(&self, watch: &Watch) {
        let _first = self.watch.set(watch.clone());
    }
    fn fail(&self, error: &io::Error) {
        *self.source_error.lock() = Some(error.to_string());
    }
    /// The latest frame, or the start.
    pub fn latest(&self) -> Instant {
        self.started + Duration::from_micros(self.latest.load(Ordering::Relaxed))
    }
    pub fn has_begun(&self) -> bool {
        self.first.load(Ordering::Relaxed) != NEVER
    }
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
    /// Time in which the body moved: not counted by the deadline of the operation.
    pub fn moving(&self) -> Duration {
        let (first, latest) = (self.first.load(Ordering::Relaxed), self.latest.load(Ordering::Relaxed));
        Duration::from_micros(latest.saturating_sub(first))
    }
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
    /// What the source of the body said when it failed.
    pub fn source_error(&self) -> Option<String> {
        self.source_error.lock().clone()
    }
}
