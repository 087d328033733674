//! The conformance suite on SQLite: the cases, and the model test.

use keycell::Component;
use keycell_conformance::{cases, model, run};
use keycell_sqlite::SqliteStorage;

/// A directory in memory, where the system has one: thousands of databases need not be synced to a
/// disk.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[tokio::test]
async fn every_case_passes_on_sqlite() {
    let component = Component::built_in().unwrap();
    let cases = cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let directory = directory();
        let storage = SqliteStorage::open(directory.path().join("keycell.db")).unwrap();
        let outcome = run(case, &component, storage).await;
        if let Err(difference) = outcome.result {
            failed.push(format!("{}: {difference}", outcome.name));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model_on_sqlite() {
    for seed in 1_000..1_020 {
        let directory = directory();
        let storage = SqliteStorage::open(directory.path().join("keycell.db")).unwrap();
        model::run(storage, seed, 300).await;
    }
}
