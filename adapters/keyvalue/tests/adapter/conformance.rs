//! The conformance suite of keycell, with a bucket as storage: the cases, and the model test.

use keycell::Component;
use keycell_conformance::{cases, model, run};

use crate::storage::BucketStorage;

/// The minimum number of cases, so that none is skipped.
const MIN_CASES: usize = 4960;

#[tokio::test]
async fn every_case_passes_on_a_bucket() {
    let component = Component::built_in().unwrap();
    let cases = cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = run(case, &component, BucketStorage::default()).await;
        failed.extend(outcome.result.err().map(|fault| format!("{}: {fault}", outcome.name)));
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    assert!(cases.len() >= MIN_CASES, "only {} cases", cases.len());
}

/// What else differs on a bucket needs crashes, calls at the same moment, or storage calls that the
/// component does not make. The model makes one call after another.
#[tokio::test]
async fn random_calls_have_the_results_of_the_model_on_a_bucket() {
    for seed in 1_000..1_020 {
        model::run_with_separate_revocations(BucketStorage::default(), seed, 300).await;
    }
}
