//! The schema `keycell`: its recognition, and migrations.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;

use crate::{
    connections::Connections,
    error::PostgresError,
    rows::{column, number},
    sql,
};

type Result<T> = std::result::Result<T, PostgresError>;

/// The schema and the table of versions, before the first migration.
const BOOTSTRAP: &str = include_str!("migrations/0000_schema.sql");
/// The migrations. A released one never changes.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_keys.sql")];
const LATEST: usize = MIGRATIONS.len();

/// The time of one attempt to migrate. A migration may change many rows.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(30);
/// Tries to migrate while other hosts do the same.
const MAX_TRIES: u32 = 50;
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The contents of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing of keycell.
    Empty,
    /// The schema after this number of migrations.
    Schema(usize),
}

impl Contents {
    /// Recognises a database of keycell without a write.
    async fn of(connections: &Connections) -> Result<Self> {
        let mut versions = versions(connections).await?;
        if versions.is_empty() {
            if connections.query(sql::OTHER_COLUMNS, &[]).await?.is_empty() {
                return Ok(Self::Empty);
            }
            // Another host may have created all tables since the first look.
            versions = self::versions(connections).await?;
        }
        if versions.is_empty() || versions.iter().zip(1..).any(|(version, expected)| *version != expected) {
            return Err(PostgresError::Foreign);
        }
        if versions.len() <= LATEST { Ok(Self::Schema(versions.len())) } else { Err(PostgresError::NewerSchema) }
    }

    fn migrations(self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Schema(version) => version,
        }
    }
}

/// The versions that a database has: none without their table.
async fn versions(connections: &Connections) -> Result<Vec<i64>> {
    match connections.query(sql::VERSIONS, &[]).await {
        Ok(rows) => rows.iter().map(|row| row.try_get(0).map_err(|_| PostgresError::Foreign)).collect(),
        Err(PostgresError::Missing) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns an error unless the database has the latest schema.
pub async fn require_latest(connections: &Connections) -> Result<()> {
    match Contents::of(connections).await? {
        Contents::Empty => Err(PostgresError::Missing),
        Contents::Schema(LATEST) => Ok(()),
        Contents::Schema(_) => Err(PostgresError::OlderSchema),
    }
}

/// Brings the database to the latest schema. Returns the earlier contents.
///
/// A migration is a transaction that begins with the insert of its version. A second host waits at
/// that row, and then finds the migration done.
pub async fn migrate(connections: &Connections) -> Result<Contents> {
    for _ in 0..MAX_TRIES {
        let contents = Contents::of(connections).await?;
        if contents == Contents::Schema(LATEST) {
            return Ok(contents);
        }
        let mut connection = connections.connection().await?;
        let Ok(migrated) = timeout(MIGRATION_TIMEOUT, try_migrate(&mut connection, contents.migrations())).await else {
            // The end of the connection undoes the transaction.
            drop(Object::take(connection));
            return Err(PostgresError::Timeout);
        };
        match migrated {
            Ok(true) => {
                match contents {
                    Contents::Empty => tracing::info!("the tables of a new database were created"),
                    Contents::Schema(from) => tracing::info!(from, to = LATEST, "the database schema was migrated"),
                }
                return Ok(contents);
            }
            Ok(false) => {}
            Err(error) if is_race(&error) => sleep(RETRY_INTERVAL).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(PostgresError::Busy)
}

/// Returns whether this host made the migrations.
async fn try_migrate(connection: &mut Object, applied: usize) -> std::result::Result<bool, tokio_postgres::Error> {
    let transaction = connection.transaction().await?;
    if applied == 0 {
        transaction.batch_execute(BOOTSTRAP).await?;
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(applied) {
        if transaction.query_typed(sql::ADD_VERSION, &[number(&version)]).await?.is_empty() {
            transaction.rollback().await?;
            return Ok(false);
        }
        transaction.batch_execute(migration).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Whether another host has made the same object at the same moment.
fn is_race(error: &tokio_postgres::Error) -> bool {
    let codes = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Makes a durable write that changes nothing, and checks the version.
pub async fn check_ready(connections: &Connections) -> Result<()> {
    let row = connections.query_optional(sql::REWRITE_VERSION, &[]).await?.ok_or(PostgresError::Missing)?;
    let version: i64 = column(&row, 0, "version")?;
    match usize::try_from(version) {
        Ok(LATEST) => Ok(()),
        Ok(..LATEST) => Err(PostgresError::OlderSchema),
        _ => Err(PostgresError::NewerSchema),
    }
}
