//! The command, run as a process.

mod config;
mod database;
mod output;
mod pages;
mod postgres;
mod postgres_refused;
mod secrets;
mod server;

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::cli::{Cli, assert_is_output_of, id, secret};

/// The id of no key.
const MISSING_ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

#[test]
fn a_key_is_created_and_read_in_a_pipe() {
    let cli = Cli::new();
    let project = cli.json(&["project", "create", "web"]);
    let created = cli.json(&["create", "--name", " deploy ", "--project", "web", "--expires-at", "2131-01-31"]);
    assert_is_output_of("create_api_key", &created);
    assert_eq!(created["name"], "deploy");
    assert_eq!(created["project_id"], project["id"]);
    assert_eq!(created["user_id"], "local");
    assert_eq!(created["expires_at"], "2131-01-31T00:00:00.000Z");
    assert_eq!(created["scopes"], json!(["api-keys:read", "api-keys:write"]));

    let read = cli.json(&["get", id(&created)]);
    assert_is_output_of("get_api_key", &read);
    assert_eq!(read["key_prefix"], created["key_prefix"]);
    let described = cli.json(&["describe", id(&created)]);
    assert_is_output_of("describe_api_key", &described);
    assert_eq!(described["status"], "active");
    assert_eq!(cli.json(&["project", "list"]), json!([project]));
}

#[test]
fn a_key_is_issued_with_every_option() {
    let cli = Cli::new();
    let metadata = cli.file("plan.json", "{ \"plan\": \"pro\", \"seats\": 5 }");
    let issued = cli.json(&[
        "create",
        "--operator",
        "--name",
        "orders",
        "--owner",
        "ann",
        "--scope",
        "api-keys:verify",
        "--scope",
        "api-keys:read",
        "--metadata",
        &format!("@{metadata}"),
        "--limit",
        "100/60s",
        "--idempotency-key",
        "order-1",
    ]);
    assert_is_output_of("issue_api_key", &issued);
    assert_eq!(issued["user_id"], "ann");
    assert_eq!(issued["scopes"], json!(["api-keys:read", "api-keys:verify"]));
    assert_eq!(issued["metadata"], json!({"plan": "pro", "seats": 5}));
    assert_eq!(issued["rate_limit"], json!({"requests": 100, "window_seconds": 60}));

    let bare = cli.json(&["create", "--name", "bare", "--no-scopes", "--metadata", "{\"a\":1}"]);
    assert_eq!((&bare["scopes"], &bare["metadata"]), (&json!([]), &json!({"a": 1})));
}

