//! The allocator of one call. Memory is given back with the instance.
//!
//! An instance serves one call. An allocator with a free list would make up a sixth of the
//! component.
#![allow(unsafe_code)]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32,
    cell::Cell,
    mem,
    ptr::{self, NonNull},
};

use crate::arena;

unsafe extern "C" {
    /// The address from which the next allocation is placed; 0 before the first. It is where the
    /// heap begins, because the `cabi_realloc` of `host/keycell/build/split.rs` uses it, too.
    #[link_name = "__heap_base"]
    static NEXT: Cell<usize>;
}

pub struct Bump;

impl Bump {
    fn cell() -> &'static Cell<usize> {
        // SAFETY: a component without threads is run by one thread at a time, and no allocation
        // contains the cell.
        unsafe { &NEXT }
    }

    fn next() -> usize {
        match Self::cell().get() {
            0 => ptr::from_ref(Self::cell()).addr() + mem::size_of::<usize>(),
            next => next,
        }
    }

    /// Places an allocation. Traps if the host gives no memory: a component cannot go on without, and
    /// code that handles a missing allocation is 2 KB.
    #[inline(never)]
    fn place(size: usize, align: usize) -> NonNull<u8> {
        arena::place(Self::next(), size, align)
            .and_then(|place| Self::take_until(place.end).and(NonNull::new(place.start as *mut u8)))
            .unwrap_or_else(|| wasm32::unreachable())
    }

    /// Takes all memory below `end`; `None` if the host gives none.
    fn take_until(end: usize) -> Option<()> {
        let missing = arena::missing_pages(end, wasm32::memory_size::<0>());
        if missing > 0 && wasm32::memory_grow::<0>(missing) == usize::MAX {
            return None;
        }
        Self::cell().set(end);
        Some(())
    }
}

// SAFETY: allocations lie between the linker's data and the end of memory, are aligned, and do not
// overlap, because `next` never moves below the end of an allocation.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::place(layout.size(), layout.align()).as_ptr()
    }

    /// Does nothing: memory is given back with the instance.
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size <= layout.size() {
            return place;
        }
        let grown_end = arena::grown_end(place.addr(), layout.size(), new_size, Self::next());
        if grown_end.and_then(Self::take_until).is_some() {
            return place;
        }
        let new = Self::place(new_size, layout.align()).as_ptr();
        // SAFETY: both are at least this long, and the new place overlaps no other.
        unsafe { ptr::copy_nonoverlapping(place, new, layout.size()) };
        new
    }
}
