//! `keycell mcp` as a process.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use keycell::tools::{GROUP, TOOLS};
use serde_json::{Value, json};

use crate::cli::{Cli, assert_is_output_of};

/// A client of `keycell mcp`.
pub struct Client {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    pub fn start(cli: &Cli, args: &[&str]) -> Self {
        let mut command = cli.command();
        command.args(["mcp", "--user", "ann"]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        let mut client = Self { process, input, output };
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        });
        let answer = client.ask("initialize", hello);
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        assert_eq!(answer["result"]["serverInfo"]["name"], "keycell");
        assert_eq!(answer["result"]["capabilities"], json!({"tools": {}}));
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        client
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line:?}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.say(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string());
        self.hear()
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))["result"].clone()
    }

    /// The error object of a call that must fail.
    fn fails(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{result}");
        assert_eq!(result.get("structuredContent"), None, "it would have to match the output schema");
        text(&result)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(result: &Value) -> Value {
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

#[test]
fn the_tools_are_described_as_in_the_library() {
    for (args, count) in [(&[][..], 2), (&["--all-tools"], TOOLS.len())] {
        let listed = Client::start(&Cli::new(), args).ask("tools/list", json!({}));
        let listed = listed["result"]["tools"].as_array().unwrap();
        assert_eq!(listed.len(), count);
        for (listed, tool) in listed.iter().zip(TOOLS) {
            assert_eq!(listed["name"], tool.name);
            assert_eq!(listed["title"], tool.title);
            assert_eq!(listed["description"], tool.description);
            assert_eq!(listed["_meta"], json!({"group": GROUP}));
            for (name, schema) in [("inputSchema", tool.input_schema), ("outputSchema", tool.output_schema)] {
                assert_eq!(listed[name], serde_json::from_str::<Value>(schema).unwrap(), "{}", tool.name);
            }
        }
    }
}

#[test]
fn the_hints_of_a_tool_are_its_effects() {
    let listed = Client::start(&Cli::new(), &["--all-tools"]).ask("tools/list", json!({}));
    let hints = |name: &str| {
        let tools = listed["result"]["tools"].as_array().unwrap();
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        assert_eq!(tool["annotations"]["openWorldHint"], false);
        ["readOnlyHint", "destructiveHint", "idempotentHint"].map(|hint| tool["annotations"][hint].as_bool().unwrap())
    };
    assert_eq!(hints("create_api_key"), [false, false, false]);
    assert_eq!(hints("get_api_key"), [true, false, true]);
    assert_eq!(hints("list_api_keys"), [true, false, true]);
    // It records the time of the use.
    assert_eq!(hints("verify_api_key"), [false, false, false]);
    assert_eq!(hints("revoke_api_key"), [false, true, true]);
    assert_eq!(hints("rotate_api_key"), [false, true, false]);
    assert_eq!(hints("update_api_key"), [false, true, false]);
}

#[test]
fn a_key_is_created_and_read_by_a_model() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &[]);
    let created = client.call("create_api_key", json!({"name": "laptop"}));
    assert_eq!(created["isError"], false);
    assert_is_output_of("create_api_key", &created["structuredContent"]);
    assert_eq!(text(&created), created["structuredContent"]);
    assert_eq!(created["structuredContent"]["user_id"], "ann");
    let got = client.call("get_api_key", json!({"api_key_id": created["structuredContent"]["id"]}));
    assert_is_output_of("get_api_key", &got["structuredContent"]);
    assert_eq!(text(&got), got["structuredContent"]);
    assert_eq!(got["structuredContent"]["key_prefix"], created["structuredContent"]["key_prefix"]);
}

#[test]
fn a_new_key_can_be_left_out_of_the_text() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &["--redact-text", "--all-tools"]);
    let created = client.call("create_api_key", json!({"name": "laptop"}));
    let id = created["structuredContent"]["id"].clone();
    let rotated = client.call("rotate_api_key", json!({"api_key_id": id}));
    for (tool, result) in [("create_api_key", created), ("rotate_api_key", rotated)] {
        let structured = &result["structuredContent"];
        assert_is_output_of(tool, structured);
        assert!(!result["content"].to_string().contains(structured["key"].as_str().unwrap()));
        let mut without = structured.clone();
        without.as_object_mut().unwrap().remove("key");
        assert_eq!(text(&result), without);
    }
}

