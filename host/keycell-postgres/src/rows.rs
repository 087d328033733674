//! Records as rows.

use keycell::{Action, EventRecord, IdempotentRequest, KeyRecord, RateLimit, Role};
use tokio_postgres::{
    Row,
    types::{FromSql, ToSql, Type},
};

use crate::{connections::Parameter, error::PostgresError};

type Result<T> = std::result::Result<T, PostgresError>;

/// The number of columns that [`key_record`] reads.
pub const KEY_COLUMNS: usize = 20;

pub fn text(value: &(impl ToSql + Sync)) -> Parameter<'_> {
    (value, Type::TEXT)
}

pub fn number(value: &(impl ToSql + Sync)) -> Parameter<'_> {
    (value, Type::INT8)
}

pub fn bytes(value: &(impl ToSql + Sync)) -> Parameter<'_> {
    (value, Type::BYTEA)
}

pub fn texts(value: &(impl ToSql + Sync)) -> Parameter<'_> {
    (value, Type::TEXT_ARRAY)
}

pub fn numbers(value: &(impl ToSql + Sync)) -> Parameter<'_> {
    (value, Type::INT8_ARRAY)
}

/// A key, with the fields that columns store in another form.
pub struct KeyRow {
    key: KeyRecord,
    scopes: String,
    requests: Option<i64>,
    window_seconds: Option<i64>,
    revision: i64,
}

impl KeyRow {
    pub fn new(key: KeyRecord) -> Self {
        Self {
            scopes: json(&key.scopes),
            requests: key.rate_limit.map(|limit| limit.requests.into()),
            window_seconds: key.rate_limit.map(|limit| limit.window_seconds.into()),
            revision: key.revision.into(),
            key,
        }
    }

    /// The parameters of an insert, in the order of the columns.
    pub fn insert(&self) -> Vec<Parameter<'_>> {
        let key = &self.key;
        vec![
            text(&key.id),
            text(&key.prefix),
            text(&key.lookup),
            bytes(&key.hash),
            text(&key.user_id),
            text(&key.project_id),
            text(&key.name),
            text(&self.scopes),
            text(&key.metadata),
            number(&self.requests),
            number(&self.window_seconds),
            number(&key.created_at),
            number(&key.updated_at),
            number(&key.expires_at),
            number(&key.last_used_at),
            number(&key.revoked_at),
            text(&key.revocation_reason),
            text(&key.rotated_from),
            text(&key.rotated_to),
            number(&self.revision),
        ]
    }

    /// The parameters of an update, in the order of the statement.
    pub fn update(&self) -> Vec<Parameter<'_>> {
        let key = &self.key;
        vec![
            text(&key.id),
            number(&self.revision),
            text(&key.name),
            text(&key.metadata),
            number(&self.requests),
            number(&self.window_seconds),
            number(&key.updated_at),
            number(&key.expires_at),
            number(&key.revoked_at),
            text(&key.revocation_reason),
            text(&key.rotated_to),
        ]
    }

    /// The parameters of a replacement of the secret, in the order of the statement.
    pub fn replace_secret(&self) -> Vec<Parameter<'_>> {
        let key = &self.key;
        vec![
            text(&key.id),
            number(&self.revision),
            text(&key.prefix),
            text(&key.lookup),
            bytes(&key.hash),
            number(&key.updated_at),
        ]
    }
}

/// An event, with the fields that columns store in another form.
pub struct EventRow {
    event: EventRecord,
    action: &'static str,
    fields: String,
}

impl EventRow {
    pub fn new(event: EventRecord) -> Self {
        Self { action: event.action.as_str(), fields: json(&event.fields), event }
    }

    /// The parameters of an insert, in the order of the columns.
    pub fn insert(&self) -> Vec<Parameter<'_>> {
        let event = &self.event;
        vec![
            text(&event.id),
            number(&event.time),
            text(&self.action),
            text(&event.key_id),
            text(&event.user_id),
            text(&event.project_id),
            text(&event.actor_user_id),
            text(&event.actor_key_id),
            text(&self.fields),
        ]
    }
}

