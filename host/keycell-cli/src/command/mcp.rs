//! `keycell mcp` and `keycell serve`.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio_pipes};
use tokio::{net::TcpListener, time::timeout};

use super::{error::CommandError, settings::Settings, signal};
use crate::{
    http,
    mcp::{Callers, Options, Server},
};

/// How long those calls may take that are under way when the server is told to stop.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// Serves the command line's user on standard input and output, until the input ends.
pub async fn stdio(settings: &Settings, options: Options) -> Result<(), CommandError> {
    let callers = Callers::One(settings.caller()?);
    let server = Server::new(Arc::new(settings.keycell()?), callers, options)?;
    let mut stop = pin!(signal::stop()?);
    let begun = tokio::select! {
        begun = server.serve(stdio_pipes()) => begun,
        () = &mut stop => return Ok(()),
    };
    let running = match begun {
        Ok(running) => running,
        // The client went away before it said a word.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(_) => return Err(CommandError::NoHandshake),
    };
    let cancel = running.cancellation_token();
    let mut ended = pin!(running.waiting());
    tokio::select! {
        _ = &mut ended => {}
        () = stop => {
            cancel.cancel();
            // A client that does not read its answers is not waited for.
            let _ = timeout(ENDED_WITHIN, ended).await;
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
    hosts.extend(address.to_string().rsplit_once(':').map(|(host, _)| host.to_owned()));
    let router = http::router(keycell, server, hosts);
    tracing::info!(%address, "listening");
    http::serve(listener, router, stop).await;
    tracing::info!("stopped");
    Ok(())
}
