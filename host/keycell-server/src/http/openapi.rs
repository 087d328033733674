//! `/openapi.json`: the interface as OpenAPI 3.1.
//!
//! The operations that are tools are built from the tools' own schemas; `document.json` has the
//! rest. The tools' schemas leave the judgement of values to the component. For generated clients,
//! `arguments.json` adds the rules that a schema can express, by the name of the argument.

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::operations::{Arguments, HEADER_ARGUMENTS, OPERATIONS, Operation, PATH_ARGUMENT};

/// The route of the document.
pub fn routes() -> serde_json::Result<Router> {
    let document = Bytes::from(serde_json::to_vec(&document()?)?);
    Ok(Router::new()
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], document.clone()))))
}

fn document() -> serde_json::Result<Value> {
    let mut document: Value = serde_json::from_str(include_str!("openapi/document.json"))?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let rules: Value = serde_json::from_str(include_str!("openapi/arguments.json"))?;
    for operation in &OPERATIONS {
        let method = operation.method.as_str().to_ascii_lowercase();
        document["paths"][operation.path][method] = described(operation, &rules)?;
    }
    Ok(document)
}

fn described(operation: &Operation, rules: &Value) -> serde_json::Result<Value> {
    let (name, title, description, input, output) = operation.tool().map_or_else(Default::default, |tool| {
        (tool.name, tool.title, tool.description, tool.input_schema, tool.output_schema)
    });
    let mut input: Value = serde_json::from_str(input)?;
    let output: Value = serde_json::from_str(output)?;
    for (name, schema) in input["properties"].as_object_mut().into_iter().flatten() {
        if let Some(rule) = rules.get(name) {
            merge(schema, rule);
        }
    }
    let mut parameters = Vec::new();
    if operation.has_id() {
        let schema = taken(&mut input, PATH_ARGUMENT);
        parameters.push(json!({"name": "id", "in": "path", "required": true, "schema": schema}));
    }
    let statuses = problems(operation, &input);
    for argument in &HEADER_ARGUMENTS {
        if taken(&mut input, argument.name).is_some() {
            let mut schema = json!({"type": "string"});
            merge(&mut schema, &rules[argument.header]);
            let (name, description) = (argument.header, argument.description);
            parameters.push(json!({"name": name, "in": "header", "description": description, "schema": schema}));
        }
    }
    let mut responses = Map::new();
    let content = json!({"application/json": {"schema": output}});
    let success = json!({"description": "The result.", "headers": headers(operation, &output), "content": content});
    responses.insert(operation.success.as_str().to_owned(), success);
    for status in statuses {
        responses.insert(status.as_str().to_owned(), json!({"$ref": "#/components/responses/Problem"}));
    }
    let mut described =
        json!({"operationId": name, "summary": title, "description": description, "responses": responses});
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

/// The headers of an operation's result.
fn headers(operation: &Operation, output: &Value) -> Map<String, Value> {
    let has = |member: &str| output["properties"].get(member).is_some();
    let headers = [
        ("ETag", has("revision")),
        ("Location", operation.success == StatusCode::CREATED),
        ("RateLimit", has("valid")),
        ("RateLimit-Policy", has("valid")),
        ("Retry-After", has("retry_after_ms")),
    ];
    let used = headers.into_iter().filter(|(_, is_used)| *is_used);
    used.map(|(name, _)| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))).collect()
}

/// The statuses of the problems that an operation can answer with.
fn problems(operation: &Operation, input: &Value) -> Vec<StatusCode> {
    let takes = |argument: &str| input["properties"].get(argument).is_some();
    let mut statuses = vec![
        StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if operation.has_id() || takes(PATH_ARGUMENT) || takes("project_reference") {
        statuses.push(StatusCode::NOT_FOUND);
    }
    if takes("idempotency_key") || takes("if_revision") {
        statuses.push(StatusCode::CONFLICT);
    }
    if takes("if_revision") {
        statuses.push(StatusCode::PRECONDITION_FAILED);
    }
    if operation.arguments == Arguments::Body {
        statuses.extend([StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
    statuses
}

/// Adds the members of `rule` to a schema, at every depth.
fn merge(schema: &mut Value, rule: &Value) {
    match (schema, rule) {
        (Value::Object(schema), Value::Object(rule)) => {
            for (name, rule) in rule {
                merge(schema.entry(name).or_insert(Value::Null), rule);
            }
        }
        (_, Value::Null) => {}
        (schema, rule) => *schema = rule.clone(),
    }
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
