//! Keys and other values of arguments never come back in a message.

#[cfg(target_os = "linux")]
use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::MISSING_ID;
use crate::cli::{Cli, feed, secret};

#[test]
fn a_key_among_the_arguments_is_refused_and_not_repeated() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let key = secret(&created);
    for key in [key, &key[..key.len() - 1], &key[..key.len() - 6], &key[..key.len() - 17], &format!("{key}x")] {
        let glued = format!("--name={key}");
        let metadata = format!("{{\"a\": \"{key}\"}}");
        for args in [
            &["verify", key][..],
            &[key],
            &["get", key],
            &["rotate", MISSING_ID, "--grace", key],
            &["verify", &glued],
            &["create", &glued],
            &["get", MISSING_ID, key],
            &["create", "--name", "x", "--user", key],
            &["create", "--name", "x", "--project", key],
            &["create", "--name", "x", "--metadata", &metadata],
            &["project", "create", key],
            &["conformance", key],
            &["list", "--database", key],
            &["create", "--name", "x", "--database", key],
            &["component", "--output", key],
            &["backup", key],
            &["config", "check", "--config", key],
        ] {
            let mut command = cli.command();
            let output = command.current_dir(cli.dir.path()).args(args).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.contains("revoke the key") && stderr.contains("Usage"), "{stderr}");
            assert!(!stderr.contains(&key[24..40]), "{args:?}: {stderr}");
            assert!(!cli.dir.path().join(key).exists(), "{args:?}");
        }
    }
}

#[test]
fn a_key_in_the_environment_is_refused_and_not_repeated() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let key = secret(&created);
    for name in ["KEYCELL_DATABASE", "KEYCELL_USER", "KEYCELL_CONFIG", "KEYCELL_OPERATOR", "KEYCELL_LISTEN"] {
        for key in [key, &key[..key.len() - 1]] {
            let mut command = cli.command();
            let output = command.current_dir(cli.dir.path()).env(name, key).args(["create", "--name", "x"]).output();
            let output = output.unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
            assert!(stderr.contains(name) && stderr.contains("revoke the key"), "{name}: {stderr}");
            assert!(!stderr.contains(&key[24..40]) && !cli.dir.path().join(key).exists(), "{name}: {stderr}");
        }
    }
}

/// A key without its prefix is not recognised, so no message may repeat any value.
#[test]
fn no_message_repeats_a_value() {
    let cli = Cli::new();
    let value = "0123456789AB_00000000000000000000000000000000000000000004TsezD";
    let (path, file) = (format!("/does/not/exist/{value}"), format!("@/does/not/exist/{value}"));
    let (option, pair) = (format!("--{value}"), format!("--{value}=1"));
    for args in [
        &[value][..],
        &[&option],
        &["create", &pair],
        &["create", "--name", "x", value],
        &["project", value],
        &["project", "create", value],
        &["project", "member", "add", value, "ann"],
        &["project", "member", "add", "web", "ann", "--role", value],
        &["create", "--name", "x", "--project", value],
        &["create", "--name", "x", "--expires-at", value],
        &["create", "--name", "x", "--scope", value],
        &["create", "--name", "x", "--owner", value],
        &["create", "--name", "x", "--metadata", value],
        &["create", "--name", "x", "--metadata", &file],
        &["create", "--name", "x", "--limit", value],
        &["create", "--name", "x", "--no-scopes", value],
        &["get", value],
        &["describe", value],
        &["revoke", value],
        &["rotate", value],
        &["rotate", MISSING_ID, "--grace", value],
        &["update", value, "--name", "x"],
        &["update", MISSING_ID, "--expires-at", value],
        &["list", "--status", value],
        &["list", "--limit", value],
        &["list", "--cursor", value],
        &["list", "--project", value],
        &["events", "--key", value],
        &["events", "--since", value],
        &["events", "--until", value],
        &["events", "--limit", value],
        &["list", "--database", &path],
        &["create", "--name", "x", "--database", &path],
        &["list", "--config", &path],
        &["backup", &path],
        &["component", "--output", &path],
        &["conformance", &path],
        &["completions", value],
        &["serve", "--listen", value],
        &["serve", "--trust-proxy", value],
        &["mcp", &format!("--all-tools={value}")],
    ] {
        let output = cli.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.starts_with("error: "), "{args:?}: {stderr}");
        assert!(!stderr.contains(&value[16..32]), "{args:?}: {stderr}");
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
    let (id, key) = (created["id"].as_str().unwrap(), secret(&created));
    let mut log = output.stderr;
    for (args, input) in [
        (&["verify"][..], key),
        (&["verify", "--scope", "x"], key),
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

#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_for_the_key_and_does_not_see_it() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let key = created["key"].as_str().unwrap();
    let line = format!("'{}' verify", env!("CARGO_BIN_EXE_keycell"));
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"])
        .env("KEYCELL_DATABASE", cli.database())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = script.stdin.take().unwrap();
    // After the prompt: a terminal shows earlier input.
    std::thread::sleep(std::time::Duration::from_secs(1));
    stdin.write_all(format!("{key}\n").as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    drop(stdin);
    let seen = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{seen}");
    assert!(seen.contains("key: ") && seen.contains("valid") && seen.contains("\u{1b}["), "{seen:?}");
    assert!(!seen.contains(&key[24..40]), "{seen}");
}
