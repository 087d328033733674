//! The check of arguments against a tool's input schema: presence, names and types.
//!
//! The component judges the values, and the type of metadata.

use std::{collections::HashMap, sync::LazyLock};

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use keycell_component::fault::Fault as RuleFault;
use serde_json::Value;

use super::{TOOLS, Tool, ToolError};
use crate::{Error, Fault};

/// The maximum length of the name of an unknown argument that a fault repeats, in bytes. No
/// argument of a tool has a longer name, and of a key it would show only a small part of the secret.
const MAX_NAME_LEN: usize = 24;
/// The code of an argument that the tool does not have.
const UNKNOWN: &str = "unknown-argument";
/// The maximum number of faults that are returned.
const MAX_FAULTS: usize = 20;

static VALIDATORS: LazyLock<Result<HashMap<&str, Validator>, String>> = LazyLock::new(|| {
    let validator = |tool: &Tool| {
        let schema = serde_json::from_str(tool.input_schema).map_err(|error| format!("{}: {error}", tool.name))?;
        jsonschema::draft7::new(&schema)
            .map(|validator| (tool.name, validator))
            .map_err(|error| format!("{}: {error}", tool.name))
    };
    TOOLS.iter().map(validator).collect()
});

/// Returns every fault of the arguments' form.
pub fn check(tool: &str, arguments: &Value) -> Result<Result<(), Vec<Fault>>, ToolError> {
    let validators = VALIDATORS.as_ref().map_err(Error::internal)?;
    let validator = validators.get(tool).ok_or(ToolError::UnknownTool)?;
    let errors = validator.iter_errors(arguments).filter(|error| error.instance_path().as_str() != "/metadata");
    let mut faults: Vec<_> = errors.flat_map(|error| faults(&error)).collect();
    // Faults of known arguments come first, however many unknown arguments there are.
    faults.sort_by_key(|fault| fault.code == UNKNOWN);
    faults.truncate(MAX_FAULTS);
    Ok(if faults.is_empty() { Ok(()) } else { Err(faults) })
}

/// Replaces numbers such as `3.0`, which are integers for JSON Schema, by integers. Metadata stays as
/// it is.
pub fn normalise_integers(arguments: &mut Value) {
    match arguments {
        Value::Number(number) => {
            if let Some(integer) = number.as_f64().filter(|_| !number.is_u64()).and_then(as_u32) {
                *arguments = integer.into();
            }
        }
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| *name != "metadata").for_each(|(_, value)| normalise_integers(value));
        }
        _ => {}
    }
}

/// The integer, if the number is one in the range of every integer argument.
fn as_u32(number: f64) -> Option<u32> {
    let is_integer = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    // In this range, the conversion is exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    is_integer.then_some(number as u32)
}

/// The error for arguments that match the schema and cannot be read.
pub fn unreadable() -> Error {
    Error::InvalidInput { faults: vec![fault("arguments", "wrong-type", "do not match the tool's input schema")] }
}

/// Names what the schema requires, and never the value: it may be a secret. The field is always an
/// argument; a fault within its value names the member in the message.
fn faults(error: &ValidationError<'_>) -> Vec<Fault> {
    let path = error.instance_path().as_str().trim_start_matches('/');
    let (field, member) = path.split_once('/').unwrap_or((path, ""));
    let one = |code, message: String| vec![fault(field, code, &message)];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } if field.is_empty() => {
            unexpected.iter().map(|name| fault(shown(name), UNKNOWN, "is not an argument of this tool")).collect()
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| fault(field, UNKNOWN, &format!("must not have the member {}", shown(name))))
            .collect(),
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            if field.is_empty() {
                vec![fault(property, "missing", "must be given")]
            } else {
                one("missing", format!("must have the member {property}"))
            }
        }
        ValidationErrorKind::Minimum { limit } => out_of_range(field, &format!("must be at least {limit}")),
        ValidationErrorKind::Maximum { limit } => out_of_range(field, &format!("must be at most {limit}")),
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } if member.is_empty() => {
            one("wrong-type", format!("must be of type {wanted}"))
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => {
            one("wrong-type", format!("must have the type {wanted} at {member}"))
        }
        _ => one("wrong-type", "must match the tool's input schema".to_owned()),
    }
}

/// The component's fault of the argument if it has one, and otherwise what the schema requires.
fn out_of_range(field: &str, required: &str) -> Vec<Fault> {
    vec![match field {
        "limit" => (field, RuleFault::PageSizeOutOfRange).into(),
        "rate_limit" => (field, RuleFault::RateLimitOutOfRange).into(),
        _ => fault(field, "out-of-range", required),
    }]
}

/// The name of an unknown argument, unless it may be a key.
fn shown(name: &str) -> &str {
    if name.len() > MAX_NAME_LEN { "(not shown)" } else { name }
}

fn fault(field: &str, code: &str, message: &str) -> Fault {
    Fault::new(field, code, message)
}
