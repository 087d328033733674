//! The commands on a PostgreSQL database.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    cli::{Cli, id, secret},
    postgres_server::{self, Server},
    server,
};

/// The server, and the command with a new database that has no tables.
fn server_and_cli() -> Option<(&'static Server, String, Cli)> {
    let server = postgres_server::server()?;
    let url = server.database();
    let cli = Cli::on(&url);
    Some((server, url, cli))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[test]
fn every_command_uses_the_database_of_the_url() {
    let Some((_, url, cli)) = server_and_cli() else { return };
    assert!(cli.fails(1, &["list"]).contains("keycell migrate"));
    let created = cli.run(&["init"]);
    assert_eq!(serde_json::from_slice::<Value>(&created.stdout).unwrap(), json!({"created": true}));
    assert_eq!(cli.json(&["migrate"]), json!({"created": false}));
    assert!(cli.fails(1, &["init"]).contains("already"));

    let project = cli.json(&["project", "create", "web"]);
    cli.json(&["project", "member", "add", "web", "ann"]);
    let key = cli.json(&["create", "--name", "deploy", "--project", "web", "--idempotency-key", "once"]);
    assert_eq!(key["project_id"], project["id"]);
    assert_eq!(cli.verify(secret(&key), &[]), ("valid\n".to_owned(), 0));
    // The end of each process stores the uses that it has in memory.
    assert!(cli.json(&["describe", id(&key)])["last_used_at"].is_string());
    assert_eq!(cli.json(&["update", id(&key), "--name", "x"])["name"], "x");
    let rotated = cli.json(&["rotate", id(&key)]);
    assert_eq!(cli.json(&["revoke", id(&rotated)])["status"], "revoked");
    assert_eq!(cli.verify(secret(&rotated), &[]), ("revoked\n".to_owned(), 1));
    assert_eq!(cli.json(&["list", "--status", "all"])["api_keys"].as_array().unwrap().len(), 2);
    assert_eq!(cli.json(&["events"])["events"].as_array().unwrap().len(), 5);
    assert!(cli.fails(1, &["check"]).contains("pg_amcheck"));
    assert!(cli.fails(1, &["backup", "copy.db"]).contains("pg_dump"));

    let settings = cli.json(&["config", "show"]);
    let rows = settings["settings"].as_array().unwrap();
    let database = rows.iter().find(|row| row["name"] == "database").unwrap();
    assert_eq!((&database["value"], &database["origin"]), (&json!(url), &json!("option")));
    assert!(!cli.database().exists());
}

#[test]
fn the_url_comes_from_the_option_or_the_file() {
    let Some((_, url, _)) = server_and_cli() else { return };
    let cli = Cli::without_database();
    assert!(cli.run(&["init", "--database", &url]).status.success());
    for setting in ["database", "storage"] {
        let file = cli.file("keycell.toml", &format!("prefix = 'acme'\n{setting} = '{url}'\n"));
        let mut command = cli.command();
        command.env_remove("KEYCELL_DATABASE").args(["create", "--name", setting, "--config", &file]);
        let output = run(&mut command);
        assert!(output.status.success(), "{output:?}");
    }
    let list = cli.json(&["list", "--database", &url]);
    assert_eq!(list["api_keys"].as_array().unwrap().len(), 2);
    assert!(!cli.database().exists());
}

#[test]
fn a_server_serves_the_database_of_the_url() {
    let Some((postgres, url, cli)) = server_and_cli() else { return };
    let server = server::Server::start_on(cli, "", &[]);
    let key = server.key("ann");
    let answer = server::get(&server.url("/v1/keys"), &[("authorization", &format!("Bearer {key}"))]);
    assert_eq!((answer.status, answer.body["api_keys"][0]["name"].as_str()), (200, Some("first")));
    assert_eq!(postgres.run_at(&url, "SELECT count(*) FROM keycell.api_keys"), "1");
}

/// The counters of the cache in `/metrics`.
fn cache_counts(server: &server::Server) -> Option<[u64; 2]> {
    let answer = server.get("/metrics");
    let metrics = answer.body.as_str().unwrap();
    let count = |name| metrics.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    Some([count("keycell_cache_hits_total ")?, count("keycell_cache_misses_total ")?])
}

#[test]
fn a_server_caches_keys_under_a_lease() {
    let Some((_, url, cli)) = server_and_cli() else { return };
    let lease = Duration::from_millis(1_500);
    let server = server::Server::start_on(cli, "", &["--cache-lease", "1500ms"]);
    let created = server.cli.json(&["create", "--user", "ann", "--name", "x"]);
    let bearer = format!("Bearer {}", secret(&created));
    let status = || server::get(&server.url("/v1/caller"), &[("authorization", &bearer)]).status;
    // Without the first lease, nothing is cached.
    while cache_counts(&server).unwrap()[0] < 20 {
        assert_eq!(status(), 200);
    }
    let [_, misses] = cache_counts(&server).unwrap();
    assert!(misses < 20, "{misses}");

    // Another process revokes the key.
    server.cli.json(&["revoke", id(&created), "--operator"]);
    let revoked = Instant::now();
    while status() == 200 {
        assert!(revoked.elapsed() < lease, "the key is valid for too long");
    }

    let server = server::Server::start_on(Cli::on(&url), "", &["--cache-lease", "off"]);
    assert_eq!(cache_counts(&server), None);
}

#[test]
fn an_agent_calls_tools_on_the_database_of_the_url() {
    let Some((_, _, cli)) = server_and_cli() else { return };
    let mut client = crate::mcp::Client::start(&cli, &[]);
    let created = client.call("create_api_key", json!({"name": "x"}));
    let id = created["structuredContent"]["id"].clone();
    drop(client);
    assert_eq!(cli.json(&["list", "--user", "ann"])["api_keys"][0]["id"], id);
}

#[test]
fn a_url_with_a_mistake_is_refused_without_its_value() {
    let cli = Cli::without_database();
    for (url, remedy) in [
        ("postgres://ann:hunter2@db/keys", "PGPASSFILE"),
        ("postgres://ann@db/keys?password=hunter2", "PGPASSFILE"),
        ("postgres://db:hunter2/keys", "check the host, the port"),
        ("postgres://hunter2/", "no database name"),
        ("mysql://hunter2/keys", "postgres://USER@HOST"),
    ] {
        let from_option = cli.fails(1, &["create", "--name", "x", "--database", url]);
        let mut command = cli.command();
        command.env("KEYCELL_DATABASE", url).args(["config", "show"]);
        let from_environment = String::from_utf8(run(&mut command).stderr).unwrap();
        let file = cli.file("keycell.toml", &format!("\nstorage = '{url}'\n"));
        let mut command = cli.command();
        command.env_remove("KEYCELL_DATABASE").args(["config", "check", "--config", &file]);
        let output = run(&mut command);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let from_file = String::from_utf8(output.stderr).unwrap();
        assert!(from_file.starts_with(&format!("error: {file}:2: ")), "{from_file}");
        for message in [from_option, from_environment, from_file] {
            assert!(message.contains(remedy) && !message.contains("hunter2"), "{url}: {message}");
        }
    }
    assert_eq!(std::fs::read_dir(cli.dir.path()).unwrap().count(), 1, "only the configuration file");
}

/// Every record of a SQLite file, as text.
fn records(path: &std::path::Path) -> Vec<String> {
    let database = rusqlite::Connection::open(path).unwrap();
    let tables = [
        ("projects", "id"),
        ("project_members", "user_id, project_id"),
        ("api_keys", "id"),
        ("idempotent_requests", "user_id, idempotency_key"),
        ("events", "id"),
    ];
    let mut records = Vec::new();
    for (table, order) in tables {
        let mut statement = database.prepare(&format!("SELECT * FROM {table} ORDER BY {order}")).unwrap();
        let names: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
        // A sweep writes this column later.
        let columns: Vec<_> = (0..names.len()).filter(|n| !["swept_expiry", "state"].contains(&&*names[*n])).collect();
        let rows = statement.query_map((), |row| {
            let values = columns.iter().map(|n| row.get::<_, rusqlite::types::Value>(*n));
            Ok(format!("{table} {:?}", values.collect::<Result<Vec<_>, _>>()?))
        });
        records.extend(rows.unwrap().map(Result::unwrap));
    }
    records
}

/// Inserts many keys with one event each.
fn insert_keys(path: &std::path::Path, count: u32) {
    let database = rusqlite::Connection::open(path).unwrap();
    let sql = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
         INSERT INTO api_keys (id, prefix, lookup, hash, user_id, name, scopes, created_at, updated_at, metadata)
         SELECT printf('01890a5d-ac96-774b-bcce-%012x', n), 'keycell', printf('%012d', n), randomblob(32), 'bob',
                'key ' || n, json_array('a', 'b'), n, n, json_object('n', n)
         FROM n;
         INSERT INTO events (id, time, action, key_id, user_id, actor_user_id, fields)
         SELECT id, created_at, 'created', id, user_id, user_id, '[]' FROM api_keys WHERE user_id = 'bob';"
    );
    database.execute_batch(&sql).unwrap();
}

