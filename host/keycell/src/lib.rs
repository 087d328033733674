//! The API-key authority as a library: one sandboxed component that holds every rule, and a host
//! that gives it storage.
//!
//! ```
//! use keycell::{Caller, CreateApiKey, Keycell, MemoryStorage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keycell = Keycell::new(MemoryStorage::default())?;
//! let ann = Caller::user("ann")?;
//!
//! let created = keycell.create_api_key(&ann, CreateApiKey::named("deploy")).await?;
//! let read = keycell.get_api_key(&ann, &created.id.to_text()).await?;
//! assert!(created.key.expose().starts_with(&read.key_prefix));
//! # Ok(())
//! # }
//! ```
//!
//! Each call runs in a fresh instance of the component, which reaches the [`Storage`], the
//! [`Caller`], the [`Policy`], a clock and random numbers, and nothing else. An embedder with a
//! database of their own implements [`Storage`]; [`SqliteStorage`] and [`MemoryStorage`] are here.

#![deny(missing_docs, unsafe_code)]

mod answer;
mod api_key;
#[doc(hidden)]
pub mod bench;
mod bindings;
mod caller;
mod component;
#[cfg(feature = "conformance")]
pub mod conformance;
mod engine_config;
mod error;
mod hex;
mod imports;
mod keycell;
mod lifecycle;
mod policy;
mod pool;
mod sandbox;
mod storage;
#[cfg(feature = "tools")]
pub mod tools;
mod verification;

pub use api_key::{ApiKey, CreateApiKey, CreatedApiKey, SecretKey};
pub use caller::{Caller, CallerError};
pub use component::{Component, ComponentError};
pub use error::{Error, Fault, Subject};
pub use imports::{Clock, Random};
pub use keycell::{Builder, Keycell};
pub use keycell_component::{
    id::ApiKeyId,
    key::{Prefix, holds_form_of_key},
    project::ProjectSlug,
    scopes::Scope,
    time::Time,
};
pub use lifecycle::{ApiKeyPage, KeyStatus, ListApiKeys, ListedApiKey, UpdateApiKey};
pub use policy::Policy;
pub use storage::{
    KeyFilter, KeyRecord, Project, ProjectReference, ProjectStorage, Storage, StorageError,
    memory::MemoryStorage,
    sqlite::{SqliteError, SqliteStorage},
};
pub use verification::{Refusal, Verification, VerifiedApiKey};
