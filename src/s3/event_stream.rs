//! Frames in which SelectObjectContent answers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>
//!
//! ```text
//! total length u32 │ headers length u32 │ CRC32 of these 8 bytes │ headers │ payload │ CRC32 of all before
//! ```
//!
//! All numbers are big-endian. Lengths are believed once their checksum fits, and bounded even then.

use bytes::{Buf, Bytes, BytesMut};

use super::{Error, Result};
use crate::base::digest::crc32;

const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
const FRAME_BYTES_MAX: usize = 24 << 20;
const HEADERS_BYTES_MAX: usize = 128 << 10;

/// One message: its headers by name, and its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Values that are text; the other types are read and dropped, since S3 sends none.
    pub headers: Vec<(String, String)>,
    /// What the message carries.
    pub payload: Bytes,
}

impl Frame {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Takes pieces as they come and gives frames when they are whole.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Takes what has come.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Whether bytes wait for the rest of their frame.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole frame; `None` where more bytes are needed.
    pub fn frame(&mut self) -> Result<Option<Frame>> {
        let Some(lengths) = self.lengths()? else { return Ok(None) };
        if self.buffer.len() < lengths.total {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(lengths.total).freeze();
        let stated = frame.split_off(lengths.total - CHECKSUM_BYTES);
        if crc32(&frame).to_be_bytes() != stated[..] {
            return Err(torn("the checksum of a frame is wrong"));
        }
        frame.advance(PRELUDE_BYTES);
        let headers = headers(frame.split_to(lengths.headers))?;
        Ok(Some(Frame { headers, payload: frame }))
    }

    fn lengths(&self) -> Result<Option<Lengths>> {
        let Some(prelude) = self.buffer.get(..PRELUDE_BYTES) else { return Ok(None) };
        let (mut numbers, mut stated) = prelude.split_at(8);
        if crc32(numbers) != stated.get_u32() {
            return Err(torn("the checksum of a frame's lengths is wrong"));
        }
        let (total, headers) = (numbers.get_u32() as usize, numbers.get_u32() as usize);
        let least = PRELUDE_BYTES + CHECKSUM_BYTES + headers;
        if total > FRAME_BYTES_MAX || headers > HEADERS_BYTES_MAX || total < least {
            return Err(torn("the lengths of a frame make no sense"));
        }
        Ok(Some(Lengths { total, headers }))
    }
}

struct Lengths {
    total: usize,
    headers: usize,
}

fn torn(why: &str) -> Error {
    Error::decode(format!("The stream of events is torn: {why}."))
}

/// Name length u8, name, type u8, value.
fn headers(mut bytes: Bytes) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.get_u8().into();
        let name = text(take(&mut bytes, length)?)?;
        if let Some(value) = value(&mut bytes)? {
            headers.push((name, value));
        }
    }
    Ok(headers)
}

/// `None` for a value that is no text.
fn value(bytes: &mut Bytes) -> Result<Option<String>> {
    const TEXT: u8 = 7;
    let kind = take(bytes, 1)?[0];
    let length = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        6 | TEXT => take(bytes, 2)?.get_u16().into(),
        9 => 16,
        _ => return Err(torn("a header has an unknown type")),
    };
    let value = take(bytes, length)?;
    if kind == TEXT { text(value).map(Some) } else { Ok(None) }
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes> {
    if bytes.len() < length {
        return Err(torn("a header ends in the middle"));
    }
    Ok(bytes.split_to(length))
}

fn text(bytes: Bytes) -> Result<String> {
    String::from_utf8(bytes.into()).map_err(|_| torn("a header is not UTF-8"))
}

#[cfg(test)]
pub(in crate::s3) mod fixture {
    //! Frames as a server writes them.

    use super::crc32;

