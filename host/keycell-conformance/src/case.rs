//! Cases, as they stand in `tests/cases`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::expect::substitute;

/// The files of `tests/cases`, one for each section of the contract.
const FILES: &[(&str, &str)] = &[
    ("access", include_str!("../../../tests/cases/access.json")),
    ("errors", include_str!("../../../tests/cases/errors.json")),
    ("expiry", include_str!("../../../tests/cases/expiry.json")),
    ("lifecycle", include_str!("../../../tests/cases/lifecycle.json")),
    ("list", include_str!("../../../tests/cases/list.json")),
    ("key", include_str!("../../../tests/cases/key.json")),
    ("name", include_str!("../../../tests/cases/name.json")),
    ("project", include_str!("../../../tests/cases/project.json")),
    ("record", include_str!("../../../tests/cases/record.json")),
    ("scopes", include_str!("../../../tests/cases/scopes.json")),
    ("verify", include_str!("../../../tests/cases/verify.json")),
];

/// Why the cases can't be read.
#[derive(Debug, thiserror::Error)]
#[error("tests/cases/{file}.json: {source}")]
pub struct CasesError {
    file: &'static str,
    source: serde_json::Error,
}

/// One case: a set-up, and steps that each must go as they say.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file, the case's name in it, and the row where it stands for several.
    pub name: String,
    pub(super) set_up: SetUp,
    pub(super) steps: Vec<Step>,
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

/// The world in which a case begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    /// What the clock shows, until a step moves it.
    pub now: String,
    /// The seed of the random bytes: xorshift32, the low byte of each state.
    pub random_seed: u32,
    pub policy: PolicySetUp,
    #[serde(default)]
    pub projects: Vec<ProjectSetUp>,
    #[serde(default)]
    pub storage_fails: Vec<StorageFailure>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySetUp {
    pub prefix: String,
    pub default_scopes: Vec<String>,
    pub longest_life_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectSetUp {
    pub id: uuid::Uuid,
    pub slug: String,
    pub members: Vec<String>,
}

/// The next `times` calls of a storage function fail without doing anything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StorageFailure {
    pub call: String,
    pub with: FailureKind,
    pub times: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FailureKind {
    Conflict,
    Unavailable,
    Internal,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Step {
    Clock { now: String },
    Call(Box<CallStep>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallStep {
    pub call: String,
    /// Who is calling; a verification has no caller, and needs none here.
    #[serde(rename = "as", default)]
    pub caller: CallerSetUp,
    pub arguments: Value,
    /// What the tool must give; or
    pub returns: Option<Value>,
    /// the error that it must fail with.
    pub fails: Option<Value>,
    /// The storage functions that must have been called, in order.
    pub storage_calls: Option<Vec<String>>,
    /// What the record that was written last must be like.
    pub stored: Option<Value>,
    /// Names for parts of the answer, by JSON pointer.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CallerSetUp {
    pub user: String,
    pub project_id: Option<String>,
    pub expires_at: Option<String>,
    pub scopes: Vec<String>,
}

impl Default for CallerSetUp {
    fn default() -> Self {
        Self { user: "nobody".to_owned(), project_id: None, expires_at: None, scopes: Vec::new() }
    }
}

/// All cases, each row of an `each` being one.
///
/// # Errors
///
/// A file is not of the form.
pub fn cases() -> Result<Vec<Case>, CasesError> {
    let mut cases = Vec::new();
    for &(file, text) in FILES {
        let error = |source| CasesError { file, source };
        let File { set_up: defaults, cases: file_cases, .. } = serde_json::from_str(text).map_err(error)?;
        for case in file_cases {
            for (row, variables) in rows(case.each) {
                cases.push(
                    expand(file, &row, &variables, &defaults, &case.set_up, &case.name, &case.steps).map_err(error)?,
                );
            }
        }
    }
    Ok(cases)
}

/// The rows of a case, or one without variables.
fn rows(each: Vec<BTreeMap<String, Value>>) -> Vec<(String, BTreeMap<String, Value>)> {
    if each.is_empty() {
        return vec![(String::new(), BTreeMap::new())];
    }
    each.into_iter().enumerate().map(|(index, variables)| (format!(" [{}]", index + 1), variables)).collect()
}

fn expand(
    file: &str,
    row: &str,
    variables: &BTreeMap<String, Value>,
    defaults: &Map<String, Value>,
    overrides: &Map<String, Value>,
    name: &str,
    steps: &[Value],
) -> Result<Case, serde_json::Error> {
    let mut set_up = defaults.clone();
    set_up.extend(overrides.clone());
    Ok(Case {
        name: format!("{file}: {name}{row}"),
        set_up: serde_json::from_value(substitute(&Value::Object(set_up), variables))?,
        steps: steps
            .iter()
            .map(|step| serde_json::from_value(substitute(step, variables)))
            .collect::<Result<_, _>>()?,
    })
}
