//! Storage in a SQLite file: one writer that commits in groups, readers that never wait for it.

mod error;
mod readers;
mod rows;
mod schema;
mod uses;
mod writer;

use std::{
    fs::OpenOptions,
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use keycell_component::{project::ProjectSlug, time::Time};
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use error::SqliteError;

use self::{readers::Readers, uses::Uses, writer::Writer};
use super::{KeyFilter, KeyRecord, Project, ProjectReference, ProjectStorage, Storage, StorageError};

/// For how long another process is waited for that keeps the file locked: less than the five seconds
/// after which many a client gives up.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long to wait between two tries where SQLite does not wait by itself.
const BREATH: Duration = Duration::from_millis(5);
/// How often the last uses of keys are stored, unless it is said otherwise.
const STORE_USES_EVERY: Duration = Duration::from_secs(60);

/// Storage in a SQLite file. Several processes may have the same file open.
pub struct SqliteStorage {
    readers: Readers,
    uses: Arc<Uses>,
    writer: Writer,
}

impl SqliteStorage {
    /// Opens a database, and creates it, readable and writable to its user alone, if there is
    /// none. An older schema is brought up to date.
    ///
    /// # Errors
    ///
    /// The file can't be made, is no database, is damaged, locked or read-only, or a newer
    /// keycell wrote it.
    pub fn open(path: &Path) -> Result<Self, SqliteError> {
        Self::open_storing_uses_every(STORE_USES_EVERY, path)
    }

    /// The same, storing when keys were last used as often as this, and when it is dropped. A crash
    /// loses the uses of at most so long.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStorage::open`].
    pub fn open_storing_uses_every(interval: Duration, path: &Path) -> Result<Self, SqliteError> {
        // Readers open it later, wherever the process is by then; and SQLite has names of its own for
        // databases that are nowhere, which no absolute path is.
        let path = std::path::absolute(path)?;
        create_private(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        write_ahead(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        schema::migrate(&mut connection)?;
        let uses = Arc::new(Uses::default());
        let writer = Writer::spawn(connection, Arc::clone(&uses), interval)?;
        Ok(Self { readers: Readers::new(path), uses, writer })
    }
}

/// Sets the journal that lets readers and the writer work side by side.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
            match row.get_ref(0)?.as_str()? {
                "wal" => Ok(()),
                // A file system without shared memory, where readers would wait for the writer.
                _ => Err(rusqlite::Error::InvalidQuery),
            }
        });
        match set {
            // Another process opens the new file at the same moment. SQLite does not wait here.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                thread::sleep(BREATH);
            }
            set => return set,
        }
    }
}

/// Creates the file for its user alone; SQLite gives its other files the same permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

impl Storage for SqliteStorage {
    async fn insert_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        Ok(self.writer.write(move |connection| rows::insert_key(connection, &key)).await?)
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>, StorageError> {
        let id = id.to_owned();
        let key = self.readers.read(move |connection| rows::find_key(connection, &id)).await?;
        Ok(key.map(|key| self.uses.complete(key)))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        let lookup = lookup.to_owned();
        let key = self.readers.read(move |connection| rows::find_key_by_lookup(connection, &lookup)).await?;
        Ok(key.map(|key| self.uses.complete(key)))
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        let keys = self.readers.scan(move |connection| rows::list_keys(connection, &filter)).await?;
        Ok(keys.into_iter().map(|key| self.uses.complete(key)).collect())
    }

    async fn update_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        Ok(self.writer.write(move |connection| rows::update_key(connection, &key)).await?)
    }

    async fn rotate_key(&self, key: KeyRecord, replacement: KeyRecord) -> Result<(), StorageError> {
        let rotate = move |connection: &Connection| {
            // The replacement first: the key refers to it.
            rows::insert_key(connection, &replacement)?;
            rows::update_key(connection, &key)
        };
        Ok(self.writer.write(rotate).await?)
    }

    fn record_use(&self, id: &str, at: i64) {
        self.uses.note(id, at);
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<String>, StorageError> {
        let (reference, user_id) = (reference.clone(), user_id.to_owned());
        Ok(self.readers.read(move |connection| rows::find_project(connection, &reference, &user_id)).await?)
    }
}

impl ProjectStorage for SqliteStorage {
    async fn insert_project(
        &self,
        id: uuid::Uuid,
        slug: ProjectSlug,
        members: Vec<String>,
    ) -> Result<Project, StorageError> {
        let project = Project { id: id.to_string(), slug: slug.into_text() };
        let stored = project.clone();
        let now = now();
        self.writer.write(move |connection| rows::insert_project(connection, &stored, now, &members)).await?;
        Ok(project)
    }

    async fn list_projects(&self, user_id: &str) -> Result<Vec<Project>, StorageError> {
        let user_id = user_id.to_owned();
        Ok(self.readers.read(move |connection| rows::list_projects(connection, &user_id)).await?)
    }
}

fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).ok().and_then(Time::from_millis).unwrap_or(Time::LAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, CreateApiKey, Error, Keycell};

    /// SQLite's own limit of pages stands for a full disk: it gives the same answer.
    #[tokio::test]
    async fn a_full_disk_loses_nothing_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let keycell = Keycell::new(SqliteStorage::open(&dir.path().join("keycell.db")).unwrap()).unwrap();
        let limit = |connection: &Connection| Ok(connection.pragma_update(None, "max_page_count", 20)?);
        keycell.storage().writer.write(limit).await.unwrap();

        let ann = Caller::user("ann").unwrap();
        let mut created = Vec::new();
        let error = loop {
            match keycell.create_api_key(&ann, CreateApiKey::named(&"n".repeat(100))).await {
                Ok(key) => created.push(key.id.to_text()),
                Err(error) => break error,
            }
            assert!(created.len() < 1000, "the limit holds nothing back");
        };
        assert_eq!(error, Error::Unavailable);
        assert!(!created.is_empty());
        for id in &created {
            keycell.get_api_key(&ann, id).await.unwrap();
        }

        let more = |connection: &Connection| Ok(connection.pragma_update(None, "max_page_count", 200)?);
        keycell.storage().writer.write(more).await.unwrap();
        keycell.create_api_key(&ann, CreateApiKey::named("room again")).await.unwrap();
    }
}
