//! Uses of keys that are not stored yet.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use keycell::KeyRecord;

/// The maximum number of keys with a pending use, about 12 MB.
const MAX_PENDING: usize = 131_072;

/// The newest use of each key in milliseconds since 1970, by the id of the key. The map is ordered so
/// that rows are written in the order of the file.
#[derive(Default)]
pub struct Uses {
    pending: Mutex<BTreeMap<String, i64>>,
}

/// The urgency of storing the pending uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// At the next interval.
    Low,
    /// Now.
    High,
    /// Now, without pauses.
    Full,
}

impl Uses {
    /// Records a use. Returns whether there is room for it.
    pub fn record(&self, id: &str, at: i64) -> bool {
        let mut pending = self.pending();
        if let Some(newest) = pending.get_mut(id) {
            *newest = at.max(*newest);
            return true;
        }
        let has_room = pending.len() < MAX_PENDING;
        if has_room {
            pending.insert(id.to_owned(), at);
        }
        has_room
    }

    /// Returns the newest pending use of a key.
    pub fn newest(&self, id: &str) -> Option<i64> {
        self.pending().get(id).copied()
    }

    /// Adds the pending use to a record from the database.
    pub fn complete(&self, mut key: KeyRecord) -> KeyRecord {
        key.last_used_at = key.last_used_at.max(self.newest(&key.id));
        key
    }

    /// Copies up to `len` pending uses of keys after this one.
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

    pub fn pressure(&self) -> Pressure {
        match self.pending().len() {
            len if len >= MAX_PENDING / 2 => Pressure::Full,
            len if len >= MAX_PENDING / 8 => Pressure::High,
            _ => Pressure::Low,
        }
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
        let uses = Uses::default();
        assert!(uses.record("b", 5) && uses.record("b", 3) && uses.record("a", 1) && uses.record("c", 9));
        let first = uses.chunk(None, 2);
        assert_eq!(first, [("a".to_owned(), 1), ("b".to_owned(), 5)]);
        assert_eq!(uses.chunk(Some("b"), 2), [("c".to_owned(), 9)]);
        uses.record("a", 2);
        uses.remove(&first);
        assert_eq!((uses.newest("a"), uses.newest("b")), (Some(2), None));
    }

    #[test]
    fn the_map_is_bounded() {
        let uses = Uses::default();
        assert_eq!(uses.pressure(), Pressure::Low);
        for n in 0..MAX_PENDING {
            assert!(uses.record(&n.to_string(), 1));
        }
        assert_eq!(uses.pressure(), Pressure::Full);
        assert!(!uses.record("one more", 1));
        assert!(uses.record("7", 2));
        assert_eq!(uses.newest("7"), Some(2));
    }
}
