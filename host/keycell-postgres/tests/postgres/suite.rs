//! The storage matrix, the conformance suite and the model test, at both isolation levels.

use keycell::Component;
use keycell_conformance::{cases, model, run, storage};
use keycell_postgres::PostgresStorage;

use crate::server::{Server, server};

/// Conflicts of transactions become errors, which the storage has to repeat.
const SERIALIZABLE: &str = "SET default_transaction_isolation = 'serializable'";

async fn matrix(server: &Server, settings: &str) {
    let url = server.database_with(settings);
    let mut failed = Vec::new();
    for case in storage::CASES {
        let storage = PostgresStorage::open(&url).await.unwrap();
        if tokio::spawn(storage::run(case, storage)).await.is_err() {
            failed.push(case.name());
        }
        server.clear(&url);
    }
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), storage::CASES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes() {
    let Some(server) = server() else { return };
    matrix(server, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_storage_matrix_passes_with_serializable_transactions() {
    let Some(server) = server() else { return };
    matrix(server, SERIALIZABLE).await;
}

async fn suite(server: &Server, settings: &str) {
    let url = server.database_with(settings);
    let component = Component::built_in().unwrap();
    let cases = cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let storage = PostgresStorage::open(&url).await.unwrap();
        let outcome = run(case, &component, storage).await;
        if let Err(difference) = outcome.result {
            failed.push(format!("{}: {difference}", outcome.name));
        }
        server.clear(&url);
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[tokio::test]
#[ignore = "takes many minutes; run it with --ignored"]
async fn every_case_passes() {
    let Some(server) = server() else { return };
    suite(server, "").await;
}

#[tokio::test]
#[ignore = "takes many minutes; run it with --ignored"]
async fn every_case_passes_with_serializable_transactions() {
    let Some(server) = server() else { return };
    suite(server, SERIALIZABLE).await;
}

async fn compare_with_model(server: &Server, settings: &str, seeds: std::ops::Range<u64>) {
    let url = server.database_with(settings);
    for seed in seeds {
        model::run(PostgresStorage::open(&url).await.unwrap(), seed, 300).await;
        server.clear(&url);
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
