//! Key storage in redb, an embedded key-value database.
//!
//! A storage only moves records. The component decides about access and about changes.

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, ProjectReference, ProjectWithRole,
    Storage, StorageError,
};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

type Result<T> = std::result::Result<T, StorageError>;
/// Records as JSON.
type Table = TableDefinition<'static, &'static str, &'static [u8]>;

const KEYS: Table = Table::new("keys");
const EVENTS: Table = Table::new("events");
const REQUESTS: Table = Table::new("requests");
/// The ids of keys by lookup.
const IDS: Table = Table::new("ids");

/// Storage in a redb database. One process at a time can open it.
pub struct RedbStorage(Database);

impl RedbStorage {
    pub fn new(database: Database) -> Result<Self> {
        let storage = Self(database);
        // Reads expect the tables to exist.
        storage.write(|change| {
            [KEYS, EVENTS, REQUESTS, IDS].into_iter().try_for_each(|table| change.open(table).map(drop))
        })?;
        Ok(storage)
    }

    /// Makes a change: all of it, or nothing if it fails.
    fn write(&self, work: impl FnOnce(&mut Change) -> Result<()>) -> Result<()> {
        let mut change = Change(self.0.begin_write().map_err(failed)?);
        work(&mut change)?;
        change.0.commit().map_err(failed)
    }

    fn read<T: DeserializeOwned>(&self, table: Table, id: &str) -> Result<Option<T>> {
        find(&self.0.begin_read().map_err(failed)?.open_table(table).map_err(failed)?, id)
    }

    /// Lists the records that pass the filter, by descending id.
    fn list<T: DeserializeOwned>(&self, table: Table, limit: u32, passes: impl Fn(&T) -> bool) -> Result<Vec<T>> {
        let records = self.0.begin_read().map_err(failed)?.open_table(table).map_err(failed)?;
        let decoded = records.iter().map_err(failed)?.rev().map(|entry| decode(entry.map_err(failed)?.1.value()));
        // An unreadable record is an error. It is not skipped.
        decoded.filter(|record| record.as_ref().map_or(true, &passes)).take(limit as usize).collect()
    }
}

impl Storage for RedbStorage {
    async fn insert_key(&self, key: KeyRecord, event: EventRecord, request: Option<IdempotentRequest>) -> Result<()> {
        self.write(|change| {
            if let Some(request) = request {
                let id = request_id(&request.user_id, &request.idempotency_key);
                let taken: Option<IdempotentRequest> = change.find(REQUESTS, &id)?;
                check(taken.is_none_or(|taken| taken.expires_at <= key.created_at))?;
                change.put(REQUESTS, &id, &request)?;
            }
            change.insert_key(&key, &event)
        })
    }

    async fn find_key(&self, id: &str, _: &str) -> Result<Option<KeyWithRole>> {
        // This program has no projects, so there are no roles.
        Ok(self.read(KEYS, id)?.map(|key| KeyWithRole::new(key, None)))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>> {
        let Some(id) = self.read::<String>(IDS, lookup)? else { return Ok(None) };
        // The secret may have been replaced between the two reads.
        Ok(self.read(KEYS, &id)?.filter(|key: &KeyRecord| key.lookup == lookup))
    }

    async fn find_request(&self, user_id: &str, idempotency_key: &str, now: i64) -> Result<Option<IdempotentRequest>> {
        let request = self.read(REQUESTS, &request_id(user_id, idempotency_key))?;
        Ok(request.filter(|request: &IdempotentRequest| request.expires_at > now))
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        self.list(KEYS, filter.limit, |key| filter.passes(key))
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>> {
        self.list(EVENTS, filter.limit, |event| filter.passes(event))
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.write(|change| change.update_key(key, &event))
    }

    async fn rotate_key(&self, key: KeyRecord, event: EventRecord, new: KeyRecord, created: EventRecord) -> Result<()> {
        self.write(|change| {
            change.insert_key(&new, &created)?;
            change.update_key(key, &event)
        })
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.write(|change| {
            let mut stored = change.current(&key)?;
            check(stored.last_used_at.is_none())?;
            change.add(IDS, &key.lookup, &key.id)?;
            change.open(IDS)?.remove(&*stored.lookup).map_err(failed)?;
            stored.replace_secret(key);
            change.put(KEYS, &stored.id, &stored)?;
            change.add(EVENTS, &event.id, &event)
        })
    }

    fn record_use(&self, id: &str, at: i64) {
        // The use is visible at once, and durable with the next durable write.
        let recorded = self.write(|change| {
            change.0.set_durability(Durability::None).map_err(failed)?;
            let Some(mut key) = change.find::<KeyRecord>(KEYS, id)? else { return Ok(()) };
            key.last_used_at = key.last_used_at.max(Some(at));
            change.put(KEYS, id, &key).map(drop)
        });
        if let Err(error) = recorded {
            tracing::warn!("the last use of a key is not stored: {error:?}");
        }
    }

    async fn find_project(&self, _: &ProjectReference, _: &str) -> Result<Option<ProjectWithRole>> {
        Ok(None)
    }
}

/// A change in a transaction.
struct Change(WriteTransaction);

impl Change {
    fn insert_key(&self, key: &KeyRecord, event: &EventRecord) -> Result<()> {
        self.add(KEYS, &key.id, key)?;
        self.add(IDS, &key.lookup, &key.id)?;
        self.add(EVENTS, &event.id, event)
    }

    fn update_key(&self, key: KeyRecord, event: &EventRecord) -> Result<()> {
        let mut stored = self.current(&key)?;
        stored.update(key);
        self.put(KEYS, &stored.id, &stored)?;
        self.add(EVENTS, &event.id, event)
    }

    /// Returns the stored record, if it still has the revision of `key`.
    fn current(&self, key: &KeyRecord) -> Result<KeyRecord> {
        let stored = self.find(KEYS, &key.id)?;
        stored.filter(|stored: &KeyRecord| stored.revision == key.revision).ok_or(StorageError::Conflict)
    }

    fn find<T: DeserializeOwned>(&self, table: Table, id: &str) -> Result<Option<T>> {
        find(&self.open(table)?, id)
    }

    /// Adds a record with a new id.
    fn add(&self, table: Table, id: &str, record: &impl Serialize) -> Result<()> {
        check(self.put(table, id, record)?)
    }

    /// Stores a record and returns whether the id is new.
    fn put(&self, table: Table, id: &str, record: &impl Serialize) -> Result<bool> {
        let json = serde_json::to_vec(record).map_err(|cause| StorageError::Internal(cause.into()))?;
        let mut table = self.open(table)?;
        let earlier = table.insert(id, &*json).map_err(failed)?;
        Ok(earlier.is_none())
    }

    fn open(&self, table: Table) -> Result<redb::Table<'_, &'static str, &'static [u8]>> {
        self.0.open_table(table).map_err(failed)
    }
}

fn check(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(StorageError::Conflict) }
}

/// Neither part can contain the separator.
fn request_id(user_id: &str, idempotency_key: &str) -> String {
    format!("{user_id}\n{idempotency_key}")
}

fn find<T: DeserializeOwned>(table: &impl ReadableTable<&'static str, &'static [u8]>, id: &str) -> Result<Option<T>> {
    table.get(id).map_err(failed)?.map(|json| decode(json.value())).transpose()
}

fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|cause| StorageError::Internal(cause.into()))
}

fn failed(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Io(cause) => StorageError::Unavailable(cause.into()),
        cause => StorageError::Internal(cause.into()),
    }
}
