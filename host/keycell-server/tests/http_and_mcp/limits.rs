//! Limits on wrong keys, behind a proxy and without one.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use keycell_server::Server;
use tokio::task::JoinSet;

use crate::support::{PING, TestServer, bearer, connect_from, raw_ping, status_of};

/// The maximum time of the response to a valid key.
const PROMPT: Duration = Duration::from_millis(500);

fn assert_is_prompt(server: &TestServer, key: &str) {
    let begun = Instant::now();
    let answer = server.ping(key);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
}

#[test]
fn four_hundred_wrong_keys_at_once_keep_to_the_burst_and_refuse_no_valid_key() {
    let server = TestServer::start();
    let [known, new] = ["ann", "bob"].map(|user| server.key(user));
    assert_is_prompt(&server, &known);
    let statuses = server.block_on(async {
        let mut guesses = JoinSet::new();
        for n in 0..400 {
            let (address, request) = (server.address, raw_ping(&format!("wrong{n}"), ""));
            guesses.spawn(async move { status_of(&mut connect_from([127, 0, 0, 1], address).await, &request).await });
        }
        let mut statuses: HashMap<Option<u16>, usize> = HashMap::new();
        while let Some(status) = guesses.join_next().await {
            *statuses.entry(status.unwrap()).or_default() += 1;
        }
        statuses
    });
    assert_is_prompt(&server, &new);
    assert_is_prompt(&server, &known);
    let count = |status| statuses.get(&status).copied().unwrap_or_default();
    assert!((10..=20).contains(&count(Some(401))), "{statuses:?}");
    // Some connections make room for others while their answers are delayed.
    assert_eq!(count(Some(401)) + count(Some(429)) + count(Some(503)) + count(None), 400, "{statuses:?}");
    assert!(count(Some(429)) > 100, "{statuses:?}");
}

/// Guesses from 127.0.0.1 on some connections while `body` runs; returns the number of answers.
fn while_guessing(server: &TestServer, connections: usize, headers: &str, body: impl FnOnce()) -> usize {
    let (address, guess) = (server.address, raw_ping("wrong", headers));
    let is_over = AtomicBool::new(false);
    let guesses = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let status = server
                        .block_on(async { status_of(&mut connect_from([127, 0, 0, 1], address).await, &guess).await });
                    assert!([None, Some(401), Some(429)].contains(&status), "{status:?}");
                    guesses.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(2));
        body();
        is_over.store(true, Ordering::SeqCst);
    });
    guesses.into_inner()
}

#[test]
fn a_guesser_refuses_no_key_to_a_process_that_has_just_started() {
    let server = TestServer::start();
    let keys: Vec<_> = (0..20).map(|n| server.key(&format!("user-{n}"))).collect();
    let guesses = while_guessing(&server, 16, "", || keys.iter().for_each(|key| assert_is_prompt(&server, key)));
    // The burst, then one a second on each connection, and two a second of the bucket.
    assert!((20..200).contains(&guesses), "{guesses}");
}

/// The statuses and times of 20 wrong keys at once, with these headers each.
fn guess_at_once(
    server: &TestServer,
    headers: impl Fn(usize) -> Vec<(&'static str, String)> + Sync,
) -> Vec<(u16, Duration)> {
    std::thread::scope(|scope| {
        let guess = |n| {
            let headers = headers(n);
            let mut all = vec![("authorization", "Bearer wrong")];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
            let begun = Instant::now();
            let answer = server.post(&all, "{}");
            assert_eq!(answer.header("retry-after"), if answer.status == 429 { "1" } else { "" });
            answer.assert_is_problem(answer.status);
            (answer.status, begun.elapsed())
        };
        let guesses: Vec<_> = (0..20).map(|n| scope.spawn(move || guess(n))).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    })
}

fn are_throttled(guesses: &[(u16, Duration)]) -> bool {
    guesses.iter().any(|(status, _)| *status == 429)
}

#[test]
fn too_many_wrong_keys_are_answered_late_with_the_time_to_wait() {
    let server = TestServer::start();
    let guesses = guess_at_once(&server, |_| vec![]);
    assert!(are_throttled(&guesses));
    for (status, time) in guesses {
        assert!(status == 401 || status == 429 && time >= Duration::from_secs(1), "{status} {time:?}");
    }
}

#[test]
fn storage_that_is_busy_costs_no_valid_key_its_tokens() {
    let server = TestServer::start();
    let key = server.key("ann");
    server.storage.fail(true);
    for _ in 0..20 {
        let busy = server.ping(&key);
        busy.assert_is_problem(503);
        assert_eq!(busy.header("retry-after"), "1");
    }
    server.storage.fail(false);
    server.ping("wrong").assert_is_problem(401);
}

fn behind_proxy(server: Server) -> Server {
    server.trusted_proxies(["127.0.0.1/32".parse().unwrap()])
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_limits() {
    let throttled = |headers: fn(usize) -> Vec<(&'static str, String)>| {
        are_throttled(&guess_at_once(&TestServer::with(behind_proxy), headers))
    };
    assert!(throttled(|n| vec![("x-forwarded-for", format!("198.51.100.{n}, 203.0.113.1"))]), "the last one counts");
    assert!(!throttled(|n| vec![("x-forwarded-for", format!("203.0.113.1, 198.51.100.{n}"))]));
    assert!(!throttled(|n| vec![("forwarded", format!("for=198.51.100.{n}"))]));
    // Headers that disagree are not trusted, so the proxy itself counts.
    let both = |n| vec![("forwarded", format!("for=198.51.100.{n}")), ("x-forwarded-for", format!("203.0.113.{n}"))];
    assert!(throttled(both));

    let server = TestServer::with(behind_proxy);
    let key = server.key("ann");
    assert!(are_throttled(&guess_at_once(&server, |_| vec![("x-forwarded-for", "203.0.113.1".to_owned())])));
    let headers = [("authorization", &*bearer(&key)), ("x-forwarded-for", "203.0.113.1")];
    assert_eq!(server.post(&headers, PING).status, 200, "a valid key of the same client");
}

#[test]
fn without_a_trusted_proxy_forwarded_addresses_count_for_nothing() {
    let guesses = guess_at_once(&TestServer::start(), |n| vec![("x-forwarded-for", format!("203.0.113.{n}"))]);
    assert!(are_throttled(&guesses));
}

#[test]
fn a_client_behind_a_proxy_has_a_limit_of_requests_at_the_same_time() {
    let server = TestServer::with(|server| behind_proxy(server).max_connections_per_address(8));
    let key = server.key("ann");
    server.storage.stop(true);
    let ping = |client: &str| {
        let (address, request) = (server.address, raw_ping(&key, &format!("x-forwarded-for: {client}\r\n")));
        async move { status_of(&mut connect_from([127, 0, 0, 1], address).await, &request).await }
    };
    server.block_on(async {
        let waiting: Vec<_> = (0..8).map(|_| tokio::spawn(ping("203.0.113.1"))).collect();
        while server.storage.waiting() < 8 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(ping("203.0.113.1").await, Some(503));
        let other = tokio::spawn(ping("203.0.113.2"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.storage.stop(false);
        assert_eq!(other.await.unwrap(), Some(200));
        for request in waiting {
            assert_eq!(request.await.unwrap(), Some(200));
        }
    });
}
