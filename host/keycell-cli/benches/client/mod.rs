//! What the benchmarks of servers share: processes, and a client on the same machine.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command},
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

pub const CONNECTIONS: [usize; 3] = [1, 8, 64];
pub const USER: &str = "ann";

/// How long a run takes.
#[derive(Clone, Copy)]
pub struct Times {
    pub warm_up: Duration,
    pub measured: Duration,
}

/// The times of the calls of one run, and of the run.
pub struct Run {
    pub calls: Vec<Duration>,
    pub elapsed: Duration,
}

impl Run {
    pub fn a_second(&self) -> f64 {
        self.calls.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub fn percentile(&self, percent: usize) -> f64 {
        self.calls[(self.calls.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }
}

/// The medians of some runs, whose calls are sorted; times in microseconds.
pub struct Figures {
    pub a_second: f64,
    pub p50: f64,
    pub p99: f64,
}

impl Figures {
    pub fn of(runs: &[Run]) -> Self {
        let median = |figure: &dyn Fn(&Run) -> f64| {
            let mut figures: Vec<_> = runs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Self {
            a_second: median(&Run::a_second),
            p50: median(&|run| run.percentile(50)),
            p99: median(&|run| run.percentile(99)),
        }
    }
}

pub fn keycell(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keycell"));
    command.env_clear().env("KEYCELL_DATABASE", database).env("KEYCELL_USER", USER);
    command
}

pub fn call(tool: &str, arguments: Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().expect("text").to_owned()
}

/// A process that is killed when this is dropped.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// A figure of memory in `/proc/PID/status`, in MB.
    pub fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1_000
    }
}

pub fn listening(server: &mut Child) -> SocketAddr {
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

/// Sends a request on each of some connections, again as soon as it is answered.
pub async fn load(address: SocketAddr, request: &str, connections: usize, times: Times) -> Run {
    let request: Arc<str> = request.into();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(client(address, Arc::clone(&request), times));
    }
    Run { calls: clients.join_all().await.concat(), elapsed: times.measured }
}

/// Sends a request again as soon as it is answered.
async fn client(address: SocketAddr, request: Arc<str>, times: Times) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut answer = Vec::with_capacity(4096);
    let mut calls = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < times.warm_up + times.measured {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("it reads");
        answer.clear();
        while !is_whole(&answer) {
            assert_ne!(stream.read_buf(&mut answer).await.expect("it answers"), 0, "it hung up");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        if begun.elapsed() > times.warm_up {
            calls.push(asked.elapsed());
        }
    }
    calls
}

/// Whether an answer has its head and its whole body.
pub fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
    length.is_some_and(|length: usize| answer.len() >= end + 4 + length)
}