    pub(in crate::s3) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in headers {
            block.push(u8::try_from(name.len()).unwrap());
            block.extend(name.as_bytes());
            block.push(7);
            block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            block.extend(value.as_bytes());
        }
        raw(&block, payload)
    }

    pub(in crate::s3) fn raw(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
        let mut frame = total.to_be_bytes().to_vec();
        frame.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
        frame.extend(crc32(&frame).to_be_bytes());
        frame.extend(headers);
        frame.extend(payload);
        frame.extend(crc32(&frame).to_be_bytes());
        frame
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fixture::{frame, raw};
    use super::*;

    /// Of the third-party suite: a frame without headers, and one with a payload (`payload_no_headers`,
    /// `empty_message` of aws-smithy-eventstream).
    const EMPTY: &[u8] = &[0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];

    fn frames(mut bytes: &[u8], step: usize) -> Result<Vec<Frame>> {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(step.min(bytes.len()));
            decoder.push(piece);
            bytes = rest;
            while let Some(frame) = decoder.frame()? {
                frames.push(frame);
            }
        }
        assert!(decoder.is_empty());
        Ok(frames)
    }

    #[test]
    fn a_foreign_frame_is_read() {
        assert_eq!(frames(EMPTY, 3).unwrap(), [Frame::default()]);
        assert_eq!(raw(&[], &[]), EMPTY);
    }

    #[test]
    fn the_frames_of_the_sdks_are_read_or_refused() {
        let text = include_str!("../../tests/fixtures/aws/event-stream.json");
        let cases: std::collections::BTreeMap<String, String> =
            serde_json::from_str(text).expect("the fixture");
        assert_eq!(cases.len(), 11);
        for (name, hex) in cases {
            let bytes: Vec<u8> = (0..hex.len() / 2)
                .map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).expect("hex"))
                .collect();
            let read = frames(&bytes, bytes.len());
            match name.starts_with("valid") {
                true => assert_eq!(read.expect(&name).len(), 1, "{name}"),
                false => assert!(read.is_err(), "{name}: {read:?}"),
            }
        }
    }

    #[test]
    fn headers_of_every_type_are_passed_over() {
        let mut block = vec![1, b't', 0, 1, b'f', 1, 1, b'b', 2, 7, 1, b's', 3, 0, 1, 1, b'i', 4, 0, 0, 0, 1];
        block.extend([1, b'l', 5, 0, 0, 0, 0, 0, 0, 0, 1, 1, b'y', 6, 0, 2, 9, 9]);
        block.extend([1, b'd', 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        block.extend([[1, b'u', 9].as_slice(), &[0; 16]].concat());
        block.extend([1, b'x', 7, 0, 2, b'o', b'k']);
        let read = frames(&raw(&block, b"p"), 1).unwrap();
        assert_eq!(read[0].header("x"), Some("ok"));
        assert_eq!((read[0].headers.len(), &read[0].payload[..]), (1, &b"p"[..]));
    }

    #[test]
    fn torn_frames_are_refused() {
        let good = frame(&[(":event-type", "Records")], b"1,2\n");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(frames(&bad, 7).is_err(), "byte {at}");
        }
        for block in [&[1, b'a', 10][..], &[5, b'a'], &[1, b'a', 7, 0, 9], &[1, b'a'], &[1, 0xff, 7, 0, 0]] {
            assert!(frames(&raw(block, b""), 64).is_err(), "{block:?}");
        }
    }

    #[test]
    fn huge_lengths_are_not_waited_for() {
        let mut prelude = u32::MAX.to_be_bytes().to_vec();
        prelude.extend(0u32.to_be_bytes());
        prelude.extend(crc32(&prelude).to_be_bytes());
        assert!(frames(&prelude, 64).is_err());
    }

    proptest! {
        #[test]
        fn frames_survive_every_cut(payloads in proptest::collection::vec(any::<Vec<u8>>(), 0..5), step in 1..40usize) {
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(&[("n", "v")], payload)).collect();
            let read = frames(&stream, step).unwrap();
            prop_assert!(read.iter().map(|frame| &frame.payload[..]).eq(payloads.iter().map(Vec::as_slice)));
        }

        #[test]
        fn noise_never_panics(noise in any::<Vec<u8>>()) {
            let mut decoder = Decoder::default();
            decoder.push(&noise);
            let _ = decoder.frame();
        }
    }
}
