//! The rate and the latency of tool calls over MCP: `keycell mcp` and `keycell serve` as processes,
//! with the client on the same machine.

#[allow(dead_code, reason = "another benchmark of servers needs the rest")]
mod client;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use client::{CONNECTIONS, Figures, Process, Run, Times, call, keycell, listening, load, text};

const TIMES: Times = Times { warm_up: Duration::from_millis(500), measured: Duration::from_secs(2) };
/// The number of runs of which each figure is the median.
const RUNS: usize = 5;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
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
            let aim = if what == "read" && connections == 8 { "at least 12,000 a second" } else { "" };
            report(&format!("{what}, HTTP, {connections} connections"), runs, aim);
        }
    }
}

fn report(what: &str, mut runs: Vec<Run>, aim: &str) {
    runs.iter_mut().for_each(|run| run.calls.sort());
    let Figures { a_second, p50, p99 } = Figures::of(&runs);
    println!("| {what} | {a_second:.0} | {p50:.0} µs | {p99:.0} µs | {aim} |");
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
    while begun.elapsed() < TIMES.warm_up + TIMES.measured {
        let asked = Instant::now();
        assert!(ask(body), "a call failed");
        if begun.elapsed() > TIMES.warm_up {
            calls.push(asked.elapsed());
        }
    }
    Run { calls, elapsed: TIMES.measured }
}

async fn over_http(database: &Path, key: &str, body: &str, connections: usize) -> Run {
    let mut command = keycell(database);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let mut process = Process(command.stderr(Stdio::piped()).spawn().expect("the server"));
    let address = listening(&mut process.0);
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    load(address, &request, connections, TIMES).await
}
