//! A server, and clients of it.

use std::{
    future::Future,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::{AnyStorage, Caller, IssueApiKey, Keycell};
use keycell_server::{McpOptions, Server};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    runtime::Runtime,
    sync::oneshot,
};

use crate::storage::TestStorage;

pub const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
pub const ALL_SCOPES: [&str; 3] = ["api-keys:read", "api-keys:write", "api-keys:verify"];

/// A server on a port and a storage of its own.
pub struct TestServer {
    pub address: SocketAddr,
    pub storage: TestStorage,
    pub keycell: Arc<Keycell<AnyStorage>>,
    pub runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
}

impl TestServer {
    /// A server of every tool.
    pub fn start() -> Self {
        Self::with(|server| server.mcp_options(McpOptions::default().with_all_tools(true)))
    }

    /// A server with these settings.
    pub fn with(settings: impl FnOnce(Server) -> Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let storage = TestStorage::new();
        let keycell = Arc::new(Keycell::new(AnyStorage::new(storage.clone())).unwrap());
        let context = runtime.enter();
        let server = settings(Server::new(Arc::clone(&keycell)));
        drop(context);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        runtime.spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            server.serve(listener, stopped).await.unwrap();
        });
        Self { address, storage, keycell, runtime, stop: Some(stop) }
    }

    /// Asks the server to stop.
    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A key of this user with every scope but that of operators.
    pub fn key(&self, user: &str) -> String {
        self.key_with(user, &ALL_SCOPES)
    }

    pub fn key_with(&self, user: &str, scopes: &[&str]) -> String {
        let request = IssueApiKey::named("test").with_owner(user).with_scopes(scopes.iter().copied());
        let operator = Caller::user("root").as_operator();
        let issued = self.block_on(self.keycell.issue_api_key(&operator, request)).unwrap();
        issued.key.expose().to_owned()
    }

    pub fn get(&self, path: &str) -> Answer {
        answer(agent().get(format!("http://{}{path}", self.address)).call())
    }

    /// A POST to `/mcp` with these headers besides those that MCP needs.
    pub fn post(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let usual = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        let usual = usual.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
        let mut request = agent().post(format!("http://{}/mcp", self.address));
        for (name, value) in usual.chain(headers) {
            request = request.header(*name, *value);
        }
        answer(request.send(body))
    }

    /// A request with any method. Only POST and PATCH send the body.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(match method {
            "POST" | "PATCH" => agent().run(request.body(body).unwrap()),
            _ => agent().run(request.body(()).unwrap()),
        })
    }

    pub fn ping(&self, key: &str) -> Answer {
        self.post(&[("authorization", &bearer(key))], PING)
    }

    /// A call of a tool by the bearer of a key.
    pub fn call(&self, key: &str, tool: &str, arguments: Value) -> Answer {
        self.post(&[("authorization", &bearer(key))], &call(tool, arguments))
    }

    /// The answer to these bytes until the server closes the connection, and when that was.
    pub fn send_raw(&self, bytes: &[u8]) -> (String, Duration) {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(self.address).unwrap();
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
    }
}

/// A connection from this loopback address.
pub async fn connect_from(local: [u8; 4], server: SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((local, 0).into()).unwrap();
    socket.connect(server).await.unwrap()
}

/// The status of the answer to these bytes; `None` if the connection was closed without one.
pub async fn status_of(stream: &mut tokio::net::TcpStream, request: &str) -> Option<u16> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    std::str::from_utf8(&head[9..]).unwrap().parse().ok()
}

/// A PING as bytes of HTTP.
pub fn raw_ping(key: &str, headers: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{headers}content-length: {}\r\n\r\n{PING}",
        PING.len()
    )
}

pub fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

pub fn call(tool: &str, arguments: Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
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

    /// Asserts that this is a problem document that names the status and the request.
    pub fn assert_is_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(self.body["type"].is_string(), "{self:?}");
        assert_eq!(self.body["instance"], format!("urn:uuid:{}", self.header("x-request-id")));
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let (head, mut body) = response.unwrap().into_parts();
    let text = body.read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}
