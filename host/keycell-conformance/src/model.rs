//! The model test: random calls on a storage, compared with a simple model of the contract.
//!
//! Each call is made by a user, an operator, a key or the host, with valid and invalid arguments,
//! while roles change and the clock moves. The model predicts the result of every call. It keeps
//! everything in lists and states each rule in the simplest way.
//!
//! ```
//! use keycell::MemoryStorage;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! keycell_conformance::model::run(MemoryStorage::default(), 1, 100).await;
//! # }
//! ```

mod calls;
mod rules;
mod steps;

use keycell::{Component, ProjectStorage};

use self::{calls::Calls, steps::Source};

/// Makes this number of random calls of the built-in component on an empty storage. Equal seeds make
/// equal calls.
///
/// # Panics
///
/// A call does not have the result that the model predicts. The message has the seed and the call.
pub async fn run(storage: impl ProjectStorage, seed: u64, steps: usize) {
    run_with(storage, seed, steps, false).await;
}

/// The same as [`run`] for a storage that keeps the revocation of a key apart from the key's other
/// changes, and does not know which of them was last.
///
/// After the clock was set back, the `updated_at` of a revoked key may be later than its last change.
///
/// # Panics
///
/// The same as [`run`].
pub async fn run_with_separate_revocations(storage: impl ProjectStorage, seed: u64, steps: usize) {
    run_with(storage, seed, steps, true).await;
}

async fn run_with(storage: impl ProjectStorage, seed: u64, steps: usize, has_separate_revocations: bool) {
    let component = Component::built_in().expect("the built-in component must load");
    if let Err(difference) = compare_with(component, storage, seed, steps, has_separate_revocations).await {
        panic!("{difference}");
    }
}

/// Makes this number of random calls of a component on an empty storage.
///
/// # Errors
///
/// A call does not have the result that the model predicts. The message has the seed and the call.
pub async fn compare(
    component: Component,
    storage: impl ProjectStorage,
    seed: u64,
    steps: usize,
) -> Result<(), String> {
    compare_with(component, storage, seed, steps, false).await
}

async fn compare_with(
    component: Component,
    storage: impl ProjectStorage,
    seed: u64,
    steps: usize,
    has_separate_revocations: bool,
) -> Result<(), String> {
    let mut source = Source::new(seed);
    let mut calls = Calls::new(component, storage, source.policy(), has_separate_revocations).await;
    for number in 1..=steps {
        let step = source.step(calls.number_of_keys());
        let taken = calls.take(&step).await;
        taken.map_err(|difference| format!("seed {seed}, step {number}: {difference}\n{step:#?}"))?;
    }
    let compared = calls.compare_all().await;
    compared.map_err(|difference| format!("seed {seed}, after {steps} steps: {difference}"))
}
