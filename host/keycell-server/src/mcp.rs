//! The tools over MCP, on any transport.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::http::request::Parts;
use keycell::{
    AnyStorage, Caller, Error, Keycell,
    tools::{self, DEFAULT_TOOLS, Effect, GROUP, TOOLS, ToolError},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, ContentBlock,
        CustomRequest, CustomResult, ErrorCode, Implementation, JsonObject, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams,
        ProtocolVersion, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::Value;

use crate::outcome::Outcome;

const INSTRUCTIONS: &str = "Creates and reads API keys. A key is shown once, in the result of the call that makes it: \
    hand it to the user at once, and never repeat it. Ids are not secret.";

/// Options of the tools over MCP.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct McpOptions {
    /// Serves every tool, not only the first [`DEFAULT_TOOLS`].
    pub all_tools: bool,
    /// Leaves a new key out of the text of a result, so that only its structured content has it.
    pub redact_text: bool,
}

impl McpOptions {
    /// Sets whether every tool is served.
    #[must_use]
    pub fn with_all_tools(self, all_tools: bool) -> Self {
        Self { all_tools, ..self }
    }

    /// Sets whether a new key is left out of the text of a result.
    #[must_use]
    pub fn with_redacted_text(self, redact_text: bool) -> Self {
        Self { redact_text, ..self }
    }
}

/// The schema of a tool is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the schema of the tool {tool} is not a JSON object: {source}")]
#[non_exhaustive]
pub struct SchemaError {
    /// The name of the tool.
    pub tool: &'static str,
    /// The error of the parser.
    pub source: serde_json::Error,
}

/// The caller of the calls of one server.
#[derive(Clone)]
pub enum Callers {
    /// One caller for all calls.
    One(Caller),
    /// The [`HttpCall`] of each HTTP request.
    EachRequest,
}

/// The call of one HTTP request: its caller, and the outcome for the HTTP layer.
#[derive(Clone)]
pub struct HttpCall {
    caller: Caller,
    outcome: Arc<OnceLock<Outcome>>,
    is_rate_limited: Arc<AtomicBool>,
}

impl HttpCall {
    /// Creates a call of this caller.
    pub fn new(caller: Caller) -> Self {
        Self { caller, outcome: Arc::default(), is_rate_limited: Arc::default() }
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns whether the rate limit of the presented key refused a verification.
    pub fn is_rate_limited(&self) -> bool {
        self.is_rate_limited.load(Ordering::Relaxed)
    }

    /// Returns the outcome; `None` if the request called no tool.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }
}

/// The MCP server.
#[derive(Clone)]
pub struct McpServer {
    keycell: Arc<Keycell<AnyStorage>>,
    callers: Callers,
    tools: Arc<[Tool]>,
    redact_text: bool,
}

impl McpServer {
    /// Creates a server for this authority's tools.
    pub fn new(keycell: Arc<Keycell<AnyStorage>>, callers: Callers, options: McpOptions) -> Result<Self, SchemaError> {
        let count = if options.all_tools { TOOLS.len() } else { DEFAULT_TOOLS };
        let tools = TOOLS.iter().take(count).map(described).collect::<Result<_, _>>()?;
        Ok(Self { keycell, callers, tools, redact_text: options.redact_text })
    }

    fn http_call(context: &RequestContext<RoleServer>) -> Option<&HttpCall> {
        context.extensions.get::<Parts>().and_then(|request| request.extensions.get())
    }

    /// Calls a tool, and records the outcome for the HTTP layer.
    async fn call(
        &self,
        name: &str,
        arguments: Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<Value, Error>, ErrorData> {
        let http_call = Self::http_call(context);
        let caller = match &self.callers {
            Callers::One(caller) => Some(caller),
            Callers::EachRequest => http_call.map(HttpCall::caller),
        };
        let caller = caller.ok_or_else(|| ErrorData::internal_error("the request has no caller", None))?;
        let result = match tools::call(&self.keycell, caller, name, arguments).await {
            Ok(output) => Ok(output),
            Err(ToolError::Failed(error)) => Err(error),
            Err(error) => return Err(ErrorData::invalid_params(error.to_string(), None)),
        };
        if let Some(call) = http_call {
            // A request makes one call, so there is no outcome yet.
            let _ = call.outcome.set(Outcome::from(&result));
            let is_rate_limited = result.as_ref().is_ok_and(|output| output["reason"] == "rate-limited");
            call.is_rate_limited.store(is_rate_limited, Ordering::Relaxed);
        }
        Ok(result)
    }

    fn success(&self, output: Value) -> CallToolResult {
        if !self.redact_text {
            return CallToolResult::structured(output);
        }
        let mut redacted = output.clone();
        if let Some(fields) = redacted.as_object_mut() {
            fields.remove("key");
        }
        let mut result = CallToolResult::structured(output);
        result.content = vec![ContentBlock::text(redacted.to_string())];
        result
    }
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("keycell", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        // All revisions of the SDK, newest first.
        ProtocolVersion::KNOWN_VERSIONS.iter().rev().cloned().collect()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !self.tools.iter().any(|tool| tool.name == request.name) {
            // The name is not repeated: it may be a misplaced key.
            return Err(ErrorData::invalid_params(ToolError::UnknownTool.to_string(), None));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        tokio::select! {
            result = self.call(&request.name, arguments, &context) => {
                Ok(result?.map_or_else(|error| failure(&error), |output| self.success(output)).into())
            }
            // The client has cancelled the call, so its read of the storage is dropped.
            () = context.ct.cancelled() => Err(ErrorData::internal_error("the request was cancelled", None)),
        }
    }

    /// Handles unknown methods, and known ones with invalid parameters.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let version = context.protocol_version().unwrap_or_default();
        let is_known = match request.method.as_str() {
            "tools/call" | "tools/list" => true,
            "initialize" => version.has_initialize(),
            _ => false,
        };
        Err(if is_known {
            ErrorData::invalid_params("the parameters are not of this method's form", None)
        } else {
            unknown_method()
        })
    }

    // The SDK answers these with empty results for servers that do not offer them.

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(unknown_method())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(unknown_method())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(unknown_method())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(unknown_method())
    }
}

/// The method is not repeated: it may be a misplaced key.
fn unknown_method() -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "there is no method of this name", None)
}

/// Returns the error object as text only: structured content must match the tool's output schema.
fn failure(error: &Error) -> CallToolResult {
    let text = serde_json::to_string(error).unwrap_or_else(|_| error.to_string());
    CallToolResult::error(vec![ContentBlock::text(text)])
}

fn described(tool: &tools::Tool) -> Result<Tool, SchemaError> {
    let schema = |text| {
        let parsed = serde_json::from_str::<JsonObject>(text).map(Arc::new);
        parsed.map_err(|source| SchemaError { tool: tool.name, source })
    };
    let (read_only, destructive, idempotent) = match tool.effect {
        Effect::Reads => (true, false, true),
        Effect::Changes { again } => (false, true, !again),
        // An unknown effect is treated as one that adds.
        _ => (false, false, false),
    };
    let mut described = Tool::new(tool.name, Cow::Borrowed(tool.description), schema(tool.input_schema)?);
    described.title = Some(tool.title.to_owned());
    described.output_schema = Some(schema(tool.output_schema)?);
    let annotations = ToolAnnotations::new().read_only(read_only).destructive(destructive).idempotent(idempotent);
    described.annotations = Some(annotations.open_world(false));
    described.meta = Some(MetaObject(JsonObject::from_iter([("group".to_owned(), Value::from(GROUP))])));
    Ok(described)
}
