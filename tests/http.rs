//! `keycell serve` as a process: its database, its log, its flags and its end.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    cli::Cli,
    server::{Answer, Server, agent, call, listening, post},
};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// Asserts that an answer is a problem document that names the status and the request.
fn assert_is_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["status"], status);
    assert_eq!(answer.body["instance"], format!("urn:uuid:{}", answer.header("x-request-id")));
}

#[test]
fn a_key_opens_the_tools_of_its_user() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    let created = server.call(&key, "create_api_key", json!({"name": "web"})).tool().unwrap();
    assert_eq!(created["user_id"], "ann");
    let got = server.call(&key, "get_api_key", json!({"api_key_id": created["id"]})).tool().unwrap();
    assert_eq!(got["key_prefix"], created["key_prefix"]);

    // The new key acts, too. A key of another user does not see it.
    let again = server.call(created["key"].as_str().unwrap(), "get_api_key", json!({"api_key_id": created["id"]}));
    assert_eq!(again.tool().unwrap()["last_used_at"].as_str().map(str::len), Some(24));
    let bob = server.call(&server.key("bob"), "get_api_key", json!({"api_key_id": created["id"]}));
    assert_eq!(bob.tool().unwrap_err(), json!({"kind": "not-found", "subject": "api-key"}));
}

#[test]
fn a_project_s_key_stays_in_its_project() {
    let server = Server::start(&[]);
    let ids = ["web", "shop"].map(|slug| server.cli.json(&["--user", "ann", "project", "create", slug])["id"].clone());
    let key = server.call(&server.key("ann"), "create_api_key", json!({"name": "ci", "project_reference": "web"}));
    let key = key.tool().unwrap()["key"].as_str().unwrap().to_owned();

    let refused = server.call(&key, "create_api_key", json!({"name": "x"})).tool().unwrap_err();
    assert_eq!(refused, json!({"kind": "forbidden"}));
    let other = server.call(&key, "create_api_key", json!({"name": "x", "project_reference": ids[1]}));
    assert_eq!(other.tool().unwrap_err(), json!({"kind": "not-found", "subject": "project"}));
    let same = server.call(&key, "create_api_key", json!({"name": "x", "project_reference": ids[0]}));
    assert_eq!(same.tool().unwrap()["project_id"], ids[0]);
}

