//! The schema: recognition of keycell's databases, and migrations.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::SqliteError;

type Result<T> = std::result::Result<T, SqliteError>;

/// The migrations. `user_version` is the number of applied ones. A released migration never
/// changes.
const MIGRATIONS: [&str; 2] =
    [include_str!("migrations/0001_keys_and_projects.sql"), include_str!("migrations/0002_issuing_and_events.sql")];

const LATEST: usize = MIGRATIONS.len();

/// `application_id` of a keycell database, since migration 2.
const APPLICATION_ID: i64 = i64::from_be_bytes(*b"\0\0\0\0keyc");

/// `user_version` of the latest schema.
fn latest() -> i64 {
    i64::try_from(LATEST).unwrap_or(i64::MAX)
}

/// The contents of a database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// An empty file.
    Empty,
    /// The schema after this number of migrations.
    Schema(usize),
}

impl Contents {
    /// Recognises a database of keycell. Writes nothing.
    ///
    /// # Errors
    ///
    /// The database belongs to another program or a newer version, or cannot be read.
    pub fn of(connection: &Connection) -> Result<Self> {
        // All of it is read from one snapshot: another process may be creating the database.
        let _snapshot = if connection.is_autocommit() { Some(connection.unchecked_transaction()?) } else { None };
        let header = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let version = usize::try_from(header("user_version")?).map_err(|_| SqliteError::Foreign)?;
        match (header("application_id")?, version) {
            (0, 0) if columns(connection)?.is_empty() => Ok(Self::Empty),
            // Version 0.1 did not set `application_id`.
            (0, 1) if columns(connection)? == columns_of_version(1)? => Ok(Self::Schema(1)),
            (APPLICATION_ID, 2..=LATEST) => Ok(Self::Schema(version)),
            (APPLICATION_ID, LATEST..) => Err(SqliteError::NewerSchema),
            _ => Err(SqliteError::Foreign),
        }
    }

    /// Returns an error unless the schema is the latest.
    pub fn require_latest(self) -> Result<()> {
        match self {
            Self::Empty => Err(SqliteError::Missing),
            Self::Schema(LATEST) => Ok(()),
            Self::Schema(_) => Err(SqliteError::OlderSchema),
        }
    }
}

/// The names of tables and views with their columns, sorted.
fn columns(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(
        "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_xinfo(s.name) c
         WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, 2",
    )?;
    let columns = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(columns.collect::<rusqlite::Result<_>>()?)
}

fn columns_of_version(version: usize) -> Result<Vec<(String, String)>> {
    let connection = Connection::open_in_memory()?;
    for migration in MIGRATIONS.iter().take(version) {
        connection.execute_batch(migration)?;
    }
    columns(&connection)
}

/// Brings the database to the latest schema, in one transaction, and turns foreign keys on. Returns
/// the earlier content.
///
/// A current database is not written, so that it opens while another process keeps it locked.
pub fn migrate(connection: &mut Connection) -> Result<Contents> {
    migrate_by(connection, &MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str; LATEST]) -> Result<Contents> {
    let contents = Contents::of(connection)?;
    if contents == Contents::Schema(LATEST) {
        connection.pragma_update(None, "foreign_keys", "ON")?;
        return Ok(contents);
    }
    // A migration may rebuild a table that others refer to. The pragma has no effect in a
    // transaction.
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have migrated it since the last check.
    let contents = Contents::of(&transaction)?;
    let applied = match contents {
        Contents::Empty => 0,
        Contents::Schema(version) => version,
    };
    if applied < LATEST {
        for migration in migrations.iter().skip(applied) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", latest())?;
        if transaction.prepare("PRAGMA foreign_key_check")?.exists(())? {
            return Err(SqliteError::Corrupt);
        }
        transaction.commit()?;
        if applied > 0 {
            tracing::info!(from = applied, to = LATEST, "the database schema was migrated");
        }
    } else {
        transaction.rollback()?;
    }
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(contents)
}

/// Returns an error if another process has migrated the database.
pub fn check_version(connection: &Connection) -> Result<()> {
    let version: i64 = connection.prepare_cached("PRAGMA user_version")?.query_row((), |row| row.get(0))?;
    if version == latest() { Ok(()) } else { Err(SqliteError::NewerSchema) }
}

