//! The connection under the protocol: paced like a distant line, and ended as a fault wants it.

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
}

impl Wire {
    pub fn new(stream: TcpStream, control: Control, line: Option<&Line>) -> Self {
        let up = line.map(|line| Paced::new(line.up.clone()));
        let down = line.map(|line| Paced::new(line.down.clone()));
        Self { stream, control, up, down }
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
        if self.control.word() == RESET {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
