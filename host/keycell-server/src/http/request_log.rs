//! One line in the log for each request, with an id and the public part of the key.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/// The id of a request. The server always makes it, because it cannot trust the client's.
#[derive(Clone, Copy)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Returns the id as a URI.
    pub fn urn(&self) -> String {
        self.0.urn().to_string()
    }
}

/// Logs a request at its end, and sets the header `x-request-id`.
pub async fn log(mut request: Request, next: Next) -> Response {
    let id = RequestId(Uuid::new_v4());
    request.extensions_mut().insert(id);
    let span = tracing::info_span!("request", id = %id.0, key_prefix = tracing::field::Empty);
    let mut entry = Entry::of(&request);
    async {
        let mut response = next.run(request).await;
        entry.status = Some(response.status().as_u16());
        if let Ok(id) = HeaderValue::from_str(&id.0.to_string()) {
            response.headers_mut().insert(HEADER, id);
        }
        drop(entry);
        response
    }
    .instrument(span)
    .await
}

/// The log line of a request. It is written when dropped, so that a request whose client
/// disconnects early has a line, too.
struct Entry {
    begun: Instant,
    method: &'static str,
    route: String,
    status: Option<u16>,
}

impl Entry {
    fn of(request: &Request) -> Self {
        Self { begun: Instant::now(), method: method(request), route: route(request).to_owned(), status: None }
    }
}

/// Returns the method if it is known, because a client could send any text.
pub fn method(request: &Request) -> &'static str {
    METHODS.into_iter().find(|known| request.method() == known).unwrap_or("other")
}

/// Returns the pattern of the route, because the path could contain a key.
pub fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str)
}

impl Drop for Entry {
    fn drop(&mut self) {
        let microseconds = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (method, route) = (self.method, &self.route);
        match self.status {
            Some(status) => tracing::info!(method, route, status, microseconds, "answered"),
            None => tracing::info!(method, route, microseconds, "the client left before the answer"),
        }
    }
}
