//! The arithmetic of the allocator of one call. It is outside of the guest, so that native tests can
//! run it.

use core::ops::Range;

const PAGE: usize = 65_536;

/// Returns the place of a new allocation: the first aligned one from `next` on. `None` if it does
/// not fit in the address space.
pub fn place(next: usize, size: usize, align: usize) -> Option<Range<usize>> {
    let start = next.checked_next_multiple_of(align)?;
    Some(start..start.checked_add(size)?)
}

/// Returns the end of an allocation after it has grown in place. Only the newest allocation can:
/// `None` for another one, or if it does not fit in the address space.
pub fn grown_end(start: usize, size: usize, new_size: usize, next: usize) -> Option<usize> {
    if start.checked_add(size) == Some(next) { start.checked_add(new_size) } else { None }
}

/// Returns the number of pages by which a memory of `pages` must grow to have this end.
pub const fn missing_pages(end: usize, pages: usize) -> usize {
    end.div_ceil(PAGE).saturating_sub(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_begins_at_the_next_aligned_address() {
        assert_eq!(place(16, 5, 8), Some(16..21));
        assert_eq!(place(17, 5, 8), Some(24..29));
        assert_eq!(place(17, 5, 1), Some(17..22));
        assert_eq!(place(17, 0, 1), Some(17..17));
        assert_eq!(place(usize::MAX, 1, 1), None);
        assert_eq!(place(usize::MAX, 0, 2), None);
    }

    #[test]
    fn the_newest_allocation_grows_where_it_is() {
        assert_eq!(grown_end(8, 4, 9, 12), Some(17));
        assert_eq!(grown_end(8, 4, 9, 13), None);
        assert_eq!(grown_end(8, usize::MAX, 9, 7), None);
        assert_eq!(grown_end(8, 4, usize::MAX, 12), None);
    }

    #[test]
    fn memory_grows_by_whole_pages_and_only_if_it_must() {
        assert_eq!(missing_pages(0, 0), 0);
        assert_eq!(missing_pages(2 * PAGE, 2), 0);
        assert_eq!(missing_pages(2 * PAGE + 1, 2), 1);
        assert_eq!(missing_pages(5 * PAGE, 2), 3);
        assert_eq!(missing_pages(1, 2), 0);
    }
}
