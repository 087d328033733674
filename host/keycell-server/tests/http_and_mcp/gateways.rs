//! Authorization for gateways, introspection and revocation.

use std::time::Duration;

use keycell::{Caller, IssueApiKey, RateLimit};
use serde_json::json;

use crate::support::{ALL_SCOPES, Answer, TestServer, bearer};

const IDENTITY: [&str; 4] = ["x-keycell-key-id", "x-keycell-user", "x-keycell-project", "x-keycell-scopes"];

impl TestServer {
    fn authorize(&self, path: &str, key: &str) -> Answer {
        self.request("GET", path, &[("authorization", &bearer(key))], "")
    }

    fn limited_key(&self, requests: u32) -> String {
        let mut limit = RateLimit::default();
        (limit.requests, limit.window_seconds) = (requests, 60);
        let request = IssueApiKey::named("limited").with_owner("ann").with_scopes(ALL_SCOPES).with_rate_limit(limit);
        let operator = Caller::user("root").as_operator();
        self.block_on(self.keycell.issue_api_key(&operator, request)).unwrap().key.expose().to_owned()
    }

    fn form(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let headers = [headers, &[("content-type", "application/x-www-form-urlencoded")]].concat();
        self.request("POST", path, &headers, form)
    }
}

#[test]
fn a_valid_key_is_authorized_with_every_identity_header() {
    let server = TestServer::start();
    let key = server.key("ann");
    for (method, path) in [("GET", "/v1/authorize"), ("POST", "/v1/authorize/any/path"), ("DELETE", "/v1/authorize")] {
        let headers = [("authorization", &*bearer(&key)), ("host", "shop.example"), ("x-keycell-user", "forged")];
        let answer = server.request(method, &format!("{path}?scope=api-keys:read&scope=api-keys:write"), &headers, "x");
        assert_eq!((answer.status, &answer.body), (200, &json!("")), "{answer:?}");
        assert_eq!(IDENTITY.map(|name| answer.headers.get_all(name).iter().count()), [1; 4]);
        assert_eq!(answer.header("x-keycell-user"), "ann");
        assert_eq!(answer.header("x-keycell-project"), "");
        assert_eq!(answer.header("x-keycell-scopes"), "api-keys:read api-keys:verify api-keys:write");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // Envoy builds these paths from the path of its client.
    for path in ["/v1/authorize/", "/v1/authorize?scope=api-keys:read&path=/orders?page=1&scope=none&deny=403"] {
        assert_eq!(server.authorize(path, &key).status, 200, "{path}");
    }
    let alone = server.request("GET", "/v1/authorize", &[("x-api-key", &key)], "");
    assert_eq!(alone.status, 200);
    server.get(&format!("/v1/authorize?key={key}")).assert_is_problem(401);
}

#[test]
fn refusals_are_401_403_429_and_503() {
    let server = TestServer::start();
    let reader = server.key_with("ann", &["api-keys:read"]);
    let refused = server.authorize("/v1/authorize", "wrong");
    refused.assert_is_problem(401);
    assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="keycell", error="invalid_token""#);
    assert!(IDENTITY.iter().all(|name| refused.header(name).is_empty()));
    let lacking = server.authorize("/v1/authorize?scope=api-keys:write&scope=api-keys:verify", &reader);
    lacking.assert_is_problem(403);
    assert!(lacking.header("www-authenticate").contains(r#"scope="api-keys:write api-keys:verify""#), "{lacking:?}");
    server.authorize("/v1/authorize?scope=%22", &reader).assert_is_problem(400);

    let limited = server.limited_key(2);
    let first = server.authorize("/v1/authorize", &limited);
    assert_eq!(first.header("ratelimit-policy"), r#""key";q=2;w=60"#);
    assert_eq!(first.header("ratelimit"), r#""key";r=1;t=30"#);
    assert_eq!(server.authorize("/v1/authorize", &limited).status, 200);
    let over = server.authorize("/v1/authorize", &limited);
    over.assert_is_problem(429);
    assert!((1..=30).contains(&over.header("retry-after").parse::<u32>().unwrap()), "{over:?}");
    server.storage.fail(true);
    let busy = server.authorize("/v1/authorize", &reader);
    busy.assert_is_problem(503);
    assert_eq!(busy.header("retry-after"), "1");
}

#[test]
fn nginx_gets_401_or_403_and_the_status_in_a_header() {
    let server = TestServer::start();
    let limited = server.limited_key(1);
    assert_eq!(server.authorize("/v1/authorize?deny=403", &limited).status, 200);
    let over = server.authorize("/v1/authorize?deny=403", &limited);
    assert_eq!((over.status, over.header("x-keycell-status")), (403, "429"));
    assert!(!over.header("retry-after").is_empty());
    let lacking = server.authorize("/v1/authorize?deny=403&scope=x", &server.key("ann"));
    assert_eq!((lacking.status, lacking.header("x-keycell-status")), (403, "403"));
    assert!(!lacking.header("www-authenticate").is_empty());
    assert_eq!(server.authorize("/v1/authorize?deny=403", "wrong").status, 401);
    server.storage.fail(true);
    let busy = server.authorize("/v1/authorize?deny=403", &server.key_before_failure());
    assert_eq!((busy.status, busy.header("x-keycell-status"), busy.header("retry-after")), (403, "503", "1"));
}

#[test]
fn answers_that_the_limits_of_the_server_give_are_for_gateways_too() {
    let server = TestServer::with(|server| server.request_timeout(Duration::from_millis(500)));
    let key = server.key("ann");
    server.storage.stop(true);
    for (path, status) in [("/v1/authorize", 503), ("/v1/authorize/orders?deny=403", 403)] {
        let late = server.authorize(path, &key);
        assert_eq!((late.status, late.header("retry-after"), late.header("cache-control")), (status, "1", "no-store"));
        assert_eq!(late.header("x-keycell-status"), if status == 403 { "503" } else { "" });
    }
    // Other routes have no such parameter.
    server.request("GET", "/v1/caller?deny=403", &[("authorization", &bearer(&key))], "").assert_is_problem(503);
    server.get("/v1/authorized?deny=403").assert_is_problem(404);
    server.storage.stop(false);
}

impl TestServer {
    /// A well-formed key that is looked up although the storage fails.
    fn key_before_failure(&self) -> String {
        self.storage.fail(false);
        let key = self.key("ann");
        self.storage.fail(true);
        key
    }
}

#[test]
fn introspection_tells_an_authenticated_caller_what_a_key_is() {
    let server = TestServer::start();
    let (caller, key) = (server.key("backend"), server.key_with("ann", &["api-keys:read", "api-keys:write"]));
    let authorization = bearer(&caller);
    let introspect = |token: &str| server.form("/v1/introspect", &[("authorization", &authorization)], token);
    let active = introspect(&format!("token={key}&token_type_hint=access_token"));
    assert_eq!(active.status, 200, "{active:?}");
    assert_eq!(active.header("cache-control"), "no-store");
    let body = &active.body;
    assert_eq!((&body["active"], &body["sub"], &body["token_type"]), (&json!(true), &json!("ann"), &json!("Bearer")));
    assert_eq!(body["scope"], "api-keys:read api-keys:write");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(body["iat"].as_u64().unwrap().abs_diff(now) < 60);
    for token in ["token=wrong", "token=", &format!("token={}", TestServer::start().key("ann"))] {
        assert_eq!(introspect(token).body, json!({"active": false}), "{token}");
    }
    introspect("").assert_is_problem(400);
    introspect("token=a&token=b").assert_is_problem(400);

    use base64::{Engine, engine::general_purpose::STANDARD};
    let basic = |key: &str| format!("Basic {}", STANDARD.encode(format!("client:{key}")));
    let by_basic = server.form("/v1/introspect", &[("authorization", &basic(&caller))], &format!("token={key}"));
    assert_eq!(by_basic.body["active"], true);
    let token = format!("token={key}");
    for headers in [&[][..], &[("authorization", &*basic("wrong"))]] {
        let refused = server.form("/v1/introspect", headers, &token);
        refused.assert_is_problem(401);
        let challenges: Vec<_> = refused.headers.get_all("www-authenticate").iter().collect();
        assert!(challenges[0].to_str().unwrap().starts_with("Bearer realm="), "{challenges:?}");
        assert_eq!(challenges[1], "Basic realm=\"keycell\"");
    }
    server.form("/v1/introspect", &[("authorization", &bearer(&key))], &token).assert_is_problem(403);
}

#[test]
fn an_introspection_counts_for_the_limit_of_the_key() {
    let server = TestServer::start();
    let (caller, limited) = (bearer(&server.key("backend")), server.limited_key(1));
    let introspect = || server.form("/v1/introspect", &[("authorization", &caller)], &format!("token={limited}"));
    let first = introspect();
    assert_eq!((first.status, &first.body["active"]), (200, &json!(true)));
    assert_eq!(first.header("ratelimit-policy"), r#""key";q=1;w=60"#);
    assert_eq!(first.header("ratelimit"), r#""key";r=0;t=60"#);
    let over = introspect();
    over.assert_is_problem(429);
    assert!((1..=60).contains(&over.header("retry-after").parse::<u32>().unwrap()), "{over:?}");
}

#[test]
fn the_holder_of_a_key_may_end_it() {
    let server = TestServer::start();
    let key = server.key_with("ann", &["api-keys:read"]);
    assert_eq!(server.ping(&key).status, 200);
    assert_eq!(server.form("/v1/revoke", &[], &format!("token={key}&token_type_hint=access_token")).status, 200);
    server.ping(&key).assert_is_problem(401);
    for token in [key.as_str(), "wrong"] {
        assert_eq!(server.form("/v1/revoke", &[], &format!("token={token}")).status, 200, "{token}");
    }
    server.form("/v1/revoke", &[], "").assert_is_problem(400);
}
