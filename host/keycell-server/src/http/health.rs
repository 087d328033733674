//! Health probes of the process and of the storage.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use keycell::{AnyStorage, Keycell, ProjectStorage};
use tokio::{sync::Mutex, time::timeout};

/// The timeout of a check of the storage.
const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// The lifetime of a result, so that frequent probes cause little work.
const READY_FRESHNESS: Duration = Duration::from_secs(1);

/// The routes `/healthz` and `/readyz`.
pub fn routes(keycell: Arc<Keycell<AnyStorage>>) -> Router {
    let readiness = Arc::new(Readiness { keycell, last: Mutex::default() });
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(is_ready).with_state(readiness))
}

struct Readiness {
    keycell: Arc<Keycell<AnyStorage>>,
    /// The newest result and its time. The lock is held during a check, so that only one runs at a
    /// time.
    last: Mutex<Option<(Instant, bool)>>,
}

async fn is_ready(State(readiness): State<Arc<Readiness>>) -> Result<&'static str, StatusCode> {
    let mut last = readiness.last.lock().await;
    let is_ready = match *last {
        Some((at, is_ready)) if at.elapsed() < READY_FRESHNESS => is_ready,
        _ => {
            let is_ready = check(&readiness.keycell).await;
            *last = Some((Instant::now(), is_ready));
            is_ready
        }
    };
    if is_ready { Ok("ok\n") } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
}

async fn check(keycell: &Keycell<AnyStorage>) -> bool {
    match timeout(READY_TIMEOUT, keycell.storage().check_ready()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(cause = error.source().map(tracing::field::display), "not ready: {error}");
            false
        }
        Err(_) => {
            tracing::warn!("not ready: the storage did not answer within {READY_TIMEOUT:?}");
            false
        }
    }
}
