//! `/v1/authorize`, for the authorization requests of gateways.
//!
//! A 200 always has every identity header, because some gateways forward the client's header if the
//! response has none. nginx supports only the refusals 401 and 403: with `?deny=403`, every other
//! refusal is 403, with its status in `X-Keycell-Status`.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER},
    },
    middleware::Next,
    response::{IntoResponse, Response},
    routing::any,
};
use keycell::{Caller, Error, Refusal, SecretKey, Verification, VerifiedApiKey};

use super::{
    authentication::{invalid_key, lacks_scope, no_key, seconds, take_bearer},
    client_address::ClientAddress,
    form,
    gate::Gate,
    problem::{self, Details},
    rate_limit_headers,
};
use crate::outcome::Outcome;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const STATUS: HeaderName = HeaderName::from_static("x-keycell-status");
const PATH: &str = "/v1/authorize";

/// The routes of authorization.
pub fn routes(gate: Arc<Gate>) -> Router {
    Router::new()
        .route(PATH, any(handle))
        .route("/v1/authorize/", any(handle))
        .route("/v1/authorize/{*rest}", any(handle))
        .with_state(gate)
}

async fn handle(
    State(gate): State<Arc<Gate>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    mut request: Request,
) -> Response {
    let scopes: Vec<_> = query(&request).filter(|(name, _)| name == "scope").map(|(_, scope)| scope).collect();
    match take_key(request.headers_mut()) {
        Some(key) => authorize(&gate, client, key, &scopes).await,
        None => no_key(),
    }
}

/// Returns the parameters of the gateway. Envoy adds the path and the query of its client to the end
/// of the configured path, which therefore ends in the parameter `path`.
fn query(request: &Request) -> impl Iterator<Item = (String, String)> {
    form::pairs(request.uri().query().unwrap_or_default().as_bytes()).take_while(|(name, _)| name != "path")
}

/// Gives the answers of these routes their form, also those of other layers: they are not cached,
/// and with `?deny=403` they have no status that nginx does not support.
pub async fn form_answers(request: Request, next: Next) -> Response {
    let rest = request.uri().path().strip_prefix(PATH);
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return next.run(request).await;
    }
    let denies_with_403 = query(&request).any(|(name, value)| name == "deny" && value == "403");
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let status = response.status();
    if denies_with_403 && ![StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status) {
        response.headers_mut().insert(STATUS, status.as_u16().into());
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// Removes the key from `Authorization`, or else from `X-Api-Key`, and returns it.
fn take_key(headers: &mut HeaderMap) -> Option<SecretKey> {
    let mut values = headers.get_all(X_API_KEY).iter();
    let alone = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(|key| SecretKey::from(key.trim())),
        _ => None,
    };
    headers.remove(X_API_KEY);
    take_bearer(headers).or(alone)
}

async fn authorize(gate: &Gate, client: std::net::IpAddr, key: SecretKey, scopes: &[String]) -> Response {
    let attempt = gate.wrong_keys.begin(client, key.expose()).await;
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let timer = gate.metrics.call();
    let result = gate.keycell.verify_api_key(&Caller::host(), key.expose(), &scopes).await;
    drop(timer);
    let outcome = match &result {
        Ok(Verification::Refused(Refusal::Malformed | Refusal::Unknown | Refusal::Revoked | Refusal::Expired)) => {
            Outcome::Invalid
        }
        // Invalid scopes do not show whether the key is valid.
        Err(error @ Error::InvalidInput { .. }) => Outcome::Unknown(error.clone()),
        other => Outcome::from(&other.as_ref().map_err(Clone::clone)),
    };
    if let Err(refused) = gate.conclude(attempt, &key, outcome) {
        return refused;
    }
    match result {
        Ok(Verification::Valid(verified)) => authorized(&verified),
        Ok(Verification::Refused(refusal)) => refused(gate, &refusal),
        Err(error) => problem::of(&error),
    }
}

fn authorized(key: &VerifiedApiKey) -> Response {
    let id = key.id.to_string();
    let identity = [
        ("x-keycell-key-id", id.as_str()),
        ("x-keycell-user", &key.user_id),
        ("x-keycell-project", key.project_id.as_deref().unwrap_or_default()),
        ("x-keycell-scopes", &key.scopes.join(" ")),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in identity {
        let Ok(value) = HeaderValue::from_str(&encoded(value)) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Some(state) = &key.rate_limit {
        headers.extend(rate_limit_headers::of(state));
    }
    (StatusCode::OK, headers).into_response()
}

/// Encodes a value as printable ASCII. Other characters, `%`, and spaces at the ends, which HTTP
/// would remove, are percent-encoded.
fn encoded(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let encode = |(at, byte): (usize, u8)| match byte {
        b'%' => "%25".to_owned(),
        b' ' if at != 0 && at != last => " ".to_owned(),
        0x21..=0x7e => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().enumerate().map(encode).collect()
}

fn refused(gate: &Gate, refusal: &Refusal) -> Response {
    gate.metrics.refusal(refusal);
    match refusal {
        Refusal::MissingScopes(scopes) => lacks_scope(&scopes.join(" ")),
        Refusal::RateLimited { retry_after, .. } => rate_limited(*retry_after),
        _ => invalid_key(None),
    }
}

/// Returns the response to a verification that the key's rate limit refused.
pub fn rate_limited(retry_after: Duration) -> Response {
    let details = Details::new("rate-limited", "the rate limit of the API key is used up");
    let mut response = problem::with_details(StatusCode::TOO_MANY_REQUESTS, details);
    response.headers_mut().insert(RETRY_AFTER, seconds(retry_after));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_printable_and_remain_distinct() {
        for (value, expected) in [
            ("ann", "ann"),
            ("a b", "a b"),
            (" ann", "%20ann"),
            ("ann ", "ann%20"),
            ("%20ann", "%2520ann"),
            ("änn", "%C3%A4nn"),
            ("", ""),
        ] {
            assert_eq!(encoded(value), expected);
        }
    }
}
