//! Connections: how many, how long, and their end.

use std::{future::Future, io, pin::pin, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
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

use super::Peer;

/// The most connections at once; others wait until one of these ends. Well below the usual limit of
/// open files, because storage opens files, too.
const MOST_CONNECTIONS: usize = 512;
/// How long a client may take to send the headers of a request, and how long it may send nothing.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may read nothing of what it is answered.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// After that long a connection ends with the next answer, so that others get its place.
const LIFETIME: Duration = Duration::from_secs(60);
const MOST_HEADERS: usize = 64;
/// The most bytes of headers.
const LARGEST_HEAD: usize = 16 << 10;
/// How long those requests may take that are under way when the server is told to stop.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no more connections.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until `stop` is ready, then ends what is under way.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let (stopping, is_stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, address)) => {
                    let router = router.clone().layer(Extension(Peer(address)));
                    connections.spawn(serve_connection(stream, router, is_stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!("no new connection: {error}");
                    sleep(BREATH).await;
                }
            },
        }
    }
    drop((listener, stopping));
    if timeout(ENDED_WITHIN, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("some requests were not answered in time");
    }
}

/// Serves one client, until it goes, is too slow, has been served for long, or the server stops.
async fn serve_connection(stream: TcpStream, router: Router, mut is_stopping: watch::Receiver<()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD);
    let answered = async {
        stream.set_nodelay(true)?;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(READ_WITHIN));
        let service = TowerToHyperService::new(router);
        let mut connection = pin!(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(io::Error::other),
            () = sleep(LIFETIME) => {}
            _ = is_stopping.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await.map_err(io::Error::other)
    };
    // Its errors are the client's: it hung up, was too slow, or spoke no HTTP.
    if let Err(error) = answered.await {
        tracing::debug!("a connection ended: {error}");
    }
}
