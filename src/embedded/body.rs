//! Bodies on their way in and out: counted, and spoiled where a fault says so.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use s3s::StdError;
use tokio::time::{Sleep, sleep};

use super::faults::{Action, Ending};
use super::log::Record;
use super::wire::Control;

/// The connection ends here because a fault says so.
#[derive(Debug, thiserror::Error)]
#[error("a fault ends the connection")]
pub struct Dropped;

/// The body of a request.
pub struct Upload<B> {
    body: B,
    record: Record,
    /// Where a fault cuts it off, and how.
    cut: Option<(u64, Ending)>,
    control: Control,
    seen: u64,
}

impl<B> Upload<B> {
    pub fn new(body: B, record: Record, actions: &[(u64, Action)], control: Control) -> Self {
        let cut = actions.iter().find_map(|(_, action)| match action {
            Action::CutUpload { at, ending } => Some((*at, *ending)),
            _ => None,
        });
        Self { body, record, cut, control, seen: 0 }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Upload<B>
where
    StdError: From<B::Error>,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        if let Some((at, ending)) = self.cut
            && self.seen >= at
        {
            self.control.end(ending);
            return Poll::Ready(Some(Err(Box::new(Dropped))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.seen += data.len() as u64;
            self.record.received(data.len() as u64);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(StdError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a fault does to the body of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoiler {
    Cut { at: u64, ending: Ending },
    Stall { at: u64 },
    Trickle { bytes: u64, every: Duration },
    FlipBit { at: u64 },
    CloseAfter { ending: Ending },
}

impl Spoiler {
    fn of(action: &Action) -> Option<Self> {
        Some(match *action {
            Action::Cut { at, ending } => Self::Cut { at, ending },
            Action::Stall { at } => Self::Stall { at },
            Action::Trickle { bytes, every_milliseconds } => {
                Self::Trickle { bytes: bytes.max(1), every: Duration::from_millis(every_milliseconds) }
            }
            Action::FlipBit { at } => Self::FlipBit { at },
            Action::CloseAfter { ending } => Self::CloseAfter { ending },
            _ => return None,
        })
    }
}

/// The body of a reply. Holds the request's record: it is entered when the reply has gone out.
pub struct Reply {
    body: s3s::Body,
    record: Option<Record>,
    control: Control,
    spoilers: Vec<Spoiler>,
    sent: u64,
    /// Taken from `body`, not yet sent.
    rest: Bytes,
    pause: Option<Pin<Box<Sleep>>>,
}

/// What was written before a connection is cut needs a moment to leave.
const FLUSHING: Duration = Duration::from_millis(20);

impl Reply {
    pub fn new(body: s3s::Body, record: Record, actions: &[(u64, Action)], control: Control) -> Self {
        let spoilers = actions.iter().filter_map(|(_, action)| Spoiler::of(action)).collect();
        Self { spoilers, record: Some(record), ..Self::unlogged(body, control) }
    }

    /// Not part of the log: about the server itself.
    pub fn unlogged(body: s3s::Body, control: Control) -> Self {
        Self { body, record: None, control, spoilers: Vec::new(), sent: 0, rest: Bytes::new(), pause: None }
    }

    /// How many bytes may go out before something happens; an ending that is due is begun here.
    fn room(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, StdError>> {
        let mut room = u64::MAX;
        for spoiler in self.spoilers.clone() {
            match spoiler {
                Spoiler::Cut { at, ending } if self.sent >= at => return self.cut(cx, ending),
                Spoiler::Stall { at } if self.sent >= at => return Poll::Pending,
                Spoiler::Cut { at, .. } | Spoiler::Stall { at } => room = room.min(at - self.sent),
                Spoiler::Trickle { bytes, every } => {
                    ready!(self.pause(cx, every));
                    room = room.min(bytes);
                }
                Spoiler::FlipBit { .. } | Spoiler::CloseAfter { .. } => {}
            }
        }
        Poll::Ready(Ok(room))
    }

    fn cut(&mut self, cx: &mut Context<'_>, ending: Ending) -> Poll<Result<u64, StdError>> {
        ready!(self.pause(cx, FLUSHING));
        self.control.end(ending);
        Poll::Ready(Err(Box::new(Dropped)))
    }

    /// Pending for `time`, then ready once.
    fn pause(&mut self, cx: &mut Context<'_>, time: Duration) -> Poll<()> {
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(pause.as_mut().poll(cx));
        self.pause = None;
        Poll::Ready(())
    }

    fn flip(&self, data: Bytes) -> Bytes {
        let flips = self.spoilers.iter().filter_map(|spoiler| match spoiler {
            Spoiler::FlipBit { at } if (self.sent..self.sent + data.len() as u64).contains(at) => {
                Some(at - self.sent)
            }
            _ => None,
        });
        let mut changed: Option<Vec<u8>> = None;
        for at in flips {
            changed.get_or_insert_with(|| data.to_vec())[at as usize] ^= 1;
        }
        changed.map_or(data, Bytes::from)
    }

    fn ended(&self) {
        for spoiler in &self.spoilers {
            if let Spoiler::CloseAfter { ending } = spoiler {
                self.control.end(*ending);
            }
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.spoilers.is_empty() => return Poll::Ready(None),
                None => {
                    self.ended();
                    return Poll::Ready(None);
                }
            }
        }
        let room = if self.spoilers.is_empty() { u64::MAX } else { ready!(self.room(cx))? };
        let now = usize::try_from(room).unwrap_or(usize::MAX).min(self.rest.len());
        let data = self.rest.slice(..now);
        self.rest.advance(now);
        let data = if self.spoilers.is_empty() { data } else { self.flip(data) };
        self.sent += data.len() as u64;
        if let Some(record) = &self.record {
            record.sent(data.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.spoilers.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Spoiled or not, the reply promises the same length.
        let inner = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
