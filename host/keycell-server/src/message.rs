//! JSON-RPC messages from clients.

use rmcp::model::ClientJsonRpcMessage;
use serde_json::{Value, json};

use crate::json::{self, JsonError};

/// The reason why a text is not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// The text is longer than this number of bytes.
    TooLong(usize),
    /// The text is not valid JSON.
    Json(JsonError),
    /// The text is JSON, but not a message of MCP. Its id is this one, or `null`.
    NotMcp(Value),
}

impl MessageError {
    /// Returns the error as a JSON-RPC message.
    pub fn to_message(&self) -> Value {
        let (code, message, id) = match self {
            Self::TooLong(max) => (-32600, format!("the message is longer than {max} bytes"), &Value::Null),
            Self::Json(error @ JsonError::Syntax) => (-32700, error.to_string(), &Value::Null),
            Self::Json(error @ JsonError::DuplicateMember) => (-32600, error.to_string(), &Value::Null),
            Self::NotMcp(id) => (-32600, "the message is not a message of MCP".to_owned(), id),
        };
        json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
    }
}

/// Checks that a text is JSON without duplicate members.
pub fn check(text: &[u8]) -> Result<(), MessageError> {
    json::check(text).map_err(MessageError::Json)
}

/// Returns the error for JSON that is not a message of MCP.
pub fn not_mcp(text: &[u8]) -> MessageError {
    let value: Value = serde_json::from_slice(text).unwrap_or_default();
    let id = value.get("id").filter(|id| id.is_string() || id.is_i64()).cloned();
    MessageError::NotMcp(id.unwrap_or_default())
}

/// Parses a message.
pub fn parse(text: &[u8]) -> Result<ClientJsonRpcMessage, MessageError> {
    check(text)?;
    serde_json::from_slice(text).map_err(|_| not_mcp(text))
}
