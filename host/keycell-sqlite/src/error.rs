//! What can go wrong with a database file, and what it means to a caller.

use std::{io, sync::Arc};

use rusqlite::ErrorCode;

use crate::storage::StorageError;

/// What is wrong with a database.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SqliteError {
    /// Another process has held it locked for too long.
    #[error("the database is busy: another process keeps it locked")]
    Busy,
    /// There is no room for what was to be written. Nothing was changed.
    #[error("the disk is full: nothing was written")]
    Full,
    /// It may not be written to.
    #[error("the database is read-only")]
    ReadOnly,
    /// It is damaged, or no database at all.
    #[error("the file is damaged or no keycell database")]
    Corrupt,
    /// A newer keycell has written it.
    #[error("the database was written by a newer keycell: use that one")]
    NewerSchema,
    /// Its file can't be made or opened.
    #[error("the database can't be opened: {0}")]
    Open(Arc<io::Error>),
    /// The system does not let it be read or written right now.
    #[error("the database can't be reached: {0}")]
    Unreachable(Arc<rusqlite::Error>),
    /// Its writer is gone, with the process about to end.
    #[error("the database is closed")]
    Closed,
    /// A row was there first.
    #[error("conflict")]
    Conflict,
    /// Anything else that SQLite says.
    #[error("SQLite: {0}")]
    Other(Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Self::Busy
            }
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt,
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
                Self::Unreachable(error.into())
            }
            Some(ErrorCode::ConstraintViolation) if is_taken(&error) => Self::Conflict,
            _ => Self::Other(error.into()),
        }
    }
}

impl From<io::Error> for SqliteError {
    fn from(error: io::Error) -> Self {
        Self::Open(error.into())
    }
}

/// Whether a value that must be unique is taken; other constraints mean that we are wrong.
fn is_taken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}

impl From<rusqlite_migration::Error> for SqliteError {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            // Its message names numbers of versions and no data.
            other => io::Error::other(other.to_string()).into(),
        }
    }
}

impl From<SqliteError> for StorageError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Conflict => Self::Conflict,
            SqliteError::Busy
            | SqliteError::Full
            | SqliteError::ReadOnly
            | SqliteError::Unreachable(_)
            | SqliteError::Closed => Self::Unavailable(error.into()),
            _ => Self::Internal(error.into()),
        }
    }
}
