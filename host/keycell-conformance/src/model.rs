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
    let component = Component::built_in().expect("the built-in component must load");
    if let Err(difference) = compare(component, storage, seed, steps).await {
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
    let mut source = Source::new(seed);
    let mut calls = Calls::new(component, storage, source.policy()).await;
    for number in 1..=steps {
        let step = source.step(calls.number_of_keys());
        let taken = calls.take(&step).await;
        taken.map_err(|difference| format!("seed {seed}, step {number}: {difference}\n{step:#?}"))?;
    }
    let compared = calls.compare_all().await;
    compared.map_err(|difference| format!("seed {seed}, after {steps} steps: {difference}"))
}
