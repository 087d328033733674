//! A leased cache of key records for keycell: verification without a round trip to the database, and
//! a bound on how late a revocation takes effect.
//!
//! ```
//! use std::time::Duration;
//!
//! use keycell::{Keycell, MemoryStorage};
//! use keycell_cache::LeasedCache;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), keycell::ComponentError> {
//! let storage = LeasedCache::new(MemoryStorage::default(), Duration::from_secs(2));
//! let keycell = Keycell::new(storage)?;
//! # Ok(())
//! # }
//! ```
//!
//! A host reads the change feed of its storage several times in each lease, and forgets the records
//! that have changed. It uses a record only while its lease is fresh: the lease ends one period
//! after the *beginning* of the last read of the feed that succeeded. So a verification that begins
//! one period after a revocation was acknowledged, or later, is refused, however many hosts there
//! are and whatever a network, a process or the database does meanwhile, as long as one database
//! acknowledges changes: after a failover, a host that still reaches the former primary has its
//! lease. Without a lease each call reads the storage, and if that cannot be reached, the call is
//! [unavailable](StorageError::Unavailable).
//!
//! The component checks hash, expiry, status and scopes of a record on each call, as if the storage
//! had returned it.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod changes;
mod clock;
mod entries;
mod reader;
mod state;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use keycell::{
    CacheCounts, ChangeFeed, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member,
    Project, ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, Storage, StorageError,
};
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::{clock::Clock, state::State};

/// A storage with a cache of the records that are found by lookup.
pub struct LeasedCache<S> {
    shared: Arc<Shared<S>>,
    reader: JoinHandle<()>,
}

struct Shared<S> {
    storage: S,
    clock: Clock,
    state: Mutex<State>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<S: ChangeFeed> LeasedCache<S> {
    /// Adds a cache to a storage. The feed is read in the current runtime of Tokio.
    ///
    /// `lease` is the longest time for which a revocation on another host is not noticed. It is also
    /// the time for which keys can be verified after the storage was last reached.
    pub fn new(storage: S, lease: Duration) -> Self {
        Self::with_clock(storage, lease, clock::system())
    }

    fn with_clock(storage: S, lease: Duration, clock: Clock) -> Self {
        let shared = Arc::new(Shared {
            storage,
            clock,
            state: Mutex::new(State::new()),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        });
        let reader = tokio::spawn(reader::follow(Arc::clone(&shared), lease));
        Self { shared, reader }
    }

    /// Returns the storage without the cache.
    #[must_use]
    pub fn storage(&self) -> &S {
        &self.shared.storage
    }

    /// Forgets keys by id or by lookup when the result is dropped: after a write, whether it
    /// succeeded, failed with an unknown outcome, or its caller went away.
    fn forget_after<const N: usize>(&self, names: [&str; N]) -> ForgetOnDrop<'_, N> {
        ForgetOnDrop { state: &self.shared.state, names: names.map(str::to_owned) }
    }
}

impl<S> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ForgetOnDrop<'a, const N: usize> {
    state: &'a Mutex<State>,
    names: [String; N],
}

impl<const N: usize> Drop for ForgetOnDrop<'_, N> {
    fn drop(&mut self) {
        let mut state = lock(self.state);
        self.names.iter().for_each(|name| state.forget(name));
    }
}

impl<S> Drop for LeasedCache<S> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl<S: ChangeFeed> Storage for LeasedCache<S> {
    async fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> Result<(), StorageError> {
        let _forget = self.forget_after([&key.lookup]);
        self.storage().insert_key(key, event, request).await
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>, StorageError> {
        let found = self.storage().find_key(id, viewer).await?;
        if let Some(found) = &found {
            self.shared.state().observe(&found.key);
        }
        Ok(found)
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        let now = (self.shared.clock)();
        let found = self.shared.state().find(lookup, now);
        match found {
            Ok(known) => {
                self.shared.hits.fetch_add(1, Ordering::Relaxed);
                Ok(known.map(Arc::unwrap_or_clone))
            }
            Err(read) => {
                self.shared.misses.fetch_add(1, Ordering::Relaxed);
                let found = self.storage().find_key_by_lookup(lookup).await?;
                self.shared.state().keep(read, lookup, found.as_ref());
                Ok(found)
            }
        }
    }

    async fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> Result<Option<IdempotentRequest>, StorageError> {
        self.storage().find_request(user_id, idempotency_key, now).await
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        self.storage().list_keys(filter).await
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, StorageError> {
        self.storage().list_events(filter).await
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let _forget = self.forget_after([&key.id]);
        self.storage().update_key(key, event).await
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<(), StorageError> {
        let _forget = self.forget_after([&key.id, &replacement.lookup]);
        self.storage().rotate_key(key, event, replacement, replacement_event).await
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let _forget = self.forget_after([&key.id, &key.lookup]);
        self.storage().replace_secret(key, event).await
    }

    fn record_use(&self, id: &str, at: i64) {
        self.storage().record_use(id, at);
        self.shared.state().record_use(id, at);
    }

    async fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> Result<Option<ProjectWithRole>, StorageError> {
        self.storage().find_project(reference, user_id).await
    }

    async fn close(&self) {
        self.storage().close().await;
    }

    fn cache_counts(&self) -> Option<CacheCounts> {
        let [hits, misses] = [&self.shared.hits, &self.shared.misses].map(|count| count.load(Ordering::Relaxed));
        Some(CacheCounts { hits, misses })
    }
}

impl<S: ChangeFeed + ProjectStorage> ProjectStorage for LeasedCache<S> {
    async fn insert_project(&self, id: Uuid, slug: ProjectSlug, members: Vec<Member>) -> Result<Project, StorageError> {
        self.storage().insert_project(id, slug, members).await
    }

    async fn list_projects(&self, user_id: Option<&str>) -> Result<Vec<Project>, StorageError> {
        self.storage().list_projects(user_id).await
    }

    async fn put_member(&self, project: &ProjectReference, member: Member) -> Result<bool, StorageError> {
        self.storage().put_member(project, member).await
    }

    async fn remove_member(&self, project: &ProjectReference, user_id: &str) -> Result<bool, StorageError> {
        self.storage().remove_member(project, user_id).await
    }

    async fn list_members(&self, project: &ProjectReference) -> Result<Option<Vec<Member>>, StorageError> {
        self.storage().list_members(project).await
    }

    async fn check_ready(&self) -> Result<(), StorageError> {
        self.storage().check_ready().await
    }
}
