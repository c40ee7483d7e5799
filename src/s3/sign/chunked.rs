//! The `aws-chunked` encoding: a body in chunks, each signed where the transport is not to be trusted, with a
//! checksum behind the last byte.
//!
//! ```text
//! unsigned   10000␍␊ data ␍␊ … 0␍␊                      x-amz-checksum-crc64nvme:…␍␊ ␍␊
//! signed     10000;chunk-signature=…␍␊ data ␍␊ … 0;chunk-signature=…␍␊
//!            x-amz-checksum-crc64nvme:…␍␊ x-amz-trailer-signature:…␍␊ ␍␊
//! ```
//!
//! All chunks but the last are of one size, so the length of the encoding is known before its first byte. Frames
//! go between the pieces of the body, which are never copied.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::EMPTY_SHA256;
use super::header::Seed;
use super::key::Key;
use crate::base::digest::{self, Sha256};

/// Bytes of a chunk: one signature a mebibyte costs nothing; no store is known to refuse it.
pub const CHUNK_BYTES: u64 = 1 << 20;

const SIGNATURE_PREFIX: &str = ";chunk-signature=";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature:";
const HEX_SIGNATURE_BYTES: u64 = 64;
const CRLF: &[u8] = b"\r\n";

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The chain of signatures: each covers the one before.
pub struct Chain {
    key: Key,
    stamp: String,
    scope: String,
    previous: String,
}

impl Chain {
    /// From the signature of the request; `None` of Version 4A, whose chunks go unsigned.
    pub fn of(seed: Seed) -> Option<Self> {
        Some(Self { key: seed.key?, stamp: seed.stamp, scope: seed.scope, previous: seed.signature })
    }
    fn sign_chunk(&mut self, hash: &str) -> &str {
        self.sign("AWS4-HMAC-SHA256-PAYLOAD", &format!("{EMPTY_SHA256}\n{hash}"))
    }
    fn sign_trailer(&mut self, line: &str) -> &str {
        self.sign("AWS4-HMAC-SHA256-TRAILER", &digest::hex(&digest::sha256(line.as_bytes())))
    }
    fn sign(&mut self, algorithm: &str, rest: &str) -> &str {
        let text = format!("{algorithm}\n{}\n{}\n{}\n{rest}", self.stamp, self.scope, self.previous);
        self.previous = digest::hex(&self.key.mac(text.as_bytes()));
        &self.previous
    }
}

/// A checksum that is sent after the bytes.
pub trait Trailer: Send {
    /// `x-amz-checksum-…`
    fn name(&self) -> &'static str;
    /// Characters of the value.
    fn value_len(&self) -> u64;
    fn update(&mut self, piece: &[u8]);
    fn value(&self) -> String;
}

/// Bytes of the encoding of `len` bytes. `trailer` is the length of the name and that of the value.
pub fn encoded_len(len: u64, chunk_bytes: u64, signed: bool, trailer: Option<(u64, u64)>) -> u64 {
    let frame = |data: u64| {
        let digits = u64::from((64 - data.leading_zeros()).div_ceil(4).max(1));
        let signature = if signed { SIGNATURE_PREFIX.len() as u64 + HEX_SIGNATURE_BYTES } else { 0 };
        digits + signature + 2
    };
    let (whole, rest) = (len / chunk_bytes, len % chunk_bytes);
    let chunks = whole * (frame(chunk_bytes) + chunk_bytes + 2);
    let last = if rest > 0 { frame(rest) + rest + 2 } else { 0 };
    let trailer = trailer.map_or(0, |(name, value)| {
        let signature = if signed { TRAILER_SIGNATURE.len() as u64 + HEX_SIGNATURE_BYTES + 2 } else { 0 };
        name + 1 + value + 2 + signature
    });
    chunks + last + frame(0) + trailer + 2
}

