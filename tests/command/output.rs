//! The output: tables for people, JSON for programs, and output that cannot be written.

#[cfg(target_os = "linux")]
use std::{
    fs::OpenOptions,
    io::Write,
    process::{Output, Stdio},
};

use keycell::{Caller, CreateApiKey, Keycell};
use keycell_sqlite::SqliteStorage;
use serde_json::{Value, json};

use crate::cli::{Cli, assert_is_output_of, id, secret};

/// Creates keys in one process.
fn create_keys(cli: &Cli, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let keycell = Keycell::new(SqliteStorage::open(cli.database()).unwrap()).unwrap();
        for number in 0..count {
            let request = CreateApiKey::named(format!("key {number}"));
            keycell.create_api_key(&Caller::user("local"), request).await.unwrap();
        }
    });
}

#[test]
fn all_pages_are_one_json_value() {
    let cli = Cli::new();
    let all = |args: &[&str]| cli.json(&[args, &["--all"]].concat());
    assert_eq!(all(&["list"]), json!({"api_keys": [], "next_cursor": null}));
    assert_eq!(all(&["events"]), json!({"events": [], "next_cursor": null}));
    create_keys(&cli, 250);
    let page = all(&["list"]);
    assert_is_output_of("list_api_keys", &page);
    let ids: Vec<_> = page["api_keys"].as_array().unwrap().iter().map(id).collect();
    assert!(ids.len() == 250 && ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
    let events = all(&["events"]);
    assert_is_output_of("list_api_key_events", &events);
    assert_eq!(events["events"].as_array().unwrap().len(), 250);

    let first = cli.json(&["list", "--limit", "2"]);
    assert_is_output_of("list_api_keys", &first);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = cli.json(&["list", "--limit", "2", "--cursor", cursor]);
    assert_eq!((id(&second["api_keys"][0]), cursor), (ids[2], ids[1]));
}

/// The first page is written before the second one is read.
#[cfg(target_os = "linux")]
#[test]
fn all_pages_are_streamed() {
    use std::io::Read;
    let cli = Cli::new();
    create_keys(&cli, 1000);
    let mut child = cli.command().args(["list", "--all"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut beginning = vec![0; 4096];
    // The rest does not fit into a pipe of 64 KiB, so the command waits.
    child.stdout.as_mut().unwrap().read_exact(&mut beginning).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_reads_fields_and_a_warning() {
    let cli = Cli::new();
    let seen = cli.on_terminal(&["create", "--name", "laptop"], false);
    assert!(seen.contains("cannot be shown again"), "{seen}");
    assert!(seen.contains("keycell_") && seen.contains("never") && !seen.contains("\"key\""), "{seen}");
    assert!(seen.contains("\u{1b}["), "colours: {seen:?}");
    assert!(!cli.on_terminal(&["create", "--name", "laptop"], true).contains("\u{1b}["));
    let json = cli.on_terminal(&["create", "--name", "laptop", "--json"], false);
    let created: Value = serde_json::from_str(&json).unwrap();
    assert_is_output_of("create_api_key", &created);

    cli.json(&["update", id(&created), "--metadata", "{\"plan\":\"pro\"}", "--limit", "5/10s"]);
    for command in ["get", "describe"] {
        let seen = cli.on_terminal(&[command, id(&created)], true);
        for part in ["active", "{\"plan\":\"pro\"}", "5 requests in 10 s", "seconds ago)", "api-keys:read"] {
            assert!(seen.contains(part) || part == "seconds ago)" && seen.contains("(now)"), "{part}: {seen}");
        }
    }
    cli.json(&["project", "create", "web"]);
    assert!(cli.on_terminal(&["project", "list"], true).contains("PROJECT"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_list_fits_a_terminal_of_100_columns() {
    let cli = Cli::new();
    let long = "a name that is much longer than a column of a table can be, as names may be: 日本語日本語";
    let created = cli.json(&["create", "--name", long, "--expires-at", "2131-01-31", "--user", "ann"]);
    cli.json(&["create", "--name", "beta", "--user", "ann"]);
    cli.verify(secret(&created), &[]);
    for args in [&["list", "--user", "ann"][..], &["list", "--operator"], &["events", "--user", "ann"]] {
        let seen = cli.on_terminal(args, true);
        let lines: Vec<_> = seen.lines().map(str::trim_end).collect();
        assert!(lines.len() >= 3, "{seen}");
        for line in &lines {
            assert!(unicode_width::UnicodeWidthStr::width(*line) <= 100, "{args:?}: {line}");
        }
    }
    let seen = cli.on_terminal(&["list", "--user", "ann"], true);
    let lines: Vec<_> = seen.lines().map(str::trim_end).collect();
    assert_eq!(lines.len(), 3, "a row is one line: {seen}");
    assert!(lines[0].starts_with("ID") && lines[1].ends_with("never") && lines[2].contains("in 10"), "{seen}");
    assert!(seen.contains("now") || seen.contains("ago"), "{seen}");
    let column = |line: &str, text: &str| line.find(text).unwrap();
    assert_eq!(column(lines[0], "NAME"), column(lines[1], "beta"), "columns are aligned: {seen}");
    let exact = cli.on_terminal(&["list", "--user", "ann", "--exact"], true);
    assert!(exact.contains("2131-01-31T00:00:00.000Z") && !exact.contains("ago"), "{exact}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_empty_list_shows_the_next_step() {
    let cli = Cli::new();
    assert!(cli.on_terminal(&["list"], true).contains("keycell create --name"));
    assert!(cli.on_terminal(&["project", "list"], true).contains("keycell project create"));
    cli.json(&["create", "--name", "x"]);
    for _ in 0..20 {
        cli.json(&["create", "--name", "y"]);
    }
    assert!(cli.on_terminal(&["list"], true).contains("--cursor"));
}

/// Runs the command with a standard output that accepts nothing.
#[cfg(target_os = "linux")]
fn with_full_output(cli: &Cli, args: &[&str], input: &str) -> Output {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = cli.command().args(args).stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    // Most commands do not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure_and_no_panic() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    for args in [
        &["list"][..],
        &["list", "--all"],
        &["events"],
        &["component"],
        &["conformance"],
        &["completions", "bash"],
        &["project", "list"],
        &["verify"],
        &["check"],
        &["config", "show"],
    ] {
        let output = with_full_output(&cli, args, secret(&created));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_key_that_cannot_be_shown_is_revoked() {
    let cli = Cli::new();
    let old = cli.json(&["create", "--name", "old"]);
    for args in [&["create", "--name", "x"][..], &["create", "--name", "x", "--limit", "1/1s"], &["rotate", id(&old)]] {
        let output = with_full_output(&cli, args, "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains("was revoked"), "{args:?}: {stderr}");
        let newest = &cli.json(&["list", "--status", "all", "--limit", "1"])["api_keys"][0];
        assert_eq!(newest["status"], "revoked", "{args:?}");
        assert!(stderr.contains(id(newest)), "{args:?}: {stderr}");
    }
}
