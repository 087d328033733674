//! The storage matrix, the conformance suite and the model test, at both isolation levels.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keycell::Component;
use keycell_conformance::{cases, model, run, storage};
use keycell_postgres::PostgresStorage;

use crate::{
    migrations::grants,
    server::{Server, server},
};

/// Conflicts of transactions become errors, which the storage has to repeat.
const SERIALIZABLE: &str = "SET default_transaction_isolation = 'serializable'";

/// The number of databases on which the suite runs.
const DATABASES: usize = 2;

/// A database that is emptied again and again.
struct Database {
    url: String,
    client: tokio_postgres::Client,
}

impl Database {
    async fn new(server: &Server, settings: &str) -> Self {
        let url = server.database_with(settings);
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { url, client }
    }

    /// Storage on the database, which is empty.
    async fn storage(&self) -> PostgresStorage {
        let storage = PostgresStorage::open(&self.url).await.unwrap();
        // With so few records, this is faster than `TRUNCATE`.
        let clear = "DELETE FROM keycell.projects; DELETE FROM keycell.project_members; DELETE FROM keycell.api_keys;
             DELETE FROM keycell.events; DELETE FROM keycell.idempotent_requests; DELETE FROM keycell.key_changes;
             UPDATE keycell.change_feed SET position = 0";
        self.client.batch_execute(clear).await.unwrap();
        storage
    }
}

async fn matrix(database: Database) {
    let mut failed = Vec::new();
    for case in storage::CASES {
        if tokio::spawn(storage::run(case, database.storage().await)).await.is_err() {
            failed.push(case.name());
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), storage::CASES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes() {
    let Some(server) = server() else { return };
    matrix(Database::new(server, "").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes_with_serializable_transactions() {
    let Some(server) = server() else { return };
    matrix(Database::new(server, SERIALIZABLE).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes_with_the_documented_grants() {
    let Some(server) = server() else { return };
    let mut database = Database::new(server, "").await;
    drop(database.storage().await);
    server.run_at(&database.url, &grants("host_of_matrix"));
    database.url = database.url.replace("postgres@", "host_of_matrix@");
    matrix(database).await;
}

/// Runs the cases on some databases at the same time: each case waits for the database most of its
/// time.
async fn suite(server: &Server, settings: &str) {
    let component = Component::built_in().unwrap();
    let cases = Arc::new(cases().unwrap());
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..DATABASES {
        let database = Database::new(server, settings).await;
        let (component, cases, next) = (component.clone(), Arc::clone(&cases), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut failed = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = run(case, &component, database.storage().await).await;
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
#[ignore = "takes minutes; run it with --ignored on a machine that does nothing else"]
async fn every_case_passes() {
    let Some(server) = server() else { return };
    suite(server, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes; run it with --ignored on a machine that does nothing else"]
async fn every_case_passes_with_serializable_transactions() {
    let Some(server) = server() else { return };
    suite(server, SERIALIZABLE).await;
}

async fn compare_with_model(server: &Server, settings: &str, seeds: std::ops::Range<u64>) {
    let database = Database::new(server, settings).await;
    for seed in seeds {
        model::run(database.storage().await, seed, 300).await;
    }
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model() {
    let Some(server) = server() else { return };
    compare_with_model(server, "", 1_000..1_006).await;
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model_with_serializable_transactions() {
    let Some(server) = server() else { return };
    compare_with_model(server, SERIALIZABLE, 1_006..1_010).await;
}
