//! The protocol over HTTP: revisions and descriptions.

use keycell::tools::{GROUP, TOOLS};
use keycell_server::McpOptions;
use serde_json::{Value, json};

use crate::support::{TestServer, bearer, call};

#[test]
fn every_revision_of_the_protocol_is_spoken_the_newest_first() {
    let server = TestServer::start();
    let key = bearer(&server.key("ann"));
    let newest = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": newest,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}});
    let headers =
        [("authorization", key.as_str()), ("mcp-protocol-version", newest), ("mcp-method", "server/discover")];
    let versions = server.post(&headers, &body.to_string()).body["result"]["supportedVersions"].clone();
    assert_eq!(versions, json!([newest, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]));

    let initialize = |version: &str| {
        let params =
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
        server.post(&[("authorization", &key)], &body).body["result"]["protocolVersion"].clone()
    };
    for version in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        assert_eq!(initialize(version), version);
    }
    // There is no such revision, and the newest has no `initialize`.
    assert_eq!(initialize("2099-01-01"), "2025-11-25");
    assert_eq!(initialize(newest), "2025-11-25");
}

#[test]
fn a_tool_is_called_in_the_newest_revision() {
    let server = TestServer::start();
    let key = server.key("ann");
    let newest = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": newest,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "create_api_key", "arguments": {"name": "web"}, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let post = |key: &str, tool: &str| {
        let headers = [
            ("authorization", &*bearer(key)),
            ("mcp-protocol-version", newest),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ];
        server.post(&headers, &body)
    };
    assert_eq!(post(&key, "create_api_key").tool().unwrap()["name"], "web");
    // The header and the body must agree, but first the key must be valid.
    assert_eq!(post(&key, "get_api_key").status, 400);
    post("wrong", "get_api_key").assert_is_problem(401);
    post("wrong", "create_api_key").assert_is_problem(401);
    post(&server.key_with("ann", &["api-keys:read"]), "create_api_key").assert_is_problem(403);
}

#[test]
fn the_tools_are_described_as_the_library_describes_them() {
    for (all_tools, count) in [(false, 2), (true, TOOLS.len())] {
        let server = TestServer::with(|server| server.mcp_options(McpOptions::default().with_all_tools(all_tools)));
        let key = bearer(&server.key("ann"));
        let listed = server.post(&[("authorization", &key)], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let listed = listed.body["result"]["tools"].as_array().unwrap().clone();
        assert_eq!(listed.len(), count);
        for (listed, tool) in listed.iter().zip(TOOLS) {
            assert_eq!(listed["name"], tool.name);
            assert_eq!(listed["title"], tool.title);
            assert_eq!(listed["description"], tool.description);
            assert_eq!(listed["_meta"], json!({"group": GROUP}));
            assert_eq!(listed["annotations"]["openWorldHint"], false);
            for (name, schema) in [("inputSchema", tool.input_schema), ("outputSchema", tool.output_schema)] {
                assert_eq!(listed[name], serde_json::from_str::<Value>(schema).unwrap(), "{}", tool.name);
            }
        }
    }
}

#[test]
fn a_new_key_can_be_left_out_of_the_text() {
    let options = McpOptions::default().with_all_tools(true).with_redacted_text(true);
    let server = TestServer::with(|server| server.mcp_options(options));
    let key = bearer(&server.key("ann"));
    let created = server.post(&[("authorization", &key)], &call("create_api_key", json!({"name": "laptop"})));
    let result = &created.body["result"];
    let new = result["structuredContent"]["key"].as_str().unwrap();
    assert!(!result["content"].to_string().contains(new));
}
