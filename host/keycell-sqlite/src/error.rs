//! Errors of a database.

use std::{error::Error, io, sync::Arc};

use keycell::StorageError;
use rusqlite::{ErrorCode, ffi};

/// An error of SQLite. Its type is hidden, so that a new version of `rusqlite` does not change this API.
type Cause = Arc<dyn Error + Send + Sync>;

/// The reason why a database cannot be opened or used.
///
/// No message contains a path or a value of a record.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// The database does not exist, and creating it is not allowed.
    #[error("there is no database at this path: check the path, or create a database")]
    Missing,
    /// The file to be created exists.
    #[error("the file exists: choose another path")]
    Exists,
    /// The file is not a SQLite database.
    #[error("the file is not a SQLite database: check the path")]
    NotADatabase,
    /// The file is a SQLite database of another program.
    #[error("the database belongs to another program: check the path")]
    Foreign,
    /// The database was written by a newer version.
    #[error("the database was written by a newer version of keycell: use that version")]
    NewerSchema,
    /// The database was written by an older version and must be migrated first.
    #[error("the database was written by an older version of keycell: open it with this version to migrate it")]
    OlderSchema,
    /// The database is damaged.
    #[error("the database is damaged: check it, and restore a backup")]
    Corrupt,
    /// The file was removed or replaced while it was open.
    #[error("the database file was removed or replaced: restart the process")]
    Replaced,
    /// Another process has locked the database for longer than the time limit.
    #[error("the database is busy: another process keeps it locked")]
    Busy,
    /// The disk is full. The write was undone.
    #[error("the disk is full: free some space")]
    Full,
    /// The database cannot be written.
    #[error("the database is read-only: make the file and its directory writable")]
    ReadOnly,
    /// The file system has no shared memory, which the write-ahead log needs.
    #[error("the file system has no shared memory: move the database to a local disk")]
    NoSharedMemory,
    /// The file cannot be created or opened.
    #[error("the database cannot be opened: {0}")]
    Open(Arc<io::Error>),
    /// The system failed to read or write the file.
    #[error("the database cannot be read or written: {0}")]
    Unreachable(Cause),
    /// The writer thread has ended.
    #[error("the database is closed")]
    Closed,
    /// A unique value is taken, or the revision differs.
    #[error("conflict with another write")]
    Conflict,
    /// Any other error of SQLite.
    #[error("SQLite: {0}")]
    Other(Cause),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Self::Busy
            }
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt,
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
                Self::Unreachable(Arc::new(error))
            }
            Some(ErrorCode::ConstraintViolation) if is_taken(&error) => Self::Conflict,
            _ => Self::Other(Arc::new(error)),
        }
    }
}

impl From<io::Error> for SqliteError {
    fn from(error: io::Error) -> Self {
        Self::Open(error.into())
    }
}

/// Returns whether a unique value is taken. Any other violated constraint is a bug.
fn is_taken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}

impl From<SqliteError> for StorageError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Conflict => Self::Conflict,
            SqliteError::NewerSchema
            | SqliteError::Replaced
            | SqliteError::Busy
            | SqliteError::Full
            | SqliteError::ReadOnly
            | SqliteError::Unreachable(_)
            | SqliteError::Closed => Self::Unavailable(error.into()),
            _ => Self::Internal(error.into()),
        }
    }
}
