//! Uses of keys that are not stored yet.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::KeyRecord;

/// The newest uses of keys that a storage has not stored yet, bounded.
///
/// A storage records uses here, stores them in chunks, and adds them to the records that it reads.
/// Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Default)]
pub struct PendingUses {
    /// By the id of the key. The map is ordered, so that rows are written in the order of the file,
    /// and hosts that store uses of the same keys lock them in the same order.
    pending: Mutex<BTreeMap<String, i64>>,
}

impl PendingUses {
    /// The maximum number of keys with a pending use, about 12 MB.
    pub const MAX: usize = 131_072;

    /// Records a use. Returns whether there is room for it.
    #[must_use]
    pub fn record(&self, id: &str, at: i64) -> bool {
        let mut pending = self.pending();
        if let Some(newest) = pending.get_mut(id) {
            *newest = at.max(*newest);
            return true;
        }
        let has_room = pending.len() < Self::MAX;
        if has_room {
            pending.insert(id.to_owned(), at);
        }
        has_room
    }

    /// Returns the newest pending use of a key.
    #[must_use]
    pub fn newest(&self, id: &str) -> Option<i64> {
        self.pending().get(id).copied()
    }

    /// Adds the pending use to a record from the database.
    #[must_use]
    pub fn complete(&self, mut key: KeyRecord) -> KeyRecord {
        key.last_used_at = key.last_used_at.max(self.newest(&key.id));
        key
    }

    /// Copies up to `len` pending uses of keys after this one.
    #[must_use]
    pub fn chunk(&self, after: Option<&str>, len: usize) -> Vec<(String, i64)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let pending = self.pending();
        pending.range::<str, _>((start, Bound::Unbounded)).take(len).map(|(id, at)| (id.clone(), *at)).collect()
    }

    /// Removes stored uses, unless a newer one is pending.
    pub fn remove(&self, stored: &[(String, i64)]) {
        let mut pending = self.pending();
        for (id, at) in stored {
            if pending.get(id) == Some(at) {
                pending.remove(id);
            }
        }
    }

    /// Returns the number of keys with a pending use.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pending().len()
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        // No function leaves the map half-changed, so it is usable after a panic.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_use_is_kept_until_it_is_stored() {
        let uses = PendingUses::default();
        assert!(uses.record("b", 5) && uses.record("b", 3) && uses.record("a", 1) && uses.record("c", 9));
        let first = uses.chunk(None, 2);
        assert_eq!(first, [("a".to_owned(), 1), ("b".to_owned(), 5)]);
        assert_eq!(uses.chunk(Some("b"), 2), [("c".to_owned(), 9)]);
        assert!(uses.record("a", 2));
        uses.remove(&first);
        assert_eq!((uses.newest("a"), uses.newest("b")), (Some(2), None));
    }

    #[test]
    fn the_map_is_bounded() {
        let uses = PendingUses::default();
        for n in 0..PendingUses::MAX {
            assert!(uses.record(&n.to_string(), 1));
        }
        assert_eq!(uses.count(), PendingUses::MAX);
        assert!(!uses.record("one more", 1));
        assert!(uses.record("7", 2));
        assert_eq!(uses.newest("7"), Some(2));
    }
}
