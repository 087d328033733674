//! The latest changes, which a read of the storage may have missed.

use std::collections::HashMap;

/// The maximum number of ids and lookups that are kept.
const MAX: usize = 8_192;

/// The keys that have changed lately, numbered in the order in which the cache learned of them.
///
/// A read that began before the cache learned of a change of its key may have an older record.
#[derive(Debug, Default)]
pub struct RecentChanges {
    count: u64,
    /// The number of the latest change that is not kept.
    forgotten: u64,
    /// The number of the latest change of an id or a lookup.
    by_name: HashMap<String, u64>,
}

impl RecentChanges {
    /// The number of changes so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Records a change of the key with this id or this lookup.
    pub fn record(&mut self, name: &str) {
        if self.by_name.len() >= MAX {
            self.record_any();
        }
        self.count += 1;
        self.by_name.insert(name.to_owned(), self.count);
    }

    /// Records that any key may have changed.
    pub fn record_any(&mut self) {
        self.count += 1;
        self.forgotten = self.count;
        self.by_name.clear();
    }

    /// Whether the key with this id or this lookup may have changed after the first `count` changes.
    pub fn has_changed(&self, name: &str, count: u64) -> bool {
        self.forgotten > count || self.by_name.get(name).is_some_and(|number| *number > count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_a_count_is_known() {
        let mut changes = RecentChanges::default();
        changes.record("a");
        let count = changes.count();
        changes.record("b");
        assert!(changes.has_changed("b", count) && !changes.has_changed("a", count));
        changes.record_any();
        assert!(changes.has_changed("a", count));
        assert!(!changes.has_changed("a", changes.count()));
    }

    #[test]
    fn the_map_is_bounded_and_no_change_is_lost() {
        let mut changes = RecentChanges::default();
        let count = changes.count();
        for n in 0..=MAX {
            changes.record(&n.to_string());
        }
        assert!(changes.by_name.len() <= MAX);
        assert!((0..=MAX).all(|n| changes.has_changed(&n.to_string(), count)));
        assert!(!changes.has_changed("0", changes.count()));
    }
}
