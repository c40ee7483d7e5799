//! How far a long sequential writer has come: what lies well behind it need not stay in the kernel's page cache.
//!
//! A file of gigabytes that is copied onto a mount would push everything else out of memory, and taking fresh memory
//! for each of its pages slows the writer down. The beginning of every run stays, so that small and middling files
//! are read back from memory. Pure.

use crate::base::ranges::ByteRange;

const MIB: u64 = 1 << 20;
/// Of every run these first bytes stay.
const KEPT_BYTES: u64 = 128 * MIB;
/// So far behind the writer nothing is on its way to us any more.
const DISTANCE_BYTES: u64 = 16 * MIB;
/// Given up at once.
const STEP_BYTES: u64 = 16 * MIB;

/// One handle's run of writes that follow each other.
#[derive(Debug, Default)]
pub struct Trail {
    end: u64,
    /// Up to here the run is kept or given up already.
    settled: u64,
}

impl Trail {
    /// Notes a write; `Some` is a range whose pages nobody is going to miss.
    pub fn wrote(&mut self, range: ByteRange) -> Option<ByteRange> {
        if range.start != self.end {
            self.settled = range.start + KEPT_BYTES;
        } else if self.settled == 0 {
            self.settled = KEPT_BYTES;
        }
        self.end = range.end;
        let until = self.end.saturating_sub(DISTANCE_BYTES);
        if until < self.settled + STEP_BYTES {
            return None;
        }
        let given_up = ByteRange::new(self.settled, until);
        self.settled = until;
        Some(given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut trail = Trail::default();
        let writes = (start..end).map(|mib| ByteRange::sized(mib * MIB, MIB));
        let given_up = writes.filter_map(|range| trail.wrote(range));
        given_up.map(|range| (range.start / MIB, range.end / MIB)).collect()
    }

    #[test]
    fn a_long_run_gives_up_what_lies_behind_its_beginning() {
        assert_eq!(run(0, 159), []);
        assert_eq!(run(0, 200), [(128, 144), (144, 160), (160, 176)]);
        assert_eq!(run(1000, 1161), [(1128, 1144)]);
    }

    #[test]
    fn a_writer_that_jumps_begins_anew() {
        let mut trail = Trail::default();
        for mib in 0..1000 {
            assert_eq!(trail.wrote(ByteRange::sized((999 - mib) * MIB, MIB)), None);
        }
    }
}
