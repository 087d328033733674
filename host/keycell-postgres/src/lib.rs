//! PostgreSQL storage for keycell, for deployments of several hosts.
//!
//! ```no_run
//! use keycell::{Caller, CreateApiKey, Keycell};
//! use keycell_postgres::PostgresStorage;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let storage = PostgresStorage::open("postgres://keycell@db.example.com/keycell").await?;
//! let keycell = Keycell::new(storage)?;
//! let created = keycell.create_api_key(&Caller::user("ann"), CreateApiKey::named("deploy")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each call is one statement, which is a transaction of its own. There are no foreign keys,
//! savepoints, sequences, triggers, advisory locks or notifications, so that poolers and databases
//! that speak PostgreSQL's protocol can serve it. The tables are in the schema `keycell`.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod changes;
mod connections;
mod error;
mod maintenance;
mod options;
mod passwords;
mod projects;
mod records;
mod rows;
mod schema;
mod sql;
mod tls;
mod url;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, PendingUses, ProjectReference,
    ProjectWithRole, StatusFilter, Storage, StorageError, Time,
};

pub use self::{
    changes::FeedPosition, error::PostgresError, options::PostgresOptions, records::PostgresRecords, url::PostgresUrl,
};
use self::{
    connections::Connections,
    maintenance::Maintenance,
    rows::{EventRow, KEY_COLUMNS, KeyRow, event_record, key_record, number, request_record, role, text},
};

/// Storage in a PostgreSQL database, which any number of hosts may share.
pub struct PostgresStorage {
    connections: Arc<Connections>,
    uses: Arc<PendingUses>,
    maintenance: Maintenance,
    is_new: bool,
}

impl PostgresStorage {
    /// Opens a database with the default [options](PostgresOptions): tables that are missing are
    /// created.
    ///
    /// # Errors
    ///
    /// The URL is invalid; or those of [`PostgresOptions::open`].
    pub async fn open(url: &str) -> Result<Self, PostgresError> {
        Self::options().open(&url.parse()?).await
    }

    /// The default options.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// Whether the tables were created when the database was opened.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The number of statements that were sent to the database.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.connections.round_trips()
    }
}

impl Storage for PostgresStorage {
    async fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> Result<(), StorageError> {
        let (key, event) = (KeyRow::new(key), EventRow::new(event));
        let mut parameters = key.insert();
        parameters.extend(event.insert());
        let sql = match &request {
            Some(request) => {
                parameters.extend(rows::request(request));
                sql::INSERT_KEY_WITH_REQUEST
            }
            None => sql::INSERT_KEY,
        };
        Ok(self.connections.write(sql, &parameters, 1).await?)
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>, StorageError> {
        let row = self.connections.query_optional(sql::FIND_KEY, &[text(&id), text(&viewer)]).await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let (key, role) = (key_record(&row)?, role(&row, KEY_COLUMNS)?);
        Ok(Some(KeyWithRole::new(self.uses.complete(key), role)))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        let row = self.connections.query_optional(sql::FIND_KEY_BY_LOOKUP, &[text(&lookup)]).await?;
        Ok(row.map(|row| key_record(&row)).transpose()?.map(|key| self.uses.complete(key)))
    }

    async fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> Result<Option<IdempotentRequest>, StorageError> {
        let parameters = [text(&user_id), text(&idempotency_key), number(&now)];
        let row = self.connections.query_optional(sql::FIND_REQUEST, &parameters).await?;
        Ok(row.map(|row| request_record(&row)).transpose()?)
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        let status = match filter.status {
            StatusFilter::All => "all",
            StatusFilter::Active => "active",
            StatusFilter::Expired => "expired",
            StatusFilter::Revoked => "revoked",
        };
        let limit = i64::from(filter.limit);
        let parameters = [
            text(&filter.user_id),
            text(&filter.project_id),
            text(&filter.before),
            text(&status),
            number(&filter.now),
            number(&limit),
        ];
        let rows = self.connections.query(sql::LIST_KEYS, &parameters).await?;
        let keys = rows.iter().map(|row| key_record(row).map(|key| self.uses.complete(key)));
        Ok(keys.collect::<Result<_, _>>()?)
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, StorageError> {
        let limit = i64::from(filter.limit);
        let parameters = [
            text(&filter.key_id),
            text(&filter.user_id),
            text(&filter.project_id),
            text(&filter.since),
            text(&filter.before),
            number(&limit),
        ];
        let rows = self.connections.query(sql::LIST_EVENTS, &parameters).await?;
        Ok(rows.iter().map(event_record).collect::<Result<_, _>>()?)
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let shard = changes::shard(&key.id);
        let (key, event) = (KeyRow::new(key), EventRow::new(event));
        let mut parameters = key.update();
        parameters.push(number(&shard));
        parameters.extend(event.insert());
        Ok(self.connections.write(sql::UPDATE_KEY, &parameters, 1).await?)
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<(), StorageError> {
        let shard = changes::shard(&key.id);
        let (key, event) = (KeyRow::new(key), EventRow::new(event));
        let (replacement, replacement_event) = (KeyRow::new(replacement), EventRow::new(replacement_event));
        let mut parameters = key.update();
        parameters.push(number(&shard));
        parameters.extend(event.insert());
        parameters.extend(replacement.insert());
        parameters.extend(replacement_event.insert());
        Ok(self.connections.write(sql::ROTATE_KEY, &parameters, 2).await?)
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        if self.uses.newest(&key.id).is_some() {
            return Err(StorageError::Conflict);
        }
        let shard = changes::shard(&key.id);
        let (key, event) = (KeyRow::new(key), EventRow::new(event));
        let mut parameters = key.replace_secret();
        parameters.push(number(&shard));
        parameters.extend(event.insert());
        Ok(self.connections.write(sql::REPLACE_SECRET, &parameters, 1).await?)
    }

    fn record_use(&self, id: &str, at: i64) {
        if !self.uses.record(id, at) {
            tracing::debug!("too many uses are not stored yet: one is lost");
        }
    }

    async fn close(&self) {
        self.maintenance.finish().await;
    }

    async fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> Result<Option<ProjectWithRole>, StorageError> {
        Ok(projects::find(&self.connections, reference, user_id).await?)
    }
}

fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).ok().and_then(Time::from_millis).unwrap_or(Time::LAST)
}
