//! The cases in the files of `tests/cases`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::expect::substitute;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../cases/", $name, ".json")))),*]
    };
}

/// The files, one for each subject.
const FILES: &[(&str, &str)] = files![
    "access",
    "bearers",
    "errors",
    "events",
    "expiry",
    "idempotency",
    "issue",
    "key",
    "lifecycle",
    "limits",
    "list",
    "metadata",
    "name",
    "operators",
    "project",
    "projects",
    "record",
    "scopes",
    "verify",
];

/// The reason why the cases cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("tests/cases/{file}.json does not have the format of docs/conformance.md: {source}")]
pub struct CasesError {
    file: &'static str,
    source: serde_json::Error,
}

/// A case: a set-up, and steps with their expected results.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Case {
    /// The file, the name in it and, if the case has rows, the number of the row.
    pub name: String,
    pub(crate) set_up: SetUp,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    set_up: Map<String, Value>,
    cases: Vec<FileCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCase {
    name: String,
    #[serde(default)]
    set_up: Map<String, Value>,
    #[serde(default)]
    each: Vec<BTreeMap<String, Value>>,
    steps: Vec<Value>,
}

/// The state at the beginning of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    pub now: String,
    /// The seed of the random bytes.
    pub random_seed: u32,
    pub policy: PolicySetUp,
    #[serde(default)]
    pub projects: Vec<ProjectSetUp>,
    #[serde(default)]
    pub storage_fails: Vec<StorageFailure>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySetUp {
    pub prefix: String,
    pub default_scopes: Vec<String>,
    pub grantable_scopes: Option<Vec<String>>,
    pub longest_life_ms: Option<u64>,
    pub default_life_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectSetUp {
    pub id: uuid::Uuid,
    pub slug: String,
    pub members: Vec<MemberSetUp>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum MemberSetUp {
    /// A user with the role `member`.
    Member(String),
    WithRole {
        user: String,
        role: keycell::Role,
    },
}

/// The next `times` calls of a storage function fail and do nothing else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageFailure {
    pub call: String,
    pub with: FailureKind,
    pub times: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    Conflict,
    Unavailable,
    Internal,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Step {
    Clock { now: String },
    Role { project: String, user: String, role: Option<keycell::Role> },
    Policy { policy: PolicySetUp },
    Call(Box<CallStep>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallStep {
    /// The tool, `describe_caller` or `authorize_project`.
    pub call: String,
    /// The caller as a [`CallerSetUp`], which may contain names of saved values.
    #[serde(rename = "as")]
    pub caller: Option<Value>,
    #[serde(default = "no_arguments")]
    pub arguments: Value,
    /// The expected result.
    pub returns: Option<Value>,
    /// The expected error.
    pub fails: Option<Value>,
    /// The storage functions that are called, in order.
    pub storage_calls: Option<Vec<String>>,
    /// The key record that storage received last.
    pub stored: Option<Value>,
    /// The events that storage received in this step.
    pub stored_events: Option<Value>,
    /// The idempotent request that storage received last.
    pub stored_request: Option<Value>,
    /// Names for parts of the result, by JSON pointer.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

fn no_arguments() -> Value {
    Value::Object(Map::new())
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum CallerSetUp {
    User {
        user: String,
        #[serde(default)]
        scopes: Vec<String>,
        #[serde(default)]
        operator: bool,
    },
    Bearer {
        bearer: String,
    },
    Host {
        #[serde(rename = "host")]
        _host: bool,
    },
}

/// Reads all cases. A case with rows becomes one case for each row.
///
/// # Errors
///
/// A file has an invalid format.
pub fn cases() -> Result<Vec<Case>, CasesError> {
    let mut cases = Vec::new();
    for &(file, text) in FILES {
        read_file(file, text, &mut cases).map_err(|source| CasesError { file, source })?;
    }
    Ok(cases)
}

fn read_file(file: &str, text: &str, cases: &mut Vec<Case>) -> Result<(), serde_json::Error> {
    let File { set_up: defaults, cases: file_cases, .. } = serde_json::from_str(text)?;
    for case in file_cases {
        let mut set_up = defaults.clone();
        set_up.extend(case.set_up);
        let set_up = Value::Object(set_up);
        for (row, values) in rows(case.each) {
            let steps = case.steps.iter().map(|step| serde_json::from_value(substitute(step, &values)));
            cases.push(Case {
                name: format!("{file}: {}{row}", case.name),
                set_up: serde_json::from_value(substitute(&set_up, &values))?,
                steps: steps.collect::<Result<_, _>>()?,
            });
        }
    }
    Ok(())
}

/// The rows of a case with their names, or one row without values.
fn rows(each: Vec<BTreeMap<String, Value>>) -> Vec<(String, BTreeMap<String, Value>)> {
    if each.is_empty() {
        return vec![(String::new(), BTreeMap::new())];
    }
    each.into_iter().enumerate().map(|(index, values)| (format!(" [{}]", index + 1), values)).collect()
}
