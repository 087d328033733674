//! `keycell serve` as a process, for the tests that talk to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Keycell, Policy, Scope, SqliteStorage};
use serde_json::{Value, json};

use crate::cli::Cli;

/// A server on a port and a database of its own.
pub struct Server {
    pub cli: Cli,
    pub address: SocketAddr,
    process: Child,
    log: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The result of a tool: structured content, or the error object.
    pub fn tool(&self) -> Result<Value, Value> {
        assert_eq!(self.status, 200, "{self:?}");
        let result = &self.body["result"];
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        if result["isError"] == true { Err(text) } else { Ok(result["structuredContent"].clone()) }
    }
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        Self::start_logging("", args)
    }

    /// The same, with this `RUST_LOG`.
    pub fn start_logging(filter: &str, args: &[&str]) -> Self {
        let cli = Cli::new();
        let mut command: Command = cli.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).stdout(Stdio::null()).stderr(Stdio::piped());
        if !filter.is_empty() {
            command.env("RUST_LOG", filter);
        }
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let address = listening(&mut lines, &mut log.lock().unwrap());
        let heard = Arc::clone(&log);
        let reader = thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 0 {
                heard.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Self { cli, address, process, log, reader: Some(reader) }
    }

    /// A key of this user with both scopes.
    pub fn key(&self, user: &str) -> String {
        self.key_of(&Caller::user(user).unwrap(), &["api-keys:read", "api-keys:write"])
    }

    /// A key that this caller makes, with these scopes.
    pub fn key_of(&self, caller: &Caller, scopes: &[&str]) -> String {
        let default_scopes = scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect();
        let storage = SqliteStorage::open(&self.database()).unwrap();
        let policy = Policy { default_scopes, ..Policy::default() };
        let keycell = Keycell::builder(storage).policy(policy).build().unwrap();
        let caller = caller.clone().with_scopes(scopes.iter().copied());
        let created = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(keycell.create_api_key(&caller, CreateApiKey::named("first")));
        created.unwrap().key.expose().to_owned()
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.cli.dir.path().join("keycell.db")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        answer(agent().get(self.url(path)).call())
    }

    /// A POST to `/mcp` with these headers besides those that MCP wants.
    pub fn post(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        post(&agent(), &self.url("/mcp"), headers, body)
    }

    /// A call of a tool by the bearer of a key.
    pub fn call(&self, key: &str, tool: &str, arguments: Value) -> Answer {
        self.post(&[("authorization", &format!("Bearer {key}"))], &call(tool, arguments))
    }

    /// What is answered to these bytes until the server closes the connection, and when that was.
    pub fn send_raw(&self, bytes: &[u8]) -> (String, Duration) {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(self.address).unwrap();
        // It may have closed the connection before it has read all.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
    }

    /// Tells it to stop.
    pub fn terminate(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until it has ended; gives its exit code and all that it logged.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let code = self.process.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.log.lock().unwrap().clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads a server's log until it says where it listens, and adds what was read to `log`.
pub fn listening(lines: &mut impl BufRead, log: &mut String) -> SocketAddr {
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended: {log}");
        log.push_str(&line);
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["fields"]["message"] == "listening" {
            return line["fields"]["address"].as_str().unwrap().parse().unwrap();
        }
    }
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

pub fn post(agent: &ureq::Agent, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let usual = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let usual = usual.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
    let mut request = agent.post(url);
    for (name, value) in usual.chain(headers) {
        request = request.header(*name, *value);
    }
    answer(request.send(body))
}

pub fn call(tool: &str, arguments: Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let (head, mut body) = response.unwrap().into_parts();
    let text = body.read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}
