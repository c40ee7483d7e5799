//! Moments as Amazon Ion writes them: to the year, the month, the day, the minute, the second or a fraction of it, and
//! with the offset of a place.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference-date.html>

use std::cmp::Ordering;
use std::fmt;
use std::time::SystemTime;

use time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset};

use super::Fault;

/// What can be added, counted and taken out of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// Of the offset, as are those of the next.
    TimezoneHour,
    TimezoneMinute,
}

impl Part {
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "YEAR" => Self::Year,
            "MONTH" => Self::Month,
            "DAY" => Self::Day,
            "HOUR" => Self::Hour,
            "MINUTE" => Self::Minute,
            "SECOND" => Self::Second,
            "TIMEZONE_HOUR" => Self::TimezoneHour,
            "TIMEZONE_MINUTE" => Self::TimezoneMinute,
            _ => return None,
        })
    }

    pub fn is_of_offset(self) -> bool {
        matches!(self, Self::TimezoneHour | Self::TimezoneMinute)
    }
}

/// How much of a moment is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Year,
    Month,
    Day,
    Minute,
    Second,
    /// So many digits of a second.
    Fraction(u8),
}

#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    at: OffsetDateTime,
    precision: Precision,
    /// Nobody said in which offset it is: `-00:00`.
    nowhere: bool,
}

/// The same moment, however it is written.
impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.at.cmp(&other.at))
    }
}

fn out_of_range() -> Fault {
    Fault::new("EvaluatorInvalidArguments", "The years of a timestamp are 1 to 9999")
}

fn number<N: std::str::FromStr>(text: &str, digits: usize) -> Option<N> {
    let legal = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    legal.then(|| text.parse().ok()).flatten()
}

impl Timestamp {
    /// To the millisecond, as UTCNOW() says it.
    pub fn of(time: SystemTime) -> Self {
        let at = OffsetDateTime::from(time);
        let at = at.replace_millisecond(at.millisecond()).unwrap_or(at);
        Self { at, precision: Precision::Fraction(3), nowhere: false }
    }

    /// `2010T`, `2010-02T`, `2010-02-03`, `2010-02-03T04:05Z`, `2010-02-03T04:05:06.007+01:00`
    pub fn parse(text: &str) -> Option<Self> {
        let (date, clock) = match text.split_once('T') {
            Some((date, clock)) => (date, Some(clock)),
            None => (text, None),
        };
        let mut pieces = date.split('-');
        let year = number(pieces.next()?, 4)?;
        let (month, day) = (pieces.next(), pieces.next());
        let precision = match (month, day) {
            (None, _) => Precision::Year,
            (_, None) => Precision::Month,
            _ => Precision::Day,
        };
        if pieces.next().is_some() || clock.is_none() && precision != Precision::Day || year == 0 {
            return None;
        }
        let month = Month::try_from(month.map_or(Some(1), |month| number::<u8>(month, 2))?).ok()?;
        let day = day.map_or(Some(1), |day| number(day, 2))?;
        let date = Date::from_calendar_date(year, month, day).ok()?;
        let Some(clock) = clock.filter(|clock| !clock.is_empty()) else {
            let at = date.with_time(Time::MIDNIGHT).assume_utc();
            return Some(Self { at, precision, nowhere: true });
        };
        if precision != Precision::Day {
            return None;
        }
        let (clock, offset) = clock.split_at(clock.find(['Z', '+', '-'])?);
        let (time, precision) = parse_clock(clock)?;
        let at = date.with_time(time).assume_offset(parse_offset(offset)?);
        (1..=9999).contains(&at.to_offset(UtcOffset::UTC).year()).then_some(())?;
        Some(Self { at, precision, nowhere: offset == "-00:00" })
    }

    /// Months and years keep the day, or take the last of a shorter month.
    pub fn add(self, part: Part, quantity: i64) -> Result<Self, Fault> {
        let (at, least) = match part {
            Part::Year => (self.later(quantity.checked_mul(12)), Precision::Year),
            Part::Month => (self.later(Some(quantity)), Precision::Month),
            Part::Day => (self.after(quantity, 86_400), Precision::Day),
            Part::Hour => (self.after(quantity, 3600), Precision::Minute),
            Part::Minute => (self.after(quantity, 60), Precision::Minute),
            _ => (self.after(quantity, 1), Precision::Second),
        };
        let at = at.filter(|at| (1..=9999).contains(&at.year())).ok_or_else(out_of_range)?;
        Ok(Self { at, precision: self.precision.max(least), nowhere: self.nowhere })
    }

    fn after(self, quantity: i64, seconds: i64) -> Option<OffsetDateTime> {
        self.at.checked_add(Duration::seconds(quantity.checked_mul(seconds)?))
    }