/// Encodes a body on its way to the socket.
pub struct Encoder {
    pieces: Pieces,
    /// Bytes of the body that are not yet in a chunk.
    left: u64,
    chunk_bytes: u64,
    chain: Option<Chain>,
    trailer: Option<Box<dyn Trailer>>,
    /// What a chunk left of the latest piece.
    rest: Bytes,
    ready: VecDeque<Bytes>,
    ended: bool,
}

impl Encoder {
    /// `len` is what `pieces` will yield in all.
    pub fn new(pieces: Pieces, len: u64, chain: Option<Chain>, trailer: Option<Box<dyn Trailer>>) -> Self {
        Self {
            pieces,
            left: len,
            chunk_bytes: CHUNK_BYTES,
            chain,
            trailer,
            rest: Bytes::new(),
            ready: VecDeque::new(),
            ended: false,
        }
    }
    #[cfg(test)]
    pub fn with_chunks_of(self, chunk_bytes: u64) -> Self {
        Self { chunk_bytes, ..self }
    }
    pub fn encoded_len(&self) -> u64 {
        let trailer = self.trailer.as_ref().map(|trailer| (trailer.name().len() as u64, trailer.value_len()));
        encoded_len(self.left, self.chunk_bytes, self.chain.is_some(), trailer)
    }
    pub fn into_pieces(self) -> Pieces {
        Box::pin(futures_util::stream::unfold(self, |mut encoder| async move {
            let item = encoder.next().await?;
            Some((item, encoder))
        }))
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.ready.is_empty() && !self.ended {
            if self.left > 0 {
                if let Err(error) = self.encode_chunk().await {
                    self.ended = true;
                    return Some(Err(error));
                }
            } else {
                self.encode_end();
            }
        }
        self.ready.pop_front().map(Ok)
    }
    async fn encode_chunk(&mut self) -> io::Result<()> {
        let len = self.left.min(self.chunk_bytes);
        let pieces = self.gather(len).await?;
        self.left -= len;
        let frame = self.frame(len, &pieces);
        self.ready.push_back(frame.into());
        self.ready.extend(pieces);
        self.ready.push_back(Bytes::from_static(CRLF));
        Ok(())
    }
    fn encode_end(&mut self) {
        self.ended = true;
        let mut end = self.frame(0, &[]);
        if let Some(trailer) = self.trailer.take() {
            let line = format!("{}:{}", trailer.name(), trailer.value());
            end.push_str(&line);
            end.push_str("\r\n");
            if let Some(chain) = &mut self.chain {
                end.push_str(TRAILER_SIGNATURE);
                end.push_str(chain.sign_trailer(&format!("{line}\n")));
                end.push_str("\r\n");
            }
        }
        end.push_str("\r\n");
        self.ready.push_back(end.into());
    }
    /// The pieces of the next `len` bytes.
    async fn gather(&mut self, len: u64) -> io::Result<Vec<Bytes>> {
        let (mut pieces, mut missing) = (Vec::new(), len);
        while missing > 0 {
            if self.rest.is_empty() {
                self.rest = self.pieces.next().await.ok_or_else(ends_early)??;
            }
            let take = usize::try_from(missing).unwrap_or(usize::MAX).min(self.rest.len());
            let piece = self.rest.split_to(take);
            missing -= take as u64;
            if let Some(trailer) = &mut self.trailer {
                trailer.update(&piece);
            }
            pieces.push(piece);
        }
        Ok(pieces)
    }
    fn frame(&mut self, len: u64, pieces: &[Bytes]) -> String {
        match &mut self.chain {
            None => format!("{len:x}\r\n"),
            Some(chain) => {
                let mut sha = Sha256::new();
                pieces.iter().for_each(|piece| sha.update(piece));
                format!("{len:x}{SIGNATURE_PREFIX}{}\r\n", chain.sign_chunk(&digest::hex(&sha.finish())))
            }
        }
    }
}

fn ends_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the source of the body is shorter than it said")
}
