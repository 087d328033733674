//! `keycell mcp` and `keycell serve`.

use std::{net::SocketAddr, sync::Arc};

use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio_pipes};
use tokio::net::TcpListener;

use super::{error::CommandError, settings::Settings, signal};
use crate::{
    http,
    mcp::{Callers, Options, Server},
};

/// Serves the command line's user on standard input and output, until the input ends.
pub async fn stdio(settings: &Settings, options: Options) -> Result<(), CommandError> {
    let callers = Callers::One(settings.caller()?);
    let server = Server::new(Arc::new(settings.keycell()?), callers, options)?;
    let running = match server.serve(stdio_pipes()).await {
        Ok(running) => running,
        // The client went away before it said a word.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(CommandError::Mcp(Box::new(error))),
    };
    let cancel = running.cancellation_token();
    let mut ended = std::pin::pin!(running.waiting());
    tokio::select! {
        _ = &mut ended => {}
        () = signal::stop()? => {
            cancel.cancel();
            let _ = ended.await;
        }
    }
    Ok(())
}

/// Serves the bearers of keys over HTTP, until it is told to stop.
pub async fn serve(
    settings: &Settings,
    options: Options,
    listen: SocketAddr,
    mut hosts: Vec<String>,
) -> Result<(), CommandError> {
    let stop = signal::stop()?;
    let keycell = Arc::new(settings.keycell()?);
    let server = Server::new(Arc::clone(&keycell), Callers::EachRequest, options)?;
    let listener = TcpListener::bind(listen).await.map_err(|source| CommandError::Listen { listen, source })?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!("keys travel in the clear on {address}: put TLS in front of it");
    }
    hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    hosts.push(address.ip().to_string());
    let router = http::router(keycell, server, hosts);
    tracing::info!(%address, "listening");
    http::serve(listener, router, stop).await;
    tracing::info!("stopped");
    Ok(())
}
