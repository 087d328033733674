//! The values of entries.

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    bucket::Bucket,
    names,
    storage::{EventRecord, IdempotentRequest, KeyRecord, RateLimit},
};

/// The fields of a record that are in its entry. The id is in the entry's name, and the revocation
/// and the last use have entries of their own.
#[derive(Serialize, Deserialize)]
#[serde(remote = "KeyRecord")]
struct KeyFields {
    #[serde(skip)]
    id: String,
    prefix: String,
    lookup: String,
    user_id: String,
    project_id: Option<String>,
    name: String,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    #[serde(skip)]
    last_used_at: Option<i64>,
    #[serde(skip)]
    revoked_at: Option<i64>,
    #[serde(skip)]
    revocation_reason: Option<String>,
    rotated_from: Option<String>,
    rotated_to: Option<String>,
    revision: u32,
    rate_limit: Option<RateLimit>,
    metadata: Option<String>,
    #[serde(with = "hex::serde")]
    hash: Vec<u8>,
    scopes: Vec<String>,
}

/// The record of a key with the events of its changes, so that a change and its event are one write.
/// Unknown fields are refused, because a change would lose them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)] // serde does not promise this beside `flatten`. A test checks it.
pub struct KeyEntry {
    #[serde(flatten, with = "KeyFields")]
    pub key: KeyRecord,
    /// Version 0.1 wrote no events.
    #[serde(default)]
    pub events: Vec<EventRecord>,
    #[serde(skip)]
    pub revocation: Option<Revocation>,
}

/// A revocation of a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    revoked_at: i64,
    revocation_reason: Option<String>,
    updated_at: i64,
    /// The event; none if it is stored with the record, or if version 0.1 wrote this.
    event: Option<EventRecord>,
    /// Whether the revocation was a part of a change of the record, which counts it.
    #[serde(default)]
    is_counted: bool,
}

/// A request, and the number of requests that its entry had before.
#[derive(Serialize, Deserialize)]
pub struct RequestEntry {
    pub request: IdempotentRequest,
    pub generation: u32,
}

impl KeyEntry {
    /// Reads the entry of a key and its revocation. A replacement is visible once the key that it
    /// replaced names it.
    pub fn find(bucket: &dyn Bucket, id: &str) -> Result<Option<Self>> {
        let read = |id: &str| bucket.read::<Self>(&names::key(id));
        let Some(mut entry) = read(id)? else { return Ok(None) };
        if let Some(old) = &entry.key.rotated_from
            && read(old)?.is_none_or(|old| old.key.rotated_to.as_deref() != Some(id))
        {
            return Ok(None);
        }
        id.clone_into(&mut entry.key.id);
        entry.revocation = bucket.read(&names::revoked(id))?;
        Ok(Some(entry))
    }

    /// Writes the entry with the event of its change.
    pub fn write(mut self, bucket: &dyn Bucket, event: &EventRecord) -> Result<()> {
        self.events.push(event.clone());
        bucket.write(&names::key(&self.key.id), &self)
    }

    /// The revision of the whole record.
    pub fn revision(&self) -> u32 {
        self.key.revision + u32::from(self.revocation.as_ref().is_some_and(|it| !it.is_counted))
    }

    /// The whole record, but for the last use.
    pub fn into_record(self) -> KeyRecord {
        let key = KeyRecord { revision: self.revision(), ..self.key };
        let Some(Revocation { revoked_at, revocation_reason, updated_at, .. }) = self.revocation else { return key };
        let updated_at = updated_at.max(key.updated_at);
        KeyRecord { revoked_at: Some(revoked_at), revocation_reason, updated_at, ..key }
    }

    pub fn into_events(self) -> impl Iterator<Item = EventRecord> {
        self.events.into_iter().chain(self.revocation.and_then(|revocation| revocation.event))
    }
}

impl Revocation {
    /// The revocation that `key` holds. `event` is none if the record's entry has it.
    pub fn of(key: &KeyRecord, event: Option<&EventRecord>) -> Option<Self> {
        Some(Self {
            revoked_at: key.revoked_at?,
            revocation_reason: key.revocation_reason.clone(),
            updated_at: key.updated_at,
            event: event.cloned(),
            is_counted: event.is_none(),
        })
    }
}
