//! The storage matrix, the conformance suite and the model test, at both isolation levels.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use keycell::{AnyStorage, Component, Storage};
use keycell_conformance::{cases, model, run, storage};
use keycell_postgres::PostgresStorage;
use tokio_postgres::{Client, NoTls};

use crate::{
    documented::grants,
    server::{Server, server},
};

/// Conflicts of transactions become errors, which the storage has to repeat.
const SERIALIZABLE: &str = "SET default_transaction_isolation = 'serializable'";
const SERIALIZATION_FAILURE: &str = "40001";

/// The number of databases on which the suite runs.
const DATABASES: usize = 2;

/// A database that is emptied again and again, and storage on it.
struct Database {
    url: String,
    client: Client,
    storage: AnyStorage,
}

impl Database {
    async fn new(server: &Server, settings: &str) -> Self {
        let url = server.database_with(settings);
        let storage = AnyStorage::new(PostgresStorage::open(&url).await.unwrap());
        Self { client: connect(&url).await, url, storage }
    }

    /// A database whose transactions conflict with those of another program.
    async fn disturbed(server: &Server) -> Self {
        let database = Self::new(server, SERIALIZABLE).await;
        tokio::spawn(disturb(connect(&database.url).await));
        database
    }

    /// The storage, which is empty. It is opened once, because a new connection costs more than most
    /// cases.
    async fn empty(&self) -> AnyStorage {
        // The first call stores the uses of keys, the second one forgets them.
        self.storage.close().await;
        self.storage.close().await;
        // With so few records, this is faster than `TRUNCATE`.
        let clear = "DELETE FROM keycell.projects; DELETE FROM keycell.project_members; DELETE FROM keycell.api_keys;
             DELETE FROM keycell.events; DELETE FROM keycell.idempotent_requests; DELETE FROM keycell.key_changes;
             UPDATE keycell.change_feed SET position = 0";
        while let Err(error) = self.client.batch_execute(clear).await {
            assert_eq!(error.code().map(|code| code.code()), Some(SERIALIZATION_FAILURE), "{error}");
        }
        self.storage.clone()
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Writes all rows of keys and of the feed without a change, again and again, in transactions that
/// stay open for a moment. A statement that meets one of them fails when that commits.
async fn disturb(client: Client) {
    loop {
        let write =
            "UPDATE keycell.api_keys SET revision = revision; UPDATE keycell.change_feed SET position = position;
             SELECT pg_sleep(0.002)";
        // It may meet a statement of the storage.
        let _ = client.batch_execute(write).await;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

fn assert_conflicts(server: &Server, url: &str) {
    assert!(server.failures(url, SERIALIZATION_FAILURE) > 0, "no transaction has failed and was repeated");
}

async fn matrix(database: &Database) {
    let mut failed = Vec::new();
    for case in storage::CASES {
        if tokio::spawn(storage::run(case, database.empty().await)).await.is_err() {
            failed.push(case.name());
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), storage::CASES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes() {
    let Some(server) = server() else { return };
    matrix(&Database::new(server, "").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes_with_serializable_transactions() {
    let Some(server) = server() else { return };
    let database = Database::disturbed(server).await;
    matrix(&database).await;
    assert_conflicts(server, &database.url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes_with_the_documented_grants() {
    let Some(server) = server() else { return };
    let mut database = Database::new(server, "").await;
    server.run_at(&database.url, &grants("host_of_matrix"));
    let url = database.url.replace("postgres@", "host_of_matrix@");
    database.storage = AnyStorage::new(PostgresStorage::open(&url).await.unwrap());
    matrix(&database).await;
}

/// Runs the cases on some databases at the same time: each case waits for the database most of its
/// time.
async fn suite(databases: Vec<Database>) {
    let component = Component::built_in().unwrap();
    let cases = Arc::new(cases().unwrap());
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for database in databases {
        let (component, cases, next) = (component.clone(), Arc::clone(&cases), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut failed = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = run(case, &component, database.empty().await).await;
                if let Err(difference) = outcome.result {
                    failed.push(format!("{}: {difference}", outcome.name));
                }
            }
            failed
        }));
    }
    let mut failed = Vec::new();
    for task in tasks {
        failed.extend(task.await.unwrap());
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_case_passes() {
    let Some(server) = server() else { return };
    let mut databases = Vec::new();
    for _ in 0..DATABASES {
        databases.push(Database::new(server, "").await);
    }
    suite(databases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_case_passes_with_serializable_transactions() {
    let Some(server) = server() else { return };
    let mut databases = Vec::new();
    for _ in 0..DATABASES {
        databases.push(Database::disturbed(server).await);
    }
    let urls: Vec<_> = databases.iter().map(|database| database.url.clone()).collect();
    suite(databases).await;
    for url in urls {
        assert_conflicts(server, &url);
    }
}

async fn compare_with_model(database: &Database, seeds: Range<u64>) {
    for seed in seeds {
        model::run(database.empty().await, seed, 300).await;
    }
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model() {
    let Some(server) = server() else { return };
    compare_with_model(&Database::new(server, "").await, 1_000..1_006).await;
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model_with_serializable_transactions() {
    let Some(server) = server() else { return };
    let database = Database::disturbed(server).await;
    compare_with_model(&database, 1_006..1_010).await;
    assert_conflicts(server, &database.url);
}
