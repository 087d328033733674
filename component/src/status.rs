//! What became of a key, and which keys a list holds.

use crate::{expiry, fault::Fault, time::Time};

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is good.
    Active,
    /// Its time has come.
    Expired,
    /// It was revoked, whenever it would have expired.
    Revoked,
}

impl Status {
    /// The status of a key at `now`.
    #[must_use]
    pub fn of(is_revoked: bool, expires_at: Option<Time>, now: Time) -> Self {
        if is_revoked {
            Self::Revoked
        } else if expiry::is_expired(expires_at, now) {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

/// What a list asks storage for, so that what comes are the keys of one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFilter {
    /// Keys that were revoked, or that were not.
    pub revoked: Option<bool>,
    /// Keys that expire later than this, or never.
    pub expires_after: Option<Time>,
    /// Keys that expire at this time or earlier.
    pub expires_until: Option<Time>,
}

impl StatusFilter {
    /// Reads the status that keys are listed by at `now`; left out, it is `active`.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: Option<&str>, now: Time) -> Result<Self, Fault> {
        let all = Self { revoked: None, expires_after: None, expires_until: None };
        match text.unwrap_or("active") {
            "active" => Ok(Self { revoked: Some(false), expires_after: Some(now), ..all }),
            "expired" => Ok(Self { revoked: Some(false), expires_until: Some(now), ..all }),
            "revoked" => Ok(Self { revoked: Some(true), ..all }),
            "all" => Ok(all),
            _ => Err(Fault::NotAStatus),
        }
    }
}

/// Reads how many keys a page may hold; left out, 20.
///
/// # Errors
///
/// It is 0 or more than 100.
pub fn page_size(limit: Option<u32>) -> Result<u32, Fault> {
    match limit.unwrap_or(20) {
        limit @ 1..=100 => Ok(limit),
        _ => Err(Fault::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_asks_for_the_keys_of_the_status_and_no_others() {
        let [before, now, after] = [9, 10, 11].map(|millis| Time::from_millis(millis).unwrap());
        for (text, wanted) in [("active", Status::Active), ("expired", Status::Expired), ("revoked", Status::Revoked)] {
            let filter = StatusFilter::parse(Some(text), now).unwrap();
            for is_revoked in [false, true] {
                for expires_at in [None, Some(before), Some(now), Some(after)] {
                    let passes = filter.revoked.is_none_or(|revoked| revoked == is_revoked)
                        && filter
                            .expires_after
                            .is_none_or(|time| expires_at.is_none_or(|expires_at| expires_at > time))
                        && filter
                            .expires_until
                            .is_none_or(|time| expires_at.is_some_and(|expires_at| expires_at <= time));
                    assert_eq!(
                        passes,
                        Status::of(is_revoked, expires_at, now) == wanted,
                        "{text} {is_revoked} {expires_at:?}"
                    );
                }
            }
        }
        assert_eq!(StatusFilter::parse(None, now), StatusFilter::parse(Some("active"), now));
        assert_eq!(StatusFilter::parse(Some("Active"), now), Err(Fault::NotAStatus));
    }

    #[test]
    fn a_page_holds_1_to_100() {
        assert_eq!(page_size(None), Ok(20));
        for (limit, expected) in
            [(0, Err(Fault::OutOfRange)), (1, Ok(1)), (100, Ok(100)), (101, Err(Fault::OutOfRange))]
        {
            assert_eq!(page_size(Some(limit)), expected);
        }
    }
}