#[test]
fn every_fault_of_a_call_is_returned_at_once() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &["--all-tools"]);
    let faults = |error: Value| -> Vec<(String, String)> {
        assert_eq!(error["kind"], "invalid-input");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        error["faults"].as_array().unwrap().iter().map(|fault| (text(&fault["field"]), text(&fault["code"]))).collect()
    };
    let mut faults_of = |tool: &str, arguments| {
        let mut faults = faults(client.fails(tool, arguments));
        faults.sort();
        faults
    };
    let fault = |field: &str, code: &str| (field.to_owned(), code.to_owned());

    assert_eq!(
        faults_of("create_api_key", json!({"nmae": "x", "expires_at": 3, "project_reference": null})),
        [
            fault("expires_at", "wrong-type"),
            fault("name", "missing"),
            fault("nmae", "unknown-argument"),
            fault("project_reference", "wrong-type"),
        ]
    );
    assert_eq!(
        faults_of("create_api_key", json!({"name": " ", "expires_at": "yesterday", "project_reference": "A B"})),
        [fault("expires_at", "not-a-time"), fault("name", "empty"), fault("project_reference", "not-a-reference")]
    );
    assert_eq!(
        faults_of("create_api_key", json!({"name": "not created", "nmae": "x"})),
        [fault("nmae", "unknown-argument")]
    );
    assert_eq!(faults_of("list_api_keys", json!({"limit": 1.5})), [fault("limit", "wrong-type")]);
    assert_eq!(
        faults_of("verify_api_key", json!({"key": 1, "scopes": [2]})),
        [fault("key", "wrong-type"), fault("scopes", "wrong-type")]
    );
    let many: Value = (0..1000).map(|n| (format!("argument-{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(faults_of("get_api_key", many).len(), 20);
    assert_eq!(
        faults_of(
            "issue_api_key",
            json!({"name": "", "metadata": [1], "rate_limit": {"requests": 0, "window_seconds": 1}})
        ),
        [fault("metadata", "not-an-object"), fault("name", "empty"), fault("rate_limit", "out-of-range")]
    );
    assert_eq!(
        faults_of("issue_api_key", json!({"name": "", "metadata": null})),
        [fault("metadata", "not-an-object"), fault("name", "empty")]
    );
    assert_eq!(
        faults_of("update_api_key", json!({"api_key_id": "x", "metadata": 1})),
        [fault("api_key_id", "not-an-id"), fault("metadata", "not-an-object")]
    );
    assert_eq!(faults_of("issue_api_key", json!({"name": 1, "metadata": [1]})), [fault("name", "wrong-type")]);
}

#[test]
fn a_fault_of_the_form_names_an_argument_and_the_remedy() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &["--all-tools"]);
    let limit = |limit: Value| ("issue_api_key", json!({"name": "x", "rate_limit": limit}));
    let [page, requests] = ["must be from 1 to 100", "must be 1 to 1000000 requests in 1 to 86400 seconds"];
    let long = "x".repeat(25);
    for ((tool, arguments), field, code, message) in [
        (("list_api_keys", json!({"limit": -1})), "limit", "out-of-range", page),
        (("list_api_keys", json!({"limit": 0})), "limit", "out-of-range", page),
        (("list_api_keys", json!({"limit": 1e12})), "limit", "out-of-range", page),
        (("list_api_keys", json!({"limit": "1"})), "limit", "wrong-type", "must be of type integer"),
        (limit(json!({"requests": -1, "window_seconds": 1})), "rate_limit", "out-of-range", requests),
        (limit(json!({"requests": 1, "window_seconds": 1e12})), "rate_limit", "out-of-range", requests),
        (limit(json!({"requests": 1})), "rate_limit", "missing", "must have the member window_seconds"),
        (
            limit(json!({"requests": 1, "window_seconds": 1, "burst": 1})),
            "rate_limit",
            "unknown-argument",
            "must not have the member burst",
        ),
        (
            limit(json!({"requests": 1, "window_seconds": 1, long: 1})),
            "rate_limit",
            "unknown-argument",
            "must not have the member (not shown)",
        ),
        (
            limit(json!({"requests": "1", "window_seconds": 1})),
            "rate_limit",
            "wrong-type",
            "must have the type integer at requests",
        ),
        (
            ("rotate_api_key", json!({"api_key_id": "x", "grace_seconds": -1})),
            "grace_seconds",
            "out-of-range",
            "must be at least 0",
        ),
    ] {
        let faults = client.fails(tool, arguments)["faults"].clone();
        assert_eq!(faults, json!([{"field": field, "code": code, "message": message}]));
    }
}

