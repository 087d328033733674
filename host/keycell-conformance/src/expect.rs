//! Expected values: variables in them, and comparison.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Replaces `${name}` by values. A text that is exactly one name becomes the value itself. Names
/// without a value are not replaced.
pub fn substitute(value: &Value, variables: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => substitute_text(text, variables),
        Value::Array(items) => items.iter().map(|item| substitute(item, variables)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), substitute(field, variables)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn substitute_text(text: &str, variables: &BTreeMap<String, Value>) -> Value {
    let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if let Some(value) = whole.and_then(|name| variables.get(name)) {
        return value.clone();
    }
    let mut text = text.to_owned();
    for (name, value) in variables {
        if let Value::String(value) = value {
            text = text.replace(&format!("${{{name}}}"), value);
        }
    }
    Value::String(text)
}

/// Replaces each `{"$repeat": [T, n]}` by the text T, n times.
pub fn expand(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            match pattern(&fields).map(|(name, value)| (name, value.as_array().map(Vec::as_slice))) {
                Some(("$repeat", Some([Value::String(text), Value::Number(times)]))) => {
                    let times = times.as_u64().and_then(|times| usize::try_from(times).ok()).unwrap_or_default();
                    Value::String(text.repeat(times))
                }
                _ => Value::Object(fields.into_iter().map(|(name, field)| (name, expand(field))).collect()),
            }
        }
        Value::Array(items) => items.into_iter().map(expand).collect(),
        other => other,
    }
}

/// Compares a value with the expected one, as `docs/conformance.md` defines it.
///
/// # Errors
///
/// The first difference as text, without the actual value, which may be a secret.
pub fn compare(path: &str, expected: &Value, actual: &Value) -> Result<(), String> {
    match expected {
        Value::Object(fields) => match pattern(fields) {
            Some(("$matches", Value::String(regex))) => {
                let regex = regex::Regex::new(regex).map_err(|error| error.to_string())?;
                let matches = actual.as_str().is_some_and(|text| regex.is_match(text));
                check(matches, || format!("{path} does not match {regex}"))
            }
            Some(("$not", other)) => check(actual != other, || format!("{path} has the value that is excluded")),
            Some(("$sha256", Value::String(text))) => {
                let is_hash = actual.as_str() == Some(&hex(&Sha256::digest(text)));
                check(is_hash, || format!("{path} is another SHA-256"))
            }
            Some((unknown, _)) => Err(format!("the case has an unknown pattern {unknown}")),
            None => fields.iter().try_for_each(|(name, field)| match actual.get(name) {
                Some(actual) => compare(&format!("{path}.{name}"), field, actual),
                None => Err(format!("{path}.{name} is missing")),
            }),
        },
        Value::Array(items) => {
            let actual = actual.as_array().ok_or_else(|| format!("{path} is not an array"))?;
            check(items.len() == actual.len(), || {
                format!("{path} has {} items instead of {}", actual.len(), items.len())
            })?;
            let pairs = items.iter().zip(actual).enumerate();
            pairs
                .into_iter()
                .try_for_each(|(index, (expected, actual))| compare(&format!("{path}[{index}]"), expected, actual))
        }
        other => check(other == actual, || format!("{path} is not {other}")),
    }
}

fn pattern(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    fields.iter().next().filter(|(name, _)| name.starts_with('$')).map(|(name, value)| (name.as_str(), value))
}

/// Fails with this text unless the condition holds.
pub fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_can_fail() {
        let actual = json!({"a": "x1", "b": [1, 2], "c": null});
        for good in [
            json!({}),
            json!({"a": {"$matches": "^x\\d$"}, "b": [1, 2]}),
            json!({"c": null}),
            json!({"a": {"$not": "y"}}),
        ] {
            assert_eq!(compare("$", &good, &actual), Ok(()), "{good}");
        }
        for bad in [
            json!({"a": "x"}),
            json!({"a": {"$matches": "^y"}}),
            json!({"b": [1]}),
            json!({"b": [2, 1]}),
            json!({"d": null}),
            json!({"a": {"$not": "x1"}}),
            json!({"a": {"$sha256": "x1"}}),
            json!({"a": {"$what": 1}}),
        ] {
            assert!(compare("$", &bad, &actual).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_lowercase_hexadecimal() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(compare("$", &json!({"$sha256": "abc"}), &json!(hash)), Ok(()));
    }

    #[test]
    fn a_text_is_repeated() {
        let value = json!({"a": [{"$repeat": ["ab", 3]}], "$text": {"$repeat": ["x", 2]}, "n": 1});
        assert_eq!(expand(value), json!({"a": ["ababab"], "$text": "xx", "n": 1}));
    }

    #[test]
    fn a_name_alone_becomes_the_value_itself() {
        let variables = BTreeMap::from([("a".to_owned(), json!("x")), ("n".to_owned(), json!(null))]);
        assert_eq!(
            substitute(&json!(["${a}", "-${a}-", "${n}", "${b}"]), &variables),
            json!(["x", "-x-", null, "${b}"])
        );
    }
}
