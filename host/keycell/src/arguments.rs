//! The bound on arguments, which keeps the component's memory small.
//!
//! The component refuses an argument of more than [`MAX_LEN`] bytes. What is cut here is still too
//! long.

use keycell_component::argument::{ITEM_LEN, MAX_LEN};

/// Cuts a text that is too long.
pub fn cut(text: &str) -> &str {
    text.get(..text.ceil_char_boundary(MAX_LEN + 1)).unwrap_or(text)
}

/// Cuts a text that is too long.
pub fn cut_owned(mut text: String) -> String {
    text.truncate(text.ceil_char_boundary(MAX_LEN + 1));
    text
}

/// Cuts a list that is too long.
pub fn cut_list(items: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut cut = Vec::new();
    let mut len = 0;
    for item in items {
        if len > MAX_LEN {
            break;
        }
        len += ITEM_LEN + item.len();
        cut.push(cut_owned(item));
    }
    cut
}

#[cfg(test)]
mod tests {
    use keycell_component::argument::is_list_too_long;

    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_stays_too_long() {
        let longest = "x".repeat(MAX_LEN);
        assert_eq!(cut(&longest), longest);
        // The cut is not within a character.
        for long in ["x".repeat(2 * MAX_LEN), format!("{longest}\u{1f511}x"), format!("{}x", "\u{e9}".repeat(MAX_LEN))]
        {
            let short = cut(&long);
            assert!((MAX_LEN + 1..MAX_LEN + 5).contains(&short.len()));
            assert_eq!(cut_owned(long.clone()), short);
        }
    }

    #[test]
    fn a_list_is_cut_behind_the_item_that_makes_it_too_long() {
        let items = vec!["x".repeat(MAX_LEN / 2); 5];
        let cut = cut_list(items.clone());
        assert_eq!(cut, items[..2]);
        assert!(is_list_too_long(&cut));
        assert_eq!(cut_list(items[..1].to_vec()), items[..1]);
        assert!(is_list_too_long(&cut_list(vec!["x".repeat(5 * MAX_LEN)])));
    }
}
