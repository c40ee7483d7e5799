//! A scan range: the records that begin in it, told by the ends of lines alone.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ScanRange.html>

use super::Fault;

/// Which bytes of an object to read, and which of them to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where to begin to read.
    pub from: u64,
    /// What comes first belongs to the record before.
    skips: bool,
    /// The record that holds this byte is the last.
    last: u64,
    /// The next byte to come.
    at: u64,
    delimiter: u8,
}

impl Scan {
    /// `start` and `end` are inclusive; without a start, the last `end` bytes.
    pub fn new(start: Option<i64>, end: Option<i64>, len: u64, delimiter: u8) -> Result<Self, Fault> {
        let wrong = |message: &str| Fault::new("InvalidScanRange", message);
        let positive =
            |bound: i64| u64::try_from(bound).map_err(|_| wrong("A bound of the scan range is negative"));
        let (start, end) = (start.map(positive).transpose()?, end.map(positive).transpose()?);
        let (start, last) = match (start, end) {
            (None, None) => return Err(wrong("The scan range has neither start nor end")),
            (None, Some(tail)) => (len.saturating_sub(tail), len),
            (Some(start), None) => (start, len),
            (Some(start), Some(end)) => (start, end),
        };
        if start > last || start > len {
            return Err(wrong("The scan range begins behind its end, or behind that of the object"));
        }
        // The byte before tells whether a record begins at the start.
        let from = start.saturating_sub(1);
        Ok(Self { from, skips: start > 0, last, at: from, delimiter })
    }

    /// Whether the first line of the object lies before it.
    pub fn begins_later(&self) -> bool {
        self.skips
    }

    /// What of the next bytes to use, and whether more are needed.
    pub fn cut<'b>(&mut self, mut bytes: &'b [u8]) -> (&'b [u8], bool) {
        if self.skips {
            let Some(end) = bytes.iter().position(|byte| *byte == self.delimiter) else {
                self.at += bytes.len() as u64;
                return (&[], self.at <= self.last);
            };
            self.skips = false;
            self.at += end as u64 + 1;
            bytes = &bytes[end + 1..];
        }
        // The first record that begins behind the range.
        if self.at > self.last {
            return (&[], false);
        }
        let inside = usize::try_from(self.last - self.at).unwrap_or(usize::MAX).min(bytes.len());
        let end = bytes[inside..].iter().position(|byte| *byte == self.delimiter);
        self.at += bytes.len() as u64;
        match end {
            Some(end) => {
                let used = &bytes[..=inside + end];
                self.at = u64::MAX;
                (used, false)
            }
            None => {
                // The last record goes on.
                self.last = self.last.max(self.at);
                (bytes, true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"aa\nbbb\nc\ndddd";

    fn scanned(start: Option<i64>, end: Option<i64>, piece: usize) -> String {
        let mut scan = Scan::new(start, end, TEXT.len() as u64, b'\n').unwrap();
        let mut used = Vec::new();
        for piece in TEXT[scan.from as usize..].chunks(piece) {
            let (bytes, more) = scan.cut(piece);
            used.extend_from_slice(bytes);
            if !more {
                break;
            }
        }
        String::from_utf8(used).unwrap()
    }

    #[test]
    fn records_belong_to_the_range_that_they_begin_in() {
        let cases = [
            (Some(0), Some(0), "aa\n"),
            (Some(0), Some(2), "aa\n"),
            (Some(0), Some(3), "aa\nbbb\n"),
            (Some(1), Some(3), "bbb\n"),
            (Some(3), Some(6), "bbb\n"),
            (Some(4), Some(6), ""),
            (Some(4), Some(7), "c\n"),
            (Some(9), None, "dddd"),
            (Some(10), None, ""),
            (None, Some(5), "dddd"),
            (None, Some(100), "aa\nbbb\nc\ndddd"),
            (Some(0), Some(12), "aa\nbbb\nc\ndddd"),
        ];
        for (start, end, expected) in cases {
            for piece in [1, 2, 3, 100] {
                assert_eq!(scanned(start, end, piece), expected, "{start:?} {end:?} {piece}");
            }
        }
    }

    #[test]
    fn every_cut_of_the_object_gives_every_record_once() {
        for at in 0..TEXT.len() as i64 {
            let parts = [scanned(Some(0), Some(at), 2), scanned(Some(at + 1), Some(99), 3)];
            assert_eq!(parts.concat().as_bytes(), TEXT, "{at}");
        }
    }

    #[test]
    fn ranges_have_an_order() {
        let code = |start, end| Scan::new(start, end, 10, b'\n').map_or_else(|fault| fault.code, |_| "OK");
        for (start, end) in [(None, None), (Some(5), Some(4)), (Some(-1), None), (Some(11), None)] {
            assert_eq!(code(start, end), "InvalidScanRange", "{start:?} {end:?}");
        }
        assert_eq!(code(Some(10), Some(10)), "OK");
    }
}
