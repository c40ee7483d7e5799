//! The connection under the protocol: paced like a distant line, and ended as a fault wants it, or else so that the
//! other side hears the answer, also one that sends all of a body that nobody wants before it listens.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::faults::Ending;

/// Tells a connection from within a request how it shall end.
#[derive(Clone, Default)]
pub struct Control(Arc<AtomicU8>);

const OPEN: u8 = 0;
const FIN: u8 = 1;
const RESET: u8 = 2;

impl Control {
    /// From here on nothing is read any more, and the socket closes in this way.
    pub fn end(&self, ending: Ending) {
        let word = match ending {
            Ending::Fin => FIN,
            Ending::Reset => RESET,
        };
        self.0.store(word, Ordering::Release);
    }

    fn word(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

/// One direction of the line that all connections share.
pub struct Pace {
    bytes_per_second: u64,
    /// When the line has carried all that was put on it.
    free: Mutex<Instant>,
}

impl Pace {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free: Mutex::new(Instant::now()) }
    }

    /// Puts bytes on the line; they have arrived at the time returned.
    fn carry(&self, bytes: usize) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let mut free = self.free.lock();
        *free = (*free).max(Instant::now()) + takes;
        *free
    }

    /// A fiftieth of a second's worth at once, so that the line does not stutter.
    fn portion(&self) -> usize {
        usize::try_from(self.bytes_per_second / 50).unwrap_or(usize::MAX).max(1460)
    }
}

/// Both directions.
#[derive(Clone)]
pub struct Line {
    pub up: Arc<Pace>,
    pub down: Arc<Pace>,
}

impl Line {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { up: Arc::new(Pace::new(bytes_per_second)), down: Arc::new(Pace::new(bytes_per_second)) }
    }
}

/// A pace and the wait that it imposes.
struct Paced {
    pace: Arc<Pace>,
    wait: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(pace: Arc<Pace>) -> Self {
        Self { pace, wait: Box::pin(sleep_until(Instant::now())) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wait.as_mut().poll(cx)
    }

    fn carried(&mut self, bytes: usize) {
        let arrival = self.pace.carry(bytes);
        self.wait.as_mut().reset(arrival);
    }
}

pub struct Wire {
    stream: TcpStream,
    control: Control,
    up: Option<Paced>,
    down: Option<Paced>,
    /// Since this side has said all.
    lingering: Option<Lingering>,
}

/// How much of an unwanted body is read, and for how long: closing a socket with unread bytes sends RST, and that
/// takes from the peer what it has not read yet.
const LINGER_BYTES_MAX: usize = 256 << 20;
const LINGER: Duration = Duration::from_secs(10);

struct Lingering {
    left: usize,
    until: Pin<Box<Sleep>>,
    space: Box<[u8]>,
}

impl Lingering {
    fn new(time: Duration) -> Self {
        let until = Box::pin(sleep_until(Instant::now() + time));
        Self { left: LINGER_BYTES_MAX, until, space: vec![0; COPIED_BYTES_MAX].into() }
    }

    /// Ready when the peer has closed, or has had its chance to.
    fn poll(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        while self.left > 0 && self.until.as_mut().poll(cx).is_pending() {
            let mut unwanted = ReadBuf::new(&mut self.space);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut unwanted)) {
                Ok(()) if !unwanted.filled().is_empty() => {
                    self.left = self.left.saturating_sub(unwanted.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl Wire {
    pub fn new(stream: TcpStream, control: Control, line: Option<&Line>) -> Self {
        let up = line.map(|line| Paced::new(line.up.clone()));
        let down = line.map(|line| Paced::new(line.down.clone()));
        Self { stream, control, up, down, lingering: None }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.control.word() == RESET {
            // Closing a socket that lingers for no time sends RST. If it fails, a FIN must do.
            let _ = self.stream.set_zero_linger();
        }
    }
}

const COPIED_BYTES_MAX: usize = 64 << 10;

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.control.word() != OPEN {
            return Poll::Ready(Ok(()));
        }
        let Some(up) = &mut this.up else { return Pin::new(&mut this.stream).poll_read(cx, buf) };
        ready!(up.poll(cx));
        // Copying costs nothing beside the pace.
        let mut space = vec![0; up.pace.portion().min(buf.remaining()).min(COPIED_BYTES_MAX)];
        let mut portion = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut portion))?;
        let read = portion.filled().len();
        buf.put_slice(portion.filled());
        up.carried(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(down) = &mut this.down else { return Pin::new(&mut this.stream).poll_write(cx, bytes) };
        ready!(down.poll(cx));
        let portion = &bytes[..bytes.len().min(down.pace.portion())];
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, portion))?;
        down.carried(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.down.is_none() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.control.word() == RESET {
            return Poll::Ready(Ok(()));
        }
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        if this.control.word() == OPEN {
            let lingering = this.lingering.get_or_insert_with(|| Lingering::new(LINGER));
            ready!(lingering.poll(&mut this.stream, cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(listener.accept().await.unwrap().0, Control::default(), None), peer)
    }

    #[tokio::test]
    async fn what_was_said_is_heard_by_a_peer_that_goes_on_talking() {
        let (mut wire, mut peer) = pair().await;
        let server = async {
            wire.write_all(b"no").await.unwrap();
            wire.shutdown().await.unwrap();
            drop(wire);
        };
        let client = async move {
            peer.write_all(&vec![0; 16 << 20]).await.unwrap();
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).await.unwrap();
            heard
        };
        assert_eq!(tokio::join!(server, client).1, b"no");
    }

    #[tokio::test]
    async fn a_peer_that_neither_talks_nor_closes_is_left() {
        let (mut wire, _peer) = pair().await;
        let (begun, time) = (Instant::now(), Duration::from_millis(30));
        let mut lingering = Lingering::new(time);
        std::future::poll_fn(|cx| lingering.poll(&mut wire.stream, cx)).await;
        assert!(begun.elapsed() >= time);
    }

    #[tokio::test]
    async fn a_peer_that_never_stops_is_left() {
        let (mut wire, mut peer) = pair().await;
        let server = async {
            wire.shutdown().await.unwrap();
            drop(wire);
        };
        let client = async {
            let (piece, mut taken) = (vec![0; 1 << 20], 0);
            while peer.write_all(&piece).await.is_ok() {
                taken += piece.len();
            }
            taken
        };
        let taken = tokio::join!(server, client).1;
        assert!((LINGER_BYTES_MAX..LINGER_BYTES_MAX * 2).contains(&taken), "{taken}");
    }
}
