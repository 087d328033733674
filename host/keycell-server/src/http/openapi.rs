//! `/openapi.json`: the interface as OpenAPI 3.1, built from the schemas of the tools.

use axum::{Json, Router, routing::get};
use serde_json::{Map, Value, json};

use super::operations::{Arguments, HEADER_ARGUMENTS, OPERATIONS, Operation, PATH_ARGUMENT};

/// The route of the document.
pub fn routes() -> serde_json::Result<Router> {
    let document = document()?;
    Ok(Router::new().route("/openapi.json", get(async move || Json(document.clone()))))
}

fn document() -> serde_json::Result<Value> {
    let mut paths = Map::new();
    for operation in &OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = described(operation)?;
    }
    paths.extend(other_paths());
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "keycell",
            "description": "An API-key authority. A client presents a key of its own as a bearer token.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
            "schemas": {"Problem": problem()},
            "responses": {"Problem": {
                "description": "The request failed.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
        },
    }))
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A problem document, RFC 9457.",
        "properties": {
            "type": {"type": "string", "description": "The kind of problem, such as urn:keycell:problem:not-found."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "The id of the request in the log, as a URN."},
            "faults": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string"},
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                    },
                    "required": ["field", "code", "message"],
                },
            },
        },
        "required": ["title", "status", "instance"],
    })
}

fn described(operation: &Operation) -> serde_json::Result<Value> {
    let (name, title, description, input, output) = operation.tool().map_or_else(Default::default, |tool| {
        (tool.name, tool.title, tool.description, tool.input_schema, tool.output_schema)
    });
    let mut input: Value = serde_json::from_str(input)?;
    let output: Value = serde_json::from_str(output)?;
    let mut parameters = Vec::new();
    if operation.has_id() {
        let mut schema = taken(&mut input, PATH_ARGUMENT).unwrap_or_default();
        schema["format"] = "uuid".into();
        parameters.push(json!({"name": "id", "in": "path", "required": true, "schema": schema}));
    }
    for argument in &HEADER_ARGUMENTS {
        if taken(&mut input, argument.name).is_some() {
            let (name, description) = (argument.header, argument.description);
            let schema = json!({"type": "string"});
            parameters.push(json!({"name": name, "in": "header", "description": description, "schema": schema}));
        }
    }
    let mut described = json!({
        "operationId": name,
        "summary": title,
        "description": description,
        "responses": {
            operation.success.as_str(): {
                "description": "The result.",
                "content": {"application/json": {"schema": output}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    match operation.arguments {
        Arguments::Query => parameters.extend(query_parameters(&input)),
        Arguments::Body => {
            let is_required = input["required"].as_array().is_some_and(|required| !required.is_empty());
            let content = json!({"application/json": {"schema": input}});
            described["requestBody"] = json!({"required": is_required, "content": content});
        }
    }
    described["parameters"] = parameters.into();
    Ok(described)
}

/// Removes a property from an object's schema and returns it.
fn taken(schema: &mut Value, name: &str) -> Option<Value> {
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|other| other != name);
    }
    schema["properties"].as_object_mut()?.remove(name)
}

fn query_parameters(input: &Value) -> Vec<Value> {
    let properties = input["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| json!({"name": name, "in": "query", "schema": schema});
    properties.map(parameter).collect()
}

/// The paths without a tool.
fn other_paths() -> Map<String, Value> {
    let problem = json!({"$ref": "#/components/responses/Problem"});
    let token_form = json!({
        "required": true,
        "content": {"application/x-www-form-urlencoded": {"schema": {
            "type": "object",
            "properties": {"token": {"type": "string"}, "token_type_hint": {"type": "string"}},
            "required": ["token"],
        }}},
    });
    let introspection = json!({
        "type": "object",
        "properties": {"active": {"type": "boolean"}},
        "required": ["active"],
    });
    let identity = ["Key-Id", "User", "Project", "Scopes"];
    let identity: Map<_, _> = identity
        .iter()
        .map(|name| (format!("X-Keycell-{name}"), json!({"required": true, "schema": {"type": "string"}})))
        .collect();
    let scopes = json!({
        "name": "scope",
        "in": "query",
        "description": "A scope that the key must have.",
        "schema": {"type": "array", "items": {"type": "string"}},
    });
    let deny = json!({
        "name": "deny",
        "in": "query",
        "description": "Answers refusals other than 401 with 403, and the status in X-Keycell-Status.",
        "schema": {"type": "string", "enum": ["403"]},
    });
    let seconds = |description| json!({"type": ["integer", "null"], "minimum": 0, "description": description});
    let scope_list = |description| json!({"type": "array", "items": {"type": "string"}, "description": description});
    let caller = json!({
        "type": "object",
        "properties": {
            "user_id": {"type": "string", "description": "The owner of the key."},
            "api_key_id": {"type": "string", "description": "The id of the key."},
            "project_id": {"type": ["string", "null"], "description": "The only project that the key may act for."},
            "expires_at": {"type": ["string", "null"], "description": "The time at which the key expires."},
            "operator": {"type": "boolean", "description": "Whether the holder may see and change every key."},
            "scopes": scope_list("The scopes of the key."),
            "grantable_scopes": scope_list("The scopes that the holder may grant."),
            "default_scopes": scope_list("The scopes of a new key whose maker names none, if the maker may grant them."),
            "default_life_seconds": seconds("The life of a new key whose maker names no expiry."),
            "longest_life_seconds": seconds("The longest life of a new key."),
        },
        "required": [
            "user_id", "api_key_id", "project_id", "expires_at", "operator", "scopes", "grantable_scopes",
            "default_scopes", "default_life_seconds", "longest_life_seconds",
        ],
    });
    let paths = json!({
        "/v1/caller": {"get": {
            "operationId": "caller",
            "summary": "Describe the holder of the presented key",
            "responses": {
                "200": {
                    "description": "The owner of the key, what its holder may do, and the policy's defaults.",
                    "content": {"application/json": {"schema": caller}},
                },
                "default": problem,
            },
        }},
        "/v1/authorize": {"get": {
            "operationId": "authorize",
            "summary": "Authorize a request that a gateway received",
            "security": [{"key": []}, {"apiKey": []}],
            "parameters": [scopes, deny],
            "responses": {"200": {"description": "The key is valid.", "headers": identity}, "default": problem},
        }},
        "/v1/introspect": {"post": {
            "operationId": "introspect",
            "summary": "Introspect a key, RFC 7662",
            "security": [{"key": []}, {"basic": []}],
            "requestBody": token_form,
            "responses": {
                "200": {
                    "description": "Whether the key is active, and whose it is.",
                    "content": {"application/json": {"schema": introspection}},
                },
                "default": problem,
            },
        }},
        "/v1/revoke": {"post": {
            "operationId": "revoke",
            "summary": "Revoke the presented key, RFC 7009",
            "security": [],
            "requestBody": token_form,
            "responses": {"200": {"description": "The key is not valid any more."}, "default": problem},
        }},
    });
    match paths {
        Value::Object(paths) => paths,
        _ => Map::new(),
    }
}
