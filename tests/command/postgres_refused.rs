//! PostgreSQL databases that cannot be used: each has its own message, and nothing is changed.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use crate::{
    cli::Cli,
    postgres_server::{Server, server},
};

/// The message of each command on a database that no command can use.
fn refused(url: &str, expected: &str) {
    let cli = Cli::on(url);
    for args in [&["create", "--name", "x"][..], &["list"], &["serve", "--listen", "127.0.0.1:0"], &["migrate"]] {
        let stderr = cli.fails(1, args);
        // The last line: a server logs, too.
        let message = stderr.lines().last().unwrap();
        assert!(message.starts_with("error: the URL in --database or KEYCELL_DATABASE: "), "{stderr}");
        assert!(message.contains(expected), "{args:?}: {stderr}");
    }
}

/// The number of tables of keycell.
fn tables(server: &Server, url: &str) -> String {
    server.run_at(url, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'keycell'")
}

/// The numbers of keys and of their events.
fn keys_and_events(server: &Server, url: &str) -> String {
    server.run_at(url, "SELECT (SELECT count(*) FROM keycell.api_keys), (SELECT count(*) FROM keycell.events)")
}

/// The URL of a new database with tables.
fn database_with_tables(server: &Server) -> String {
    let url = server.database();
    assert!(Cli::on(&url).run(&["init"]).status.success());
    url
}

fn as_role(url: &str, role: &str) -> String {
    url.replace("postgres@", &format!("{role}@"))
}

#[test]
fn a_server_that_cannot_be_reached() {
    refused("postgres://postgres@127.0.0.1:1/keys", "check the host and the port in the URL");
}

#[test]
fn a_missing_role_or_database() {
    let Some(server) = server() else { return };
    let url = server.database();
    refused(&as_role(&url, "missing"), "role does not exist or may not log in: create it");
    refused(&server.url("missing"), "no database of this name: create it");
    assert_eq!(tables(server, &url), "0");
}

#[test]
fn a_role_without_privileges() {
    let Some(server) = server() else { return };
    let url = server.database();
    server.run_at(&url, "CREATE ROLE stranger LOGIN");
    let cli = Cli::on(&as_role(&url, "stranger"));
    assert!(cli.fails(1, &["create", "--name", "x"]).contains("lacks a privilege: grant it, or run `keycell migrate`"));
    assert_eq!(tables(server, &url), "0");
    assert!(Cli::on(&url).run(&["init"]).status.success());
    assert!(cli.fails(1, &["create", "--name", "x"]).contains("lacks a privilege"));
    assert_eq!(keys_and_events(server, &url), "0|0");
}

#[test]
fn a_wrong_password_and_a_password_file_that_others_may_read() {
    let Some(server) = server() else { return };
    let url = database_with_tables(server);
    server.run_at(&url, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'hunter2'");
    refused(&as_role(&url, "guarded"), "refused the password: give it in PGPASSWORD or PGPASSFILE");
    assert_eq!(keys_and_events(server, &url), "0|0");
    let cli = Cli::on(&as_role(&url, "guarded"));
    let run = |environment: &[(&str, &str)]| -> Output {
        cli.command().args(["list"]).env("RUST_LOG", "trace").envs(environment.iter().copied()).output().unwrap()
    };
    let file = cli.file("passwords", "*:*:*:guarded:hunter2\n");
    let fails = |environment: &[(&str, &str)], expected: &str| {
        let output = run(environment);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("hunter"), "{stderr}");
    };
    fails(&[("PGPASSWORD", "hunter3")], "refused the password: give it in PGPASSWORD or PGPASSFILE");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fails(&[("PGPASSFILE", &file)], "readable by other users: make it readable by its owner alone");
    fails(&[("PGPASSFILE", "/does/not/exist")], "the password file in PGPASSFILE cannot be used (No such file");
    let of_url = |file: &str| format!("{}?passfile={file}", as_role(&url, "guarded"));
    refused(&of_url(&file), "the password file in passfile of the URL is readable by other users");
    refused(&of_url("/does/not/exist"), "the password file in passfile of the URL cannot be used (No such file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    // Nothing names this file, so it is skipped.
    let unnamed = cli.file(".pgpass", "*:*:*:guarded:hunter2\n");
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o640)).unwrap();
    fails(&[], "the password file in the home directory is readable by other users");
    fails(&[], "refused the password: give it in PGPASSWORD or PGPASSFILE");
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o600)).unwrap();
    for environment in [("PGPASSWORD", "hunter2"), ("PGPASSFILE", &file), ("RUST_LOG", "trace")] {
        let output = run(&[environment]);
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !log.contains("hunter"), "{log}");
    }
}

