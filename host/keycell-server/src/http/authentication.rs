//! Bearer authentication: the presented key and the challenges of RFC 6750.

use std::time::Duration;

use axum::{
    Extension,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use keycell::{Error, SecretKey};

use super::{
    delay::Delay,
    problem::{Details, details},
};

/// The challenge to a request without a key.
const NO_KEY: HeaderValue = HeaderValue::from_static("Bearer realm=\"keycell\"");
/// The challenge to a request with a key that is not valid.
const INVALID_KEY: HeaderValue = HeaderValue::from_static("Bearer realm=\"keycell\", error=\"invalid_token\"");
/// The delay of the response to a throttled wrong key.
const THROTTLED: Delay = Delay(Duration::from_secs(1));

/// Removes the key from the headers. Returns it if there is exactly one.
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

/// Returns the response to a request without a key.
pub fn no_key() -> Response {
    let details = Details::new("unauthenticated", "the request has no API key: send it as Authorization: Bearer");
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, NO_KEY)], Extension(details)).into_response()
}

/// Returns a value of `Retry-After`: whole seconds, rounded up.
pub fn seconds(time: Duration) -> HeaderValue {
    HeaderValue::from(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// Returns the response to a key that is not valid. A time means that the attempt was throttled.
pub fn invalid_key(retry_after: Option<Duration>) -> Response {
    match retry_after {
        None => {
            let details = Extension(details(&Error::Unauthenticated));
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, INVALID_KEY)], details).into_response()
        }
        Some(time) => {
            let details = Details::new("too-many-invalid-keys", "too many invalid API keys came from this client");
            let headers = [(RETRY_AFTER, seconds(time))];
            (StatusCode::TOO_MANY_REQUESTS, headers, Extension(details), Extension(THROTTLED)).into_response()
        }
    }
}

/// Returns the response to a key that lacks this scope.
pub fn lacks_scope(scope: &str) -> Response {
    let challenge = format!("Bearer realm=\"keycell\", error=\"insufficient_scope\", scope=\"{scope}\"");
    let details = details(&Error::InsufficientScope { scope: scope.to_owned() });
    (StatusCode::FORBIDDEN, [(WWW_AUTHENTICATE, challenge)], Extension(details)).into_response()
}

/// Returns the public part of a valid key: `<prefix>_<lookup>`.
pub fn public_part(key: &str) -> &str {
    key.rsplit_once('_').map_or("", |(public, _)| public)
}
