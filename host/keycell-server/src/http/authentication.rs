//! Who calls: the bearer of a key, which keycell's own component verifies.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use keycell::{Caller, Keycell, SqliteStorage, Verification};

use super::{
    Peer,
    problem::failed,
    slowdown::{Later, Slowdown},
};
use crate::mcp::Call;

/// What RFC 6750 tells those who bring no key, and those who bring a bad one.
const NO_KEY: HeaderValue = HeaderValue::from_static("Bearer realm=\"keycell\"");
const BAD_KEY: HeaderValue = HeaderValue::from_static("Bearer realm=\"keycell\", error=\"invalid_token\"");

/// What a request has to pass.
pub struct Gate {
    pub keycell: Arc<Keycell<SqliteStorage>>,
    pub slowdown: Slowdown,
}

/// Lets those pass who bear a good key, as the user, project and scopes of that key.
pub async fn authenticate(
    State(gate): State<Arc<Gate>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(key) = bearer(request.headers()) else {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, NO_KEY)]).into_response();
    };
    if let Err(Later(wait)) = gate.slowdown.wait(peer.ip(), key).await {
        let seconds = HeaderValue::from(wait.as_secs() + 1);
        return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)]).into_response();
    }
    let caller = match gate.keycell.verify_api_key(key, &[]).await {
        Ok(Verification::Valid(verified)) => {
            gate.slowdown.good(key);
            Caller::try_from(verified)
        }
        Ok(Verification::Refused(_)) => {
            gate.slowdown.wrong(peer.ip(), key);
            return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, BAD_KEY)]).into_response();
        }
        Err(error) => return failed(&error),
    };
    let Ok(caller) = caller else {
        tracing::error!("a stored key's user id breaks the rules of user ids");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    tracing::Span::current().record("user", caller.user_id());
    // Nobody behind this needs the key.
    request.headers_mut().remove(AUTHORIZATION);
    let call = Call::of(caller);
    request.extensions_mut().insert(call.clone());
    let response = next.run(request).await;
    match call.lacking() {
        Some(scope) => lacks(scope),
        None => response,
    }
}

fn lacks(scope: &str) -> Response {
    let challenge = format!("Bearer realm=\"keycell\", error=\"insufficient_scope\", scope=\"{scope}\"");
    (StatusCode::FORBIDDEN, [(WWW_AUTHENTICATE, challenge)]).into_response()
}

/// The one key of the request, if it brings one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
