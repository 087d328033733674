//! Additions of the command to the server: core dumps are off, and the database is checked.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitStatus, Stdio},
};

use rusqlite::Connection;
use serde_json::Value;

use crate::cli::Cli;

/// Starts `keycell serve` and waits for a line of its log with this message.
fn serve_until(mut command: Command, message: &str) -> std::process::Child {
    command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = log.by_ref().map_while(Result::ok).any(|line| {
        let line: Value = serde_json::from_str(&line).unwrap();
        line["fields"]["message"].as_str().is_some_and(|text| text.contains(message))
    });
    assert!(found, "the log ends without {message:?}");
    std::thread::spawn(move || log.count());
    child
}

#[test]
fn a_damaged_database_is_logged_in_the_background() {
    let cli = Cli::new();
    cli.json(&["create", "--name", "x"]);
    let database = Connection::open(cli.database()).unwrap();
    let page_size: i64 = database.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'api_keys'";
    let root: i64 = database.query_row(root, (), |row| row.get(0)).unwrap();
    // The last connection to close writes everything into the file.
    drop(database);
    let mut bytes = std::fs::read(cli.database()).unwrap();
    // The number of cells in the header of the table's root page.
    let cells = usize::try_from((root - 1) * page_size + 3).unwrap();
    bytes[cells..cells + 2].copy_from_slice(&[0xff, 0xff]);
    std::fs::write(cli.database(), bytes).unwrap();

    let mut child = serve_until(cli.command(), "keycell check");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts a shell that sets a limit and then runs the script, to which the program is `$0`.
#[cfg(target_os = "linux")]
fn with_limit(cli: &Cli, limit: &str, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && {script}"), env!("CARGO_BIN_EXE_keycell")]);
    command.env_clear().env("KEYCELL_DATABASE", cli.database()).current_dir(cli.dir.path());
    command
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_dumps_no_core() {
    let dumped = |status: ExitStatus| std::os::unix::process::ExitStatusExt::core_dumped(&status);
    let cli = Cli::new();
    if !dumped(with_limit(&cli, "-c 1024", "kill -ABRT $$").status().unwrap()) {
        eprintln!("skipped: this system writes no core dumps");
        return;
    }
    let mut child = serve_until(with_limit(&cli, "-c 1024", "exec \"$0\" \"$@\""), "listening");
    assert!(Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert!(!status.success() && !dumped(status), "{status}");
}

#[cfg(target_os = "linux")]
#[test]
fn one_gibibyte_of_address_space_is_enough() {
    let cli = Cli::new();
    let limited = || with_limit(&cli, "-v 1048576", "exec \"$0\" \"$@\"");
    let mut create = limited();
    let output = create.args(["create", "--user", "ann", "--name", "x"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut child = serve_until(limited(), "listening");
    child.kill().unwrap();
    child.wait().unwrap();
}
