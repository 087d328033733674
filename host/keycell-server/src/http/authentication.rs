//! The presented key, and what RFC 6750 answers.

use std::time::Duration;

use axum::{
    Extension,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use keycell::SecretKey;

use super::delay::Delay;

/// The challenge to a request without a key.
const NO_KEY: HeaderValue = HeaderValue::from_static("Bearer realm=\"keycell\"");
/// The challenge to a request with a key that is not valid.
const INVALID_KEY: HeaderValue = HeaderValue::from_static("Bearer realm=\"keycell\", error=\"invalid_token\"");
/// The delay of the answer to one wrong key of too many.
const THROTTLED: Delay = Delay(Duration::from_secs(1));

/// Takes the key out of the headers, if there is exactly one.
pub fn take_bearer(headers: &mut HeaderMap) -> Option<SecretKey> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let key = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(bearer).map(SecretKey::from),
        _ => None,
    };
    headers.remove(AUTHORIZATION);
    key
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The answer to a request without a key.
pub fn no_key() -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, NO_KEY)]).into_response()
}

/// The answer to a key that is not valid. With a time: too many of them came.
pub fn invalid_key(retry_after: Option<Duration>) -> Response {
    match retry_after {
        None => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, INVALID_KEY)]).into_response(),
        Some(time) => {
            let seconds = HeaderValue::from(time.as_secs() + 1);
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)], Extension(THROTTLED)).into_response()
        }
    }
}

/// The answer to a key that lacks this scope.
pub fn lacks_scope(scope: &str) -> Response {
    let challenge = format!("Bearer realm=\"keycell\", error=\"insufficient_scope\", scope=\"{scope}\"");
    (StatusCode::FORBIDDEN, [(WWW_AUTHENTICATE, challenge)]).into_response()
}

/// The part of a valid key that is public: `<prefix>_<lookup>`.
pub fn public_part(key: &str) -> &str {
    key.rsplit_once('_').map_or("", |(public, _)| public)
}
