//! Times: RFC 3339 in arguments and results, milliseconds inside.

use alloc::{string::String, vec, vec::Vec};
use core::ops::RangeInclusive;

use crate::{
    argument,
    fault::{self, Fault},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// `0000-01-01T00:00:00.000Z`, the first time that RFC 3339 can write in UTC.
const FIRST_MILLIS: i64 = -62_167_219_200_000;

/// A time in milliseconds, from 1970 to the end of the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// `9999-12-31T23:59:59.999Z`, the last time that RFC 3339 can write in UTC.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// Makes a time of milliseconds since 1970; `None` outside the range.
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        (0..=Self::LAST.0).contains(&millis).then_some(Self(millis))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The time this many milliseconds later, at most [`Self::LAST`].
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).clamp(0, Self::LAST.0))
    }

    /// Formats the time as `YYYY-MM-DDTHH:MM:SS.sssZ`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let date = Date::of_day(self.0 / DAY);
        let mut text = String::with_capacity(24);
        push_digits(&mut text, date.year, 1000, '-');
        push_digits(&mut text, date.month, 10, '-');
        push_digits(&mut text, date.day, 10, 'T');
        push_digits(&mut text, self.0 % DAY / HOUR, 10, ':');
        push_digits(&mut text, self.0 % HOUR / MINUTE, 10, ':');
        push_digits(&mut text, self.0 % MINUTE / 1000, 10, '.');
        push_digits(&mut text, self.0 % 1000, 100, 'Z');
        text
    }
}

/// Parses an RFC 3339 `date-time`, or a `full-date`, which is midnight of that day in UTC, into
/// milliseconds since 1970. Finer fractions are truncated.
///
/// # Errors
///
/// All faults: the text is empty or neither of the two, has no offset, has second 60, or is outside
/// the years that RFC 3339 can write.
pub fn parse(text: &str) -> Result<i64, Vec<Fault>> {
    if text.is_empty() {
        return Err(vec![Fault::Empty]);
    }
    if argument::is_too_long(text) {
        return Err(vec![Fault::TooLong]);
    }
    let not_a_time = || vec![Fault::NotATime];
    let mut rest = Cursor(text.as_bytes());
    let date = rest.date().ok_or_else(not_a_time)?.day_number() * DAY;
    if rest.0.is_empty() {
        return Ok(date);
    }
    let (time, is_leap) = rest.time().ok_or_else(not_a_time)?;
    let has_offset = !rest.0.is_empty();
    let offset = if has_offset { rest.offset() } else { Some(0) };
    let offset = offset.filter(|_| rest.0.is_empty()).ok_or_else(not_a_time)?;
    fault::check(&[(!has_offset, Fault::NoOffset), (is_leap, Fault::LeapSecond)])?;
    let utc = date + time - offset;
    if (FIRST_MILLIS..=Time::LAST.0).contains(&utc) { Ok(utc) } else { Err(not_a_time()) }
}

fn push_digits(text: &mut String, value: i64, mut unit: i64, end: char) {
    while unit > 0 {
        text.push(char::from(b'0' + (value / unit % 10) as u8));
        unit /= 10;
    }
    text.push(end);
}

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

// Both conversions count in years that begin on 1 March, so that a leap day is the last day of its
// year, and in eras of 400 years, each of which has the same number of days.
impl Date {
    const ERA_DAYS: i64 = 146_097;
    /// The days from 1 March of the year 0 to 1 January 1970.
    const EPOCH: i64 = 719_468;

    /// The day this many days after 1970-01-01. It must not be before the year 0.
    fn of_day(day_number: i64) -> Self {
        let (era, day_of_era) =
            ((day_number + Self::EPOCH) / Self::ERA_DAYS, (day_number + Self::EPOCH) % Self::ERA_DAYS);
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / (Self::ERA_DAYS - 1);
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let (month, next_year) =
            if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        Self { year: era * 400 + year_of_era + next_year, month, day }
    }

    /// The number of days from 1970-01-01 to this day.
    const fn day_number(self) -> i64 {
        let (year, month_from_march) =
            if self.month > 2 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        // The years are at least -1, so these divisions round down as they must with 4 eras added.
        let year = year + 1600;
        let leap_days = year / 4 - year / 100 + year / 400;
        365 * year + leap_days + day_of_year - Self::EPOCH - 4 * Self::ERA_DAYS
    }

    const fn days_in_month(year: i64, month: i64) -> i64 {
        match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

/// The text that is not read yet.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Takes the next byte if it is allowed.
    fn take_if(&mut self, is_allowed: fn(u8) -> bool) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        is_allowed(first).then(|| {
            self.0 = rest;
            first
        })
    }

    /// Takes a number of exactly this many digits that is in the range.
    fn number(&mut self, digits: u32, range: RangeInclusive<i64>) -> Option<i64> {
        let number = (0..digits).try_fold(0, |number, _| {
            let digit = self.take_if(|byte| byte.is_ascii_digit())?;
            Some(number * 10 + i64::from(digit - b'0'))
        });
        number.filter(|number| range.contains(number))
    }

    fn date(&mut self) -> Option<Date> {
        let year = self.number(4, 0..=9999)?;
        self.take_if(|byte| byte == b'-')?;
        let month = self.number(2, 1..=12)?;
        self.take_if(|byte| byte == b'-')?;
        let day = self.number(2, 1..=Date::days_in_month(year, month))?;
        Some(Date { year, month, day })
    }

