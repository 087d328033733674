//! The connections that read. In write-ahead mode none of them waits for the writer.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{PATIENCE, error::SqliteError};

/// What each reader keeps of the file, in KiB.
const CACHE_KIB: i32 = 8 << 10;

/// Connections that are opened when they are first needed, and kept.
#[derive(Clone)]
pub struct Readers {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self { path: Arc::new(path), idle: Arc::default() }
    }

    /// Reads on the calling thread what takes microseconds, less than another thread's waking would.
    /// Only when another process keeps the file locked does the wait move to a thread that may block.
    pub async fn read<T, R>(&self, read: R) -> Result<T, SqliteError>
    where
        R: Fn(&Connection) -> Result<T, SqliteError> + Send + 'static,
        T: Send + 'static,
    {
        match self.read_waiting(Duration::ZERO, &read) {
            Err(SqliteError::Busy) => self.scan(read).await,
            result => result,
        }
    }

    /// Reads what may take long, on a thread that may block.
    pub async fn scan<T, R>(&self, read: R) -> Result<T, SqliteError>
    where
        R: Fn(&Connection) -> Result<T, SqliteError> + Send + 'static,
        T: Send + 'static,
    {
        let readers = self.clone();
        let blocking = tokio::task::spawn_blocking(move || readers.read_waiting(PATIENCE, read));
        blocking.await.map_err(|_| SqliteError::Closed)?
    }

    fn read_waiting<T>(
        &self,
        patience: Duration,
        read: impl Fn(&Connection) -> Result<T, SqliteError>,
    ) -> Result<T, SqliteError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| self.open(), Ok)?;
        connection.busy_timeout(patience)?;
        let result = read(&connection)?;
        // A connection that failed is not kept.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(result)
    }

    fn open(&self) -> Result<Connection, SqliteError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&*self.path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }
}
