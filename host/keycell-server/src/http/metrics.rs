//! Metrics in the text format of Prometheus.
//!
//! Labels contain no key, user or project.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, FORWARDED},
    },
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use keycell::{AnyStorage, CacheCounts, Error, Keycell, Refusal, Storage};

use super::client_address::{Peer, X_FORWARDED_FOR};
use super::request_log::{method, route};

/// The upper bounds of the buckets of call times, in seconds.
const BUCKETS: [f64; 11] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 1.0, 10.0];
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of one server.
#[derive(Default)]
pub struct Metrics {
    /// Requests by method, route and status.
    requests: Mutex<BTreeMap<(&'static str, String, u16), u64>>,
    requests_under_way: AtomicI64,
    calls: Mutex<Histogram>,
    wrong_keys: AtomicU64,
    wrong_keys_throttled: AtomicU64,
    rate_limited: AtomicU64,
    unavailable: AtomicU64,
    internal: AtomicU64,
}

#[derive(Default)]
struct Histogram {
    /// The counts of the buckets. The last one is for times above all bounds.
    counts: [u64; BUCKETS.len() + 1],
    sum: Duration,
}

/// A timer of a call. It stops when dropped.
pub struct Timer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let time = self.begun.elapsed();
        let mut calls = self.metrics.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.sum += time;
        let bucket = BUCKETS.iter().position(|bound| time.as_secs_f64() <= *bound).unwrap_or(BUCKETS.len());
        if let Some(count) = calls.counts.get_mut(bucket) {
            *count += 1;
        }
    }
}

impl Metrics {
    /// Begins a call of the component.
    pub fn call(&self) -> Timer<'_> {
        Timer { metrics: self, begun: Instant::now() }
    }

    /// Counts a wrong key.
    pub fn wrong_key(&self, throttled: bool) {
        self.wrong_keys.fetch_add(1, Ordering::Relaxed);
        self.wrong_keys_throttled.fetch_add(u64::from(throttled), Ordering::Relaxed);
    }

    /// Counts a refusal of a presented key.
    pub fn refusal(&self, refusal: &Refusal) {
        if matches!(refusal, Refusal::RateLimited { .. }) {
            self.rate_limited();
        }
    }

    /// Counts a verification that a key's rate limit refused.
    pub fn rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that failed in the storage or the component.
    pub fn failure(&self, error: &Error) {
        match error {
            Error::Unavailable => self.unavailable.fetch_add(1, Ordering::Relaxed),
            Error::Internal { .. } => self.internal.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        header(&mut text, "keycell_http_requests_total", "counter", "Answered requests.");
        for ((method, route, status), count) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
            line(&mut text, &format!("keycell_http_requests_total{{{labels}}}"), *count);
        }
        header(&mut text, "keycell_http_requests_under_way", "gauge", "Requests that are not answered yet.");
        line(&mut text, "keycell_http_requests_under_way", self.requests_under_way.load(Ordering::Relaxed));
        self.call_times(&mut text);
        for (name, help, count) in [
            ("keycell_wrong_keys_total", "Presented keys that are not valid.", get(&self.wrong_keys)),
            (
                "keycell_wrong_keys_throttled_total",
                "Presented keys that are not valid and came too often.",
                get(&self.wrong_keys_throttled),
            ),
            ("keycell_rate_limited_total", "Verifications that a key's rate limit refused.", get(&self.rate_limited)),
        ] {
            header(&mut text, name, "counter", help);
            line(&mut text, name, count);
        }
        header(&mut text, "keycell_errors_total", "counter", "Calls that failed in the storage or the component.");
        line(&mut text, "keycell_errors_total{kind=\"unavailable\"}", get(&self.unavailable));
        line(&mut text, "keycell_errors_total{kind=\"internal\"}", get(&self.internal));
        text
    }

    fn call_times(&self, text: &mut String) {
        const NAME: &str = "keycell_call_duration_seconds";
        header(text, NAME, "histogram", "Time of a call of the component, with its storage.");
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        for (bound, count) in BUCKETS.iter().zip(&calls.counts) {
            total += count;
            line(text, &format!("{NAME}_bucket{{le=\"{bound}\"}}"), total);
        }
        let total: u64 = calls.counts.iter().sum();
        line(text, &format!("{NAME}_bucket{{le=\"+Inf\"}}"), total);
        line(text, &format!("{NAME}_sum"), calls.sum.as_secs_f64());
        line(text, &format!("{NAME}_count"), total);
    }
}

// Writing to a `String` does not fail.

fn header(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name} {value}");
}

/// The route `/metrics`.
pub fn routes(metrics: Arc<Metrics>, keycell: Arc<Keycell<AnyStorage>>) -> Router {
    let show = async move |State(metrics): State<Arc<Metrics>>| {
        let mut text = metrics.text();
        header(&mut text, "keycell_pool_instances_in_use", "gauge", "Instances of the component that calls hold.");
        line(&mut text, "keycell_pool_instances_in_use", keycell.instances_in_use());
        if let Some(CacheCounts { hits, misses }) = keycell.storage().cache_counts() {
            header(&mut text, "keycell_cache_hits_total", "counter", "Keys that were found in the cache.");
            line(&mut text, "keycell_cache_hits_total", hits);
            header(&mut text, "keycell_cache_misses_total", "counter", "Keys for which the database was asked.");
            line(&mut text, "keycell_cache_misses_total", misses);
        }
        ([(CONTENT_TYPE, TEXT_FORMAT)], text)
    };
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

/// Answers only clients on this machine, where the route is beside the others. A proxy on this
/// machine names its client in a header.
pub async fn only_local(Extension(Peer(peer)): Extension<Peer>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_forwarded = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    if is_forwarded || !peer.ip().to_canonical().is_loopback() {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

/// A request in progress.
struct UnderWay(Arc<Metrics>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests_under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a request and its response.
pub async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let (method, route) = (method(&request), route(&request).to_owned());
    metrics.requests_under_way.fetch_add(1, Ordering::Relaxed);
    let under_way = UnderWay(metrics);
    let response = next.run(request).await;
    let mut requests = under_way.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
    *requests.entry((method, route, response.status().as_u16())).or_default() += 1;
    drop(requests);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_of_the_histogram_are_cumulative() {
        let metrics = Metrics::default();
        drop(metrics.call());
        drop(Timer { metrics: &metrics, begun: Instant::now() - Duration::from_secs(60) });
        let text = metrics.text();
        for expected in [
            "keycell_call_duration_seconds_bucket{le=\"10\"} 1\n",
            "keycell_call_duration_seconds_bucket{le=\"+Inf\"} 2\n",
            "keycell_call_duration_seconds_count 2\n",
            "# TYPE keycell_errors_total counter\n",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
