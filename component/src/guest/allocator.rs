//! The allocator of one call. Memory is given back with the instance.
//!
//! An instance serves one call. An allocator with a free list would make up a sixth of the
//! component.
#![allow(unsafe_code)]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32,
    cell::Cell,
    ptr,
};

use crate::arena;

unsafe extern "C" {
    /// The end of the linker's own data. It has no value, only an address.
    static __heap_base: u8;
}

/// The address from which the next allocation is placed; 0 before the first.
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

    /// Takes all memory below `end`; `None` if the host gives none.
    fn take_until(&self, end: usize) -> Option<()> {
        let missing = arena::missing_pages(end, wasm32::memory_size::<0>());
        if missing > 0 && wasm32::memory_grow::<0>(missing) == usize::MAX {
            return None;
        }
        self.0.set(end);
        Some(())
    }
}

// SAFETY: allocations lie between the linker's data and the end of memory, are aligned, and do not
// overlap, because `next` never moves below the end of an allocation.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        arena::place(self.next(), layout.size(), layout.align())
            .and_then(|place| self.take_until(place.end).map(|()| place.start as *mut u8))
            .unwrap_or(ptr::null_mut())
    }

    /// Does nothing: memory is given back with the instance.
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size <= layout.size() {
            return place;
        }
        let start = place.addr();
        let grown_end = arena::grown_end(start..start + layout.size(), new_size, self.next());
        if grown_end.and_then(|end| self.take_until(end)).is_some() {
            return place;
        }
        // SAFETY: the caller guarantees that the new size is one of a layout of this alignment.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both are at least this long, and the new place overlaps no other.
            unsafe { ptr::copy_nonoverlapping(place, new, layout.size()) };
        }
        new
    }
}
