//! The tools: names, descriptions, schemas, and calls by name with JSON arguments.

mod arguments;

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Caller, Error, Keycell, RateLimit, Storage, UpdateApiKey};

/// The group of the tools.
pub const GROUP: &str = "API Keys";
/// The number of tools that are served by default, at the beginning of [`TOOLS`].
pub const DEFAULT_TOOLS: usize = 2;

/// A tool.
#[non_exhaustive]
pub struct Tool {
    /// The name.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The description: one sentence.
    pub description: &'static str,
    /// The JSON Schema of the arguments, as text.
    pub input_schema: &'static str,
    /// The JSON Schema of the result, as text.
    pub output_schema: &'static str,
    /// The effect of a call on storage.
    pub effect: Effect,
}

/// The effect of a tool's call on storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// The call changes nothing.
    Reads,
    /// Each call adds something.
    Adds,
    /// The call changes or removes something.
    Changes {
        /// Whether a repeated call changes something again.
        again: bool,
    },
}

macro_rules! tool {
    ($name:literal, $title:literal, $description:literal, $effect:expr) => {
        Tool {
            name: $name,
            title: $title,
            description: $description,
            input_schema: include_str!(concat!("../schemas/", $name, ".input.json")),
            output_schema: include_str!(concat!("../schemas/", $name, ".output.json")),
            effect: $effect,
        }
    };
}

/// Every tool. The first [`DEFAULT_TOOLS`] are served by default.
pub const TOOLS: &[Tool] = &[
    tool!(
        "create_api_key",
        "Create an API key",
        "Create a new API key for the user or a specific project",
        Effect::Adds
    ),
    tool!("get_api_key", "Get an API key", "Get details of a specific API key", Effect::Reads),
    tool!(
        "issue_api_key",
        "Issue an API key",
        "Create a new API key with an owner, scopes, metadata, a rate limit and an idempotency key",
        Effect::Adds
    ),
    tool!("describe_api_key", "Describe an API key", "Get all fields of a specific API key", Effect::Reads),
    // A verification records the time of the use.
    tool!(
        "verify_api_key",
        "Verify an API key",
        "Verify a presented API key and the scopes that it must have",
        Effect::Adds
    ),
    tool!("list_api_keys", "List API keys", "List API keys, newest first", Effect::Reads),
    tool!(
        "revoke_api_key",
        "Revoke an API key",
        "Revoke a specific API key at once and permanently",
        Effect::Changes { again: false }
    ),
    tool!(
        "rotate_api_key",
        "Rotate an API key",
        "Replace a specific API key by a new one",
        Effect::Changes { again: true }
    ),
    tool!(
        "update_api_key",
        "Update an API key",
        "Change the name, metadata or rate limit of a specific API key, or move its expiry to an earlier time",
        Effect::Changes { again: true }
    ),
    tool!("list_api_key_events", "List API key events", "List the changes of API keys, newest first", Effect::Reads),
];

/// The reason why a call by name failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// There is no tool of this name.
    #[error("there is no tool of this name")]
    UnknownTool,
    /// The tool failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Calls a tool with JSON arguments, and returns JSON that matches its output schema.
///
/// # Errors
///
/// There is no such tool, or it failed. Arguments that do not match the input schema are
/// [`Error::InvalidInput`], after the caller was authenticated.
pub async fn call<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    name: &str,
    mut arguments: Value,
) -> Result<Value, ToolError> {
    arguments::normalise_integers(&mut arguments);
    if let Err(faults) = arguments::check(name, &arguments)? {
        return Err(keycell.invalid_input(caller, faults).await.into());
    }
    match name {
        "create_api_key" => output(keycell.create_api_key(caller, input(arguments)?).await?),
        "get_api_key" => {
            let ById { api_key_id } = input(arguments)?;
            output(keycell.get_api_key(caller, &api_key_id).await?)
        }
        "issue_api_key" => output(keycell.issue_api_key(caller, input(arguments)?).await?),
        "describe_api_key" => {
            let ById { api_key_id } = input(arguments)?;
            output(keycell.describe_api_key(caller, &api_key_id).await?)
        }
        "verify_api_key" => {
            let Verify { key, scopes } = input(arguments)?;
            let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
            output(keycell.verify_api_key(caller, &key, &scopes).await?)
        }
        "list_api_keys" => output(keycell.list_api_keys(caller, input(arguments)?).await?),
        "revoke_api_key" => {
            let Revoke { api_key_id, reason, if_revision } = input(arguments)?;
            output(keycell.revoke_api_key(caller, &api_key_id, reason.as_deref(), if_revision).await?)
        }
        "rotate_api_key" => {
            let Rotate { api_key_id, grace_seconds, if_revision } = input(arguments)?;
            let grace = Duration::from_secs(grace_seconds.unwrap_or(0).into());
            output(keycell.rotate_api_key(caller, &api_key_id, grace, if_revision).await?)
        }
        "update_api_key" => {
            let Update { api_key_id, changes } = input(arguments)?;
            output(keycell.update_api_key(caller, &api_key_id, changes.into()).await?)
        }
        "list_api_key_events" => output(keycell.list_events(caller, input(arguments)?).await?),
        _ => Err(ToolError::UnknownTool),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ById {
    api_key_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    key: String,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    api_key_id: String,
    reason: Option<String>,
    if_revision: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    api_key_id: String,
    grace_seconds: Option<u32>,
    if_revision: Option<u32>,
}

#[derive(Deserialize)]
struct Update {
    api_key_id: String,
    #[serde(flatten)]
    changes: Changes,
}

/// The changes of an update. A `null` removes the metadata or the limit.
#[derive(Deserialize)]
struct Changes {
    name: Option<String>,
    expires_at: Option<String>,
    #[serde(default, deserialize_with = "present")]
    metadata: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    rate_limit: Option<Option<RateLimit>>,
    if_revision: Option<u32>,
}

impl From<Changes> for UpdateApiKey {
    fn from(changes: Changes) -> Self {
        Self {
            name: changes.name,
            expires_at: changes.expires_at,
            metadata: changes.metadata.map(|json| json.to_string()),
            rate_limit: changes.rate_limit,
            if_revision: changes.if_revision,
        }
    }
}

/// Distinguishes a `null` from a field that is left out.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn input<T: DeserializeOwned>(arguments: Value) -> Result<T, Error> {
    serde_json::from_value(arguments).map_err(|_| arguments::unreadable())
}

fn output(result: impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(result).map_err(|error| Error::internal(&error).into())
}
