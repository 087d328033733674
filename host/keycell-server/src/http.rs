//! The HTTP server: the routes, and the layers around them.

mod authentication;
mod body;
mod client_address;
mod connections;
mod delay;
mod health;
mod host_names;
mod mcp;
mod places;
mod problem;
mod request_limit;
mod request_log;
mod wiped;
mod wrong_keys;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
};
use keycell::{Keycell, ProjectStorage};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

pub use self::{
    client_address::TrustedProxies,
    connections::{Routers, serve},
    host_names::AllowedHosts,
    places::Limits,
};
use self::{request_limit::RequestLimit, wrong_keys::WrongKeys};
use crate::mcp::McpServer;

/// The routes of a server, and what they share.
pub struct Routes<S: ProjectStorage> {
    pub keycell: Arc<Keycell<S>>,
    pub mcp: McpServer<S>,
    pub allowed_hosts: AllowedHosts,
    pub trusted_proxies: TrustedProxies,
    pub max_requests_per_client: usize,
    pub request_timeout: Duration,
}

impl<S: ProjectStorage> Routes<S> {
    /// The routers.
    pub fn routers(self) -> Routers {
        let health = health::routes(Arc::clone(&self.keycell));
        let wrong_keys = Arc::new(WrongKeys::default());
        let keyed = mcp::routes(self.keycell, self.mcp, wrong_keys)
            .layer(from_fn_with_state(Arc::new(self.allowed_hosts), host_names::check))
            .layer(from_fn_with_state(Arc::new(RequestLimit::new(self.max_requests_per_client)), request_limit::apply))
            .layer(from_fn(delay::apply))
            .layer(from_fn_with_state(Arc::new(self.trusted_proxies), client_address::find));
        let with_common_layers = |router: Router| {
            router
                .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, self.request_timeout))
                .layer(CatchPanicLayer::new())
                .layer(from_fn(problem::replace_errors))
                .layer(from_fn(request_log::log))
        };
        Routers {
            all: with_common_layers(keyed.merge(health.clone())),
            health: with_common_layers(health.fallback(async || StatusCode::SERVICE_UNAVAILABLE)),
        }
    }
}
