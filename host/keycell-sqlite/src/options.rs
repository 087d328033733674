//! Options of a database.

use std::{path::Path, sync::Arc, thread, time::Duration, time::Instant};

use keycell::PendingUses;
use rusqlite::{Connection, ErrorCode};

use crate::{
    BUSY_TIMEOUT, RETRY_INTERVAL, SqliteStorage,
    error::SqliteError,
    file::{self, DatabaseFile},
    health::Health,
    maintenance::Maintenance,
    readers::Readers,
    schema::{self, Contents},
    writer::Writer,
};

/// The default interval at which the last uses of keys are stored.
const USES_INTERVAL: Duration = Duration::from_secs(60);

/// The length in bytes to which the write-ahead log is truncated when it restarts. It grows during
/// a long read such as a backup, because it cannot restart meanwhile.
const MAX_IDLE_LOG: i64 = 16 << 20;

/// Options of a [`SqliteStorage`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    create: bool,
    uses_interval: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { create: true, uses_interval: USES_INTERVAL }
    }
}

impl SqliteOptions {
    /// Sets whether a missing database is created. Default: yes.
    pub fn create(self, create: bool) -> Self {
        Self { create, ..self }
    }

    /// Sets the interval at which the last uses of keys are stored. Default: a minute. They are
    /// also stored when the storage is dropped. A crash loses the uses of at most one interval.
    pub fn uses_interval(self, uses_interval: Duration) -> Self {
        Self { uses_interval, ..self }
    }

    /// Opens a database, and migrates one of an older version.
    ///
    /// A new file is accessible to its owner only. A file that is not a database of
    /// keycell is not changed.
    ///
    /// # Errors
    ///
    /// The database does not exist and may not be created, belongs to another program or a newer
    /// version, is damaged, locked or read-only.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SqliteStorage, SqliteError> {
        let Opened { file, connection, is_new } = self.connect(path.as_ref())?;
        let health = Arc::new(Health::new(file));
        let readers = Readers::new(Arc::clone(&health));
        let uses = Arc::new(PendingUses::default());
        let maintenance = Maintenance::new(Arc::clone(&health), readers.clone(), Arc::clone(&uses), self.uses_interval);
        let writer = Writer::spawn(connection, health, maintenance)?;
        Ok(SqliteStorage { readers, uses, writer, is_new })
    }

    /// Opens the file as [`open`](Self::open) does, with one connection and no thread.
    pub(crate) fn connect(&self, path: &Path) -> Result<Opened, SqliteError> {
        let path = file::absolute(path)?;
        if self.create {
            file::create_private(&path)?;
        }
        let (mut connection, contents) = file::open(&path)?;
        if contents == Contents::Empty && !self.create {
            return Err(SqliteError::Missing);
        }
        let file = DatabaseFile::at(path)?;
        use_write_ahead_log(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", MAX_IDLE_LOG)?;
        let is_new = schema::migrate(&mut connection)? == Contents::Empty;
        if is_new {
            tracing::info!("a new database was created");
        }
        Ok(Opened { file, connection, is_new })
    }
}

/// An opened database.
pub(crate) struct Opened {
    pub file: DatabaseFile,
    pub connection: Connection,
    pub is_new: bool,
}

/// Sets the journal mode that lets readers and the writer run concurrently.
fn use_write_ahead_log(connection: &Connection) -> Result<(), SqliteError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
            .map_err(|error| (error.sqlite_error_code(), SqliteError::from(error)));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            // The file system has no shared memory.
            Ok(_) => return Err(SqliteError::NoSharedMemory),
            // Another process opens the new file at the same moment. SQLite does not wait here.
            Err((Some(ErrorCode::DatabaseBusy), _)) if Instant::now() < deadline => thread::sleep(RETRY_INTERVAL),
            Err((_, error)) => return Err(error),
        }
    }
}
