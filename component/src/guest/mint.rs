//! New ids, keys and events.

use alloc::borrow::ToOwned;

use super::imports::fill_random;
use super::storage::{Action, EventRecord, KeyRecord};
use crate::access::{ActingKey, Actor};
use crate::event::{self, Field};
use crate::id::{self, ApiKeyId};
use crate::key::{Key, Prefix};
use crate::time::Time;

/// Gives the record a new id and a new secret.
pub fn key(record: &mut KeyRecord, prefix: &Prefix, now: Time) -> Key {
    record.id = ApiKeyId::mint(now, &mut fill_random).to_text();
    secret(record, prefix)
}

/// Gives the record a new secret, and with it a new prefix and lookup.
pub fn secret(record: &mut KeyRecord, prefix: &Prefix) -> Key {
    let key = Key::mint(prefix, &mut fill_random);
    record.prefix = prefix.as_str().to_owned();
    record.lookup = key.lookup().to_owned();
    record.hash = key.hash().as_bytes().to_vec();
    key
}

/// Makes the event of a change of this key.
pub fn event(actor: &Actor, now: Time, action: Action, key: &KeyRecord, fields: &[(Field, bool)]) -> EventRecord {
    EventRecord {
        id: id::mint_event_id(now, &mut fill_random),
        time: now.millis(),
        action,
        key_id: key.id.clone(),
        user_id: key.user_id.clone(),
        project_id: key.project_id.clone(),
        actor_user_id: actor.user_id().to_owned(),
        actor_key_id: actor.acting_key().map(|ActingKey { id, .. }| id.clone()),
        fields: event::changed(fields),
    }
}

/// Makes the event of a new key, with the fields that are set.
pub fn created_event(actor: &Actor, now: Time, key: &KeyRecord) -> EventRecord {
    let fields = [
        (Field::Name, true),
        (Field::ProjectId, key.project_id.is_some()),
        (Field::ExpiresAt, key.expires_at.is_some()),
        (Field::Scopes, !key.scopes.is_empty()),
        (Field::Metadata, key.metadata.is_some()),
        (Field::RateLimit, key.rate_limit.is_some()),
    ];
    event(actor, now, Action::Created, key, &fields)
}
