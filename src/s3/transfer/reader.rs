//! What readers give, cut into pieces that are full: a pipe gives 64 KiB at a time, and a piece that holds few bytes
//! takes up the memory of a whole one for as long as it waits to be sent.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{FutureExt as _, Stream, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::sync::mpsc;

/// Bytes of every piece but the last.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that were read on a thread and wait to be taken.
const PIECES_AHEAD: usize = 4;

/// What a reader gives until its end, in pieces of 1 MiB, the last of which may be shorter. An error of the reader
/// ends the stream; bytes that came right before it and fill no piece are lost.
pub fn pieces_of(reader: impl AsyncRead + Send + Unpin) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(Some(reader), async |reader| {
        let Some(mut reader) = reader else { return Ok(None) };
        let piece = read_piece(&mut reader).await?;
        let goes_on = piece.len() == PIECE_BYTES;
        Ok(if piece.is_empty() { None } else { Some((piece, goes_on.then_some(reader))) })
    })
}

/// The same of a reader that blocks, such as standard input: it is read on a thread of its own, a few pieces ahead, and
/// may wait for as long as it likes. The thread ends with the reader, or at its next piece after the stream is dropped.
pub fn pieces_of_blocking(
    reader: impl Read + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
    let (sender, mut receiver) = mpsc::channel(PIECES_AHEAD);
    std::thread::spawn(move || {
        let mut reader = Blocking(reader);
        loop {
            // Always ready: this reader never waits but in place.
            let piece = read_piece(&mut reader).now_or_never().unwrap_or_else(|| Ok(Bytes::new()));
            let is_last = piece.as_ref().map_or(true, |piece| piece.len() < PIECE_BYTES);
            let is_empty = piece.as_ref().is_ok_and(Bytes::is_empty);
            if is_empty || sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// Short, or empty, only at the end.
async fn read_piece(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut piece = BytesMut::with_capacity(PIECE_BYTES);
    while piece.len() < PIECE_BYTES {
        let room = PIECE_BYTES - piece.len();
        if reader.read_buf(&mut (&mut piece).limit(room)).await? == 0 {
            break;
        }
    }
    Ok(piece.freeze())
}

/// A reader that waits where it is asked.
struct Blocking<R>(R);

/// Nothing in it is ever pinned.
impl<R> Unpin for Blocking<R> {}

impl<R: Read> AsyncRead for Blocking<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.0.read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, TryStreamExt as _};

    use super::*;

    /// Gives a few bytes at a time, as a pipe does, and then its end or an error.
    struct Drops {
        left: usize,
        fails: bool,
    }

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let few = buffer.len().min(self.left).min(1000);
            if few == 0 && self.fails {
                return Err(io::Error::other("the pipe broke"));
            }
            self.left -= few;
            buffer[..few].fill(7);
            Ok(few)
        }
    }

    /// The sizes of the pieces, and how they end, by both ways.
    async fn sizes(left: usize, fails: bool) -> (Vec<usize>, Option<String>) {
        let drops = || Drops { left, fails };
        let waiting: Vec<_> = pieces_of(Blocking(drops())).collect().await;
        let blocking: Vec<_> = pieces_of_blocking(drops()).collect().await;
        let told = |pieces: Vec<io::Result<Bytes>>| {
            let sizes = pieces.iter().flatten().map(Bytes::len).collect::<Vec<_>>();
            (sizes, pieces.last().and_then(|piece| piece.as_ref().err()).map(ToString::to_string))
        };
        let waiting = told(waiting);
        assert_eq!(waiting, told(blocking));
        waiting
    }

    #[tokio::test]
    async fn pieces_are_full_however_little_comes_at_a_time() {
        assert_eq!(sizes(0, false).await, (vec![], None));
        assert_eq!(sizes(5, false).await, (vec![5], None));
        assert_eq!(sizes(PIECE_BYTES, false).await, (vec![PIECE_BYTES], None));
        assert_eq!(sizes(2 * PIECE_BYTES + 5, false).await, (vec![PIECE_BYTES, PIECE_BYTES, 5], None));
        let broke = Some("the pipe broke".to_owned());
        assert_eq!(sizes(0, true).await, (vec![], broke.clone()));
        assert_eq!(sizes(PIECE_BYTES + 5, true).await, (vec![PIECE_BYTES], broke));
    }

    #[tokio::test]
    async fn what_is_read_is_what_was_there() {
        let content: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|n| n as u8).collect();
        let pieces: Vec<Bytes> = pieces_of(io::Cursor::new(content.clone())).try_collect().await.unwrap();
        assert!(pieces.concat() == content);
        let pieces = pieces_of_blocking(io::Cursor::new(content.clone()));
        let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
        assert!(pieces.concat() == content);
    }
}
