//! An API-key authority as a library: a sandboxed WebAssembly component that holds every rule, and
//! a host that gives it storage.
//!
//! ```
//! use keycell::{Caller, CreateApiKey, Keycell, MemoryStorage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keycell = Keycell::new(MemoryStorage::default())?;
//! let ann = Caller::user("ann");
//!
//! let created = keycell.create_api_key(&ann, CreateApiKey::named("deploy")).await?;
//! let read = keycell.get_api_key(&ann, &created.id.to_string()).await?;
//! assert!(created.key.expose().starts_with(&read.key_prefix));
//! # Ok(())
//! # }
//! ```
//!
//! Each call runs in a fresh instance of the component, which reaches the [`Storage`], the
//! [`Caller`], the [`Policy`], the state of rate limits, a clock and random numbers, and nothing
//! else. [`MemoryStorage`] is for tests. The crate `keycell-sqlite` stores keys in a file, and
//! `keycell-postgres` in a database that several hosts share. For another database, implement
//! [`Storage`].
//!
//! # Features
//!
//! - `tools`: the tools by name, with JSON Schemas and JSON arguments ([`tools`]).

#![deny(missing_docs, unsafe_code)]

mod ahead;
mod api_key;
mod arguments;
mod at_once;
#[doc(hidden)]
pub mod bench;
mod bindings;
mod caller;
mod caller_details;
mod component;
mod engine_config;
mod error;
mod event;
mod hex;
mod imports;
mod keycell;
mod limits;
mod metadata;
mod policy;
mod pool;
mod projects;
mod response;
mod sandbox;
mod secret_key;
mod storage;
#[cfg(feature = "tools")]
pub mod tools;
mod verification;

pub use api_key::{
    ApiKey, ApiKeyDetails, ApiKeyPage, CreateApiKey, CreatedApiKey, IssueApiKey, IssuedApiKey, KeyStatus, ListApiKeys,
    UpdateApiKey,
};
pub use caller::Caller;
pub use caller_details::CallerDetails;
pub use component::{Component, ComponentError};
pub use error::{Error, Fault, Subject};
pub use event::{Event, EventPage, ListEvents};
pub use imports::{Clock, Random};
pub use keycell::{Builder, Keycell};
pub use keycell_component::{
    id::ApiKeyId,
    key::{Prefix, holds_form_of_key},
    project::ProjectSlug,
    scopes::Scope,
    time::{self, Time},
};
pub use metadata::Metadata;
pub use policy::Policy;
pub use projects::{ProjectAccess, ProjectAction};
pub use secret_key::SecretKey;
pub use storage::{
    Action, AnyStorage, CacheCounts, Cause, ChangeFeed, Changes, EventFilter, EventRecord, IdempotentRequest,
    KeyFilter, KeyRecord, KeyWithRole, Member, PendingUses, Project, ProjectReference, ProjectStorage, ProjectWithRole,
    RateLimit, RecordKind, Records, Role, StatusFilter, Storage, StorageError, StoredRecord, memory::MemoryStorage,
};
pub use verification::{RateLimitState, Refusal, Verification, VerifiedApiKey};
