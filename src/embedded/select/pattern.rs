//! TO_STRING: a moment as a pattern says.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference-date.html>

use std::fmt::Write as _;

use time::OffsetDateTime;

use super::Fault;
use super::timestamp::Timestamp;

const PATTERN_CHARS_MAX: usize = 1000;

/// Letters stand for parts of the moment, as many of one as say how; what is in single quotes stands for itself, as does
/// everything else. Two quotes are one.
pub fn written(moment: Timestamp, pattern: &str) -> Result<String, Fault> {
    let mut written = String::new();
    let mut rest = pattern;
    if pattern.chars().count() > PATTERN_CHARS_MAX {
        let message = format!("The pattern of TO_STRING has more than {PATTERN_CHARS_MAX} characters");
        return Err(Fault::new("EvaluatorInvalidTimestampFormatPattern", message));
    }
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(&rest[1..], &mut written)?;
        } else if first.is_ascii_alphabetic() {
            let count = rest.len() - rest.trim_start_matches(first).len();
            part(moment.at(), first, count, &mut written)?;
            rest = &rest[count..];
        } else {
            written.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(written)
}

/// Behind the opening quote.
fn quoted<'p>(rest: &'p str, written: &mut String) -> Result<&'p str, Fault> {
    let open = || {
        let message = "A quote in the pattern of TO_STRING is never closed";
        Fault::new("EvaluatorUnterminatedTimestampFormatPatternToken", message)
    };
    let (text, behind) = rest.split_once('\'').ok_or_else(open)?;
    written.push_str(if text.is_empty() { "'" } else { text });
    Ok(behind)
}

fn part(at: OffsetDateTime, letter: char, count: usize, written: &mut String) -> Result<(), Fault> {
    let month = at.month().to_string();
    let hour12 = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let mut number = |number: i64, width: usize| {
        let _ = write!(written, "{number:0width$}");
    };
    match (letter, count) {
        ('y', 1) => number(at.year().into(), 1),
        ('y', 2) => number((at.year() % 100).into(), 2),
        ('y', 3 | 4) => number(at.year().into(), 4),
        ('M', 1 | 2) => number(u8::from(at.month()).into(), count),
        ('d', 1 | 2) => number(at.day().into(), count),
        ('h', 1 | 2) => number(hour12.into(), count),
        ('H', 1 | 2) => number(at.hour().into(), count),
        ('m', 1 | 2) => number(at.minute().into(), count),
        ('s', 1 | 2) => number(at.second().into(), count),
        ('n', 1) => number(at.nanosecond().into(), 1),
        ('M', 3) => written.push_str(&month[..3]),
        ('M', 4) => written.push_str(&month),
        ('M', 5) => written.push_str(&month[..1]),
        ('a', 1) => written.push_str(if at.hour() < 12 { "AM" } else { "PM" }),
        ('S', 1..=9) => written.push_str(&format!("{:09}", at.nanosecond())[..count]),
        ('X' | 'x', 1..=5) => offset(at, letter == 'X', count, written),
        _ => {
            let token = String::from(letter).repeat(count.min(10));
            let message = format!("{token} stands for nothing in the pattern of TO_STRING");
            return Err(Fault::new("EvaluatorInvalidTimestampFormatPatternToken", message));
        }
    }
    Ok(())
}

/// Hours alone, with minutes, or with a colon between them.
fn offset(at: OffsetDateTime, zulu: bool, count: usize, written: &mut String) {
    let (hours, minutes, _) = at.offset().as_hms();
    if zulu && at.offset().is_utc() {
        written.push('Z');
        return;
    }
    let sign = if at.offset().is_negative() { '-' } else { '+' };
    let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
    let _ = match count {
        1 if minutes == 0 => write!(written, "{sign}{hours:02}"),
        3 | 5 => write!(written, "{sign}{hours:02}:{minutes:02}"),
        _ => write!(written, "{sign}{hours:02}{minutes:02}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(moment: &str, pattern: &str) -> String {
        written(Timestamp::parse(moment).unwrap(), pattern).unwrap_or_else(|fault| fault.code.to_owned())
    }

    /// The examples of the documentation of S3 Select, and a word for every other letter.
    #[test]
    fn patterns_say_how_a_moment_is_written() {
        for (pattern, expected) in [
            ("MMMM d, y", "July 20, 1969"),
            ("MMM d, yyyy", "Jul 20, 1969"),
            ("M-d-yy", "7-20-69"),
            ("MM-d-y", "07-20-1969"),
            ("MMMM d, y h:m a", "July 20, 1969 8:18 PM"),
            ("y-MM-dd'T'H:m:ssX", "1969-07-20T20:18:00Z"),
            ("MMMMM hh HH mm s ''n'' SSS", "J 08 20 18 0 '0' 000"),
            ("'it is' 'd'", "it is d"),
            ("x xx xxx", "+00 +0000 +00:00"),
            ("ü d.", "ü 20."),
        ] {
            assert_eq!(shown("1969-07-20T20:18Z", pattern), expected, "{pattern}");
        }
        let east = "1969-07-20T00:18:05.123456+08:30";
        assert_eq!(shown(east, "y-MM-dd'T'H:m:ssXXX"), "1969-07-20T0:18:05+08:30");
        assert_eq!(shown(east, "h a X XX XXXX XXXXX S SSSSSS"), "12 AM +0830 +0830 +0830 +08:30 1 123456");
        assert_eq!(shown("1969-07-20T20:18-08:00", "X x"), "-08 -08");
    }

    #[test]
    fn what_is_no_pattern_has_a_code() {
        for pattern in ["yyyyy", "MMMMMM", "ddd", "Q", "aa", "XXXXXX", "SSSSSSSSSS"] {
            assert_eq!(shown("2010T", pattern), "EvaluatorInvalidTimestampFormatPatternToken", "{pattern}");
        }
        assert_eq!(shown("2010T", "'open"), "EvaluatorUnterminatedTimestampFormatPatternToken");
        assert_eq!(shown("2010T", &"-".repeat(1001)), "EvaluatorInvalidTimestampFormatPattern");
    }
}
