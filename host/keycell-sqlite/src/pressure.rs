//! The urgency of storing the pending uses of keys.

use keycell::PendingUses;

/// The urgency of storing the pending uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// At the next interval.
    Low,
    /// Now.
    High,
    /// Now, without pauses.
    Full,
}

impl Pressure {
    pub fn of(uses: &PendingUses) -> Self {
        match uses.count() {
            count if count >= PendingUses::MAX / 2 => Self::Full,
            count if count >= PendingUses::MAX / 8 => Self::High,
            _ => Self::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pressure_grows_with_the_pending_uses() {
        let uses = PendingUses::default();
        assert_eq!(Pressure::of(&uses), Pressure::Low);
        for n in 0..PendingUses::MAX {
            assert!(uses.record(&n.to_string(), 1));
        }
        assert_eq!(Pressure::of(&uses), Pressure::Full);
    }
}
