//! Keys as rows.

use keycell::{KeyRecord, KeyWithRole, RateLimit};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::{columns, error::SqliteError};

type Result<T> = std::result::Result<T, SqliteError>;

/// The number of columns that [`key_record`] reads.
const COLUMNS: usize = 20;

/// Selects the columns that [`key_record`] reads, in its order.
macro_rules! select_key {
    ($rest:literal) => {
        concat!(
            "SELECT id, prefix, lookup, hash, user_id, project_id, name, scopes, metadata, rate_limit_requests,
                    rate_limit_window_seconds, created_at, updated_at, expires_at, last_used_at, revoked_at,
                    revocation_reason, rotated_from, rotated_to, revision",
            $rest
        )
    };
}
pub(crate) use select_key;

/// Inserts a key. The revision starts at 0.
pub fn insert(connection: &Connection, key: &KeyRecord) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, project_id, name, scopes, metadata,
                                   rate_limit_requests, rate_limit_window_seconds, created_at, updated_at, expires_at,
                                   last_used_at, revoked_at, revocation_reason, rotated_from, rotated_to, revision)
             VALUES (:id, :prefix, :lookup, :hash, :user_id, :project_id, :name, :scopes, :metadata,
                     :rate_limit_requests, :rate_limit_window_seconds, :created_at, :updated_at, :expires_at,
                     :last_used_at, :revoked_at, :revocation_reason, :rotated_from, :rotated_to, :revision)",
        )?
        .execute(named_params! {
            ":id": key.id,
            ":prefix": key.prefix,
            ":lookup": key.lookup,
            ":hash": key.hash,
            ":user_id": key.user_id,
            ":project_id": key.project_id,
            ":name": key.name,
            ":scopes": columns::json(&key.scopes),
            ":metadata": key.metadata,
            ":rate_limit_requests": key.rate_limit.map(|limit| limit.requests),
            ":rate_limit_window_seconds": key.rate_limit.map(|limit| limit.window_seconds),
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

pub fn find(connection: &Connection, id: &str, viewer: &str) -> Result<Option<KeyWithRole>> {
    let mut statement = connection.prepare_cached(select_key!(
        ", (SELECT role FROM project_members m WHERE m.user_id = ?2 AND m.project_id = k.project_id)
         FROM api_keys k WHERE id = ?1"
    ))?;
    let key_with_role = |row: &Row<'_>| Ok(KeyWithRole::new(key_record(row)?, columns::optional_role(row, COLUMNS)?));
    Ok(statement.query_row([id, viewer], key_with_role).optional()?)
}

pub fn find_by_lookup(connection: &Connection, lookup: &str) -> Result<Option<KeyRecord>> {
    let mut statement = connection.prepare_cached(select_key!(" FROM api_keys WHERE lookup = ?1"))?;
    Ok(statement.query_row([lookup], key_record).optional()?)
}

pub fn update(connection: &Connection, key: &KeyRecord) -> Result<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE api_keys
             SET name = :name, metadata = :metadata, rate_limit_requests = :rate_limit_requests,
                 rate_limit_window_seconds = :rate_limit_window_seconds, updated_at = :updated_at,
                 expires_at = :expires_at, revoked_at = :revoked_at, revocation_reason = :revocation_reason,
                 rotated_to = :rotated_to, revision = revision + 1
             WHERE id = :id AND revision = :revision",
        )?
        .execute(named_params! {
            ":id": key.id,
            ":revision": key.revision,
            ":name": key.name,
            ":metadata": key.metadata,
            ":rate_limit_requests": key.rate_limit.map(|limit| limit.requests),
            ":rate_limit_window_seconds": key.rate_limit.map(|limit| limit.window_seconds),
            ":updated_at": key.updated_at,
            ":expires_at": key.expires_at,
            ":revoked_at": key.revoked_at,
            ":revocation_reason": key.revocation_reason,
            ":rotated_to": key.rotated_to,
        })?;
    if changed == 1 { Ok(()) } else { Err(SqliteError::Conflict) }
}

/// Replaces the secret of a key that was never used.
pub fn replace_secret(connection: &Connection, key: &KeyRecord) -> Result<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE api_keys
             SET prefix = :prefix, lookup = :lookup, hash = :hash, updated_at = :updated_at, revision = revision + 1
             WHERE id = :id AND revision = :revision AND last_used_at IS NULL",
        )?
        .execute(named_params! {
            ":id": key.id,
            ":revision": key.revision,
            ":prefix": key.prefix,
            ":lookup": key.lookup,
            ":hash": key.hash,
            ":updated_at": key.updated_at,
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

/// Returns whether the `state` of a key is outdated at the time `now`, or ahead of a clock that was
/// set back.
pub fn needs_sweep(connection: &Connection, now: i64) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM api_keys INDEXED BY api_keys_by_expiry WHERE state = 0 AND expires_at <= ?1)
             OR EXISTS (SELECT 1 FROM api_keys INDEXED BY api_keys_by_expiry WHERE state = 2 AND expires_at > ?1)",
    )?;
    Ok(statement.query_row([now], |row| row.get(0))?)
}

/// Updates the `state` of up to `max` keys. Returns their number.
pub fn sweep(connection: &Connection, now: i64, max: usize) -> Result<usize> {
    let mut swept = 0;
    for sql in [
        "UPDATE api_keys SET swept_expiry = expires_at
         WHERE rowid IN (SELECT rowid FROM api_keys INDEXED BY api_keys_by_expiry
                         WHERE state = 0 AND expires_at <= ?1 LIMIT ?2)",
        "UPDATE api_keys SET swept_expiry = NULL
         WHERE rowid IN (SELECT rowid FROM api_keys INDEXED BY api_keys_by_expiry
                         WHERE state = 2 AND expires_at > ?1 LIMIT ?2)",
    ] {
        let rest = i64::try_from(max - swept).unwrap_or(i64::MAX);
        swept += connection.prepare_cached(sql)?.execute((now, rest))?;
    }
    Ok(swept)
}

pub fn key_record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let mut key = KeyRecord::default();
    key.id = row.get(0)?;
    key.prefix = row.get(1)?;
    key.lookup = row.get(2)?;
    key.hash = row.get(3)?;
    key.user_id = row.get(4)?;
    key.project_id = row.get(5)?;
    key.name = row.get(6)?;
    key.scopes = columns::texts(row, 7)?;
    key.metadata = row.get(8)?;
    key.rate_limit = match row.get(9)? {
        Some(requests) => Some(RateLimit { requests, window_seconds: row.get(10)? }),
        None => None,
    };
    key.created_at = row.get(11)?;
    key.updated_at = row.get(12)?;
    key.expires_at = row.get(13)?;
    key.last_used_at = row.get(14)?;
    key.revoked_at = row.get(15)?;
    key.revocation_reason = row.get(16)?;
    key.rotated_from = row.get(17)?;
    key.rotated_to = row.get(18)?;
    key.revision = row.get(19)?;
    Ok(key)
}
