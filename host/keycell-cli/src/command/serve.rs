//! `keycell serve`.

use std::thread;

use clap::Args;
use keycell_server::Server;
use tokio::net::TcpListener;

use crate::{
    core_dumps, database::Database, error::CommandError, server_options::ServerOptions, settings::Settings, signal,
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
    let server = arguments.server.settings(&settings.config.server);
    let authority = settings.authority_or_new()?;
    core_dumps::turn_off();
    check_in_background(settings.database.clone())?;

    let listen = server.listen.0;
    let listener = TcpListener::bind(listen).await.map_err(|source| CommandError::Listen { listen, source })?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!("without TLS, keys are sent in plain text on {address}: put a proxy with TLS in front of it");
    }
    tracing::info!(%address, "listening");
    Server::new(authority)
        .mcp_options(server.tools.mcp_options())
        .allowed_hosts(server.allowed_hosts.0)
        .trusted_proxies(server.trusted_proxies.0)
        .serve(listener, stop)
        .await?;
    tracing::info!("stopped");
    Ok(())
}

/// Checks the structure of the database in a thread, because a large one takes minutes.
fn check_in_background(database: Database) -> Result<(), CommandError> {
    let check = move || match keycell_sqlite::quick_check(&database.path) {
        Ok(None) => tracing::debug!("the database file is sound"),
        Ok(Some(problem)) => tracing::error!("the database is damaged ({problem}): run `keycell check`"),
        Err(error) => tracing::error!("the database cannot be checked: {error}"),
    };
    thread::Builder::new().name("keycell-check".to_owned()).spawn(check)?;
    Ok(())
}
