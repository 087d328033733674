//! The health of an open database: the presence of its file and the version of its schema.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::{error::SqliteError, file::DatabaseFile, schema};

/// The result of the latest check. Every call reads it.
pub struct Health {
    file: DatabaseFile,
    fault: Mutex<Option<SqliteError>>,
}

impl Health {
    pub fn new(file: DatabaseFile) -> Self {
        Self { file, fault: Mutex::new(None) }
    }

    /// Returns the file.
    pub fn file(&self) -> &DatabaseFile {
        &self.file
    }

    /// Returns the fault that the latest check found.
    pub fn require(&self) -> Result<(), SqliteError> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// Checks the file and the schema, and logs a new fault.
    pub fn check(&self, connection: &Connection) {
        let result = self.file.check().and_then(|()| schema::check_version(connection));
        let fault = match result {
            Err(error @ (SqliteError::Replaced | SqliteError::NewerSchema)) => Some(error),
            // Any other error is temporary, or each call reports it.
            _ => None,
        };
        let mut known = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &fault) {
            (None, Some(error)) => tracing::error!("the database is unavailable: {error}"),
            (Some(_), None) => tracing::info!("the database is available again"),
            _ => {}
        }
        *known = fault;
    }
}
