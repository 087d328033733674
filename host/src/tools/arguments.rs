//! Arguments against a tool's input schema.
//!
//! What they say is the component's to judge. Whether they are there, known and of their type is
//! told here: JSON that has not the schema's form never becomes a call.

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::{TOOLS, ToolError};
use crate::{Error, Fault, holds_form_of_key};

/// The longest name of an unknown argument that is told again, in bytes.
const LONGEST_NAME: usize = 100;
/// The most faults that are told at once.
const MOST_FAULTS: usize = 20;

static VALIDATORS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
    let validator = |schema| jsonschema::draft7::new(&serde_json::from_str(schema).ok()?).ok();
    TOOLS.iter().filter_map(|tool| Some((tool.name, validator(tool.input_schema)?))).collect()
});

/// Says all that keeps these arguments from being a call of the tool.
pub fn check(tool: &str, arguments: &Value) -> Result<(), ToolError> {
    let validator = VALIDATORS.get(tool).ok_or(ToolError::UnknownTool)?;
    let faults: Vec<_> = validator.iter_errors(arguments).flat_map(|error| faults(&error)).take(MOST_FAULTS).collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::InvalidInput { faults }.into()) }
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
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| fault(shown(name), "unknown-argument", "is not an argument of this tool"))
            .collect(),
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

/// The name of an unknown argument, unless it is a key in the wrong place.
fn shown(name: &str) -> &str {
    if name.len() > LONGEST_NAME || holds_form_of_key(name) { "(not shown)" } else { name }
}

fn fault(field: &str, code: &str, message: &str) -> Fault {
    Fault { field: field.to_owned(), code: code.to_owned(), message: message.to_owned() }
}
