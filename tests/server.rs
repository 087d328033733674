//! `keycell serve` as a process, for the tests that talk to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

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

/// An answer of the server.
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
        Self::start_on(Cli::new(), "", args)
    }

    /// The same, with this `RUST_LOG`.
    pub fn start_logging(filter: &str, args: &[&str]) -> Self {
        Self::start_on(Cli::new(), filter, args)
    }

    /// The same, with the database of this command.
    pub fn start_on(cli: Cli, filter: &str, args: &[&str]) -> Self {
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

    /// A key of this user that may read and write.
    pub fn key(&self, user: &str) -> String {
        let scopes = ["--scope", "api-keys:read", "--scope", "api-keys:write", "--scope", "api-keys:verify"];
        let created = self.cli.json(&[&["create", "--user", user, "--name", "first"][..], &scopes].concat());
        created["key"].as_str().unwrap().to_owned()
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.cli.dir.path().join("keycell.db")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        get(&self.url(path), &[])
    }

    /// A POST to `/mcp` with these headers besides those that MCP needs.
    pub fn post(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        post(&agent(), &self.url("/mcp"), headers, body)
    }

    /// A call of a tool by the bearer of a key.
    pub fn call(&self, key: &str, tool: &str, arguments: Value) -> Answer {
        self.post(&[("authorization", &format!("Bearer {key}"))], &call(tool, arguments))
    }

    /// Sends these bytes and waits until the server closes the connection.
    pub fn send_raw(&self, bytes: &[u8]) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks the server to stop.
    pub fn terminate(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until the server has ended; returns its exit code and its log.
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

/// Reads a server's log until it has the address that the server listens on, and appends what was
/// read to `log`.
pub fn listening(lines: &mut impl BufRead, log: &mut String) -> SocketAddr {
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the server ended: {log}");
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

pub fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.call())
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
