//! The MCP server over HTTP: what stands between a connection and the tools.

mod authentication;
mod connections;
mod health;
mod malformed;
mod problem;
mod request_log;
mod slowdown;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use keycell::{Keycell, SqliteStorage};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

pub use self::connections::serve;
use self::{authentication::Gate, slowdown::Slowdown};
use crate::mcp::Server;

/// How long a request may take, from its headers to the answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// `/mcp` for those who bear a key; `/healthz` and `/readyz` for all.
///
/// `hosts` are the names that `Host` may have, and that the host in `Origin` may have: a page of another
/// name can't have a browser speak for it.
pub fn router(keycell: Arc<Keycell<SqliteStorage>>, server: Server, hosts: Vec<String>) -> Router {
    let origins: Vec<_> =
        hosts.iter().flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:*"))).collect();
    let mut config = StreamableHttpServerConfig::default().with_allowed_hosts(hosts).with_allowed_origins(origins);
    // Each request is whole: nothing is kept between two of one client.
    config.legacy_session_mode = false;
    config.json_response = true;
    let mcp = StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
    let gate = Arc::new(Gate { keycell: Arc::clone(&keycell), slowdown: Slowdown::default() });
    Router::new()
        .route_service("/mcp", mcp)
        .route_layer(from_fn(malformed::refuse))
        .route_layer(from_fn_with_state(gate, authentication::authenticate))
        .route("/healthz", get(health::is_alive))
        .route("/readyz", get(health::is_ready).with_state(keycell))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWERED_WITHIN))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(problem::say_errors_as_problems))
        .layer(from_fn(request_log::log))
}

/// From where a connection comes.
#[derive(Clone, Copy)]
pub struct Peer(pub SocketAddr);
