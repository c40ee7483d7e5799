//! From what changed to the requests that store it. Pure.
//!
//! A new object is cut by the [`Grid`]: parts whose sizes double every tenth of the part count, so that a stream of
//! unknown length reaches the largest object a store takes, and the number of a part follows from its offset. That
//! lets settled parts go up while the writer is still writing. What is left at the seal is planned around them:
//! unchanged ranges become server-side copies, everything else is sent, and what is too short for a part of its own
//! is gathered with its neighbours. Part numbers ascend but may leave gaps, which S3 allows.

use std::collections::BTreeMap;

use crate::base::ranges::{ByteRange, RangeSet};
use crate::s3::Limits;

const MIB: u64 = 1 << 20;

/// How large things are when nothing else decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Objects up to this size go in one PutObject.
    pub put_bytes: u64,
    /// Bytes of the first parts. 8 MiB: large enough that the request costs nothing beside the bytes, small enough
    /// that a tail and the memory for it stay small.
    pub part_bytes: u64,
    /// Bytes of one server-side copy of a part. A store that copies 50 MB/s answers within the response deadline.
    pub copy_bytes: u64,
}

impl Sizes {
    /// In proportion to the smallest part, so that a store that is scaled down is met by the same rules.
    pub fn for_limits(limits: &Limits) -> Self {
        let scaled = |bytes: u64| (bytes * limits.part_bytes_min).div_ceil(5 * MIB);
        Self { put_bytes: scaled(16 * MIB), part_bytes: scaled(8 * MIB), copy_bytes: scaled(256 * MIB) }
    }
}

/// Where parts of growing size begin and end.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    first: u64,
    /// Parts of one size before it doubles.
    group: u64,
    limits: Limits,
}

impl Grid {
    pub fn new(sizes: &Sizes, limits: &Limits) -> Self {
        let group = u64::from(limits.parts_max / 10).max(1);
        let first = sizes.part_bytes.clamp(limits.part_bytes_min, limits.part_bytes_max);
        let mut grid = Self { first, group, limits: *limits };
        while grid.reach() < limits.object_bytes_max && grid.first < limits.part_bytes_max {
            grid.first = (grid.first * 2).min(limits.part_bytes_max);
        }
        grid
    }

    /// Bytes that all parts together hold.
    fn reach(&self) -> u64 {
        self.cell(self.limits.parts_max).end
    }

    /// The largest file that can be stored.
    pub fn object_bytes_max(&self) -> u64 {
        self.limits.object_bytes_max.min(self.reach())
    }

    /// The groups of equal cells: number of the first cell, its start, bytes of each.
    fn groups(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let Self { first, group, limits } = *self;
        let step = move |&(number, start, bytes): &(u64, u64, u64)| {
            Some((
                number + group,
                start.saturating_add(group * bytes),
                (bytes * 2).min(limits.part_bytes_max),
            ))
        };
        let last = u64::from(limits.parts_max);
        std::iter::successors(Some((1, 0, first)), step).take_while(move |&(number, ..)| number <= last)
    }

    /// The range of part `number`, counted from 1.
    pub fn cell(&self, number: u32) -> ByteRange {
        let number = u64::from(number);
        let (from, start, bytes) = self
            .groups()
            .take_while(|&(from, ..)| from <= number)
            .last()
            .expect("numbers count from 1, and so does the first group");
        ByteRange::sized(start.saturating_add((number - from) * bytes), bytes)
    }

    /// The part that holds `offset`; the last one for offsets beyond all.
    pub fn number_at(&self, offset: u64) -> u32 {
        let (from, start, bytes) = self
            .groups()
            .take_while(|&(_, start, _)| start <= offset)
            .last()
            .expect("the first group starts at 0");
        let number = from + (offset - start) / bytes;
        number.min(u64::from(self.limits.parts_max)) as u32
    }
}