    /// Takes `T` and a time of day, in milliseconds, and returns whether it has second 60.
    fn time(&mut self) -> Option<(i64, bool)> {
        self.take_if(|byte| byte.eq_ignore_ascii_case(&b'T'))?;
        let hour = self.number(2, 0..=23)?;
        self.take_if(|byte| byte == b':')?;
        let minute = self.number(2, 0..=59)?;
        self.take_if(|byte| byte == b':')?;
        let second = self.number(2, 0..=60)?;
        let millis = match self.take_if(|byte| byte == b'.') {
            Some(_) => self.milliseconds()?,
            None => 0,
        };
        Some((hour * HOUR + minute * MINUTE + second * 1000 + millis, second == 60))
    }

    /// Takes one fraction digit or more, of which three count.
    fn milliseconds(&mut self) -> Option<i64> {
        let mut milliseconds = self.number(1, 0..=9)? * 100;
        for unit in [10, 1] {
            milliseconds += self.number(1, 0..=9).unwrap_or(0) * unit;
        }
        while self.number(1, 0..=9).is_some() {}
        Some(milliseconds)
    }

    /// Takes an offset, in milliseconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.take_if(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.number(2, 0..=23)?;
        self.take_if(|byte| byte == b':')?;
        let minutes = self.number(2, 0..=59)?;
        Some(sign * (hours * HOUR + minutes * MINUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Result<String, Vec<Fault>> {
        parse(text).map(|millis| Time::from_millis(millis).unwrap().to_rfc3339())
    }

    #[test]
    fn times_are_written_with_three_decimals() {
        assert_eq!(Time::from_millis(0).unwrap().to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Time::LAST.to_rfc3339(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Time::from_millis(1_709_210_096_007).unwrap().to_rfc3339(), "2024-02-29T12:34:56.007Z");
        assert_eq!(Time::from_millis(-1), None);
        assert_eq!(Time::from_millis(Time::LAST.millis() + 1), None);
    }

    #[test]
    fn every_day_is_as_chrono_has_it() {
        let first = chrono::NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        let days: Vec<_> = first.iter_days().take_while(|day| chrono::Datelike::year(day) < 10_000).collect();
        assert_eq!(days.len(), 3_652_425);
        for day in days {
            let text = day.to_string();
            let millis = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
            assert_eq!(parse(&text), Ok(millis), "{text}");
            if let Some(time) = Time::from_millis(millis + 86_399_999) {
                assert_eq!(time.to_rfc3339(), format!("{text}T23:59:59.999Z"));
            }
        }
    }

    #[test]
    fn a_day_that_no_month_has_is_refused() {
        for year in [1900, 2000, 2023, 2024] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let is_day = chrono::NaiveDate::from_ymd_opt(year, month, day).is_some();
                    assert_eq!(parse(&format!("{year}-{month:02}-{day:02}")).is_ok(), is_day, "{year}-{month}-{day}");
                }
            }
        }
    }

    #[test]
    fn the_first_and_the_last_time_in_utc_are_the_limits() {
        assert_eq!(parse("0000-01-01T00:00:00Z"), Ok(FIRST_MILLIS));
        assert_eq!(parse("0000-01-01T00:00:00+00:01"), Err(vec![Fault::NotATime]));
        assert_eq!(parse("9999-12-31T23:59:59.999Z"), Ok(Time::LAST.millis()));
        assert_eq!(parse("9999-12-31T23:59:59.999-00:01"), Err(vec![Fault::NotATime]));
    }

    #[test]
    fn offsets_are_applied_and_fractions_truncated() {
        for (text, expected) in [
            ("2030-01-02", "2030-01-02T00:00:00.000Z"),
            ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05.000Z"),
            ("2030-01-02t03:04:05.6z", "2030-01-02T03:04:05.600Z"),
            ("2030-01-02T03:04:05.67+00:00", "2030-01-02T03:04:05.670Z"),
            ("2030-01-02T03:04:05.678999999999-00:00", "2030-01-02T03:04:05.678Z"),
            ("2030-01-01T00:00:00+23:59", "2029-12-31T00:01:00.000Z"),
            ("2032-02-28T23:30:00-01:00", "2032-02-29T00:30:00.000Z"),
        ] {
            assert_eq!(utc(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn two_faults_are_both_reported() {
        assert_eq!(parse("2030-06-30T23:59:60"), Err(vec![Fault::NoOffset, Fault::LeapSecond]));
    }

    #[test]
    fn each_fault_has_its_own_code() {
        for (text, fault) in [
            ("", Fault::Empty),
            ("2030-01-02T03:04:05", Fault::NoOffset),
            ("2030-01-02T03:04:05.1", Fault::NoOffset),
            ("2030-06-30T23:59:60Z", Fault::LeapSecond),
            ("2030-01-02T03:04:61Z", Fault::NotATime),
            ("2030-01-02T24:00:00Z", Fault::NotATime),
            ("2030-01-02T03:04:05.Z", Fault::NotATime),
            ("2030-01-02 03:04:05Z", Fault::NotATime),
            ("2030-01-02T03:04Z", Fault::NotATime),
            ("2030-01-02T03:60:05Z", Fault::NotATime),
            ("2030-01-02T03:04:05+24:00", Fault::NotATime),
            ("2030-01-02T03:04:05+23:60", Fault::NotATime),
            ("2030-01-02T03:04:05+0100", Fault::NotATime),
            ("2030-01-02T03:04:05Z ", Fault::NotATime),
            ("2030-02-29", Fault::NotATime),
            ("2030-1-2", Fault::NotATime),
            ("+2030-01-02", Fault::NotATime),
            ("9999-12-31T23:59:59-00:01", Fault::NotATime),
            ("tomorrow", Fault::NotATime),
        ] {
            assert_eq!(parse(text), Err(vec![fault]), "{text}");
        }
    }
}
