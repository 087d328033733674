//! The command, run as a process.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    cli::{Cli, assert_is_output_of, feed},
    mutants::Mutant,
};

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

    let read = cli.json(&["get", created["id"].as_str().unwrap()]);
    assert_is_output_of("get_api_key", &read);
    assert_eq!(read["key_prefix"], created["key_prefix"]);
    assert_eq!(cli.json(&["project", "list"]), json!([project]));
}

#[test]
fn users_do_not_see_each_other() {
    let cli = Cli::new();
    cli.json(&["project", "create", "web", "--user", "ann"]);
    let created = cli.json(&["create", "--name", "x", "--user", "ann"]);
    let id = created["id"].as_str().unwrap();
    let stranger = cli.fails(1, &["get", id, "--user", "bob"]);
    let missing = cli.fails(1, &["get", "0192f0c1-2345-7abc-8def-0123456789ab", "--user", "bob"]);
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
    assert!(cli.fails(1, &["create", "--name", "x", "--user", ""]).contains("user"));
    for wrong in [&["create"][..], &["get"], &["frobnicate"], &["create", "--name", "x", "--colour"], &[]] {
        assert!(cli.fails(2, wrong).contains("Usage"), "{wrong:?}");
    }
}

#[test]
fn a_key_where_an_id_belongs_is_not_echoed() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let key = created["key"].as_str().unwrap();
    for args in [
        &["get", key][..],
        &["create", "--name", "x", "--project", key],
        &["create", "--name", key],
        &["project", "create", key],
    ] {
        let stderr = cli.fails(1, args);
        assert!(!stderr.contains(&key[..24]), "{args:?}");
    }
}

#[test]
fn the_most_verbose_log_holds_no_secret_and_no_hash() {
    let cli = Cli::new();
    let verbose = |args: &[&str], input: &str| {
        let mut command = cli.command();
        command.env("RUST_LOG", "trace").args(args);
        feed(&mut command, input)
    };
    let output = verbose(&["create", "--name", "x"], "");
    let created: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    let mut log = output.stderr;
    for (args, input) in [
        (&["verify"][..], key),
        (&["verify", "--scope", "x"], key),
        (&["get", key], ""),
        (&["get", id], ""),
        (&["rotate", id], ""),
        (&["rotate", id], ""),
        (&["list", "--status", "all"], ""),
        (&["revoke", id], ""),
        (&["verify"], key),
    ] {
        log.extend(verbose(args, input).stderr);
    }
    let log = String::from_utf8(log).unwrap();
    for export in ["create", "verify", "get", "rotate", "revoke"] {
        assert!(log.contains(&format!("{export}-api-key")), "there is nothing to search: {log}");
    }
    assert!(!log.contains(&key[24..40]));
    let database = rusqlite::Connection::open(cli.dir.path().join("keycell.db")).unwrap();
    let hash: Vec<u8> = database.query_row("SELECT hash FROM api_keys WHERE id = ?1", [id], |row| row.get(0)).unwrap();
    let hexadecimal: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal = format!("{}, {}, {}, {}", hash[0], hash[1], hash[2], hash[3]);
    assert!(!log.contains(&hexadecimal[..16]) && !log.contains(&decimal));
}

