//! Arguments against a tool's input schema.
//!
//! What they say is the component's to judge. Whether they are there, known and of their type is
//! told here: what has not the schema's form never reaches it.

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::{TOOLS, ToolError};
use crate::{Error, Fault};

/// The longest name of an unknown argument that is told again, in bytes. A key's secret is longer.
const LONGEST_NAME: usize = 40;
/// The code of an argument that the tool does not have.
const UNKNOWN: &str = "unknown-argument";
/// The most faults that are told at once.
const MOST_FAULTS: usize = 20;

static VALIDATORS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
    let validator = |schema| jsonschema::draft7::new(&serde_json::from_str(schema).ok()?).ok();
    TOOLS.iter().filter_map(|tool| Some((tool.name, validator(tool.input_schema)?))).collect()
});

/// Says all that keeps these arguments from having the form that the tool wants.
pub fn check(tool: &str, arguments: &Value) -> Result<Result<(), Vec<Fault>>, ToolError> {
    let validator = VALIDATORS.get(tool).ok_or(ToolError::UnknownTool)?;
    let mut faults: Vec<_> = validator.iter_errors(arguments).flat_map(|error| faults(&error)).collect();
    // However many unknown ones there are, what is wrong with the known ones is told.
    faults.sort_by_key(|fault| fault.code == UNKNOWN);
    faults.truncate(MOST_FAULTS);
    Ok(if faults.is_empty() { Ok(()) } else { Err(faults) })
}

/// The arguments without those that have these faults. An empty text stands for what must be there.
pub fn without(tool: &str, faults: &[Fault], arguments: Value) -> Value {
    let is_right = |name: &String| faults.iter().all(|fault| fault.field != *name);
    let schema = TOOLS.iter().find(|known| known.name == tool).map(|known| serde_json::from_str(known.input_schema));
    let schema: Value = schema.and_then(Result::ok).unwrap_or_default();
    let is_known = |name: &String| schema.pointer("/properties").is_some_and(|known| known.get(name).is_some());
    let Value::Object(mut arguments) = arguments else { return arguments };
    arguments.retain(|name, _| is_right(name) && is_known(name));
    for required in schema.pointer("/required").and_then(Value::as_array).into_iter().flatten() {
        if let Some(name) = required.as_str() {
            arguments.entry(name).or_insert_with(|| "".into());
        }
    }
    Value::Object(arguments)
}

/// What is said of arguments that match the schema and can't be read all the same.
pub fn unreadable() -> Error {
    Error::InvalidInput { faults: vec![fault("arguments", "wrong-type", "do not match the tool's input schema")] }
}

/// What the schema wants is told, and not what came: that may be a secret.
fn faults(error: &ValidationError<'_>) -> Vec<Fault> {
    let path = error.instance_path().to_string();
    let field = path.split('/').nth(1).unwrap_or("arguments");
    let one = |code, message: String| vec![fault(field, code, &message)];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| fault(shown(name), UNKNOWN, "is not an argument of this tool")).collect()
        }
        ValidationErrorKind::Required { property } => {
            vec![fault(property.as_str().unwrap_or(field), "missing", "must be given")]
        }
        ValidationErrorKind::Minimum { limit } => one("out-of-range", format!("must be at least {limit}")),
        ValidationErrorKind::Maximum { limit } => one("out-of-range", format!("must be at most {limit}")),
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => {
            one("wrong-type", format!("must be of type {wanted}"))
        }
        _ => one("wrong-type", "must match the tool's input schema".to_owned()),
    }
}

/// The name of an unknown argument, unless it may be a key in the wrong place.
fn shown(name: &str) -> &str {
    if name.len() > LONGEST_NAME { "(not shown)" } else { name }
}

fn fault(field: &str, code: &str, message: &str) -> Fault {
    Fault { field: field.to_owned(), code: code.to_owned(), message: message.to_owned() }
}
