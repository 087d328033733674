//! The tools: their names, descriptions and schemas, and a call by name with JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Caller, Error, Keycell, Storage, UpdateApiKey};

/// The group that the tools belong to.
pub const GROUP: &str = "API Keys";

/// A tool.
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// The JSON Schema of its arguments, as text.
    pub input_schema: &'static str,
    /// The JSON Schema of what it gives, as text.
    pub output_schema: &'static str,
}

/// All tools.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "create_api_key",
        description: "Create a new API key for the user or a specific project",
        input_schema: include_str!("../../tests/schemas/create_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/create_api_key.output.json"),
    },
    Tool {
        name: "get_api_key",
        description: "Get details of a specific API key",
        input_schema: include_str!("../../tests/schemas/get_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/get_api_key.output.json"),
    },
    Tool {
        name: "verify_api_key",
        description: "Verify a presented API key and the scopes that it must have",
        input_schema: include_str!("../../tests/schemas/verify_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/verify_api_key.output.json"),
    },
    Tool {
        name: "list_api_keys",
        description: "List the user's API keys, newest first",
        input_schema: include_str!("../../tests/schemas/list_api_keys.input.json"),
        output_schema: include_str!("../../tests/schemas/list_api_keys.output.json"),
    },
    Tool {
        name: "revoke_api_key",
        description: "Revoke a specific API key at once and for good",
        input_schema: include_str!("../../tests/schemas/revoke_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/revoke_api_key.output.json"),
    },
    Tool {
        name: "rotate_api_key",
        description: "Replace a specific API key by a new one",
        input_schema: include_str!("../../tests/schemas/rotate_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/rotate_api_key.output.json"),
    },
    Tool {
        name: "update_api_key",
        description: "Rename a specific API key, or let it expire earlier",
        input_schema: include_str!("../../tests/schemas/update_api_key.input.json"),
        output_schema: include_str!("../../tests/schemas/update_api_key.output.json"),
    },
];

/// Why a call by name failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no tool of this name.
    #[error("there is no tool of this name")]
    UnknownTool,
    /// The arguments do not have the form of the tool's input schema.
    #[error("the arguments do not match the tool's input schema")]
    Arguments,
    /// The tool failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Calls a tool with arguments that match its input schema; gives what matches its output schema.
///
/// # Errors
///
/// There is no such tool, the arguments do not match, or the tool failed.
pub async fn call<S: Storage>(
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

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolError> {
    serde_json::from_value(arguments).map_err(|_| ToolError::Arguments)
}

fn written(output: impl Serialize) -> Result<Value, ToolError> {
    serde_json::to_value(output).map_err(|error| Error::internal(&error).into())
}
