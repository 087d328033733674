//! Keys, and the order of reads and writes by which no change is lost and nothing half-done is seen.
//!
//! - An entry of a record is written by whoever holds the claim of its revision, and by nobody else.
//! - The last entry that is written makes the whole change visible.
//! - A revocation is an entry of its own that needs no claim: it can't be held up, and no other
//!   change can undo it.

use crate::{
    bucket::Bucket,
    claim::Claim,
    entries::{self, KeyEntry, Revocation},
    names,
    storage::{Error, KeyFilter, KeyRecord},
};

/// `insert-key`.
pub fn insert_key(bucket: &dyn Bucket, key: &KeyRecord) -> Result<(), Error> {
    let claims = claim_new(bucket, key)?;
    write_new(bucket, key)?;
    claims.into_iter().for_each(Claim::keep);
    Ok(())
}

/// `find-key`.
pub fn find_key(bucket: &dyn Bucket, id: &str) -> Result<KeyRecord, Error> {
    let entry = find_entry(bucket, id)?;
    let revocation = entries::read(bucket, &names::revoked(id))?;
    let last_used_at = entries::read(bucket, &names::used(id))?;
    Ok(entry.into_record(id, revocation, last_used_at))
}

/// `find-key-by-lookup`.
pub fn find_key_by_lookup(bucket: &dyn Bucket, lookup: &str) -> Result<KeyRecord, Error> {
    let id = entries::read_text(bucket, &names::lookup(lookup))?.ok_or(Error::NotFound)?;
    find_key(bucket, &id)
}

/// `list-keys`. The draft lists names alone, and all of them.
pub fn list_keys(bucket: &dyn Bucket, filter: &KeyFilter) -> Result<Vec<KeyRecord>, Error> {
    let mut ids = Vec::new();
    bucket.for_each_name(&mut |name| {
        if let Some(id) = names::id_of_key(name)
            && filter.before.as_deref().is_none_or(|before| id < before)
        {
            ids.push(id.to_owned());
        }
    })?;
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.iter()
        .map(|id| find_key(bucket, id))
        .filter(|found| match found {
            Ok(key) => passes(key, filter),
            Err(Error::NotFound) => false,
            Err(_) => true,
        })
        .take(filter.limit as usize)
        .collect()
}

/// `update-key`.
pub fn update_key(bucket: &dyn Bucket, key: &KeyRecord) -> Result<(), Error> {
    let stored = find_stored(bucket, key)?;
    let is_revocation = key.revoked_at.filter(|_| !stored.is_revoked);
    if is_revocation.is_none() || stored.entry.differs_from(key) {
        let claim = stored.claim_next(bucket, &key.id)?;
        entries::write(bucket, &names::key(&key.id), &stored.entry.changed_to(key))?;
        claim.keep();
    }
    if let Some(revoked_at) = is_revocation {
        let revocation =
            Revocation { revoked_at, revocation_reason: key.revocation_reason.clone(), updated_at: key.updated_at };
        entries::write(bucket, &names::revoked(&key.id), &revocation)?;
    }
    Ok(())
}

/// `rotate-key`. A crash before the last write leaves a replacement that nobody sees.
pub fn rotate_key(bucket: &dyn Bucket, key: &KeyRecord, replacement: &KeyRecord) -> Result<(), Error> {
    let stored = find_stored(bucket, key)?;
    let claim = stored.claim_next(bucket, &key.id)?;
    let claims_of_new = claim_new(bucket, replacement)?;
    write_new(bucket, replacement)?;
    entries::write(bucket, &names::key(&key.id), &stored.entry.changed_to(key))?;
    claim.keep();
    claims_of_new.into_iter().for_each(Claim::keep);
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

/// A record as it is stored, in so far as a change of it must know.
struct Stored {
    entry: KeyEntry,
    is_revoked: bool,
}

impl Stored {
    /// The right to write the revision after this one.
    fn claim_next<'a>(&self, bucket: &'a dyn Bucket, id: &str) -> Result<Claim<'a>, Error> {
        Claim::take(bucket, names::claim_of_revision(id, self.entry.revision + 1))
    }
}

/// The stored record that `key` is a change of, if it still is of that revision.
fn find_stored(bucket: &dyn Bucket, key: &KeyRecord) -> Result<Stored, Error> {
    let entry = match find_entry(bucket, &key.id) {
        Err(Error::NotFound) => return Err(Error::Conflict),
        found => found?,
    };
    let is_revoked = entries::read::<Revocation>(bucket, &names::revoked(&key.id))?.is_some();
    if entry.revision + u32::from(is_revoked) != key.revision {
        return Err(Error::Conflict);
    }
    Ok(Stored { entry, is_revoked })
}

/// The entry of a key that is there. A replacement is there once the key that it replaced says so.
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

/// The rights to the id and to the lookup of a new key.
fn claim_new<'a>(bucket: &'a dyn Bucket, key: &KeyRecord) -> Result<[Claim<'a>; 2], Error> {
    Ok([
        Claim::take(bucket, names::claim_of_revision(&key.id, key.revision))?,
        Claim::take(bucket, names::claim_of_lookup(&key.lookup))?,
    ])
}

/// Writes the lookup first: it leads nowhere until the record is there.
fn write_new(bucket: &dyn Bucket, key: &KeyRecord) -> Result<(), Error> {
    bucket.set(&names::lookup(&key.lookup), key.id.as_bytes())?;
    entries::write(bucket, &names::key(&key.id), &KeyEntry::from(key))
}

fn passes(key: &KeyRecord, filter: &KeyFilter) -> bool {
    key.user_id == filter.user_id
        && filter.project_id.as_ref().is_none_or(|project_id| key.project_id.as_ref() == Some(project_id))
        && filter.revoked.is_none_or(|revoked| key.revoked_at.is_some() == revoked)
        && filter.expires_after.is_none_or(|time| key.expires_at.is_none_or(|expires_at| expires_at > time))
        && filter.expires_until.is_none_or(|time| key.expires_at.is_some_and(|expires_at| expires_at <= time))
}
