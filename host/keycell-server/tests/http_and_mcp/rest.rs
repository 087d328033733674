//! The tools as REST.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, TestServer, bearer};

impl TestServer {
    fn get_with(&self, path: &str, key: &str) -> Answer {
        self.request("GET", path, &[("authorization", &bearer(key))], "")
    }

    fn rest(&self, method: &str, path: &str, key: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let authorization = bearer(key);
        let usual = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let usual = usual.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
        let all: Vec<_> = usual.chain(headers).copied().collect();
        self.request(method, path, &all, body)
    }
}

#[test]
fn a_key_lives_over_rest() {
    let server = TestServer::start();
    let key = server.key("ann");
    let body = json!({"name": "web", "scopes": ["api-keys:read"], "metadata": {"plan": "pro"}}).to_string();
    let created = server.rest("POST", "/v1/keys", &key, &[], &body);
    assert_eq!(created.status, 201, "{created:?}");
    let (id, new) = (created.body["id"].as_str().unwrap(), created.body["key"].as_str().unwrap());
    let path = format!("/v1/keys/{id}");
    assert_eq!((created.header("location"), created.header("etag")), (path.as_str(), "\"0\""));
    assert_eq!(created.header("cache-control"), "no-store");

    let read = server.rest("GET", &path, &key, &[], "");
    assert_eq!((read.status, &read.body["metadata"]), (200, &json!({"plan": "pro"})));
    let etag = read.header("etag").to_owned();
    let change = json!({"name": "renamed"}).to_string();
    let updated = server.rest("PATCH", &path, &key, &[("if-match", &etag)], &change);
    assert_eq!((updated.status, &updated.body["name"]), (200, &json!("renamed")));
    assert_ne!(updated.header("etag"), etag);
    for tag in [etag.as_str(), "W/\"1\"", "\"x\"", "\"01\"", "\"+1\"", "1"] {
        let stale = server.rest("PATCH", &path, &key, &[("if-match", tag)], &json!({"name": "again"}).to_string());
        stale.assert_is_problem(412);
        assert_eq!(stale.body["type"], "urn:keycell:problem:conflict");
    }

    let listed = server.rest("GET", "/v1/keys?status=active&limit=1", &key, &[], "");
    assert_eq!(listed.body["api_keys"][0]["id"], id);
    let cursor = listed.body["next_cursor"].as_str().unwrap();
    let next = server.rest("GET", &format!("/v1/keys?limit=1&cursor={cursor}"), &key, &[], "");
    assert_ne!(next.body["api_keys"][0]["id"], id);

    let verified = server.rest("POST", "/v1/keys/verify", &key, &[], &json!({"key": new}).to_string());
    assert_eq!((verified.status, &verified.body["valid"]), (200, &json!(true)));
    // For JSON Schema, 0.0 is an integer.
    let rotated = server.rest("POST", &format!("{path}/rotate"), &key, &[], r#"{"grace_seconds": 0.0}"#);
    assert_eq!(rotated.status, 201, "{rotated:?}");
    assert_eq!(rotated.header("location"), format!("/v1/keys/{}", rotated.body["id"].as_str().unwrap()));
    let again = server.rest("POST", &format!("{path}/rotate"), &key, &[], "{}");
    again.assert_is_problem(409);
    assert_eq!(again.body["type"], "urn:keycell:problem:not-active");
    assert_eq!(again.body["detail"], "the key is revoked, expired or already rotated: create a new key instead");
    let revoked = server.rest("POST", &format!("{path}/revoke"), &key, &[], r#"{"reason": "lost"}"#);
    assert_eq!((revoked.status, &revoked.body["revocation_reason"]), (200, &json!("lost")));
    let events = server.rest("GET", &format!("/v1/events?api_key_id={id}"), &key, &[], "");
    let actions: Vec<_> =
        events.body["events"].as_array().unwrap().iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["revoked", "rotated", "updated", "created"]);
}

#[test]
fn an_idempotency_key_makes_a_creation_repeatable() {
    let server = TestServer::start();
    let key = server.key("ann");
    let create = |name: &str, idempotency_key: &str| {
        let body = json!({"name": name, "scopes": []}).to_string();
        server.rest("POST", "/v1/keys", &key, &[("idempotency-key", idempotency_key)], &body)
    };
    let first = create("web", "order-1");
    let again = create("web", "\"order-1\"");
    assert_eq!((again.status, &again.body["id"]), (201, &first.body["id"]));
    assert_ne!(again.body["key"], first.body["key"]);
    create("other", "order-1").assert_is_problem(409);
    // A creation is not conditional, so this is not a failed precondition.
    let headers = [("idempotency-key", "order-1"), ("if-match", "\"0\"")];
    server.rest("POST", "/v1/keys", &key, &headers, r#"{"name": "other"}"#).assert_is_problem(409);
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    server.rest("POST", "/v1/keys", &key, &twice, "{}").assert_is_problem(400);
}

#[test]
fn errors_are_problems_and_the_key_comes_first() {
    let server = TestServer::start();
    let key = server.key("ann");
    let kind = |answer: &Answer, status| {
        answer.assert_is_problem(status);
        answer.body["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
    };
    let id = "/v1/keys/0192f0c1-2345-7abc-8def-0123456789ab";
    let post = |key: &str, body: &str| server.rest("POST", "/v1/keys", key, &[], body);
    let faulty = post(&key, r#"{"name": " ", "nmae": 1}"#);
    assert_eq!(kind(&faulty, 400), "invalid-input");
    assert_eq!(faulty.body["faults"][0]["field"], "nmae");
    assert_eq!(kind(&post(&key, r#"{"name": "a", "name": "b"}"#), 400), "invalid-json");
    assert_eq!(kind(&post(&key, "[]"), 400), "invalid-json");
    assert_eq!(kind(&post(&key, &"[".repeat(1000)), 400), "invalid-json");
    assert_eq!(kind(&post(&key, r#"{"name": "x", "idempotency_key": "y"}"#), 400), "invalid-input");
    let text = server.rest("POST", "/v1/keys", &key, &[("content-type", "text/plain")], "{}");
    assert_eq!(kind(&text, 415), "unsupported-media-type");
    assert_eq!(kind(&server.rest("GET", id, &key, &[], ""), 404), "not-found");
    assert_eq!(kind(&server.rest("GET", "/v1/keys?limit=x", &key, &[], ""), 400), "invalid-input");
    assert_eq!(kind(&server.rest("GET", "/v1/keys?limit=1&limit=2", &key, &[], ""), 400), "repeated-parameter");
    assert_eq!(kind(&server.rest("PATCH", id, &key, &[], r#"{"api_key_id": "x"}"#), 400), "invalid-input");
    server.rest("DELETE", id, &key, &[], "").assert_is_problem(405);

    let reader = server.key_with("ann", &["api-keys:read"]);
    let lacking = post(&reader, r#"{"name": "x"}"#);
    assert_eq!(kind(&lacking, 403), "insufficient-scope");
    assert!(lacking.header("www-authenticate").contains(r#"scope="api-keys:write""#));
    for body in [r#"{"name": "x"}"#, "[]", "{}"] {
        assert_eq!(kind(&post("wrong", body), 401), "unauthenticated");
    }
    assert_eq!(kind(&server.request("GET", "/v1/keys", &[], ""), 401), "unauthenticated");
}

#[test]
fn a_caller_learns_what_its_key_may_do() {
    let server = TestServer::start();
    let reader = server.rest("GET", "/v1/caller", &server.key_with("ann", &["api-keys:read"]), &[], "");
    assert_eq!((reader.status, reader.header("cache-control")), (200, "no-store"));
    assert_eq!((&reader.body["user_id"], &reader.body["operator"]), (&json!("ann"), &json!(false)));
    assert_eq!(reader.body["grantable_scopes"], json!(["api-keys:read"]));
    let admin = server.rest("GET", "/v1/caller", &server.key_with("root", &["api-keys:admin"]), &[], "");
    assert_eq!(admin.body["operator"], true);
    assert_eq!(admin.body["grantable_scopes"], json!(["api-keys:read", "api-keys:verify", "api-keys:write"]));
    assert_eq!((&admin.body["default_scopes"], &admin.body["longest_life_seconds"]), (&json!([]), &Value::Null));
    server.rest("GET", "/v1/caller", "wrong", &[], "").assert_is_problem(401);
    server.request("GET", "/v1/caller", &[], "").assert_is_problem(401);
}

#[test]
fn the_document_has_every_operation_and_the_schemas_of_the_tools() {
    let server = TestServer::start();
    let document = server.get("/openapi.json").body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            operations.insert(operation["operationId"].as_str().unwrap().to_owned());
            // Each is served: what it answers without a key is not 404 or 405.
            let path = path
                .replace("{id}", "0192f0c1-2345-7abc-8def-0123456789ab")
                .replace("{project}", "web")
                .replace("{user_id}", "ann");
            let answer = server.request(&method.to_uppercase(), &path, &[], "");
            assert!([400, 401].contains(&answer.status), "{method} {path}: {answer:?}");
        }
    }
    assert_eq!(operations.len(), 18);
    let issue = &document["paths"]["/v1/keys"]["post"];
    let tool = keycell::tools::TOOLS.iter().find(|tool| tool.name == "issue_api_key").unwrap();
    let output: Value = serde_json::from_str(tool.output_schema).unwrap();
    assert_eq!(issue["responses"]["201"]["content"]["application/json"]["schema"], output);
    let input = &issue["requestBody"]["content"]["application/json"]["schema"]["properties"];
    assert!(input.get("name").is_some() && input.get("idempotency_key").is_none());
    let answered = issue["responses"]["201"]["headers"].as_object().unwrap();
    assert_eq!(answered.keys().collect::<Vec<_>>(), ["ETag", "Location"]);
    let headers: Vec<_> = issue["parameters"].as_array().unwrap().iter().map(|parameter| &parameter["name"]).collect();
    assert_eq!(headers, ["Idempotency-Key"]);
}

#[test]
fn metrics_can_have_a_listener_of_their_own() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = TestServer::with(|server| server.metrics_listener(TcpListener::from_std(listener).unwrap()));
    server.get("/metrics").assert_is_problem(404);
    let main = std::mem::replace(&mut server.address, address);
    assert!(server.get("/metrics").body.as_str().unwrap().contains("status=\"404\"} 1\n"));
    server.get("/mcp").assert_is_problem(404);
    server.address = main;
    server.stop();
}

#[test]
fn metrics_count_requests_and_name_no_key_or_user() {
    let server = TestServer::start();
    let key = server.key("ann");
    server.ping(&key);
    server.ping("wrong");
    let metrics = server.get("/metrics");
    let text = metrics.body.as_str().unwrap();
    for expected in [
        "keycell_http_requests_total{method=\"POST\",route=\"/mcp\",status=\"200\"} 1\n",
        "keycell_http_requests_total{method=\"POST\",route=\"/mcp\",status=\"401\"} 1\n",
        "keycell_http_requests_under_way 1\n",
        "keycell_call_duration_seconds_count 2\n",
        "keycell_wrong_keys_total 1\n",
        "keycell_rate_limited_total 0\n",
        "keycell_errors_total{kind=\"unavailable\"} 0\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("ann") && !text.contains(key.rsplit_once('_').unwrap().0));
}

#[test]
fn instances_that_calls_hold_are_a_metric() {
    let server = TestServer::start();
    let key = server.key("ann");
    server.storage.stop(true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.ping(&key));
        while server.storage.waiting() == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let metrics = server.get("/metrics");
        let text = metrics.body.as_str().unwrap();
        let in_use = text.lines().find_map(|line| line.strip_prefix("keycell_pool_instances_in_use ")).unwrap();
        // The pool belongs to the process, so the other tests use it, too.
        assert!((1..=64).contains(&in_use.parse::<u32>().unwrap()), "{in_use}");
        server.storage.stop(false);
        assert_eq!(waiting.join().unwrap().status, 200);
    });
}

#[test]
fn metrics_count_storage_errors_and_rate_limited_verifications() {
    let server = TestServer::start();
    let key = server.key("ann");
    let limited = json!({"name": "x", "rate_limit": {"requests": 1, "window_seconds": 60}, "scopes": []});
    let created = server.rest("POST", "/v1/keys", &key, &[], &limited.to_string());
    let presented = created.body["key"].as_str().unwrap();
    let body = json!({"key": presented}).to_string();
    for _ in 0..3 {
        server.rest("POST", "/v1/keys/verify", &key, &[], &body);
    }
    server.get_with("/v1/authorize", presented);
    server.call(&key, "verify_api_key", json!({"key": presented}));
    server.storage.fail(true);
    server.rest("GET", "/v1/keys", &key, &[], "").assert_is_problem(503);
    server.ping(&key).assert_is_problem(503);
    server.storage.fail(false);
    let metrics = server.get("/metrics");
    let text = metrics.body.as_str().unwrap();
    assert!(text.contains("keycell_rate_limited_total 4\n"), "{text}");
    assert!(text.contains("keycell_errors_total{kind=\"unavailable\"} 2\n"), "{text}");
}

#[test]
fn metrics_beside_the_other_routes_are_for_this_machine_alone() {
    let server = TestServer::start();
    assert_eq!(server.get("/metrics").status, 200);
    for header in [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.1")] {
        server.request("GET", "/metrics", &[header], "").assert_is_problem(404);
    }
}