/// Where the bytes of a part come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The state directory alone.
    Put,
    /// The base object, on the server.
    Copy,
    /// Both: the base bytes are read first.
    Gather,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: u32,
    pub range: ByteRange,
    pub source: Source,
}

/// The requests that store one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// One PutObject.
    Put(Source),
    /// No byte changed: a copy of the base with new metadata.
    CopyWhole,
    /// Ascending, without gaps or overlaps.
    Parts(Vec<Part>),
}

/// What a plan depends on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub size: u64,
    /// Bytes that are staged.
    pub dirty: &'a RangeSet,
    /// Bytes of the base object; every byte that is not dirty lies below.
    pub base_size: Option<u64>,
    /// Parts that the store holds already and that are still good.
    pub stored: &'a BTreeMap<u32, ByteRange>,
    pub sizes: Sizes,
    pub limits: Limits,
}

/// `None`: the store takes no object of that size.
pub fn plan(input: &Input<'_>) -> Option<Plan> {
    if input.size > Grid::new(&input.sizes, &input.limits).object_bytes_max() {
        return None;
    }
    let whole = ByteRange::new(0, input.size);
    let dirty_bytes: u64 = input.dirty.overlaps(whole).map(ByteRange::len).sum();
    if dirty_bytes == 0 && input.base_size == Some(input.size) {
        return Some(Plan::CopyWhole);
    }
    let clean_bytes = input.size - dirty_bytes;
    let one_request = input.size <= input.sizes.put_bytes.min(input.limits.put_bytes_max);
    // Below the smallest part nothing can be copied: the old bytes have to travel.
    if input.stored.is_empty() && one_request && clean_bytes < input.limits.part_bytes_min.max(1) {
        return Some(Plan::Put(if clean_bytes == 0 { Source::Put } else { Source::Gather }));
    }
    Some(Plan::Parts(parts(input)))
}

fn parts(input: &Input<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut at, mut number) = (0, 1);
    for (&stored, &range) in input.stored {
        parts.extend(segment(input, ByteRange::new(at, range.start), number, stored - number));
        parts.push(Part { number: stored, range, source: Source::Put });
        (at, number) = (range.end, stored + 1);
    }
    let left = (input.limits.parts_max + 1).saturating_sub(number);
    parts.extend(segment(input, ByteRange::new(at, input.size), number, left));
    parts
}

/// Sizes at which a segment is tried; doubled until its parts are few enough.
#[derive(Clone, Copy)]
struct Scale {
    part: u64,
    copy: u64,
    /// Shorter unchanged runs are gathered.
    copy_min: u64,
}

/// Plans `range` in at most `count` parts, numbered from `number`.
fn segment(input: &Input<'_>, range: ByteRange, number: u32, count: u32) -> Vec<Part> {
    if range.is_empty() {
        return Vec::new();
    }
    let limits = &input.limits;
    let mut scale = Scale {
        part: Grid::new(&input.sizes, limits).cell(number).len(),
        copy: input.sizes.copy_bytes.clamp(limits.part_bytes_min, limits.copy_bytes_max),
        copy_min: limits.part_bytes_min,
    };
    loop {
        let pieces = cut(input, range, scale);
        if pieces.len() <= count as usize
            || scale.copy_min > range.len() && scale.part >= limits.part_bytes_max
        {
            return pieces
                .into_iter()
                .zip(number..)
                .map(|((range, source), number)| Part { number, range, source })
                .collect();
        }
        scale = Scale {
            part: (scale.part * 2).min(limits.part_bytes_max),
            copy: (scale.copy * 2).min(limits.copy_bytes_max),
            copy_min: scale.copy_min.saturating_mul(2),
        };
    }
}

type Piece = (ByteRange, Source);

