//! Keys, scopes and the number of calls that they cost.

use std::collections::HashMap;

use keycell::Caller;
use serde_json::json;

use crate::support::{Answer, PING, TestServer, bearer};

const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

#[test]
fn a_tool_call_looks_the_key_up_once() {
    let server = TestServer::start();
    let key = server.key("ann");
    let created = server.call(&key, "create_api_key", json!({"name": "web"})).tool().unwrap();
    assert_eq!(created["user_id"], "ann");
    server.storage.take_calls();

    server.call(&key, "get_api_key", json!({"api_key_id": created["id"]})).tool().unwrap();
    assert_eq!(server.storage.take_calls(), HashMap::from([("find_key_by_lookup", 1), ("find_key", 1)]));
    server.call(&key, "create_api_key", json!({"name": "web"})).tool().unwrap();
    assert_eq!(server.storage.take_calls(), HashMap::from([("find_key_by_lookup", 1), ("insert_key", 1)]));
    // What reaches no tool is authenticated, too.
    assert_eq!(server.ping(&key).status, 200);
    assert_eq!(server.storage.take_calls(), HashMap::from([("find_key_by_lookup", 1)]));
    server.ping("malformed").assert_is_problem(401);
    assert_eq!(server.storage.take_calls(), HashMap::new());
}

#[test]
fn a_new_key_acts_and_another_user_s_key_sees_nothing() {
    let server = TestServer::start();
    let created = server.call(&server.key("ann"), "issue_api_key", json!({"name": "a", "scopes": ["api-keys:read"]}));
    let created = created.tool().unwrap();
    let id = json!({"api_key_id": created["id"]});
    let got = server.call(created["key"].as_str().unwrap(), "get_api_key", id.clone()).tool().unwrap();
    assert_eq!(got["key_prefix"], created["key_prefix"]);
    let hidden = server.call(&server.key("bob"), "get_api_key", id).tool().unwrap_err();
    assert_eq!(hidden, json!({"kind": "not-found", "subject": "api-key"}));
}

#[test]
fn every_kind_of_bad_key_gets_the_same_challenge() {
    let server = TestServer::start();
    let key = server.key("ann");
    let revoked = server.key("ann");
    server.block_on(async {
        let bearer = Caller::bearer(revoked.as_str());
        let id = server.keycell.describe_caller(&bearer).await.unwrap().api_key_id.unwrap();
        server.keycell.revoke_api_key(&Caller::user("ann"), &id.to_string(), None, None).await.unwrap();
    });

    for headers in [
        vec![],
        vec![("authorization", key.as_str())],
        vec![("authorization", "Basic YTpi")],
        vec![("authorization", "Bearer")],
    ] {
        let refused = server.post(&headers, PING);
        refused.assert_is_problem(401);
        assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="keycell""#);
    }
    let twice = bearer(&key);
    server.post(&[("authorization", &twice), ("authorization", &twice)], PING).assert_is_problem(401);

    let unknown = TestServer::start().key("ann");
    let bad_keys = ["hunter2", &key[1..], &unknown, &revoked];
    let requests = [
        PING.to_owned(),
        crate::support::call("create_api_key", json!({"name": "x"})),
        crate::support::call("create_api_key", json!({})),
        crate::support::call("no_such_tool", json!({})),
        "{bad".to_owned(),
    ];
    // Fewer than the burst of a server.
    for request in &requests {
        let server = TestServer::start();
        for bad in bad_keys {
            let refused = server.post(&[("authorization", &bearer(bad))], request);
            refused.assert_is_problem(401);
            assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="keycell", error="invalid_token""#);
        }
    }
    let refused = server.post(&[("authorization", &bearer(&revoked))], PING);
    refused.assert_is_problem(401);
}

#[test]
fn a_key_without_the_scope_of_a_tool_is_refused() {
    let server = TestServer::start();
    let [reader, writer, verifier] =
        ["api-keys:read", "api-keys:write", "api-keys:verify"].map(|scope| server.key_with("ann", &[scope]));
    let id = json!({"api_key_id": ID});
    let calls = [
        ("get_api_key", id.clone(), "api-keys:read"),
        ("describe_api_key", id.clone(), "api-keys:read"),
        ("list_api_keys", json!({}), "api-keys:read"),
        ("list_api_key_events", json!({}), "api-keys:read"),
        ("verify_api_key", json!({"key": "x"}), "api-keys:verify"),
        ("create_api_key", json!({"name": "x"}), "api-keys:write"),
        ("issue_api_key", json!({"name": "x", "scopes": []}), "api-keys:write"),
        ("revoke_api_key", id.clone(), "api-keys:write"),
        ("rotate_api_key", id.clone(), "api-keys:write"),
        ("update_api_key", json!({"api_key_id": ID, "name": "y"}), "api-keys:write"),
    ];
    assert_eq!(calls.len(), keycell::tools::TOOLS.len());
    for (tool, arguments, scope) in calls {
        for key in [&reader, &writer, &verifier] {
            let holds = [("api-keys:read", &reader), ("api-keys:write", &writer), ("api-keys:verify", &verifier)]
                .contains(&(scope, key));
            let answer = server.call(key, tool, arguments.clone());
            if holds { assert_eq!(answer.status, 200, "{tool}") } else { assert_lacks(&answer, scope) }
        }
    }
    // Faults of the arguments come after the scope, and after the key.
    assert_lacks(&server.call(&reader, "create_api_key", json!({"name": " "})), "api-keys:write");
    let listed = server.call(&reader, "list_api_keys", json!({"status": "all"})).tool().unwrap();
    assert_eq!(listed["api_keys"].as_array().unwrap().len(), 5, "three keys, and one of create and of issue");
}

fn assert_lacks(answer: &Answer, scope: &str) {
    answer.assert_is_problem(403);
    let challenge = format!(r#"Bearer realm="keycell", error="insufficient_scope", scope="{scope}""#);
    assert_eq!(answer.header("www-authenticate"), challenge);
}

#[test]
fn hosts_and_origins_of_others_are_refused() {
    let server = TestServer::with(|server| server.allowed_hosts(["keys.example.com"]));
    let key = bearer(&server.key("ann"));
    let with = |name, value| server.post(&[("authorization", &key), (name, value)], PING);
    let address = server.address.to_string();
    for host in ["127.0.0.1", "localhost:8787", "[::1]:80", "keys.example.com", &address] {
        assert_eq!(with("host", host).status, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.168.0.1"] {
        let refused = with("host", host);
        refused.assert_is_problem(403);
        assert_eq!(refused.body["type"], "urn:keycell:problem:host-not-allowed");
    }
    with("host", "evil@localhost").assert_is_problem(400);
    let own = format!("http://{address}");
    for origin in [own.as_str(), "http://localhost", "http://[::1]:3000", "https://keys.example.com"] {
        assert_eq!(with("origin", origin).status, 200, "{origin}");
    }
    for origin in ["http://evil.example", "http://localhost.evil.example", "ftp://localhost", "null", "invalid"] {
        with("origin", origin).assert_is_problem(403);
    }
    let twice = [("authorization", key.as_str()), ("origin", "http://localhost"), ("origin", "http://evil.example")];
    server.post(&twice, PING).assert_is_problem(400);
    let (hosts, _) =
        server.send_raw(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nhost: evil\r\nconnection: close\r\n\r\n");
    assert!(hosts.starts_with("HTTP/1.1 400"), "{hosts}");
}
