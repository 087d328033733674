//! Connections: timeouts and shutdown.

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

use super::{
    client_address::{Peer, TrustedProxies},
    slots::{Limits, Slot, Slots},
};

/// The timeout for the headers of a request, and for the next request of an idle connection.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of a write while the client does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 64;
/// The maximum size of all headers in bytes.
const MAX_HEAD: usize = 16 << 10;
/// The time for running requests to complete when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the system failed to accept a connection.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The routers of a listener.
pub struct Routers {
    /// Every route.
    pub all: Router,
    /// The routes for connections that have no ordinary slot.
    pub health: Router,
}

/// Serves until `stop` is ready, then completes running requests.
pub async fn serve(
    listener: TcpListener,
    routers: Routers,
    limits: Limits,
    proxies: &TrustedProxies,
    stop: impl Future<Output = ()>,
) {
    let (stopping, is_stopping) = watch::channel(());
    let slots = Arc::new(Slots::new(limits));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let Some(slot) = slots.take(address.ip(), proxies.contains(address.ip())) else {
                        tracing::debug!("a connection was closed: there is no slot for it");
                        continue;
                    };
                    let router = if slot.is_for_health() { &routers.health } else { &routers.all };
                    connections.spawn(serve_connection(stream, Peer(address), router.clone(), slot, is_stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!("the system refused a connection: {error}");
                    // The process may have no more file descriptors.
                    slots.close_idle();
                    sleep(RETRY_INTERVAL).await;
                }
            },
        }
    }
    drop((listener, stopping));
    if timeout(SHUTDOWN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("some requests were not answered within {SHUTDOWN_TIMEOUT:?}");
    }
}

/// Serves one connection until the client disconnects, a timeout or eviction ends it, or the server
/// stops.
async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    slot: Slot,
    mut is_stopping: watch::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    let activity = slot.activity();
    let router = &TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Arc::clone(activity));
        async move {
            let _busy = activity.begin();
            router.call(request).await
        }
    });
    let served = async {
        stream.set_nodelay(true)?;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let mut connection = pin!(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(io::Error::other),
            () = activity.closing_requested() => {
                // A request that has begun in the meantime still gets its response.
                if activity.is_idle() {
                    return Ok(());
                }
            }
            _ = is_stopping.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await.map_err(io::Error::other)
    };
    // The client caused the error: it disconnected, was too slow, or did not speak HTTP.
    if let Err(error) = served.await {
        tracing::debug!("a connection ended: {error}");
    }
}
