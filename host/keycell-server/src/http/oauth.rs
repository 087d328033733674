//! Token introspection (RFC 7662) and token revocation (RFC 7009).

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use keycell::{Refusal, SecretKey, Verification, VerifiedApiKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    authentication::{no_key, take_bearer},
    authorize::rate_limited,
    body,
    client_address::ClientAddress,
    form,
    gate::Gate,
    problem::{self, Details},
    rate_limit_headers,
};

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"keycell\"");

/// The routes of introspection and revocation.
pub fn routes(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/v1/introspect", post(introspect).layer(from_fn(offer_basic)))
        .route("/v1/revoke", post(revoke))
        .with_state(gate)
}

/// Adds the challenge of Basic to a 401, which must have one of the scheme that the caller used
/// (RFC 6749, 5.2).
async fn offer_basic(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().append(WWW_AUTHENTICATE, BASIC);
    }
    response
}

/// Introspects a key. The caller presents its own key as a bearer token or as the password of
/// Basic.
async fn introspect(
    State(gate): State<Arc<Gate>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    mut request: Request,
) -> Response {
    let Some(key) = take_client_key(request.headers_mut()) else {
        return no_key();
    };
    let token = match token(request).await {
        Ok(token) => token,
        Err(refused) => return refused,
    };
    let verified = gate.call(client, key, async |keycell, caller| match &token {
        Some(token) => keycell.verify_api_key(caller, token.expose(), &[]).await.map(Some),
        None => keycell.describe_caller(caller).await.map(|_| None),
    });
    let mut response = match verified.await {
        Err(refused) => return refused,
        Ok(None) => return no_token(),
        Ok(Some(Verification::Valid(key))) => {
            let limit = key.rate_limit.as_ref().map(rate_limit_headers::of);
            (limit.unwrap_or_default(), Json(active(&key))).into_response()
        }
        Ok(Some(Verification::Refused(refusal))) => {
            gate.metrics.refusal(&refusal);
            match refusal {
                Refusal::RateLimited { retry_after, .. } => rate_limited(retry_after),
                _ => Json(json!({"active": false})).into_response(),
            }
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn active(key: &VerifiedApiKey) -> Value {
    let seconds = |milliseconds: i64| milliseconds.div_euclid(1000);
    let id = key.id.to_string();
    let mut answer = json!({
        "active": true,
        "token_type": "Bearer",
        "scope": key.scopes.join(" "),
        // The scopes are also a list, because some clients compare whole members.
        "scopes": key.scopes,
        "client_id": id,
        "jti": id,
        "sub": key.user_id,
        "username": key.user_id,
    });
    if let Some(fields) = answer.as_object_mut() {
        let optional = [
            ("exp", key.expires_at.map(|time| seconds(time.millis()).into())),
            ("iat", issued_at(&id).map(|time| seconds(time).into())),
            ("project_id", key.project_id.clone().map(Value::from)),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    answer
}

/// Returns the time in a UUIDv7: its first 48 bits are milliseconds since 1970.
fn issued_at(id: &str) -> Option<i64> {
    let digits: String = id.chars().filter(|digit| *digit != '-').take(12).collect();
    i64::from_str_radix(&digits, 16).ok()
}

/// Revokes the presented key. The key itself is the caller.
async fn revoke(
    State(gate): State<Arc<Gate>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let token = match token(request).await {
        Ok(Some(token)) => token,
        Ok(None) => return no_token(),
        Err(refused) => return refused,
    };
    let revoked = gate.call(client, token, async |keycell, caller| {
        let own = keycell.describe_caller(caller).await?.api_key_id;
        match own {
            Some(id) => keycell.revoke_api_key(caller, &id.to_string(), None, None).await.map(|_| ()),
            None => Ok(()),
        }
    });
    match revoked.await {
        Ok(()) => StatusCode::OK.into_response(),
        // RFC 7009, 2.2: an invalid token counts as revoked.
        Err(refused) if refused.status() == StatusCode::UNAUTHORIZED => StatusCode::OK.into_response(),
        Err(refused) => refused,
    }
}

/// Returns the field `token` of a form; `None` if it is missing or repeated.
async fn token(request: Request) -> Result<Option<SecretKey>, Response> {
    let body: Bytes = body::read(request.into_body()).await?;
    Ok(form::single(&body, "token").map(SecretKey::from))
}

fn no_token() -> Response {
    let detail = "the form must have the field token once: send application/x-www-form-urlencoded";
    problem::with_details(StatusCode::BAD_REQUEST, Details::new("invalid-request", detail))
}

/// Removes the caller's key from `Authorization` and returns it: a bearer token, or the password of
/// Basic.
fn take_client_key(headers: &mut HeaderMap) -> Option<SecretKey> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let basic = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(password),
        _ => None,
    };
    take_bearer(headers).or(basic)
}

fn password(value: &str) -> Option<SecretKey> {
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim()).ok()?);
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(SecretKey::from(password))
}
