//! Small sets of texts, as sorted lists.

use alloc::{string::String, vec::Vec};
use core::mem;

/// Inserts a text into a sorted list, unless it is there. Returns whether it was inserted.
pub fn insert(set: &mut Vec<String>, text: String) -> bool {
    let place = set.binary_search(&text);
    if let Err(at) = place {
        // `insert` could panic, with formatting code.
        let mut last = text;
        set.iter_mut().skip(at).for_each(|place| mem::swap(place, &mut last));
        set.push(last);
    }
    place.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_and_has_each_text_once() {
        let mut set = vec![];
        let inserted = ["b", "a", "c", "a", "b"].map(|text| insert(&mut set, text.to_owned()));
        assert_eq!(inserted, [true, true, true, false, false]);
        assert_eq!(set, ["a", "b", "c"]);
    }
}
