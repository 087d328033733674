//! The schema, and how an older database becomes one of it.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::error::SqliteError;

const MIGRATIONS: &[M<'_>] = &[M::up(include_str!("migrations/0001_keys_and_projects.sql"))];

/// Brings the database to the newest schema.
pub fn migrate(connection: &mut Connection) -> Result<(), SqliteError> {
    let migrations = Migrations::from_slice(MIGRATIONS);
    match migrations.pending_migrations(connection)? {
        0 => Ok(()),
        missing if missing < 0 => Err(SqliteError::NewerSchema),
        _ => migrations.to_latest(connection).or_else(|error| {
            // Another process that opened it at the same moment may have been first.
            match migrations.pending_migrations(connection) {
                Ok(0) => Ok(()),
                _ => Err(error.into()),
            }
        }),
    }
}
