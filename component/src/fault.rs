//! What can be wrong with an argument.

use alloc::vec::Vec;
use core::fmt;

/// One way in which an argument is wrong. It never holds what was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is left after outer white space is gone.
    Empty,
    /// More than the field holds.
    TooLong,
    /// A character that people can't see or that changes what they see.
    ForbiddenCharacter,
    /// A key where other people will read it.
    HoldsKey,
    /// A key where an id or a reference belongs.
    SecretPassedAsId,
    /// Not an API key's id.
    NotAnId,
    /// Neither a project's id nor a slug.
    NotAReference,
    /// Not an RFC 3339 time.
    NotATime,
    /// A time of day without an offset from UTC.
    NoOffset,
    /// Second 60, which has no place in a count of milliseconds.
    LeapSecond,
    /// At or before now.
    NotInTheFuture,
    /// Later than the policy's longest life allows.
    PastLongestLife,
    /// Later than the key that makes this one lives itself.
    PastCallersExpiry,
    /// Not earlier than the key expires anyway.
    NotEarlier,
    /// Not a status that keys are listed by.
    NotAStatus,
    /// Less or more than may be asked for.
    OutOfRange,
    /// Not a scope.
    NotAScope,
}

impl Fault {
    /// The fixed word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.texts().0
    }

    /// The sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.texts().1
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Empty => ("empty", "must not be empty"),
            Self::TooLong => ("too-long", "is longer than allowed"),
            Self::ForbiddenCharacter => ("forbidden-character", "holds a character that people can not see"),
            Self::HoldsKey => ("holds-key", "holds an API key: revoke that key"),
            Self::SecretPassedAsId => {
                ("secret-passed-as-id", "is an API key, not an id: revoke it if others have seen it")
            }
            Self::NotAnId => ("not-an-id", "must be an API key's id, a hyphenated UUID"),
            Self::NotAReference => (
                "not-a-reference",
                "must be a project's id, or a slug of 1 to 63 characters a-z, 0-9 and inner hyphens",
            ),
            Self::NotATime => ("not-a-time", "must be an RFC 3339 time such as 2030-01-31T12:00:00Z, or a date"),
            Self::NoOffset => ("no-offset", "must say its offset from UTC, such as Z or +02:00"),
            Self::LeapSecond => ("leap-second", "must not name second 60"),
            Self::NotInTheFuture => ("not-in-the-future", "must be later than now"),
            Self::PastLongestLife => ("past-longest-life", "is past the longest life of a key"),
            Self::NotEarlier => ("not-earlier", "must be earlier than the key expires now"),
            Self::NotAStatus => ("not-a-status", "must be active, expired, revoked or all"),
            Self::OutOfRange => ("out-of-range", "must be from 1 to 100"),
            Self::NotAScope => ("not-a-scope", "must be 1 to 64 printable ASCII characters without space, \" and \\"),
            Self::PastCallersExpiry => ("past-callers-expiry", "is later than the calling key expires itself"),
        }
    }
}

/// Those faults that are there, in order.
pub fn all<const N: usize>(faults: [(bool, Fault); N]) -> Vec<Fault> {
    faults.into_iter().filter_map(|(is_there, fault)| is_there.then_some(fault)).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Fault {}
