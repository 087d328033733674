//! Clients that are slow or break HTTP: each gets a clean refusal, nothing that is smuggled is done, and
//! the memory of the server stays bounded.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::server::{Server, get};

/// The maximum growth of the server's resident memory, in KiB.
const MAX_GROWTH: u64 = 64 << 10;

impl Server {
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The answers to these bytes until the server closes the connection.
    fn answers(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answers = Vec::new();
        let _ = stream.read_to_end(&mut answers);
        String::from_utf8_lossy(&answers).into_owned()
    }

    fn key_count(&self) -> usize {
        self.cli.json(&["list", "--user", "ann"])["api_keys"].as_array().unwrap().len()
    }
}

/// The statuses of the answers in a text.
fn statuses(answers: &str) -> Vec<u16> {
    let starts = answers.split("HTTP/1.").skip(1);
    starts.map(|answer| answer.split_whitespace().nth(1).unwrap().parse().unwrap()).collect()
}

/// A request that creates a key, as bytes of HTTP/1.1.
fn create(key: &str, headers: &str) -> String {
    let body = json!({"name": "smuggled"}).to_string();
    format!(
        "POST /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Requests on whose end two parsers may disagree, each with a second request where one of them would
/// see it.
fn ambiguous(key: &str) -> Vec<String> {
    let smuggled = create(key, "");
    let head = format!("POST /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n");
    let chunked = format!("0\r\n\r\n{smuggled}");
    let mut requests: Vec<_> = [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ntransfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity, chunked\r\ncontent-length: 4\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "x: y\r\n transfer-encoding: chunked\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "content-length: 0\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 0\r\n",
        "content-length: 0, 5\r\n",
        "content-length: +0\r\n",
        "content-length: -1\r\n",
        "content-length: 0x0\r\n",
        "content-length: 99999999999999999999\r\n",
        "content-length : 0\r\n",
    ]
    .iter()
    .map(|lengths| format!("{head}{lengths}\r\n{chunked}"))
    .collect();
    for chunks in [
        "fffffffffffffffff\r\n",
        "-1\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1 \r\x0ba\r\n0\r\n\r\n",
        "g\r\n",
    ] {
        requests.push(format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}{smuggled}"));
    }
    requests
}

#[test]
fn nothing_is_smuggled_behind_a_request_of_ambiguous_length() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    for request in ambiguous(&key) {
        let answers = server.answers(request.as_bytes());
        let shown = request.replace(&key, "KEY");
        let statuses = statuses(&answers);
        // One refusal, or none for what is not HTTP. Then the connection ends.
        assert!(statuses.len() <= 1, "{shown}\n{answers}");
        assert!(statuses.iter().all(|status| (400..=431).contains(status)), "{shown}\n{answers}");
    }
    assert_eq!(server.key_count(), 1);
}

#[test]
fn lines_that_are_not_http_are_refused() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    let long = "a".repeat(17 << 10);
    let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
    for request in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx y: z\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET  /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET /\x01 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nx: {long}\r\n\r\n"),
        format!("GET /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n{many}\r\n"),
    ] {
        let answers = server.answers(request.as_bytes());
        let statuses = statuses(&answers);
        assert!(statuses.len() <= 1 && statuses.iter().all(|status| (400..=505).contains(status)), "{answers}");
    }
    // What stays below the limit of 16 KiB is taken.
    let padding = "a".repeat(15 << 10);
    let request = format!(
        "GET /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nx: {padding}\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(statuses(&server.answers(request.as_bytes())), [200]);
}

#[test]
fn pipelined_requests_and_http_1_0_are_answered_in_order() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    let read = |headers: &str, version: &str| {
        format!("GET /v1/caller HTTP/{version}\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n{headers}\r\n")
    };
    let wrong = read("", "1.1").replace(&key, "wrong");
    let pipelined = read("", "1.1").repeat(50) + &wrong + &read("connection: close\r\n", "1.1") + &create(&key, "");
    let mut expected = vec![200; 50];
    expected.extend([401, 200]);
    assert_eq!(statuses(&server.answers(pipelined.as_bytes())), expected, "nothing is answered after close");
    // Without keep-alive, the connection ends with the first answer.
    assert_eq!(statuses(&server.answers((read("", "1.0") + &create(&key, "")).as_bytes())), [200]);
    // RFC 9112, 6.1: HTTP/1.0 has no transfer codings.
    let chunked = format!(
        "POST /v1/keys HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    assert!(statuses(&server.answers(chunked.as_bytes())).iter().all(|status| *status >= 400));
    assert_eq!(server.key_count(), 1);
}

