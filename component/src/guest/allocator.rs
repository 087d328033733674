//! The allocator: memory for one call, in order, freed only with the instance.
//!
//! An instance lives for one call. An allocator that frees memory would be a sixth of the component.
#![allow(unsafe_code)]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32,
    cell::Cell,
    ptr,
};

const PAGE: usize = 65_536;

unsafe extern "C" {
    /// The end of the linker's data. It has no value, only an address.
    static __heap_base: u8;
}

/// An allocator that never frees. It holds the address at which the next allocation begins at the
/// earliest, 0 before the first one.
pub struct Bump(Cell<usize>);

// SAFETY: a component without threads is run by one thread at a time.
unsafe impl Sync for Bump {}

impl Bump {
    pub const fn new() -> Self {
        Self(Cell::new(0))
    }

    fn next(&self) -> usize {
        match self.0.get() {
            0 => (&raw const __heap_base).addr(),
            next => next,
        }
    }

    /// Allocates the memory below `end`; `None` if the host refuses it.
    fn take_until(&self, end: usize) -> Option<()> {
        let missing = end.saturating_sub(wasm32::memory_size::<0>() * PAGE).div_ceil(PAGE);
        if missing > 0 && wasm32::memory_grow::<0>(missing) == usize::MAX {
            return None;
        }
        self.0.set(end);
        Some(())
    }
}

// SAFETY: an allocation is aligned, lies between the linker's data and the end of memory, and
// overlaps no other one, because `next` never moves below the end of an allocation.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let place = self.next().checked_next_multiple_of(layout.align());
        place
            .and_then(|start| self.take_until(start.checked_add(layout.size())?).map(|()| start as *mut u8))
            .unwrap_or(ptr::null_mut())
    }

    /// Does nothing: memory is freed with the instance.
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let is_newest = place.addr() + layout.size() == self.next();
        if new_size <= layout.size() {
            return place;
        }
        if is_newest {
            let end = place.addr().checked_add(new_size);
            return end.and_then(|end| self.take_until(end)).map_or(ptr::null_mut(), |()| place);
        }
        // SAFETY: the caller has made sure that the new size is one of a layout of this alignment.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both are at least this long, and the new allocation overlaps no other one.
            unsafe { ptr::copy_nonoverlapping(place, new, layout.size()) };
        }
        new
    }
}
