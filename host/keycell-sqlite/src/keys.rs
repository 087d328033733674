//! Records as rows, and rows as records.

use keycell_component::time::Time;
use rusqlite::{Connection, OptionalExtension, Row, named_params, types::Type};

use super::error::SqliteError;
use crate::storage::{KeyFilter, KeyRecord, Project, ProjectReference};

type Result<T> = std::result::Result<T, SqliteError>;

pub fn insert_key(connection: &Connection, key: &KeyRecord) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, project_id, name, scopes, created_at, updated_at,
                                   expires_at, last_used_at, revoked_at, revocation_reason, rotated_from, rotated_to,
                                   revision)
             VALUES (:id, :prefix, :lookup, :hash, :user_id, :project_id, :name, :scopes, :created_at, :updated_at,
                     :expires_at, :last_used_at, :revoked_at, :revocation_reason, :rotated_from, :rotated_to,
                     :revision)",
        )?
        .execute(named_params! {
            ":id": key.id,
            ":prefix": key.prefix,
            ":lookup": key.lookup,
            ":hash": key.hash,
            ":user_id": key.user_id,
            ":project_id": key.project_id,
            ":name": key.name,
            ":scopes": serde_json::Value::from(key.scopes.as_slice()).to_string(),
            ":created_at": key.created_at,
            ":updated_at": key.updated_at,
            ":expires_at": key.expires_at,
            ":last_used_at": key.last_used_at,
            ":revoked_at": key.revoked_at,
            ":revocation_reason": key.revocation_reason,
            ":rotated_from": key.rotated_from,
            ":rotated_to": key.rotated_to,
            ":revision": key.revision,
        })?;
    Ok(())
}

/// The columns that [`key_record`] reads, in its order.
macro_rules! select_key {
    ($rest:literal) => {
        concat!(
            "SELECT id, prefix, lookup, hash, user_id, project_id, name, scopes, created_at, updated_at, expires_at,
                    last_used_at, revoked_at, revocation_reason, rotated_from, rotated_to, revision
             FROM api_keys ",
            $rest
        )
    };
}

pub fn find_key(connection: &Connection, id: &str) -> Result<Option<KeyRecord>> {
    let mut statement = connection.prepare_cached(select_key!("WHERE id = ?1"))?;
    Ok(statement.query_row([id], key_record).optional()?)
}

pub fn find_key_by_lookup(connection: &Connection, lookup: &str) -> Result<Option<KeyRecord>> {
    let mut statement = connection.prepare_cached(select_key!("WHERE lookup = ?1"))?;
    Ok(statement.query_row([lookup], key_record).optional()?)
}

pub fn list_keys(connection: &Connection, filter: &KeyFilter) -> Result<Vec<KeyRecord>> {
    let mut statement = connection.prepare_cached(select_key!(
        "WHERE user_id = :user_id
           AND id < coalesce(:before, '~')
           AND (:project_id IS NULL OR project_id = :project_id)
           AND (:revoked IS NULL OR (revoked_at IS NOT NULL) = :revoked)
           AND (:expires_after IS NULL OR expires_at IS NULL OR expires_at > :expires_after)
           AND (:expires_until IS NULL OR expires_at <= :expires_until)
         ORDER BY id DESC LIMIT :limit"
    ))?;
    let keys = statement.query_map(
        named_params! {
            ":user_id": filter.user_id,
            ":before": filter.before,
            ":project_id": filter.project_id,
            ":revoked": filter.revoked,
            ":expires_after": filter.expires_after,
            ":expires_until": filter.expires_until,
            ":limit": filter.limit,
        },
        key_record,
    )?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

pub fn update_key(connection: &Connection, key: &KeyRecord) -> Result<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE api_keys
             SET name = :name, updated_at = :updated_at, expires_at = :expires_at, revoked_at = :revoked_at,
                 revocation_reason = :revocation_reason, rotated_to = :rotated_to, revision = revision + 1
             WHERE id = :id AND revision = :revision",
        )?
        .execute(named_params! {
            ":id": key.id,
            ":revision": key.revision,
            ":name": key.name,
            ":updated_at": key.updated_at,
            ":expires_at": key.expires_at,
            ":revoked_at": key.revoked_at,
            ":revocation_reason": key.revocation_reason,
            ":rotated_to": key.rotated_to,
        })?;
    if changed == 1 { Ok(()) } else { Err(SqliteError::Conflict) }
}

/// Moves the last use of a key forward, never back.
pub fn record_use(connection: &Connection, id: &str, at: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
        )?
        .execute((id, at))?;
    Ok(())
}

fn key_record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let scopes = row.get_ref(7)?.as_str()?;
    let scopes = serde_json::from_str(scopes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, Type::Text, error.into()))?;
    Ok(KeyRecord {
        id: row.get(0)?,
        prefix: row.get(1)?,
        lookup: row.get(2)?,
        hash: row.get(3)?,
        user_id: row.get(4)?,
        project_id: row.get(5)?,
        name: row.get(6)?,
        scopes,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
        expires_at: row.get(10)?,
        last_used_at: row.get(11)?,
        revoked_at: row.get(12)?,
        revocation_reason: row.get(13)?,
        rotated_from: row.get(14)?,
        rotated_to: row.get(15)?,
        revision: row.get(16)?,
    })
}

pub fn find_project(connection: &Connection, reference: &ProjectReference, user_id: &str) -> Result<Option<String>> {
    let (sql, name) = match reference {
        ProjectReference::Id(id) => {
            ("SELECT project_id FROM project_members WHERE user_id = ?1 AND project_id = ?2", id)
        }
        ProjectReference::Slug(slug) => {
            ("SELECT id FROM projects JOIN project_members ON project_id = id WHERE user_id = ?1 AND slug = ?2", slug)
        }
    };
    Ok(connection.prepare_cached(sql)?.query_row([user_id, name], |row| row.get(0)).optional()?)
}

pub fn insert_project(connection: &Connection, project: &Project, created_at: Time, members: &[String]) -> Result<()> {
    connection.prepare_cached("INSERT INTO projects (id, slug, created_at) VALUES (?1, ?2, ?3)")?.execute((
        &project.id,
        &project.slug,
        created_at.millis(),
    ))?;
    for user_id in members {
        connection
            .prepare_cached("INSERT INTO project_members (project_id, user_id) VALUES (?1, ?2)")?
            .execute([&project.id, user_id])?;
    }
    Ok(())
}

pub fn list_projects(connection: &Connection, user_id: &str) -> Result<Vec<Project>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, slug FROM projects JOIN project_members ON project_id = id WHERE user_id = ?1 ORDER BY slug",
    )?;
    let projects = statement.query_map([user_id], |row| Ok(Project { id: row.get(0)?, slug: row.get(1)? }))?;
    Ok(projects.collect::<rusqlite::Result<_>>()?)
}