#[test]
fn a_damaged_database_is_an_error_and_a_removed_one_is_not_ready() {
    let mut server = Server::start(&[]);
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &answer.body), (200, &json!("ok\n")), "{path}");
    }
    let key = bearer(&server.key("ann"));
    let damage = "PRAGMA foreign_keys = OFF; ALTER TABLE api_keys RENAME TO gone";
    Connection::open(server.database()).unwrap().execute_batch(damage).unwrap();
    assert_is_problem(&server.post(&[("authorization", &key)], PING), 500);

    std::fs::remove_file(server.database()).unwrap();
    let begun = Instant::now();
    while server.get("/readyz").status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(8), "the server is still ready");
        thread::sleep(Duration::from_millis(200));
    }
    assert_is_problem(&server.get("/readyz"), 503);
    assert_eq!(server.get("/healthz").status, 200);
    server.terminate();
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn the_most_verbose_log_holds_no_key() {
    let mut server = Server::start_logging("trace", &["--all-tools"]);
    let key = server.key("ann");
    let created = server.call(&key, "create_api_key", json!({"name": "web"})).tool().unwrap();
    let rotated = server.call(&key, "rotate_api_key", json!({"api_key_id": created["id"]})).tool().unwrap();
    let new = rotated["key"].as_str().unwrap();
    server.call(&key, "verify_api_key", json!({"key": new})).tool().unwrap();

    // Keys in wrong places.
    server.call(&key, new, json!({"name": new}));
    server.call(&key, "get_api_key", json!({"api_key_id": new}));
    let unknown = server.call(&key, "create_api_key", json!({"name": "x", new: 1})).tool().unwrap_err();
    assert!(!unknown.to_string().contains(new));
    server.call(&key, "create_api_key", json!({"name": new, "expires_at": new, "project_reference": [new]}));
    server.post(&[("authorization", &bearer(&key)), ("mcp-protocol-version", new)], PING);
    server.post(&[("authorization", &bearer(&key)), ("host", new), ("x-request-id", new)], PING);
    server.post(&[("authorization", &bearer(&key)), ("origin", new)], PING);
    server.post(&[("authorization", &bearer(&key))], &json!({"jsonrpc": "2.0", "id": new, "method": new}).to_string());
    server.post(&[("authorization", &bearer(&key))], &format!("{{{new}"));
    server.post(&[("authorization", &format!("Basic {new}"))], PING);
    server.get(&format!("/{new}?key={new}"));
    server.send_raw(format!("{new} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes());
    server.get(&format!("/mcp?key={new}"));

    server.terminate();
    let (code, log) = server.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("answered") && log.contains("TRACE"), "there is a log");
    assert!(log.lines().all(|line| line.starts_with(['{', '('])), "one object a line");
    for key in [key.as_str(), created["key"].as_str().unwrap(), new] {
        let secret = key.rsplit('_').next().unwrap();
        for at in 0..=secret.len() - 16 {
            assert!(!log.contains(&secret[at..at + 16]), "a part of a secret is in the log");
        }
    }
}

/// The writable memory of a process, part by part; nothing if this user may not read it.
#[cfg(target_os = "linux")]
fn memory(process_id: u32) -> std::io::Result<Vec<Vec<u8>>> {
    use std::os::unix::fs::FileExt;
    let memory = std::fs::File::open(format!("/proc/{process_id}/mem"))?;
    let maps = std::fs::read_to_string(format!("/proc/{process_id}/maps"))?;
    let read = |line: &str| {
        let (range, access) = line.split_once(' ')?;
        let (begin, end) = range.split_once('-')?;
        let [begin, end] = [begin, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap()];
        (access.starts_with("rw") && memory.read_exact_at(&mut bytes, begin).is_ok()).then_some(bytes)
    };
    Ok(maps.lines().filter_map(read).collect())
}

#[cfg(target_os = "linux")]
#[test]
fn keys_of_earlier_calls_are_not_in_memory() {
    let server = Server::start(&[]);
    let first = server.key("ann");
    let text = |created: &Value, field: &str| created[field].as_str().unwrap().to_owned();
    let create = |key: &str| server.call(key, "create_api_key", json!({"name": "x"})).tool().unwrap();
    let read = |key: &str, id: &str| server.call(key, "get_api_key", json!({"api_key_id": id})).tool().unwrap();

    let created: Vec<_> = (0..35).map(|_| create(&first)).collect();
    for key in &created {
        read(&text(key, "key"), &text(key, "id"));
    }
    let other = create(&first);
    for _ in 0..40 {
        read(&text(&other, "key"), &text(&other, "id"));
    }
    let Ok(memory) = memory(server.pid()) else {
        eprintln!("skipped: this user may not read the memory of another process");
        return;
    };
    let holds = |text: &[u8]| {
        memory.iter().any(|part| {
            let mut rest = part.as_slice();
            while rest.skip_until(b'_').unwrap() > 0 {
                if rest.starts_with(text) {
                    return true;
                }
            }
            false
        })
    };
    // The environment of the process is found.
    assert!(holds(b"DATABASE="));
    let secret = |key: &Value| text(key, "key").rsplit('_').next().unwrap().as_bytes()[..32].to_vec();
    let left = created.iter().filter(|key| holds(&secret(key))).count();
    assert_eq!(left, 0, "of {} keys", created.len());
}

#[test]
fn each_request_is_in_the_log_with_its_id_and_the_public_part_of_its_key() {
    let mut server = Server::start(&[]);
    let key = server.key("ann");
    let answer = server.post(&[("authorization", &bearer(&key))], PING);
    let refused = server.post(&[("authorization", "Bearer wrong_key")], PING);
    server.terminate();
    let (_, log) = server.wait();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line_of =
        |answer: &Answer| lines.iter().find(|line| line["span"]["id"] == answer.header("x-request-id")).unwrap();
    let line = line_of(&answer);
    assert_eq!(line["fields"]["message"], "answered");
    assert_eq!(line["fields"]["status"], 200);
    assert_eq!((&line["fields"]["method"], &line["fields"]["route"]), (&json!("POST"), &json!("/mcp")));
    assert_eq!(line["span"]["key_prefix"], key.rsplit_once('_').unwrap().0);
    let line = line_of(&refused);
    assert_eq!((&line["fields"]["status"], line["span"].get("key_prefix")), (&json!(401), None));
}

#[test]
fn a_server_that_stops_answers_the_requests_under_way_and_stores_uses() {
    let mut server = Server::start(&[]);
    let key = server.key("ann");
    let lock = Connection::open(server.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let created = thread::scope(|scope| {
        let create = scope.spawn(|| server.call(&key, "create_api_key", json!({"name": "late"})));
        thread::sleep(Duration::from_millis(500));
        server.terminate();
        thread::sleep(Duration::from_millis(500));
        assert!(TcpStream::connect(server.address).is_err(), "no new client is accepted");
        lock.execute_batch("ROLLBACK").unwrap();
        create.join().unwrap().tool().unwrap()
    });
    let begun = Instant::now();
    assert_eq!(server.wait().0, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let stored = |sql: &str| lock.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(stored("SELECT count(*) FROM api_keys WHERE name = 'late'"), 1, "{created}");
    assert_eq!(stored("SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL"), 1, "the use of the key");
}

#[test]
fn a_server_ends_within_its_deadline_with_idle_clients() {
    let mut server = Server::start(&[]);
    let mut half = TcpStream::connect(server.address).unwrap();
    half.write_all(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    let _idle = TcpStream::connect(server.address).unwrap();
    thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    server.terminate();
    assert_eq!(server.wait().0, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn sixty_four_clients_at_once_lose_and_double_no_key() {
    const CLIENTS: usize = 64;
    const KEYS: usize = 5;
    let server = Server::start(&[]);
    let key = bearer(&server.key("ann"));
    let created: Vec<Value> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (key, server) = (&key, &server);
                scope.spawn(move || {
                    let (agent, url) = (agent(), server.url("/mcp"));
                    let ask = |key: &str, tool, arguments| {
                        post(&agent, &url, &[("authorization", key)], &call(tool, arguments))
                    };
                    let create = |n| {
                        let name = format!("{client}-{n}");
                        let created = ask(key, "create_api_key", json!({"name": name})).tool().unwrap();
                        // The new key itself reads what was stored.
                        let new = bearer(created["key"].as_str().unwrap());
                        let read = ask(&new, "get_api_key", json!({"api_key_id": created["id"]})).tool().unwrap();
                        assert_eq!(read["name"], name);
                        created
                    };
                    (0..KEYS).map(create).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    for field in ["id", "key", "key_prefix", "name"] {
        let different: BTreeSet<_> = created.iter().map(|key| key[field].as_str().unwrap()).collect();
        assert_eq!(different.len(), CLIENTS * KEYS, "{field}");
    }
    let database = Connection::open(server.database()).unwrap();
    let stored: i64 = database.query_row("SELECT count(*) FROM api_keys", [], |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(stored), Ok(CLIENTS * KEYS + 1));
}

#[test]
fn a_client_that_hangs_up_leaves_a_complete_key_or_none() {
    let mut server = Server::start(&[]);
    let key = server.key("ann");
    let body = call("create_api_key", json!({"name": "gone"}));
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for n in 0..200 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        // Some hang up before the end of the request, others at any time until the answer.
        let sent = if n % 4 == 0 { request.len() - n % 40 - 1 } else { request.len() };
        stream.write_all(&request.as_bytes()[..sent]).unwrap();
        thread::sleep(Duration::from_micros(u64::try_from(n).unwrap() * 10));
        drop(stream);
    }
    let last = server.call(&key, "create_api_key", json!({"name": "last"})).tool().unwrap();

    let database = Connection::open(server.database()).unwrap();
    let mut ids = database.prepare("SELECT id FROM api_keys WHERE name IN ('gone', 'last')").unwrap();
    let ids: Vec<String> = ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!((2..=151).contains(&ids.len()), "{} of 150 were created", ids.len() - 1);
    for id in &ids {
        server.call(&key, "get_api_key", json!({"api_key_id": id})).tool().unwrap();
    }
    assert!(ids.contains(&last["id"].as_str().unwrap().to_owned()));
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");

    server.terminate();
    let (_, log) = server.wait();
    let requests = log.lines().filter(|line| line.contains(r#""route":"/mcp""#)).count();
    assert!(requests >= ids.len(), "{} keys, and {requests} requests in the log", ids.len());
}

#[test]
fn a_log_without_a_reader_delays_nothing() {
    for is_closed in [true, false] {
        let cli = Cli::new();
        let mut command = cli.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("RUST_LOG", "trace").stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let address = listening(&mut log, &mut String::new());
        let kept = if is_closed { None } else { Some(log) };
        for _ in 0..1000 {
            assert_eq!(post(&agent(), &format!("http://{address}/mcp"), &[], PING).status, 401);
        }
        let begun = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
        assert_eq!(process.wait().unwrap().code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        drop(kept);
    }
}

#[test]
fn flags_allow_hosts_and_trust_proxies() {
    let server = Server::start(&["--allow-host", "keys.example.com", "--trust-proxy", "127.0.0.1"]);
    let key = bearer(&server.key("ann"));
    assert_eq!(server.post(&[("authorization", &key), ("host", "keys.example.com")], PING).status, 200);
    assert_is_problem(&server.post(&[("authorization", &key), ("host", "evil.example")], PING), 403);
    let guess =
        |client: &str| server.post(&[("authorization", "Bearer wrong"), ("x-forwarded-for", client)], PING).status;
    assert!((0..40).all(|n| guess(&format!("203.0.113.{n}")) == 401));
}
