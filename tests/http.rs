//! The MCP server over HTTP: who may call it, and what it withstands.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use keycell::Caller;
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

/// It is a problem document that says nothing but the status, and where the log has the request.
fn assert_is_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let fields: BTreeSet<_> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(["instance", "status", "title"]));
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

    // The new key is as good as the first, and somebody else's is not.
    let again = server.call(created["key"].as_str().unwrap(), "get_api_key", json!({"api_key_id": created["id"]}));
    assert_eq!(again.tool().unwrap()["last_used_at"].as_str().map(str::len), Some(24));
    let bob = server.call(&server.key("bob"), "get_api_key", json!({"api_key_id": created["id"]}));
    assert_eq!(bob.tool().unwrap_err(), json!({"kind": "not-found", "subject": "api-key"}));
}

#[test]
fn who_has_no_good_key_is_told_that_and_no_more() {
    let server = Server::start(&["--all-tools"]);
    let key = server.key("ann");
    let revoked = server.call(&key, "create_api_key", json!({"name": "old"})).tool().unwrap();
    server.call(&key, "revoke_api_key", json!({"api_key_id": revoked["id"]})).tool().unwrap();
    assert_eq!(server.post(&[("authorization", &bearer(&key))], PING).status, 200);

    for headers in [
        vec![],
        vec![("authorization", key.as_str())],
        vec![("authorization", "Basic YTpi")],
        vec![("authorization", "Bearer")],
    ] {
        let refused = server.post(&headers, PING);
        assert_is_problem(&refused, 401);
        assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="keycell""#);
    }
    let twice = bearer(&key);
    assert_is_problem(&server.post(&[("authorization", &twice), ("authorization", &twice)], PING), 401);

    let unknown = key.replacen("keycell", "another", 1);
    for bad in ["hunter2", &key[1..], &unknown, revoked["key"].as_str().unwrap()] {
        let refused = server.post(&[("authorization", &bearer(bad))], PING);
        assert_is_problem(&refused, 401);
        assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="keycell", error="invalid_token""#);
    }
}

#[test]
fn a_key_without_the_scope_of_a_tool_is_refused() {
    let server = Server::start(&["--all-tools"]);
    let ann = Caller::user("ann").unwrap();
    let (reader, writer) = (server.key_of(&ann, &["api-keys:read"]), server.key_of(&ann, &["api-keys:write"]));
    let id = json!({"api_key_id": "0192f0c1-2345-7abc-8def-0123456789ab"});
    let reads = [("get_api_key", id.clone()), ("list_api_keys", json!({})), ("verify_api_key", json!({"key": "x"}))];
    let writes = [
        ("create_api_key", json!({"name": "x"})),
        ("revoke_api_key", id.clone()),
        ("rotate_api_key", id.clone()),
        ("update_api_key", json!({"api_key_id": id["api_key_id"], "name": "y"})),
    ];
    for (tool, arguments) in reads {
        assert_eq!(server.call(&reader, tool, arguments.clone()).status, 200, "{tool}");
        assert_lacks(&server.call(&writer, tool, arguments), "api-keys:read");
    }
    for (tool, arguments) in writes {
        assert_eq!(server.call(&writer, tool, arguments.clone()).status, 200, "{tool}");
        assert_lacks(&server.call(&reader, tool, arguments), "api-keys:write");
    }
    let listed = server.call(&reader, "list_api_keys", json!({})).tool().unwrap();
    assert_eq!(listed["api_keys"].as_array().unwrap().len(), 3, "what was refused was not done");
}

