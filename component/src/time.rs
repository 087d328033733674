//! Times: RFC 3339 in arguments and results, milliseconds inside.

use alloc::{string::String, vec, vec::Vec};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike};

use crate::fault::{self, Fault};

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
        let time = DateTime::from_timestamp_millis(self.0).unwrap_or_default();
        let mut text = String::with_capacity(24);
        push_digits(&mut text, time.year().unsigned_abs(), 1000, '-');
        push_digits(&mut text, time.month(), 10, '-');
        push_digits(&mut text, time.day(), 10, 'T');
        push_digits(&mut text, time.hour(), 10, ':');
        push_digits(&mut text, time.minute(), 10, ':');
        push_digits(&mut text, time.second(), 10, '.');
        push_digits(&mut text, time.timestamp_subsec_millis(), 100, 'Z');
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
    let not_a_time = || vec![Fault::NotATime];
    let mut rest = Cursor(text.as_bytes());
    let date = rest.date().ok_or_else(not_a_time)?;
    if rest.0.is_empty() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    let (time, is_leap) = rest.time().ok_or_else(not_a_time)?;
    let has_offset = !rest.0.is_empty();
    let offset = if has_offset { rest.offset() } else { FixedOffset::east_opt(0) };
    let offset = offset.filter(|_| rest.0.is_empty()).ok_or_else(not_a_time)?;
    let faults = fault::all([(!has_offset, Fault::NoOffset), (is_leap, Fault::LeapSecond)]);
    if !faults.is_empty() {
        return Err(faults);
    }
    date.and_time(time)
        .checked_sub_signed(TimeDelta::seconds(offset.local_minus_utc().into()))
        .filter(|utc| (0..=9999).contains(&utc.year()))
        .map(|utc| utc.and_utc().timestamp_millis())
        .ok_or_else(not_a_time)
}

fn push_digits(text: &mut String, value: u32, mut unit: u32, end: char) {
    while unit > 0 {
        text.push(char::from(b"0123456789"[(value / unit % 10) as usize]));
        unit /= 10;
    }
    text.push(end);
}

/// The text that is not read yet.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Takes the next byte if it is one of these.
    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        allowed.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    /// Takes a number of exactly this many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        (0..digits).try_fold(0, |number, _| {
            let digit = self.one_of(b"0123456789")?;
            Some(number * 10 + u32::from(digit - b'0'))
        })
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let year = self.number(4)?;
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, self.number(2)?)
    }

    /// Takes `T` and a time of day. Returns second 60 as second 59 and `true`.
    fn time(&mut self) -> Option<(NaiveTime, bool)> {
        self.one_of(b"Tt")?;
        let hour = self.number(2)?;
        self.one_of(b":")?;
        let minute = self.number(2)?;
        self.one_of(b":")?;
        let second = self.number(2)?;
        let milli = match self.one_of(b".") {
            Some(_) => self.milliseconds()?,
            None => 0,
        };
        let is_leap = second == 60;
        let time = NaiveTime::from_hms_milli_opt(hour, minute, if is_leap { 59 } else { second }, milli)?;
        Some((time, is_leap))
    }

    /// Takes one fraction digit or more, of which three count.
    fn milliseconds(&mut self) -> Option<u32> {
        let mut milliseconds = self.number(1)? * 100;
        for unit in [10, 1] {
            milliseconds += self.number(1).unwrap_or(0) * unit;
        }
        while self.number(1).is_some() {}
        Some(milliseconds)
    }

    fn offset(&mut self) -> Option<FixedOffset> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return FixedOffset::east_opt(0),
        };
        let hours = self.number(2).filter(|&hours| hours < 24)?;
        self.one_of(b":")?;
        let minutes = self.number(2).filter(|&minutes| minutes < 60)?;
        FixedOffset::east_opt(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
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
            ("2030-01-02T03:04:05+24:00", Fault::NotATime),
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
