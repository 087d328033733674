//! The pages for people: the tools with a playground, and the console for keys.
//!
//! The pages and their files are in the binary and hold no data. Their scripts call the other routes
//! of the server with the key of the visitor.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    Router,
    extract::Path,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{Html, IntoResponse, Response},
    routing::get,
};
use keycell::tools::{DEFAULT_TOOLS, GROUP, TOOLS, Tool};

use super::{
    operations::{Arguments, OPERATIONS, Operation},
    sign_in,
};
use crate::SignIn;

/// What the browser may load and where the pages may be shown: this origin and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// A file that the pages load.
struct File {
    name: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal),*) => {
        [$(File { name: $name, text: include_str!(concat!("../../pages/", $name)) }),*]
    };
}

static FILES: [File; 13] = files!(
    "icon.svg",
    "style.css",
    "app.js",
    "answer.js",
    "console.js",
    "dialog.js",
    "dom.js",
    "form.js",
    "json.js",
    "key.js",
    "session.js",
    "sign-in.js",
    "tool.js"
);

/// The modules that `app.js` imports. The browser loads all modules of a page together, before it
/// has read their imports.
const SHARED: [&str; 7] = ["answer.js", "dialog.js", "dom.js", "form.js", "json.js", "session.js", "sign-in.js"];
/// The script of one kind of page, and its imports besides the shared ones.
type Modules = (&'static str, &'static [&'static str]);
const LIST: Modules = ("app.js", &[]);
const CONSOLE: Modules = ("console.js", &["app.js", "key.js"]);
const TOOL: Modules = ("tool.js", &["app.js"]);

/// The pages of a server.
pub struct Pages {
    /// Whether the server has every tool over MCP.
    pub all_tools: bool,
    pub sign_in: Option<SignIn>,
}

impl Pages {
    /// The routes.
    pub fn routes(self) -> Router {
        let page = |title: &str, modules: Modules, main: &str| {
            let page = document(title, modules, main);
            get(async move || shown(Html(page)))
        };
        let mut router = Router::new()
            .route("/pages/{file}", get(file))
            .route("/console", page("Keys", CONSOLE, include_str!("../../pages/console.html")))
            .route("/tools", page("Tools", LIST, &list()));
        for (index, tool) in TOOLS.iter().enumerate() {
            let is_on_mcp = self.all_tools || index < DEFAULT_TOOLS;
            let page = page(tool.name, TOOL, &described(tool, is_on_mcp));
            router = router.route(&format!("/tools/{}", tool.name), page);
        }
        router.merge(self.sign_in.map(sign_in::routes).unwrap_or_default())
    }
}

/// A page. Caches must not store it.
fn shown(page: Html<String>) -> Response {
    ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], guarded(page)).into_response()
}

/// A response with security headers for browsers.
fn guarded(answer: impl IntoResponse) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (HEADERS, answer).into_response()
}

/// A file, or 304 if the browser has it already.
async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut hasher = DefaultHasher::new();
    file.text.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let media_type = match file.name.split_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    // The browser revalidates each time, so that a page never runs with files of another version.
    let headers = [(CACHE_CONTROL, "no-cache"), (ETAG, &tag), (CONTENT_TYPE, media_type)];
    guarded(if is_known {
        (StatusCode::NOT_MODIFIED, headers, "").into_response()
    } else {
        (headers, file.text).into_response()
    })
}

/// A whole page with this title, these modules and this content.
fn document(title: &str, (script, imports): Modules, main: &str) -> String {
    let preload = |name: &&str| format!("<link rel=\"modulepreload\" href=\"/pages/{name}\">\n");
    let preloads: String = SHARED.iter().chain(imports).map(preload).collect();
    include_str!("../../pages/page.html")
        .replace("{title}", &escaped(title))
        .replace("{preloads}", &preloads)
        .replace("{script}", script)
        .replace("{main}", main)
}

/// The list of the tools.
fn list() -> String {
    let item = |tool: &Tool| {
        format!(
            "<li><a href=\"/tools/{name}\"><code>{name}</code></a><p>{description}</p></li>\n",
            name = escaped(tool.name),
            description = escaped(tool.description)
        )
    };
    let items: String = TOOLS.iter().map(item).collect();
    format!("<h1 tabindex=\"-1\">Tools</h1>\n<h2>{}</h2>\n<ul class=\"tools\">\n{items}</ul>\n", escaped(GROUP))
}

/// The page of a tool: its description, details, playground and schemas.
fn described(tool: &Tool, is_on_mcp: bool) -> String {
    let rest = rest(tool).map(|(operation, is_exact)| {
        let query = if operation.arguments == Arguments::Query { " data-query" } else { "" };
        let exact = if is_exact { " data-exact" } else { "" };
        format!(" data-method=\"{}\" data-path=\"{}\"{query}{exact}", operation.method, operation.path)
    });
    let schema = |title: &str, id: &str, schema: &str| {
        format!(
            "<h2>{title}</h2>\n<figure class=\"code\"><figcaption>{title}</figcaption>\
             <pre id=\"{id}\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\">{}</pre></figure>\n",
            escaped(schema.trim_end())
        )
    };
    format!(
        "<h1 tabindex=\"-1\">{description}</h1>\n\
         <h2>Tool details</h2>\n\
         <table class=\"details\"><thead><tr><th scope=\"col\">Field</th><th scope=\"col\">Value</th></tr></thead><tbody>\n\
         <tr><th scope=\"row\">Name</th><td><code>{name}</code></td></tr>\n\
         <tr><th scope=\"row\">Group</th><td>{group}</td></tr>\n\
         </tbody></table>\n\
         <h2>Playground</h2>\n\
         <div id=\"playground\" data-name=\"{name}\"{mcp}{rest}><noscript>The playground needs JavaScript.</noscript></div>\n\
         {input}{output}",
        description = escaped(tool.description),
        name = escaped(tool.name),
        group = escaped(GROUP),
        mcp = if is_on_mcp { " data-mcp" } else { "" },
        rest = rest.unwrap_or_default(),
        input = schema("Input schema", "input-schema", tool.input_schema),
        output = schema("Output schema", "output-schema", tool.output_schema),
    )
}

/// The operation that does the work of a tool over REST, and whether its response is the output of
/// the tool.
fn rest(tool: &Tool) -> Option<(&'static Operation, bool)> {
    let operation = |name| OPERATIONS.iter().find(|operation| operation.tool == name);
    match tool.name {
        "create_api_key" => operation("issue_api_key").map(|operation| (operation, false)),
        "get_api_key" => operation("describe_api_key").map(|operation| (operation, false)),
        name => operation(name).map(|operation| (operation, true)),
    }
}

/// A text as content or as a quoted attribute of HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
