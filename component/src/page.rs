//! Pages of lists.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crate::fault::Fault;

const DEFAULT_SIZE: u32 = 20;
const MAX_SIZE: u32 = 100;

/// Parses a page size; left out, it is 20.
///
/// # Errors
///
/// The size is 0 or more than 100.
pub fn parse_size(limit: Option<u32>) -> Result<u32, Fault> {
    match limit.unwrap_or(DEFAULT_SIZE) {
        size @ 1..=MAX_SIZE => Ok(size),
        _ => Err(Fault::PageSizeOutOfRange),
    }
}

/// Ends a page after `size` items, of which storage was asked for one more. Returns the page and
/// the cursor of the next one, which is the id of the page's last item.
#[must_use]
pub fn end<T>(mut items: Vec<T>, size: u32, id: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
    let is_last = items.len() <= size as usize;
    items.truncate(size as usize);
    let cursor = items.last().filter(|_| !is_last).map(|item| id(item).to_owned());
    (items, cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_the_last_has_a_cursor() {
        let end = |items: &[&'static str]| end(items.to_vec(), 2, |item| item);
        assert_eq!(end(&[]), (vec![], None));
        assert_eq!(end(&["c", "b"]), (vec!["c", "b"], None));
        assert_eq!(end(&["c", "b", "a"]), (vec!["c", "b"], Some("b".to_owned())));
    }

    #[test]
    fn a_page_has_1_to_100_items() {
        assert_eq!(parse_size(None), Ok(20));
        let out_of_range = Err(Fault::PageSizeOutOfRange);
        for (limit, expected) in [(0, out_of_range), (1, Ok(1)), (100, Ok(100)), (101, out_of_range)] {
            assert_eq!(parse_size(Some(limit)), expected);
        }
    }
}