#[test]
fn faults_of_issuing_name_the_argument_and_not_the_value() {
    let cli = Cli::new();
    for (args, expected) in [
        (&["--metadata", "[1]"][..], "metadata must"),
        (&["--scope", "orders:read"], "scopes "),
        (&["--scope", "api-keys:admin"], "scopes "),
        (&["--limit", "0/60s"], "rate_limit must"),
        (&["--limit", "1/2days"], "rate_limit must"),
        (&["--idempotency-key", "é"], "idempotency_key must"),
    ] {
        let stderr = cli.fails(1, &[&["create", "--name", "x"], args].concat());
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
    let stderr = cli.fails(1, &["create", "--name", "x", "--owner", "ann"]);
    assert_eq!(stderr, "error: only an operator may name another owner: use --operator\n");
    for command in ["list", "events"] {
        assert_eq!(
            cli.fails(1, &[command, "--owner", "ann"]),
            "error: only an operator may name another owner: use --operator, or name a project that you administer\n"
        );
    }
    let stderr = cli.fails(1, &["create", "--name", "x", "--metadata", "@/does/not/exist"]);
    assert!(stderr.contains("--metadata cannot be read"), "{stderr}");
    cli.fails(2, &["create", "--name", "x", "--limit", "100"]);
    cli.fails(2, &["create", "--name", "x", "--scope", "api-keys:read", "--no-scopes"]);
}

#[test]
fn a_repeat_with_an_idempotency_key_has_the_only_valid_secret() {
    let cli = Cli::new();
    let args = ["create", "--name", "x", "--idempotency-key", "once"];
    let (first, second) = (cli.json(&args), cli.json(&args));
    assert_eq!(id(&first), id(&second));
    assert_eq!(cli.verify(secret(&first), &[]), ("unknown\n".to_owned(), 1));
    assert!(cli.fails(1, &["create", "--name", "y", "--idempotency-key", "once"]).contains("idempotency key"));
    assert_eq!(cli.verify(secret(&second), &[]), ("valid\n".to_owned(), 0));
    assert!(cli.fails(1, &args).contains("idempotency key"), "the key has been used");
}

#[test]
fn a_rate_limit_is_a_limit_of_one_process() {
    let cli = Cli::new();
    let limited = cli.json(&["create", "--name", "x", "--limit", "1/1h"]);
    let (details, code) = cli.verify(secret(&limited), &["--json"]);
    let details: Value = serde_json::from_str(&details).unwrap();
    assert_is_output_of("verify_api_key", &details);
    assert_eq!((&details["rate_limit"]["remaining"], code), (&json!(0), 0));
    assert_eq!(cli.verify(secret(&limited), &[]).0, "valid\n", "each process counts by itself");
}

#[test]
fn an_operator_sees_and_changes_every_key() {
    let cli = Cli::new();
    let of_ann = cli.json(&["create", "--name", "x", "--user", "ann"]);
    let of_bob = cli.json(&["create", "--name", "y", "--user", "bob"]);
    let ids = |args: &[&str]| -> Vec<Value> {
        let page = cli.json(&[&["list"], args].concat());
        assert_is_output_of("list_api_keys", &page);
        page["api_keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect()
    };
    assert_eq!(ids(&[]), Vec::<Value>::new());
    assert_eq!(ids(&["--operator"]), [of_bob["id"].clone(), of_ann["id"].clone()]);
    assert_eq!(ids(&["--operator", "--owner", "ann"]), [of_ann["id"].clone()]);
    assert_eq!(ids(&["--user", "ann", "--owner", "ann"]), [of_ann["id"].clone()]);
    assert!(cli.fails(1, &["list", "--owner", "ann"]).contains("only an operator"));

    cli.fails(1, &["revoke", id(&of_ann)]);
    let mut revoke = cli.command();
    revoke.env("KEYCELL_OPERATOR", "true").args(["revoke", id(&of_ann)]);
    let revoked: Value = serde_json::from_slice(&revoke.output().unwrap().stdout).unwrap();
    assert_eq!((&revoked["status"], &revoked["user_id"]), (&json!("revoked"), &json!("ann")));
    let admin = cli.json(&["create", "--operator", "--name", "admin", "--scope", "api-keys:admin"]);
    assert_eq!(admin["scopes"], json!(["api-keys:admin"]));
}

#[test]
fn events_list_every_change_and_are_filtered() {
    let cli = Cli::new();
    cli.json(&["project", "create", "web"]);
    let own = cli.json(&["create", "--name", "x"]);
    let of_project = cli.json(&["create", "--name", "y", "--project", "web"]);
    cli.json(&["update", id(&own), "--name", "z"]);
    cli.json(&["revoke", id(&own), "--reason", "test"]);
    let of_ann = cli.json(&["create", "--name", "a", "--user", "ann"]);
    let actions = |args: &[&str]| -> Vec<(String, String)> {
        let page = cli.json(&[&["events"], args].concat());
        assert_is_output_of("list_api_key_events", &page);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let events = page["events"].as_array().unwrap().iter();
        events.map(|event| (text(&event["action"]), text(&event["api_key_id"]))).collect()
    };
    let event = |action: &str, key: &Value| (action.to_owned(), id(key).to_owned());
    let of_own = [event("revoked", &own), event("updated", &own), event("created", &own)];
    assert_eq!(actions(&["--key", id(&own)]), of_own);
    assert_eq!(actions(&[]).len(), 4);
    assert_eq!(actions(&["--project", "web"]), [event("created", &of_project)]);
    assert_eq!(actions(&["--operator", "--owner", "ann"]), [event("created", &of_ann)]);
    assert_eq!(actions(&["--operator", "--limit", "2"]).len(), 2);
    assert_eq!(actions(&["--operator", "--all"]).len(), 5);
    assert_eq!(actions(&["--until", "2001-01-01"]), []);
    assert_eq!(actions(&["--since", "2001-01-01", "--until", "2131-01-01"]).len(), 4);
    assert!(cli.fails(1, &["events", "--since", "soon"]).contains("since must"));
    assert_eq!(cli.fails(1, &["events", "--key", id(&of_ann)]), "error: no such API key\n");
}

#[test]
fn an_admin_of_a_project_changes_its_members_and_reads_their_keys() {
    let cli = Cli::new();
    cli.json(&["project", "create", "web", "--user", "ann"]);
    let as_ann = |args: &[&str]| cli.json(&[args, &["--user", "ann"]].concat());
    let members = as_ann(&["project", "member", "add", "web", "bob"]);
    let (ann, bob) = (json!({"user_id": "ann", "role": "admin"}), json!({"user_id": "bob", "role": "member"}));
    assert_eq!(members, json!([ann, bob]));
    let of_bob = cli.json(&["create", "--name", "x", "--project", "web", "--user", "bob"]);
    assert_eq!(as_ann(&["list", "--project", "web"])["api_keys"][0]["id"], of_bob["id"]);
    assert_eq!(as_ann(&["project", "member", "list", "web"]), members);

    for command in [&["list", "web"][..], &["add", "web", "carol"], &["remove", "web", "ann"]] {
        let not_admin = cli.fails(1, &[&["project", "member", "--user", "bob"], command].concat());
        assert!(not_admin.contains("only an admin"), "{not_admin}");
    }
    let hidden = cli.fails(1, &["project", "member", "list", "web", "--user", "carol"]);
    assert_eq!(hidden, "error: no such project\n");
    assert_eq!(hidden, cli.fails(1, &["project", "member", "list", "other", "--user", "carol"]));

    as_ann(&["project", "member", "add", "web", "bob", "--role", "admin"]);
    let left = cli.json(&["project", "member", "remove", "web", "ann", "--user", "bob"]);
    assert_eq!(left, json!([{"user_id": "bob", "role": "admin"}]));
    assert_eq!(
        cli.fails(1, &["project", "member", "remove", "web", "ann", "--user", "bob"]),
        "error: the user is not a member of the project: see `keycell project member list`\n"
    );
    cli.json(&["project", "member", "add", "web", "dave", "--operator"]);
    assert_eq!(cli.json(&["project", "list", "--operator"]).as_array().unwrap().len(), 1);
    assert!(cli.fails(2, &["project", "member", "add", "web", "bob", "--role", "owner"]).contains("member or admin"));
    assert!(cli.fails(2, &["project", "member", "add", "web", ""]).contains("255 bytes"));
}

#[test]
fn users_do_not_see_each_other() {
    let cli = Cli::new();
    cli.json(&["project", "create", "web", "--user", "ann"]);
    let created = cli.json(&["create", "--name", "x", "--user", "ann"]);
    let id = created["id"].as_str().unwrap();
    let stranger = cli.fails(1, &["get", id, "--user", "bob"]);
    let missing = cli.fails(1, &["get", MISSING_ID, "--user", "bob"]);
    assert_eq!(stranger, missing);
    assert_eq!(stranger, "error: no such API key\n");
    assert_eq!(
        cli.fails(1, &["create", "--name", "x", "--project", "web", "--user", "bob"]),
        "error: no such project\n"
    );
    assert_eq!(cli.json(&["project", "list", "--user", "bob"]), json!([]));
}

#[test]
fn refusals_exit_with_1_and_wrong_usage_with_2() {
    let cli = Cli::new();
    let faults = cli.fails(1, &["create", "--name", " ", "--project", "A", "--expires-at", "2001-01-01"]);
    for field in ["name must", "project_reference must", "expires_at must"] {
        assert!(faults.contains(field), "{faults}");
    }
    cli.json(&["project", "create", "web"]);
    assert!(cli.fails(1, &["project", "create", "web"]).contains("already"));
    assert!(cli.fails(1, &["project", "create", "Web"]).contains("error: "));
    assert!(cli.fails(2, &["create", "--name", "x", "--user", ""]).contains("--user"));
    for wrong in [&["create"][..], &["get"], &["frobnicate"], &["create", "--name", "x", "--colour"], &[]] {
        assert!(cli.fails(2, wrong).contains("Usage"), "{wrong:?}");
    }
}

#[test]
fn a_key_is_verified_from_standard_input() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    assert_eq!(cli.json(&["get", id])["last_used_at"], Value::Null);
    assert_eq!(cli.verify(key, &[]), ("valid\n".to_owned(), 0));
    assert_eq!(cli.verify(&format!("{key}\r"), &["--scope", "api-keys:read"]), ("valid\n".to_owned(), 0));
    // Each process is an orderly stop, which stores the use.
    assert!(cli.json(&["get", id])["last_used_at"].is_string());

    assert_eq!(cli.verify(key, &["--scope", "api-keys:read", "--scope", "x"]), ("missing-scopes\n".to_owned(), 1));
    assert_eq!(cli.verify("", &[]), ("malformed\n".to_owned(), 1));
    assert_eq!(cli.verify(&"x".repeat(100_000), &[]).1, 1);
    let other = Cli::new().json(&["create", "--name", "x"]);
    assert_eq!(cli.verify(other["key"].as_str().unwrap(), &[]), ("unknown\n".to_owned(), 1));

    let (details, code) = cli.verify(key, &["--scope", "x", "--json"]);
    let details: Value = serde_json::from_str(&details).unwrap();
    assert_is_output_of("verify_api_key", &details);
    assert_eq!((&details["reason"], &details["missing_scopes"], code), (&json!("missing-scopes"), &json!(["x"]), 1));
    let details: Value = serde_json::from_str(&cli.verify(key, &["--json"]).0).unwrap();
    assert_is_output_of("verify_api_key", &details);
    assert_eq!((&details["valid"], &details["id"]), (&json!(true), &json!(id)));
}

#[test]
fn a_key_lives_from_creation_to_rotation_and_revocation() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x", "--expires-at", "2131-01-31"]);
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());

    let updated = cli.json(&["update", id, "--name", "y", "--expires-at", "2130-01-31"]);
    assert_is_output_of("update_api_key", &updated);
    assert_eq!((&updated["name"], &updated["status"]), (&json!("y"), &json!("active")));
    assert!(cli.fails(1, &["update", id, "--expires-at", "2131-01-31"]).contains("earlier"));
    cli.fails(2, &["update", id]);
    let limited = cli.json(&["update", id, "--metadata", "{\"a\": 1}", "--limit", "5/10s"]);
    assert_eq!(limited["metadata"], json!({"a": 1}));
    assert_eq!(limited["rate_limit"], json!({"requests": 5, "window_seconds": 10}));
    let unlimited = cli.json(&["update", id, "--no-metadata", "--no-limit"]);
    assert_eq!((&unlimited["metadata"], &unlimited["rate_limit"]), (&Value::Null, &Value::Null));
    cli.fails(2, &["update", id, "--limit", "5/10s", "--no-limit"]);
    cli.fails(2, &["update", id, "--metadata", "{}", "--no-metadata"]);

    let rotated = cli.json(&["rotate", id, "--grace", "1h"]);
    assert_is_output_of("rotate_api_key", &rotated);
    assert_eq!((&rotated["name"], &rotated["expires_at"]), (&json!("y"), &json!("2130-01-31T00:00:00.000Z")));
    assert_eq!(cli.verify(key, &[]).0, "valid\n");
    let not_active = "error: the key is revoked, expired or already rotated: create a new key instead\n";
    assert_eq!(cli.fails(1, &["rotate", id]), not_active);
    cli.fails(2, &["rotate", id, "--grace", "soon"]);

    let new_id = rotated["id"].as_str().unwrap();
    let replaced = cli.json(&["rotate", new_id]);
    assert_eq!(cli.verify(rotated["key"].as_str().unwrap(), &[]), ("expired\n".to_owned(), 1));

    let revoked = cli.json(&["revoke", id, "--reason", "left in a screenshot"]);
    assert_is_output_of("revoke_api_key", &revoked);
    assert_eq!((&revoked["status"], &revoked["rotated_to"]), (&json!("revoked"), &json!(new_id)));
    assert_eq!(cli.verify(key, &[]), ("revoked\n".to_owned(), 1));
    assert_eq!(cli.json(&["revoke", id, "--reason", "again"])["revocation_reason"], "left in a screenshot");

    let ids = |args: &[&str]| -> Vec<Value> {
        let page = cli.json(&[&["list"], args].concat());
        assert_is_output_of("list_api_keys", &page);
        page["api_keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect()
    };
    assert_eq!(ids(&[]), [replaced["id"].clone()]);
    assert_eq!(ids(&["--status", "expired"]), [json!(new_id)]);
    assert_eq!(ids(&["--status", "revoked"]), [json!(id)]);
    assert_eq!(ids(&["--status", "all", "--limit", "2"]).len(), 2);
    assert_eq!(ids(&["--status", "all", "--limit", "2", "--all"]).len(), 3);
    assert!(cli.fails(1, &["list", "--limit", "101", "--status", "gone"]).contains("from 1 to 100"));
}

