//! Databases that cannot be used: each has its own message.

use std::time::{Duration, Instant};

use keycell::{ChangeFeed, ProjectStorage, StorageError};
use keycell_postgres::{PostgresError, PostgresStorage};

use crate::{
    proxy::{Proxy, State},
    server::{Server, server},
};

async fn error(url: &str) -> PostgresError {
    match PostgresStorage::open(url).await {
        Ok(_) => panic!("{url} must not be opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_has_its_own_error() {
    let Some(server) = server() else { return };
    let database = server.database();
    server.run_at(&database, "CREATE ROLE reader LOGIN; CREATE ROLE barred NOLOGIN");
    let unreachable = "postgres://postgres@127.0.0.1:1/keys";
    assert!(matches!(error(unreachable).await, PostgresError::Unreachable(_)));
    assert!(matches!(error(&database.replace("postgres@", "missing@")).await, PostgresError::Role));
    assert!(matches!(error(&database.replace("postgres@", "barred@")).await, PostgresError::Role));
    assert!(matches!(error(&database.replace("postgres@", "reader@")).await, PostgresError::Privilege));
    assert!(matches!(error(&server.url("missing")).await, PostgresError::NoDatabase));
    assert!(matches!(error(&format!("{database}?sslmode=require")).await, PostgresError::Tls(_)));
    assert!(matches!(error(&format!("{database}?sslrootcert=/missing")).await, PostgresError::Certificates));
    assert_eq!(server.run_at(&database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'keycell'"), "0");
}

#[tokio::test]
async fn a_read_only_database_has_its_own_error() {
    let Some(server) = server() else { return };
    let database = server.database_with("SET default_transaction_read_only = on");
    assert!(matches!(error(&database).await, PostgresError::ReadOnly));
}

/// As a standby, to which a pooler passes the statements of an open connection.
#[tokio::test]
async fn a_server_that_became_read_only_reports_no_changes() {
    let Some(server) = Server::start(&[]) else { return };
    let storage = PostgresStorage::open(&server.database()).await.unwrap();
    let (position, _) = storage.read_changes(None).await.unwrap();
    server.run("postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
    server.run("postgres", "SELECT pg_reload_conf()");
    let began = Instant::now();
    let error = loop {
        match storage.read_changes(Some(&position)).await {
            Ok(_) => assert!(began.elapsed() < Duration::from_secs(10), "the feed must end"),
            Err(StorageError::Unavailable(error)) => break error.to_string(),
            Err(error) => panic!("{error:?}"),
        }
    };
    assert!(error.contains("give the URL of the primary"), "{error}");
}

/// The first server of the URL accepts connections and then hangs.
#[tokio::test]
async fn a_server_that_hangs_does_not_keep_a_host_from_the_next_one() {
    let Some(server) = server() else { return };
    let database = server.database();
    drop(PostgresStorage::open(&database).await.unwrap());
    let hanging = Proxy::start(server.port());
    hanging.set(State::Held);
    let (first, second) = (hanging.port(), server.port());
    let hosts = database.replace(&second.to_string(), &format!("{first},127.0.0.1:{second}"));
    // One attempt in two begins with the server that hangs. A call makes four.
    let mut opened = 0;
    for _ in 0..8 {
        opened += u32::from(PostgresStorage::open(&hosts).await.is_ok());
    }
    assert!(opened >= 4, "{opened} of 8");
}

/// Opens a database on links that hang after a part of the bytes that this takes.
async fn open_on_links_that_hang(server: &Server, is_new: bool, limit: Duration) {
    let new_proxy = || (Proxy::start(server.port()), server.database());
    let (proxy, database) = new_proxy();
    if !is_new {
        drop(PostgresStorage::open(&database).await.unwrap());
    }
    drop(PostgresStorage::open(&proxy.url(&database)).await.unwrap());
    let (bytes, began) = (proxy.bytes(), Instant::now());
    let mut opened = tokio::task::JoinSet::new();
    for part in 0..8 {
        let (proxy, new) = new_proxy();
        proxy.hold_after(bytes * part / 8);
        let url = proxy.url(if is_new { &new } else { &database });
        opened.spawn(async move { PostgresStorage::open(&url).await.err() });
    }
    while let Some(error) = opened.join_next().await {
        assert!(matches!(error.unwrap(), Some(PostgresError::Timeout)));
    }
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_database_that_hangs_is_not_opened() {
    let Some(server) = server() else { return };
    open_on_links_that_hang(server, false, Duration::from_secs(10)).await;
}

#[tokio::test]
#[ignore = "takes half a minute; run it with --ignored"]
async fn a_database_that_hangs_is_not_migrated() {
    let Some(server) = server() else { return };
    open_on_links_that_hang(server, true, Duration::from_secs(45)).await;
}

#[tokio::test]
async fn a_schema_of_another_version_or_program_is_not_touched() {
    let Some(server) = server() else { return };
    for (sql, expected) in [
        ("CREATE SCHEMA keycell; CREATE TABLE keycell.notes (x int)", "another program"),
        ("CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (x int)", "another program"),
        ("CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (version int)", "another program"),
        (
            "CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (version int);
             INSERT INTO keycell.migrations VALUES (1)",
            "another program",
        ),
        (
            "CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (version bigint);
             CREATE TABLE keycell.notes (x int)",
            "another program",
        ),
        (
            "CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (version bigint);
             INSERT INTO keycell.migrations VALUES (7)",
            "another program",
        ),
        (
            "CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (version bigint);
             INSERT INTO keycell.migrations VALUES (1), (2)",
            "newer version",
        ),
    ] {
        let database = server.database();
        server.run_at(&database, sql);
        let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'keycell'";
        let before = server.run_at(&database, tables);
        let error = error(&database).await.to_string();
        assert!(error.contains(expected), "{sql}: {error}");
        assert_eq!(server.run_at(&database, tables), before, "{sql}");
    }
}

#[tokio::test]
async fn too_many_connections_have_their_own_error() {
    let Some(server) = server() else { return };
    let database = server.database();
    let storage = PostgresStorage::open(&database).await.unwrap();
    server.run_at(&database, "CREATE ROLE limited LOGIN CONNECTION LIMIT 0; GRANT ALL ON SCHEMA keycell TO limited");
    assert!(matches!(error(&database.replace("postgres@", "limited@")).await, PostgresError::OutOfConnections));
    storage.check_ready().await.unwrap();
}

#[tokio::test]
async fn a_storage_whose_connections_are_cut_comes_back() {
    let Some(server) = server() else { return };
    let database = server.database();
    let storage = PostgresStorage::open(&database).await.unwrap();
    storage.check_ready().await.unwrap();
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(server.run_at(&database, cut), "1");
    // The first call may find out.
    match storage.check_ready().await {
        Ok(()) => {}
        Err(error) => assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}"),
    }
    storage.check_ready().await.unwrap();
}
