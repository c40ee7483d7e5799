//! Pure: the pattern of reads → what to fetch now and what ahead.
//!
//! A handle may be read at several places in turn, so a [`Window`] follows a few *runs*, each a stretch that is
//! read more or less from front to back (two session threads deliver READs slightly out of order). A run that has
//! not shown itself to be sequential fetches exactly what was asked. One that has is *streamed*: everything from
//! there on up to its window is fetched ahead, and the window grows only when a read finds its bytes missing.
//!
//! What may be fetched ahead is bound to what was read: at most `AHEAD_PER_READ` times the bytes that the run
//! has read, and only while at least one of `SPARSE_MAX` bytes it passed over was read. So whatever the
//! pattern, the bytes fetched stay within a small multiple of the bytes read (proved below by trial).

use crate::base::ranges::ByteRange;

pub const BLOCK_BYTES: u64 = 1 << 20;
/// Exact fetches are rounded outwards to this: what the kernel's page cache asks for anyway.
pub const PAGE_BYTES: u64 = 4 << 10;
/// One ranged GET.
pub const REQUEST_BYTES_MAX: u64 = 16 << 20;
pub const WINDOW_BYTES_MAX: u64 = 64 << 20;

/// A run is worth streaming once it has read this much: a large read at the start of a file, or two or more
/// reads that follow each other.
const STREAM_BYTES_MIN: u64 = 128 << 10;
const WINDOW_BYTES_START: u64 = 2 << 20;
const WINDOW_GROWTH: u64 = 4;
const AHEAD_PER_READ: u64 = 4;
const SPARSE_MAX: u64 = 4;
/// How far from where a run is expected to go on a read may lie and still belong to it.
const SLACK_BYTES: u64 = 128 << 10;
const SLACK_BYTES_STREAM: u64 = 1 << 20;
/// Beyond this span a run's older half is forgotten, so that its density is that of lately.
const SPAN_BYTES_MAX: u64 = 64 << 20;
const RUNS_MAX: usize = 4;

/// How bytes that are not in memory are to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// This range alone, and not kept.
    Exact,
    /// As blocks.
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub mode: Mode,
    /// The run that the read belongs to.
    pub run: RunId,
    /// To be fetched as blocks now, the read's own bytes first if they were not asked for before.
    pub fetch: Option<ByteRange>,
    /// How long a single request for a part of `fetch` should be at most.
    pub request_bytes: u64,
    /// A run that is followed no longer: nobody needs what is on its way for it.
    pub abandoned: Option<RunId>,
}

/// What bounds a plan beside the pattern.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of the object.
    pub size: u64,
    /// This reader's share of the memory.
    pub window_bytes_max: u64,
}

/// Were the bytes of a read in memory when it came?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Ready,
    Missing,
}

#[derive(Debug, Default)]
pub struct Window {
    /// The one used last at the end.
    runs: Vec<Run>,
    next_id: u64,
}

#[derive(Debug)]
struct Run {
    id: RunId,
    start: u64,
    /// Where the next read is expected.
    next: u64,
    reads: u64,
    /// Between `start` and `next`, counted once.
    read_bytes: u64,
    /// Everything before this was read or asked for.
    fetched_to: u64,
    /// 0 until the run is streamed.
    window_bytes: u64,
    /// A missing read before this says nothing about the window as it is now.
    grow_from: u64,
}

impl Window {
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows one read, which must lie within the object and not be empty.
    pub fn on_read(&mut self, range: ByteRange, found: Found, bounds: Bounds) -> Plan {
        let abandoned = self.bring_up(range);
        let run = self.runs.last_mut().expect("bring_up leaves the run of this read at the end");
        run.note(range);
        let streamed = run.is_sequential();
        let fetch = if streamed {
            run.adapt(range, found, bounds);
            run.next_fetch(range, bounds)
        } else {
            run.fetched_to = run.fetched_to.max(range.end);
            None
        };
        let mode = if streamed { Mode::Stream } else { Mode::Exact };
        Plan { mode, run: run.id, fetch, request_bytes: run.request_bytes(), abandoned }
    }

