//! The tools: their names, descriptions and schemas, and a call by name with JSON.

mod arguments;

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Caller, Error, Fault, Keycell, Storage, UpdateApiKey};

/// The group that the tools belong to.
pub const GROUP: &str = "API Keys";
/// The scope of those who read keys.
pub const READ: &str = "api-keys:read";
/// The scope of those who create and change keys.
pub const WRITE: &str = "api-keys:write";

/// A tool.
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// The JSON Schema of its arguments, as text.
    pub input_schema: &'static str,
    /// The JSON Schema of what it gives, as text.
    pub output_schema: &'static str,
    /// The scope that a server asks of those who call it.
    pub scope: &'static str,
    /// What a call does to what is stored.
    pub effect: Effect,
}

/// What a call of a tool does to what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Each call adds something.
    Adds,
    /// It takes something away, or changes it; `again` tells whether a second call does more.
    Changes {
        /// Whether the same call does something once more.
        again: bool,
    },
}

/// All tools.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "create_api_key",
        title: "Create an API key",
        description: "Create a new API key for the user or a specific project",
        input_schema: include_str!("../../tests/schemas/create_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/create_api_key.output.json"),
        scope: WRITE,
        effect: Effect::Adds,
    },
    Tool {
        name: "get_api_key",
        title: "Get an API key",
        description: "Get details of a specific API key",
        input_schema: include_str!("../../tests/schemas/get_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/get_api_key.output.json"),
        scope: READ,
        effect: Effect::Reads,
    },
    Tool {
        name: "verify_api_key",
        title: "Verify an API key",
        description: "Verify a presented API key and the scopes that it must have",
        input_schema: include_str!("../../tests/schemas/verify_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/verify_api_key.output.json"),
        scope: READ,
        // The time of its use is stored.
        effect: Effect::Adds,
    },
    Tool {
        name: "list_api_keys",
        title: "List API keys",
        description: "List the user's API keys, newest first",
        input_schema: include_str!("../../tests/schemas/list_api_keys.input.json"),
        output_schema: include_str!("../../tests/schemas/list_api_keys.output.json"),
        scope: READ,
        effect: Effect::Reads,
    },
    Tool {
        name: "revoke_api_key",
        title: "Revoke an API key",
        description: "Revoke a specific API key at once and for good",
        input_schema: include_str!("../../tests/schemas/revoke_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/revoke_api_key.output.json"),
        scope: WRITE,
        effect: Effect::Changes { again: false },
    },
    Tool {
        name: "rotate_api_key",
        title: "Rotate an API key",
        description: "Replace a specific API key by a new one",
        input_schema: include_str!("../../tests/schemas/rotate_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/rotate_api_key.output.json"),
        scope: WRITE,
        effect: Effect::Changes { again: true },
    },
    Tool {
        name: "update_api_key",
        title: "Update an API key",
        description: "Rename a specific API key, or let it expire earlier",
        input_schema: include_str!("../../tests/schemas/update_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/update_api_key.output.json"),
        scope: WRITE,
        effect: Effect::Changes { again: true },
    },
];

/// Why a call by name failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no tool of this name.
    #[error("there is no tool of this name")]
    UnknownTool,
    /// The tool failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Calls a tool with JSON arguments; gives what matches its output schema.
///
/// # Errors
///
/// There is no such tool, or it failed: with [`Error::InvalidInput`] if the arguments do not match
/// its input schema.
pub async fn call<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    name: &str,
    arguments: Value,
) -> Result<Value, ToolError> {
    let Err(mut faults) = arguments::check(name, &arguments)? else {
        return call_checked(keycell, caller, name, arguments).await;
    };
    // The component judges the others, so that all that is wrong is told at once.
    let others = arguments::without(name, &faults, arguments);
    if let Err(ToolError::Failed(Error::InvalidInput { faults: found })) =
        call_checked(&keycell.without_storage(), caller, name, others).await
    {
        let is_new = |fault: &Fault| faults.iter().all(|known| known.field != fault.field);
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        faults.extend(found);
    }
    Err(Error::InvalidInput { faults }.into())
}

async fn call_checked<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    name: &str,
    arguments: Value,
) -> Result<Value, ToolError> {
    match name {
        "create_api_key" => written(keycell.create_api_key(caller, read(arguments)?).await?),
        "get_api_key" => {
            let Get { api_key_id } = read(arguments)?;
            written(keycell.get_api_key(caller, &api_key_id).await?)
        }
        "verify_api_key" => {
            let Verify { key, scopes } = read(arguments)?;
            let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
            written(keycell.verify_api_key(&key, &scopes).await?)
        }
        "list_api_keys" => written(keycell.list_api_keys(caller, read(arguments)?).await?),
        "revoke_api_key" => {
            let Revoke { api_key_id, reason } = read(arguments)?;
            written(keycell.revoke_api_key(caller, &api_key_id, reason.as_deref()).await?)
        }
        "rotate_api_key" => {
            let Rotate { api_key_id, grace_seconds } = read(arguments)?;
            let grace = Duration::from_secs(grace_seconds.unwrap_or(0).into());
            written(keycell.rotate_api_key(caller, &api_key_id, grace).await?)
        }
        "update_api_key" => {
            let Update { api_key_id, name, expires_at } = read(arguments)?;
            written(keycell.update_api_key(caller, &api_key_id, UpdateApiKey { name, expires_at }).await?)
        }
        _ => Err(ToolError::UnknownTool),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Get {
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    api_key_id: String,
    grace_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    api_key_id: String,
    name: Option<String>,
    expires_at: Option<String>,
}

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, Error> {
    serde_json::from_value(arguments).map_err(|_| arguments::unreadable())
}

fn written(output: impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(output).map_err(|error| Error::internal(&error).into())
}
