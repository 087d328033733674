//! The uses of keys that are not stored yet.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use keycell::KeyRecord;

/// The maximum number of keys with a use that is not stored: some 12 MB.
const MAX_PENDING: usize = 131_072;

/// The newest use of each key in milliseconds since 1970, by the id of the key. In order, so that
/// hosts that store uses of the same keys lock them in the same order.
#[derive(Default)]
pub struct Uses {
    pending: Mutex<BTreeMap<String, i64>>,
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

    /// The newest use of a key that is not stored yet.
    pub fn newest(&self, id: &str) -> Option<i64> {
        self.pending().get(id).copied()
    }

    /// Adds what is not stored yet to a record that was read.
    pub fn complete(&self, mut key: KeyRecord) -> KeyRecord {
        key.last_used_at = key.last_used_at.max(self.newest(&key.id));
        key
    }

    /// Copies the uses in chunks.
    pub fn chunks(&self, len: usize) -> Vec<Vec<(String, i64)>> {
        let all: Vec<_> = self.pending().iter().map(|(id, at)| (id.clone(), *at)).collect();
        all.chunks(len).map(<[_]>::to_vec).collect()
    }

    /// Removes uses that are stored, unless there is a newer one.
    pub fn remove(&self, stored: &[(String, i64)]) {
        let mut pending = self.pending();
        for (id, at) in stored {
            if pending.get(id) == Some(at) {
                pending.remove(id);
            }
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
        let chunks = uses.chunks(2);
        assert_eq!(chunks[0], [("a".to_owned(), 1), ("b".to_owned(), 5)]);
        assert_eq!(chunks[1], [("c".to_owned(), 9)]);
        uses.record("a", 2);
        uses.remove(&chunks[0]);
        assert_eq!((uses.newest("a"), uses.newest("b")), (Some(2), None));
    }

    #[test]
    fn the_map_is_bounded() {
        let uses = Uses::default();
        for n in 0..MAX_PENDING {
            assert!(uses.record(&n.to_string(), 1));
        }
        assert!(!uses.record("one more", 1));
        assert!(uses.record("7", 2));
        assert_eq!(uses.newest("7"), Some(2));
    }
}
