//! Times for people.

use std::time::{SystemTime, UNIX_EPOCH};

use keycell::Time;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The mean month and year of the Gregorian calendar.
const MONTH: i64 = 2_629_746 * SECOND;
const YEAR: i64 = 12 * MONTH;

/// The form in which times are shown.
#[derive(Clone, Copy)]
pub enum Form {
    /// As RFC 3339.
    Exact,
    /// By the distance from this time.
    Relative(Time),
}

impl Form {
    /// Exact times, or times relative to now.
    pub fn new(is_exact: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let now = now.and_then(|since_1970| i64::try_from(since_1970.as_millis()).ok()).and_then(Time::from_millis);
        match now {
            Some(now) if !is_exact => Self::Relative(now),
            _ => Self::Exact,
        }
    }

    /// The maximum width of a time in a column.
    pub fn width(self) -> usize {
        match self {
            Self::Exact => "2000-01-01T00:00:00.000Z".len(),
            Self::Relative(_) => "59 minutes ago".len(),
        }
    }

    /// Formats a time for a column.
    pub fn short(self, time: Time) -> String {
        match self {
            Self::Exact => time.to_rfc3339(),
            Self::Relative(now) => relative(time.millis() - now.millis()),
        }
    }

    /// Formats a time for a line of its own: exact, with the distance unless only exact times are
    /// wanted.
    pub fn long(self, time: Time) -> String {
        match self {
            Self::Exact => time.to_rfc3339(),
            Self::Relative(_) => format!("{} ({})", time.to_rfc3339(), self.short(time)),
        }
    }
}

/// Formats a distance in milliseconds, such as `3 hours ago` or `in 2 days`, by the largest unit that
/// fits, rounded down.
fn relative(distance: i64) -> String {
    let length = distance.saturating_abs();
    if length < SECOND {
        return "now".to_owned();
    }
    let units =
        [(YEAR, "year"), (MONTH, "month"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")];
    let fitting = units.into_iter().find(|(unit, _)| length >= *unit);
    let (unit, name) = fitting.unwrap_or((SECOND, "second"));
    let count = length / unit;
    let plural = if count == 1 { "" } else { "s" };
    if distance < 0 { format!("{count} {name}{plural} ago") } else { format!("in {count} {name}{plural}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_has_one_unit() {
        for (distance, text) in [
            (0, "now"),
            (-999, "now"),
            (-SECOND, "1 second ago"),
            (59 * SECOND, "in 59 seconds"),
            (-MINUTE, "1 minute ago"),
            (-(3 * HOUR + MINUTE), "3 hours ago"),
            (2 * DAY + 23 * HOUR, "in 2 days"),
            (-29 * DAY, "29 days ago"),
            (YEAR - 1, "in 11 months"),
            (-YEAR, "1 year ago"),
            (250 * YEAR, "in 250 years"),
        ] {
            assert_eq!(relative(distance), text);
        }
    }

    #[test]
    fn exact_times_stay_exact() {
        let time = Time::from_millis(0).unwrap();
        assert_eq!(Form::Exact.long(time), "1970-01-01T00:00:00.000Z");
        assert_eq!(Form::Relative(time).long(time), "1970-01-01T00:00:00.000Z (now)");
    }
}
