//! The clock of leases.

use std::{sync::Arc, time::Duration};

/// A clock that never goes back, as the time since some moment. Setting the system's time does not
/// change it.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The system's clock, which goes on while the system sleeps: a lease must not outlive a sleep.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
pub fn system() -> Clock {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(target_vendor = "apple")]
    const CLOCK: ClockId = ClockId::Monotonic;
    Arc::new(|| {
        let time = clock_gettime(CLOCK);
        let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
    })
}

/// The system's clock.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub fn system() -> Clock {
    let start = std::time::Instant::now();
    Arc::new(move || start.elapsed())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_goes_forward() {
        let clock = super::system();
        let (first, pause) = (clock(), std::time::Duration::from_millis(20));
        std::thread::sleep(pause);
        assert!((first + pause..first + pause * 50).contains(&clock()));
    }
}
