//! Where keys rest: a file of redb, an embedded key-value database. It decides nothing: who may see
//! a key, and what a key looks like, is the component's.

use keycell::{KeyFilter, KeyRecord, ProjectReference, Storage, StorageError};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::{Deserializer, Serializer};

type Result<T> = std::result::Result<T, StorageError>;

const KEYS: TableDefinition<&str, &[u8]> = TableDefinition::new("keys");
const IDS: TableDefinition<&str, &str> = TableDefinition::new("ids by lookup");

/// A key's record, as the JSON that rests in the file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "KeyRecord")]
struct Stored {
    id: String,
    prefix: String,
    lookup: String,
    hash: Vec<u8>,
    user_id: String,
    project_id: Option<String>,
    name: String,
    scopes: Vec<String>,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    revocation_reason: Option<String>,
    rotated_from: Option<String>,
    rotated_to: Option<String>,
    revision: u32,
}

/// Storage in a redb database, which one process at a time has open.
pub struct RedbStorage(Database);

impl RedbStorage {
    pub fn new(database: Database) -> Result<Self> {
        let storage = Self(database);
        // What reads expects both tables to be there.
        storage.write(Durability::Immediate, |transaction| {
            transaction.open_table(KEYS).map_err(fault)?;
            transaction.open_table(IDS).map(drop).map_err(fault)
        })?;
        Ok(storage)
    }

    /// Makes all of a change, or none of it where it fails.
    fn write(&self, durability: Durability, change: impl FnOnce(&WriteTransaction) -> Result<()>) -> Result<()> {
        let mut transaction = self.0.begin_write().map_err(fault)?;
        transaction.set_durability(durability).map_err(fault)?;
        change(&transaction)?;
        transaction.commit().map_err(fault)
    }
}

impl Storage for RedbStorage {
    async fn insert_key(&self, key: KeyRecord) -> Result<()> {
        self.write(Durability::Immediate, |transaction| insert(transaction, &key))
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>> {
        find(&self.0.begin_read().map_err(fault)?.open_table(KEYS).map_err(fault)?, id)
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>> {
        let transaction = self.0.begin_read().map_err(fault)?;
        let id = transaction.open_table(IDS).map_err(fault)?.get(lookup).map_err(fault)?;
        let Some(id) = id else { return Ok(None) };
        find(&transaction.open_table(KEYS).map_err(fault)?, id.value())
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        let keys = self.0.begin_read().map_err(fault)?.open_table(KEYS).map_err(fault)?;
        // A record that can't be read is no reason to leave it out.
        keys.iter()
            .map_err(fault)?
            .rev()
            .map(|entry| decode(entry.map_err(fault)?.1.value()))
            .filter(|key| key.as_ref().map_or(true, |key| filter.passes(key)))
            .take(filter.limit as usize)
            .collect()
    }

    async fn update_key(&self, key: KeyRecord) -> Result<()> {
        self.write(Durability::Immediate, |transaction| update(transaction, key))
    }

    async fn rotate_key(&self, key: KeyRecord, replacement: KeyRecord) -> Result<()> {
        self.write(Durability::Immediate, |transaction| {
            insert(transaction, &replacement)?;
            update(transaction, key)
        })
    }

    fn record_use(&self, id: &str, at: i64) {
        // Seen at once, and durable with the next write that is.
        let noted = self.write(Durability::None, |transaction| {
            let mut keys = transaction.open_table(KEYS).map_err(fault)?;
            let Some(key) = find(&keys, id)? else { return Ok(()) };
            put(&mut keys, &KeyRecord { last_used_at: key.last_used_at.max(Some(at)), ..key })
        });
        if let Err(error) = noted {
            tracing::warn!("the last use of a key is not stored: {error:?}");
        }
    }

    async fn find_project(&self, _: &ProjectReference, _: &str) -> Result<Option<String>> {
        // This program has no projects, so nobody is a member of one.
        Ok(None)
    }
}

fn insert(transaction: &WriteTransaction, key: &KeyRecord) -> Result<()> {
    let mut keys = transaction.open_table(KEYS).map_err(fault)?;
    let mut ids = transaction.open_table(IDS).map_err(fault)?;
    if find(&keys, &key.id)?.is_some() || ids.insert(&*key.lookup, &*key.id).map_err(fault)?.is_some() {
        return Err(StorageError::Conflict);
    }
    put(&mut keys, key)
}

fn update(transaction: &WriteTransaction, key: KeyRecord) -> Result<()> {
    let mut keys = transaction.open_table(KEYS).map_err(fault)?;
    let old = find(&keys, &key.id)?.filter(|old| old.revision == key.revision).ok_or(StorageError::Conflict)?;
    let revision = old.revision + 1;
    let KeyRecord { name, updated_at, expires_at, revoked_at, revocation_reason, rotated_to, .. } = key;
    let changed =
        KeyRecord { name, updated_at, expires_at, revoked_at, revocation_reason, rotated_to, revision, ..old };
    put(&mut keys, &changed)
}

fn find(keys: &impl ReadableTable<&'static str, &'static [u8]>, id: &str) -> Result<Option<KeyRecord>> {
    keys.get(id).map_err(fault)?.map(|json| decode(json.value())).transpose()
}

fn put(keys: &mut Table<'_, &'static str, &'static [u8]>, key: &KeyRecord) -> Result<()> {
    let mut json = Vec::new();
    Stored::serialize(key, &mut Serializer::new(&mut json)).map_err(|cause| StorageError::Internal(cause.into()))?;
    keys.insert(&*key.id, &*json).map_err(fault)?;
    Ok(())
}

fn decode(json: &[u8]) -> Result<KeyRecord> {
    Stored::deserialize(&mut Deserializer::from_slice(json)).map_err(|cause| StorageError::Internal(cause.into()))
}

/// What redb says, as the component is told of it.
fn fault(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Io(cause) => StorageError::Unavailable(cause.into()),
        cause => StorageError::Internal(cause.into()),
    }
}
