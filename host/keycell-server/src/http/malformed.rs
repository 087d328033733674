//! Bodies: read whole, and what is no JSON-RPC message told as JSON-RPC tells it.

use axum::{
    Json,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, HOST},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};

/// The largest body, in bytes: more than all arguments of any tool that can be right.
const LARGEST_BODY: usize = 64 << 10;

/// Hands on requests that came whole, and tells parse errors.
pub async fn refuse(request: Request, next: Next) -> Response {
    let says_json = says_json(request.headers());
    // RFC 9112, 3.2: with two, nobody knows which of them whoever stands in front has looked at.
    if request.headers().get_all(HOST).iter().count() > 1 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let response = next.run(Request::from_parts(head, Body::from(body.clone()))).await;
    // The SDK calls JSON that it can't read a media type that it does not know.
    if !says_json || response.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return response;
    }
    let (code, message, id) = match serde_json::from_slice::<Value>(&body) {
        Ok(message) => (-32600, "the body is not a message of MCP", id_of(&message)),
        Err(_) => (-32700, "the body is not JSON", Value::Null),
    };
    let error = json!({"code": code, "message": message});
    (StatusCode::BAD_REQUEST, Json(json!({"jsonrpc": "2.0", "id": id, "error": error}))).into_response()
}

/// The id under which a request wants its answer, if it is one.
fn id_of(message: &Value) -> Value {
    message.get("id").filter(|id| id.is_string() || id.is_i64()).cloned().unwrap_or_default()
}

fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
