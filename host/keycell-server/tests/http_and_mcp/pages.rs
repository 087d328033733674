//! The pages for people: their headers, their weight, and the sign-in by one-time codes.

use std::collections::{BTreeMap, BTreeSet};

use keycell::tools::TOOLS;
use keycell_server::SignIn;
use serde_json::json;

use crate::support::{Answer, TestServer};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// The maximum weight of a page with all its files, in bytes.
const MAX_WEIGHT: usize = 60_000;

fn text(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.as_str().unwrap()
}

/// The files that attributes and imports in a text name, such as `/pages/style.css`.
fn files(text: &str) -> BTreeSet<String> {
    let names = text.split(['"', '\'']).filter(|part| part.starts_with("/pages/") || part.starts_with("./"));
    names.map(|name| format!("/pages/{}", name.rsplit('/').next().unwrap())).collect()
}

fn paths() -> impl Iterator<Item = String> {
    let tools = TOOLS.iter().map(|tool| format!("/tools/{}", tool.name));
    tools.chain(["/console".to_owned(), "/tools".to_owned()])
}

#[test]
fn a_page_names_each_file_that_it_needs_and_weighs_what_is_promised() {
    let server = TestServer::start();
    let mut all = BTreeMap::new();
    for path in paths() {
        let page = server.get(&path);
        let named = files(text(&page));
        let mut weight = text(&page).len();
        for name in &named {
            let file = server.get(name);
            // The browser loads them together, and none later.
            let imports = files(text(&file));
            assert!(imports.is_subset(&named), "{path} does not name {imports:?}");
            weight += text(&file).len();
            all.insert(name.clone(), text(&file).len());
        }
        assert!(weight < MAX_WEIGHT, "{path}: {weight} bytes");
    }
    // All pages and files together stay below the limit, too.
    let weight = text(&server.get("/console")).len() + all.values().sum::<usize>();
    assert_eq!(all.len(), 13, "{all:?}");
    assert!(weight < MAX_WEIGHT, "{weight} bytes");
}

#[test]
fn a_page_and_its_files_have_the_headers_that_are_promised() {
    let server = TestServer::start();
    for path in files(text(&server.get("/console"))) {
        let file = server.get(&path);
        assert_eq!(file.header("content-security-policy"), POLICY);
        assert_eq!((file.header("cache-control"), file.header("x-content-type-options")), ("no-cache", "nosniff"));
        let again = server.request("GET", &path, &[("if-none-match", file.header("etag"))], "");
        assert_eq!((again.status, again.body.as_str()), (304, Some("")));
    }
    for path in paths() {
        let page = server.get(&path);
        assert!(text(&page).starts_with("<!doctype html>"), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!((page.header("content-security-policy"), page.header("referrer-policy")), (POLICY, "no-referrer"));
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(text(&page).matches("<script").count(), 1);
    }
    server.get("/tools/no_such_tool").assert_is_problem(404);
    server.get("/pages/no_such_file").assert_is_problem(404);
    server.request("GET", "/console", &[("host", "evil.example")], "").assert_is_problem(403);
}

#[test]
fn a_server_can_leave_the_pages_out() {
    let server = TestServer::with(|server| server.pages(false).sign_in(SignIn::new("key")));
    for path in ["/console", "/tools", "/tools/create_api_key", "/pages/app.js", "/console/sign-in"] {
        server.get(path).assert_is_problem(404);
    }
}

#[test]
fn a_code_gives_the_key_once_and_to_this_origin() {
    let sign_in = SignIn::new("the key");
    let server = TestServer::with(|server| server.sign_in(sign_in.clone()));
    let exchange = |body: &str, headers: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        server.request("POST", "/console/sign-in", &headers, body)
    };
    let body = json!({"code": sign_in.new_code()}).to_string();
    exchange(&body, &[("origin", "http://evil.example")]).assert_is_problem(403);
    for wrong in ["", "{}", "[]", r#"{"code": ""}"#, r#"{"code": "0123"}"#] {
        exchange(wrong, &[]).assert_is_problem(403);
    }
    server.request("POST", "/console/sign-in", &[("content-type", "text/plain")], &body).assert_is_problem(415);
    server.get("/console/sign-in").assert_is_problem(405);
    let granted = exchange(&body, &[]);
    assert_eq!((granted.status, granted.body), (200, json!({"key": "the key"})));
    exchange(&body, &[]).assert_is_problem(403);

    let without = TestServer::start();
    without.request("POST", "/console/sign-in", &[("content-type", "application/json")], &body).assert_is_problem(404);
}