fn assert_lacks(answer: &Answer, scope: &str) {
    assert_is_problem(answer, 403);
    let challenge = format!(r#"Bearer realm="keycell", error="insufficient_scope", scope="{scope}""#);
    assert_eq!(answer.header("www-authenticate"), challenge);
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
fn pages_and_names_of_others_are_refused() {
    let server = Server::start(&["--allow-host", "keys.example.com"]);
    let key = bearer(&server.key("ann"));
    let with = |name, value| server.post(&[("authorization", &key), (name, value)], PING);
    let address = server.address.to_string();
    for host in ["127.0.0.1", "localhost:8787", "[::1]:80", "keys.example.com", &address] {
        assert_eq!(with("host", host).status, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.168.0.1"] {
        assert_is_problem(&with("host", host), 403);
    }
    let own = format!("http://{address}");
    for origin in [&own, "http://localhost", "http://[::1]:3000", "https://keys.example.com"] {
        assert_eq!(with("origin", origin).status, 200, "{origin}");
    }
    for origin in ["http://evil.example", "http://localhost.evil.example", "ftp://localhost", "null", "nonsense"] {
        assert_is_problem(&with("origin", origin), 403);
    }
}

#[test]
fn what_is_no_request_of_mcp_gets_a_clear_answer() {
    let server = Server::start(&[]);
    let key = bearer(&server.key("ann"));
    let authorized = [("authorization", key.as_str())];
    for body in ["", "{bad", "\u{feff}{}", &"[".repeat(1000)] {
        let answer = server.post(&authorized, body);
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(-32700)), "{body}: {answer:?}");
        assert_eq!(answer.body["id"], Value::Null);
    }
    let no_messages = [
        ("[]", Value::Null),
        ("7", Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":[]}"#, json!("a")),
    ];
    for (body, id) in no_messages {
        let answer = server.post(&authorized, body);
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(-32600)), "{body}: {answer:?}");
        assert_eq!(answer.body["id"], id);
    }
    let method = |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        server.post(&authorized, &body).body["error"]["code"].clone()
    };
    assert_eq!(method("tools/call", json!({"name": "delete_everything"})), -32602);
    // Without --all-tools there is no such tool.
    assert_eq!(method("tools/call", json!({"name": "list_api_keys"})), -32602);
    assert_eq!(method("tools/call", json!({"name": "get_api_key", "arguments": []})), -32602);
    assert_eq!(method("tools/call", json!({})), -32602);
    let absent = ["prompts/list", "resources/list", "resources/templates/list", "completion/complete", "prompts/get"];
    for absent in absent {
        let reference = json!({"type": "ref/prompt", "name": "x"});
        let params = json!({"name": "x", "ref": reference, "argument": {"name": "x", "value": "y"}});
        assert_eq!(method(absent, params), -32601, "{absent}");
    }
    assert_eq!(method("keycell/nothing", json!({})), -32601);

    assert_is_problem(&server.post(&[("authorization", &key), ("content-type", "text/plain")], PING), 415);
    assert_is_problem(&server.post(&[("authorization", &key), ("mcp-protocol-version", "1999-01-01")], PING), 400);
    assert_is_problem(&server.get("/"), 404);
    assert_is_problem(&server.get("/mcp"), 401);
}

#[test]
fn every_revision_of_the_protocol_is_spoken_the_newest_first() {
    let server = Server::start(&[]);
    let key = bearer(&server.key("ann"));
    let newest = "2026-07-28";
    let discover = |version: &str| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}});
        let headers =
            [("authorization", key.as_str()), ("mcp-protocol-version", version), ("mcp-method", "server/discover")];
        server.post(&headers, &body.to_string()).body
    };
    let versions = discover(newest)["result"]["supportedVersions"].clone();
    assert_eq!(versions, json!([newest, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]));

    let initialize = |version: &str| {
        let params =
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
        server.post(&[("authorization", &key)], &body).body["result"]["protocolVersion"].clone()
    };
    for version in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        assert_eq!(initialize(version), version);
    }
    // There is no such revision, and the newest has no `initialize`.
    assert_eq!(initialize("2099-01-01"), "2025-11-25");
    assert_eq!(initialize(newest), "2025-11-25");
}

#[test]
fn connections_that_say_nothing_keep_nobody_out_for_long() {
    let server = Server::start(&[]);
    let key = bearer(&server.key("ann"));
    let (agent, url) = (agent(), server.url("/mcp"));
    let ping = |agent| post(agent, &url, &[("authorization", &key)], PING).status;
    assert_eq!(ping(&agent), 200);
    let idle: Vec<_> = (0..600).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    assert_eq!(ping(&agent), 200, "who has a connection keeps it");
    let begun = Instant::now();
    assert_eq!(ping(&crate::server::agent()), 200, "who has none gets one");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop(idle);
}

