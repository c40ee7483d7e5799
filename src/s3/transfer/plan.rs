//! Into which parts an object is cut (s3-client 2.8). Pure.
//!
//! A store takes so many parts of so many bytes each; only the last may be smaller than the minimum. An object of
//! known size gets equal parts, as small as was wished and as large as it must be for their number to suffice. An
//! object of unknown size begins with the wished size, and its parts double ten times on the way to the last.

use crate::base::ranges::ByteRange;
use crate::s3::{Error, ErrorKind, Limits, Result};

/// Doublings of the parts of an object of unknown size.
const STEPS: u32 = 10;

/// Cuts `size` bytes into parts of about `wished` bytes, numbered from 1 by their place. `largest` is what one
/// request may carry ([`Limits::part_bytes_max`], or [`Limits::copy_bytes_max`] for copies).
pub fn cut(size: u64, wished: u64, largest: u64, limits: &Limits) -> Result<Vec<ByteRange>> {
    let part = part_bytes(size, wished, limits);
    if size > limits.object_bytes_max || part > largest {
        return Err(too_large(size, limits));
    }
    if size == 0 {
        return Ok(vec![ByteRange::new(0, 0)]);
    }
    Ok((0..size.div_ceil(part)).map(|n| ByteRange::new(n * part, size.min((n + 1) * part))).collect())
}

fn part_bytes(size: u64, wished: u64, limits: &Limits) -> u64 {
    let count = u64::from(limits.parts_max);
    let wished = wished.min(limits.part_bytes_max).max(limits.part_bytes_min);
    if wished.saturating_mul(count) >= size {
        return wished;
    }
    size.div_ceil(count).next_multiple_of(limits.part_bytes_min)
}

/// Bytes of part `number` (from 1) of an object whose end is not known yet.
pub fn growing(number: u32, wished: u64, limits: &Limits) -> u64 {
    let step = (number - 1) / (limits.parts_max / STEPS).max(1);
    let first = wished.max(limits.part_bytes_min);
    first.saturating_mul(1 << step.min(63)).min(limits.part_bytes_max)
}

fn too_large(size: u64, limits: &Limits) -> Error {
    let most = limits.object_bytes_max;
    Error::new(
        ErrorKind::TooLarge,
        format!("An object of {size} bytes is too large: the store takes {most} at most."),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;

    #[test]
    fn parts_are_as_wished_until_there_would_be_too_many() {
        let limits = Limits::default();
        // size, wished, parts, bytes of the first, bytes of the last
        let table = [
            (0, 8 * MIB, 1, 0, 0),
            (1, 8 * MIB, 1, 1, 1),
            (8 * MIB, 8 * MIB, 1, 8 * MIB, 8 * MIB),
            (8 * MIB + 1, 8 * MIB, 2, 8 * MIB, 1),
            (20 * MIB, 1, 4, 5 * MIB, 5 * MIB),
            (80_000 * MIB, 8 * MIB, 10_000, 8 * MIB, 8 * MIB),
            (80_000 * MIB + 1, 8 * MIB, 8_001, 10 * MIB, 1),
            (5 * TIB, 8 * MIB, 9_987, 525 * MIB, 230 * MIB),
            (6 * GIB, 16 * GIB, 2, 5 * GIB, GIB),
        ];
        for (size, wished, count, first, last) in table {
            let parts = cut(size, wished, limits.part_bytes_max, &limits).unwrap();
            let seen = (parts.len(), parts[0].len(), parts[parts.len() - 1].len());
            assert_eq!(seen, (count, first, last), "{size} bytes in parts of {wished}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let limits = Limits::default();
        assert!(cut(5 * TIB, 5 * MIB, limits.part_bytes_max, &limits).is_ok());
        let refused = cut(5 * TIB + 1, 5 * MIB, limits.part_bytes_max, &limits).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        let small = Limits { parts_max: 2, part_bytes_min: 10, part_bytes_max: 20, ..limits };
        assert_eq!(cut(40, 10, 20, &small).unwrap().len(), 2);
        assert_eq!(cut(41, 10, 20, &small).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn parts_of_an_unknown_size_reach_the_largest_object() {
        let limits = Limits::default();
        let reach =
            |wished| (1..=limits.parts_max).map(|number| growing(number, wished, &limits)).sum::<u64>();
        assert_eq!(growing(1, 16 * MIB, &limits), 16 * MIB);
        assert_eq!(growing(1000, 16 * MIB, &limits), 16 * MIB);
        assert_eq!(growing(1001, 16 * MIB, &limits), 32 * MIB);
        assert_eq!(growing(10_000, 16 * MIB, &limits), 5 * GIB, "no part is larger than the store takes");
        assert!(reach(16 * MIB) > limits.object_bytes_max);
        assert!(reach(1) > 4 * TIB, "5 MiB to begin with");
    }

    proptest! {
        #[test]
        fn parts_are_whole_in_order_and_within_limits(size in 0u64..100_000, wished in 0u64..10_000, most in 1u32..100) {
            let limits = Limits { parts_max: most, part_bytes_min: 5, part_bytes_max: 500, ..Limits::default() };
            let Ok(parts) = cut(size, wished, limits.part_bytes_max, &limits) else {
                prop_assert!(size > u64::from(most) * 495);
                return Ok(());
            };
            prop_assert!(parts.len() <= most as usize);
            prop_assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, size));
            prop_assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            let (_, whole) = parts.split_last().unwrap();
            prop_assert!(whole.iter().all(|part| (5..=500).contains(&part.len())));
        }
    }
}
