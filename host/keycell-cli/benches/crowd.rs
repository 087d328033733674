//! One client beside a crowd, over HTTP: the reads of a client while 128 connections list the
//! 1,000,000 keys of another user, and the requests of one address while another address holds as
//! many connections as it gets.
//!
//! The crowd comes from 127.0.0.1 and the client from 127.0.0.2, so this needs Linux. The database
//! is made once and kept in `target/tmp`.

#[allow(dead_code, reason = "another benchmark of servers needs the rest")]
mod client;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use client::{Process, USER, is_whole, keycell, listening, text};
use rusqlite::Connection;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

const KEYS: i64 = 1_000_000;
const LISTERS: usize = 128;
const CROWDS: [usize; 2] = [512, 1_600];
const MEASURED: Duration = Duration::from_secs(10);
/// The time between two requests of an idle connection.
const IDLE: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(10);
const CROWD: [u8; 4] = [127, 0, 0, 1];
const CLIENT: [u8; 4] = [127, 0, 0, 2];

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let path = database();
    let key = |user: &str| -> Value { json(&path, user, &["create", "--name", "crowd"]) };
    let (crowd, client) = (key(USER), key("bob"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("| beside | requests | p50 | p99 | slowest | refused | memory of the server |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");

    let read = request(&format!("/v1/keys/{}", text(&client, "id")), &text(&client, "key"));
    let server = Server::start(&path);
    runtime.block_on(beside("no one: reads", &server, &read, JoinSet::new()));

    // First and deep pages of every filter.
    let mut lists = Vec::new();
    for status in ["active", "expired", "revoked", "all"] {
        for project in ["", "&project_reference=shop"] {
            let first = format!("/v1/keys?limit=100&status={status}{project}");
            let page = runtime.block_on(one(&server, CROWD, &request(&first, &text(&crowd, "key"))));
            let page: Value = serde_json::from_str(page.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
            let deep = page["next_cursor"].as_str().map(|cursor| format!("{first}&cursor={cursor}"));
            lists.extend([Some(first), deep].into_iter().flatten());
        }
    }
    let requests: Vec<String> = lists.iter().map(|list| request(list, &text(&crowd, "key"))).collect();
    let crowd_of_lists = || {
        let requests = Arc::new(requests.clone());
        (0..LISTERS).map(|n| repeat(server.address, Arc::clone(&requests), n, Duration::ZERO)).collect()
    };
    runtime.block_on(async { beside("128 connections that list: reads", &server, &read, crowd_of_lists()).await });

    for connections in CROWDS {
        let health = Arc::new(vec![request("/healthz", "")]);
        for (what, of_client) in [("reads", &read), ("/healthz", &health[0])] {
            runtime.block_on(async {
                let idle = (0..connections)
                    .map(|n| repeat(server.address, Arc::clone(&health), n, IDLE))
                    .collect::<JoinSet<_>>();
                beside(&format!("{connections} idle connections: {what}"), &server, of_client, idle).await;
            });
        }
    }
}

/// A database with the keys of one user, every second one in a project.
fn database() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crowd-{KEYS}.db"));
    if path.exists() {
        return path;
    }
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let project = json(&new, USER, &["project", "create", "shop"]);
    let connection = Connection::open(&new).expect("the database");
    connection.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
    connection
        .execute(
            "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, project_id, name, scopes, created_at,
                                   updated_at, expires_at, swept_expiry, revoked_at)
             WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
             SELECT printf('01900000-%04x-7000-8000-%012x', n >> 16, n), 'keycell', printf('%012d', n), zeroblob(32),
                    'ann', iif(n % 2, ?2, NULL), 'nightly export', '[\"orders:read\"]', 0, 0,
                    iif(n % 10 = 3, 1, NULL), iif(n % 10 = 3, 1, NULL), iif(n % 10 = 4 OR n % 10 = 5, 1, NULL)
             FROM numbers",
            (KEYS, text(&project, "id")),
        )
        .expect("the keys");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    drop(connection);
    fs::rename(&new, &path).expect("the database has no other file");
    path
}

fn json(database: &Path, user: &str, args: &[&str]) -> Value {
    let output = keycell(database).args(args).args(["--user", user, "--json"]).output().expect("the command");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn request(target: &str, key: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n")
}

struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    fn start(database: &Path) -> Self {
        let mut command = keycell(database);
        command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
        let mut process = Process(command.spawn().expect("the server"));
        let address = listening(&mut process.0);
        Self { process, address }
    }

    /// The resident memory now and its highest value, in MB.
    fn memory(&self) -> (u64, u64) {
        (self.process.memory("VmRSS:"), self.process.memory("VmHWM:"))
    }
}

async fn connect(address: SocketAddr, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request and returns the whole answer; nothing if the server has closed the connection.
async fn ask(stream: &mut TcpStream, request: &str) -> Option<String> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::with_capacity(4096);
    while !is_whole(&answer) {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(answer).ok()
}

async fn one(server: &Server, from: [u8; 4], request: &str) -> String {
    let mut stream = connect(server.address, from).await.expect("a connection");
    ask(&mut stream, request).await.expect("an answer")
}

/// A connection of the crowd, which is opened again whenever the server closes it.
async fn repeat(address: SocketAddr, requests: Arc<Vec<String>>, first: usize, pause: Duration) {
    for n in first.. {
        let Ok(mut stream) = connect(address, CROWD).await else {
            sleep(PAUSE).await;
            continue;
        };
        while ask(&mut stream, &requests[n % requests.len()]).await.is_some() {
            sleep(pause).await;
        }
        sleep(PAUSE).await;
    }
}

/// Prints the times of a client that connects anew for each request. A request without an answer
/// within a minute counts as refused.
async fn beside(what: &str, server: &Server, request: &str, crowd: JoinSet<()>) {
    sleep(Duration::from_secs(1)).await;
    let (mut times, mut refused) = (Vec::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        let asked = Instant::now();
        let answer = timeout(Duration::from_secs(60), async {
            let mut stream = connect(server.address, CLIENT).await.ok()?;
            ask(&mut stream, request).await
        });
        match answer.await {
            Ok(Some(answer)) if answer.starts_with("HTTP/1.1 200") => times.push(asked.elapsed()),
            _ => refused += 1,
        }
        sleep(PAUSE).await;
    }
    let memory = server.memory();
    drop(crowd);
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!(
        "| {what} | {} | {:.1} ms | {:.1} ms | {:.1} ms | {refused} | {} MB, at most {} MB |",
        times.len(),
        at(50),
        at(99),
        at(100),
        memory.0,
        memory.1
    );
}
