//! The cases of `tests/cases`, against the built-in component, on each storage.

use std::collections::HashSet;

use keycell::{
    Component, MemoryStorage, SqliteStorage,
    conformance::{self, Outcome},
};

fn assert_all_pass(outcomes: Vec<Outcome>) {
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some(format!("{}: {}", outcome.name, outcome.result.as_ref().err()?)))
        .collect();
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), outcomes.len(), failed.join("\n"));
    println!("{} cases passed", outcomes.len());
}

#[tokio::test]
async fn every_case_passes_in_memory() {
    let component = Component::built_in().unwrap();
    let mut outcomes = Vec::new();
    for case in conformance::cases().unwrap() {
        outcomes.push(conformance::run(&case, &component, MemoryStorage::default()).await);
    }
    assert_all_pass(outcomes);
}

#[tokio::test]
async fn every_case_passes_on_sqlite() {
    let component = Component::built_in().unwrap();
    let mut outcomes = Vec::new();
    for case in conformance::cases().unwrap() {
        let dir = memory_backed_dir();
        let storage = SqliteStorage::open(&dir.path().join("keycell.db")).unwrap();
        outcomes.push(conformance::run(&case, &component, storage).await);
    }
    assert_all_pass(outcomes);
}

/// Thousands of databases are made: where the system has a place in memory for them, none is
/// synced to a disk.
fn memory_backed_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn each_file_of_cases_is_run_and_each_name_is_one_case() {
    let names: Vec<_> = conformance::cases().unwrap().into_iter().map(|case| case.name).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases")).unwrap() {
        let path = file.unwrap().path();
        let section = path.file_stem().unwrap().to_str().unwrap();
        assert!(names.iter().any(|name| name.starts_with(&format!("{section}: "))), "{section}");
    }
}
