//! Keys, events and requests: the order of reads and writes that the guarantees rest on.
//!
//! - A change of a record claims the next revision first. Only one call can have that claim, so no
//!   change is lost.
//! - A change becomes visible with one write, the last one, which includes the event.
//! - A revocation is an entry of its own and needs no claim. Nothing can delay it, and no other
//!   change can undo it.

use crate::{
    Result,
    bucket::Bucket,
    claim,
    entries::{KeyEntry, RequestEntry, Revocation},
    names, projects,
    storage::{Error, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyRole, StatusFilter},
};

/// `insert-key`.
pub fn insert_key(
    bucket: &dyn Bucket,
    key: &KeyRecord,
    event: &EventRecord,
    request: Option<&IdempotentRequest>,
) -> Result<()> {
    let mut claims = names::claims_of_new(key).to_vec();
    let Some(request) = request else { return claim::with(bucket, &claims, || write_new(bucket, key, event)) };
    let name = names::request(&request.user_id, &request.idempotency_key);
    let generation = next_generation(bucket, &name, key.created_at)?;
    claims.push(format!("claim.{name}.{generation}"));
    claim::with(bucket, &claims, || {
        bucket.write(&name, &RequestEntry { request: request.clone(), generation })?;
        write_new(bucket, key, event)
    })
}

/// `find-key`.
pub fn find_key(bucket: &dyn Bucket, id: &str, viewer: &str) -> Result<KeyRole> {
    let key = find_record(bucket, id)?.ok_or(Error::NotFound)?;
    let role = key.project_id.as_deref().map(|project_id| projects::role(bucket, project_id, viewer));
    Ok(KeyRole { role: role.transpose()?.flatten(), key })
}

/// `find-key-by-lookup`. The entry of a lookup whose secret was replaced leads to a record with
/// another lookup.
pub fn find_key_by_lookup(bucket: &dyn Bucket, lookup: &str) -> Result<KeyRecord> {
    let id = bucket.read_text(&names::lookup(lookup))?.ok_or(Error::NotFound)?;
    find_record(bucket, &id)?.filter(|key| key.lookup == lookup).ok_or(Error::NotFound)
}

/// `find-request`. A request holds once its key is there.
pub fn find_request(bucket: &dyn Bucket, user_id: &str, idempotency_key: &str, now: i64) -> Result<IdempotentRequest> {
    let entry: Option<RequestEntry> = bucket.read(&names::request(user_id, idempotency_key))?;
    let request = entry.map(|entry| entry.request).filter(|request| request.expires_at > now);
    let request = request.ok_or(Error::NotFound)?;
    KeyEntry::find(bucket, &request.key_id)?.map(|_| request).ok_or(Error::NotFound)
}

/// `list-keys`. The draft can only list the names of all entries.
pub fn list_keys(bucket: &dyn Bucket, filter: &KeyFilter) -> Result<Vec<KeyRecord>> {
    ids_of_keys(bucket)?
        .iter()
        .filter(|id| filter.before.as_ref().is_none_or(|before| *id < before))
        .filter_map(|id| find_record(bucket, id).transpose())
        .filter(|found| found.as_ref().map_or(true, |key| passes(key, filter)))
        .take(filter.limit as usize)
        .collect()
}

/// `list-events`. Events are stored with their keys, so every key is read unless the filter names
/// one.
pub fn list_events(bucket: &dyn Bucket, filter: &EventFilter) -> Result<Vec<EventRecord>> {
    let ids = filter.key_id.clone().map_or_else(|| ids_of_keys(bucket), |id| Ok(vec![id]))?;
    let mut events = Vec::new();
    for id in ids {
        let found = KeyEntry::find(bucket, &id)?.into_iter().flat_map(KeyEntry::into_events);
        events.extend(found.filter(|event| happened(event, filter)));
    }
    events.sort_unstable_by(|a, b| b.id.cmp(&a.id));
    events.truncate(filter.limit as usize);
    Ok(events)
}

