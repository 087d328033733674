//! The allocator of the process, which overwrites memory when it is freed.
//!
//! Keys pass through buffers that keycell does not own: of the HTTP server, of the MCP library and
//! of the command line's parser. This allocator overwrites a key in the heap when its buffer
//! is freed.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
    sync::atomic::{Ordering, compiler_fence},
};

/// The system's allocator with overwriting.
pub struct ZeroingAllocator;

// SAFETY: each call is passed on to the system's allocator with the same arguments. `realloc` keeps
// the default, which allocates, copies and calls `dealloc` below, so that the old place is
// overwritten, too.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for ZeroingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller passes a block of this allocator, which is `layout.size()` bytes long
        // and which nothing else refers to.
        unsafe { ptr::write_bytes(pointer, 0, layout.size()) };
        // Keeps the compiler from dropping a write to memory that is freed next.
        compiler_fence(Ordering::SeqCst);
        std::hint::black_box(pointer);
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
