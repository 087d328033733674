//! The model test on `MemoryStorage`.

mod slow_storage;

use keycell::MemoryStorage;
use keycell_conformance::model;
use slow_storage::SlowStorage;

#[tokio::test]
async fn random_calls_have_the_results_of_the_model() {
    for seed in 0..60 {
        model::run(MemoryStorage::default(), seed, 300).await;
    }
}

/// Each read is tried without a fiber, and repeated with one.
#[tokio::test]
async fn reads_that_storage_does_not_answer_at_once_are_repeated() {
    for seed in 0..20 {
        model::run(SlowStorage::new(true), seed, 300).await;
    }
}
