//! Dates as S3 writes them: ISO 8601 in bodies, HTTP dates in headers, basic ISO 8601 in signatures. All are UTC.
//!
//! Times before the year 1 or after 9999, which no format can hold (a file's mtime may lie there), are written as
//! the nearest that can. Parsing takes what stores send and gives `None` for the rest; nothing here panics.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since 1970.
const EARLIEST: i64 = -62_135_596_800;
const LATEST: i64 = 253_402_300_799;

/// `2027-01-31T00:00:00Z`
pub fn rfc3339(at: SystemTime) -> String {
    let (date, clock) = parts(at);
    format!("{date}T{clock}Z")
}

/// `2027-01-31T00:00:00.000Z`
pub fn rfc3339_millis(at: SystemTime) -> String {
    let (date, clock) = parts(at);
    format!("{date}T{clock}.{:03}Z", utc(at).millisecond())
}

/// ISO 8601 with `Z` or an offset, with or without a fraction of a second.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    system(OffsetDateTime::parse(text, &Rfc3339).ok()?)
}

/// `Wed, 01 May 2024 00:00:00 GMT`
pub fn http_date(at: SystemTime) -> String {
    let at = utc(at);
    let weekday = &at.weekday().to_string()[..3];
    let month = &at.month().to_string()[..3];
    let (hour, minute, second) = at.to_hms();
    format!("{weekday}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} GMT", at.day(), at.year())
}

/// As [`http_date`] writes it, and the other spellings that RFC 2822 allows; from 1900 on.
pub fn parse_http_date(text: &str) -> Option<SystemTime> {
    system(OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?)
}

/// `20270131T000000Z`, the time in a signature.
pub fn amz_date(at: SystemTime) -> String {
    compact(at)
}

/// `20270131`, the day in the scope of a signature.
pub fn amz_day(at: SystemTime) -> String {
    parts(at).0.replace('-', "")
}

/// `20270131T000000Z`, for names of files.
pub fn compact(at: SystemTime) -> String {
    rfc3339(at).replace(['-', ':'], "")
}

/// As [`compact`] and [`amz_date`] write it.
pub fn parse_compact(text: &str) -> Option<SystemTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    system(time::PrimitiveDateTime::parse(text, &format).ok()?.assume_utc())
}

/// `2027-01-31` and `00:00:00`.
fn parts(at: SystemTime) -> (String, String) {
    let at = utc(at);
    let (hour, minute, second) = at.to_hms();
    let date = format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day());
    (date, format!("{hour:02}:{minute:02}:{second:02}"))
}

fn utc(at: SystemTime) -> OffsetDateTime {
    let nanos = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |nanos| -nanos),
    };
    let second = 1_000_000_000;
    let nanos = nanos.clamp(i128::from(EARLIEST) * second, i128::from(LATEST) * second);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn system(at: OffsetDateTime) -> Option<SystemTime> {
    let at = at.checked_to_offset(UtcOffset::UTC)?;
    let seconds = Duration::from_secs(at.unix_timestamp().unsigned_abs());
    let whole = if at.unix_timestamp() < 0 {
        UNIX_EPOCH.checked_sub(seconds)
    } else {
        UNIX_EPOCH.checked_add(seconds)
    };
    whole?.checked_add(Duration::from_nanos(at.nanosecond().into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64, millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis)
    }

    #[test]
    fn one_moment_in_every_spelling() {
        let moment = at(1_714_521_600, 7);
        assert_eq!(rfc3339(moment), "2024-05-01T00:00:00Z");
        assert_eq!(rfc3339_millis(moment), "2024-05-01T00:00:00.007Z");
        assert_eq!(http_date(moment), "Wed, 01 May 2024 00:00:00 GMT");
        assert_eq!(amz_date(moment), "20240501T000000Z");
        assert_eq!(amz_day(moment), "20240501");
        assert_eq!(parse_compact("20240501T000000Z"), Some(at(1_714_521_600, 0)));
    }

    #[test]
    fn what_stores_send_is_read() {
        for text in ["2024-05-01T00:00:00Z", "2024-05-01T00:00:00.000Z", "2024-05-01T02:00:00+02:00"] {
            assert_eq!(parse_rfc3339(text), Some(at(1_714_521_600, 0)), "{text}");
        }
        for text in [
            "Wed, 01 May 2024 00:00:00 GMT",
            "Wed, 1 May 2024 00:00:00 GMT",
            "Wed, 01 May 2024 00:00:00 +0000",
        ] {
            assert_eq!(parse_http_date(text), Some(at(1_714_521_600, 0)), "{text}");
        }
        for text in ["", "never", "2024-13-01T00:00:00Z", "2024-05-01", "0"] {
            assert_eq!((parse_rfc3339(text), parse_http_date(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn times_that_no_format_holds_are_cut() {
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(1 << 60)), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1 << 60)), "0001-01-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn milliseconds_survive_a_round_trip(millis in -2_208_988_800_000i64..250_000_000_000_000) {
            let duration = Duration::from_millis(millis.unsigned_abs());
            let moment = if millis < 0 { UNIX_EPOCH - duration } else { UNIX_EPOCH + duration };
            prop_assert_eq!(parse_rfc3339(&rfc3339_millis(moment)), Some(moment));
            let second = parse_rfc3339(&rfc3339(moment));
            prop_assert_eq!(parse_http_date(&http_date(moment)), second);
            prop_assert_eq!(parse_compact(&compact(moment)), second);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (parse_rfc3339(&text), parse_http_date(&text), parse_compact(&text));
        }
    }
}
