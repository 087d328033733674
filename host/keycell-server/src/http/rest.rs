//! The tools as REST, under `/v1/keys` and `/v1/events`.
//!
//! The arguments of a tool come from the path, two headers, and the query or a JSON body. The
//! tool's schema validates them, and the response is the tool's output.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RETRY_AFTER},
        request::Parts,
    },
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::Bytes;
use keycell::{
    Error, Fault,
    tools::{self, ToolError},
};
use serde_json::{Map, Value};

use super::{
    authentication::{no_key, take_bearer},
    body,
    client_address::ClientAddress,
    form,
    gate::Gate,
    operations::{Arguments, HEADER_ARGUMENTS, OPERATIONS, Operation, PATH_ARGUMENT},
    problem::{self, Details},
    rate_limit_headers, wiped,
};
use crate::json;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The routes of all operations.
pub fn routes(gate: Arc<Gate>) -> serde_json::Result<Router> {
    let mut router = Router::new();
    for operation in &OPERATIONS {
        router = router.route(operation.path, route(operation)?);
    }
    Ok(router.with_state(gate))
}

fn route(operation: &'static Operation) -> serde_json::Result<MethodRouter<Arc<Gate>>> {
    let schema = operation.tool().map_or("null", |tool| tool.input_schema);
    let schema: Arc<Value> = Arc::new(serde_json::from_str(schema)?);
    let filter = MethodFilter::try_from(operation.method.clone()).unwrap_or(MethodFilter::GET);
    let handler = async move |State(gate): State<Arc<Gate>>,
                              Extension(ClientAddress(client)): Extension<ClientAddress>,
                              path: Option<Path<String>>,
                              mut request: Request| {
        let Some(key) = take_bearer(request.headers_mut()) else {
            return no_key();
        };
        let (head, body) = request.into_parts();
        let body = match body::read(body).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        let id = path.map(|Path(id)| id);
        let is_conditional = takes(&schema, "if_revision") && head.headers.contains_key(IF_MATCH);
        let arguments = arguments(operation, &schema, &head, &body, id);
        let called = gate.call(client, key, async |keycell, caller| match arguments {
            Ok(arguments) => match tools::call(keycell, caller, operation.tool, arguments).await {
                Ok(output) => Ok(Ok(output)),
                Err(ToolError::Failed(Error::Conflict)) if is_conditional => Ok(Err(precondition_failed())),
                Err(ToolError::Failed(error)) => Err(error),
                Err(_) => Ok(Err(StatusCode::NOT_FOUND.into_response())),
            },
            // Authentication comes before the faults of the request.
            Err(refused) => keycell.describe_caller(caller).await.map(|_| Err(refused)),
        });
        match called.await {
            Ok(Ok(output)) => {
                if output["reason"] == "rate-limited" {
                    gate.metrics.rate_limited();
                }
                answer(operation, &output)
            }
            Ok(Err(refused)) | Err(refused) => refused,
        }
    };
    Ok(on(filter, handler))
}

