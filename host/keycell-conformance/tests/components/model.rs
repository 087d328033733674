//! The model test finds wrong components.

use keycell::{Component, MemoryStorage};
use keycell_conformance::model;

use crate::faults::{component_with, control};

/// The differences that the model test finds, one seed after another.
async fn differences(component: Component, seeds: u64) -> Vec<String> {
    let mut differences = Vec::new();
    for seed in 0..seeds {
        differences.extend(model::compare(component.clone(), MemoryStorage::default(), seed, 300).await.err());
    }
    differences
}

#[tokio::test]
async fn the_model_finds_wrong_components() {
    for fault in ["counts_no_verification", "names_no_acting_key", "lets_a_key_gain_by_rotation"] {
        let differences = differences(component_with(fault), 20).await;
        assert!(!differences.is_empty(), "{fault}");
        // A component that does not run at all breaks every rule, which proves nothing.
        assert!(!differences.iter().any(|difference| difference.contains("step 1:")), "{fault}: {differences:?}");
    }
    let differences = differences(control(), 20).await;
    assert!(differences.is_empty(), "{differences:?}");
}
