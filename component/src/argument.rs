//! The length of arguments.

use alloc::string::String;

/// The maximum length of an argument in bytes of UTF-8; for a list, of all its items together with
/// [`ITEM_LEN`] for each.
pub const MAX_LEN: usize = 64 << 10;

/// The length of an item of a list besides its text.
pub const ITEM_LEN: usize = 8;

/// Whether a text is too long for any argument.
#[must_use]
pub fn is_too_long(text: &str) -> bool {
    text.len() > MAX_LEN
}

/// Whether a list is too long for any argument.
#[must_use]
pub fn is_list_too_long(items: &[String]) -> bool {
    items.iter().fold(0, |len: usize, item| len.saturating_add(ITEM_LEN + item.len())) > MAX_LEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_and_not_characters() {
        let longest = "\u{e9}".repeat(MAX_LEN / 2);
        assert!(!is_too_long(&longest));
        assert!(is_too_long(&format!("{longest}x")));
    }

    #[test]
    fn the_items_of_a_list_count_together() {
        let items = |count: usize| vec!["x".to_owned(); count];
        assert!(!is_list_too_long(&items(MAX_LEN / (ITEM_LEN + 1))));
        assert!(is_list_too_long(&items(MAX_LEN / (ITEM_LEN + 1) + 1)));
    }
}
