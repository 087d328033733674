//! SQLite storage for keycell.
//!
//! ```
//! use keycell::{Caller, CreateApiKey, Keycell};
//! use keycell_sqlite::SqliteStorage;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("keycell.db");
//! let keycell = Keycell::new(SqliteStorage::open(&path)?)?;
//! let created = keycell.create_api_key(&Caller::user("ann"), CreateApiKey::named("deploy")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! One thread writes, with group commit. Other connections read and do not wait for it. Several
//! processes may have the same file open. [`backup()`] copies a database that is in use, and
//! [`check()`] detects damage.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod backup;
mod check;
mod columns;
mod error;
mod events;
mod file;
mod health;
mod keys;
mod lists;
mod maintenance;
mod options;
mod pressure;
mod projects;
mod readers;
mod records;
mod requests;
mod schema;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member, PendingUses, Project,
    ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, Storage, StorageError, Time,
};

pub use self::{
    backup::backup,
    check::{Problem, Report, check, quick_check},
    error::SqliteError,
    options::SqliteOptions,
    records::SqliteRecords,
};
use self::{readers::Readers, writer::Writer};

/// The timeout for locks of other processes. It is less than the five-second timeout of many
/// clients.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);
/// The time between two tries to take a lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// Storage in a SQLite file. Several processes may have the same file open.
pub struct SqliteStorage {
    readers: Readers,
    uses: Arc<PendingUses>,
    writer: Writer,
    is_new: bool,
}

impl SqliteStorage {
    /// Opens a database with the default [options](SqliteOptions): a missing one is created.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        Self::options().open(path)
    }

    /// The default options.
    pub fn options() -> SqliteOptions {
        SqliteOptions::default()
    }

    /// Whether the database was created when it was opened.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Storage for SqliteStorage {
    async fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> Result<(), StorageError> {
        let insert = move |connection: &rusqlite::Connection| {
            // The key is first, because the others refer to it.
            keys::insert(connection, &key)?;
            if let Some(request) = request {
                requests::insert(connection, &request, key.created_at)?;
            }
            events::insert(connection, &event)
        };
        Ok(self.writer.write(insert).await?)
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>, StorageError> {
        let (id, viewer) = (id.to_owned(), viewer.to_owned());
        let found = self.readers.look_up(move |connection| keys::find(connection, &id, &viewer)).await?;
        Ok(found.map(|found| KeyWithRole::new(self.uses.complete(found.key), found.role)))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        let lookup = lookup.to_owned();
        let key = self.readers.look_up(move |connection| keys::find_by_lookup(connection, &lookup)).await?;
        Ok(key.map(|key| self.uses.complete(key)))
    }

    async fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> Result<Option<IdempotentRequest>, StorageError> {
        let (user_id, idempotency_key) = (user_id.to_owned(), idempotency_key.to_owned());
        let find = move |connection: &rusqlite::Connection| requests::find(connection, &user_id, &idempotency_key, now);
        Ok(self.readers.look_up(find).await?)
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        let keys = self.readers.list(move |connection| lists::keys(connection, &filter)).await?;
        Ok(keys.into_iter().map(|key| self.uses.complete(key)).collect())
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, StorageError> {
        Ok(self.readers.list(move |connection| lists::events(connection, &filter)).await?)
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let update = move |connection: &rusqlite::Connection| {
            keys::update(connection, &key)?;
            events::insert(connection, &event)
        };
        Ok(self.writer.write(update).await?)
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<(), StorageError> {
        let rotate = move |connection: &rusqlite::Connection| {
            // The replacement is first, because the key refers to it.
            keys::insert(connection, &replacement)?;
            keys::update(connection, &key)?;
            events::insert(connection, &event)?;
            events::insert(connection, &replacement_event)
        };
        Ok(self.writer.write(rotate).await?)
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let uses = Arc::clone(&self.uses);
        let replace = move |connection: &rusqlite::Connection| {
            if uses.newest(&key.id).is_some() {
                return Err(SqliteError::Conflict);
            }
            keys::replace_secret(connection, &key)?;
            events::insert(connection, &event)
        };
        Ok(self.writer.write(replace).await?)
    }

    fn record_use(&self, id: &str, at: i64) {
        if !self.uses.record(id, at) {
            tracing::debug!("too many uses are not stored yet: one is lost");
        }
    }

    async fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> Result<Option<ProjectWithRole>, StorageError> {
        let (reference, user_id) = (reference.clone(), user_id.to_owned());
        Ok(self.readers.look_up(move |connection| projects::find(connection, &reference, &user_id)).await?)
    }

    fn reads_at_once(&self) -> bool {
        true
    }
}

impl ProjectStorage for SqliteStorage {
    async fn insert_project(
        &self,
        id: uuid::Uuid,
        slug: ProjectSlug,
        members: Vec<Member>,
    ) -> Result<Project, StorageError> {
        let project = Project::new(id.to_string(), slug.into_text());
        let created_at = now().millis();
        let insert = move |connection: &rusqlite::Connection| {
            projects::insert(connection, &project, created_at, &members)?;
            Ok(project)
        };
        Ok(self.writer.write(insert).await?)
    }

    async fn list_projects(&self, user_id: Option<&str>) -> Result<Vec<Project>, StorageError> {
        let user_id = user_id.map(str::to_owned);
        Ok(self.readers.list(move |connection| projects::list(connection, user_id.as_deref())).await?)
    }

    async fn put_member(&self, project: &ProjectReference, member: Member) -> Result<bool, StorageError> {
        let project = project.clone();
        let put = move |connection: &rusqlite::Connection| match projects::id(connection, &project)? {
            Some(project_id) => projects::put_member(connection, &project_id, &member).map(|()| true),
            None => Ok(false),
        };
        Ok(self.writer.write(put).await?)
    }

    async fn remove_member(&self, project: &ProjectReference, user_id: &str) -> Result<bool, StorageError> {
        let (project, user_id) = (project.clone(), user_id.to_owned());
        let remove = move |connection: &rusqlite::Connection| match projects::id(connection, &project)? {
            Some(project_id) => projects::remove_member(connection, &project_id, &user_id),
            None => Ok(false),
        };
        Ok(self.writer.write(remove).await?)
    }

    async fn list_members(&self, project: &ProjectReference) -> Result<Option<Vec<Member>>, StorageError> {
        let project = project.clone();
        let list = move |connection: &rusqlite::Connection| {
            let project_id = projects::id(connection, &project)?;
            project_id.map(|project_id| projects::list_members(connection, &project_id)).transpose()
        };
        Ok(self.readers.list(list).await?)
    }

    /// Reads, and makes a durable write that changes nothing.
    async fn check_ready(&self) -> Result<(), StorageError> {
        self.readers.look_up(schema::check_version).await?;
        Ok(self.writer.write(schema::rewrite_version).await?)
    }
}

fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).ok().and_then(Time::from_millis).unwrap_or(Time::LAST)
}

