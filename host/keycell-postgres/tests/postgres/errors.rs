//! Databases that cannot be used: each has its own message.

use keycell::{ProjectStorage, StorageError};
use keycell_postgres::{PostgresError, PostgresStorage};

use crate::server::server;

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

#[tokio::test]
async fn a_schema_of_another_version_or_program_is_not_touched() {
    let Some(server) = server() else { return };
    for (sql, expected) in [
        ("CREATE SCHEMA keycell; CREATE TABLE keycell.notes (x int)", "another program"),
        ("CREATE SCHEMA keycell; CREATE TABLE keycell.migrations (x int)", "another program"),
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
        let error = error(&database).await.to_string();
        assert!(error.contains(expected), "{sql}: {error}");
        let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'keycell'";
        assert_eq!(server.run_at(&database, tables), "1", "{sql}");
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