    /// Is anything being streamed?
    pub fn is_streaming(&self) -> bool {
        self.runs.iter().any(|run| run.window_bytes > 0)
    }

    /// Puts the run that `range` belongs to at the end, a new one if there is none. Says which had to go for it.
    fn bring_up(&mut self, range: ByteRange) -> Option<RunId> {
        if let Some(at) = self.runs.iter().rposition(|run| run.takes(range)) {
            let run = self.runs.remove(at);
            if run.stays_dense(range) {
                self.runs.push(run);
                return None;
            }
            self.begin(range);
            return Some(run.id);
        }
        let abandoned = (self.runs.len() >= RUNS_MAX).then(|| self.runs.remove(0).id);
        self.begin(range);
        abandoned
    }

    fn begin(&mut self, range: ByteRange) {
        let id = RunId(self.next_id);
        self.next_id += 1;
        let (start, next, fetched_to) = (range.start, range.start, range.start);
        self.runs.push(Run {
            id,
            start,
            next,
            reads: 0,
            read_bytes: 0,
            fetched_to,
            window_bytes: 0,
            grow_from: 0,
        });
    }
}

impl Run {
    fn takes(&self, range: ByteRange) -> bool {
        let slack = if self.window_bytes > 0 { SLACK_BYTES_STREAM } else { SLACK_BYTES };
        range.start.abs_diff(self.next) <= slack
    }

    fn stays_dense(&self, range: ByteRange) -> bool {
        let passed = self.next.max(range.end) - self.start.min(range.start);
        passed <= SPARSE_MAX * (self.read_bytes + range.len())
    }

    fn note(&mut self, range: ByteRange) {
        self.start = self.start.min(range.start);
        self.next = self.next.max(range.end);
        self.reads += 1;
        let span = self.next - self.start;
        self.read_bytes = span.min(self.read_bytes + range.len());
        if span > SPAN_BYTES_MAX {
            self.start = self.next - span / 2;
            self.read_bytes /= 2;
        }
    }

    fn is_sequential(&self) -> bool {
        self.window_bytes > 0 || (self.read_bytes >= STREAM_BYTES_MIN && (self.reads > 1 || self.start == 0))
    }

    fn adapt(&mut self, range: ByteRange, found: Found, bounds: Bounds) {
        if self.window_bytes == 0 {
            self.window_bytes = WINDOW_BYTES_START;
        } else if found == Found::Missing && range.end > self.grow_from {
            self.window_bytes *= WINDOW_GROWTH;
            self.grow_from = self.fetched_to;
        }
        self.window_bytes = self.window_bytes.min(bounds.window_bytes_max).max(BLOCK_BYTES);
    }

    fn next_fetch(&mut self, range: ByteRange, bounds: Bounds) -> Option<ByteRange> {
        let ahead = self.window_bytes.min(AHEAD_PER_READ * self.read_bytes);
        let target = (self.next + ahead).next_multiple_of(BLOCK_BYTES).min(bounds.size);
        let room = target.saturating_sub(self.fetched_to);
        // Not in dribs and drabs, but early enough that the next request is under way before this one is used up.
        let enough = self.request_bytes().min((ahead / 2).max(BLOCK_BYTES));
        let due = range.end > self.fetched_to || room >= enough || (target == bounds.size && room > 0);
        if !due {
            return None;
        }
        let fetch = ByteRange { start: self.fetched_to.max(range.start), end: target };
        if self.grow_from == 0 {
            self.grow_from = target;
        }
        self.fetched_to = target;
        Some(fetch)
    }

