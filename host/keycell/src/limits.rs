//! The state of rate limits: one integer for each limited key.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The maximum number of keys whose state is kept, about 100 bytes each.
const MAX_ENTRIES: usize = 200_000;

/// The state of rate limits, in memory.
///
/// The component computes the limits. An integer is a time in microseconds since 1970; at that
/// time the entry is equal to a missing one and is dropped when room is needed.
#[derive(Default)]
pub struct Limits {
    entries: Mutex<HashMap<String, i64>>,
}

impl Limits {
    /// The integer of a key; 0 if there is none.
    pub fn load(&self, key_id: &str) -> i64 {
        self.entries().get(key_id).copied().unwrap_or(0)
    }

    /// Stores `new` if the integer is still `expected`, and returns whether it did. `now` is the
    /// time in microseconds since 1970, at which expired entries are dropped.
    pub fn compare_and_store(&self, key_id: &str, expected: i64, new: i64, now: i64) -> bool {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(key_id) {
            let is_expected = *entry == expected;
            if is_expected {
                *entry = new;
            }
            return is_expected;
        }
        if expected != 0 {
            return false;
        }
        if entries.len() >= MAX_ENTRIES {
            make_room(&mut entries, now);
        }
        entries.insert(key_id.to_owned(), new);
        true
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the expired entries and, if more than half of the places are still taken, the half that
/// expires first.
fn make_room(entries: &mut HashMap<String, i64>, now: i64) {
    entries.retain(|_, time| *time > now);
    if entries.len() > MAX_ENTRIES / 2 {
        let mut times: Vec<_> = entries.values().copied().collect();
        let (_, median, _) = times.select_nth_unstable(MAX_ENTRIES / 2);
        let median = *median;
        entries.retain(|_, time| *time > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_stored_only_over_the_expected_one() {
        let limits = Limits::default();
        assert_eq!(limits.load("a"), 0);
        assert!(!limits.compare_and_store("a", 5, 6, 0));
        assert!(limits.compare_and_store("a", 0, 6, 0));
        assert!(!limits.compare_and_store("a", 0, 7, 0));
        assert!(limits.compare_and_store("a", 6, 7, 0));
        assert_eq!((limits.load("a"), limits.load("b")), (7, 0));
    }

    #[test]
    fn expired_entries_are_dropped_first_and_memory_is_bounded() {
        let limits = Limits::default();
        assert!(limits.compare_and_store("live", 0, 1_000, 0));
        for n in 0..MAX_ENTRIES {
            assert!(limits.compare_and_store(&n.to_string(), 0, 1, 0));
        }
        assert!(limits.compare_and_store("one more", 0, 1_000, 1));
        assert_eq!((limits.load("live"), limits.load("0")), (1_000, 0));

        for n in 0..2 * MAX_ENTRIES as i64 {
            assert!(limits.compare_and_store(&n.to_string(), 0, 2_000 + n, 1));
            assert!(limits.entries().len() <= MAX_ENTRIES);
        }
        assert_ne!(limits.load(&(2 * MAX_ENTRIES - 1).to_string()), 0);
    }
}
