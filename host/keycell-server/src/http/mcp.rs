//! MCP over HTTP, for the bearers of keys.
//!
//! A request that calls a tool makes one call of the component, which authenticates the key and
//! does the tool's work. The outcome comes back through [`HttpCall`]. A request that reaches no tool
//! (`initialize`, `tools/list`, a message that is refused) has no effect. It is authenticated before
//! its answer is given.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use http_body_util::Full;
use keycell::{Caller, Keycell, ProjectStorage};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};

use super::{
    authentication::{invalid_key, lacks_scope, no_key, public_part, take_bearer},
    body,
    client_address::ClientAddress,
    problem::failed,
    wrong_keys::WrongKeys,
};
use crate::{
    mcp::{HttpCall, McpServer},
    message,
    outcome::Outcome,
};

struct Endpoint<S: ProjectStorage> {
    keycell: Arc<Keycell<S>>,
    wrong_keys: Arc<WrongKeys>,
    service: StreamableHttpService<McpServer<S>, NeverSessionManager>,
}

/// The route `/mcp`.
pub fn routes<S: ProjectStorage>(keycell: Arc<Keycell<S>>, server: McpServer<S>, wrong_keys: Arc<WrongKeys>) -> Router {
    // The router has checked `Host` and `Origin`.
    let mut config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    // Each request is complete: nothing is kept between two of one client.
    config.legacy_session_mode = false;
    config.json_response = true;
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
    let endpoint = Arc::new(Endpoint { keycell, wrong_keys, service });
    Router::new().route("/mcp", any(handle::<S>)).with_state(endpoint)
}

async fn handle<S: ProjectStorage>(
    State(endpoint): State<Arc<Endpoint<S>>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    mut request: Request,
) -> Response {
    let Some(key) = take_bearer(request.headers_mut()) else {
        return no_key();
    };
    let (mut head, body) = request.into_parts();
    // Before the attempt begins, so that a slow body keeps no place of it.
    let body = match body::read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let attempt = endpoint.wrong_keys.begin(client, key.expose()).await;
    let call = HttpCall::new(Caller::bearer(key.clone()));
    head.extensions.insert(call.clone());
    let response = endpoint.answer(head, body).await;
    let outcome = match call.outcome() {
        // The tool's result has the error.
        Some(Outcome::Unknown(_)) => {
            attempt.undecided();
            return response;
        }
        Some(outcome) => outcome.clone(),
        None => Outcome::from(&endpoint.keycell.describe_caller(call.caller()).await),
    };
    match outcome {
        Outcome::Invalid => return invalid_key(attempt.failed()),
        Outcome::Unknown(error) => {
            attempt.undecided();
            return failed(&error).into_response();
        }
        Outcome::Valid | Outcome::LacksScope(_) => attempt.succeeded(),
    }
    tracing::Span::current().record("key_prefix", public_part(key.expose()));
    match outcome {
        Outcome::LacksScope(scope) => lacks_scope(&scope),
        _ => response,
    }
}

impl<S: ProjectStorage> Endpoint<S> {
    /// The answer to a message, whether or not the caller is authenticated.
    async fn answer(&self, head: Parts, body: Bytes) -> Response {
        let says_json = says_json(&head.headers);
        if says_json && let Err(error) = message::check(&body) {
            return (StatusCode::BAD_REQUEST, Json(error.to_message())).into_response();
        }
        let response = self.service.handle(Request::from_parts(head, Full::new(body.clone()))).await;
        // The SDK answers JSON that it cannot read as if it were an unknown media type.
        if says_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return (StatusCode::BAD_REQUEST, Json(message::not_mcp(&body).to_message())).into_response();
        }
        body::wiped(response).await
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