#[test]
fn every_record_is_copied_to_postgresql_and_back() {
    let Some((server, url, postgres)) = server_and_cli() else { return };
    let cli = Cli::new();
    cli.json(&["project", "create", "web"]);
    cli.json(&["project", "member", "add", "web", "ann"]);
    let metadata = ["--metadata", "{\"a\": \"é\"}", "--limit", "5/1h", "--idempotency-key", "once"];
    let issued = cli.json(&[&["create", "--name", "x", "--project", "web"], &metadata[..]].concat());
    let used = cli.json(&["create", "--name", "used", "--expires-at", "2131-01-31"]);
    assert_eq!(cli.verify(secret(&used), &[]).1, 0);
    let rotated = cli.json(&["rotate", id(&used), "--grace", "1h"]);
    let revoked = cli.json(&["create", "--name", "revoked"]);
    cli.json(&["revoke", id(&revoked), "--reason", "test"]);
    insert_keys(&cli.database(), 1_203);

    let file = cli.database();
    let file = file.to_str().unwrap();
    let counts = copy(&cli, file, &url);
    let expected = json!({
        "projects": 1, "members": 2, "keys": 1_207, "requests": 1, "events": 1_209, "copied": 2_420,
    });
    assert_eq!(counts, expected);
    for (key, expected) in [(&issued, "valid\n"), (&used, "valid\n"), (&rotated, "valid\n"), (&revoked, "revoked\n")] {
        assert_eq!(postgres.verify(secret(key), &[]).0, expected);
    }
    // The idempotency key is known, and the key has been used.
    let again = [&["create", "--name", "x", "--project", "web"], &metadata[..]].concat();
    assert!(postgres.fails(1, &again).contains("idempotency key"));

    // The uses were stored in the target.
    server.run_at(&url, "UPDATE keycell.api_keys SET last_used_at = NULL WHERE name IN ('x', 'used')");
    let source = rusqlite::Connection::open(cli.database()).unwrap();
    source.execute("UPDATE api_keys SET last_used_at = NULL WHERE name IN ('x', 'used')", ()).unwrap();
    drop(source);
    let back = Cli::without_database();
    let copied = copy(&cli, &url, back.database().to_str().unwrap());
    assert_eq!(copied, expected);
    assert_eq!(records(&back.database()), records(&cli.database()));
    assert_eq!(back.json(&["check"])["problem_count"], 0);
    assert_eq!(back.verify(secret(&rotated), &[]).0, "valid\n");
}

