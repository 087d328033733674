//! Verifications of a limited key of which another one is counted first: between `load` and
//! `compare-and-store` of the call.

use std::{sync::Arc, time::UNIX_EPOCH};

use keycell::{Caller, Error, IssueApiKey, Keycell, MemoryStorage, RateLimit, Refusal, Verification};

use crate::faults::{Edit, Fault, component_with};

/// Loads the state, and counts another verification if the condition holds.
fn load_and_count_another(condition: &str) -> Edit {
    let original = "limits::load(&record.id)";
    let replacement = format!(
        "let old = {original};
        if let (Decision::Admitted {{ state, .. }}, true) = (rule.count(old, now), {condition}) {{
            limits::compare_and_store(&record.id, old, state);
        }}
        old"
    );
    Edit { file: "guest/verify.rs", original, replacement }
}

pub fn faults() -> Vec<Fault> {
    let once = "{
        static IS_FIRST: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(true);
        IS_FIRST.swap(false, core::sync::atomic::Ordering::Relaxed)
    }";
    let ignoring_the_result = Edit {
        file: "guest/verify.rs",
        original: "limits::compare_and_store(&record.id, old, state)",
        replacement: "limits::compare_and_store(&record.id, old, state) || true".to_owned(),
    };
    vec![
        Fault { name: "one_other_is_counted_first", edits: vec![load_and_count_another(once)] },
        Fault {
            name: "ignores_that_another_is_counted_first",
            edits: vec![load_and_count_another(once), ignoring_the_result],
        },
        Fault { name: "others_are_counted_first", edits: vec![load_and_count_another("true")] },
    ]
}

/// The number of verifications that a limit of so many requests admits, and how the next one ends.
async fn verify_all(fault: &str, requests: u32) -> (u32, Result<Verification, Error>) {
    let keycell = Keycell::builder(MemoryStorage::default())
        .component(component_with(fault))
        .clock(Arc::new(|| UNIX_EPOCH))
        .build()
        .unwrap();
    let limit = RateLimit { requests, window_seconds: 60 };
    let request = IssueApiKey::named("limited").with_rate_limit(limit);
    let issued = keycell.issue_api_key(&Caller::user("ann"), request).await.unwrap();
    let mut admitted = 0;
    loop {
        match keycell.verify_api_key(&Caller::host(), issued.key.expose(), &[]).await {
            Ok(Verification::Valid(_)) => admitted += 1,
            end => return (admitted, end),
        }
    }
}

#[tokio::test]
async fn a_verification_counts_on_top_of_one_that_was_counted_first() {
    let (admitted, end) = verify_all("one_other_is_counted_first", 4).await;
    assert_eq!(admitted, 2);
    assert!(matches!(end, Ok(Verification::Refused(Refusal::RateLimited { .. }))), "{end:?}");
}

/// The test above can fail.
#[tokio::test]
async fn a_component_that_ignores_the_conflict_admits_too_many() {
    let (admitted, _) = verify_all("ignores_that_another_is_counted_first", 4).await;
    assert_eq!(admitted, 4);
}

#[tokio::test]
async fn a_verification_is_refused_if_others_use_up_the_limit_first() {
    let (admitted, end) = verify_all("others_are_counted_first", 4).await;
    assert_eq!(admitted, 0);
    assert!(matches!(end, Ok(Verification::Refused(Refusal::RateLimited { .. }))), "{end:?}");
}

#[tokio::test]
async fn a_verification_that_others_precede_1000_times_is_unavailable() {
    let (admitted, end) = verify_all("others_are_counted_first", 1_000_000).await;
    assert_eq!(admitted, 0);
    assert!(matches!(end, Err(Error::Unavailable)), "{end:?}");
}