    fn request_bytes(&self) -> u64 {
        (self.window_bytes / 4).clamp(2 * BLOCK_BYTES, REQUEST_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Found::{Missing, Ready};
    use super::Mode::{Exact, Stream};
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    const BOUNDS: Bounds = Bounds { size: 10 * GIB, window_bytes_max: WINDOW_BYTES_MAX };

    /// Reads as (offset, length, found) and for each the mode and what is fetched as blocks.
    fn check(reads: &[(u64, u64, Found)], want: &[(Mode, Option<(u64, u64)>)]) {
        let mut window = Window::new();
        for (&(start, len, found), want) in reads.iter().zip(want) {
            let plan = window.on_read(ByteRange::sized(start, len), found, BOUNDS);
            let got = (plan.mode, plan.fetch.map(|r| (r.start, r.end)));
            assert_eq!(got, *want, "read of {len} at {start}");
        }
        assert_eq!(reads.len(), want.len());
    }

    #[test]
    fn random_small_reads_fetch_exactly_what_was_asked() {
        let reads = [(5 * MIB, 4 * KIB, Missing), (GIB, 4 * KIB, Missing), (7 * KIB, 4 * KIB, Missing)];
        check(&reads, &[(Exact, None); 3]);
    }

    #[test]
    fn a_large_read_at_random_is_exact_and_the_one_that_follows_it_streams() {
        let reads = [(GIB, MIB, Missing), (GIB + MIB, MIB, Missing)];
        check(&reads, &[(Exact, None), (Stream, Some((GIB + MIB, GIB + 4 * MIB)))]);
    }

    #[test]
    fn a_small_read_at_the_start_is_a_look_at_the_head_and_a_large_one_a_stream() {
        check(&[(0, 16 * KIB, Missing)], &[(Exact, None)]);
        check(&[(0, 128 * KIB, Missing)], &[(Stream, Some((0, MIB)))]);
        check(&[(0, MIB, Missing)], &[(Stream, Some((0, 3 * MIB)))]);
    }

    #[test]
    fn small_reads_in_order_stream_from_where_they_are() {
        let reads: Vec<_> = (0..4).map(|n| (n * 32 * KIB, 32 * KIB, Missing)).collect();
        check(&reads, &[(Exact, None), (Exact, None), (Exact, None), (Stream, Some((96 * KIB, MIB)))]);
    }

    #[test]
    fn a_reader_that_never_waits_keeps_its_window() {
        let mut window = Window::new();
        let mut plans = (0..64).map(|n| {
            let found = if n == 0 { Missing } else { Ready };
            window.on_read(ByteRange::sized(n * MIB, MIB), found, BOUNDS).fetch.map_or(0, ByteRange::len)
        });
        assert_eq!(plans.next(), Some(3 * MIB));
        assert!(plans.all(|bytes| bytes <= MIB));
    }

    #[test]
    fn a_reader_that_waits_gets_a_larger_window_and_longer_requests() {
        let mut window = Window::new();
        let (mut fetched_to, mut request) = (0, 0);
        for n in 0..64 {
            let plan = window.on_read(ByteRange::sized(n * MIB, MIB), Missing, BOUNDS);
            if let Some(fetch) = plan.fetch {
                assert_eq!(fetch.start, fetched_to, "no gap and nothing twice");
                fetched_to = fetch.end;
            }
            request = plan.request_bytes;
        }
        let ahead = fetched_to - 64 * MIB;
        assert!((WINDOW_BYTES_MAX - REQUEST_BYTES_MAX..=WINDOW_BYTES_MAX).contains(&ahead), "{ahead}");
        assert_eq!(request, REQUEST_BYTES_MAX);
    }

    #[test]
    fn several_reads_that_wait_for_the_same_bytes_grow_the_window_once() {
        let mut window = Window::new();
        let fetch: Vec<_> = (0..8)
            .map(|n| window.on_read(ByteRange::sized(n * 128 * KIB, 128 * KIB), Missing, BOUNDS).fetch)
            .collect();
        let fetched_to = fetch.into_iter().flatten().map(|range| range.end).max();
        assert!(fetched_to <= Some(4 * MIB), "{fetched_to:?}");
    }

    #[test]
    fn reads_slightly_out_of_order_stay_one_run() {
        let order = [0, 2, 1, 3, 5, 4, 7, 6];
        let mut window = Window::new();
        let plans: Vec<_> = order
            .iter()
            .map(|n| window.on_read(ByteRange::sized(n * 128 * KIB, 128 * KIB), Missing, BOUNDS))
            .collect();
        assert!(plans.iter().all(|plan| plan.run == plans[0].run && plan.mode == Stream));
    }

    #[test]
    fn two_runs_through_one_handle_do_not_disturb_each_other() {
        let mut window = Window::new();
        for n in 0..16 {
            for base in [0, 5 * GIB] {
                let plan = window.on_read(ByteRange::sized(base + n * MIB, MIB), Ready, BOUNDS);
                assert_eq!(plan.abandoned, None);
                assert!(n == 0 || plan.mode == Stream);
            }
        }
    }

    #[test]
    fn a_run_not_read_for_long_is_abandoned() {
        let mut window = Window::new();
        let first = window.on_read(ByteRange::sized(0, MIB), Missing, BOUNDS).run;
        let abandoned: Vec<_> = (1..=RUNS_MAX as u64)
            .filter_map(|n| window.on_read(ByteRange::sized(n * GIB, KIB), Missing, BOUNDS).abandoned)
            .collect();
        assert_eq!(abandoned, [first]);
        assert!(!window.is_streaming());
    }

    #[test]
    fn the_end_of_the_object_is_fetched_without_waiting_for_a_full_request() {
        let bounds = Bounds { size: 3 * MIB + 7, window_bytes_max: WINDOW_BYTES_MAX };
        let mut window = Window::new();
        let first = window.on_read(ByteRange::sized(0, MIB), Missing, bounds).fetch;
        let second = window.on_read(ByteRange::sized(MIB, MIB), Ready, bounds).fetch;
        assert_eq!(first, Some(ByteRange::new(0, 3 * MIB)));
        assert_eq!(second, Some(ByteRange::new(3 * MIB, 3 * MIB + 7)));
    }

    #[test]
    fn a_small_share_of_memory_bounds_the_window() {
        let bounds = Bounds { size: GIB, window_bytes_max: 2 * MIB };
        let mut window = Window::new();
        for n in 0..32 {
            let plan = window.on_read(ByteRange::sized(n * MIB, MIB), Missing, bounds);
            assert!(plan.fetch.is_none_or(|fetch| fetch.end <= (n + 3) * MIB));
        }
    }

    /// Random, sequential and strided stretches in any mixture.
    fn pattern() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let stretch = (0..10 * GIB - GIB, 1u64..200, 1u64..=MIB, 0u64..4 * MIB, any::<bool>());
        let reads = stretch.prop_map(|(start, count, len, gap, dense)| {
            let step = if dense { len } else { len + gap };
            (0..count).map(move |n| (start + n * step, len)).collect::<Vec<_>>()
        });
        prop::collection::vec(reads, 1..8).prop_map(|stretches| stretches.concat())
    }

    proptest! {
        #[test]
        fn bytes_fetched_stay_within_a_multiple_of_the_bytes_read(reads in pattern(), waits in any::<bool>()) {
            let mut window = Window::new();
            let (mut fetched, mut read) = (0, 0);
            for (start, len) in reads {
                let range = ByteRange::sized(start, len);
                let plan = window.on_read(range, if waits { Missing } else { Ready }, BOUNDS);
                read += len.next_multiple_of(PAGE_BYTES);
                fetched += match plan.mode {
                    Exact => len.next_multiple_of(PAGE_BYTES) + PAGE_BYTES,
                    Stream => plan.fetch.map_or(0, ByteRange::len),
                };
                prop_assert!(fetched < 20 * read, "{fetched} fetched for {read}");
            }
        }
    }
}
