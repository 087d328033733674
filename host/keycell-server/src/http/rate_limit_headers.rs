//! The headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use keycell::RateLimitState;
use serde_json::Value;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Returns the headers for a key's limit.
pub fn of(state: &RateLimitState) -> HeaderMap {
    let milliseconds = u64::try_from(state.reset_after.as_millis()).unwrap_or(u64::MAX);
    headers(state.limit.requests.into(), state.limit.window_seconds.into(), state.remaining.into(), milliseconds)
}

/// Returns the headers for the limit in the output of `verify_api_key`, if the key has one.
pub fn of_json(state: &Value) -> HeaderMap {
    let field = |name: &str| state[name].as_u64();
    match (field("requests"), field("window_seconds"), field("remaining"), field("reset_after_ms")) {
        (Some(requests), Some(window), Some(remaining), Some(reset)) => headers(requests, window, remaining, reset),
        _ => HeaderMap::new(),
    }
}

fn headers(requests: u64, window: u64, remaining: u64, reset_after_ms: u64) -> HeaderMap {
    let policy = format!("\"key\";q={requests};w={window}");
    let state = format!("\"key\";r={remaining};t={}", reset_after_ms.div_ceil(1000));
    let headers = [(POLICY, policy), (STATE, state)];
    headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect()
}
