//! Where keys rest.

pub mod memory;
pub mod sqlite;

use std::future::Future;

use keycell_component::project::ProjectSlug;
use serde::Serialize;

pub use crate::bindings::keycell::api_keys::storage::{KeyFilter, KeyRecord, ProjectReference};

impl KeyFilter {
    /// Whether a list with this filter holds the key: for a storage that looks at each.
    #[must_use]
    pub fn passes(&self, key: &KeyRecord) -> bool {
        key.user_id == self.user_id
            && self.project_id.as_ref().is_none_or(|project_id| key.project_id.as_ref() == Some(project_id))
            && self.revoked.is_none_or(|revoked| key.revoked_at.is_some() == revoked)
            && self.expires_after.is_none_or(|time| key.expires_at.is_none_or(|expires_at| expires_at > time))
            && self.expires_until.is_none_or(|time| key.expires_at.is_some_and(|expires_at| expires_at <= time))
            && self.before.as_ref().is_none_or(|before| key.id < *before)
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Something else was there first.
    #[error("conflict")]
    Conflict,
    /// Storage is down or busy: the same call may succeed later.
    #[error("unavailable")]
    Unavailable(#[source] Cause),
    /// Storage is broken.
    #[error("broken")]
    Internal(#[source] Cause),
}

/// A project and its slug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    /// UUID, lowercase and hyphenated.
    pub id: String,
    /// What people call it.
    pub slug: String,
}

/// What the component asks of storage. `wit/storage.wit` says what each function must guarantee:
/// each is atomic, and a write that was answered with `Ok` survives a crash.
///
/// It decides nothing: who may see a key, and what a key looks like, is the component's.
pub trait Storage: Send + Sync + 'static {
    /// Stores a new key, or says [`StorageError::Conflict`] and stores nothing if its id or lookup
    /// is taken.
    fn insert_key(&self, key: KeyRecord) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// The key with this id.
    fn find_key(&self, id: &str) -> impl Future<Output = Result<Option<KeyRecord>, StorageError>> + Send;

    /// The key with this lookup.
    fn find_key_by_lookup(&self, lookup: &str) -> impl Future<Output = Result<Option<KeyRecord>, StorageError>> + Send;

    /// The keys that pass the filter, by descending id.
    fn list_keys(&self, filter: KeyFilter) -> impl Future<Output = Result<Vec<KeyRecord>, StorageError>> + Send;

    /// Stores the name, `updated_at`, `expires_at`, `revoked_at`, `revocation_reason` and
    /// `rotated_to` of a key, if its stored revision still is `key.revision`, and counts that up;
    /// otherwise says [`StorageError::Conflict`]. All else stays as it is.
    fn update_key(&self, key: KeyRecord) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// [`insert_key`](Self::insert_key) of the replacement and [`update_key`](Self::update_key) of
    /// the key: both, or [`StorageError::Conflict`] and neither.
    fn rotate_key(
        &self,
        key: KeyRecord,
        replacement: KeyRecord,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Notes a use of a key, in milliseconds since 1970, without waiting for anything: the newest of
    /// each key is to be stored later, only ever forward. What is noted may be lost in a crash.
    fn record_use(&self, id: &str, at: i64);

    /// The id of the project that `reference` names, if this user is a member of it.
    fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> impl Future<Output = Result<Option<String>, StorageError>> + Send;
}

/// What the storages of this crate can do besides: they have the projects, too.
pub trait ProjectStorage: Storage {
    /// Stores a new project with these members, or says [`StorageError::Conflict`] if its id or
    /// slug is taken.
    fn insert_project(
        &self,
        id: uuid::Uuid,
        slug: ProjectSlug,
        members: Vec<String>,
    ) -> impl Future<Output = Result<Project, StorageError>> + Send;

    /// The projects that this user is a member of, by slug.
    fn list_projects(&self, user_id: &str) -> impl Future<Output = Result<Vec<Project>, StorageError>> + Send;
}
