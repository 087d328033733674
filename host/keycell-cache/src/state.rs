//! The state of a cache, as a state machine: what it may answer, keep and must forget.
//!
//! Each function takes the time of the [lease clock](crate::clock) as an argument.

use std::{collections::hash_map::RandomState, sync::Arc, time::Duration};

use keycell::{Changes, KeyRecord};
use quick_cache::{UnitWeighter, unsync::Cache};

use crate::{
    changes::RecentChanges,
    entries::{Entries, Entry},
};

/// The memory of all records.
const MAX_BYTES: u64 = 128 << 20;
/// The time for which a record is kept at most. It limits the effect of what no feed reports, such as
/// a row that an administrator deletes.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The maximum number of lookups that are known to be unknown.
const MAX_UNKNOWN: usize = 4_096;
/// The time for which a lookup is known to be unknown. Another host may create its key meanwhile.
const UNKNOWN_AGE: Duration = Duration::from_secs(1);

/// The records that are kept, and the lease under which they may be used.
///
/// A record may be used at a time before the end of the lease, because then each change that was
/// acknowledged before the latest read of the feed began has been [applied](Self::apply).
pub struct State {
    lease_end: Duration,
    entries: Entries,
    /// The ends of the times for which lookups are known to be unknown.
    unknown: Cache<String, Duration, UnitWeighter, RandomState>,
    changes: RecentChanges,
}

/// A read of the storage that began at this time and after this number of changes.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    began: Duration,
    changes: u64,
}

impl State {
    /// Without records and without a lease.
    pub fn new() -> Self {
        Self {
            lease_end: Duration::ZERO,
            entries: Entries::new(MAX_BYTES),
            unknown: Cache::with(MAX_UNKNOWN, MAX_UNKNOWN as u64, UnitWeighter, RandomState::new(), Default::default()),
            changes: RecentChanges::default(),
        }
    }

    /// Finds what is known of a lookup: a record, or that there is none. Otherwise the caller reads
    /// the storage, and may [keep](Self::keep) the result.
    pub fn find(&self, lookup: &str, now: Duration) -> Result<Option<Arc<KeyRecord>>, Read> {
        let has_lease = now < self.lease_end;
        match self.entries.get(lookup) {
            Some(Entry { record, read_at }) if has_lease && now < *read_at + MAX_AGE => Ok(Some(Arc::clone(record))),
            None if has_lease && self.unknown.get(lookup).is_some_and(|end| now < *end) => Ok(None),
            _ => Err(Read { began: now, changes: self.changes.count() }),
        }
    }

    /// Keeps the result of a read, unless the key may have changed since the read began.
    pub fn keep(&mut self, read: Read, lookup: &str, found: Option<&KeyRecord>) {
        let has_changed = |name| self.changes.has_changed(name, read.changes);
        match found {
            _ if has_changed(lookup) => {}
            Some(record) if has_changed(&record.id) => {}
            Some(record) => self.entries.insert(record.clone(), read.began),
            None => self.unknown.insert(lookup.to_owned(), read.began + UNKNOWN_AGE),
        }
    }

    /// Applies what a read of the feed returned, and extends the lease.
    pub fn apply(&mut self, changes: Changes, lease_end: Duration) {
        match changes {
            Changes::Keys(ids) => ids.iter().for_each(|id| self.forget(id)),
            _ => {
                self.changes.record_any();
                self.entries.clear();
                self.unknown.clear();
            }
        }
        self.lease_end = lease_end;
    }

    /// Forgets the key with this id or lookup, which has changed or may have.
    pub fn forget(&mut self, name: &str) {
        self.changes.record(name);
        self.entries.remove(name);
        self.unknown.remove(name);
    }

    /// Forgets records that are older than this one, which a read by id has returned: after a call
    /// that has seen a change, such as the revocation of a key that is revoked already, the host does
    /// not go back.
    pub fn observe(&mut self, record: &KeyRecord) {
        // A read that is under way may return an older record.
        self.changes.record(&record.id);
        self.entries.remove_older(&record.id, record.revision);
    }

    /// Moves the last use of the key with this id forward.
    pub fn record_use(&mut self, id: &str, at: i64) {
        self.entries.record_use(id, at);
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