/// `update-key`.
pub fn update_key(bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<()> {
    let stored = find_stored(bucket, key)?;
    if is_revoked_by(&stored, key) && updated(&stored.key, key) == stored.key {
        return bucket.write(&names::revoked(&key.id), &Revocation::of(key, Some(event)));
    }
    claim::with(bucket, &[next_claim(&stored)], || update(bucket, stored, key, event))
}

/// `rotate-key`. After a crash before the last write, the replacement is not visible.
pub fn rotate_key(
    bucket: &dyn Bucket,
    key: &KeyRecord,
    event: &EventRecord,
    replacement: &KeyRecord,
    replacement_event: &EventRecord,
) -> Result<()> {
    let stored = find_stored(bucket, key)?;
    let [id, lookup] = names::claims_of_new(replacement);
    claim::with(bucket, &[id, lookup, next_claim(&stored)], || {
        write_new(bucket, replacement, replacement_event)?;
        update(bucket, stored, key, event)
    })
}

/// `replace-secret`. A use at the same moment can be that of the earlier secret.
pub fn replace_secret(bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<()> {
    let stored = find_stored(bucket, key)?;
    if bucket.get(&names::used(&key.id))?.is_some() {
        return Err(Error::Conflict);
    }
    let earlier = names::lookup(&stored.key.lookup);
    claim::with(bucket, &[next_claim(&stored), names::claim_of_lookup(&key.lookup)], || {
        bucket.set(&names::lookup(&key.lookup), key.id.as_bytes())?;
        let KeyRecord { prefix, lookup, hash, updated_at, .. } = key.clone();
        let key = KeyRecord { prefix, lookup, hash, updated_at, revision: stored.key.revision + 1, ..stored.key };
        KeyEntry { key, ..stored }.write(bucket, event)
    })?;
    // The earlier lookup leads nowhere already, so it does not matter if this fails.
    let _ = bucket.delete(&earlier);
    Ok(())
}

/// `record-use`. Two uses at the same moment may be stored in either order; they differ by that
/// moment.
pub fn record_use(bucket: &dyn Bucket, id: &str, at: i64) -> Result<()> {
    let name = names::used(id);
    let last_used_at: Option<i64> = bucket.read(&name)?;
    if last_used_at.is_none_or(|last| last < at) { bucket.write(&name, &at) } else { Ok(()) }
}

/// Finds the entry that `key` is a change of, if it still has that revision.
fn find_stored(bucket: &dyn Bucket, key: &KeyRecord) -> Result<KeyEntry> {
    let stored = KeyEntry::find(bucket, &key.id)?;
    stored.filter(|stored| stored.revision() == key.revision).ok_or(Error::Conflict)
}

fn find_record(bucket: &dyn Bucket, id: &str) -> Result<Option<KeyRecord>> {
    let Some(entry) = KeyEntry::find(bucket, id)? else { return Ok(None) };
    Ok(Some(KeyRecord { last_used_at: bucket.read(&names::used(id))?, ..entry.into_record() }))
}

/// The ids of all keys, newest first.
fn ids_of_keys(bucket: &dyn Bucket) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    bucket.for_each_name(&mut |name| ids.extend(names::id_of_key(name)))?;
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    Ok(ids)
}

/// The right to write the next revision.
fn next_claim(stored: &KeyEntry) -> String {
    names::claim_of_revision(&stored.key.id, stored.key.revision + 1)
}

fn is_revoked_by(stored: &KeyEntry, key: &KeyRecord) -> bool {
    stored.revocation.is_none() && key.revoked_at.is_some()
}

/// The stored record with the changes of `key`, but for the time and the revocation.
fn updated(stored: &KeyRecord, key: &KeyRecord) -> KeyRecord {
    let KeyRecord { name, expires_at, rotated_to, rate_limit, metadata, .. } = key.clone();
    KeyRecord { name, expires_at, rotated_to, rate_limit, metadata, ..stored.clone() }
}

/// Writes the changes of `key`, and the revocation if they include one.
fn update(bucket: &dyn Bucket, stored: KeyEntry, key: &KeyRecord, event: &EventRecord) -> Result<()> {
    let is_revoked = is_revoked_by(&stored, key);
    let revision = stored.key.revision + 1;
    let changed = KeyRecord { revision, updated_at: key.updated_at, ..updated(&stored.key, key) };
    KeyEntry { key: changed, ..stored }.write(bucket, event)?;
    if is_revoked { bucket.write(&names::revoked(&key.id), &Revocation::of(key, None)) } else { Ok(()) }
}

/// Writes the lookup first: it leads nowhere until the record is there.
fn write_new(bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<()> {
    bucket.set(&names::lookup(&key.lookup), key.id.as_bytes())?;
    KeyEntry { key: key.clone(), events: Vec::new(), revocation: None }.write(bucket, event)
}

/// The generation of a new request in this entry.
fn next_generation(bucket: &dyn Bucket, name: &str, now: i64) -> Result<u32> {
    let Some(RequestEntry { request, generation }) = bucket.read(name)? else { return Ok(0) };
    if request.expires_at <= now {
        return Ok(generation + 1);
    }
    // Without its key, the request does not hold. If its call has failed, the claim is released.
    if KeyEntry::find(bucket, &request.key_id)?.is_none() { Ok(generation) } else { Err(Error::Conflict) }
}

fn passes(key: &KeyRecord, filter: &KeyFilter) -> bool {
    let is_revoked = key.revoked_at.is_some();
    let is_expired = key.expires_at.is_some_and(|expires_at| expires_at <= filter.now);
    let has_status = match filter.status {
        StatusFilter::All => true,
        StatusFilter::Active => !is_revoked && !is_expired,
        StatusFilter::Expired => !is_revoked && is_expired,
        StatusFilter::Revoked => is_revoked,
    };
    has_status
        && filter.user_id.as_ref().is_none_or(|user_id| key.user_id == *user_id)
        && filter.project_id.as_ref().is_none_or(|project_id| key.project_id.as_ref() == Some(project_id))
}

fn happened(event: &EventRecord, filter: &EventFilter) -> bool {
    filter.user_id.as_ref().is_none_or(|user_id| event.user_id == *user_id)
        && filter.project_id.as_ref().is_none_or(|project_id| event.project_id.as_ref() == Some(project_id))
        && filter.since.as_ref().is_none_or(|since| event.id >= *since)
        && filter.before.as_ref().is_none_or(|before| event.id < *before)
}