    fn later(self, months: Option<i64>) -> Option<OffsetDateTime> {
        let date = self.at.date();
        let months =
            (i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1).checked_add(months?)?;
        let year = i32::try_from(months.div_euclid(12)).ok()?;
        let month = Month::try_from(u8::try_from(months.rem_euclid(12)).ok()? + 1).ok()?;
        let date = Date::from_calendar_date(year, month, date.day().min(month.length(year))).ok()?;
        Some(self.at.replace_date(date))
    }

    /// Whole parts from this moment to the other.
    pub fn until(self, other: Self, part: Part) -> i64 {
        let whole = |seconds: i64| (other.at - self.at).whole_seconds() / seconds;
        match part {
            Part::Year => self.months_until(other) / 12,
            Part::Month => self.months_until(other),
            Part::Day => whole(86_400),
            Part::Hour => whole(3600),
            Part::Minute => whole(60),
            _ => whole(1),
        }
    }

    fn months_until(self, other: Self) -> i64 {
        if other.at < self.at {
            return -other.months_until(self);
        }
        let (one, other) = (self.at.to_offset(UtcOffset::UTC), other.at.to_offset(UtcOffset::UTC));
        let months = |at: OffsetDateTime| i64::from(at.year()) * 12 + i64::from(u8::from(at.month()));
        let unfinished = (other.day(), other.time()) < (one.day(), one.time());
        months(other) - months(one) - i64::from(unfinished)
    }

    /// As it stands there, at its own offset.
    pub fn part(self, part: Part) -> i64 {
        let (hours, minutes, _) = self.at.offset().as_hms();
        match part {
            Part::Year => self.at.year().into(),
            Part::Month => u8::from(self.at.month()).into(),
            Part::Day => self.at.day().into(),
            Part::Hour => self.at.hour().into(),
            Part::Minute => self.at.minute().into(),
            Part::Second => self.at.second().into(),
            Part::TimezoneHour => hours.into(),
            Part::TimezoneMinute => minutes.into(),
        }
    }

    /// With its offset.
    pub fn at(self) -> OffsetDateTime {
        self.at
    }
}

fn parse_clock(clock: &str) -> Option<(Time, Precision)> {
    let mut pieces = clock.split(':');
    let (hour, minute) = (number(pieces.next()?, 2)?, number(pieces.next()?, 2)?);
    let Some(second) = pieces.next() else {
        return Some((Time::from_hms(hour, minute, 0).ok()?, Precision::Minute));
    };
    let (second, fraction) = second.split_once('.').map_or((second, None), |(second, it)| (second, Some(it)));
    let second = number(second, 2)?;
    if pieces.next().is_some() {
        return None;
    }
    let Some(fraction) = fraction else {
        return Some((Time::from_hms(hour, minute, second).ok()?, Precision::Second));
    };
    let digits = fraction.len();
    let nanoseconds =
        number::<u32>(fraction, digits.clamp(1, 9))? * 10_u32.pow(9 - u32::try_from(digits).ok()?);
    let time = Time::from_hms_nano(hour, minute, second, nanoseconds).ok()?;
    Some((time, Precision::Fraction(u8::try_from(digits).ok()?)))
}

