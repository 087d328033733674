//! The values of entries.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    bucket::Bucket,
    incident,
    storage::{Action, Error, EventRecord, IdempotentRequest, KeyRecord, RateLimit},
};

/// The record of a key with the events of its changes, so that a change and its event are one write.
///
/// The id is in the entry's name, and the revocation and the last use have entries of their own.
/// Unknown fields are refused, because a change would lose them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    prefix: String,
    /// The lookup. An entry of [`names::lookup`](crate::names::lookup) that differs is out of date.
    pub lookup: String,
    #[serde(with = "hex::serde")]
    hash: Vec<u8>,
    user_id: String,
    /// The id of the project.
    pub project_id: Option<String>,
    name: String,
    scopes: Vec<String>,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    /// The id of the key that this key replaced.
    pub rotated_from: Option<String>,
    /// The id of the key that replaced this key.
    pub rotated_to: Option<String>,
    /// The number of changes of this entry.
    pub revision: u32,
    // Version 0.1 did not write the following fields.
    #[serde(default)]
    metadata: Option<String>,
    #[serde(default)]
    rate_limit: Option<Limit>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    requests: u32,
    window_seconds: u32,
}

/// An event, which is stored with the record of its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    id: String,
    time: i64,
    #[serde(with = "action")]
    action: Action,
    actor_user_id: String,
    actor_key_id: Option<String>,
    fields: Vec<String>,
}

/// A revocation of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    revoked_at: i64,
    revocation_reason: Option<String>,
    updated_at: i64,
    /// The event; none if it is stored with the record, or if version 0.1 wrote this.
    #[serde(default)]
    event: Option<Event>,
    /// Whether the revocation was a part of a change of the record, which counts it.
    #[serde(default)]
    is_counted: bool,
}

/// A request, and what decides whether it still holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestEntry {
    /// The id of the key that was issued.
    pub key_id: String,
    /// The time after which the request does not hold.
    pub expires_at: i64,
    #[serde(with = "hex::serde")]
    digest: Vec<u8>,
    /// The number of requests that this entry has had.
    pub generation: u32,
}

impl KeyEntry {
    /// The entry of a new key.
    pub fn new(key: &KeyRecord, event: &EventRecord) -> Self {
        Self {
            prefix: key.prefix.clone(),
            lookup: key.lookup.clone(),
            hash: key.hash.clone(),
            user_id: key.user_id.clone(),
            project_id: key.project_id.clone(),
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            created_at: key.created_at,
            updated_at: key.updated_at,
            expires_at: key.expires_at,
            rotated_from: key.rotated_from.clone(),
            rotated_to: key.rotated_to.clone(),
            revision: key.revision,
            metadata: key.metadata.clone(),
            rate_limit: key.rate_limit.as_ref().map(Limit::from),
            events: vec![Event::from(event)],
        }
    }

    /// The entry after an update: the fields that may change are those of `key`.
    #[must_use]
    pub fn updated(self, key: &KeyRecord, event: &EventRecord) -> Self {
        Self {
            name: key.name.clone(),
            updated_at: key.updated_at,
            expires_at: key.expires_at,
            rotated_to: key.rotated_to.clone(),
            metadata: key.metadata.clone(),
            rate_limit: key.rate_limit.as_ref().map(Limit::from),
            ..self.counted(event)
        }
    }

    /// The entry with the secret of `key`.
    #[must_use]
    pub fn with_secret_of(self, key: &KeyRecord, event: &EventRecord) -> Self {
        Self {
            prefix: key.prefix.clone(),
            lookup: key.lookup.clone(),
            hash: key.hash.clone(),
            updated_at: key.updated_at,
            ..self.counted(event)
        }
    }

    fn counted(mut self, event: &EventRecord) -> Self {
        self.revision += 1;
        self.events.push(event.into());
        self
    }

    /// Whether an update would change a field of this entry other than the time of the change.
    pub fn differs_from(&self, key: &KeyRecord) -> bool {
        self.name != key.name
            || self.expires_at != key.expires_at
            || self.rotated_to != key.rotated_to
            || self.metadata != key.metadata
            || self.rate_limit != key.rate_limit.as_ref().map(Limit::from)
    }

    /// The revision of the whole record.
    pub fn revision_with(&self, revocation: Option<&Revocation>) -> u32 {
        self.revision + u32::from(revocation.is_some_and(|revocation| !revocation.is_counted))
    }

