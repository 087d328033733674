//! Bodies of requests and responses.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::wiped;

/// The maximum size of a body in bytes. The valid arguments of every tool fit.
pub const MAX_BODY: usize = 64 << 10;
/// The timeout for receiving a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a body into memory that is overwritten when dropped.
pub async fn read(body: Body) -> Result<Bytes, Response> {
    let mut limited = Limited::new(body, MAX_BODY);
    // A vector that grows would leave copies of its content in freed memory.
    let size = usize::try_from(limited.size_hint().lower()).unwrap_or(MAX_BODY).min(MAX_BODY);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    let read = async {
        while let Some(frame) = limited.frame().await {
            if let Ok(data) = frame.map_err(refusal)?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok(())
    };
    match timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(())) => Ok(Bytes::from_owner(bytes)),
        Ok(Err(status)) => Err(closing(status)),
        Err(_) => Err(closing(StatusCode::REQUEST_TIMEOUT)),
    }
}

fn refusal(error: Box<dyn std::error::Error + Send + Sync>) -> StatusCode {
    if error.is::<LengthLimitError>() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
}

/// Returns a response that closes the connection, because the body was not read to its end.
fn closing(status: StatusCode) -> Response {
    (status, [(CONNECTION, HeaderValue::from_static("close"))]).into_response()
}

/// Returns whether `Content-Type` is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Returns a response whose body is overwritten after it was sent.
pub async fn wiped<B>(response: axum::http::Response<B>) -> Response
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let (head, body) = response.into_parts();
    // JSON bodies are complete already. A stream is read to its end.
    let Ok(body) = body.collect().await;
    Response::from_parts(head, Body::from(wiped::on_drop(body.to_bytes())))
}
