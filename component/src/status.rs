//! The status of a key, and the filter of keys by status.

use crate::{argument, expiry, fault::Fault, time::Time};

/// The status of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Neither expired nor revoked.
    Active,
    /// Expired.
    Expired,
    /// Revoked, whether or not it has expired.
    Revoked,
}

impl Status {
    /// Returns the status of a key at `now`.
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

/// A filter of keys by status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// Every key.
    All,
    /// Keys of one status.
    Only(Status),
}

impl StatusFilter {
    /// Parses a filter; left out, it is `active`.
    ///
    /// # Errors
    ///
    /// The text is not one of the four.
    pub fn parse(text: Option<&str>) -> Result<Self, Fault> {
        match text {
            None | Some("active") => Ok(Self::Only(Status::Active)),
            Some("expired") => Ok(Self::Only(Status::Expired)),
            Some("revoked") => Ok(Self::Only(Status::Revoked)),
            Some("all") => Ok(Self::All),
            Some(text) if argument::is_too_long(text) => Err(Fault::TooLong),
            Some(_) => Err(Fault::NotAStatus),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocation_goes_before_expiry() {
        let [before, now, after] = [1, 2, 3].map(Time::from_millis);
        let status = |is_revoked, expires_at| Status::of(is_revoked, expires_at, now.unwrap());
        for expires_at in [None, before, now, after] {
            assert_eq!(status(true, expires_at), Status::Revoked);
        }
        assert_eq!([None, after].map(|expires_at| status(false, expires_at)), [Status::Active; 2]);
        assert_eq!([before, now].map(|expires_at| status(false, expires_at)), [Status::Expired; 2]);
    }

    #[test]
    fn a_filter_is_one_of_four_words() {
        for (text, filter) in [
            (None, StatusFilter::Only(Status::Active)),
            (Some("active"), StatusFilter::Only(Status::Active)),
            (Some("expired"), StatusFilter::Only(Status::Expired)),
            (Some("revoked"), StatusFilter::Only(Status::Revoked)),
            (Some("all"), StatusFilter::All),
        ] {
            assert_eq!(StatusFilter::parse(text), Ok(filter));
        }
        for text in ["", "Active", "none"] {
            assert_eq!(StatusFilter::parse(Some(text)), Err(Fault::NotAStatus), "{text}");
        }
    }
}