#[test]
fn health_is_told_to_everybody() {
    let mut server = Server::start(&[]);
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &answer.body), (200, &json!("ok\n")), "{path}");
    }
    let key = server.key("ann");
    Connection::open(server.database()).unwrap().execute_batch("DROP TABLE api_keys").unwrap();
    assert_is_problem(&server.get("/readyz"), 503);
    assert_eq!(server.get("/healthz").status, 200);
    assert_is_problem(&server.post(&[("authorization", &bearer(&key))], PING), 500);
    server.terminate();
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn who_guesses_keys_is_slowed_down_and_keeps_nobody_out() {
    let server = Server::start(&[]);
    let key = bearer(&server.key("ann"));
    assert_eq!(server.post(&[("authorization", &key)], PING).status, 200);
    let begun = Instant::now();
    let answers: Vec<_> = thread::scope(|scope| {
        let guessing: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = Vec::new();
                    while begun.elapsed() < Duration::from_secs(6) {
                        let answer = server.post(&[("authorization", "Bearer wrong")], PING);
                        if answer.status == 429 {
                            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 5);
                            thread::sleep(Duration::from_millis(50));
                        }
                        answers.push(answer.status);
                    }
                    answers
                })
            })
            .collect();
        while begun.elapsed() < Duration::from_secs(6) {
            let asked = Instant::now();
            assert_eq!(server.post(&[("authorization", &key)], PING).status, 200);
            assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
            thread::sleep(Duration::from_millis(20));
        }
        guessing.into_iter().flat_map(|guesses| guesses.join().unwrap()).collect()
    });
    let looked_at = answers.iter().filter(|&&status| status == 401).count();
    assert!(answers.iter().all(|status| [401, 429].contains(status)), "{answers:?}");
    // Ten at once and two a second, and what was under way at the same moment as the tenth.
    assert!((10..=40).contains(&looked_at), "{looked_at} of {} guesses were looked at", answers.len());
}

#[test]
fn the_most_verbose_log_holds_no_key_wherever_it_was_put() {
    let mut server = Server::start_logging("trace", &["--all-tools"]);
    let key = server.key("ann");
    let created = server.call(&key, "create_api_key", json!({"name": "web"})).tool().unwrap();
    let rotated = server.call(&key, "rotate_api_key", json!({"api_key_id": created["id"]})).tool().unwrap();
    let new = rotated["key"].as_str().unwrap();
    server.call(&key, "verify_api_key", json!({"key": new})).tool().unwrap();

    // In every wrong place.
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
    assert!(log.contains("answered") && log.contains("TRACE"), "it did log");
    assert!(log.lines().all(|line| line.starts_with(['{', '('])), "one object a line");
    for key in [key.as_str(), created["key"].as_str().unwrap(), new] {
        let secret = key.rsplit('_').next().unwrap();
        for at in 0..=secret.len() - 16 {
            assert!(!log.contains(&secret[at..at + 16]), "a part of a secret is in the log");
        }
    }
}

#[test]
fn each_request_is_in_the_log_under_the_id_that_it_was_told() {
    let mut server = Server::start(&[]);
    let answer = server.post(&[("authorization", &bearer(&server.key("ann")))], PING);
    server.terminate();
    let (_, log) = server.wait();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["span"]["id"] == answer.header("x-request-id")).unwrap();
    assert_eq!(line["fields"]["message"], "answered");
    assert_eq!(line["fields"]["status"], 200);
    assert_eq!((&line["fields"]["method"], &line["fields"]["route"]), (&json!("POST"), &json!("/mcp")));
    assert_eq!(line["span"]["user"], "ann");
}