#[test]
fn json_that_parsers_read_differently_or_only_deeply_is_refused() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1000), close.repeat(1000));
    for body in [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{\"name\": \"x\", \"metadata\": {}}}", deep("{\"a\":", "}")),
        "[".repeat(60_000),
        r#"{"name": "a", "name": "b"}"#.to_owned(),
        r#"{"name": "a", "n\u0061me": "b"}"#.to_owned(),
        r#"{"name": "a", "metadata": {"x": 1, "x": 2}}"#.to_owned(),
    ] {
        for path in ["/v1/keys", "/mcp"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
                 content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            assert_eq!(statuses(&server.answers(request.as_bytes())), [400], "{path} {:.60}", body);
        }
    }
    assert_eq!(server.key_count(), 1);
}

/// Sends the beginning, then a piece at each interval, until the server has ended the connection.
fn trickle(server: &Server, beginning: &str, piece: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(beginning.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answers = Vec::new();
    let mut buffer = [0; 1024];
    while begun.elapsed() < Duration::from_secs(30) {
        let _ = stream.write_all(piece.as_bytes());
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answers.extend(&buffer[..read]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    (String::from_utf8_lossy(&answers).into_owned(), begun.elapsed())
}

#[test]
fn slow_clients_end_in_time_and_do_not_delay_others() {
    let server = Server::start(&[]);
    let key = server.key("ann");
    let head = format!("POST /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n");
    let beginnings = [
        (format!("{head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"), "1\r\n \r\n"),
        (format!("{head}content-type: application/json\r\ncontent-length: 60000\r\n\r\n"), " "),
        ("GET /v1/keys HTTP/1.1\r\n".to_owned(), "x: y\r\n"),
        ("POST /v1/introspect HTTP/1.1\r\nhost: localhost\r\n".to_owned(), "x"),
    ];
    thread::scope(|scope| {
        // Half-open connections that send nothing at all, and as many as one client may have.
        let idle: Vec<_> = (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
        let slow: Vec<_> =
            beginnings.iter().map(|(beginning, piece)| scope.spawn(|| trickle(&server, beginning, piece))).collect();
        let authorization = format!("Bearer {key}");
        for _ in 0..50 {
            let begun = Instant::now();
            let answer = get(&server.url("/v1/authorize"), &[("authorization", &authorization)]);
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            thread::sleep(Duration::from_millis(50));
        }
        for client in slow {
            let (answers, time) = client.join().unwrap();
            assert!(time < Duration::from_secs(25), "{time:?} {answers}");
            assert!(statuses(&answers).iter().all(|status| *status == 408 || *status == 400), "{answers}");
        }
        for mut stream in idle {
            stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
            assert!(stream.read(&mut [0]).is_ok_and(|read| read == 0), "a silent connection is closed");
        }
    });
    assert_eq!(server.key_count(), 1);
}

#[test]
fn memory_stays_bounded_whatever_clients_send() {
    let mut server = Server::start(&[]);
    let key = server.key("ann");
    let authorization = format!("Bearer {key}");
    let ask = || get(&server.url("/v1/authorize"), &[("authorization", &authorization)]).status;
    assert_eq!(ask(), 200);
    let before = server.resident();
    let deep = "[".repeat(60_000);
    let large = format!(
        "POST /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{deep}",
        deep.len()
    );
    let requests = ambiguous(&key);
    thread::scope(|scope| {
        for client in 0..8 {
            let (server, requests, large, key) = (&server, &requests, &large, &key);
            scope.spawn(move || {
                for n in 0..60 {
                    server.answers(large.as_bytes());
                    server.answers(requests[(client * 7 + n) % requests.len()].as_bytes());
                    // A body that never comes, on a connection that is given up.
                    let mut stream = TcpStream::connect(server.address).unwrap();
                    let head = format!("GET /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n");
                    let _ = stream.write_all((head + "content-length: 65536\r\n\r\n" + &"x".repeat(1000)).as_bytes());
                }
            });
        }
        // Slow ones beside them, with large heads.
        let slow: Vec<_> = (0..200)
            .map(|_| {
                let mut stream = TcpStream::connect(server.address).unwrap();
                let _ = stream.write_all(format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(15 << 10)).as_bytes());
                stream
            })
            .collect();
        thread::sleep(Duration::from_secs(1));
        assert!(server.resident() < before + MAX_GROWTH, "{before} {}", server.resident());
        drop(slow);
    });
    assert_eq!(ask(), 200);
    let after = server.resident();
    assert!(after < before + MAX_GROWTH, "from {before} KiB to {after} KiB");
    server.terminate();
    let (code, log) = server.wait();
    assert_eq!(code, Some(0));
    assert!(!log.contains("panic"), "{log}");
}
