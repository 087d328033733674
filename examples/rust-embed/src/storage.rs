//! Key storage in redb, an embedded key-value database. It only moves records: the component decides
//! about access and about changes. The program has no projects, and so no roles.

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, ProjectReference, ProjectWithRole,
    Storage, StorageError,
};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

type Result<T> = std::result::Result<T, StorageError>;
type Table = TableDefinition<'static, &'static str, &'static [u8]>; // Records as JSON.

const KEYS: Table = Table::new("keys");
const EVENTS: Table = Table::new("events");
const REQUESTS: Table = Table::new("requests");
const IDS: Table = Table::new("ids"); // The ids of keys by lookup.

/// Storage in a redb database. One process at a time can open it.
pub struct RedbStorage(Database);

impl RedbStorage {
    pub fn new(database: Database) -> Result<Self> {
        let storage = Self(database);
        let mut tables = [KEYS, EVENTS, REQUESTS, IDS].into_iter(); // Reads expect them to exist.
        storage.write(|change| tables.try_for_each(|table| change.open(table).map(drop)))?;
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
                let earlier = change.put(REQUESTS, &id, &request)?;
                check(earlier.is_none_or(|earlier| earlier.expires_at <= key.created_at))?;
            }
            change.insert(&key, &event)
        })
    }

    async fn find_key(&self, id: &str, _: &str) -> Result<Option<KeyWithRole>> {
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
        self.write(|change| change.update(key, &event, KeyRecord::update).map(drop))
    }

    async fn rotate_key(&self, key: KeyRecord, event: EventRecord, new: KeyRecord, created: EventRecord) -> Result<()> {
        self.write(|change| {
            change.insert(&new, &created)?;
            change.update(key, &event, KeyRecord::update).map(drop)
        })
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.write(|change| {
            change.add(IDS, &key.lookup, &key.id)?;
            let earlier = change.update(key, &event, KeyRecord::replace_secret)?;
            check(earlier.last_used_at.is_none())?;
            change.open(IDS)?.remove(&*earlier.lookup).map_err(failed).map(drop)
        })
    }

    fn record_use(&self, id: &str, at: i64) {
        // The use is visible at once, and durable with the next durable write.
        let recorded = self.write(|change| {
            change.0.set_durability(Durability::None).map_err(failed)?;
            let Some(mut key) = find::<KeyRecord>(&change.open(KEYS)?, id)? else { return Ok(()) };
            key.last_used_at = key.last_used_at.max(Some(at));
            change.put(KEYS, id, &key).map(drop)
        });
        recorded.unwrap_or_else(|error| tracing::warn!("the last use of a key is not stored: {error:?}"));
    }

    async fn find_project(&self, _: &ProjectReference, _: &str) -> Result<Option<ProjectWithRole>> {
        Ok(None)
    }
}

struct Change(WriteTransaction);

impl Change {
    fn insert(&self, key: &KeyRecord, event: &EventRecord) -> Result<()> {
        self.add(KEYS, &key.id, key)?;
        self.add(IDS, &key.lookup, &key.id)?;
        self.add(EVENTS, &event.id, event)
    }

    /// Updates the record that still has the revision of `key`, and returns the earlier record.
    fn update(&self, key: KeyRecord, event: &EventRecord, update: fn(&mut KeyRecord, KeyRecord)) -> Result<KeyRecord> {
        let stored = find(&self.open(KEYS)?, &key.id)?;
        let earlier = stored.filter(|it: &KeyRecord| it.revision == key.revision).ok_or(StorageError::Conflict)?;
        let mut updated = earlier.clone();
        update(&mut updated, key);
        self.put(KEYS, &updated.id, &updated)?;
        self.add(EVENTS, &event.id, event)?;
        Ok(earlier)
    }

    /// Adds a record with a new id.
    fn add<T: Serialize + DeserializeOwned>(&self, table: Table, id: &str, record: &T) -> Result<()> {
        check(self.put(table, id, record)?.is_none())
    }

    /// Stores a record and returns the earlier one with this id.
    fn put<T: Serialize + DeserializeOwned>(&self, table: Table, id: &str, record: &T) -> Result<Option<T>> {
        let json = serde_json::to_vec(record).map_err(|cause| StorageError::Internal(cause.into()))?;
        let mut table = self.open(table)?;
        let earlier = table.insert(id, &*json).map_err(failed)?;
        earlier.map(|json| decode(json.value())).transpose()
    }

    fn open(&self, table: Table) -> Result<redb::Table<'_, &'static str, &'static [u8]>> {
        self.0.open_table(table).map_err(failed)
    }
}

fn check(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(StorageError::Conflict) }
}

fn request_id(user_id: &str, idempotency_key: &str) -> String {
    format!("{user_id}\n{idempotency_key}") // Neither part can contain the separator.
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
