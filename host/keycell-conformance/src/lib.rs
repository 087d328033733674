//! The conformance suite of keycell: cases for components, and a test matrix for storages.
//!
//! The cases are data, which `docs/conformance.md` describes. [`cases`] reads them and [`run`] runs
//! one against a component:
//!
//! ```
//! use keycell::{Component, MemoryStorage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let component = Component::built_in()?;
//! for case in keycell_conformance::cases()?.iter().take(3) {
//!     let outcome = keycell_conformance::run(case, &component, MemoryStorage::default()).await;
//!     assert_eq!(outcome.result, Ok(()), "{}", outcome.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The module [`storage`] tests a storage. The macro [`storage_tests!`] makes tests of it.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod case;
mod checksum;
mod expect;
pub mod model;
mod recorder;
mod runner;
pub mod storage;

pub use case::{Case, CasesError, cases};
pub use runner::{Outcome, run};