#[test]
fn metadata_is_kept_as_written_and_returned_as_json() {
    let cli = Cli::new();
    cli.json(&["create", "--name", "x", "--metadata", r#"{"n":1e300,"m":1.50}"#, "--user", "ann"]);
    let text = String::from_utf8(cli.run(&["list", "--user", "ann"]).stdout).unwrap();
    assert!(text.contains(r#"{"n":1e300,"m":1.50}"#), "{text}");

    let mut client = Client::start(&cli, &["--all-tools"]);
    let listed = client.call("list_api_keys", json!({}));
    assert_eq!(listed["structuredContent"]["api_keys"][0]["metadata"], json!({"m": 1.5, "n": 1e300}));
    assert!(listed["content"][0]["text"].as_str().unwrap().contains(r#"{"m":1.5,"n":1e+300}"#), "{listed}");
    let fault = client.fails("issue_api_key", json!({"name": "x", "metadata": {"n": 1e308}}))["faults"][0].clone();
    assert_eq!(fault["code"], "number-too-large");
}

#[test]
fn a_key_in_the_wrong_place_is_not_repeated() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &[]);
    let key = client.call("create_api_key", json!({"name": "laptop"}))["structuredContent"]["key"].clone();
    let key = key.as_str().unwrap();
    let wrong = client.fails("get_api_key", json!({"api_key_id": key}));
    assert_eq!(wrong["faults"][0]["code"], "secret-passed-as-id");
    let as_name = client.fails("create_api_key", json!({"name": "x", key: "y"}));
    assert_eq!(as_name["faults"][0]["code"], "unknown-argument");
    let as_value = client.fails("create_api_key", json!({"name": [key]}));
    let as_tool = client.ask("tools/call", json!({"name": key}));
    assert_eq!(as_tool["error"]["code"], -32602);
    let as_method = client.ask(key, json!({}));
    assert_eq!(as_method["error"]["code"], -32601);
    for answer in [wrong, as_name, as_value, as_tool, as_method] {
        assert!(!answer.to_string().contains(key), "{answer}");
    }
}

#[test]
fn lines_that_are_not_messages_get_an_error_with_their_id() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &[]);
    let cases = [
        ("{bad", -32700, Value::Null),
        ("\u{0}", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}"#, -32600, json!(7)),
    ];
    for (line, code, id) in cases {
        client.say(line);
        let answer = client.hear();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{line}: {answer}");
    }
    client.say("");
    assert_eq!(client.ask("tools/call", json!({"name": "nothing"}))["error"]["code"], -32602);
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}));
}

#[test]
fn the_server_ends_with_its_input_or_at_a_signal() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &[]);
    drop(client.input.take());
    assert_eq!(client.process.wait().unwrap().code(), Some(0));

    let mut client = Client::start(&cli, &[]);
    let killed = Command::new("kill").args(["-TERM", &client.process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(client.process.wait().unwrap().code(), Some(0));

    // A client that sends nothing.
    assert_eq!(cli.run_with_input(&["mcp"], "").status.code(), Some(0));
}

#[test]
fn a_server_that_stops_does_not_wait_for_a_client_that_reads_nothing() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &[]);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    for _ in 0..500 {
        client.say(&list);
    }
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &client.process.id().to_string()]).status().unwrap().success());
    assert_eq!(client.process.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());

    // The same before the first message.
    let mut command = cli.command();
    let mut silent = command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").args(["-TERM", &silent.id().to_string()]).status().unwrap().success());
    assert_eq!(silent.wait().unwrap().code(), Some(0));
}

#[test]
fn a_client_that_does_not_begin_with_mcp_gets_an_error_without_its_key() {
    let cli = Cli::new();
    let key = cli.json(&["create", "--name", "x"])["key"].as_str().unwrap().to_owned();
    let params = json!({"key": key});
    for first in [
        json!({"jsonrpc": "2.0", "method": "notifications/x", "params": params}),
        json!({"jsonrpc": "2.0", "id": 1, "result": params}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": key}}),
    ] {
        let output = cli.run_with_input(&["mcp"], &format!("{first}\n"));
        let output = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        assert!(!output.is_empty() && !output.contains(&key[24..40]), "{output}");
    }
}

#[test]
fn a_use_is_stored_when_the_server_ends() {
    let cli = Cli::new();
    let mut client = Client::start(&cli, &["--all-tools"]);
    let created = client.call("create_api_key", json!({"name": "laptop"}))["structuredContent"].clone();
    let verified = client.call("verify_api_key", json!({"key": created["key"], "scopes": ["api-keys:read"]}));
    assert_eq!(verified["structuredContent"]["valid"], true);
    drop(client.input.take());
    client.process.wait().unwrap();
    let got = cli.json(&["get", "--user", "ann", created["id"].as_str().unwrap()]);
    assert!(got["last_used_at"].is_string(), "{got}");
}
