//! Frames of an event stream: as they come, and with the right checksums around whatever is inside.

use crate::base::digest::crc32;
use crate::s3::event_stream::Decoder;

/// The first byte says in which pieces the rest comes, and, when it is odd, that the rest is frames' insides.
pub fn frames(input: &[u8]) {
    let Some((&way, rest)) = input.split_first() else { return };
    let stream = if way % 2 == 1 { sealed(rest) } else { rest.to_vec() };
    let whole = decoded(&stream, stream.len().max(1));
    let pieces = decoded(&stream, usize::from(way / 2) + 1);
    assert_eq!(whole, pieces, "how the stream is cut makes no difference");
}

/// What was decoded, or that it ended in an error.
fn decoded(stream: &[u8], step: usize) -> (Vec<crate::s3::event_stream::Frame>, bool) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in stream.chunks(step) {
        decoder.push(piece);
        loop {
            match decoder.frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

/// Every two bytes are the lengths of a frame's headers and payload, which follow.
fn sealed(mut rest: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let [headers, payload, inside @ ..] = rest {
        let headers = usize::from(*headers).min(inside.len());
        let length = (headers + usize::from(*payload)).min(inside.len());
        let start = stream.len();
        stream.extend((16 + length as u32).to_be_bytes());
        stream.extend((headers as u32).to_be_bytes());
        stream.extend(crc32(&stream[start..]).to_be_bytes());
        stream.extend(&inside[..length]);
        stream.extend(crc32(&stream[start..]).to_be_bytes());
        rest = &inside[length..];
    }
    stream
}
