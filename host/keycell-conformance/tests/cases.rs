//! The cases of `tests/cases`, against the built-in component.

mod slow_storage;

use std::collections::HashSet;

use keycell::{Component, MemoryStorage, ProjectStorage};
use keycell_conformance::{cases, run};
use slow_storage::SlowStorage;

/// Its reads take the path without a fiber.
#[tokio::test]
async fn every_case_passes_in_memory() {
    every_case_passes(MemoryStorage::default).await;
}

#[tokio::test]
async fn every_case_passes_on_a_storage_that_must_be_waited_for() {
    every_case_passes(|| SlowStorage::new(false)).await;
}

async fn every_case_passes<S: ProjectStorage>(storage: impl Fn() -> S) {
    let component = Component::built_in().unwrap();
    let cases = cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = run(case, &component, storage()).await;
        if let Err(difference) = outcome.result {
            failed.push(format!("{}: {difference}", outcome.name));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn each_file_of_cases_is_read_and_each_name_is_one_case() {
    let names: Vec<_> = cases().unwrap().into_iter().map(|case| case.name).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).unwrap() {
        let path = file.unwrap().path();
        let section = path.file_stem().unwrap().to_str().unwrap();
        assert!(names.iter().any(|name| name.starts_with(&format!("{section}: "))), "{section}");
    }
}
