//! The tools: their names, descriptions and schemas, and a call by name with JSON.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Caller, Error, Keycell, Storage};

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
    let output = match name {
        "create_api_key" => serde_json::to_value(keycell.create_api_key(caller, read(arguments)?).await?),
        "get_api_key" => {
            let GetApiKey { api_key_id } = read(arguments)?;
            serde_json::to_value(keycell.get_api_key(caller, &api_key_id).await?)
        }
        _ => return Err(ToolError::UnknownTool),
    };
    output.map_err(|error| Error::internal(&error).into())
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct GetApiKey {
    api_key_id: String,
}

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolError> {
    serde_json::from_value(arguments).map_err(|_| ToolError::Arguments)
}
