//! Bodies of requests, which can be sent again, and of replies, which stream once.
//!
//! Neither kind copies: a request hands its segments to the socket one after the other, a reply yields what the
//! socket gave. A reply's stream knows how many bytes it owes: one that ends early, stalls or fails yields an
//! error, and one whose checksum is known is verified at its end, so a silent end is always a whole body.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use super::{Error, ErrorKind};

/// What a request carries. Every kind can be sent again by a retry.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// Sent one after the other without being copied together.
    Segments(Arc<[Bytes]>),
    /// Read again by every attempt.
    Source(Arc<dyn BodySource>),
}

/// A replayable source of a known length, such as a range of a staged file.
pub trait BodySource: Send + Sync {
    /// Bytes that [`BodySource::open`] will yield.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Starts from the first byte again. An I/O error ends the request with `ErrorKind::Source`.
    fn open(&self) -> Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;
}

impl Body {
    /// Bytes that will be sent.
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Segments(segments) => segments.iter().map(|segment| segment.len() as u64).sum(),
            Self::Source(source) => source.len(),
        }
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Pieces of a reply as the transport hands them over.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// Sees every byte of a body and may object at its end.
pub(super) trait Verify: Send {
    fn update(&mut self, piece: &[u8]);
    fn finish(&mut self) -> Result<(), Error>;
}

/// The body of a streamed reply. Its length is checked against the headers: a stream that ends early, stalls
/// or fails yields an error, never a silent end.
pub struct ByteStream {
    pieces: Pieces,
    /// Bytes that the headers promised.
    expected: Option<u64>,
    seen: u64,
    no_progress: Duration,
    /// When the next piece was first asked for in vain.
    waiting_since: Option<Instant>,
    /// Armed at the first wait and then left alone: pieces come too often to arm it for each.
    alarm: Option<Pin<Box<Sleep>>>,
    verify: Option<Box<dyn Verify>>,
    /// What errors of this stream are about.
    operation: &'static str,
    resource: Arc<str>,
    request_ids: (Arc<str>, Arc<str>),
    ended: bool,
}

