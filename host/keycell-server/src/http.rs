//! The HTTP server: routes and middleware.

mod authentication;
mod authorize;
mod body;
mod caller;
mod client_address;
mod connections;
mod delay;
mod form;
mod gate;
mod health;
mod host_names;
mod mcp;
mod metrics;
mod oauth;
mod openapi;
mod operations;
#[cfg(feature = "pages")]
mod pages;
mod problem;
mod projects;
mod rate_limit_headers;
mod request_limit;
mod request_log;
mod rest;
#[cfg(feature = "pages")]
mod sign_in;
mod slots;
mod wiped;
mod wrong_keys;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
};
use keycell::{AnyStorage, Keycell};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

#[cfg(feature = "pages")]
pub use self::pages::Pages;
pub use self::{
    client_address::TrustedProxies,
    connections::{Routers, serve},
    host_names::{AllowedHosts, is_host},
    slots::Limits,
};
use self::{gate::Gate, metrics::Metrics, request_limit::RequestLimit};
use crate::mcp::McpServer;

/// The routes of a server and their shared state.
pub struct Routes {
    pub keycell: Arc<Keycell<AnyStorage>>,
    pub mcp: McpServer,
    pub allowed_hosts: AllowedHosts,
    pub trusted_proxies: TrustedProxies,
    pub max_requests_per_client: usize,
    pub request_timeout: Duration,
    /// Whether `/metrics` has its own listener.
    pub separate_metrics: bool,
    #[cfg(feature = "pages")]
    pub pages: Option<Pages>,
}

impl Routes {
    /// The routers of the main listener and of the listener for metrics.
    pub fn routers(self) -> serde_json::Result<(Routers, Routers)> {
        let metrics = Arc::new(Metrics::default());
        let gate = Arc::new(Gate::new(Arc::clone(&self.keycell), Arc::clone(&metrics)));
        let shown_metrics = metrics::routes(Arc::clone(&metrics), Arc::clone(&self.keycell));
        let health = health::routes(self.keycell);

        let called_by_name = mcp::routes(Arc::clone(&gate), self.mcp)
            .merge(rest::routes(Arc::clone(&gate))?)
            .merge(caller::routes(Arc::clone(&gate)))
            .merge(projects::routes(Arc::clone(&gate)))
            .merge(oauth::routes(Arc::clone(&gate)))
            .merge(openapi::routes()?);
        #[cfg(feature = "pages")]
        let called_by_name = called_by_name.merge(self.pages.map(Pages::routes).unwrap_or_default());
        let called_by_name = called_by_name.layer(from_fn_with_state(Arc::new(self.allowed_hosts), host_names::check));
        // Gateways send the `Host` of their clients.
        let keyed = called_by_name
            .merge(authorize::routes(gate))
            .layer(from_fn_with_state(Arc::new(RequestLimit::new(self.max_requests_per_client)), request_limit::apply))
            .layer(from_fn(delay::apply))
            .layer(from_fn_with_state(Arc::new(self.trusted_proxies), client_address::find));

        let with_common_layers = |router: Router| {
            router
                .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, self.request_timeout))
                .layer(CatchPanicLayer::new())
                .layer(from_fn(problem::retry_when_busy))
                .layer(from_fn(authorize::form_answers))
                .layer(from_fn(problem::replace_errors))
                .layer(from_fn_with_state(Arc::clone(&metrics), metrics::count))
                .layer(from_fn(request_log::log))
        };
        let all = keyed.merge(health.clone());
        let (all, metrics) = if self.separate_metrics {
            (all, shown_metrics)
        } else {
            (all.merge(shown_metrics.layer(from_fn(metrics::only_local))), Router::new())
        };
        let health = with_common_layers(health.fallback(async || StatusCode::SERVICE_UNAVAILABLE));
        let main = Routers { all: with_common_layers(all), health: health.clone() };
        Ok((main, Routers { all: with_common_layers(metrics), health }))
    }
}
