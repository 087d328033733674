//! Invalid requests of MCP and of HTTP.

use std::{
    io::Write,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{PING, TestServer, bearer, call};

#[test]
fn messages_that_are_not_of_mcp_get_an_error_with_their_id() {
    let server = TestServer::with(|server| server);
    let key = bearer(&server.key("ann"));
    let authorized = [("authorization", key.as_str())];
    for body in ["", "{bad", "\u{feff}{}", &"[".repeat(1000), &("[".repeat(1000) + &"]".repeat(1000))] {
        let answer = server.post(&authorized, body);
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(-32700)), "{body}: {answer:?}");
        assert_eq!(answer.body["id"], Value::Null);
    }
    let not_messages = [
        ("[]", Value::Null),
        ("7", Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":[]}"#, json!("a")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","id":2}"#, Value::Null),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_api_key","arguments":{"api_key_id":"a","api_key_id":"b"}}}"#,
            Value::Null,
        ),
    ];
    for (body, id) in not_messages {
        let answer = server.post(&authorized, body);
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(-32600)), "{body}: {answer:?}");
        assert_eq!(answer.body["id"], id);
    }
    let method = |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        server.post(&authorized, &body).body["error"]["code"].clone()
    };
    assert_eq!(method("tools/call", json!({"name": "delete_everything"})), -32602);
    // This server has the first two tools only.
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

    server.post(&[("authorization", &key), ("content-type", "text/plain")], PING).assert_is_problem(415);
    server.post(&[("authorization", &key), ("mcp-protocol-version", "1999-01-01")], PING).assert_is_problem(400);
    server.get("/").assert_is_problem(404);
    server.get("/mcp").assert_is_problem(401);
}

#[test]
fn slow_huge_and_half_sent_requests_end_and_the_server_goes_on() {
    let server = TestServer::start();
    let key = server.key("ann");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n"
    );

    server.call(&key, "create_api_key", json!({"name": "n".repeat(100_000)})).assert_is_problem(413);
    let long = server.call(&key, "create_api_key", json!({"name": "n".repeat(60_000)})).tool().unwrap_err();
    assert_eq!(long["faults"][0]["code"], "too-long");
    let list = server.call(&key, "issue_api_key", json!({"name": "x", "scopes": vec![""; 10_000]})).tool().unwrap_err();
    assert_eq!(list["faults"][0]["field"], "scopes");
    let (large_head, _) = server.send_raw(format!("{head}x: {}\r\n\r\n", "x".repeat(40_000)).as_bytes());
    assert!(large_head.starts_with("HTTP/1.1 431"), "{large_head}");
    let (many_headers, _) = server.send_raw(format!("{head}{}\r\n", "x: y\r\n".repeat(100)).as_bytes());
    assert!(many_headers.starts_with("HTTP/1.1 431"), "{many_headers}");
    let (tls, _) = server.send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS, not HTTP\r\n\r\n");
    assert!(tls.starts_with("HTTP/1.1 400"), "{tls}");
    for lengths in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: gzip\r\n",
    ] {
        let request = format!("{head}{lengths}connection: close\r\n\r\nzzzz");
        let (smuggled, _) = server.send_raw(request.as_bytes());
        assert!(smuggled.starts_with("HTTP/1.1 4"), "{lengths}: {smuggled}");
    }

    // These take their time, together.
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
        // The client did not send its request, so it may repeat it.
        let (answer, after) = half_body.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(after < Duration::from_secs(20), "{after:?}");
        for (name, ended) in [("half a head", half_head), ("nothing", nothing)] {
            let (answer, after) = ended.join().unwrap();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{name}: {answer}");
            assert!(after < Duration::from_secs(20), "{name}: {after:?}");
        }
        assert!(drip.join().unwrap() < Duration::from_secs(20), "a head that drips in");
    });
    assert_eq!(server.call(&key, "create_api_key", json!({"name": "after"})).status, 200);
}

#[test]
fn a_body_may_come_in_chunks() {
    let server = TestServer::start();
    let key = server.key("ann");
    let body = call("create_api_key", json!({"name": "in chunks"}));
    let chunks: String = body
        .as_bytes()
        .chunks(7)
        .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
        .collect();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         {chunks}0\r\n\r\n"
    );
    let (answer, _) = server.send_raw(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("in chunks"), "{answer}");
}