#[cfg(test)]
mod tests {
    use keycell::{Action, RateLimit};
    use rusqlite::Connection;

    use super::*;

    fn storage() -> (tempfile::TempDir, SqliteStorage) {
        let directory = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(directory.path().join("keycell.db")).unwrap();
        (directory, storage)
    }

    fn key(n: u32) -> KeyRecord {
        let mut key = KeyRecord::default();
        key.id = format!("id-{n:05}");
        key.lookup = format!("lookup-{n}");
        key.hash = vec![7; 32];
        key.user_id = "ann".to_owned();
        key.name = "n".repeat(100);
        key.rate_limit = Some(RateLimit { requests: 1, window_seconds: 1 });
        key
    }

    fn event(n: u32, key: &KeyRecord) -> EventRecord {
        let mut event = EventRecord::new(Action::Created);
        event.id = format!("event-{n:05}");
        event.key_id.clone_from(&key.id);
        event.user_id.clone_from(&key.user_id);
        event
    }

    async fn insert(storage: &SqliteStorage, n: u32) -> Result<(), StorageError> {
        storage.insert_key(key(n), event(n, &key(n)), None).await
    }

    async fn set_max_pages(storage: &SqliteStorage, pages: i64) {
        let set = move |connection: &Connection| Ok(connection.pragma_update(None, "max_page_count", pages)?);
        storage.writer.write(set).await.unwrap();
    }

    /// SQLite's limit of pages gives the same error as a full disk.
    #[tokio::test]
    async fn a_full_disk_loses_nothing_and_is_not_ready() {
        let (_directory, storage) = storage();
        storage.check_ready().await.unwrap();
        set_max_pages(&storage, 60).await;
        let mut stored = 0;
        let error = loop {
            match insert(&storage, stored).await {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 10_000, "the limit must end the loop");
        };
        assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
        assert!(matches!(storage.check_ready().await, Err(StorageError::Unavailable(_))));
        assert!(stored > 0);
        for n in 0..stored {
            assert_eq!(storage.find_key(&key(n).id, "ann").await.unwrap().unwrap().key, key(n));
        }

        set_max_pages(&storage, 1000).await;
        storage.check_ready().await.unwrap();
        insert(&storage, stored).await.unwrap();
    }

