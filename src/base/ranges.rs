//! Byte ranges of a file, half open, and sets of them.
//!
//! [`RangeSet`] keeps its ranges sorted, apart and not even touching, so that two sets of the same bytes are
//! equal and the number of ranges is the number of runs.

use std::collections::BTreeMap;

/// `start..end` in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}

impl ByteRange {
    pub fn new(start: u64, end: u64) -> Self {
        debug_assert!(start <= end);
        Self { start, end }
    }
    /// `len` bytes from `start`, saturating at the end of the number range.
    pub fn sized(start: u64, len: u64) -> Self {
        Self { start, end: start.saturating_add(len) }
    }
    pub fn len(self) -> u64 {
        self.end - self.start
    }
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
    /// The common part, or `None` if that is empty.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// A set of bytes as sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// Start → end.
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    pub fn insert(&mut self, range: ByteRange) {
        if range.is_empty() {
            return;
        }
        let ByteRange { mut start, mut end } = range;
        while let Some((&s, &e)) = self.ranges.range(..=end).next_back().filter(|&(_, &e)| e >= start) {
            self.ranges.remove(&s);
            (start, end) = (start.min(s), end.max(e));
        }
        self.ranges.insert(start, end);
    }

    pub fn remove(&mut self, range: ByteRange) {
        if range.is_empty() {
            return;
        }
        while let Some((&s, &e)) =
            self.ranges.range(..range.end).next_back().filter(|&(_, &e)| e > range.start)
        {
            self.ranges.remove(&s);
            if s < range.start {
                self.ranges.insert(s, range.start);
            }
            if e > range.end {
                self.ranges.insert(range.end, e);
            }
        }
    }

    /// Every byte of `range` is in the set; an empty range always is.
    pub fn covers(&self, range: ByteRange) -> bool {
        range.is_empty()
            || self.ranges.range(..=range.start).next_back().is_some_and(|(_, &e)| e >= range.end)
    }

    /// The parts of `within` that are in the set, ascending.
    pub fn overlaps(&self, within: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let first = self.ranges.range(..=within.start).next_back().map_or(within.start, |(&s, _)| s);
        let last = within.end.max(first);
        self.ranges
            .range(first..last)
            .filter_map(move |(&start, &end)| ByteRange { start, end }.intersect(within))
    }

    /// The parts of `within` that are not in the set, ascending.
    pub fn holes(&self, within: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let mut at = within.start;
        let end = ByteRange::new(within.end, within.end);
        self.overlaps(within).chain(std::iter::once(end)).filter_map(move |taken| {
            let hole = ByteRange { start: at, end: taken.start };
            at = taken.end;
            (hole.start < hole.end).then_some(hole)
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = ByteRange> + '_ {
        self.ranges.iter().map(|(&start, &end)| ByteRange { start, end })
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes in the set.
    pub fn total(&self) -> u64 {
        self.iter().map(ByteRange::len).sum()
    }
}

impl FromIterator<ByteRange> for RangeSet {
    fn from_iter<I: IntoIterator<Item = ByteRange>>(ranges: I) -> Self {
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().map(|&(s, e)| ByteRange::new(s, e)).collect()
    }

    fn pairs(ranges: impl Iterator<Item = ByteRange>) -> Vec<(u64, u64)> {
        ranges.map(|r| (r.start, r.end)).collect()
    }

    #[test]
    fn touching_ranges_become_one() {
        assert_eq!(set(&[(0, 4), (8, 12), (4, 8)]), set(&[(0, 12)]));
        assert_eq!(set(&[(0, 4), (5, 6)]).iter().count(), 2);
    }

    #[test]
    fn removing_from_the_middle_leaves_two_ends() {
        let mut ranges = set(&[(0, 10), (20, 30)]);
        ranges.remove(ByteRange::new(4, 25));
        assert_eq!(pairs(ranges.iter()), [(0, 4), (25, 30)]);
    }

    #[test]
    fn holes_and_overlaps_share_out_the_range() {
        let ranges = set(&[(2, 4), (6, 8)]);
        let within = ByteRange::new(3, 10);
        assert_eq!(pairs(ranges.overlaps(within)), [(3, 4), (6, 8)]);
        assert_eq!(pairs(ranges.holes(within)), [(4, 6), (8, 10)]);
        assert_eq!(pairs(ranges.holes(ByteRange::new(2, 4))), []);
        assert_eq!(pairs(ranges.overlaps(ByteRange::new(3, 3))), []);
        assert!(ranges.covers(ByteRange::new(6, 8)) && !ranges.covers(ByteRange::new(3, 7)));
        assert!(ranges.covers(ByteRange::new(100, 100)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_single_bytes(
            steps in prop::collection::vec((any::<bool>(), 0u64..64, 0u64..16), 0..40),
            start in 0u64..64, len in 0u64..40,
        ) {
            let (mut ranges, mut bytes) = (RangeSet::default(), std::collections::BTreeSet::new());
            for (add, at, n) in steps {
                let range = ByteRange::sized(at, n);
                if add { ranges.insert(range) } else { ranges.remove(range) }
                for byte in at..at + n {
                    if add { bytes.insert(byte); } else { bytes.remove(&byte); }
                }
            }
            prop_assert_eq!(ranges.total(), bytes.len() as u64);
            let ends: Vec<_> = ranges.iter().collect();
            prop_assert!(ends.windows(2).all(|pair| pair[0].end < pair[1].start));
            let within = ByteRange::sized(start, len);
            let inside: Vec<u64> = ranges.overlaps(within).flat_map(|r| r.start..r.end).collect();
            let outside: Vec<u64> = ranges.holes(within).flat_map(|r| r.start..r.end).collect();
            let (want_in, want_out): (Vec<u64>, Vec<u64>) = (start..start + len).partition(|b| bytes.contains(b));
            prop_assert_eq!(ranges.covers(within), want_out.is_empty());
            prop_assert_eq!((inside, outside), (want_in, want_out));
        }
    }
}