/// Returns the arguments of the tool, or the response to an invalid request.
fn arguments(
    operation: &Operation,
    schema: &Value,
    head: &Parts,
    body: &Bytes,
    id: Option<String>,
) -> Result<Value, Response> {
    let mut arguments = match operation.arguments {
        Arguments::Query => from_query(head.uri.query().unwrap_or_default(), schema)?,
        Arguments::Body => from_body(&head.headers, body)?,
    };
    let elsewhere = HEADER_ARGUMENTS.iter().map(|argument| argument.name).chain([PATH_ARGUMENT]);
    let faults: Vec<_> = elsewhere
        .filter(|name| arguments.contains_key(*name))
        .filter(|name| *name != PATH_ARGUMENT || operation.has_id())
        .map(|name| Fault::new(name, "unknown-argument", "is given by the path or a header"))
        .collect();
    if !faults.is_empty() {
        return Err(problem::of(&Error::InvalidInput { faults }));
    }
    if let Some(id) = id {
        arguments.insert(PATH_ARGUMENT.to_owned(), id.into());
    }
    if takes(schema, "idempotency_key")
        && let Some(key) = single(&head.headers, &IDEMPOTENCY_KEY)?
    {
        // The draft of the header has a quoted string, but many clients send the bare value.
        let bare = key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(key);
        arguments.insert("idempotency_key".to_owned(), bare.into());
    }
    if takes(schema, "if_revision")
        && let Some(tag) = single(&head.headers, &IF_MATCH)?
        && tag != "*"
    {
        let text = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        // A tag that the server did not make cannot match.
        let revision: Option<u32> = text.parse().ok().filter(|revision: &u32| revision.to_string() == text);
        let revision = revision.ok_or_else(precondition_failed)?;
        arguments.insert("if_revision".to_owned(), revision.into());
    }
    Ok(Value::Object(arguments))
}

/// Returns whether a tool with this input schema has the argument.
fn takes(schema: &Value, argument: &str) -> bool {
    schema["properties"].get(argument).is_some()
}

/// Returns the value of a header, which must not be repeated.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Response> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| invalid_header(name)),
        (Some(_), Some(_)) => Err(invalid_header(name)),
    }
}

fn invalid_header(name: &HeaderName) -> Response {
    let detail = format!("the header {name} must have one value of printable ASCII characters");
    problem::with_details(StatusCode::BAD_REQUEST, Details::new("invalid-header", detail))
}

fn precondition_failed() -> Response {
    let detail = "the key has another revision: read it, then repeat the change with its entity tag";
    problem::with_details(StatusCode::PRECONDITION_FAILED, Details::new("conflict", detail))
}

/// Parses query parameters. Types of numbers come from the schema.
fn from_query(query: &str, schema: &Value) -> Result<Map<String, Value>, Response> {
    let mut arguments = Map::new();
    for (name, value) in form::pairs(query.as_bytes()) {
        let is_integer = schema["properties"][&name]["type"] == "integer";
        let value = match value.parse::<i64>() {
            Ok(number) if is_integer => number.into(),
            _ => Value::String(value),
        };
        if arguments.insert(name, value).is_some() {
            let detail = "a parameter is there twice: send each parameter once";
            return Err(problem::with_details(StatusCode::BAD_REQUEST, Details::new("repeated-parameter", detail)));
        }
    }
    Ok(arguments)
}

/// Parses a JSON object. An empty body is an empty object.
pub fn from_body(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Response> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    if !body::is_json(headers) {
        let detail = "the body must be JSON: send Content-Type: application/json";
        return Err(problem::with_details(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Details::new("unsupported-media-type", detail),
        ));
    }
    let invalid = |detail: String| problem::with_details(StatusCode::BAD_REQUEST, Details::new("invalid-json", detail));
    json::check(body).map_err(|error| invalid(error.to_string()))?;
    serde_json::from_slice(body).map_err(|_| invalid("the body must be a JSON object".to_owned()))
}

/// Returns the response with the output of a tool and the headers that belong to it.
fn answer(operation: &Operation, output: &Value) -> Response {
    let Ok(text) = serde_json::to_vec(output) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut insert = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    if let Some(revision) = output["revision"].as_u64() {
        insert(ETAG, format!("\"{revision}\""));
    }
    if operation.success == StatusCode::CREATED
        && let Some(id) = output["id"].as_str()
    {
        insert(LOCATION, format!("/v1/keys/{id}"));
    }
    if let Some(milliseconds) = output["retry_after_ms"].as_u64() {
        insert(RETRY_AFTER, milliseconds.div_ceil(1000).to_string());
    }
    if output["valid"] == true {
        headers.extend(rate_limit_headers::of_json(&output["rate_limit"]));
    }
    (operation.success, headers, Body::from(wiped::on_drop(text.into()))).into_response()
}
