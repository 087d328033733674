//! The storage contract: records, filters, errors and the traits that a storage implements.

mod any;
mod changes;
mod filter;
pub(crate) mod memory;
mod pending_uses;
mod record;
mod records;
mod rules;

use std::{error::Error, future::Future};

use keycell_component::project::ProjectSlug;
use uuid::Uuid;

pub use self::{
    any::AnyStorage,
    changes::{ChangeFeed, Changes},
    filter::{EventFilter, KeyFilter, StatusFilter},
    pending_uses::PendingUses,
    record::{
        Action, EventRecord, IdempotentRequest, KeyRecord, KeyWithRole, Member, Project, ProjectReference,
        ProjectWithRole, RateLimit, Role,
    },
    records::{RecordKind, Records, StoredRecord},
};

/// The cause of a storage error. It goes to the log, so it must not hold a value of a record.
pub type Cause = Box<dyn Error + Send + Sync>;

/// The reason why a storage call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// An id, a lookup, a slug or an idempotency key is taken, or the revision is no longer the same.
    #[error("conflict with another write")]
    Conflict,
    /// Storage is down or busy. The same call may succeed later.
    #[error("storage is not available")]
    Unavailable(#[source] Cause),
    /// Storage failed, and the same call would fail again.
    #[error("storage failed")]
    Internal(#[source] Cause),
}

/// Key storage.
///
/// The component decides what is written and who may see it. A storage moves records: it never
/// receives a key and applies no rule of its own. `wit/storage.wit` defines each function; the
/// crate `keycell-conformance` tests an implementation.
///
/// Each function is atomic, and a write that returned `Ok` survives a crash. Times are milliseconds
/// since 1970-01-01T00:00:00Z.
///
/// # Errors
///
/// Each function returns [`StorageError::Unavailable`] if the storage cannot be reached or is busy,
/// and [`StorageError::Internal`] if it is damaged. [`StorageError::Conflict`] is described where
/// it applies.
pub trait Storage: Send + Sync + 'static {
    /// Stores a new key with its event and, if given, the request that issued it.
    ///
    /// Returns [`StorageError::Conflict`] and stores nothing if the id or the lookup is taken, or
    /// if the user's idempotency key is taken by a request that expires after `key.created_at`.
    fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Finds the key with this id, and the role of the user `viewer` in its project.
    fn find_key(
        &self,
        id: &str,
        viewer: &str,
    ) -> impl Future<Output = Result<Option<KeyWithRole>, StorageError>> + Send;

    /// Finds the key with this lookup.
    fn find_key_by_lookup(&self, lookup: &str) -> impl Future<Output = Result<Option<KeyRecord>, StorageError>> + Send;

    /// Finds the request with this user and idempotency key that expires after `now`.
    fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> impl Future<Output = Result<Option<IdempotentRequest>, StorageError>> + Send;

    /// Lists the keys that pass the filter, by descending id.
    fn list_keys(&self, filter: KeyFilter) -> impl Future<Output = Result<Vec<KeyRecord>, StorageError>> + Send;

    /// Lists the events that pass the filter, by descending id.
    fn list_events(&self, filter: EventFilter) -> impl Future<Output = Result<Vec<EventRecord>, StorageError>> + Send;

    /// Stores the changes of a key with their event, and increments the revision.
    ///
    /// The name, `updated_at`, `expires_at`, `revoked_at`, `revocation_reason`, `rotated_to`,
    /// `rate_limit` and `metadata` may change; every other field stays as it is. Returns
    /// [`StorageError::Conflict`] and changes nothing unless the stored revision is `key.revision`.
    fn update_key(&self, key: KeyRecord, event: EventRecord) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Does [`update_key`](Self::update_key) of `key` and [`insert_key`](Self::insert_key) of
    /// `replacement`, each with its event: both, or [`StorageError::Conflict`] and neither.
    fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Replaces `prefix`, `lookup`, `hash` and `updated_at` of a key, with the event, and increments
    /// the revision.
    ///
    /// Returns [`StorageError::Conflict`] and changes nothing unless the stored revision is
    /// `key.revision`, the key was never used, and the new lookup is free.
    fn replace_secret(
        &self,
        key: KeyRecord,
        event: EventRecord,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Records a use of a key without waiting for a write.
    ///
    /// The storage keeps the newest use of each key in memory, returns it in records, and stores it
    /// later, only forward. A crash may lose the latest uses.
    fn record_use(&self, id: &str, at: i64);

    /// Stores what is only in memory, before the host ends. The storage is not used afterwards.
    ///
    /// A storage that does this when it is dropped needs no `close`.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Finds the project and the role of the user in it, whether or not the user is a member.
    fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> impl Future<Output = Result<Option<ProjectWithRole>, StorageError>> + Send;

    /// Returns whether the futures of `find_key`, `find_key_by_lookup` and `find_project` are almost
    /// always ready when they are first polled.
    ///
    /// If so, reads take a faster path, which drops a future that is not ready and repeats the call.
    fn reads_at_once(&self) -> bool {
        false
    }

    /// Returns how often a cache was used, for metrics; `None` if the storage has no cache.
    fn cache_counts(&self) -> Option<CacheCounts> {
        None
    }
}

/// The number of records that were read through a cache since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Reads that the cache answered.
    pub hits: u64,
    /// Reads for which the database was asked.
    pub misses: u64,
}

/// Project storage, for hosts that keep projects and their members beside the keys.
pub trait ProjectStorage: Storage {
    /// Stores a new project with these members.
    ///
    /// Returns [`StorageError::Conflict`] and stores nothing if the id or the slug is taken.
    fn insert_project(
        &self,
        id: Uuid,
        slug: ProjectSlug,
        members: Vec<Member>,
    ) -> impl Future<Output = Result<Project, StorageError>> + Send;

    /// Lists the projects that this user is a member of, or every project, by slug.
    fn list_projects(&self, user_id: Option<&str>) -> impl Future<Output = Result<Vec<Project>, StorageError>> + Send;

    /// Adds a member to a project, or changes the member's role. Returns whether the project exists.
    fn put_member(
        &self,
        project: &ProjectReference,
        member: Member,
    ) -> impl Future<Output = Result<bool, StorageError>> + Send;

    /// Removes a member from a project. Returns whether the project exists and had this member.
    fn remove_member(
        &self,
        project: &ProjectReference,
        user_id: &str,
    ) -> impl Future<Output = Result<bool, StorageError>> + Send;

    /// Lists the members of a project by user id; `None` if there is no such project.
    fn list_members(
        &self,
        project: &ProjectReference,
    ) -> impl Future<Output = Result<Option<Vec<Member>>, StorageError>> + Send;

    /// Checks that the storage can read and write. Servers call it for their readiness probe.
    fn check_ready(&self) -> impl Future<Output = Result<(), StorageError>> + Send;
}
