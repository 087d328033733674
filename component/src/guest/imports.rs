//! The clock and the random bytes of the host.

use super::api_keys::Error;
use super::bindings::wasi::{clocks::wall_clock, random::random};
use super::context::InternalCause;
use crate::time::Time;

/// Gets the time of the host's clock.
pub fn now() -> Result<Time, Error> {
    let now = wall_clock::now();
    i64::try_from(now.seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(1000))
        .and_then(|millis| millis.checked_add((now.nanoseconds / 1_000_000).into()))
        .and_then(Time::from_millis)
        .ok_or_else(|| InternalCause::Clock.into())
}

/// Fills `out` with the host's random bytes. Traps if the host returns another number of bytes:
/// partly filled bytes must never become a key.
pub fn fill_random(out: &mut [u8]) {
    out.copy_from_slice(&random::get_random_bytes(out.len() as u64));
}
