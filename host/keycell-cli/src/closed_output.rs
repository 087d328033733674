//! The detection of a standard output that was closed when the process began, as by `>&-`.
//!
//! The standard library opens `/dev/null` in its place before `main`, so that a new key would be lost
//! without an error.

use std::io;

/// Returns an error if standard output was closed.
pub fn check() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if linux::WAS_CLOSED.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(io::Error::other("it is closed"));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        os::fd::BorrowedFd,
        sync::atomic::{AtomicBool, Ordering},
    };

    pub static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    // SAFETY: the C library calls each function of this section once before `main`, and `detect` uses
    // nothing that the standard library sets up before `main`.
    #[allow(unsafe_code)]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static DETECT: extern "C" fn() = detect;

    extern "C" fn detect() {
        // SAFETY: 1 is standard output, which is used for this call only, and may be closed: the call
        // then fails.
        #[allow(unsafe_code)]
        let stdout = unsafe { BorrowedFd::borrow_raw(1) };
        WAS_CLOSED.store(rustix::io::fcntl_getfd(stdout).is_err(), Ordering::Relaxed);
    }
}
