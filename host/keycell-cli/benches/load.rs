//! The rate and the latency of tool calls over MCP: `keycell mcp` and `keycell serve` as processes,
//! with the client on the same machine.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(2);
/// The number of runs of which each figure is the median.
const RUNS: usize = 5;
const CONNECTIONS: [usize; 3] = [1, 8, 64];
const USER: &str = "ann";

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let database = dir.path().join("keycell.db");
    let created = keycell(&database).args(["create", "--name", "load", "--json"]).output().expect("a key");
    let created: Value = serde_json::from_slice(&created.stdout).expect("a key as JSON");
    let (id, key) = (text(&created, "id"), text(&created, "key"));
    let read = call("get_api_key", json!({"api_key_id": id}));
    let create = call("create_api_key", json!({"name": "load"}));

    println!("| calls over MCP | calls a second | p50 | p99 | aim |\n| --- | ---: | ---: | ---: | --- |");
    let runs = || (0..RUNS).map(|_| on_stdio(&database, &read)).collect();
    report("read, stdio, one after another", runs(), "");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (what, body) in [("read", &read), ("create", &create)] {
        for connections in CONNECTIONS {
            let runs = (0..RUNS).map(|_| runtime.block_on(over_http(&database, &key, body, connections))).collect();
            let aim = if what == "read" && connections > 1 { "at least 5,000 a second" } else { "" };
            report(&format!("{what}, HTTP, {connections} connections"), runs, aim);
        }
    }
}

/// The times of the calls of one run, and of the run.
struct Run {
    calls: Vec<Duration>,
    elapsed: Duration,
}

impl Run {
    fn a_second(&self) -> f64 {
        self.calls.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn percentile(&self, percent: usize) -> f64 {
        self.calls[(self.calls.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }
}

fn report(what: &str, mut runs: Vec<Run>, aim: &str) {
    runs.iter_mut().for_each(|run| run.calls.sort());
    let median = |figure: &dyn Fn(&Run) -> f64| {
        let mut figures: Vec<_> = runs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[RUNS / 2]
    };
    let (a_second, p50, p99) =
        (median(&Run::a_second), median(&|run| run.percentile(50)), median(&|run| run.percentile(99)));
    println!("| {what} | {a_second:.0} | {p50:.0} µs | {p99:.0} µs | {aim} |");
}

fn keycell(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keycell"));
    command.env_clear().env("KEYCELL_DATABASE", database).env("KEYCELL_USER", USER);
    command
}

fn call(tool: &str, arguments: Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().expect("text").to_owned()
}

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn on_stdio(database: &Path, body: &str) -> Run {
    let mut command = keycell(database);
    let child = command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server");
    let mut process = Process(child);
    let mut input = process.0.stdin.take().expect("its input");
    let mut output = BufReader::new(process.0.stdout.take().expect("its output"));
    let mut line = String::new();
    let mut ask = |request: &str| {
        line.clear();
        writeln!(input, "{request}").expect("it reads");
        output.read_line(&mut line).expect("it answers");
        line.contains("\"result\"") && !line.contains("\"isError\":true")
    };
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "load", "version": "0"}});
    assert!(ask(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}).to_string()));
    let begun = Instant::now();
    let mut calls = Vec::new();
    while begun.elapsed() < WARM_UP + MEASURED {
        let asked = Instant::now();
        assert!(ask(body), "a call failed");
        if begun.elapsed() > WARM_UP {
            calls.push(asked.elapsed());
        }
    }
    Run { calls, elapsed: MEASURED }
}

async fn over_http(database: &Path, key: &str, body: &str, connections: usize) -> Run {
    let mut command = keycell(database);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut process = Process(command.stderr(Stdio::piped()).spawn().expect("the server"));
    let address = listening(&mut process.0);
    let request: Arc<str> = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(client(address, Arc::clone(&request)));
    }
    Run { calls: clients.join_all().await.concat(), elapsed: MEASURED }
}

fn listening(server: &mut Child) -> SocketAddr {
    let mut log = BufReader::new(server.stderr.take().expect("its log"));
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).expect("a log"), 0, "the server has ended");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(address) = line["fields"]["address"].as_str() {
            break address.parse().expect("an address");
        }
    };
    // The server logs each request.
    thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    address
}

/// Sends a request again as soon as it is answered.
async fn client(address: SocketAddr, request: Arc<str>) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut answer = Vec::with_capacity(4096);
    let mut calls = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < WARM_UP + MEASURED {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("it reads");
        answer.clear();
        while !is_whole(&answer) {
            assert_ne!(stream.read_buf(&mut answer).await.expect("it answers"), 0, "it hung up");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        if begun.elapsed() > WARM_UP {
            calls.push(asked.elapsed());
        }
    }
    calls
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}
