//! Projects and their members, under `/v1/projects`.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, LOCATION},
    },
    response::{IntoResponse, Response},
    routing::{get, put},
};
use keycell::{AnyStorage, Caller, Error, Fault, Keycell, Member, Role};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    authentication::{no_key, take_bearer},
    body,
    client_address::ClientAddress,
    gate::Gate,
    problem::{self, Details},
    rest,
};

const NO_STORE: (axum::http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// The routes of projects.
pub fn routes(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/v1/projects", get(list).post(create))
        .route("/v1/projects/{project}", get(see))
        .route("/v1/projects/{project}/members", get(list_members))
        .route("/v1/projects/{project}/members/{user_id}", put(put_member).delete(remove_member))
        .with_state(gate)
}

type Shared = State<Arc<Gate>>;
type Client = Extension<ClientAddress>;

async fn list(State(gate): Shared, Extension(client): Client, request: Request) -> Response {
    let listed = call(&gate, client, request, async |keycell, caller| keycell.list_projects(caller).await);
    answer(listed.await.map(|projects| json!({"projects": projects})))
}

async fn create(State(gate): Shared, Extension(client): Client, request: Request) -> Response {
    let created = change(&gate, client, request, "slug", async |keycell, caller, slug: String| {
        match keycell.create_project(caller, &slug).await {
            Err(Error::Conflict) => Ok(Err(slug_taken())),
            result => result.map(Ok),
        }
    });
    match created.await {
        Ok(Ok(project)) => {
            let location = [(LOCATION, format!("/v1/projects/{}", project.id))];
            (StatusCode::CREATED, location, [NO_STORE], Json(project)).into_response()
        }
        Ok(Err(refused)) | Err(refused) => refused,
    }
}

fn slug_taken() -> Response {
    let details = Details::new("conflict", "another project has this slug: choose another slug");
    problem::with_details(StatusCode::CONFLICT, details)
}

async fn see(
    State(gate): Shared,
    Extension(client): Client,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    answer(call(&gate, client, request, async |keycell, caller| keycell.get_project(caller, &project).await).await)
}

async fn list_members(
    State(gate): Shared,
    Extension(client): Client,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let listed = call(&gate, client, request, async |keycell, caller| keycell.list_members(caller, &project).await);
    answer(listed.await.map(|members| json!({"members": members})))
}

async fn put_member(
    State(gate): Shared,
    Extension(client): Client,
    Path((project, user_id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let put = change(&gate, client, request, "role", async |keycell, caller, role: Role| {
        let member = Member::new(user_id, role);
        keycell.put_member(caller, &project, member.clone()).await.map(|()| member)
    });
    answer(put.await)
}

async fn remove_member(
    State(gate): Shared,
    Extension(client): Client,
    Path((project, user_id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let remove =
        async |keycell: &Keycell<AnyStorage>, caller: &Caller| keycell.remove_member(caller, &project, &user_id).await;
    match call(&gate, client, request, remove).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused,
    }
}

fn answer(result: Result<impl serde::Serialize, Response>) -> Response {
    match result {
        Ok(output) => ([NO_STORE], Json(output)).into_response(),
        Err(refused) => refused,
    }
}

/// A call without a body.
async fn call<T>(
    gate: &Gate,
    ClientAddress(client): ClientAddress,
    mut request: Request,
    call: impl AsyncFnOnce(&Keycell<AnyStorage>, &Caller) -> Result<T, Error>,
) -> Result<T, Response> {
    let key = take_bearer(request.headers_mut()).ok_or_else(no_key)?;
    gate.call(client, key, call).await
}

/// A call whose body is a JSON object with this one member.
async fn change<A: DeserializeOwned, T>(
    gate: &Gate,
    ClientAddress(client): ClientAddress,
    mut request: Request,
    member: &str,
    call: impl AsyncFnOnce(&Keycell<AnyStorage>, &Caller, A) -> Result<T, Error>,
) -> Result<T, Response> {
    let key = take_bearer(request.headers_mut()).ok_or_else(no_key)?;
    let (head, body) = request.into_parts();
    let body = body::read(body).await?;
    let argument = rest::from_body(&head.headers, &body).and_then(|mut members| {
        let argument = members.remove(member).and_then(|value| serde_json::from_value(value).ok());
        argument.filter(|_| members.is_empty()).ok_or_else(|| only_member(member))
    });
    let called = gate.call(client, key, async |keycell, caller| match argument {
        Ok(argument) => call(keycell, caller, argument).await.map(Ok),
        // Authentication comes before the faults of the request.
        Err(refused) => keycell.describe_caller(caller).await.map(|_| Err(refused)),
    });
    called.await?
}

fn only_member(member: &str) -> Response {
    let fault = Fault::new(member, "wrong-type", "must be given, and nothing else: see /openapi.json");
    problem::of(&Error::InvalidInput { faults: vec![fault] })
}
