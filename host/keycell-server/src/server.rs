//! The HTTP server and its settings.

use std::{future::Future, io, sync::Arc, time::Duration};

use ipnet::IpNet;
use keycell::{AnyStorage, Keycell};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    http::{self, AllowedHosts, Limits, Routes, TrustedProxies},
    mcp::{Callers, McpOptions, McpServer, SchemaError},
};

#[cfg(feature = "pages")]
use crate::{SignIn, http::Pages};

/// The host names that every server allows.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The reason why a server cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A tool cannot be described.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The schema of a tool is not JSON.
    #[error("the schema of a tool is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An allowed host is not a host name.
    #[error("allowed host {number} is not a name or an address with an optional port, such as keys.example.com")]
    AllowedHost {
        /// The position of the host in the list, from 1.
        number: usize,
    },
    /// The listener has no address.
    #[error("the address of the listener cannot be read: {0}")]
    Listener(#[from] io::Error),
}

/// The HTTP server: MCP, REST, gateways and health probes.
pub struct Server {
    keycell: Arc<Keycell<AnyStorage>>,
    options: McpOptions,
    allowed_hosts: Vec<String>,
    trusted_proxies: Vec<IpNet>,
    limits: Limits,
    request_timeout: Duration,
    metrics: Option<TcpListener>,
    #[cfg(feature = "pages")]
    has_pages: bool,
    #[cfg(feature = "pages")]
    sign_in: Option<SignIn>,
}

impl Server {
    /// Creates a server with default settings.
    pub fn new(keycell: impl Into<Arc<Keycell<AnyStorage>>>) -> Self {
        Self {
            keycell: keycell.into(),
            options: McpOptions::default(),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            limits: Limits { total: 512, per_address: 256 },
            request_timeout: Duration::from_secs(20),
            metrics: None,
            #[cfg(feature = "pages")]
            has_pages: true,
            #[cfg(feature = "pages")]
            sign_in: None,
        }
    }

    /// Sets the options of the tools over MCP.
    #[must_use]
    pub fn mcp_options(self, options: McpOptions) -> Self {
        Self { options, ..self }
    }

    /// Adds names by which clients may call the server in `Host`, and the names of pages in
    /// `Origin`: a host name or address, with a port or for every port. The loopback names and the
    /// address of the listener are always allowed.
    #[must_use]
    pub fn allowed_hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.allowed_hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Adds networks of proxies whose `X-Forwarded-For` or `Forwarded` is trusted.
    #[must_use]
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.trusted_proxies.extend(networks);
        self
    }

    /// Sets the maximum number of connections. Default: 512. Each is an open file.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.total = connections;
        self
    }

    /// Sets the maximum number of connections of one address, and of concurrent requests of one
    /// client behind a trusted proxy. Default: 256.
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.limits.per_address = connections;
        self
    }

    /// Sets the timeout of a request. Default: 20 seconds.
    #[must_use]
    pub fn request_timeout(self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self }
    }

    /// Serves `/metrics` on this listener instead of the main one.
    #[must_use]
    pub fn metrics_listener(self, listener: TcpListener) -> Self {
        Self { metrics: Some(listener), ..self }
    }

    /// Sets whether the server has the pages for people, `/console` and `/tools`. Default: it has.
    #[cfg(feature = "pages")]
    #[must_use]
    pub fn pages(self, has_pages: bool) -> Self {
        Self { has_pages, ..self }
    }

    /// Lets the console sign in with one-time codes.
    #[cfg(feature = "pages")]
    #[must_use]
    pub fn sign_in(self, sign_in: SignIn) -> Self {
        Self { sign_in: Some(sign_in), ..self }
    }

    /// Serves until `stop` is ready, then gives running requests 10 seconds to complete.
    ///
    /// # Errors
    ///
    /// A setting is invalid. An error of a connection only ends that connection.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let address = listener.local_addr()?;
        let own = address.to_string();
        let own = own.rsplit_once(':').map(|(host, _)| host.to_owned());
        let hosts: Vec<_> = self.allowed_hosts.into_iter().chain(LOOPBACK.map(str::to_owned)).chain(own).collect();
        let trusted_proxies = TrustedProxies(self.trusted_proxies);
        let routes = Routes {
            mcp: McpServer::new(Arc::clone(&self.keycell), Callers::EachRequest, self.options)?,
            keycell: self.keycell,
            allowed_hosts: AllowedHosts::parse(&hosts).map_err(|number| ServerError::AllowedHost { number })?,
            trusted_proxies: trusted_proxies.clone(),
            max_requests_per_client: self.limits.per_address,
            request_timeout: self.request_timeout,
            separate_metrics: self.metrics.is_some(),
            #[cfg(feature = "pages")]
            pages: self.has_pages.then_some(Pages { all_tools: self.options.all_tools, sign_in: self.sign_in }),
        };
        let (main, metrics) = routes.routers()?;
        let (stopping, stopped) = watch::channel(());
        let serve = async |listener, routers| {
            let mut stopped = stopped.clone();
            let stop = async move {
                // Fails when the sender is dropped, which is the signal.
                let _ = stopped.changed().await;
            };
            http::serve(listener, routers, self.limits, &trusted_proxies, stop).await;
        };
        let serve_metrics = async {
            if let Some(listener) = self.metrics {
                serve(listener, metrics).await;
            }
        };
        let wait = async {
            stop.await;
            drop(stopping);
        };
        tokio::join!(serve(listener, main), serve_metrics, wait);
        Ok(())
    }
}
