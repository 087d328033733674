//! The rate and the latency of authorizations, verifications and introspections over HTTP, with the
//! client on the same machine: `keycell serve` alone and behind nginx, and beside it a bare axum server
//! that answers 200 and writes the same line to its log.
//!
//! The servers take turns in each run, so that a busy machine slows all of them.

#[allow(dead_code, reason = "the other benchmark of servers needs the rest")]
mod client;
#[allow(dead_code, reason = "the command has other forms of the log")]
#[path = "../src/log.rs"]
mod log;

use std::{
    collections::BTreeMap,
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router, extract::Request, http::StatusCode, middleware, middleware::Next, response::Response, routing::any,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use client::{CONNECTIONS, Figures, Process, Run, Times, call, keycell, listening, load, text};
use serde_json::{Value, json};
use tracing::Instrument;

const TIMES: Times = Times { warm_up: Duration::from_millis(250), measured: Duration::from_millis(1500) };
/// The number of runs of which each figure is the median.
const RUNS: usize = 5;
/// Set in the process that is the bare server.
const BARE: &str = "KEYCELL_BENCH_BARE";

fn main() {
    if env::var_os(BARE).is_some() {
        return bare();
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let database = dir.path().join("keycell.db");
    let key = |name: &str, scope: &str| {
        let created = keycell(&database).args(["create", "--name", name, "--scope", scope, "--json"]).output();
        let created: Value = serde_json::from_slice(&created.expect("a key").stdout).expect("a key as JSON");
        (text(&created, "id"), text(&created, "key"))
    };
    let ((id, presented), (_, verifying)) = (key("client", "api-keys:read"), key("verifier", "api-keys:verify"));
    let mut command = keycell(&database);
    command.args(["serve", "--listen", "127.0.0.1:0", "--trust-proxy", "127.0.0.1"]).stderr(Stdio::piped());
    let mut server = Process(command.spawn().expect("the server"));
    let server_address = listening(&mut server.0);
    thread::sleep(Duration::from_secs(2));
    let [resident, space] = ["VmRSS:", "VmSize:"].map(|name| server.memory(name));
    println!("an idle server: {resident} MB resident (aim: 16), {space} MB of address space (aim: below 1,000)\n");
    let mut command = Command::new(env::current_exe().expect("this program"));
    let mut bare = Process(command.env(BARE, "1").stderr(Stdio::piped()).spawn().expect("the bare server"));
    let bare_address = listening(&mut bare.0);
    let nginx = nginx(dir.path(), server_address);
    if nginx.is_none() {
        println!("nginx is not installed: its rows are left out\n");
    }

    let authorize = request("GET", "/v1/authorize?scope=api-keys:read", &bearer(&presented), "");
    let basic = format!("Basic {}", STANDARD.encode(format!("gateway:{verifying}")));
    let form = format!("token={presented}");
    let read = call("get_api_key", json!({"api_key_id": id}));
    let verify = json!({"key": presented, "scopes": ["api-keys:read"]}).to_string();
    let mut targets = vec![
        (AXUM, bare_address, authorize.clone()),
        (AUTHORIZE, server_address, authorize),
        ("POST /v1/keys/verify", server_address, request("POST", "/v1/keys/verify", &bearer(&verifying), &verify)),
        ("POST /v1/introspect", server_address, request("POST", "/v1/introspect", &basic, &form)),
        (READ, server_address, request("POST", "/mcp", &bearer(&presented), &read)),
    ];
    if let Some((_, address)) = &nginx {
        targets.push((NGINX, *address, request("GET", "/", &bearer(&presented), "")));
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runs: BTreeMap<_, Vec<Run>> = BTreeMap::new();
    for _ in 0..RUNS {
        for connections in CONNECTIONS {
            for (name, address, request) in &targets {
                let mut run = runtime.block_on(load(*address, request, connections, TIMES));
                run.calls.sort();
                runs.entry((*name, connections)).or_default().push(run);
            }
        }
    }
    let figures: BTreeMap<_, _> = runs.into_iter().map(|(key, runs)| (key, Figures::of(&runs))).collect();
    print(&targets.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), &figures);
}

const AUTHORIZE: &str = "GET /v1/authorize";
const NGINX: &str = "/v1/authorize through nginx";
const READ: &str = "get_api_key over MCP";
const AXUM: &str = "bare axum";

fn print(names: &[&'static str], figures: &BTreeMap<(&'static str, usize), Figures>) {
    println!("| request | connections | requests a second | p50 | p99 |\n| --- | ---: | ---: | ---: | ---: |");
    for name in names {
        for connections in CONNECTIONS {
            let Figures { a_second, p50, p99 } = &figures[&(*name, connections)];
            println!("| {name} | {connections} | {a_second:.0} | {p50:.0} µs | {p99:.0} µs |");
        }
    }
    println!("\n| what | connections | measured | target |\n| --- | ---: | ---: | --- |");
    let reads = &figures[&(READ, 8)];
    println!("| {READ} a second | 8 | {:.0} | at least 12,000 |", reads.a_second);
    for connections in CONNECTIONS {
        let of = |name| figures.get(&(name, connections));
        let (Some(direct), Some(axum)) = (of(AUTHORIZE), of(AXUM)) else { continue };
        println!("| authorizations a second | {connections} | {:.0} | at least 12,000 |", direct.a_second);
        let ratio = axum.a_second / direct.a_second;
        println!("| time of an authorization / bare axum | {connections} | {ratio:.2} | at most 1.5 |");
        if let Some(nginx) = of(NGINX) {
            let added = (nginx.p99 - direct.p99) / 1000.0;
            println!("| p99 added by nginx | {connections} | {added:.2} ms | under 2 ms |");
        }
    }
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

fn request(method: &str, target: &str, authorization: &str, body: &str) -> String {
    let content_type = match body.as_bytes().first() {
        Some(b'{') => "content-type: application/json\r\naccept: application/json, text/event-stream\r\n",
        Some(_) => "content-type: application/x-www-form-urlencoded\r\n",
        None => "",
    };
    format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n{content_type}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// nginx with the authorization of docs/gateways.md, in front of a small file.
fn nginx(dir: &Path, server: SocketAddr) -> Option<(Process, SocketAddr)> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists())?;
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateways.md")).expect("the page");
    let block = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its configuration");
    let root = dir.display();
    let configuration = block
        .replace("127.0.0.1:8787", &server.to_string())
        .replace("listen 80;", &format!("listen {address};"))
        .replace("orders:read", "api-keys:read")
        .replace("proxy_pass http://127.0.0.1:9000;", &format!("root {root}/www;"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {root}/{name};"))
        .collect();
    fs::create_dir(dir.join("www")).expect("a directory");
    fs::write(dir.join("www/index.html"), "ok").expect("a file");
    // As root, its workers would be of a user who cannot read the file.
    let text = format!(
        "daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/nginx.log; events {{}} \
         http {{ access_log off; keepalive_requests 1000000; {temporary} {configuration} }}"
    );
    fs::write(dir.join("nginx.conf"), text).expect("a file");
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).stderr(Stdio::null());
    let process = Process(command.spawn().expect("nginx"));
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "nginx does not listen");
        thread::sleep(Duration::from_millis(50));
    }
    Some((process, address))
}

/// The bare server.
#[tokio::main]
async fn bare() {
    let _guard = log::to_stderr(&log::Form::Json);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    tracing::warn!(address = %listener.local_addr().expect("an address"), "listening");
    let router =
        Router::new().route("/v1/authorize", any(async || StatusCode::OK)).layer(middleware::from_fn(log_line));
    axum::serve(listener, router).await.expect("a server");
}

/// Writes the line that `keycell serve` writes.
async fn log_line(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = uuid::Uuid::new_v4();
    let span = tracing::info_span!(target: "keycell", "request", %id, key_prefix = "keycell_0123456789AB");
    async {
        let response = next.run(request).await;
        let (status, microseconds) = (response.status().as_u16(), begun.elapsed().as_micros());
        tracing::info!(target: "keycell", method = "GET", route = "/v1/authorize", status, microseconds, "answered");
        response
    }
    .instrument(span)
    .await
}
