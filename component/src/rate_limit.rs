//! Rate limits of verifications: the generic cell rate algorithm (GCRA), which is the leaky bucket
//! as a meter.
//!
//! The state of a key is one integer: its theoretical arrival time, in microseconds since 1970. At
//! that time the whole limit is available again. 0 stands for no state.

use crate::{fault::Fault, time::Time};

const MAX_REQUESTS: u32 = 1_000_000;
const MAX_WINDOW_SECONDS: u32 = 86_400;

/// A burst of requests, refilled evenly over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    requests: u32,
    window_seconds: u32,
}

/// The result of counting one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is admitted.
    Admitted {
        /// The new state.
        state: i64,
        /// The number of further requests that would be admitted now.
        remaining: u32,
        /// The milliseconds until the whole limit is available again.
        reset_after_ms: u32,
    },
    /// The request is refused, and the state is unchanged.
    Refused {
        /// The milliseconds after which a request is admitted.
        retry_after_ms: u32,
    },
}

impl RateLimit {
    /// Parses a limit.
    ///
    /// # Errors
    ///
    /// A number is out of range.
    pub fn parse(requests: u32, window_seconds: u32) -> Result<Self, Fault> {
        let is_in_range = (1..=MAX_REQUESTS).contains(&requests) && (1..=MAX_WINDOW_SECONDS).contains(&window_seconds);
        if is_in_range { Ok(Self { requests, window_seconds }) } else { Err(Fault::RateLimitOutOfRange) }
    }

    /// The maximum number of requests in a window.
    #[must_use]
    pub const fn requests(self) -> u32 {
        self.requests
    }

    /// The window in seconds.
    #[must_use]
    pub const fn window_seconds(self) -> u32 {
        self.window_seconds
    }

    /// Counts one request at `now`.
    ///
    /// Any state is accepted. A state beyond a full burst, for example after the clock was set
    /// back, counts as a full burst.
    #[must_use]
    pub fn count(self, state: i64, now: Time) -> Decision {
        let now = now.millis() * 1000;
        let interval = (u64::from(self.window_seconds) * 1_000_000).div_ceil(self.requests.into()).cast_signed();
        let capacity = interval * i64::from(self.requests);
        // `clamp` could panic, with formatting code of 1 KB.
        let used = state.saturating_sub(now).max(0).min(capacity) + interval;
        if used > capacity {
            return Decision::Refused { retry_after_ms: milliseconds(used - capacity) };
        }
        let remaining = u32::try_from((capacity - used) / interval).unwrap_or(self.requests);
        Decision::Admitted { state: now + used, remaining, reset_after_ms: milliseconds(used) }
    }
}

/// Microseconds as milliseconds, rounded up.
fn milliseconds(micros: i64) -> u32 {
    u32::try_from(micros.unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Admitted, Refused};

    const NOW: i64 = 1_900_000_000_000;

    fn at(millis: i64) -> Time {
        Time::from_millis(millis).unwrap()
    }

    fn limit(requests: u32, window_seconds: u32) -> RateLimit {
        RateLimit::parse(requests, window_seconds).unwrap()
    }

    #[test]
    fn both_numbers_have_a_range() {
        for (requests, window) in [(1, 1), (1_000_000, 86_400)] {
            let limit = limit(requests, window);
            assert_eq!((limit.requests(), limit.window_seconds()), (requests, window));
        }
        for (requests, window) in [(0, 1), (1_000_001, 1), (1, 0), (1, 86_401)] {
            assert_eq!(RateLimit::parse(requests, window), Err(Fault::RateLimitOutOfRange));
        }
    }

    #[test]
    fn a_burst_is_admitted_and_then_one_request_each_interval() {
        let limit = limit(3, 60);
        let mut state = 0;
        for used in 1..=3 {
            let expected = NOW * 1000 + i64::from(used) * 20_000_000;
            assert_eq!(
                limit.count(state, at(NOW)),
                Admitted { state: expected, remaining: 3 - used, reset_after_ms: used * 20_000 }
            );
            state = expected;
        }
        assert_eq!(limit.count(state, at(NOW)), Refused { retry_after_ms: 20_000 });
        assert_eq!(limit.count(state, at(NOW + 19_999)), Refused { retry_after_ms: 1 });
        assert_eq!(
            limit.count(state, at(NOW + 20_000)),
            Admitted { state: state + 20_000_000, remaining: 0, reset_after_ms: 60_000 }
        );
    }

    #[test]
    fn an_old_state_is_equal_to_none() {
        let limit = limit(10, 1);
        let fresh = limit.count(0, at(NOW));
        for state in [i64::MIN, -1, 1, NOW * 1000] {
            assert_eq!(limit.count(state, at(NOW)), fresh);
        }
    }

    #[test]
    fn a_state_in_the_far_future_is_a_full_burst() {
        let limit = limit(10, 1);
        for state in [i64::MAX, NOW * 1000 + 1_000_001, NOW * 1000 + 1_000_000] {
            assert_eq!(limit.count(state, at(NOW)), Refused { retry_after_ms: 100 });
        }
    }

    #[test]
    fn an_interval_that_is_not_whole_is_rounded_up() {
        // 333,334 microseconds each: the limit is never exceeded.
        let limit = limit(3, 1);
        assert_eq!(
            limit.count(0, at(NOW)),
            Admitted { state: NOW * 1000 + 333_334, remaining: 2, reset_after_ms: 334 }
        );
        assert_eq!(limit.count(NOW * 1000 + 1_000_002, at(NOW)), Refused { retry_after_ms: 334 });
    }

    #[test]
    fn the_extremes_fit() {
        let slowest = limit(1, 86_400);
        let Admitted { state, remaining: 0, reset_after_ms: 86_400_000 } = slowest.count(0, Time::LAST) else {
            panic!("the first request is admitted");
        };
        assert_eq!(slowest.count(state, Time::LAST), Refused { retry_after_ms: 86_400_000 });
        let fastest = limit(1_000_000, 1);
        assert_eq!(fastest.count(0, at(0)), Admitted { state: 1, remaining: 999_999, reset_after_ms: 1 });
    }

    #[test]
    fn a_simulated_day_admits_no_more_than_the_burst_and_its_refill() {
        let limit = limit(7, 3);
        let (mut state, mut admitted) = (0, 0);
        for step in 0..10_000 {
            if let Admitted { state: new, .. } = limit.count(state, at(NOW + step * 10)) {
                (state, admitted) = (new, admitted + 1);
            }
        }
        // A burst of 7, and 100 seconds of 7 in 3 seconds.
        assert!((7 + 230..=7 + 234).contains(&admitted), "{admitted}");
    }
}
