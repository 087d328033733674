//! Keys, events and requests: the order of reads and writes that the guarantees rest on.
//!
//! - A change of a record claims the next revision first. Only one call can have that claim, so no
//!   change is lost.
//! - A change becomes visible with one write, the last one, which includes the event.
//! - A revocation is an entry of its own and needs no claim. Nothing can delay it, and no other
//!   change can undo it.

use crate::{
    bucket::Bucket,
    claim::Claim,
    entries::{self, KeyEntry, RequestEntry, Revocation},
    names, projects,
    storage::{Error, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyRole, StatusFilter},
};

/// `insert-key`.
pub fn insert_key(
    bucket: &dyn Bucket,
    key: &KeyRecord,
    event: &EventRecord,
    request: Option<&IdempotentRequest>,
) -> Result<(), Error> {
    let claims = claim_new(bucket, key)?;
    let claim_of_request = request.map(|request| write_request(bucket, request, key.created_at)).transpose()?;
    write_new(bucket, key, event)?;
    claims.into_iter().chain(claim_of_request).for_each(Claim::keep);
    Ok(())
}

/// `find-key`.
pub fn find_key(bucket: &dyn Bucket, id: &str, viewer: &str) -> Result<KeyRole, Error> {
    let key = find_record(bucket, id)?;
    let role = key.project_id.as_deref().map(|project_id| projects::role(bucket, project_id, viewer));
    Ok(KeyRole { role: role.transpose()?.flatten(), key })
}

/// `find-key-by-lookup`. The entry of a lookup whose secret was replaced leads to a record with
/// another lookup.
pub fn find_key_by_lookup(bucket: &dyn Bucket, lookup: &str) -> Result<KeyRecord, Error> {
    let id = entries::read_text(bucket, &names::lookup(lookup))?.ok_or(Error::NotFound)?;
    let key = find_record(bucket, &id)?;
    if key.lookup == lookup { Ok(key) } else { Err(Error::NotFound) }
}

/// `find-request`. A request holds once its key is there.
pub fn find_request(
    bucket: &dyn Bucket,
    user_id: &str,
    idempotency_key: &str,
    now: i64,
) -> Result<IdempotentRequest, Error> {
    let entry: Option<RequestEntry> = entries::read(bucket, &names::request(user_id, idempotency_key))?;
    let entry = entry.filter(|entry| entry.expires_at > now).ok_or(Error::NotFound)?;
    find_entry(bucket, &entry.key_id)?;
    Ok(entry.into_request(user_id, idempotency_key))
}

/// `list-keys`. The draft can only list the names of all entries.
pub fn list_keys(bucket: &dyn Bucket, filter: &KeyFilter) -> Result<Vec<KeyRecord>, Error> {
    let is_before = |id: &str| filter.before.as_deref().is_none_or(|before| id < before);
    ids_of_keys(bucket)?
        .iter()
        .filter(|id| is_before(id))
        .map(|id| find_record(bucket, id))
        .filter(|found| match found {
            Ok(key) => passes(key, filter),
            Err(Error::NotFound) => false,
            Err(_) => true,
        })
        .take(filter.limit as usize)
        .collect()
}

/// `list-events`. Events are stored with their keys, so every key is read unless the filter names
/// one.
pub fn list_events(bucket: &dyn Bucket, filter: &EventFilter) -> Result<Vec<EventRecord>, Error> {
    let ids = match &filter.key_id {
        Some(id) => vec![id.clone()],
        None => ids_of_keys(bucket)?,
    };
    let mut events = Vec::new();
    for id in ids {
        match find_entry(bucket, &id) {
            Err(Error::NotFound) => {}
            found => {
                let revocation: Option<Revocation> = entries::read(bucket, &names::revoked(&id))?;
                events.extend(found?.events(&id, revocation.as_ref()).into_iter().filter(|it| happened(it, filter)));
            }
        }
    }
    events.sort_unstable_by(|a, b| b.id.cmp(&a.id));
    events.truncate(filter.limit as usize);
    Ok(events)
}

