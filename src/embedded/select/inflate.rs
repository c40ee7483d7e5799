//! From the bytes of an object to plain ones, in bounded memory: a few bytes may become very many.

use std::io::Write;

use bzip2::{Decompress, Status};
use flate2::write::MultiGzDecoder;

use super::Fault;
use super::format::Compression;

/// Gets the plain bytes, piece by piece; says whether it needs more.
pub type Each<'e> = &'e mut dyn FnMut(&[u8]) -> Result<bool, Fault>;

/// Compressed bytes in, plain bytes out. Several streams behind one another are one.
pub enum Inflater {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Bzip2(Bzip2),
}

/// A kilobyte of gzip becomes a megabyte at most.
const STEP_BYTES: usize = 1024;
/// Of what bzip2 makes of even less.
const OUTPUT_BYTES: usize = 64 << 10;

impl Inflater {
    pub fn new(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Plain,
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Compression::Bzip2 => Self::Bzip2(Bzip2::new()),
        }
    }

    /// Says whether `each` wants more.
    pub fn push(&mut self, bytes: &[u8], each: Each<'_>) -> Result<bool, Fault> {
        match self {
            Self::Plain => each(bytes),
            Self::Gzip(decoder) => gunzip(decoder, bytes, each),
            Self::Bzip2(decoder) => decoder.push(bytes, each),
        }
    }

    pub fn finish(self, each: Each<'_>) -> Result<(), Fault> {
        match self {
            Self::Plain => Ok(()),
            Self::Gzip(decoder) => {
                let plain = decoder.finish().map_err(|error| broken_gzip(&error))?;
                each(&plain).map(drop)
            }
            Self::Bzip2(decoder) => decoder.finish(),
        }
    }
}

fn truncated() -> Fault {
    Fault::new("TruncatedInput", "The compressed object ends too early")
}

fn broken_gzip(error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => truncated(),
        _ => Fault::new("InvalidCompressionFormat", format!("The object is no GZIP: {error}")),
    }
}

fn gunzip(decoder: &mut MultiGzDecoder<Vec<u8>>, bytes: &[u8], each: Each<'_>) -> Result<bool, Fault> {
    for step in bytes.chunks(STEP_BYTES) {
        decoder.write_all(step).map_err(|error| broken_gzip(&error))?;
        let plain = std::mem::take(decoder.get_mut());
        if !plain.is_empty() && !each(&plain)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub struct Bzip2 {
    decoder: Decompress,
    output: Vec<u8>,
    /// Where one stream ends and another may begin.
    between: bool,
    begun: bool,
}

impl Bzip2 {
    fn new() -> Self {
        let output = Vec::with_capacity(OUTPUT_BYTES);
        Self { decoder: Decompress::new(false), output, between: true, begun: false }
    }

    fn push(&mut self, mut bytes: &[u8], each: Each<'_>) -> Result<bool, Fault> {
        while !bytes.is_empty() || !self.between {
            bytes = self.step(bytes)?;
            // There may be more inside where all the room was needed.
            let full = self.output.len() == self.output.capacity();
            if !self.output.is_empty() && !self.hand_over(each)? {
                return Ok(false);
            }
            if bytes.is_empty() && !full {
                break;
            }
        }
        Ok(true)
    }

    /// Takes what fits; what is made of it lies in the output.
    fn step<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Fault> {
        if self.between {
            (self.decoder, self.between, self.begun) = (Decompress::new(false), false, true);
        }
        let before = self.decoder.total_in();
        let status = self.decoder.decompress_vec(bytes, &mut self.output);
        let taken = usize::try_from(self.decoder.total_in() - before).unwrap_or(bytes.len());
        match status {
            Ok(Status::StreamEnd) => self.between = true,
            Ok(Status::MemNeeded) => {
                return Err(Fault::new("InternalError", "There is no memory for the dictionary of BZIP2"));
            }
            Ok(_) => {}
            Err(error) => {
                return Err(Fault::new(
                    "InvalidCompressionFormat",
                    format!("The object is no BZIP2: {error}"),
                ));
            }
        }
        Ok(&bytes[taken..])
    }

    fn hand_over(&mut self, each: Each<'_>) -> Result<bool, Fault> {
        let wants_more = each(&self.output)?;
        self.output.clear();
        Ok(wants_more)
    }

    fn finish(self) -> Result<(), Fault> {
        if self.between && self.begun { Ok(()) } else { Err(truncated()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(compression: Compression, packed: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        let (mut inflater, mut seen) = (Inflater::new(compression), Vec::new());
        let mut each = |bytes: &[u8]| {
            seen.extend_from_slice(bytes);
            Ok(true)
        };
        for piece in packed.chunks(piece) {
            inflater.push(piece, &mut each)?;
        }
        inflater.finish(&mut each)?;
        Ok(seen)
    }

    #[test]
    fn compressed_bytes_come_out_plain() {
        let plain = b"0123456789".repeat(100_000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&plain).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bzip2.write_all(&plain).unwrap();
        let packed =
            [(Compression::Gzip, gzip.finish().unwrap()), (Compression::Bzip2, bzip2.finish().unwrap())];
        for (compression, packed) in packed {
            for piece in [1, 100, 1 << 20] {
                assert_eq!(inflated(compression, &packed, piece).unwrap(), plain, "{compression:?} {piece}");
                let twice = [packed.clone(), packed.clone()].concat();
                assert_eq!(
                    inflated(compression, &twice, piece).unwrap(),
                    plain.repeat(2),
                    "{compression:?} {piece}"
                );
            }
            let code = |packed: &[u8]| inflated(compression, packed, 1000).unwrap_err().code;
            assert_eq!(code(b"nothing of the kind"), "InvalidCompressionFormat", "{compression:?}");
            assert_eq!(code(&packed[..packed.len() / 2]), "TruncatedInput", "{compression:?}");
        }
        assert_eq!(inflated(Compression::Bzip2, b"", 1).unwrap_err().code, "TruncatedInput");
    }

    #[test]
    fn who_needs_no_more_gets_no_more() {
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bzip2.write_all(&vec![0; 4 << 20]).unwrap();
        let packed = bzip2.finish().unwrap();
        let (mut inflater, mut seen) = (Inflater::new(Compression::Bzip2), 0);
        let more = inflater.push(&packed, &mut |bytes| {
            seen += bytes.len();
            Ok(false)
        });
        assert_eq!(more, Ok(false));
        assert!((1..1 << 20).contains(&seen), "{seen} bytes at once");
    }
}