#[test]
fn help_has_examples_and_shells_have_completions() {
    let cli = Cli::new();
    for command in [
        &["--help"][..],
        &["create", "--help"],
        &["get", "--help"],
        &["describe", "--help"],
        &["conformance", "--help"],
        &["component", "--help"],
        &["verify", "--help"],
        &["list", "--help"],
        &["revoke", "--help"],
        &["rotate", "--help"],
        &["update", "--help"],
        &["project", "create", "--help"],
        &["project", "member", "add", "--help"],
        &["events", "--help"],
        &["check", "--help"],
        &["backup", "--help"],
        &["config", "show", "--help"],
        &["mcp", "--help"],
        &["serve", "--help"],
    ] {
        let output = cli.run(command);
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        let (_, examples) = help.split_once("Example").unwrap_or_else(|| panic!("{command:?}"));
        let example = ["keycell", &command[..command.len() - 1].join(" ")].join(" ");
        assert!(examples.contains(example.trim_end()), "{command:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(String::from_utf8(cli.run(&["completions", shell]).stdout).unwrap().contains("keycell"));
    }
}

/// The code of a fault in the component's data is edited.
#[test]
fn a_wrong_component_fails_the_suite() {
    let cli = Cli::new();
    let file = cli.dir.path().join("wrong.wasm");
    cli.json(&["component", "--output", file.to_str().unwrap()]);
    let mut bytes = fs::read(&file).unwrap();
    let code = b"not-a-scope";
    let start = bytes.windows(code.len()).position(|window| window == code).unwrap();
    bytes[start] = b'N';
    fs::write(&file, bytes).unwrap();

    let output = cli.run(&["conformance", file.to_str().unwrap()]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(lines.lines().any(|line| line.starts_with("FAIL  ")), "{lines}");
    assert!(lines.lines().any(|line| line.starts_with("ok    ")), "{lines}");
    assert!(!lines.lines().last().unwrap().ends_with(" 0 failed"), "{lines}");
}

#[test]
fn the_component_is_described_and_written() {
    let cli = Cli::new();
    let file = cli.dir.path().join("keycell.wasm");
    let described = cli.json(&["component", "--output", file.to_str().unwrap()]);
    let written = std::fs::read(&file).unwrap();
    assert_eq!(described["size"], written.len());
    assert_eq!(described["imports"].as_array().unwrap().len(), 5);
    assert_eq!(described["version"], env!("CARGO_PKG_VERSION"));

    // What was written is a component that passes the suite.
    let output = cli.run(&["conformance", file.to_str().unwrap()]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{lines}");
    let cases = keycell_conformance::cases().unwrap().len();
    assert_eq!(lines.lines().filter(|line| line.starts_with("ok ")).count(), cases);
    assert_eq!(lines.lines().last().unwrap(), format!("{cases} passed, 0 failed"));
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    let cli = Cli::new();
    let file = cli.dir.path().join("x.wasm");
    std::fs::write(&file, "no wasm").unwrap();
    assert!(cli.fails(1, &["conformance", file.to_str().unwrap()]).contains("not a component"));
    let stderr = cli.fails(1, &["conformance", Path::new("/does/not/exist").to_str().unwrap()]);
    assert!(stderr.contains("the component file cannot be read"), "{stderr}");
}

/// The benchmarks measure the start of a process. Compiling the component would take a hundred times
/// as long, which this sees.
#[test]
fn a_fresh_process_compiles_nothing() {
    let cli = Cli::new();
    cli.json(&["project", "list"]);
    let fastest = (0..5)
        .map(|_| {
            let began = std::time::Instant::now();
            cli.run(&["get", MISSING_ID]);
            began.elapsed()
        })
        .min()
        .unwrap();
    assert!(fastest < std::time::Duration::from_millis(200), "{fastest:?}");
}
