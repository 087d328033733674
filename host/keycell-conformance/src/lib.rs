//! The conformance suite: what every component of the world `keycell` must do, as data in
//! `tests/cases`, and a runner for it. `docs/conformance.md` says how the cases read.

mod case;
mod expect;
mod recorder;
mod runner;

pub use case::{Case, CasesError, cases};
pub use runner::{Outcome, run};