#[test]
fn a_server_that_is_told_to_stop_answers_what_it_has_begun_and_stores_what_waits() {
    let mut server = Server::start(&[]);
    let key = server.key("ann");
    let lock = Connection::open(server.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let created = thread::scope(|scope| {
        let create = scope.spawn(|| server.call(&key, "create_api_key", json!({"name": "late"})));
        thread::sleep(Duration::from_millis(500));
        server.terminate();
        thread::sleep(Duration::from_millis(500));
        assert!(TcpStream::connect(server.address).is_err(), "nobody new is let in");
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
fn a_server_ends_within_its_deadline_whoever_is_still_there() {
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
fn sixty_four_clients_at_once_lose_no_key_and_double_none() {
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
                        // By the new key itself: it is as good as what was stored of it.
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
fn a_client_that_hangs_up_leaves_a_whole_key_or_none() {
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
        // Some hang up before all is said, some just then, some at any time until the answer.
        let said = if n % 4 == 0 { request.len() - n % 40 - 1 } else { request.len() };
        stream.write_all(&request.as_bytes()[..said]).unwrap();
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
fn a_client_that_reads_no_answer_is_left() {
    let server = Server::start(&[]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let begun = Instant::now();
    let ended = loop {
        match stream.write(requests.as_bytes()) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => break error.kind(),
            Ok(_) => {}
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "it is still there");
    };
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
}

#[test]
fn a_connection_makes_room_for_another_after_a_while() {
    let server = Server::start(&[]);
    let mut stream = BufReader::new(TcpStream::connect(server.address).unwrap());
    let begun = Instant::now();
    let mut ask = || {
        stream.get_mut().write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").is_ok()
            && stream.read_line(&mut String::new()).is_ok_and(|read| read > 0)
    };
    while ask() {
        assert!(begun.elapsed() < Duration::from_secs(90), "it is still there");
        thread::sleep(Duration::from_secs(2));
    }
    assert!(begun.elapsed() > Duration::from_secs(50), "{:?}", begun.elapsed());
}

#[test]
fn a_log_that_nobody_takes_holds_up_nothing() {
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
fn slow_huge_and_half_sent_requests_end_and_the_server_goes_on() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    let authorized = [("authorization", bearer(&key))];
    let authorized = [(authorized[0].0, authorized[0].1.as_str())];
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n"
    );

    let huge = server.post(&authorized, &call("create_api_key", json!({"name": "n".repeat(100_000)})));
    assert_is_problem(&huge, 413);
    let long = server.call(&key, "create_api_key", json!({"name": "n".repeat(60_000)})).tool().unwrap_err();
    assert_eq!(long["faults"][0]["code"], "too-long");
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    assert_eq!(server.post(&authorized, &deep).status, 400);
    let (large_head, _) = server.send_raw(format!("{head}x: {}\r\n\r\n", "x".repeat(40_000)).as_bytes());
    assert!(large_head.starts_with("HTTP/1.1 431"), "{large_head}");
    let (many_headers, _) = server.send_raw(format!("{head}{}\r\n", "x: y\r\n".repeat(100)).as_bytes());
    assert!(many_headers.starts_with("HTTP/1.1 431"), "{many_headers}");
    let (nonsense, _) = server.send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS, not HTTP\r\n\r\n");
    assert!(nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
    let (smuggled, _) = server.send_raw(
        format!("{head}content-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzzzz").as_bytes(),
    );
    assert!(smuggled.starts_with("HTTP/1.1 4"), "{smuggled}");

    // These are waited for, together.
    thread::scope(|scope| {
        let half_head = scope.spawn(|| server.send_raw(&head.as_bytes()[..60]));
        let half_body = scope.spawn(|| server.send_raw(format!("{head}content-length: 1000\r\n\r\n{{").as_bytes()));
        let nothing = scope.spawn(|| server.send_raw(b""));
        let drip = scope.spawn(|| {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(server.address).unwrap();
            while stream.write_all(b"G").is_ok() && begun.elapsed() < Duration::from_secs(60) {
                thread::sleep(Duration::from_millis(250));
            }
            begun.elapsed()
        });
        assert_eq!(server.call(&key, "create_api_key", json!({"name": "meanwhile"})).status, 200);
        let (answer, after) = half_body.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(after < Duration::from_secs(30), "{after:?}");
        for (what, ended) in [("half a head", half_head), ("nothing", nothing)] {
            let (answer, after) = ended.join().unwrap();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{what}: {answer}");
            assert!(after < Duration::from_secs(20), "{what}: {after:?}");
        }
        assert!(drip.join().unwrap() < Duration::from_secs(20), "a head that drips in");
    });
    assert_eq!(server.call(&key, "create_api_key", json!({"name": "after"})).status, 200);
}
