//! The settings of `keycell serve` and `keycell mcp`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Args, builder::BoolishValueParser};
use keycell_server::{IpNet, McpOptions};

use crate::{
    cache_lease::CacheLease,
    config::{ServerConfig, Setting},
    error::CommandError,
    settings::{Origin, Settings},
};

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);

/// The options of the MCP tools.
#[derive(Args)]
pub struct ToolOptions {
    /// Serves all tools, not only create_api_key and get_api_key
    #[arg(
        long,
        value_name = "BOOL",
        env = "KEYCELL_ALL_TOOLS",
        hide_env_values = true,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    all_tools: Option<bool>,
    /// Leaves a new key out of the text of a result: it is in the structured content only
    #[arg(
        long,
        value_name = "BOOL",
        env = "KEYCELL_REDACT_TEXT",
        hide_env_values = true,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    redact_text: Option<bool>,
}

/// The options of the HTTP server.
#[derive(Args)]
pub struct ServerOptions {
    /// The address on which the server listens [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS", env = "KEYCELL_LISTEN", hide_env_values = true, value_parser = address)]
    listen: Option<SocketAddr>,
    /// Serves /metrics on this address only [default: beside the other routes]
    #[arg(long, value_name = "ADDRESS", env = "KEYCELL_METRICS_LISTEN", hide_env_values = true, value_parser = address)]
    metrics_listen: Option<SocketAddr>,
    /// A host name, besides localhost and the address, by which clients may call the server; may be
    /// repeated
    #[arg(
        long = "allow-host",
        value_name = "HOST",
        env = "KEYCELL_ALLOWED_HOSTS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    allowed_hosts: Vec<String>,
    /// The address or network of a proxy whose forwarding headers are trusted; may be repeated
    #[arg(
        long = "trust-proxy",
        value_name = "NETWORK",
        env = "KEYCELL_TRUSTED_PROXIES",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = network
    )]
    trusted_proxies: Vec<IpNet>,
    /// The time for which the cache of keys may be used after the database was asked for changes, or
    /// off [default: 2s for a PostgreSQL database, off for a SQLite file]
    #[arg(long, value_name = "DURATION", env = "KEYCELL_CACHE_LEASE", hide_env_values = true, value_parser = lease)]
    cache_lease: Option<CacheLease>,
    /// Leaves out the pages for people, /console and /tools
    #[arg(
        long,
        value_name = "BOOL",
        env = "KEYCELL_NO_PAGES",
        hide_env_values = true,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    no_pages: Option<bool>,
    #[command(flatten)]
    tools: ToolOptions,
}

/// The settings of the MCP tools, each with its origin.
pub struct ToolSettings {
    pub all_tools: (bool, Origin),
    pub redact_text: (bool, Origin),
}

/// The settings of the HTTP server, each with its origin.
pub struct ServerSettings {
    pub listen: (SocketAddr, Origin),
    pub metrics_listen: (Option<SocketAddr>, Origin),
    pub allowed_hosts: (Vec<String>, Origin),
    pub trusted_proxies: (Vec<IpNet>, Origin),
    pub cache_lease: (CacheLease, Origin),
    pub pages: (bool, Origin),
    pub tools: ToolSettings,
}

impl ToolOptions {
    /// Combines the options with those of the file.
    pub fn settings(&self, file: &ServerConfig) -> ToolSettings {
        ToolSettings {
            all_tools: Origin::first(self.all_tools, file.all_tools, || false),
            redact_text: Origin::first(self.redact_text, file.redact_text, || false),
        }
    }
}

impl ToolSettings {
    /// The options of the MCP server.
    pub fn mcp_options(&self) -> McpOptions {
        McpOptions::default().with_all_tools(self.all_tools.0).with_redacted_text(self.redact_text.0)
    }
}

impl ServerOptions {
    /// Combines the options with those of the file.
    pub fn settings(&self, settings: &Settings) -> Result<ServerSettings, CommandError> {
        let file = &settings.config.server;
        let hosts = (!self.allowed_hosts.is_empty()).then(|| self.allowed_hosts.clone());
        let proxies = (!self.trusted_proxies.is_empty()).then(|| self.trusted_proxies.clone());
        let hosts_in_file = file.allowed_hosts.as_ref().map(|list| list.iter().map(|host| host.0.0.clone()).collect());
        let proxies_in_file = file.trusted_proxies.as_ref().map(|list| list.iter().map(|proxy| proxy.0).collect());
        let [listen, metrics] = [&file.listen, &file.metrics_listen].map(|address| address.as_ref().map(|it| it.0));
        Ok(ServerSettings {
            listen: Origin::first(self.listen, listen, || DEFAULT_LISTEN),
            metrics_listen: Origin::first(self.metrics_listen.map(Some), metrics.map(Some), || None),
            allowed_hosts: Origin::first(hosts, hosts_in_file, Vec::new),
            trusted_proxies: Origin::first(proxies, proxies_in_file, Vec::new),
            cache_lease: CacheLease::first(self.cache_lease, settings)?,
            pages: Origin::first(self.no_pages.map(|without| !without), file.pages, || true),
            tools: self.tools.settings(file),
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    SocketAddr::parse(text).ok_or("must be an address and a port, such as 127.0.0.1:8787")
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    IpNet::parse(text).ok_or("must be an address or a network, such as 10.0.0.0/8")
}

fn lease(text: &str) -> Result<CacheLease, &'static str> {
    CacheLease::parse(text).ok_or("must be off or a duration from 100ms to 60s, such as 2s")
}
