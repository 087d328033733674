//! The output: tables for people, JSON for programs, and output that cannot be written.

use std::process::Stdio;
#[cfg(target_os = "linux")]
use std::{
    fs::OpenOptions,
    io::{PipeReader, Write},
    process::{Child, Command, Output},
    time::Duration,
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
    std::thread::sleep(Duration::from_millis(300));
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

/// Runs the command with a standard output that is closed from the start.
#[cfg(target_os = "linux")]
fn with_closed_output(cli: &Cli, args: &[&str]) -> Output {
    let command = cli.command();
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut shell = Command::new("sh");
    shell.env_clear().envs(variables).args(["-c", "exec \"$0\" \"$@\" >&-"]).arg(command.get_program()).args(args);
    shell.stderr(Stdio::piped()).output().unwrap()
}

/// Standard error of a command that fails because its output is lost, in each way.
#[cfg(target_os = "linux")]
fn failures(cli: &Cli, args: &[&str]) -> [String; 2] {
    [with_full_output(cli, args, ""), with_closed_output(cli, args)].map(|output| {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        stderr
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_key_that_cannot_be_shown_is_revoked() {
    let cli = Cli::new();
    for args in [&["create", "--name", "x"][..], &["create", "--name", "x", "--limit", "1/1s"]] {
        let stderrs = failures(&cli, args);
        let newest = &cli.json(&["list", "--status", "all", "--limit", "2"])["api_keys"];
        for (stderr, key) in stderrs.iter().rev().zip(newest.as_array().unwrap()) {
            assert!(stderr.contains("was revoked") && stderr.contains(id(key)), "{args:?}: {stderr}");
            assert_eq!(key["status"], "revoked", "{args:?}");
        }
    }
    let old = cli.json(&["create", "--name", "old"]);
    let output = with_full_output(&cli, &["rotate", id(&old)], "");
    let newest = &cli.json(&["list", "--status", "all", "--limit", "1"])["api_keys"][0];
    assert_eq!((output.status.code(), &newest["status"]), (Some(1), &json!("revoked")));
    assert_eq!(newest["rotated_from"], old["id"]);
}

/// A lost answer is what an idempotency key is for.
#[cfg(target_os = "linux")]
#[test]
fn a_key_with_an_idempotency_key_that_cannot_be_shown_is_shown_by_a_repeat() {
    let cli = Cli::new();
    let args = ["create", "--name", "x", "--idempotency-key", "one"];
    let stderrs = failures(&cli, &args);
    let shown = cli.json(&args);
    for stderr in stderrs {
        assert!(stderr.contains("repeat the command with the same idempotency key"), "{stderr}");
        assert!(stderr.contains(id(&shown)), "{stderr}");
    }
    assert_eq!(cli.verify(secret(&shown), &[]).1, 0);
    assert_eq!(cli.json(&["list", "--status", "all"])["api_keys"].as_array().unwrap().len(), 1);
}

/// Starts the command with a full pipe as its output, so that it waits. It fails when the reader is
/// dropped.
#[cfg(target_os = "linux")]
fn with_output_that_waits(cli: &Cli, args: &[&str]) -> (Child, PipeReader) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b' '; 65_536]).unwrap();
    let child = cli.command().args(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let is_stored = || !cli.json(&["list"])["api_keys"].as_array().unwrap().is_empty();
    while !is_stored() {
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, reader)
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_that_another_process_has_shown_or_changed_meanwhile_is_not_revoked() {
    let cli = Cli::new();
    let args = ["create", "--name", "x", "--idempotency-key", "one"];
    let (waiting, reader) = with_output_that_waits(&cli, &args);
    let shown = cli.json(&args);
    drop(reader);
    assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(1));
    assert_eq!(cli.verify(secret(&shown), &[]).1, 0);

    let cli = Cli::new();
    let (waiting, reader) = with_output_that_waits(&cli, &["create", "--name", "x"]);
    let stored = &cli.json(&["list"])["api_keys"][0];
    cli.json(&["update", id(stored), "--name", "y"]);
    drop(reader);
    let output = waiting.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains("could not be revoked"), "{stderr}");
    assert_eq!(cli.json(&["describe", id(stored)])["status"], "active");
}

/// Processes that repeat an issuing at the same moment end with one key and one secret.
#[test]
fn processes_with_one_idempotency_key_issue_one_key() {
    const PROCESSES: usize = 4;
    let cli = Cli::new();
    let args = ["create", "--name", "x", "--idempotency-key", "one"];
    let start = || cli.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // All are started before the first one is waited for.
    let children: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    let answers: Vec<Value> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    assert!(answers.iter().all(|answer| id(answer) == id(&answers[0])), "one key");
    let events = &cli.json(&["events"])["events"];
    let mut actions: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["created", "issued-again", "issued-again", "issued-again"]);
    let valid = answers.iter().filter(|answer| cli.verify(secret(answer), &[]).1 == 0).count();
    assert_eq!(valid, 1, "one secret");
}
