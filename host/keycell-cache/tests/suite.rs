//! The storage matrix, the conformance suite and the model test through the cache.

use std::time::Duration;

use keycell::{Component, MemoryStorage};
use keycell_cache::LeasedCache;
use keycell_conformance::{cases, model, run};

/// A cache with its first lease.
async fn cached() -> LeasedCache<MemoryStorage> {
    let cache = LeasedCache::new(MemoryStorage::default(), Duration::from_secs(60));
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    cache
}

mod matrix {
    keycell_conformance::storage_tests!(async || ((), super::cached().await));
}

#[tokio::test]
async fn every_case_passes() {
    let component = Component::built_in().unwrap();
    let cases = cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = run(case, &component, cached().await).await;
        if let Err(difference) = outcome.result {
            failed.push(format!("{}: {difference}", outcome.name));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model() {
    for seed in 2_000..2_010 {
        model::run(cached().await, seed, 300).await;
    }
}
