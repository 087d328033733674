//! What both the ahead-of-time compiler and the host must agree on.

use wasmtime::{Config, OptLevel};

/// The settings that shape machine code.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        // Synchronous WIT: what stackful tasks would need is not built in.
        .concurrency_support(false)
        // Backtraces of a guest without names help nobody, and registering frames costs start-up.
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(cfg!(windows));
    config
}
