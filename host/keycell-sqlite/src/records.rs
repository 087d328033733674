//! Every record of a database, for copies.

use std::path::Path;

use keycell::{Project, RecordKind, Records, StoredRecord};
use rusqlite::{Connection, Params, Row};

use crate::{
    SqliteOptions,
    error::SqliteError,
    events,
    file::{self, absolute},
    keys::{self, select_key},
    lists, projects, requests,
};

type Result<T> = std::result::Result<T, SqliteError>;

/// The records of a database that no process uses meanwhile.
pub struct SqliteRecords {
    connection: Connection,
}

impl SqliteRecords {
    /// Opens a database of this version to read its records.
    ///
    /// # Errors
    ///
    /// The file is not a database of this version of keycell, or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (connection, contents) = file::open_to_read(&absolute(path.as_ref())?)?;
        contents.require_latest()?;
        Ok(Self { connection })
    }

    /// Opens a database to insert records, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteOptions::open`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let opened = SqliteOptions::default().connect(path.as_ref())?;
        // A key may refer to a later one. The records come from a storage in which all exist.
        opened.connection.pragma_update(None, "foreign_keys", "OFF")?;
        Ok(Self { connection: opened.connection })
    }

    fn page(
        &self,
        sql: &str,
        parameters: impl Params,
        record: impl Fn(&Row<'_>) -> rusqlite::Result<StoredRecord>,
    ) -> Result<Vec<StoredRecord>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let records = statement.query_map(parameters, record)?;
        Ok(records.collect::<rusqlite::Result<_>>()?)
    }
}

impl Records for SqliteRecords {
    type Error = SqliteError;

    async fn read(&self, kind: RecordKind, after: (&str, &str), limit: u32) -> Result<Vec<StoredRecord>> {
        match kind {
            RecordKind::Project => {
                let sql = "SELECT id, slug, created_at FROM projects WHERE id > ?1 ORDER BY id LIMIT ?2";
                self.page(sql, (after.0, limit), |row| {
                    let project = Project::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                    Ok(StoredRecord::Project { project, created_at: row.get(2)? })
                })
            }
            RecordKind::Member => {
                let sql = "SELECT user_id, role, project_id FROM project_members
                           WHERE (user_id, project_id) > (?1, ?2) ORDER BY user_id, project_id LIMIT ?3";
                self.page(sql, (after.0, after.1, limit), |row| {
                    Ok(StoredRecord::Member { project_id: row.get(2)?, member: projects::member(row)? })
                })
            }
            RecordKind::Key => {
                let sql = select_key!(" FROM api_keys WHERE id > ?1 ORDER BY id LIMIT ?2");
                self.page(sql, (after.0, limit), |row| Ok(StoredRecord::Key(Box::new(keys::key_record(row)?))))
            }
            RecordKind::Request => {
                let sql = "SELECT user_id, idempotency_key, key_id, expires_at, digest FROM idempotent_requests
                           WHERE (user_id, idempotency_key) > (?1, ?2) ORDER BY user_id, idempotency_key LIMIT ?3";
                self.page(sql, (after.0, after.1, limit), |row| {
                    Ok(StoredRecord::Request(requests::request_record(row)?))
                })
            }
            RecordKind::Event => {
                let sql = "SELECT id, time, action, key_id, user_id, project_id, actor_user_id, actor_key_id, fields
                           FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";
                self.page(sql, (after.0, limit), |row| Ok(StoredRecord::Event(lists::event_record(row)?)))
            }
        }
    }

    async fn insert(&self, records: Vec<StoredRecord>) -> Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        for record in records {
            match record {
                StoredRecord::Project { project, created_at } => {
                    projects::insert(&transaction, &project, created_at, &[])?;
                }
                StoredRecord::Member { project_id, member } => {
                    projects::put_member(&transaction, &project_id, &member)?;
                }
                StoredRecord::Key(key) => keys::insert(&transaction, &key)?,
                // An expired request is not replaced either.
                StoredRecord::Request(request) => requests::insert(&transaction, &request, i64::MIN)?,
                StoredRecord::Event(event) => events::insert(&transaction, &event)?,
            }
        }
        Ok(transaction.commit()?)
    }
}