#[test]
fn without_a_path_the_database_is_in_the_data_directory() {
    let cli = Cli::new();
    let output = cli
        .command()
        .env_remove("KEYCELL_DATABASE")
        .env("HOME", cli.dir.path())
        .env("XDG_DATA_HOME", cli.dir.path().join("data"))
        .args(["create", "--name", "x"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    if cfg!(target_os = "linux") {
        assert!(cli.dir.path().join("data/keycell/keycell.db").is_file());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_reads_a_table_and_a_warning() {
    let cli = Cli::new();
    let seen = cli.on_terminal(&["create", "--name", "laptop"], false);
    assert!(seen.contains("shown again"), "{seen}");
    assert!(seen.contains("keycell_") && seen.contains("never") && !seen.contains("\"key\""), "{seen}");
    assert!(seen.contains("\u{1b}["), "colours: {seen:?}");
    assert!(!cli.on_terminal(&["create", "--name", "laptop"], true).contains("\u{1b}["));
    let json = cli.on_terminal(&["create", "--name", "laptop", "--json"], false);
    assert_is_output_of("create_api_key", &serde_json::from_str(&json).unwrap());
    cli.json(&["project", "create", "web"]);
    assert!(cli.on_terminal(&["project", "list"], true).contains("PROJECT"));
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
fn a_key_among_the_arguments_is_not_repeated() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    let glued = format!("--name={key}");
    for args in [&["verify", key][..], &[key], &["rotate", id, "--grace", key], &["verify", &glued], &["get", id, key]]
    {
        let stderr = cli.fails(2, args);
        assert!(stderr.contains("revoke it") && stderr.contains("Usage"), "{stderr}");
        assert!(!stderr.contains(&key[24..40]), "{args:?}");
    }
    let stderr = cli.fails(1, &["create", "--name", "x", "--user", key]);
    assert!(!stderr.contains(&key[24..40]));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_is_a_failure_and_no_panic() {
    let cli = Cli::new();
    let key = cli.json(&["create", "--name", "x"])["key"].as_str().unwrap().to_owned();
    for args in
        [&["list"][..], &["component"], &["conformance"], &["completions", "bash"], &["project", "list"], &["verify"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut child =
            cli.command().args(args).stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        // Most of these do not read it.
        let _ = child.stdin.take().unwrap().write_all(key.as_bytes());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_database_is_where_its_path_says() {
    let cli = Cli::new();
    for name in [":memory:", "file:x?mode=memory", "relative.db"] {
        let mut create = cli.command();
        create.current_dir(cli.dir.path()).args(["create", "--name", "x", "--database", name]);
        let created: Value = serde_json::from_slice(&create.output().unwrap().stdout).unwrap();
        let mut get = cli.command();
        get.current_dir(cli.dir.path()).args(["get", created["id"].as_str().unwrap(), "--database", name]);
        assert!(get.output().unwrap().status.success(), "{name}");
        assert!(cli.dir.path().join(name).is_file(), "{name}");
    }
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

    let rotated = cli.json(&["rotate", id, "--grace", "1h"]);
    assert_is_output_of("rotate_api_key", &rotated);
    assert_eq!((&rotated["name"], &rotated["expires_at"]), (&json!("y"), &json!("2130-01-31T00:00:00.000Z")));
    assert_eq!(cli.verify(key, &[]).0, "valid\n");
    assert!(cli.fails(1, &["rotate", id]).contains("look again"));
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

#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_for_the_key_and_does_not_see_it() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let key = created["key"].as_str().unwrap();
    let line = format!("'{}' verify", env!("CARGO_BIN_EXE_keycell"));
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"])
        .env("KEYCELL_DATABASE", cli.dir.path().join("keycell.db"))
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = script.stdin.take().unwrap();
    // Not before it asks: a terminal shows what is typed too early.
    std::thread::sleep(std::time::Duration::from_secs(1));
    stdin.write_all(format!("{key}\n").as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    drop(stdin);
    let seen = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{seen}");
    assert!(seen.contains("key: ") && seen.contains("valid") && seen.contains("\u{1b}["), "{seen:?}");
    assert!(!seen.contains(&key[24..40]), "{seen}");
}

#[test]
fn a_wrong_component_fails_the_suite() {
    let mutant = Mutant {
        name: "drops the checksum, for the command",
        file: "key.rs",
        original: "base62::six_digits(crc32_iso_hdlc(body))",
        replacement: "base62::six_digits(body.len() as u32 - body.len() as u32)",
    };
    let cli = Cli::new();
    let file = cli.dir.path().join("wrong.wasm");
    std::fs::write(&file, mutant.build().bytes()).unwrap();
    let output = cli.run(&["conformance", file.to_str().unwrap()]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(lines.lines().any(|line| line.starts_with("FAIL  key: the checksum is CRC-32")), "{lines}");
    assert!(!lines.lines().last().unwrap().ends_with(" 0 failed"), "{lines}");
}

#[test]
fn help_has_examples_and_shells_have_completions() {
    let cli = Cli::new();
    for command in [
        &["--help"][..],
        &["create", "--help"],
        &["get", "--help"],
        &["conformance", "--help"],
        &["component", "--help"],
        &["verify", "--help"],
        &["list", "--help"],
        &["revoke", "--help"],
        &["rotate", "--help"],
        &["update", "--help"],
        &["project", "create", "--help"],
    ] {
        let output = cli.run(command);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("Example"), "{command:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(String::from_utf8(cli.run(&["completions", shell]).stdout).unwrap().contains("keycell"));
    }
}

#[test]
fn the_component_is_described_and_written() {
    let cli = Cli::new();
    let file = cli.dir.path().join("keycell.wasm");
    let described = cli.json(&["component", "--output", file.to_str().unwrap()]);
    let written = std::fs::read(&file).unwrap();
    assert_eq!(described["size"], written.len());
    assert_eq!(described["imports"].as_array().unwrap().len(), 4);

    // What was written is a component that passes the suite.
    let output = cli.run(&["conformance", file.to_str().unwrap()]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{lines}");
    let cases = keycell::conformance::cases().unwrap().len();
    assert_eq!(lines.lines().filter(|line| line.starts_with("ok ")).count(), cases);
    assert_eq!(lines.lines().last().unwrap(), format!("{cases} passed, 0 failed"));
}

#[test]
fn what_is_no_component_is_refused() {
    let cli = Cli::new();
    let file = cli.dir.path().join("x.wasm");
    std::fs::write(&file, "no wasm").unwrap();
    assert!(cli.fails(1, &["conformance", file.to_str().unwrap()]).contains("not a component"));
    assert!(cli.fails(1, &["conformance", Path::new("/does/not/exist").to_str().unwrap()]).contains("/does/not/exist"));
}

/// How long a fresh process takes is measured by the benchmarks; that nothing is compiled at
/// start-up is seen here by what it would cost: compiling takes a hundred times as long.
#[test]
fn a_fresh_process_compiles_nothing() {
    let cli = Cli::new();
    cli.json(&["project", "list"]);
    let fastest = (0..5)
        .map(|_| {
            let began = std::time::Instant::now();
            cli.run(&["get", "0192f0c1-2345-7abc-8def-0123456789ab"]);
            began.elapsed()
        })
        .min()
        .unwrap();
    assert!(fastest < std::time::Duration::from_millis(200), "{fastest:?}");
}
