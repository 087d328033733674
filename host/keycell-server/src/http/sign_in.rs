//! `/console/sign-in`: the exchange of a one-time code for a key.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use keycell::SecretKey;
use serde::{Deserialize, Serialize};

use super::{
    body,
    problem::{self, Details},
    wiped,
};
use crate::SignIn;

/// The route.
pub fn routes(sign_in: SignIn) -> Router {
    Router::new().route("/console/sign-in", post(exchange)).with_state(sign_in)
}

#[derive(Deserialize)]
struct Presented {
    code: String,
}

#[derive(Serialize)]
struct Granted<'a> {
    key: &'a SecretKey,
}

async fn exchange(State(sign_in): State<SignIn>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !body::is_json(&head.headers) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let body = match body::read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let presented = serde_json::from_slice(&body).ok();
    let Some(key) = presented.and_then(|Presented { code }| sign_in.exchange(&code)) else {
        // If the link was opened only once, this line shows that another program used it.
        tracing::warn!("a console was not signed in: its one-time code was used, old or wrong");
        let detail = "the link was used before or is older than 60 seconds: take a new one from `keycell console`";
        return problem::with_details(StatusCode::FORBIDDEN, Details::new("invalid-code", detail));
    };
    let Ok(granted) = serde_json::to_vec(&Granted { key }) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "application/json")];
    (headers, Body::from(wiped::on_drop(granted.into()))).into_response()
}
