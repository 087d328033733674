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

/// When it may be worth trying again, in seconds.
const TRY_AGAIN_AFTER: HeaderValue = HeaderValue::from_static("1");

#[derive(Serialize)]
struct Problem {
    title: &'static str,
    status: u16,
    /// The request, as the log names it.
    instance: String,
}

/// Puts a problem document in the place of any error that is not JSON already. What other layers
/// say in their bodies is not told: it may repeat what came.
pub async fn say_errors_as_problems(request: Request, next: Next) -> Response {
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
    let title = status.canonical_reason().unwrap_or("Error");
    let (_, body) = Json(Problem { title, status: status.as_u16(), instance }).into_response().into_parts();
    Response::from_parts(head, body)
}

/// The answer where the authority itself failed, before any tool was called.
pub fn failed(error: &Error) -> Response {
    match error {
        Error::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, TRY_AGAIN_AFTER)]).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
