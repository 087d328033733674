//! The tools over MCP, whatever carries it.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use keycell::{
    Caller, Error, Keycell, SqliteStorage,
    tools::{self, Effect, GROUP, TOOLS, ToolError},
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

/// How many of [`TOOLS`] are served unless all are asked for.
const SERVED_BY_DEFAULT: usize = 2;

const INSTRUCTIONS: &str = "Creates and reads API keys. A key is shown once, in the result of the call that makes it: \
    hand it to the user at once, and never repeat it. Ids are not secret.";

/// What the user of the server chose.
#[derive(Clone, Copy, clap::Args)]
pub struct Options {
    /// Serves verify, list, revoke, rotate and update, too
    #[arg(long)]
    all_tools: bool,
    /// Leaves a new key out of the result's text: it is in its structured content alone
    #[arg(long)]
    redact_text: bool,
}

/// One call: who makes it, and the scope that they lack.
#[derive(Clone)]
pub struct Call {
    caller: Caller,
    lacking: Arc<OnceLock<&'static str>>,
}

impl Call {
    /// A call of this caller.
    pub fn of(caller: Caller) -> Self {
        Self { caller, lacking: Arc::default() }
    }

    /// The scope for whose lack a call was refused.
    pub fn lacking(&self) -> Option<&'static str> {
        self.lacking.get().copied()
    }
}

/// Who calls.
#[derive(Clone)]
pub enum Callers {
    /// The same always.
    One(Caller),
    /// The [`Call`] that each HTTP request bears.
    EachRequest,
}

/// The MCP server.
#[derive(Clone)]
pub struct Server {
    keycell: Arc<Keycell<SqliteStorage>>,
    callers: Callers,
    tools: Arc<[Tool]>,
    redacts_text: bool,
}

impl Server {
    /// A server of this authority's tools.
    pub fn new(keycell: Arc<Keycell<SqliteStorage>>, callers: Callers, options: Options) -> serde_json::Result<Self> {
        let count = if options.all_tools { TOOLS.len() } else { SERVED_BY_DEFAULT };
        let tools = TOOLS.iter().take(count).map(described).collect::<serde_json::Result<_>>()?;
        Ok(Self { keycell, callers, tools, redacts_text: options.redact_text })
    }

    fn call(&self, context: &RequestContext<RoleServer>) -> Result<Call, ErrorData> {
        match &self.callers {
            Callers::One(caller) => Some(Call::of(caller.clone())),
            Callers::EachRequest => context
                .extensions
                .get::<axum::http::request::Parts>()
                .and_then(|request| request.extensions.get::<Call>())
                .cloned(),
        }
        .ok_or_else(|| ErrorData::internal_error("nobody is calling", None))
    }

    fn result(&self, output: Value) -> CallToolResult {
        if !self.redacts_text {
            return CallToolResult::structured(output);
        }
        let mut told = output.clone();
        if let Some(fields) = told.as_object_mut() {
            fields.remove("key");
        }
        let mut result = CallToolResult::structured(output);
        result.content = vec![ContentBlock::text(told.to_string())];
        result
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        // All that the SDK knows, the newest first.
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
        // The name is not told again: it may be a key in the wrong place.
        let unknown = || ErrorData::invalid_params(ToolError::UnknownTool.to_string(), None);
        let mut served = TOOLS.iter().take(self.tools.len());
        let tool = served.find(|tool| tool.name == request.name).ok_or_else(unknown)?;
        let call = self.call(&context)?;
        if !call.caller.holds(tool.scope) {
            // The transport tells it in its own way, if it has one.
            let _ = call.lacking.set(tool.scope);
            return Ok(refused(&Error::Forbidden).into());
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        match tools::call(&self.keycell, &call.caller, tool.name, arguments).await {
            Ok(output) => Ok(self.result(output).into()),
            Err(ToolError::Failed(error)) => Ok(refused(&error).into()),
            Err(ToolError::UnknownTool) => Err(unknown()),
        }
    }

    /// What the SDK does not know, and what it knows with parameters that it can't read.
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

    // The SDK answers these, with nothing, for servers that do not offer them.

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

/// The method is not told again: it may be a key in the wrong place.
fn unknown_method() -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "there is no method of this name", None)
}

/// The error object as text alone: structured content has to match the tool's output schema.
fn refused(error: &Error) -> CallToolResult {
    let text = serde_json::to_string(error).unwrap_or_else(|_| error.to_string());
    CallToolResult::error(vec![ContentBlock::text(text)])
}

fn described(tool: &tools::Tool) -> serde_json::Result<Tool> {
    let schema = |text| serde_json::from_str::<JsonObject>(text).map(Arc::new);
    let (reads, destroys, idempotent) = match tool.effect {
        Effect::Reads => (true, false, true),
        Effect::Adds => (false, false, false),
        Effect::Changes { again } => (false, true, !again),
    };
    let mut described = Tool::new(tool.name, Cow::Borrowed(tool.description), schema(tool.input_schema)?);
    described.title = Some(tool.title.to_owned());
    described.output_schema = Some(schema(tool.output_schema)?);
    described.annotations =
        Some(ToolAnnotations::new().read_only(reads).destructive(destroys).idempotent(idempotent).open_world(false));
    described.meta = Some(MetaObject(JsonObject::from_iter([("group".to_owned(), Value::from(GROUP))])));
    Ok(described)
}
