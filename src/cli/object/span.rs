//! `--range`: which bytes of an object are meant. Pure.

use crate::base::ranges::ByteRange;

/// As HTTP spells it, with or without `bytes=`: `0-99` is the first hundred bytes, `100-` all but these, `-100` the last
/// hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// The first and, unless it goes to the end, the last.
    From(u64, Option<u64>),
    Last(u64),
}

impl Span {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const WRONG: &str =
            "write FIRST-LAST, FIRST- or -COUNT, counted in bytes from 0: 0-99 is the first hundred";
        let (first, last) = text.strip_prefix("bytes=").unwrap_or(text).split_once('-').ok_or(WRONG)?;
        let number = |digits: &str| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| all_digits).ok_or(WRONG)
        };
        match (first, last) {
            ("", count) => Ok(Self::Last(number(count)?)),
            (first, "") => Ok(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first { Err(WRONG.to_owned()) } else { Ok(Self::From(first, Some(last))) }
            }
        }
    }

    /// Of an object of this size; what lies beyond its end is left out. `None` where nothing is left.
    pub(super) fn of(self, size: u64) -> Option<ByteRange> {
        let range = match self {
            Self::From(first, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                ByteRange::new(first.min(end), end)
            }
            Self::Last(count) => ByteRange::new(size.saturating_sub(count), size),
        };
        Some(range).filter(|range| !range.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_at_the_end_of_the_object() {
        let of = |text: &str, size| Span::parse(text).unwrap().of(size).map(|range| (range.start, range.end));
        assert_eq!(of("0-0", 10), Some((0, 1)));
        assert_eq!(of("bytes=2-99", 10), Some((2, 10)));
        assert_eq!(of("4-", 10), Some((4, 10)));
        assert_eq!(of("-3", 10), Some((7, 10)));
        assert_eq!(of("-30", 10), Some((0, 10)));
        assert_eq!(of(&format!("0-{}", u64::MAX), 10), Some((0, 10)));
        for nothing in ["10-", "10-12", "-0"] {
            assert_eq!(of(nothing, 10), None, "{nothing}");
        }
        for wrong in ["", "-", "1", "a-b", "3-2", "+1-2", "--1"] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }
}
