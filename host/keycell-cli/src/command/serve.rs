//! `keycell serve`.

use std::{net::SocketAddr, thread};

use clap::Args;
use keycell_server::Server;
use tokio::net::TcpListener;

use crate::{
    core_dumps,
    error::CommandError,
    server_options::{ServerOptions, ServerSettings},
    settings::Settings,
    signal,
    storage::Database,
};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell serve
  keycell serve --listen 0.0.0.0:8787 --allow-host keys.example.com

The first key comes from `keycell create`. SIGTERM or an interrupt stops the server.")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let stop = signal::stop()?;
    let server_settings = arguments.server.settings(settings)?;
    #[cfg(feature = "pages")]
    let has_pages = server_settings.pages.0;
    let ServerSettings {
        listen: (address, _), metrics_listen, allowed_hosts, trusted_proxies, cache_lease, tools, ..
    } = server_settings;
    let authority = settings.cached_authority_or_new(cache_lease.0).await?;
    core_dumps::turn_off();
    if settings.database.file().is_ok() {
        check_in_background(settings.database.clone())?;
    }

    let listener = listen(address).await?;
    let address = listener.local_addr()?;
    let mut server = Server::new(authority)
        .mcp_options(tools.mcp_options())
        .allowed_hosts(allowed_hosts.0)
        .trusted_proxies(trusted_proxies.0);
    #[cfg(feature = "pages")]
    {
        server = server.pages(has_pages);
    }
    if let Some(address) = metrics_listen.0 {
        let listener = listen(address).await?;
        tracing::info!(address = %listener.local_addr()?, "listening for /metrics");
        server = server.metrics_listener(listener);
    }
    if !address.ip().is_loopback() {
        tracing::warn!("without TLS, keys are sent in plain text on {address}: put a proxy with TLS in front of it");
    }
    tracing::info!(%address, "listening");
    server.serve(listener, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

pub async fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|source| CommandError::Listen { listen: address, source })
}

/// Checks the structure of a SQLite file in a thread, because a large one takes minutes.
fn check_in_background(database: Database) -> Result<(), CommandError> {
    let check = move || match database.quick_check() {
        Ok(None) => tracing::debug!("the database file is sound"),
        Ok(Some(problem)) => tracing::error!("the database is damaged ({problem}): run `keycell check`"),
        Err(error) => tracing::error!("the database cannot be checked: {error}"),
    };
    thread::Builder::new().name("keycell-check".to_owned()).spawn(check)?;
    Ok(())
}
