//! MCP over HTTP, for the bearers of keys.
//!
//! A request that calls a tool makes one call of the component, which authenticates the key and
//! runs the tool. [`HttpCall`] returns the outcome. A request that calls no tool (`initialize`,
//! `tools/list`, a refused message) has no effect. It is authenticated before it gets a response.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use http_body_util::Full;
use keycell::Caller;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};

use super::{
    authentication::{no_key, take_bearer},
    body,
    client_address::ClientAddress,
    gate::Gate,
    problem,
};
use crate::{
    mcp::{HttpCall, McpServer},
    message,
    outcome::Outcome,
};

struct Endpoint {
    gate: Arc<Gate>,
    service: StreamableHttpService<McpServer, NeverSessionManager>,
}

/// The route `/mcp`.
pub fn routes(gate: Arc<Gate>, server: McpServer) -> Router {
    // The router has checked `Host` and `Origin`.
    let mut config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    // Requests are stateless: there are no sessions.
    config.legacy_session_mode = false;
    config.json_response = true;
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
    let endpoint = Arc::new(Endpoint { gate, service });
    Router::new().route("/mcp", any(handle)).with_state(endpoint)
}

async fn handle(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    mut request: Request,
) -> Response {
    let Some(key) = take_bearer(request.headers_mut()) else {
        return no_key();
    };
    let (mut head, body) = request.into_parts();
    // The body is read before the attempt begins, so that a slow body holds no permit.
    let body = match body::read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let gate = &endpoint.gate;
    let attempt = gate.wrong_keys.begin(client, key.expose()).await;
    let call = HttpCall::new(Caller::bearer(key.clone()));
    head.extensions.insert(call.clone());
    let timer = gate.metrics.call();
    let response = endpoint.answer(head, body).await;
    let (outcome, reached_tool) = match call.outcome() {
        Some(outcome) => (outcome.clone(), true),
        None => (Outcome::from(&gate.keycell.describe_caller(call.caller()).await), false),
    };
    drop(timer);
    if call.is_rate_limited() {
        gate.metrics.rate_limited();
    }
    if let Err(refused) = gate.conclude(attempt, &key, outcome.clone()) {
        return refused;
    }
    match outcome {
        // The result of a tool has the error itself.
        Outcome::Unknown(error) if !reached_tool => problem::of(&error),
        _ => response,
    }
}

impl Endpoint {
    /// Returns the response to a message, without regard to authentication.
    async fn answer(&self, head: Parts, body: Bytes) -> Response {
        let says_json = body::is_json(&head.headers);
        if says_json && let Err(error) = message::check(&body) {
            return (StatusCode::BAD_REQUEST, Json(error.to_message())).into_response();
        }
        let response = self.service.handle(Request::from_parts(head, Full::new(body.clone()))).await;
        // The SDK returns 415 for JSON that it cannot parse.
        if says_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return (StatusCode::BAD_REQUEST, Json(message::not_mcp(&body).to_message())).into_response();
        }
        body::wiped(response).await
    }
}
