//! The engine settings that the ahead-of-time compiler and the host share.

use wasmtime::{Config, OptLevel};

/// The address space of one instance's memory, in bytes. Small, so that the pool also fits where
/// address space is limited.
const MEMORY_RESERVATION: u64 = 2 << 20;

/// Creates the settings that determine machine code.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(0)
        .guard_before_linear_memory(false)
        // The WIT has synchronous functions only.
        .concurrency_support(false)
        // The component has no names for a backtrace, and registering frames slows the start.
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(cfg!(windows));
    config
}