    /// The pragma gives the same error as a file system that has become read-only.
    #[tokio::test]
    async fn a_storage_that_has_become_read_only_is_not_ready() {
        let (_directory, storage) = storage();
        insert(&storage, 1).await.unwrap();
        let set_read_only = async |on: bool| {
            let set = move |connection: &Connection| Ok(connection.pragma_update(None, "query_only", on)?);
            storage.writer.write(set).await
        };
        // The write of the pragma's own group fails.
        let _ = set_read_only(true).await;
        assert!(matches!(storage.check_ready().await, Err(StorageError::Unavailable(_))));
        assert!(matches!(insert(&storage, 2).await, Err(StorageError::Unavailable(_))));
        assert!(storage.find_key(&key(1).id, "ann").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_storage_whose_writer_has_died_is_not_ready() {
        let (_directory, storage) = storage();
        let died = storage.writer.write(|_| -> Result<(), SqliteError> { panic!("the writer dies for a test") }).await;
        assert!(matches!(died, Err(SqliteError::Closed)));
        assert!(matches!(storage.check_ready().await, Err(StorageError::Unavailable(_))));
        assert!(matches!(insert(&storage, 1).await, Err(StorageError::Unavailable(_))));
    }

    #[tokio::test]
    async fn uses_are_stored_at_the_interval_and_when_the_storage_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keycell.db");
        let storage = SqliteStorage::options().uses_interval(Duration::from_millis(50)).open(&path).unwrap();
        // More keys than a chunk has.
        for n in 0..200 {
            insert(&storage, n).await.unwrap();
            storage.record_use(&key(n).id, 5);
        }
        let stored = || -> i64 {
            let connection = Connection::open(&path).unwrap();
            connection.query_row("SELECT count(*) FROM api_keys WHERE last_used_at = 5", (), |row| row.get(0)).unwrap()
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while stored() < 200 {
            assert!(std::time::Instant::now() < deadline, "{} of 200 are stored", stored());
            // A continuous stream of writes must not delay it.
            storage.check_ready().await.unwrap();
        }
        for n in 0..200 {
            storage.record_use(&key(n).id, 4);
            let found = storage.find_key(&key(n).id, "ann").await.unwrap().unwrap();
            assert_eq!(found.key.last_used_at, Some(5));
        }
        drop(storage);

        let storage = SqliteStorage::options().uses_interval(Duration::from_secs(3600)).open(&path).unwrap();
        for n in 0..200 {
            storage.record_use(&key(n).id, 9);
        }
        drop(storage);
        let connection = Connection::open(&path).unwrap();
        let newest: i64 = connection.query_row("SELECT min(last_used_at) FROM api_keys", (), |row| row.get(0)).unwrap();
        assert_eq!(newest, 9);
    }

    #[tokio::test]
    async fn a_secret_is_not_replaced_after_a_use_that_only_this_process_knows() {
        let (_directory, storage) = storage();
        insert(&storage, 1).await.unwrap();
        insert(&storage, 2).await.unwrap();
        storage.record_use(&key(1).id, 5);
        let replace = async |n: u32| {
            let mut replaced = key(n);
            replaced.lookup = format!("other-{n}");
            storage.replace_secret(replaced, event(10 + n, &key(n))).await
        };
        assert!(matches!(replace(1).await, Err(StorageError::Conflict)));
        replace(2).await.unwrap();
    }

    #[tokio::test]
    async fn expired_keys_are_swept_and_expired_requests_deleted() {
        let (directory, storage) = storage();
        for n in 0..300 {
            let mut key = key(n);
            key.expires_at = (n % 3 < 2).then_some(if n % 3 == 0 { 5 } else { Time::LAST.millis() });
            let mut request = IdempotentRequest::default();
            request.user_id = "ann".to_owned();
            request.idempotency_key = n.to_string();
            request.key_id.clone_from(&key.id);
            request.expires_at = if n % 2 == 0 { 5 } else { Time::LAST.millis() };
            request.digest = vec![7; 32];
            storage.insert_key(key.clone(), event(n, &key), Some(request)).await.unwrap();
        }
        let connection = Connection::open(directory.path().join("keycell.db")).unwrap();
        let count = |sql: &str| -> i64 { connection.query_row(sql, (), |row| row.get(0)).unwrap() };
        let deadline = std::time::Instant::now() + Duration::from_secs(15);
        while count("SELECT count(*) FROM api_keys WHERE state = 2") < 100
            || count("SELECT count(*) FROM idempotent_requests") > 150
        {
            assert!(std::time::Instant::now() < deadline, "they were not all found");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(count("SELECT count(*) FROM api_keys WHERE state = 2 AND expires_at = 5"), 100);
        assert_eq!(count("SELECT count(*) FROM idempotent_requests WHERE expires_at > 5"), 150);
    }
}
