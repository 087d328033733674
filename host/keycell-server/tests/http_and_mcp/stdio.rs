//! MCP line by line, for one caller.

use std::{sync::Arc, time::Duration};

use keycell::{AnyStorage, Caller, Keycell, MemoryStorage};
use keycell_server::{McpOptions, StdioError, serve_lines};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

struct Client {
    input: WriteHalf<DuplexStream>,
    output: BufReader<ReadHalf<DuplexStream>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), StdioError>>,
}

impl Client {
    fn new() -> Self {
        let (client, server) = duplex(1 << 16);
        let (input, output) = split(server);
        let keycell = Arc::new(Keycell::new(AnyStorage::new(MemoryStorage::default())).unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let options = McpOptions::default().with_all_tools(true);
        let server = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve_lines(keycell, Caller::user("ann"), options, (input, output), stopped).await
        });
        let (output, input) = split(client);
        Self { input, output: BufReader::new(output), stop, server }
    }

    async fn start() -> Self {
        let mut client = Self::new();
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        let answer = client.ask("initialize", hello).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "keycell");
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        timeout(Duration::from_secs(5), self.output.read_line(&mut line)).await.expect("no answer").unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line:?}"))
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.say(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).await;
        self.hear().await
    }
}

#[tokio::test]
async fn a_user_creates_and_reads_a_key() {
    let mut client = Client::start().await;
    let call = |tool: &str, arguments: Value| json!({"name": tool, "arguments": arguments});
    let created = client.ask("tools/call", call("create_api_key", json!({"name": "laptop"}))).await;
    let created = created["result"]["structuredContent"].clone();
    assert_eq!(created["user_id"], "ann");
    let got = client.ask("tools/call", call("get_api_key", json!({"api_key_id": created["id"]}))).await;
    assert_eq!(got["result"]["structuredContent"]["key_prefix"], created["key_prefix"]);
}

#[tokio::test]
async fn lines_that_are_not_messages_get_an_error_with_their_id() {
    let mut client = Client::start().await;
    let long = "x".repeat((1 << 20) + 1);
    let cases = [
        ("{bad", -32700, Value::Null),
        ("\u{0}", -32700, Value::Null),
        (&long, -32600, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}"#, -32600, json!(7)),
        (r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":3}"#, -32600, json!("a")),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"nothing"}}"#, -32602, json!(9)),
    ];
    for (line, code, id) in cases {
        client.say(line).await;
        let answer = client.hear().await;
        let shown = line.get(..40).unwrap_or(line);
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{shown}: {answer}");
        assert_eq!(answer["jsonrpc"], "2.0");
    }
    client.say("").await;
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_client_that_reads_nothing_keeps_errors_bounded_and_ends_with_stop() {
    let mut client = Client::start().await;
    let _ = timeout(Duration::from_millis(500), async {
        loop {
            client.say("{bad").await;
        }
    })
    .await;
    client.stop.send(()).unwrap();
    timeout(Duration::from_secs(15), client.server).await.expect("the server goes on").unwrap().unwrap();
}

#[tokio::test]
async fn the_server_ends_with_its_input_and_says_what_is_no_handshake() {
    let client = Client::start().await;
    let Client { mut input, server, output: _output, .. } = client;
    input.shutdown().await.unwrap();
    server.await.unwrap().unwrap();

    let mut client = Client::new();
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await;
    assert!(matches!(client.server.await.unwrap(), Err(StdioError::Handshake)));
}
