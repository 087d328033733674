//! The records that are kept, by lookup and by id, with a limit of their memory.

use std::{
    collections::{HashMap, hash_map::RandomState},
    sync::Arc,
    time::Duration,
};

use keycell::KeyRecord;
use quick_cache::{Lifecycle, Weighter, unsync::Cache};

/// A record and the time at which its read began.
#[derive(Debug)]
pub struct Entry {
    pub record: Arc<KeyRecord>,
    pub read_at: Duration,
}

/// Records by lookup. Each id has one entry at most.
pub struct Entries {
    records: Cache<String, Entry, Bytes, RandomState, EvictedIds>,
    lookups: HashMap<String, String>,
}

impl Entries {
    /// No entries, of which at most about `max_bytes` will be kept.
    pub fn new(max_bytes: u64) -> Self {
        let usual_len = usize::try_from(max_bytes / 1_024).unwrap_or(usize::MAX);
        Self {
            records: Cache::with(usual_len, max_bytes, Bytes, RandomState::new(), EvictedIds),
            lookups: HashMap::new(),
        }
    }

    pub fn get(&self, lookup: &str) -> Option<&Entry> {
        self.records.get(lookup)
    }

    /// The record that is kept with this id.
    fn with_id(&self, id: &str) -> Option<&KeyRecord> {
        let entry = self.records.peek(self.lookups.get(id)?)?;
        Some(&entry.record)
    }

    /// Keeps a record in place of others with its id or its lookup, unless there is a newer one.
    pub fn insert(&mut self, mut record: KeyRecord, read_at: Duration) {
        if let Some(kept) = self.with_id(&record.id) {
            if kept.revision > record.revision {
                return;
            }
            record.last_used_at = record.last_used_at.max(kept.last_used_at);
        }
        self.remove(&record.id);
        let (id, lookup) = (record.id.clone(), record.lookup.clone());
        let mut evicted = Vec::new();
        self.lookups.insert(id, lookup.clone());
        self.records.insert_with_lifecycle(lookup, Entry { record: Arc::new(record), read_at }, &mut evicted);
        for id in evicted {
            self.lookups.remove(&id);
        }
    }

    /// Removes the record with this id.
    pub fn remove(&mut self, id: &str) {
        if let Some(lookup) = self.lookups.remove(id) {
            self.records.remove(&lookup);
        }
    }

    /// Removes the record with this id, if its revision is older.
    pub fn remove_older(&mut self, id: &str, revision: u32) {
        if self.with_id(id).is_some_and(|kept| kept.revision < revision) {
            self.remove(id);
        }
    }

    /// Moves the last use of the key with this id forward.
    pub fn record_use(&mut self, id: &str, at: i64) {
        let Some(lookup) = self.lookups.get(id) else { return };
        if let Some(mut entry) = self.records.peek_mut(lookup) {
            let record = Arc::make_mut(&mut entry.record);
            record.last_used_at = record.last_used_at.max(Some(at));
        }
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.lookups.clear();
    }
}

/// The memory of an entry with its places in both maps, about.
#[derive(Clone, Copy)]
struct Bytes;

impl Weighter<String, Entry> for Bytes {
    fn weight(&self, _lookup: &String, Entry { record, .. }: &Entry) -> u64 {
        /// The tables, and the id and the lookups that they hold.
        const PLACES: usize = 320;
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = [&record.id, &record.prefix, &record.lookup, &record.user_id, &record.name];
        let len = size_of::<KeyRecord>()
            + PLACES
            + texts.map(String::len).iter().sum::<usize>()
            + record.hash.len()
            + record.scopes.iter().map(|scope| scope.len() + size_of::<String>()).sum::<usize>()
            + optional(&record.project_id)
            + optional(&record.metadata)
            + optional(&record.revocation_reason)
            + optional(&record.rotated_from)
            + optional(&record.rotated_to);
        u64::try_from(len).unwrap_or(u64::MAX)
    }
}

/// Reports the ids of evicted records.
#[derive(Clone, Copy)]
struct EvictedIds;

impl Lifecycle<String, Entry> for EvictedIds {
    type RequestState = Vec<String>;

    fn on_evict(&self, evicted: &mut Vec<String>, _lookup: String, entry: Entry) {
        evicted.push(entry.record.id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, lookup: &str, revision: u32) -> KeyRecord {
        let mut record = KeyRecord::default();
        (record.id, record.lookup, record.revision) = (id.to_owned(), lookup.to_owned(), revision);
        record
    }

    fn insert(entries: &mut Entries, record: KeyRecord) {
        entries.insert(record, Duration::ZERO);
    }

    fn revision(entries: &Entries, lookup: &str) -> Option<u32> {
        entries.get(lookup).map(|entry| entry.record.revision)
    }

    #[test]
    fn each_id_has_one_entry() {
        let mut entries = Entries::new(1 << 20);
        insert(&mut entries, record("id", "old", 0));
        insert(&mut entries, record("id", "new", 1));
        assert_eq!((revision(&entries, "old"), revision(&entries, "new")), (None, Some(1)));
        insert(&mut entries, record("id", "old", 0));
        assert_eq!((revision(&entries, "old"), revision(&entries, "new")), (None, Some(1)));
        entries.remove("id");
        assert!(entries.get("new").is_none() && entries.lookups.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_both_maps_have_the_same_entries() {
        let max = 64 << 10;
        let mut entries = Entries::new(max);
        for n in 0..10_000 {
            let mut record = record(&format!("id {n}"), &format!("lookup {n}"), 0);
            record.metadata = Some("x".repeat(n % 4_096));
            insert(&mut entries, record);
            if n % 7 == 0 {
                entries.remove(&format!("id {}", n / 2));
            }
            assert!(entries.records.weight() <= max);
            assert_eq!(entries.records.len(), entries.lookups.len());
        }
        assert!(entries.records.iter().all(|(lookup, entry)| entries.lookups.get(&entry.record.id) == Some(lookup)));
        assert!(entries.records.len() > 10);
    }

    #[test]
    fn a_record_that_is_too_large_is_not_kept() {
        let mut entries = Entries::new(4 << 10);
        let mut large = record("id", "lookup", 1);
        large.metadata = Some("x".repeat(8 << 10));
        insert(&mut entries, record("id", "lookup", 0));
        insert(&mut entries, large);
        assert!(entries.get("lookup").is_none() && entries.lookups.is_empty());
    }

    #[test]
    fn a_use_moves_only_forward() {
        let mut entries = Entries::new(1 << 20);
        insert(&mut entries, record("id", "lookup", 0));
        for (at, expected) in [(5, 5), (9, 9), (7, 9)] {
            entries.record_use("id", at);
            assert_eq!(entries.get("lookup").unwrap().record.last_used_at, Some(expected));
        }
        // A read that began before the use.
        insert(&mut entries, record("id", "lookup", 0));
        assert_eq!(entries.get("lookup").unwrap().record.last_used_at, Some(9));
        entries.record_use("other", 1);
    }
}
