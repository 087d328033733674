//! Expiry of keys.

use alloc::{vec, vec::Vec};

use crate::{
    fault::{self, Fault},
    time::{self, Time},
};

/// Limits of an expiry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The policy's longest life, in milliseconds.
    pub longest_life: Option<i64>,
    /// The policy's default life, in milliseconds.
    pub default_life: Option<i64>,
    /// The expiry of the calling key.
    pub callers_expiry: Option<Time>,
}

/// The time from which a key is expired; `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiresAt(Option<Time>);

impl ExpiresAt {
    /// Parses an expiry that was asked for at `now`. If none was asked for, the earliest limit
    /// applies: an argument that is left out must not exceed a limit.
    ///
    /// # Errors
    ///
    /// All faults: the text is not a time, or the time is not later than `now` or past a limit.
    pub fn parse(text: Option<&str>, now: Time, limits: Limits) -> Result<Self, Vec<Fault>> {
        let latest_by_policy = limits.longest_life.map(|life| now.plus(life));
        let Some(text) = text else {
            let by_default = limits.default_life.map(|life| now.plus(life));
            return Ok(Self(earliest(earliest(latest_by_policy, by_default), limits.callers_expiry)));
        };
        let millis = time::parse(text)?;
        let expiry =
            Time::from_millis(millis).filter(|&expiry| expiry > now).ok_or_else(|| vec![Fault::NotInTheFuture])?;
        let is_past = |limit: Option<Time>| limit.is_some_and(|latest| expiry > latest);
        fault::check(&[
            (is_past(latest_by_policy), Fault::PastLongestLife),
            (is_past(limits.callers_expiry), Fault::PastCallersExpiry),
        ])?;
        Ok(Self(Some(expiry)))
    }

    /// The time; `None`: never.
    #[must_use]
    pub const fn time(self) -> Option<Time> {
        self.0
    }
}

/// Moves the expiry of a key from `current` to `wanted`.
///
/// # Errors
///
/// `wanted` is not earlier.
pub fn earlier(wanted: Time, current: Option<Time>) -> Result<Time, Fault> {
    if current.is_some_and(|current| wanted >= current) { Err(Fault::NotEarlier) } else { Ok(wanted) }
}

/// Returns the expiry of a key that is rotated at `now`: the end of the grace period, and never
/// later than before.
#[must_use]
pub fn after_rotation(expires_at: Option<Time>, now: Time, grace_seconds: u32) -> Time {
    let end_of_grace = now.plus(i64::from(grace_seconds) * 1000);
    expires_at.map_or(end_of_grace, |expires_at| expires_at.min(end_of_grace))
}

/// Returns the expiry of the replacement of a key that is rotated at `now`: the old expiry, and
/// never later than the policy's longest life allows.
#[must_use]
pub fn of_replacement(expires_at: Option<Time>, now: Time, longest_life: Option<i64>) -> Option<Time> {
    earliest(expires_at, longest_life.map(|life| now.plus(life)))
}

/// Returns the earlier of two times, where `None` is never.
fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// Whether a key with this expiry is expired at `now`. It is expired from that millisecond on.
#[must_use]
pub fn is_expired(expires_at: Option<Time>, now: Time) -> bool {
    expires_at.is_some_and(|expires_at| now >= expires_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_900_000_000_000; // 2030-03-17T17:46:40.000Z

    fn at(millis: i64) -> Option<Time> {
        Time::from_millis(millis)
    }

    fn parse(text: Option<&str>, limits: Limits) -> Result<Option<Time>, Vec<Fault>> {
        ExpiresAt::parse(text, at(NOW).unwrap(), limits).map(ExpiresAt::time)
    }

    #[test]
    fn an_expiry_is_later_than_now() {
        let free = Limits::default();
        assert_eq!(parse(Some("2030-03-17T17:46:40.001Z"), free), Ok(at(NOW + 1)));
        assert_eq!(parse(Some("2030-03-17T17:46:40.000999Z"), free), Err(vec![Fault::NotInTheFuture]));
        assert_eq!(parse(Some("1969-12-31"), free), Err(vec![Fault::NotInTheFuture]));
        assert_eq!(parse(None, free), Ok(None));
    }

    #[test]
    fn limits_hold_to_the_millisecond_and_apply_to_an_expiry_that_is_left_out() {
        let policy = Limits { longest_life: Some(1000), ..Limits::default() };
        assert_eq!(parse(Some("2030-03-17T17:46:41Z"), policy), Ok(at(NOW + 1000)));
        assert_eq!(parse(Some("2030-03-17T17:46:41.001Z"), policy), Err(vec![Fault::PastLongestLife]));
        assert_eq!(parse(None, policy), Ok(at(NOW + 1000)));

        let both = Limits { callers_expiry: at(NOW + 500), ..policy };
        assert_eq!(parse(Some("2030-03-17T17:46:40.500Z"), both), Ok(at(NOW + 500)));
        assert_eq!(parse(Some("2030-03-17T17:46:40.501Z"), both), Err(vec![Fault::PastCallersExpiry]));
        assert_eq!(parse(None, both), Ok(at(NOW + 500)));
        let past_both = Err(vec![Fault::PastLongestLife, Fault::PastCallersExpiry]);
        assert_eq!(parse(Some("2031-01-01"), both), past_both);
    }

    #[test]
    fn the_default_life_applies_to_an_expiry_that_is_left_out() {
        let default = Limits { default_life: Some(700), ..Limits::default() };
        assert_eq!(parse(None, default), Ok(at(NOW + 700)));
        assert_eq!(parse(Some("2030-03-17T17:46:41Z"), default), Ok(at(NOW + 1000)));
        assert_eq!(parse(None, Limits { longest_life: Some(800), ..default }), Ok(at(NOW + 700)));
        assert_eq!(parse(None, Limits { callers_expiry: at(NOW + 600), ..default }), Ok(at(NOW + 600)));
    }

    #[test]
    fn a_replacement_expires_with_the_old_key_or_at_the_end_of_the_longest_life() {
        let now = at(NOW).unwrap();
        assert_eq!(of_replacement(None, now, None), None);
        assert_eq!(of_replacement(at(NOW + 5), now, None), at(NOW + 5));
        assert_eq!(of_replacement(None, now, Some(4)), at(NOW + 4));
        assert_eq!(of_replacement(at(NOW + 5), now, Some(4)), at(NOW + 4));
        assert_eq!(of_replacement(at(NOW + 5), now, Some(6)), at(NOW + 5));
    }

    #[test]
    fn an_expiry_is_only_made_earlier() {
        let now = at(NOW).unwrap();
        assert_eq!(earlier(now, at(NOW + 1)), Ok(now));
        assert_eq!(earlier(now, None), Ok(now));
        assert_eq!(earlier(now, at(NOW)), Err(Fault::NotEarlier));
    }

    #[test]
    fn grace_never_prolongs_a_life() {
        let now = at(NOW).unwrap();
        assert_eq!(after_rotation(None, now, 0), now);
        assert_eq!(Some(after_rotation(at(NOW + 5000), now, 4)), at(NOW + 4000));
        assert_eq!(Some(after_rotation(at(NOW + 5000), now, 6)), at(NOW + 5000));
        assert_eq!(after_rotation(None, Time::LAST, u32::MAX), Time::LAST);
    }

    #[test]
    fn a_key_is_expired_from_the_millisecond_of_its_expiry() {
        let now = at(NOW).unwrap();
        assert!(is_expired(at(NOW), now));
        assert!(!is_expired(at(NOW + 1), now));
        assert!(!is_expired(None, now));
    }
}
