//! Projects and their members over REST.

use serde_json::{Value, json};

use crate::support::{Answer, TestServer, bearer};

/// The bearer of a key.
struct Holder<'a> {
    server: &'a TestServer,
    key: String,
}

impl Holder<'_> {
    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("authorization", &*bearer(&self.key)), ("content-type", "application/json")];
        match method {
            // The client sends a body with these two methods only.
            "PUT" => raw(self.server, method, path, &headers, &body),
            _ => self.server.request(method, path, &headers, &body),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &Value::Null)
    }
}

fn raw(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", server.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let (head, mut body) = agent.run(request.body(body).unwrap()).unwrap().into_parts();
    let text = body.read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

fn problem(answer: &Answer, status: u16) -> String {
    answer.assert_is_problem(status);
    answer.body["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
}

#[test]
fn an_operator_creates_a_project_and_its_admin_manages_the_members() {
    let server = TestServer::start();
    let with = |user: &str, scopes: &[&str]| Holder { server: &server, key: server.key_with(user, scopes) };
    let root = with("root", &["api-keys:admin"]);
    let [ann, bob, zoe] = ["ann", "bob", "zoe"].map(|user| with(user, &["api-keys:read", "api-keys:write"]));

    let created = root.ask("POST", "/v1/projects", &json!({"slug": "web"}));
    assert_eq!((created.status, &created.body["slug"]), (201, &json!("web")), "{created:?}");
    let id = created.body["id"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/v1/projects/{id}"));
    let taken = root.ask("POST", "/v1/projects", &json!({"slug": "web"}));
    assert_eq!(problem(&taken, 409), "conflict");
    assert!(taken.body["detail"].as_str().unwrap().contains("slug"), "{taken:?}");
    assert_eq!(problem(&ann.ask("POST", "/v1/projects", &json!({"slug": "mine"})), 403), "forbidden");

    let put = root.ask("PUT", "/v1/projects/web/members/ann", &json!({"role": "admin"}));
    assert_eq!((put.status, &put.body), (200, &json!({"user_id": "ann", "role": "admin"})), "{put:?}");
    // An admin manages the members; the project is named by id or slug.
    let put = ann.ask("PUT", &format!("/v1/projects/{id}/members/bob%20b"), &json!({"role": "member"}));
    assert_eq!(put.body["user_id"], "bob b");
    ann.ask("PUT", "/v1/projects/web/members/bob", &json!({"role": "member"}));
    let members = ann.get("/v1/projects/web/members");
    let expected = json!([
        {"user_id": "ann", "role": "admin"}, {"user_id": "bob", "role": "member"},
        {"user_id": "bob b", "role": "member"}, {"user_id": "root", "role": "admin"},
    ]);
    assert_eq!((members.status, &members.body["members"]), (200, &expected));
    assert_eq!(members.header("cache-control"), "no-store");
    for _ in 0..2 {
        let removed = ann.ask("DELETE", "/v1/projects/web/members/bob%20b", &Value::Null);
        assert_eq!((removed.status, &removed.body), (204, &json!("")));
    }
    assert_eq!(ann.get("/v1/projects/web/members").body["members"].as_array().unwrap().len(), 3);

    // A member sees the project and manages nothing; for others it is missing.
    assert_eq!(bob.get("/v1/projects/web").body, json!({"id": id, "slug": "web"}));
    assert_eq!(bob.get("/v1/projects").body, json!({"projects": [{"id": id, "slug": "web"}]}));
    assert_eq!(problem(&bob.get("/v1/projects/web/members"), 403), "forbidden");
    let promote = json!({"role": "admin"});
    assert_eq!(problem(&bob.ask("PUT", "/v1/projects/web/members/bob", &promote), 403), "forbidden");
    root.ask("POST", "/v1/projects", &json!({"slug": "app"}));
    assert_eq!(root.get("/v1/projects").body["projects"].as_array().unwrap().len(), 2);
    assert_eq!(zoe.get("/v1/projects").body, json!({"projects": []}));
    let same = |answer: &Answer| {
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("instance");
        (answer.status, body)
    };
    for path in ["", "/members"] {
        let [hidden, missing] = ["web", "none"].map(|slug| zoe.get(&format!("/v1/projects/{slug}{path}")));
        assert_eq!(problem(&hidden, 404), "not-found");
        assert_eq!(same(&hidden), same(&missing));
    }
}

#[test]
fn a_key_needs_a_scope_and_keeps_to_its_project() {
    let server = TestServer::start();
    let with = |user: &str, scopes: &[&str]| Holder { server: &server, key: server.key_with(user, scopes) };
    let root = with("root", &["api-keys:admin"]);
    for slug in ["web", "app"] {
        root.ask("POST", "/v1/projects", &json!({"slug": slug}));
        root.ask("PUT", &format!("/v1/projects/{slug}/members/ann"), &json!({"role": "admin"}));
    }
    let [reader, writer, none] = [&["api-keys:read"][..], &["api-keys:write"], &[]].map(|scopes| with("ann", scopes));
    let lacks = |answer: &Answer, scope: &str| {
        assert_eq!(problem(answer, 403), "insufficient-scope");
        assert_eq!(answer.body["scope"], scope);
    };
    assert_eq!(reader.get("/v1/projects/web/members").status, 200);
    lacks(&reader.ask("PUT", "/v1/projects/web/members/bob", &json!({"role": "member"})), "api-keys:write");
    lacks(&reader.ask("DELETE", "/v1/projects/web/members/bob", &Value::Null), "api-keys:write");
    lacks(&writer.get("/v1/projects"), "api-keys:read");
    lacks(&none.get("/v1/projects/web"), "api-keys:read");

    let issue = json!({"name": "bound", "project_reference": "web", "scopes": ["api-keys:read", "api-keys:write"]});
    let both = with("ann", &["api-keys:read", "api-keys:write"]);
    let issued = both.ask("POST", "/v1/keys", &issue);
    let bound = Holder { server: &server, key: issued.body["key"].as_str().unwrap().to_owned() };
    assert_eq!(bound.get("/v1/projects").body["projects"].as_array().unwrap().len(), 1);
    assert_eq!(problem(&bound.get("/v1/projects/app"), 404), "not-found");
    let put = bound.ask("PUT", "/v1/projects/web/members/eve", &json!({"role": "admin"}));
    assert_eq!(problem(&put, 403), "forbidden");
}

#[test]
fn a_request_that_is_wrong_is_a_problem_after_the_key() {
    let server = TestServer::start();
    let root = Holder { server: &server, key: server.key_with("root", &["api-keys:admin"]) };
    for body in [json!({}), json!({"slug": 1}), json!({"slug": "x", "id": "y"}), json!({"slug": "A b"}), json!([])] {
        assert!(problem(&root.ask("POST", "/v1/projects", &body), 400).starts_with("invalid-"), "{body}");
    }
    root.ask("POST", "/v1/projects", &json!({"slug": "web"}));
    for (user, body) in [("ann", json!({"role": "owner"})), ("ann", json!({})), ("a%00b", json!({"role": "member"}))] {
        let put = root.ask("PUT", &format!("/v1/projects/web/members/{user}"), &body);
        assert_eq!(problem(&put, 400), "invalid-input", "{user} {body}");
    }
    let long = format!("/v1/projects/web/members/{}", "a".repeat(256));
    assert_eq!(problem(&root.ask("DELETE", &long, &Value::Null), 400), "invalid-input");
    root.get("/v1/projects/A%20b").assert_is_problem(400);
    root.get("/v1/projects/%ff").assert_is_problem(400);
    let stranger = Holder { server: &server, key: "wrong".to_owned() };
    stranger.ask("POST", "/v1/projects", &json!([])).assert_is_problem(401);
    server.request("GET", "/v1/projects", &[], "").assert_is_problem(401);
    server.storage.fail(true);
    root.get("/v1/projects").assert_is_problem(503);
    server.storage.fail(false);
}