fn cut(input: &Input<'_>, range: ByteRange, scale: Scale) -> Vec<Piece> {
    let mut runs = runs(input, range, scale.copy_min);
    lengthen(&mut runs, input.limits.part_bytes_min, input.size);
    runs.into_iter().flat_map(|run| split(input, run, scale)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Copied(ByteRange),
    Sent(ByteRange),
}

impl Run {
    fn range(self) -> ByteRange {
        match self {
            Self::Copied(range) | Self::Sent(range) => range,
        }
    }
}

/// Unchanged runs long enough to be copied (or that end the object), and what lies between them.
fn runs(input: &Input<'_>, range: ByteRange, copy_min: u64) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = range.start;
    for hole in input.dirty.holes(range) {
        if hole.len() < copy_min && (hole.end != input.size || hole.start == 0) {
            continue;
        }
        if at < hole.start {
            runs.push(Run::Sent(ByteRange::new(at, hole.start)));
        }
        runs.push(Run::Copied(hole));
        at = hole.end;
    }
    if at < range.end {
        runs.push(Run::Sent(ByteRange::new(at, range.end)));
    }
    runs
}

/// Makes every run but the last of the object at least `min` bytes long, at the cost of copied neighbours.
fn lengthen(runs: &mut Vec<Run>, min: u64, size: u64) {
    let mut index = 0;
    while index < runs.len() {
        let range = runs[index].range();
        if range.len() >= min || range.end == size {
            index += 1;
            continue;
        }
        index = borrow(runs, index, min - range.len(), min);
    }
}

/// Lengthens the short run at `index` by `missing` bytes of a neighbour, and swallows neighbours that would become
/// too short themselves. Returns where to go on.
fn borrow(runs: &mut Vec<Run>, index: usize, missing: u64, min: u64) -> usize {
    let range = runs[index].range();
    let next = runs.get(index + 1).map(|run| run.range());
    let previous = index.checked_sub(1).map(|before| runs[before].range());
    match (previous, next) {
        (_, Some(next)) if next.len() >= missing + min => {
            runs[index] = Run::Sent(ByteRange::new(range.start, range.end + missing));
            runs[index + 1] = Run::Copied(ByteRange::new(next.start + missing, next.end));
            index + 1
        }
        (Some(previous), _) if previous.len() >= missing + min => {
            runs[index - 1] = Run::Copied(ByteRange::new(previous.start, previous.end - missing));
            runs[index] = Run::Sent(ByteRange::new(range.start - missing, range.end));
            index + 1
        }
        (_, Some(next)) => {
            merge(runs, index, ByteRange::new(range.start, next.end), 2);
            index
        }
        (Some(previous), None) => {
            merge(runs, index - 1, ByteRange::new(previous.start, range.end), 2);
            index - 1
        }
        (None, None) => index + 1,
    }
}

/// Replaces `count` runs from `index` by one that is sent, and joins it with sent neighbours.
fn merge(runs: &mut Vec<Run>, index: usize, range: ByteRange, count: usize) {
    runs.splice(index..index + count, [Run::Sent(range)]);
    if let Some(&Run::Sent(next)) = runs.get(index + 1) {
        runs.splice(index..index + 2, [Run::Sent(ByteRange::new(range.start, next.end))]);
    }
}

fn split(input: &Input<'_>, run: Run, scale: Scale) -> Vec<Piece> {
    match run {
        Run::Copied(range) => even(range, range.len().div_ceil(scale.copy))
            .into_iter()
            .map(|piece| (piece, Source::Copy))
            .collect(),
        Run::Sent(range) => {
            let pieces = to_send(range, scale.part, &input.limits);
            pieces.into_iter().map(|piece| (piece, source(input, piece))).collect()
        }
    }
}

/// Parts of `target` bytes, unless that would leave a last one below the minimum: then a few bytes more each.
fn to_send(range: ByteRange, target: u64, limits: &Limits) -> Vec<ByteRange> {
    let rest = range.len() % target;
    if rest == 0 || rest >= limits.part_bytes_min {
        let starts = (0..range.len().div_ceil(target)).map(|n| range.start + n * target);
        return starts.map(|at| ByteRange::new(at, (at + target).min(range.end))).collect();
    }
    let count = (range.len() / target).max(1);
    let fits = range.len().div_ceil(count) <= limits.part_bytes_max;
    even(range, if fits { count } else { count + 1 })
}

/// `count` pieces whose lengths differ by one byte at most.
fn even(range: ByteRange, count: u64) -> Vec<ByteRange> {
    let border = |n: u64| range.start + (u128::from(range.len()) * u128::from(n) / u128::from(count)) as u64;
    (0..count).map(|n| ByteRange::new(border(n), border(n + 1))).collect()
}

fn source(input: &Input<'_>, piece: ByteRange) -> Source {
    if input.dirty.covers(piece) { Source::Put } else { Source::Gather }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().map(|&(start, end)| ByteRange::new(start, end)).collect()
    }

    fn planned(size: u64, dirty: &RangeSet, base_size: Option<u64>) -> Plan {
        let (sizes, limits, stored) =
            (Sizes::for_limits(&Limits::default()), Limits::default(), BTreeMap::new());
        plan(&Input { size, dirty, base_size, stored: &stored, sizes, limits }).expect("fits")
    }

    fn planned_parts(size: u64, dirty: &RangeSet, base_size: Option<u64>) -> Vec<Part> {
        match planned(size, dirty, base_size) {
            Plan::Parts(parts) => parts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_and_empty_objects_go_in_one_request() {
        assert_eq!(planned(0, &set(&[]), None), Plan::Put(Source::Put));
        assert_eq!(planned(MIB, &set(&[(0, MIB)]), None), Plan::Put(Source::Put));
        assert_eq!(planned(16 * MIB, &set(&[(0, 16 * MIB)]), None), Plan::Put(Source::Put));
    }

    #[test]
    fn a_byte_appended_to_a_small_object_gathers_it() {
        assert_eq!(planned(101, &set(&[(100, 101)]), Some(100)), Plan::Put(Source::Gather));
    }

    #[test]
    fn metadata_alone_is_a_copy() {
        assert_eq!(planned(GIB, &set(&[]), Some(GIB)), Plan::CopyWhole);
    }

    #[test]
    fn truncation_to_a_long_prefix_copies() {
        let parts = planned_parts(100 * MIB, &set(&[]), Some(GIB));
        assert_eq!(parts, [Part { number: 1, range: ByteRange::new(0, 100 * MIB), source: Source::Copy }]);
    }

    #[test]
    fn four_kib_in_a_large_object_sends_one_smallest_part() {
        for (size, at) in
            [(256 * MIB, 100 * MIB), (10 * GIB, 5 * GIB), (256 * MIB, 0), (256 * MIB, 256 * MIB - 4096)]
        {
            let parts = planned_parts(size, &set(&[(at, at + 4096)]), Some(size));
            let sent: Vec<_> = parts.iter().filter(|part| part.source != Source::Copy).collect();
            assert_eq!(sent.len(), 1, "{parts:?}");
            assert!(sent[0].range.len() <= 5 * MIB, "{parts:?}");
        }
    }

    #[test]
    fn an_append_to_a_large_object_copies_the_old_and_sends_the_new() {
        let parts = planned_parts(GIB + 100, &set(&[(GIB, GIB + 100)]), Some(GIB));
        let sent: u64 =
            parts.iter().filter(|part| part.source != Source::Copy).map(|part| part.range.len()).sum();
        assert_eq!(sent, 100);
    }

    #[test]
    fn the_largest_object_fits() {
        let parts = planned_parts(5 * TIB, &set(&[(0, 5 * TIB)]), None);
        assert!(parts.len() <= 10_000);
        let dirty = set(&[]);
        let stored = BTreeMap::new();
        let (sizes, limits) = (Sizes::for_limits(&Limits::default()), Limits::default());
        let over =
            Input { size: 5 * TIB + 1, dirty: &dirty, base_size: None, stored: &stored, sizes, limits };
        assert_eq!(plan(&over), None);
    }

    #[test]
    fn the_grid_is_contiguous_and_knows_its_numbers() {
        let grid = Grid::new(&Sizes::for_limits(&Limits::default()), &Limits::default());
        assert!(grid.reach() >= 5 * TIB);
        let mut end = 0;
        for number in 1..=10_000 {
            let cell = grid.cell(number);
            assert_eq!(cell.start, end);
            assert!(cell.len() <= 5 * GIB);
            assert_eq!(grid.number_at(cell.start), number);
            assert_eq!(grid.number_at(cell.end - 1), number);
            end = cell.end;
        }
    }

    #[test]
    fn a_store_with_twenty_parts_still_takes_its_largest_object() {
        let limits =
            Limits { parts_max: 20, part_bytes_min: 5, object_bytes_max: 1 << 20, ..Limits::default() };
        let grid = Grid::new(&Sizes { put_bytes: 16, part_bytes: 8, copy_bytes: 256 }, &limits);
        assert!(grid.object_bytes_max() == 1 << 20);
    }

    /// A store scaled down, so that random small inputs reach every rule.
    fn small() -> (Sizes, Limits) {
        let limits = Limits {
            part_bytes_min: 5,
            part_bytes_max: 64,
            parts_max: 40,
            put_bytes_max: 64,
            copy_bytes_max: 48,
            object_bytes_max: 1000,
            ..Limits::default()
        };
        (Sizes { put_bytes: 16, part_bytes: 8, copy_bytes: 24 }, limits)
    }

    prop_compose! {
        fn inputs()(
            size in 0u64..1000,
            base in proptest::option::of(0u64..1000),
            writes in proptest::collection::vec((0u64..1000, 1u64..60), 0..24),
            early in proptest::collection::btree_set(1u32..20, 0..6),
        ) -> (u64, RangeSet, Option<u64>, BTreeMap<u32, ByteRange>) {
            let (sizes, limits) = small();
            let grid = Grid::new(&sizes, &limits);
            let whole = ByteRange::new(0, size);
            let mut dirty: RangeSet = writes
                .into_iter()
                .filter_map(|(at, len)| ByteRange::sized(at, len).intersect(whole))
                .collect();
            if base.unwrap_or(0) < size {
                dirty.insert(ByteRange::new(base.unwrap_or(0), size));
            }
            let stored: BTreeMap<_, _> =
                early.into_iter().map(|n| (n, grid.cell(n))).filter(|(_, cell)| cell.end <= size).collect();
            stored.values().for_each(|&cell| dirty.insert(cell));
            (size, dirty, base, stored)
        }
    }

    proptest! {
        #[test]
        fn a_plan_covers_every_byte_once_within_the_limits((size, dirty, base_size, stored) in inputs()) {
            let (sizes, limits) = small();
            let input = Input { size, dirty: &dirty, base_size, stored: &stored, sizes, limits };
            let Plan::Parts(parts) = plan(&input).expect("fits") else { return Ok(()) };
            let (mut end, mut number) = (0, 0);
            for part in &parts {
                prop_assert_eq!(part.range.start, end);
                prop_assert!(part.number > number && part.number <= limits.parts_max, "{:?}", parts);
                let last = part.range.end == size;
                let most = if part.source == Source::Copy { limits.copy_bytes_max } else { limits.part_bytes_max };
                prop_assert!(part.range.len() <= most);
                prop_assert!(last || part.range.len() >= limits.part_bytes_min, "{:?}", parts);
                match part.source {
                    Source::Put => prop_assert!(dirty.covers(part.range)),
                    Source::Copy => prop_assert!(dirty.overlaps(part.range).next().is_none()),
                    Source::Gather => prop_assert!(!dirty.covers(part.range)),
                }
                (end, number) = (part.range.end, part.number);
            }
            prop_assert_eq!(end, size);
            for (number, range) in &stored {
                let kept = Part { number: *number, range: *range, source: Source::Put };
                prop_assert!(parts.contains(&kept));
            }
        }
    }
}