/// The parameters of an insert of a request.
pub fn request(request: &IdempotentRequest) -> Vec<Parameter<'_>> {
    vec![
        text(&request.user_id),
        text(&request.idempotency_key),
        text(&request.key_id),
        number(&request.expires_at),
        bytes(&request.digest),
    ]
}

pub fn key_record(row: &Row) -> Result<KeyRecord> {
    let requests: Option<i64> = column(row, 9, "rate_limit_requests")?;
    let window_seconds: Option<i64> = column(row, 10, "rate_limit_window_seconds")?;
    let mut key = KeyRecord::default();
    key.id = column(row, 0, "id")?;
    key.prefix = column(row, 1, "prefix")?;
    key.lookup = column(row, 2, "lookup")?;
    key.hash = column(row, 3, "hash")?;
    key.user_id = column(row, 4, "user_id")?;
    key.project_id = column(row, 5, "project_id")?;
    key.name = column(row, 6, "name")?;
    key.scopes = list(row, 7, "scopes")?;
    key.metadata = column(row, 8, "metadata")?;
    key.rate_limit = match (requests, window_seconds) {
        (Some(requests), Some(window_seconds)) => Some(RateLimit {
            requests: small(requests, "rate_limit_requests")?,
            window_seconds: small(window_seconds, "rate_limit_window_seconds")?,
        }),
        _ => None,
    };
    key.created_at = column(row, 11, "created_at")?;
    key.updated_at = column(row, 12, "updated_at")?;
    key.expires_at = column(row, 13, "expires_at")?;
    key.last_used_at = column(row, 14, "last_used_at")?;
    key.revoked_at = column(row, 15, "revoked_at")?;
    key.revocation_reason = column(row, 16, "revocation_reason")?;
    key.rotated_from = column(row, 17, "rotated_from")?;
    key.rotated_to = column(row, 18, "rotated_to")?;
    key.revision = small(column(row, 19, "revision")?, "revision")?;
    Ok(key)
}

pub fn event_record(row: &Row) -> Result<EventRecord> {
    let action: &str = column(row, 2, "action")?;
    let mut event = EventRecord::new(Action::parse(action).ok_or(PostgresError::Corrupt("action"))?);
    event.id = column(row, 0, "id")?;
    event.time = column(row, 1, "time")?;
    event.key_id = column(row, 3, "key_id")?;
    event.user_id = column(row, 4, "user_id")?;
    event.project_id = column(row, 5, "project_id")?;
    event.actor_user_id = column(row, 6, "actor_user_id")?;
    event.actor_key_id = column(row, 7, "actor_key_id")?;
    event.fields = list(row, 8, "fields")?;
    Ok(event)
}

pub fn request_record(row: &Row) -> Result<IdempotentRequest> {
    let mut request = IdempotentRequest::default();
    request.user_id = column(row, 0, "user_id")?;
    request.idempotency_key = column(row, 1, "idempotency_key")?;
    request.key_id = column(row, 2, "key_id")?;
    request.expires_at = column(row, 3, "expires_at")?;
    request.digest = column(row, 4, "digest")?;
    Ok(request)
}

pub fn role(row: &Row, index: usize) -> Result<Option<Role>> {
    let name: Option<&str> = column(row, index, "role")?;
    name.map(|name| Role::parse(name).ok_or(PostgresError::Corrupt("role"))).transpose()
}

pub fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize, name: &'static str) -> Result<T> {
    row.try_get(index).map_err(|_| PostgresError::Corrupt(name))
}

/// Reads a JSON array.
fn list(row: &Row, index: usize, name: &'static str) -> Result<Vec<String>> {
    serde_json::from_str(column(row, index, name)?).map_err(|_| PostgresError::Corrupt(name))
}

fn small(value: i64, name: &'static str) -> Result<u32> {
    u32::try_from(value).map_err(|_| PostgresError::Corrupt(name))
}

/// A JSON array.
fn json(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}
