//! Values of arguments. The messages never repeat a value.

use std::{fs, path::Path, time::Duration};

use keycell::RateLimit;
use keycell_component::user::UserId;

use crate::error::CommandError;

/// Parses `REQUESTS/WINDOW`, such as `100/60s`. The component checks the range.
pub fn rate_limit(text: &str) -> Result<RateLimit, &'static str> {
    let parse = || {
        let (requests, window) = text.split_once('/')?;
        let window = humantime::parse_duration(window).ok().filter(|window| window.subsec_nanos() == 0)?;
        Some(RateLimit { requests: requests.parse().ok()?, window_seconds: u32::try_from(window.as_secs()).ok()? })
    };
    parse().ok_or("must be a number of requests and a window in whole seconds, such as 100/60s or 1000/1h")
}

/// Parses a duration, such as `90s` or `2h`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "must be a duration, such as 90s, 15m or 2h")
}

/// Parses a user id.
pub fn user_id(text: &str) -> Result<String, &'static str> {
    UserId::parse(text).map(UserId::into_text).map_err(|_| "must be 1 to 255 bytes without control characters")
}

/// Parses a number.
pub fn number(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "must be a whole number")
}

/// Reads metadata: the JSON of the argument, or of the file that it names after an `@`.
pub fn metadata(argument: String) -> Result<String, CommandError> {
    match argument.strip_prefix('@') {
        Some(path) => fs::read_to_string(Path::new(path)).map_err(CommandError::Metadata),
        None => Ok(argument),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_has_requests_and_a_window_in_whole_seconds() {
        let parsed = |text| rate_limit(text).map(|limit| (limit.requests, limit.window_seconds)).ok();
        assert_eq!(parsed("100/60s"), Some((100, 60)));
        assert_eq!(parsed("1/1day"), Some((1, 86_400)));
        for wrong in ["", "100", "100/", "/60s", "100/60", "-1/60s", "100/500ms", "4294967296/1s", "1/200years"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
