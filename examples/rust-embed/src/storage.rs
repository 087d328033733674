//! Key storage in redb, an embedded key-value database.
//!
//! A storage only moves records. The component decides about access and about changes.

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, ProjectReference, ProjectWithRole,
    Storage, StorageError,
};
use redb::{Database, Durability, Key, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

type Result<T> = std::result::Result<T, StorageError>;
type Table<K> = TableDefinition<'static, K, &'static [u8]>;

const KEYS: Table<&str> = Table::new("keys");
const EVENTS: Table<&str> = Table::new("events");
/// By user and idempotency key.
const REQUESTS: Table<(&str, &str)> = Table::new("requests");
/// Ids by lookup.
const IDS: Table<&str> = Table::new("ids");

/// Storage in a redb database. One process at a time can open it.
pub struct RedbStorage(Database);

impl RedbStorage {
    pub fn new(database: Database) -> Result<Self> {
        let storage = Self(database);
        storage.write(Durability::Immediate, |transaction| {
            // Reads expect the tables to exist.
            [KEYS, EVENTS, IDS].into_iter().try_for_each(|table| transaction.open_table(table).map(drop))?;
            Ok(transaction.open_table(REQUESTS).map(drop)?)
        })?;
        Ok(storage)
    }

    /// Makes a change in a transaction.
    fn write(
        &self,
        durability: Durability,
        change: impl FnOnce(&WriteTransaction) -> std::result::Result<(), Fault>,
    ) -> Result<()> {
        let write = || {
            let mut transaction = self.0.begin_write()?;
            transaction.set_durability(durability)?;
            change(&transaction)?;
            Ok::<_, Fault>(transaction.commit()?)
        };
        Ok(write()?)
    }

    fn read<K: Key + 'static, T: DeserializeOwned>(&self, table: Table<K>, key: K::SelfType<'_>) -> Result<Option<T>> {
        let read = || find(&self.0.begin_read()?.open_table(table)?, key);
        Ok(read()?)
    }

    /// Lists the records that pass the filter, by descending id.
    fn list<T: DeserializeOwned>(
        &self,
        table: Table<&'static str>,
        limit: u32,
        passes: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>> {
        let list = || {
            let records = self.0.begin_read()?.open_table(table)?;
            let decoded = records.iter()?.rev().map(|entry| decode(entry?.1.value()));
            // An unreadable record is an error. It is not skipped.
            decoded.filter(|record| record.as_ref().map_or(true, &passes)).take(limit as usize).collect()
        };
        let listed: std::result::Result<_, Fault> = list();
        Ok(listed?)
    }
}

impl Storage for RedbStorage {
    async fn insert_key(&self, key: KeyRecord, event: EventRecord, request: Option<IdempotentRequest>) -> Result<()> {
        self.write(Durability::Immediate, |transaction| {
            if let Some(request) = request {
                let mut requests = transaction.open_table(REQUESTS)?;
                let entry = (request.user_id.as_str(), request.idempotency_key.as_str());
                let taken: Option<IdempotentRequest> = find(&requests, entry)?;
                free(taken.is_none_or(|taken| taken.expires_at <= key.created_at))?;
                requests.insert(entry, &*encode(&request)?)?;
            }
            insert(transaction, &key, &event)
        })
    }

    async fn find_key(&self, id: &str, _: &str) -> Result<Option<KeyWithRole>> {
        // This program has no projects, so there are no roles.
        Ok(self.read(KEYS, id)?.map(|key| KeyWithRole::new(key, None)))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>> {
        let id: Option<String> = self.read(IDS, lookup)?;
        let key: Option<KeyRecord> = id.map(|id| self.read(KEYS, &*id)).transpose()?.flatten();
        // The secret may have been replaced between the two reads.
        Ok(key.filter(|key| key.lookup == lookup))
    }

    async fn find_request(&self, user_id: &str, idempotency_key: &str, now: i64) -> Result<Option<IdempotentRequest>> {
        let found: Option<IdempotentRequest> = self.read(REQUESTS, (user_id, idempotency_key))?;
        Ok(found.filter(|request| request.expires_at > now))
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        self.list(KEYS, filter.limit, |key| filter.passes(key))
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>> {
        self.list(EVENTS, filter.limit, |event| filter.passes(event))
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.write(Durability::Immediate, |transaction| update(transaction, key, &event))
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<()> {
        self.write(Durability::Immediate, |transaction| {
            insert(transaction, &replacement, &replacement_event)?;
            update(transaction, key, &event)
        })
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.write(Durability::Immediate, |transaction| {
            let mut stored = current(transaction, &key)?;
            free(stored.last_used_at.is_none())?;
            transaction.open_table(IDS)?.remove(&*stored.lookup)?;
            stored.prefix = key.prefix;
            stored.hash = key.hash;
            stored.updated_at = key.updated_at;
            free(stored.lookup != key.lookup)?;
            stored.lookup = key.lookup;
            add(transaction, IDS, &stored.lookup, &stored.id)?;
            put(transaction, &stored)?;
            add(transaction, EVENTS, &event.id, &event)
        })
    }

    fn record_use(&self, id: &str, at: i64) {
        // The use is visible at once, and durable with the next durable write.
        let recorded = self.write(Durability::None, |transaction| {
            let found: Option<KeyRecord> = find(&transaction.open_table(KEYS)?, id)?;
            let Some(mut key) = found else { return Ok(()) };
            key.last_used_at = key.last_used_at.max(Some(at));
            put(transaction, &key)
        });
        if let Err(error) = recorded {
            tracing::warn!("the last use of a key is not stored: {error:?}");
        }
    }

    async fn find_project(&self, _: &ProjectReference, _: &str) -> Result<Option<ProjectWithRole>> {
        Ok(None)
    }
}

/// The reason of a rollback.
enum Fault {
    Conflict,
    Database(redb::Error),
    Json(serde_json::Error),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl From<Fault> for StorageError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict => Self::Conflict,
            Fault::Database(redb::Error::Io(cause)) => Self::Unavailable(cause.into()),
            Fault::Database(cause) => Self::Internal(cause.into()),
            Fault::Json(cause) => Self::Internal(cause.into()),
        }
    }
}

type Change<T> = std::result::Result<T, Fault>;

fn insert(transaction: &WriteTransaction, key: &KeyRecord, event: &EventRecord) -> Change<()> {
    add(transaction, KEYS, &key.id, key)?;
    add(transaction, IDS, &key.lookup, &key.id)?;
    add(transaction, EVENTS, &event.id, event)
}

fn update(transaction: &WriteTransaction, key: KeyRecord, event: &EventRecord) -> Change<()> {
    let mut stored = current(transaction, &key)?;
    stored.name = key.name;
    stored.updated_at = key.updated_at;
    stored.expires_at = key.expires_at;
    stored.revoked_at = key.revoked_at;
    stored.revocation_reason = key.revocation_reason;
    stored.rotated_to = key.rotated_to;
    stored.rate_limit = key.rate_limit;
    stored.metadata = key.metadata;
    put(transaction, &stored)?;
    add(transaction, EVENTS, &event.id, event)
}

/// Returns the stored record with the next revision. Another revision of `key` is a conflict.
fn current(transaction: &WriteTransaction, key: &KeyRecord) -> Change<KeyRecord> {
    let stored: Option<KeyRecord> = find(&transaction.open_table(KEYS)?, &*key.id)?;
    let mut stored = stored.filter(|stored| stored.revision == key.revision).ok_or(Fault::Conflict)?;
    stored.revision += 1;
    Ok(stored)
}

fn put(transaction: &WriteTransaction, key: &KeyRecord) -> Change<()> {
    transaction.open_table(KEYS)?.insert(&*key.id, &*encode(key)?)?;
    Ok(())
}

/// Inserts a record. An existing entry is a conflict.
fn add(transaction: &WriteTransaction, table: Table<&'static str>, entry: &str, record: &impl Serialize) -> Change<()> {
    free(transaction.open_table(table)?.insert(entry, &*encode(record)?)?.is_none())
}

fn free(is_free: bool) -> Change<()> {
    if is_free { Ok(()) } else { Err(Fault::Conflict) }
}

fn find<K: Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
    key: K::SelfType<'_>,
) -> Change<Option<T>> {
    table.get(key)?.map(|json| decode(json.value())).transpose()
}

fn encode(record: &impl Serialize) -> Change<Vec<u8>> {
    serde_json::to_vec(record).map_err(Fault::Json)
}

fn decode<T: DeserializeOwned>(json: &[u8]) -> Change<T> {
    serde_json::from_slice(json).map_err(Fault::Json)
}