/// Copies a database, and returns the output.
fn copy(cli: &Cli, from: &str, to: &str) -> Value {
    let output = cli.run(&["copy", "--from", from, "--to", to]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a copy and kills it when `count` says that a part of the keys is in the target.
fn kill_copy(cli: &Cli, from: &str, to: &str, keys: u64, count: impl Fn() -> Option<u64>) {
    let mut copy = cli.command().args(["copy", "--from", from, "--to", to]).spawn().unwrap();
    while count().is_none_or(|count| count < keys / 20) {
        assert!(copy.try_wait().unwrap().is_none(), "the copy must still run");
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
    let count = count().unwrap();
    assert!(count < keys, "the copy must be interrupted: {count}");
}

#[test]
fn a_copy_that_was_killed_continues() {
    const KEYS: u64 = 10_000;
    let Some((server, url, _)) = server_and_cli() else { return };
    let cli = Cli::new();
    insert_keys(&cli.database(), u32::try_from(KEYS).unwrap());
    let file = cli.database();
    let file = file.to_str().unwrap();
    let count = || {
        let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'api_keys'";
        (server.run_at(&url, tables) == "1")
            .then(|| server.run_at(&url, "SELECT count(*) FROM keycell.api_keys").parse().unwrap())
    };
    kill_copy(&cli, file, &url, KEYS, count);
    let rest = copy(&cli, file, &url);
    assert_eq!((&rest["keys"], &rest["events"]), (&json!(KEYS), &json!(KEYS)));
    assert!(rest["copied"].as_u64().unwrap() < 2 * KEYS, "{rest}");
    assert_eq!(copy(&cli, file, &url)["copied"], 0);

    let back = Cli::without_database();
    let target = back.database();
    let target = target.to_str().unwrap();
    let count = || {
        let database = rusqlite::Connection::open(target).ok()?;
        database.query_row("SELECT count(*) FROM api_keys", (), |row| row.get::<_, i64>(0)).ok()?.try_into().ok()
    };
    kill_copy(&cli, &url, target, KEYS, count);
    let rest = copy(&cli, &url, target);
    assert!(rest["copied"].as_u64().unwrap() < 2 * KEYS, "{rest}");
    assert_eq!(records(&back.database()), records(&cli.database()));
}

#[test]
fn a_copy_into_other_records_is_refused() {
    let Some((server, url, postgres)) = server_and_cli() else { return };
    let cli = Cli::new();
    cli.json(&["create", "--name", "x"]);
    let file = cli.database();
    let file = file.to_str().unwrap();
    assert!(postgres.run(&["project", "create", "web"]).status.success());
    let stderr = cli.fails(1, &["copy", "--from", file, "--to", &url]);
    assert!(stderr.contains("into an empty database"), "{stderr}");
    assert_eq!(server.run_at(&url, "SELECT count(*) FROM keycell.api_keys"), "0");
    let before = records(&cli.database());
    let stderr = cli.fails(1, &["copy", "--from", &url, "--to", file]);
    assert!(stderr.contains("into an empty database"), "{stderr}");
    assert_eq!(records(&cli.database()), before);

    let stderr = cli.fails(1, &["copy", "--from", "missing.db", "--to", &url]);
    assert!(stderr.starts_with("error: --from: there is no database"), "{stderr}");
    let stderr = cli.fails(1, &["copy", "--from", file, "--to", "postgres://a:b@c/d"]);
    assert!(stderr.starts_with("error: --to: ") && stderr.contains("PGPASSFILE"), "{stderr}");
}
