//! `/v1/caller`: the owner and the rights of the presented key.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::header::CACHE_CONTROL,
    response::{IntoResponse, Response},
    routing::get,
};
use keycell::{CallerDetails, Policy, Scope};
use serde::Serialize;

use super::{
    authentication::{no_key, take_bearer},
    client_address::ClientAddress,
    gate::Gate,
};

/// The route.
pub fn routes(gate: Arc<Gate>) -> Router {
    Router::new().route("/v1/caller", get(describe)).with_state(gate)
}

async fn describe(
    State(gate): State<Arc<Gate>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    mut request: Request,
) -> Response {
    let Some(key) = take_bearer(request.headers_mut()) else {
        return no_key();
    };
    match gate.call(client, key, async |keycell, caller| keycell.describe_caller(caller).await).await {
        Ok(caller) => {
            let described = Described { caller, defaults: Defaults::from(gate.keycell.policy()) };
            ([(CACHE_CONTROL, "no-store")], Json(described)).into_response()
        }
        Err(refused) => refused,
    }
}

#[derive(Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    caller: CallerDetails,
    #[serde(flatten)]
    defaults: Defaults<'a>,
}

/// The policy's defaults for new keys, which pages show in forms.
#[derive(Serialize)]
struct Defaults<'a> {
    default_scopes: Vec<&'a str>,
    default_life_seconds: Option<u64>,
    longest_life_seconds: Option<u64>,
}

impl<'a> From<&'a Policy> for Defaults<'a> {
    fn from(policy: &'a Policy) -> Self {
        let seconds = |life: Option<Duration>| life.map(|life| life.as_secs());
        Self {
            default_scopes: policy.default_scopes.iter().map(Scope::as_str).collect(),
            default_life_seconds: seconds(policy.default_life),
            longest_life_seconds: seconds(policy.longest_life),
        }
    }
}
