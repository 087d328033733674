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

/// Fills `out` with the host's random bytes.
pub fn fill_random(out: &mut [u8]) {
    // The backend below does not fail. Partly filled bytes must never become a key.
    if getrandom::fill(out).is_err() {
        core::arch::wasm32::unreachable()
    }
}

/// The backend of `getrandom` on this target.
// SAFETY: this is the symbol and the signature that `getrandom` documents for its backend
// `custom`. `dest` is valid for writes of `len` bytes, and all of them are written: the call traps
// if the host returns another number of bytes.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), getrandom::Error> {
    let bytes = random::get_random_bytes(len as u64);
    assert!(bytes.len() == len);
    // SAFETY: `bytes` was just allocated, so it overlaps nothing, and both are `len` bytes long.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), dest, len) };
    Ok(())
}
