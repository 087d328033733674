//! Idempotent requests as rows.

use keycell::IdempotentRequest;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use crate::error::SqliteError;

type Result<T> = std::result::Result<T, SqliteError>;

/// Inserts a request, or replaces one that has expired at the time `now`.
pub fn insert(connection: &Connection, request: &IdempotentRequest, now: i64) -> Result<()> {
    let changed = connection
        .prepare_cached(
            "INSERT INTO idempotent_requests (user_id, idempotency_key, key_id, expires_at, digest)
             VALUES (:user_id, :idempotency_key, :key_id, :expires_at, :digest)
             ON CONFLICT (user_id, idempotency_key) DO UPDATE
             SET key_id = excluded.key_id, expires_at = excluded.expires_at, digest = excluded.digest
             WHERE expires_at <= :now",
        )?
        .execute(named_params! {
            ":user_id": request.user_id,
            ":idempotency_key": request.idempotency_key,
            ":key_id": request.key_id,
            ":expires_at": request.expires_at,
            ":digest": request.digest,
            ":now": now,
        })?;
    if changed == 1 { Ok(()) } else { Err(SqliteError::Conflict) }
}

/// Finds the request that expires after `now`.
pub fn find(
    connection: &Connection,
    user_id: &str,
    idempotency_key: &str,
    now: i64,
) -> Result<Option<IdempotentRequest>> {
    let mut statement = connection.prepare_cached(
        "SELECT user_id, idempotency_key, key_id, expires_at, digest FROM idempotent_requests
         WHERE user_id = ?1 AND idempotency_key = ?2 AND expires_at > ?3",
    )?;
    Ok(statement.query_row((user_id, idempotency_key, now), request_record).optional()?)
}

pub fn has_expired(connection: &Connection, now: i64) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM idempotent_requests WHERE expires_at <= ?1)")?;
    Ok(statement.query_row([now], |row| row.get(0))?)
}

/// Deletes up to `max` requests that have expired. Returns their number.
pub fn delete_expired(connection: &Connection, now: i64, max: usize) -> Result<usize> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM idempotent_requests WHERE (user_id, idempotency_key) IN
         (SELECT user_id, idempotency_key FROM idempotent_requests WHERE expires_at <= ?1 LIMIT ?2)",
    )?;
    Ok(statement.execute((now, i64::try_from(max).unwrap_or(i64::MAX)))?)
}

pub fn request_record(row: &Row<'_>) -> rusqlite::Result<IdempotentRequest> {
    let mut request = IdempotentRequest::default();
    request.user_id = row.get(0)?;
    request.idempotency_key = row.get(1)?;
    request.key_id = row.get(2)?;
    request.expires_at = row.get(3)?;
    request.digest = row.get(4)?;
    Ok(request)
}
