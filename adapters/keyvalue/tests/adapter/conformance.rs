//! The conformance suite of keycell, with a bucket as storage.

use keycell::Component;

use crate::storage::BucketStorage;

/// The number of cases when this was written. More may be added, and none may be left out.
const LEAST_CASES: usize = 4960;

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
    assert!(cases.len() >= LEAST_CASES, "only {} cases", cases.len());
}
