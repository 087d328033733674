//! Bodies: read whole, and what is no JSON-RPC message told as JSON-RPC tells it.

use axum::{
    Json,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;

/// The largest body, in bytes: more than all arguments of any tool that can be right.
const LARGEST_BODY: usize = 64 << 10;

/// Hands on requests that came whole, and tells parse errors.
pub async fn refuse(request: Request, next: Next) -> Response {
    let says_json = says_json(request.headers());
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    // The SDK calls JSON that it can't read a media type that it does not know.
    if !says_json || response.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return response;
    }
    let error = json!({"code": -32700, "message": "the body is not a JSON-RPC message"});
    (StatusCode::BAD_REQUEST, Json(json!({"jsonrpc": "2.0", "id": null, "error": error}))).into_response()
}

fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
