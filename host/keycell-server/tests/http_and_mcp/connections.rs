//! Connections: their number, their timeouts and their end.

use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use keycell::{Caller, Error, ListApiKeys};
use serde_json::json;
use tokio::{io::AsyncWriteExt, task::JoinSet, time::timeout};

use crate::support::{TestServer, call, connect_from, raw_ping, status_of};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Waits until so many calls of the storage wait.
async fn wait_until(server: &TestServer, waiting: usize) {
    let begun = Instant::now();
    while server.storage.waiting() != waiting {
        assert!(begun.elapsed() < Duration::from_secs(5), "{} calls wait", server.storage.waiting());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn connections_of_one_address_keep_no_other_address_waiting() {
    let server = TestServer::start();
    let key = server.key("ann");
    server.block_on(async {
        let mut kept = Vec::new();
        // More than there are places: some that ask for health, some that say nothing, some half a head.
        for n in 0..1600 {
            let mut stream = connect_from([127, 0, 0, 1], server.address).await;
            match n % 3 {
                0 => assert_eq!(status_of(&mut stream, HEALTH).await, Some(200)),
                1 => stream.write_all(b"POST /mcp HTTP/1.1\r\nhost: loc").await.unwrap(),
                _ => {}
            }
            kept.push(stream);
        }
        for address in [[127, 0, 0, 2], [127, 0, 0, 1]] {
            let begun = Instant::now();
            let mut stream = connect_from(address, server.address).await;
            assert_eq!(status_of(&mut stream, &raw_ping(&key, "")).await, Some(200));
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        }
    });
}

#[test]
fn busy_connections_leave_places_for_health_probes_and_for_other_addresses() {
    let server = TestServer::with(|server| server.max_connections(12).max_connections_per_address(8));
    let key = server.key("ann");
    let ping = raw_ping(&key, "");
    server.storage.stop(true);
    server.block_on(async {
        let busy = async |address, count, total| {
            let mut streams = Vec::new();
            for _ in 0..count {
                let mut stream = connect_from(address, server.address).await;
                stream.write_all(ping.as_bytes()).await.unwrap();
                streams.push(stream);
            }
            wait_until(&server, total).await;
            streams
        };
        let of_one = busy([127, 0, 0, 1], 8, 8).await;
        // One address has all that it may have.
        let mut new = connect_from([127, 0, 0, 1], server.address).await;
        assert_eq!(status_of(&mut new, HEALTH).await, Some(200));
        let mut refused = connect_from([127, 0, 0, 1], server.address).await;
        assert_eq!(status_of(&mut refused, &ping).await, Some(503));
        // Another address has the rest.
        let of_other = busy([127, 0, 0, 2], 4, 12).await;
        let mut third = connect_from([127, 0, 0, 3], server.address).await;
        assert_eq!(status_of(&mut third, HEALTH).await, Some(200));
        let mut third = connect_from([127, 0, 0, 3], server.address).await;
        assert_eq!(status_of(&mut third, &ping).await, Some(503));

        server.storage.stop(false);
        for mut stream in of_one.into_iter().chain(of_other) {
            assert_eq!(status_of(&mut stream, "").await, Some(200));
        }
    });
}

#[test]
fn a_request_that_was_given_up_drops_its_read_of_the_storage() {
    let server = TestServer::start();
    let key = server.key("ann");
    for body in [call("list_api_keys", json!({})), crate::support::PING.to_owned()] {
        let head = raw_ping(&key, "");
        let request = head[..head.find("content-length").unwrap()].to_owned()
            + &format!("content-length: {}\r\n\r\n{body}", body.len());
        server.storage.stop(true);
        server.block_on(async {
            let mut stream = connect_from([127, 0, 0, 1], server.address).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            wait_until(&server, 1).await;
            drop(stream);
            wait_until(&server, 0).await;
        });
        server.storage.stop(false);
    }
}

#[test]
fn lists_that_wait_leave_instances_for_reads() {
    let server = TestServer::start();
    let ann = Caller::user("ann");
    server.storage.stop_lists();
    server.block_on(async {
        let mut lists = JoinSet::new();
        for _ in 0..80 {
            let (keycell, ann) = (Arc::clone(&server.keycell), ann.clone());
            lists.spawn(async move { keycell.list_api_keys(&ann, ListApiKeys::default()).await });
        }
        wait_until(&server, 16).await;
        let read = server.keycell.get_api_key(&ann, "00000000-0000-7000-8000-000000000000");
        let answer = timeout(Duration::from_secs(5), read).await.expect("the lists hold every instance");
        assert!(matches!(answer, Err(Error::NotFound { .. })), "{answer:?}");
    });
}

#[test]
fn a_request_that_takes_too_long_is_answered_503() {
    let server = TestServer::with(|server| server.request_timeout(Duration::from_secs(1)));
    let key = server.key("ann");
    server.storage.stop(true);
    let late = server.ping(&key);
    late.assert_is_problem(503);
    assert_eq!(late.header("retry-after"), "1");
    server.storage.stop(false);
    assert_eq!(server.ping(&key).status, 200);
}

#[test]
fn readiness_is_that_of_the_storage_and_health_that_of_the_process() {
    let server = TestServer::start();
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &answer.body), (200, &json!("ok\n")), "{path}");
    }
    server.storage.fail(true);
    thread::sleep(Duration::from_millis(1100));
    server.get("/readyz").assert_is_problem(503);
    assert_eq!(server.get("/healthz").status, 200);
    server.storage.take_calls();
    for _ in 0..20 {
        server.get("/readyz").assert_is_problem(503);
    }
    assert!(server.storage.take_calls().get("check_ready").is_none_or(|calls| *calls <= 2), "probes share an answer");
    server.storage.fail(false);
    server.storage.stop(true);
    thread::sleep(Duration::from_millis(1100));
    let begun = Instant::now();
    server.get("/readyz").assert_is_problem(503);
    assert!(begun.elapsed() < Duration::from_secs(10), "storage that does not answer is not waited for");
}

#[test]
fn a_server_that_stops_answers_requests_under_way_and_accepts_no_client() {
    let mut server = TestServer::start();
    let key = server.key("ann");
    server.storage.stop(true);
    let (address, ping) = (server.address, raw_ping(&key, ""));
    let request = server.runtime.spawn(async move {
        let mut stream = connect_from([127, 0, 0, 1], address).await;
        status_of(&mut stream, &ping).await
    });
    thread::sleep(Duration::from_millis(300));
    server.stop();
    thread::sleep(Duration::from_millis(300));
    assert!(TcpStream::connect(server.address).is_err());
    server.storage.stop(false);
    assert_eq!(server.block_on(request).unwrap(), Some(200));
}

#[test]
fn a_client_that_reads_no_answer_is_left() {
    let server = TestServer::start();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = HEALTH.repeat(1000);
    let begun = Instant::now();
    let ended = loop {
        match stream.write(requests.as_bytes()) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => break error.kind(),
            Ok(_) => {}
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "the connection is still open");
    };
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
}

#[test]
fn a_connection_in_use_stays_open_and_an_idle_one_is_closed() {
    let server = TestServer::start();
    let mut stream = BufReader::new(TcpStream::connect(server.address).unwrap());
    for _ in 0..5 {
        stream.get_mut().write_all(HEALTH.as_bytes()).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "ok\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
        }
        thread::sleep(Duration::from_secs(4));
    }
    let begun = Instant::now();
    assert_eq!(stream.read_line(&mut String::new()).unwrap(), 0);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}