/// `update-key`.
pub fn update_key(bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<(), Error> {
    let stored = find_stored(bucket, key)?;
    if stored.is_revoked_by(key) && !stored.entry.differs_from(key) {
        return write_revocation(bucket, key, Some(event));
    }
    change(bucket, stored, key, event)
}

/// `rotate-key`. After a crash before the last write, the replacement is not visible.
pub fn rotate_key(
    bucket: &dyn Bucket,
    key: &KeyRecord,
    event: &EventRecord,
    replacement: &KeyRecord,
    replacement_event: &EventRecord,
) -> Result<(), Error> {
    let stored = find_stored(bucket, key)?;
    let claims = claim_new(bucket, replacement)?;
    let claim = stored.claim_next(bucket, &key.id)?;
    write_new(bucket, replacement, replacement_event)?;
    stored.write(bucket, key, event)?;
    claims.into_iter().chain([claim]).for_each(Claim::keep);
    Ok(())
}

/// `replace-secret`. A use at the same moment can be that of the earlier secret.
pub fn replace_secret(bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<(), Error> {
    let stored = find_stored(bucket, key)?;
    if bucket.get(&names::used(&key.id))?.is_some() {
        return Err(Error::Conflict);
    }
    let claims = [stored.claim_next(bucket, &key.id)?, Claim::take(bucket, names::claim_of_lookup(&key.lookup))?];
    bucket.set(&names::lookup(&key.lookup), key.id.as_bytes())?;
    let earlier = names::lookup(&stored.entry.lookup);
    entries::write(bucket, &names::key(&key.id), &stored.entry.with_secret_of(key, event))?;
    claims.into_iter().for_each(Claim::keep);
    // The earlier lookup leads nowhere already, so it does not matter if this fails.
    let _ = bucket.delete(&earlier);
    Ok(())
}

/// `record-use`. Two uses at the same moment may be stored in either order; they differ by that
/// moment.
pub fn record_use(bucket: &dyn Bucket, id: &str, at: i64) -> Result<(), Error> {
    let name = names::used(id);
    let last_used_at: Option<i64> = entries::read(bucket, &name)?;
    if last_used_at.is_none_or(|last| last < at) {
        entries::write(bucket, &name, &at)?;
    }
    Ok(())
}

/// A stored record that is about to change.
struct Stored {
    entry: KeyEntry,
    is_revoked: bool,
}

impl Stored {
    /// The right to write the next revision.
    fn claim_next<'a>(&self, bucket: &'a dyn Bucket, id: &str) -> Result<Claim<'a>, Error> {
        Claim::take(bucket, names::claim_of_revision(id, self.entry.revision + 1))
    }

    fn is_revoked_by(&self, key: &KeyRecord) -> bool {
        !self.is_revoked && key.revoked_at.is_some()
    }

    /// Writes the changes, and the revocation if they include one.
    fn write(self, bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<(), Error> {
        let is_revoked = self.is_revoked_by(key);
        entries::write(bucket, &names::key(&key.id), &self.entry.updated(key, event))?;
        if is_revoked { write_revocation(bucket, key, None) } else { Ok(()) }
    }
}

fn change(bucket: &dyn Bucket, stored: Stored, key: &KeyRecord, event: &EventRecord) -> Result<(), Error> {
    let claim = stored.claim_next(bucket, &key.id)?;
    stored.write(bucket, key, event)?;
    claim.keep();
    Ok(())
}

fn write_revocation(bucket: &dyn Bucket, key: &KeyRecord, event: Option<&EventRecord>) -> Result<(), Error> {
    entries::write(bucket, &names::revoked(&key.id), &Revocation::of(key, event))
}

/// Finds the stored record that `key` is a change of, if it still has that revision.
fn find_stored(bucket: &dyn Bucket, key: &KeyRecord) -> Result<Stored, Error> {
    let entry = match find_entry(bucket, &key.id) {
        Err(Error::NotFound) => return Err(Error::Conflict),
        found => found?,
    };
    let revocation: Option<Revocation> = entries::read(bucket, &names::revoked(&key.id))?;
    if entry.revision_with(revocation.as_ref()) != key.revision {
        return Err(Error::Conflict);
    }
    Ok(Stored { entry, is_revoked: revocation.is_some() })
}

/// Finds the entry of a key. A replacement is visible once the key that it replaced names it.
fn find_entry(bucket: &dyn Bucket, id: &str) -> Result<KeyEntry, Error> {
    let read = |id: &str| entries::read::<KeyEntry>(bucket, &names::key(id));
    let entry = read(id)?.ok_or(Error::NotFound)?;
    if let Some(old) = &entry.rotated_from
        && read(old)?.is_none_or(|old| old.rotated_to.as_deref() != Some(id))
    {
        return Err(Error::NotFound);
    }
    Ok(entry)
}

fn find_record(bucket: &dyn Bucket, id: &str) -> Result<KeyRecord, Error> {
    let entry = find_entry(bucket, id)?;
    let revocation = entries::read(bucket, &names::revoked(id))?;
    let last_used_at = entries::read(bucket, &names::used(id))?;
    Ok(entry.into_record(id, revocation, last_used_at))
}

/// The ids of all keys, newest first.
fn ids_of_keys(bucket: &dyn Bucket) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    bucket.for_each_name(&mut |name| ids.extend(names::id_of_key(name).map(str::to_owned)))?;
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    Ok(ids)
}

/// The rights to the id and to the lookup of a new key.
fn claim_new<'a>(bucket: &'a dyn Bucket, key: &KeyRecord) -> Result<[Claim<'a>; 2], Error> {
    Ok([
        Claim::take(bucket, names::claim_of_revision(&key.id, key.revision))?,
        Claim::take(bucket, names::claim_of_lookup(&key.lookup))?,
    ])
}

/// Writes the lookup first: it leads nowhere until the record is there.
fn write_new(bucket: &dyn Bucket, key: &KeyRecord, event: &EventRecord) -> Result<(), Error> {
    bucket.set(&names::lookup(&key.lookup), key.id.as_bytes())?;
    entries::write(bucket, &names::key(&key.id), &KeyEntry::new(key, event))
}

/// Writes a request, which holds once its key is there, and returns the right to it.
fn write_request<'a>(bucket: &'a dyn Bucket, request: &IdempotentRequest, now: i64) -> Result<Claim<'a>, Error> {
    let name = names::request(&request.user_id, &request.idempotency_key);
    let generation = match entries::read::<RequestEntry>(bucket, &name)? {
        None => 0,
        Some(earlier) if earlier.expires_at <= now => earlier.generation + 1,
        // Its key was not stored. If that call has failed, it has released its claim.
        Some(earlier) if find_entry(bucket, &earlier.key_id) == Err(Error::NotFound) => earlier.generation,
        Some(_) => return Err(Error::Conflict),
    };
    let claim = Claim::take(bucket, names::claim_of_request(&name, generation))?;
    entries::write(bucket, &name, &RequestEntry::new(request, generation))?;
    Ok(claim)
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
