//! One line in the log for each request, and the id by which it is found there.

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

/// The id of a request. It is always made here: one that a client brings could be anything.
#[derive(Clone, Copy)]
pub struct RequestId(Uuid);

impl RequestId {
    /// The id as a URI.
    pub fn urn(&self) -> String {
        self.0.urn().to_string()
    }
}

/// Logs a request once it is answered, and tells its id in the header `x-request-id`.
pub async fn log(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId(Uuid::new_v4());
    request.extensions_mut().insert(id);
    // Not the path itself, which a client may have put anything into.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = %id.0, user = tracing::field::Empty);
    async {
        let mut response = next.run(request).await;
        let microseconds = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(%method, route, status = response.status().as_u16(), microseconds, "answered");
        if let Ok(id) = HeaderValue::from_str(&id.0.to_string()) {
            response.headers_mut().insert(HEADER, id);
        }
        response
    }
    .instrument(span)
    .await
}
