//! What is no JSON-RPC message, told as JSON-RPC tells it.

use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The SDK calls a body that it can't read a media type that it does not know. It is one only where
/// the header says so.
pub async fn tell_parse_errors(request: Request, next: Next) -> Response {
    let says_json = says_json(request.headers());
    let response = next.run(request).await;
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