/// Writes the current version again, which needs a page of the write-ahead log, and checks that the
/// database can grow.
pub fn rewrite_version(connection: &Connection) -> Result<()> {
    // A savepoint inside that of the write.
    connection.execute_batch("SAVEPOINT growth")?;
    let growth = connection
        .execute("INSERT INTO projects (id, slug, created_at) VALUES ('', hex(zeroblob(8192)), 0)", ())
        .map(drop);
    if connection.is_autocommit() {
        return Ok(growth?);
    }
    connection.execute_batch("ROLLBACK TO growth; RELEASE growth")?;
    growth?;
    Ok(connection.pragma_update(None, "user_version", latest())?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn each_version_is_recognised() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(Contents::of(&connection).unwrap(), Contents::Empty);
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        assert_eq!(Contents::of(&connection).unwrap(), Contents::Schema(1));
        assert_eq!(migrate(&mut connection).unwrap(), Contents::Schema(1));
        assert_eq!(Contents::of(&connection).unwrap(), Contents::Schema(LATEST));
        assert_eq!(migrate(&mut connection).unwrap(), Contents::Schema(LATEST));
    }

    #[test]
    fn a_database_that_another_process_creates_is_empty_or_complete() {
        let directory = tempfile::tempdir().unwrap();
        let [reader, writer] = [(), ()].map(|()| Connection::open(directory.path().join("keycell.db")).unwrap());
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer.pragma_update(None, "synchronous", "OFF").unwrap();
        let stop = AtomicBool::new(false);
        let stop = &stop;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for (id, version) in [(APPLICATION_ID, latest()), (0, 0)] {
                        let header = format!("PRAGMA application_id = {id}; PRAGMA user_version = {version}");
                        writer.execute_batch(&format!("BEGIN; {header}; COMMIT")).unwrap();
                    }
                }
            });
            let contents: Result<Vec<_>> = (0..5_000).map(|_| Contents::of(&reader)).collect();
            stop.store(true, Ordering::Relaxed);
            let contents = contents.unwrap();
            assert!(contents.contains(&Contents::Empty) && contents.contains(&Contents::Schema(LATEST)));
        });
    }

    #[test]
    fn a_migrated_database_has_the_schema_of_a_new_one() {
        let [mut new, mut old] = [(), ()].map(|()| Connection::open_in_memory().unwrap());
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        migrate(&mut old).unwrap();
        migrate(&mut new).unwrap();
        assert_eq!(columns(&old).unwrap(), columns(&new).unwrap());
        let on: i64 = old.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
        assert_eq!(on, 1);
    }

    #[test]
    fn a_migration_may_rebuild_a_table_that_others_refer_to() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON;
                 INSERT INTO projects VALUES ('p', 'web', 0); INSERT INTO project_members VALUES ('p', 'ann')",
            )
            .unwrap();
        let rebuild = "CREATE TABLE new AS SELECT * FROM projects; DROP TABLE projects;
                       CREATE TABLE projects (id TEXT PRIMARY KEY, slug TEXT, created_at INTEGER);
                       INSERT INTO projects SELECT * FROM new; DROP TABLE new";
        assert_eq!(migrate_by(&mut connection, &[MIGRATIONS[0], rebuild]).unwrap(), Contents::Schema(1));
        let members = "SELECT count(*) FROM project_members JOIN projects ON project_id = id";
        assert_eq!(connection.query_row(members, (), |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn a_migration_that_leaves_a_dangling_reference_is_undone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
        connection.execute("INSERT INTO project_members VALUES ('missing', 'ann')", ()).unwrap();
        assert!(matches!(migrate(&mut connection), Err(SqliteError::Corrupt)));
        assert_eq!(Contents::of(&connection).unwrap(), Contents::Schema(1));
    }

    #[test]
    fn other_schemas_are_foreign() {
        for (sql, is_newer) in [
            ("CREATE TABLE notes (x)", false),
            ("CREATE VIEW v AS SELECT 1", false),
            ("PRAGMA user_version = 1", false),
            ("PRAGMA user_version = 2", false),
            ("PRAGMA user_version = 1; CREATE TABLE api_keys (id); CREATE TABLE projects (id)", false),
            ("PRAGMA application_id = 5", false),
            ("PRAGMA application_id = 1801812323; PRAGMA user_version = -1", false),
            ("PRAGMA application_id = 1801812323; PRAGMA user_version = 3", true),
        ] {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(sql).unwrap();
            let error = Contents::of(&connection).unwrap_err();
            assert_eq!(matches!(error, SqliteError::NewerSchema), is_newer, "{sql}: {error}");
            assert_eq!(matches!(error, SqliteError::Foreign), !is_newer, "{sql}: {error}");
            assert!(migrate(&mut connection).is_err());
        }
    }
}
