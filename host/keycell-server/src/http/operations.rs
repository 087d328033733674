//! The operations of the REST interface. Each one calls a tool.

use axum::http::{Method, StatusCode};
use keycell::tools::{TOOLS, Tool};

/// A tool at a method and a path.
pub struct Operation {
    pub method: Method,
    pub path: &'static str,
    pub tool: &'static str,
    /// The source of the arguments, besides the path and the headers.
    pub arguments: Arguments,
    pub success: StatusCode,
}

/// The source of an operation's arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    Query,
    Body,
}

/// An argument in a header. The body must not have it.
pub struct HeaderArgument {
    pub name: &'static str,
    pub header: &'static str,
    pub description: &'static str,
}

/// The arguments that come from headers.
pub const HEADER_ARGUMENTS: [HeaderArgument; 2] = [
    HeaderArgument {
        name: "idempotency_key",
        header: "Idempotency-Key",
        description: "Makes the request repeatable for 24 hours.",
    },
    HeaderArgument {
        name: "if_revision",
        header: "If-Match",
        description: "The entity tag that the key must have; otherwise the request fails with 412.",
    },
];
/// The argument that comes from the path.
pub const PATH_ARGUMENT: &str = "api_key_id";

/// Every operation.
pub static OPERATIONS: [Operation; 8] = [
    Operation::new(Method::POST, "/v1/keys", "issue_api_key", Arguments::Body, StatusCode::CREATED),
    Operation::new(Method::GET, "/v1/keys", "list_api_keys", Arguments::Query, StatusCode::OK),
    Operation::new(Method::POST, "/v1/keys/verify", "verify_api_key", Arguments::Body, StatusCode::OK),
    Operation::new(Method::GET, "/v1/keys/{id}", "describe_api_key", Arguments::Query, StatusCode::OK),
    Operation::new(Method::PATCH, "/v1/keys/{id}", "update_api_key", Arguments::Body, StatusCode::OK),
    Operation::new(Method::POST, "/v1/keys/{id}/rotate", "rotate_api_key", Arguments::Body, StatusCode::CREATED),
    Operation::new(Method::POST, "/v1/keys/{id}/revoke", "revoke_api_key", Arguments::Body, StatusCode::OK),
    Operation::new(Method::GET, "/v1/events", "list_api_key_events", Arguments::Query, StatusCode::OK),
];

impl Operation {
    const fn new(
        method: Method,
        path: &'static str,
        tool: &'static str,
        arguments: Arguments,
        success: StatusCode,
    ) -> Self {
        Self { method, path, tool, arguments, success }
    }

    /// Returns the tool.
    pub fn tool(&self) -> Option<&'static Tool> {
        TOOLS.iter().find(|tool| tool.name == self.tool)
    }

    /// Returns whether the path has the id of a key.
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }
}
