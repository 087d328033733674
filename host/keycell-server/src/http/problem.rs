//! Errors of HTTP as problem documents, RFC 9457.

use axum::{
    Json,
    extract::Request,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use keycell::Error;
use serde::Serialize;

use super::request_log::RequestId;

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The value of `Retry-After` where the server itself is busy, in seconds.
const RETRY_AFTER_BUSY: HeaderValue = HeaderValue::from_static("1");

#[derive(Serialize)]
struct Problem {
    title: &'static str,
    status: u16,
    /// The request, as the log names it.
    instance: String,
}

/// Replaces the body of each error that is not JSON by a problem document. Bodies of other layers
/// are dropped, because they may repeat what a client sent.
pub async fn replace_errors(request: Request, next: Next) -> Response {
    let instance = request.extensions().get::<RequestId>().map(RequestId::urn).unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(CONTENT_TYPE) == Some(&JSON) {
        return response;
    }
    let (mut head, _) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_TYPE, PROBLEM);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        head.headers.entry(RETRY_AFTER).or_insert(RETRY_AFTER_BUSY);
    }
    let title = status.canonical_reason().unwrap_or("Error");
    let (_, body) = Json(Problem { title, status: status.as_u16(), instance }).into_response().into_parts();
    Response::from_parts(head, body)
}

/// The status for an authority that failed.
pub fn failed(error: &Error) -> StatusCode {
    match error {
        Error::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
