//! The model test on `MemoryStorage`.

use keycell::MemoryStorage;
use keycell_conformance::model;

#[tokio::test]
async fn random_calls_have_the_results_of_the_model() {
    for seed in 0..60 {
        model::run(MemoryStorage::default(), seed, 300).await;
    }
}
