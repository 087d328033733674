//! Core dumps, which would hold the keys in a server's memory.

/// Turns core dumps of this process off, and with them the access of other processes of its user to
/// its memory.
///
/// Set up the engine first: it opens files under `/proc/self`, which such a process may not open.
#[cfg(target_os = "linux")]
pub fn turn_off() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("core dumps cannot be turned off and may hold API keys: {error}");
    }
}

/// Does nothing: only Linux has a switch for this.
#[cfg(not(target_os = "linux"))]
pub fn turn_off() {}
