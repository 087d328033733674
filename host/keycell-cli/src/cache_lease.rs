//! The setting `server.cache_lease`.

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::{
    config::{ConfigError, Setting},
    error::{CACHE_OF_FILE, CommandError},
    settings::{Origin, Settings},
};

/// A host reads the change feed four times in a lease.
const RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const DEFAULT: Duration = Duration::from_secs(2);

/// The lease of a cache of records, or none without a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLease(pub Option<Duration>);

impl CacheLease {
    pub const OFF: Self = Self(None);

    /// The first lease that is set. A SQLite file needs no cache.
    pub fn first(option: Option<Self>, settings: &Settings) -> Result<(Self, Origin), CommandError> {
        let is_file = settings.database.file().is_ok();
        let default = if is_file { Self::OFF } else { Self(Some(DEFAULT)) };
        let in_file = settings.config.server.cache_lease.as_ref().map(|lease| lease.0);
        let lease = Origin::first(option, in_file, || default);
        match (lease, &settings.config_file) {
            ((Self(Some(_)), Origin::File), Some(path)) if is_file => {
                Err(ConfigError::of_setting(path, "server.cache_lease", CACHE_OF_FILE).into())
            }
            ((Self(Some(_)), _), _) if is_file => Err(CommandError::CacheOfFile),
            _ => Ok(lease),
        }
    }
}

impl Setting for CacheLease {
    const FORM: &'static str = "off or a duration from 100ms to 60s, such as \"2s\"";

    fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::OFF);
        }
        let lease = humantime::parse_duration(text).ok().filter(|lease| RANGE.contains(lease))?;
        Some(Self(Some(lease)))
    }
}

impl fmt::Display for CacheLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(lease) => humantime::format_duration(lease).fmt(f),
            None => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_off_or_a_duration_in_the_range() {
        for text in ["off", "100ms", "2s", "1m"] {
            assert_eq!(CacheLease::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "0s", "99ms", "61s", "2", "on", "Off"] {
            assert_eq!(CacheLease::parse(text), None, "{text}");
        }
    }
}