#[test]
fn tls_that_is_refused() {
    let Some(server) = server() else { return };
    let url = server.database();
    refused(&format!("{url}?sslmode=verify-full"), "TLS to the database was refused");
    refused(&format!("{url}?sslmode=verify-full&sslrootcert=/does/not/exist"), "give a PEM file with the authority");
    assert_eq!(tables(server, &url), "0");
}

#[test]
fn a_newer_schema_and_another_program() {
    let Some(server) = server() else { return };
    let url = database_with_tables(server);
    server.run_at(&url, "INSERT INTO keycell.migrations SELECT max(version) + 1 FROM keycell.migrations");
    let before = server.run_at(&url, "SELECT * FROM keycell.migrations");
    refused(&url, "written by a newer version of keycell: use that version");
    assert_eq!(server.run_at(&url, "SELECT * FROM keycell.migrations"), before);

    let url = server.database();
    server.run_at(&url, "CREATE SCHEMA keycell; CREATE TABLE keycell.notes (x int)");
    refused(&url, "belongs to another program: use another database");
    assert_eq!(tables(server, &url), "1");
}

#[test]
fn a_read_only_database() {
    let Some(server) = server() else { return };
    let url = database_with_tables(server);
    let name = url.rsplit_once('/').unwrap().1;
    server.run("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    refused(&url, "read-only: give the URL of the primary");
    assert_eq!(keys_and_events(server, &url), "0|0");
}

#[test]
fn a_server_that_is_out_of_connections() {
    let Some(server) = server() else { return };
    let url = database_with_tables(server);
    let name = url.rsplit_once('/').unwrap().1;
    server.run_at(&url, "CREATE ROLE late LOGIN");
    server.run("postgres", &format!("ALTER DATABASE {name} CONNECTION LIMIT 0"));
    refused(&as_role(&url, "late"), "out of connections: raise max_connections");
    assert_eq!(keys_and_events(server, &url), "0|0");
}

/// A file system of some megabytes in memory, which only the superuser of the system can mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let run = |command: &str, args: &[&str]| {
            let status = Command::new(command).args(args).arg(directory.path()).status();
            status.is_ok_and(|status| status.success())
        };
        let is_mounted = run("mount", &["-t", "tmpfs", "-o", "size=24m", "tmpfs"]);
        if !is_mounted || !run("chown", &["postgres:postgres"]) {
            eprintln!("skipped: a small file system cannot be mounted");
            return None;
        }
        Some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk() {
    let Some(server) = server() else { return };
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.0.path().display();
    server.run("postgres", &format!("CREATE TABLESPACE small LOCATION '{path}'"));
    server.run("postgres", "CREATE DATABASE small TABLESPACE small");
    let url = server.url("small");
    let cli = Cli::on(&url);
    assert!(cli.run(&["init"]).status.success());
    let created = cli.json(&["create", "--name", "x"]);
    server.run_at(&url, "CREATE TABLE filler (x text); ALTER TABLE filler ALTER x SET STORAGE PLAIN");
    server.run_at(
        &url,
        "DO $$ DECLARE size int; BEGIN
            FOREACH size IN ARRAY ARRAY[7000, 100] LOOP
                LOOP
                    BEGIN
                        INSERT INTO filler VALUES (repeat('x', size));
                    EXCEPTION WHEN disk_full THEN EXIT;
                    END;
                END LOOP;
            END LOOP;
         END $$",
    );
    // The pages that the tables have may still have room for some keys.
    let metadata = format!("{{\"a\": \"{}\"}}", "x".repeat(4_000));
    let mut created_before = 1;
    let stderr = loop {
        let output = cli.run(&["create", "--name", "x", "--metadata", &metadata]);
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(1));
            break String::from_utf8(output.stderr).unwrap();
        }
        created_before += 1;
        assert!(created_before < 100, "the disk must be full");
    };
    assert!(stderr.contains("the disk of the database is full: free some space"), "{stderr}");
    assert_eq!(keys_and_events(server, &url), format!("{created_before}|{created_before}"));
    let verified = cli.run_with_input(&["verify"], created["key"].as_str().unwrap());
    assert_eq!(verified.stdout, b"valid\n", "keys are read");
    server.run("postgres", "DROP DATABASE small WITH (FORCE)");
    server.run("postgres", "DROP TABLESPACE small");
}