impl ByteStream {
    pub(super) fn new(pieces: Pieces, expected: Option<u64>, no_progress: Duration) -> Self {
        Self {
            pieces,
            expected,
            seen: 0,
            no_progress,
            waiting_since: None,
            alarm: None,
            verify: None,
            operation: "",
            resource: "".into(),
            request_ids: ("".into(), "".into()),
            ended: false,
        }
    }
    /// A reply that is already there.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let expected = Some(bytes.len() as u64);
        let pieces = futures_util::stream::iter((!bytes.is_empty()).then_some(Ok(bytes)));
        Self::new(Box::pin(pieces), expected, Duration::MAX)
    }
    pub(super) fn about(
        mut self,
        operation: &'static str,
        resource: &str,
        request_ids: (&str, &str),
    ) -> Self {
        self.operation = operation;
        self.resource = resource.into();
        self.request_ids = (request_ids.0.into(), request_ids.1.into());
        self
    }
    pub(super) fn verified_by(mut self, verify: Option<Box<dyn Verify>>) -> Self {
        self.verify = verify;
        self
    }

    /// Bytes promised by the headers; `None` for a reply of unknown length.
    pub fn content_length(&self) -> Option<u64> {
        self.expected
    }
    /// The next piece, or `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        StreamExt::next(self).await
    }
    /// Everything that is left; an error when it is more than `limit_bytes`.
    pub async fn collect(mut self, limit_bytes: usize) -> Result<Bytes, Error> {
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        self.within(first.len(), limit_bytes)?;
        let Some(second) = self.next().await.transpose()? else { return Ok(first) };
        let left = self.expected.map_or(0, |expected| expected.saturating_sub(self.seen));
        let hint = usize::try_from(left).unwrap_or(limit_bytes).min(limit_bytes);
        let mut whole = BytesMut::with_capacity(first.len() + second.len() + hint);
        whole.extend_from_slice(&first);
        let mut piece = second;
        loop {
            self.within(whole.len() + piece.len(), limit_bytes)?;
            whole.extend_from_slice(&piece);
            match self.next().await.transpose()? {
                Some(next) => piece = next,
                None => return Ok(whole.freeze()),
            }
        }
    }

    fn within(&self, len: usize, limit_bytes: usize) -> Result<(), Error> {
        if len <= limit_bytes {
            return Ok(());
        }
        Err(self.fault(ErrorKind::Corrupt, &format!("the reply is longer than {limit_bytes} bytes")))
    }
    fn fault(&self, kind: ErrorKind, message: &str) -> Error {
        self.dress(Error::new(kind, message))
    }
    fn dress(&self, error: Error) -> Error {
        error.about(self.operation, &self.resource).with_request_ids(&self.request_ids.0, &self.request_ids.1)
    }

    fn accept(&mut self, piece: Bytes) -> Result<Bytes, Error> {
        self.waiting_since = None;
        self.seen += piece.len() as u64;
        match self.expected {
            Some(expected) if self.seen > expected => {
                let message = format!("the body is longer than the {expected} bytes that were promised");
                Err(self.fault(ErrorKind::Corrupt, &message))
            }
            _ => {
                if let Some(verify) = &mut self.verify {
                    verify.update(&piece);
                }
                Ok(piece)
            }
        }
    }
    fn finish(&mut self) -> Result<(), Error> {
        match self.expected {
            Some(expected) if self.seen < expected => {
                let message = format!("the body ended after {} of {expected} bytes", self.seen);
                Err(self.fault(ErrorKind::Corrupt, &message))
            }
            _ => match self.verify.take() {
                Some(mut verify) => verify.finish().map_err(|error| self.dress(error)),
                None => Ok(()),
            },
        }
    }
    /// Ready once nothing has come for too long. Time in which nobody asked does not count.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let Some(due) = since.checked_add(self.no_progress) else { return Poll::Pending };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            ready!(alarm.as_mut().poll(context));
            if due <= Instant::now() {
                break;
            }
            alarm.as_mut().reset(due);
        }
        let seconds = self.no_progress.as_secs_f32();
        Poll::Ready(self.fault(ErrorKind::TimedOut, &format!("no byte came for {seconds} s")))
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let item = match this.pieces.as_mut().poll_next(context) {
            Poll::Ready(Some(Ok(piece))) => Some(this.accept(piece)),
            Poll::Ready(Some(Err(error))) => Some(Err(this.dress(error))),
            Poll::Ready(None) => this.finish().err().map(Err),
            Poll::Pending => Some(Err(ready!(this.poll_stall(context)))),
        };
        this.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(pieces: &'static [&'static str], expected: Option<u64>) -> ByteStream {
        let pieces =
            futures_util::stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))));
        ByteStream::new(Box::pin(pieces), expected, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn a_body_is_collected_within_its_limit() {
        assert_eq!(stream(&[], Some(0)).collect(0).await.expect("empty"), "");
        assert_eq!(stream(&["ab", "c", "def"], Some(6)).collect(6).await.expect("whole"), "abcdef");
        assert_eq!(stream(&["ab", "c", "def"], None).collect(6).await.expect("whole"), "abcdef");
        for limit in 0..6 {
            let error = stream(&["ab", "c", "def"], Some(6)).collect(limit).await.expect_err("too long");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }

    #[tokio::test]
    async fn a_single_piece_is_handed_on_without_a_copy() {
        let bytes = Bytes::from(vec![7; 100]);
        let collected = ByteStream::from_bytes(bytes.clone()).collect(100).await.expect("whole");
        assert_eq!(collected.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn a_promise_of_length_is_held_to_the_byte() {
        for expected in [5, 7] {
            let mut stream = stream(&["abc", "def"], Some(expected));
            let mut last = Ok(Bytes::new());
            while let Some(piece) = stream.next().await {
                last = piece;
            }
            assert_eq!(last.expect_err("a lie").kind(), ErrorKind::Corrupt, "{expected}");
            assert!(stream.next().await.is_none(), "an error is the end");
        }
    }

    #[tokio::test]
    async fn only_time_spent_waiting_counts_as_a_stall() {
        let pieces = futures_util::stream::unfold(0, |n| async move {
            let wait = if n < 3 { Duration::from_millis(60) } else { Duration::from_secs(3600) };
            tokio::time::sleep(wait).await;
            Some((Ok(Bytes::from_static(b"x")), n + 1))
        });
        let mut stream = ByteStream::new(Box::pin(pieces), None, Duration::from_millis(200));
        for _ in 0..3 {
            stream.next().await.expect("a piece").expect("in time");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let started = Instant::now();
        let error = stream.next().await.expect("an end").expect_err("a stall");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(started.elapsed() >= Duration::from_millis(190), "{:?}", started.elapsed());
    }
}