    /// The whole record.
    pub fn into_record(self, id: &str, revocation: Option<Revocation>, last_used_at: Option<i64>) -> KeyRecord {
        KeyRecord {
            id: id.to_owned(),
            revision: self.revision_with(revocation.as_ref()),
            prefix: self.prefix,
            lookup: self.lookup,
            hash: self.hash,
            user_id: self.user_id,
            project_id: self.project_id,
            name: self.name,
            scopes: self.scopes,
            created_at: self.created_at,
            updated_at: revocation.as_ref().map_or(self.updated_at, |it| it.updated_at.max(self.updated_at)),
            expires_at: self.expires_at,
            last_used_at,
            revoked_at: revocation.as_ref().map(|revocation| revocation.revoked_at),
            revocation_reason: revocation.and_then(|revocation| revocation.revocation_reason),
            rotated_from: self.rotated_from,
            rotated_to: self.rotated_to,
            rate_limit: self.rate_limit.map(Into::into),
            metadata: self.metadata,
        }
    }

    /// The events of the key.
    pub fn events(&self, id: &str, revocation: Option<&Revocation>) -> Vec<EventRecord> {
        let events = self.events.iter().chain(revocation.and_then(|revocation| revocation.event.as_ref()));
        let to_record = |event: &Event| EventRecord {
            id: event.id.clone(),
            time: event.time,
            action: event.action,
            key_id: id.to_owned(),
            user_id: self.user_id.clone(),
            project_id: self.project_id.clone(),
            actor_user_id: event.actor_user_id.clone(),
            actor_key_id: event.actor_key_id.clone(),
            fields: event.fields.clone(),
        };
        events.map(to_record).collect()
    }
}

impl Revocation {
    /// The revocation that `key` holds. `event` is none if the record's entry has it.
    pub fn of(key: &KeyRecord, event: Option<&EventRecord>) -> Option<Self> {
        Some(Self {
            revoked_at: key.revoked_at?,
            revocation_reason: key.revocation_reason.clone(),
            updated_at: key.updated_at,
            event: event.map(Event::from),
            is_counted: event.is_none(),
        })
    }
}

impl RequestEntry {
    /// The entry of a request.
    pub fn new(request: &IdempotentRequest, generation: u32) -> Self {
        let IdempotentRequest { key_id, expires_at, digest, .. } = request.clone();
        Self { key_id, expires_at, digest, generation }
    }

    /// The request, whose user and idempotency key are known from its name.
    pub fn into_request(self, user_id: &str, idempotency_key: &str) -> IdempotentRequest {
        IdempotentRequest {
            user_id: user_id.to_owned(),
            idempotency_key: idempotency_key.to_owned(),
            key_id: self.key_id,
            expires_at: self.expires_at,
            digest: self.digest,
        }
    }
}

impl From<&EventRecord> for Event {
    fn from(event: &EventRecord) -> Self {
        Self {
            id: event.id.clone(),
            time: event.time,
            action: event.action,
            actor_user_id: event.actor_user_id.clone(),
            actor_key_id: event.actor_key_id.clone(),
            fields: event.fields.clone(),
        }
    }
}

impl From<&RateLimit> for Limit {
    fn from(limit: &RateLimit) -> Self {
        Self { requests: limit.requests, window_seconds: limit.window_seconds }
    }
}

impl From<Limit> for RateLimit {
    fn from(limit: Limit) -> Self {
        Self { requests: limit.requests, window_seconds: limit.window_seconds }
    }
}

/// An action as its name in the WIT.
mod action {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::storage::Action;

    const NAMES: [(Action, &str); 5] = [
        (Action::Created, "created"),
        (Action::IssuedAgain, "issued-again"),
        (Action::Updated, "updated"),
        (Action::Rotated, "rotated"),
        (Action::Revoked, "revoked"),
    ];

    pub fn serialize<S: Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
        NAMES.iter().find(|(named, _)| named == action).map(|(_, name)| name).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Action, D::Error> {
        let name = String::deserialize(deserializer)?;
        let named = NAMES.iter().find(|(_, known)| *known == name);
        named.map(|(action, _)| *action).ok_or_else(|| D::Error::custom("unknown action"))
    }
}

/// Reads an entry of JSON.
pub fn read<T: DeserializeOwned>(bucket: &dyn Bucket, name: &str) -> Result<Option<T>, Error> {
    let parse = |value: Vec<u8>| serde_json::from_slice(&value).map_err(|_| incident::broken(bucket, name));
    bucket.get(name)?.map(parse).transpose()
}

/// Reads an entry of plain text.
pub fn read_text(bucket: &dyn Bucket, name: &str) -> Result<Option<String>, Error> {
    let parse = |value| String::from_utf8(value).map_err(|_| incident::broken(bucket, name));
    bucket.get(name)?.map(parse).transpose()
}

/// Writes an entry of JSON.
pub fn write<T: Serialize>(bucket: &dyn Bucket, name: &str, value: &T) -> Result<(), Error> {
    let json = serde_json::to_vec(value).map_err(|_| incident::broken(bucket, name))?;
    bucket.set(name, &json)
}