fn parse_offset(offset: &str) -> Option<UtcOffset> {
    if offset == "Z" {
        return Some(UtcOffset::UTC);
    }
    let (sign, rest) = offset.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i8, i8) = (number(hours, 2)?, number(minutes, 2)?);
    let legal = hours < 24 && minutes < 60;
    let sign = if sign == "-" { -1 } else { 1 };
    legal.then(|| UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()).flatten()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, precision) = (self.at, self.precision);
        write!(f, "{:04}", at.year())?;
        if precision >= Precision::Month {
            write!(f, "-{:02}", u8::from(at.month()))?;
        }
        if precision >= Precision::Day {
            write!(f, "-{:02}", at.day())?;
        }
        if precision <= Precision::Day {
            return f.write_str(if precision < Precision::Day { "T" } else { "" });
        }
        write!(f, "T{:02}:{:02}", at.hour(), at.minute())?;
        if precision >= Precision::Second {
            write!(f, ":{:02}", at.second())?;
        }
        if let Precision::Fraction(digits) = precision {
            write!(f, ".{}", &format!("{:09}", at.nanosecond())[..usize::from(digits)])?;
        }
        let (hours, minutes, _) = at.offset().as_hms();
        match at.offset().is_utc() {
            true if self.nowhere => f.write_str("-00:00"),
            true => f.write_str("Z"),
            false => {
                let sign = if at.offset().is_negative() { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn moments_are_written_as_far_as_they_were_said() {
        for text in [
            "2010T",
            "2010-02T",
            "2010-02-03",
            "2010-02-03T04:05Z",
            "2010-02-03T04:05-00:00",
            "2010-02-03T04:05:06-08:00",
            "2010-02-03T04:05:06.007+05:30",
            "0001-01-01T00:00:00.123456789Z",
        ] {
            assert_eq!(at(text).to_string(), text);
        }
        assert_eq!(at("2010-02-03T").to_string(), "2010-02-03");
        for bad in [
            "",
            "2010",
            "2010-02",
            "10T",
            "2010-13T",
            "2010-02-30",
            "2010-02T04:05Z",
            "2010-02-03T04:05",
            "2010-02-03T04Z",
            "2010-02-03T24:00Z",
            "2010-02-03T04:05:06.Z",
            "2010-02-03T04:05+24:00",
            "2010-02-03T04:05+1:00",
            "0000T",
            "2010-02-03T04:05:06.1234567890Z",
            "0001-01-01T00:00+01:00",
            "2010-02-03-04",
        ] {
            assert!(Timestamp::parse(bad).is_none(), "{bad}");
        }
    }

    /// The examples of the documentation of S3 Select, and those at the edges.
    #[test]
    fn parts_are_added() {
        for (from, part, quantity, expected) in [
            ("2010-01-01T", Part::Year, 5, "2015-01-01"),
            ("2010T", Part::Month, 1, "2010-02T"),
            ("2010T", Part::Month, 13, "2011-02T"),
            ("2017-01-10T", Part::Day, -1, "2017-01-09"),
            ("2017T", Part::Hour, 1, "2017-01-01T01:00-00:00"),
            ("2017-01-02T03:04Z", Part::Hour, 1, "2017-01-02T04:04Z"),
            ("2017-01-02T03:04:05.006Z", Part::Minute, 1, "2017-01-02T03:05:05.006Z"),
            ("2017-01-02T03:04:05.006Z", Part::Second, 1, "2017-01-02T03:04:06.006Z"),
            ("2024-02-29", Part::Year, 1, "2025-02-28"),
            ("2024-01-31", Part::Month, 1, "2024-02-29"),
            ("2024-01-31", Part::Month, -2, "2023-11-30"),
        ] {
            assert_eq!(
                at(from).add(part, quantity).unwrap().to_string(),
                expected,
                "{from} {part:?} {quantity}"
            );
        }
        for (part, quantity) in
            [(Part::Year, 8000), (Part::Day, i64::MAX), (Part::Month, i64::MIN), (Part::Year, -2024)]
        {
            assert_eq!(at("2024T").add(part, quantity).unwrap_err().code, "EvaluatorInvalidArguments");
        }
    }

    #[test]
    fn whole_parts_lie_between_two_moments() {
        for (from, to, part, expected) in [
            ("2010-01-01T", "2011-01-01T", Part::Year, 1),
            ("2010-12T", "2011-01T", Part::Year, 0),
            ("2010T", "2010-05T", Part::Month, 4),
            ("2010T", "2011T", Part::Month, 12),
            ("2011T", "2010T", Part::Month, -12),
            ("2010-01-31", "2010-02-28", Part::Month, 0),
            ("2010-01-01T23:00Z", "2010-01-02T01:00Z", Part::Day, 0),
            ("2010-01-01T01:00Z", "2010-01-02T01:00+02:00", Part::Hour, 22),
            ("2010-01-01T00:00Z", "2010-01-01T00:01:59Z", Part::Minute, 1),
            ("2010-01-01T00:01Z", "2010-01-01T00:00Z", Part::Second, -60),
        ] {
            assert_eq!(at(from).until(at(to), part), expected, "{from} {to} {part:?}");
        }
    }

    #[test]
    fn parts_are_taken_at_the_moments_own_offset() {
        let moment = at("2017-01-02T03:04:05+07:08");
        let parts = [
            (Part::Year, 2017),
            (Part::Month, 1),
            (Part::Day, 2),
            (Part::Hour, 3),
            (Part::Minute, 4),
            (Part::Second, 5),
            (Part::TimezoneHour, 7),
            (Part::TimezoneMinute, 8),
        ];
        for (part, expected) in parts {
            assert_eq!(moment.part(part), expected, "{part:?}");
        }
        assert_eq!(at("2010T").part(Part::Month), 1);
        assert_eq!(at("2010-01-01T00:00-08:30").part(Part::TimezoneMinute), -30);
        assert!(at("2010-01-01T01:00+01:00") == at("2010T") && at("2010T") < at("2010-01-02"));
    }
}
