//! Errors of HTTP as problem documents, RFC 9457.

use axum::{
    Extension, Json,
    extract::Request,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use keycell::Error;
use serde_json::{Map, Value, json};

use super::request_log::RequestId;

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The value of `Retry-After` if the server is busy, in seconds.
const RETRY_AFTER_BUSY: HeaderValue = HeaderValue::from_static("1");

/// The members of a problem document besides status and request id. An extension of the response.
#[derive(Clone)]
pub struct Details {
    kind: String,
    detail: String,
    members: Map<String, Value>,
}

impl Details {
    /// Details of this kind, which is the end of the problem's `type`.
    pub fn new(kind: &str, detail: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), detail: detail.into(), members: Map::new() }
    }
}

/// Returns the response to a failed call.
pub fn of(error: &Error) -> Response {
    let status = match error {
        Error::InvalidInput { .. } => StatusCode::BAD_REQUEST,
        Error::Unauthenticated => StatusCode::UNAUTHORIZED,
        Error::InsufficientScope { .. } | Error::Forbidden => StatusCode::FORBIDDEN,
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::Conflict | Error::NotActive => StatusCode::CONFLICT,
        Error::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    with_details(status, details(error))
}

/// Returns the details of an error. Its members, such as the faults, become members of the problem.
pub fn details(error: &Error) -> Details {
    let mut members = match serde_json::to_value(error) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let kind = members.remove("kind");
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("internal");
    Details { members, ..Details::new(kind, error.to_string()) }
}

/// Returns a response whose problem document has these details.
pub fn with_details(status: StatusCode, details: Details) -> Response {
    (status, Extension(details)).into_response()
}

/// Adds `Retry-After` to each response of a server that is busy.
pub async fn retry_when_busy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(RETRY_AFTER).or_insert(RETRY_AFTER_BUSY);
    }
    response
}

/// Replaces the body of each error that is not JSON by a problem document. Bodies of other layers
/// are dropped, because they may contain input of the client.
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
    let title = status.canonical_reason().unwrap_or("Error");
    // RFC 9457, 4.2.1: the type of a problem that is its status.
    let mut problem = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "instance": instance});
    if let (Some(problem), Some(details)) = (problem.as_object_mut(), head.extensions.remove::<Details>()) {
        problem.insert("type".to_owned(), format!("urn:keycell:problem:{}", details.kind).into());
        problem.insert("detail".to_owned(), details.detail.into());
        problem.extend(details.members);
    }
    let (_, body) = Json(problem).into_response().into_parts();
    Response::from_parts(head, body)
}
