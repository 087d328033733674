//! The conformance suite of keycell, with a bucket as storage.

use keycell::Component;

use crate::storage::BucketStorage;

/// The minimum number of cases, so that none is skipped.
const MIN_CASES: usize = 4960;

#[tokio::test]
async fn every_case_passes_on_a_bucket() {
    let component = Component::built_in().unwrap();
    let cases = keycell_conformance::cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = keycell_conformance::run(case, &component, BucketStorage::default()).await;
        failed.extend(outcome.result.err().map(|fault| format!("{}: {fault}", outcome.name)));
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    assert!(cases.len() >= MIN_CASES, "only {} cases", cases.len());
}
