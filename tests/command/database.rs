//! The database file of the command: where it is, who may create it, and its check and backup.

use std::fs;

use serde_json::{Value, json};

use super::MISSING_ID;
use crate::cli::{Cli, id, secret};

/// The commands that need an existing database.
const NEED_A_DATABASE: [&[&str]; 14] = [
    &["get", MISSING_ID],
    &["describe", MISSING_ID],
    &["verify"],
    &["list"],
    &["revoke", MISSING_ID],
    &["rotate", MISSING_ID],
    &["update", MISSING_ID, "--name", "x"],
    &["events"],
    &["project", "list"],
    &["project", "member", "list", "web"],
    &["project", "member", "add", "web", "ann"],
    &["project", "member", "remove", "web", "ann"],
    &["check"],
    &["backup", "copy.db"],
];

#[test]
fn commands_for_existing_keys_report_a_missing_database_and_create_nothing() {
    let cli = Cli::without_database();
    for args in NEED_A_DATABASE {
        let stderr = cli.fails(1, args);
        assert!(stderr.contains("there is no database") && stderr.contains("keycell init"), "{args:?}: {stderr}");
        assert!(!stderr.contains(cli.dir.path().to_str().unwrap()), "{args:?}: {stderr}");
    }
    // Not in the default place either, which is named.
    for args in NEED_A_DATABASE {
        let mut command = cli.command();
        command.env_remove("KEYCELL_DATABASE").env("XDG_DATA_HOME", cli.dir.path().join("data")).args(args);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains("data/keycell/keycell.db"), "{args:?}: {stderr}");
    }
    assert_eq!(fs::read_dir(cli.dir.path()).unwrap().count(), 0);
}

#[test]
fn commands_that_begin_create_a_database_and_log_it() {
    for args in [&["init"][..], &["create", "--name", "x"], &["project", "create", "web"], &["mcp"]] {
        let cli = Cli::without_database();
        let output = cli.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args:?}: {stderr}");
        assert!(stderr.contains("new database"), "{args:?}: {stderr}");
        assert!(cli.database().is_file(), "{args:?}");
        cli.json(&["list"]);
    }
    let cli = Cli::new();
    assert!(cli.fails(1, &["init"]).contains("already"));
    assert!(cli.run(&["create", "--name", "x"]).stderr.is_empty(), "only a new database is logged");
}

#[test]
fn other_files_are_refused_and_unchanged() {
    let cli = Cli::without_database();
    for content in ["x", "This is a text, and it is longer than the header of a database file is: one hundred bytes."] {
        fs::write(cli.database(), content).unwrap();
        for args in NEED_A_DATABASE.iter().chain(&[&["init"][..], &["create", "--name", "x"]]) {
            cli.fails(1, args);
            assert_eq!(fs::read(cli.database()).unwrap(), content.as_bytes(), "{args:?}");
        }
    }
    assert_eq!(fs::read_dir(cli.dir.path()).unwrap().count(), 1);
}

#[test]
fn without_a_path_the_database_is_in_the_data_directory() {
    let cli = Cli::without_database();
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
fn a_sound_database_passes_the_check_and_a_damaged_one_does_not() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let report = cli.json(&["check"]);
    assert_eq!(report, json!({"keys": 1, "events": 1, "problem_count": 0, "problems": []}));

    let database = rusqlite::Connection::open(cli.database()).unwrap();
    database.execute("UPDATE api_keys SET lookup = '!' WHERE id = ?1", [id(&created)]).unwrap();
    drop(database);
    let output = cli.run(&["check"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["problem_count"]), (Some(1), &json!(1)));
    assert!(report["problems"][0].as_str().unwrap().contains("lookup"), "{report}");
}

#[test]
fn a_backup_is_a_database_with_the_keys() {
    let cli = Cli::new();
    let created = cli.json(&["create", "--name", "x"]);
    let copy = cli.dir.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    cli.json(&["backup", copy]);
    cli.json(&["revoke", id(&created)]);
    assert_eq!(cli.verify(secret(&created), &[]).0, "revoked\n");
    assert_eq!(cli.verify(secret(&created), &["--database", copy]).0, "valid\n");
    let stderr = cli.fails(1, &["backup", copy]);
    assert!(stderr.contains("exists") && !stderr.contains("copy.db"), "{stderr}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(copy).unwrap().permissions()) & 0o777, 0o600);
}
