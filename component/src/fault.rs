//! Faults of arguments.

use alloc::vec::Vec;
use core::fmt;

/// A fault of one argument. It never holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The text is empty, or only white space.
    Empty,
    /// A text or a list is too long for any argument.
    TooLong,
    /// A name is too long.
    NameTooLong,
    /// A reason is too long.
    ReasonTooLong,
    /// A user id is too long.
    UserIdTooLong,
    /// Metadata is too long.
    MetadataTooLong,
    /// A control character, or a character that is invisible or changes the order of the others.
    ForbiddenCharacter,
    /// No character of the text is visible.
    NotVisible,
    /// A key, or the beginning of one, in a text that other people read.
    HoldsKey,
    /// A key in place of an id or a reference.
    SecretPassedAsId,
    /// Not the id of an API key.
    NotAnId,
    /// Not a cursor.
    NotACursor,
    /// Neither the id nor the slug of a project.
    NotAReference,
    /// Not an RFC 3339 time.
    NotATime,
    /// A time of day without an offset from UTC.
    NoOffset,
    /// Second 60, which a count of milliseconds cannot express.
    LeapSecond,
    /// At or before now.
    NotInTheFuture,
    /// Later than the policy's longest life allows.
    PastLongestLife,
    /// Later than the expiry of the key that makes this one.
    PastCallersExpiry,
    /// Not earlier than the current expiry.
    NotEarlier,
    /// Not a status filter.
    NotAStatus,
    /// A page size that is out of range.
    PageSizeOutOfRange,
    /// A rate limit that is out of range.
    RateLimitOutOfRange,
    /// Not a scope.
    NotAScope,
    /// More scopes than a key can have.
    TooManyScopes,
    /// A scope that the policy or the caller cannot grant.
    NotGrantable,
    /// Not JSON.
    NotJson,
    /// JSON, but not an object.
    NotAnObject,
    /// JSON with too many levels.
    TooDeep,
    /// A JSON object with two members of one name.
    DuplicateMember,
    /// JSON with a number that is too large.
    NumberTooLarge,
    /// Not an idempotency key.
    NotAnIdempotencyKey,
}

impl Fault {
    /// The fixed code for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.texts().0
    }

    /// The sentence for people. It follows the name of the argument.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.texts().1
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Empty => ("empty", "must not be empty"),
            Self::TooLong => ("too-long", "must be at most 65536 bytes"),
            Self::NameTooLong => ("too-long", "must be at most 100 characters"),
            Self::ReasonTooLong => ("too-long", "must be at most 200 characters"),
            Self::UserIdTooLong => ("too-long", "must be at most 255 bytes"),
            Self::MetadataTooLong => ("too-long", "must be at most 4096 bytes as compact JSON"),
            Self::ForbiddenCharacter => ("forbidden-character", "must not hold control or invisible characters"),
            Self::NotVisible => ("not-visible", "must have a visible character"),
            Self::HoldsKey => ("holds-key", "must not hold an API key or a part of one; revoke that key"),
            Self::SecretPassedAsId => {
                ("secret-passed-as-id", "must be an id, not an API key; revoke that key if others have seen it")
            }
            Self::NotAnId => ("not-an-id", "must be an API key's id, a hyphenated UUID"),
            Self::NotACursor => ("not-an-id", "must be the next_cursor of the previous page"),
            Self::NotAReference => (
                "not-a-reference",
                "must be a project's id, or a slug of 1 to 63 characters a-z, 0-9 and inner hyphens",
            ),
            Self::NotATime => ("not-a-time", "must be an RFC 3339 time such as 2030-01-31T12:00:00Z, or a date"),
            Self::NoOffset => ("no-offset", "must have an offset from UTC, such as Z or +02:00"),
            Self::LeapSecond => ("leap-second", "must not have second 60"),
            Self::NotInTheFuture => ("not-in-the-future", "must be later than now"),
            Self::PastLongestLife => ("past-longest-life", "must not be later than the longest life of a key allows"),
            Self::PastCallersExpiry => ("past-callers-expiry", "must not be later than the expiry of the calling key"),
            Self::NotEarlier => ("not-earlier", "must be earlier than the current expiry"),
            Self::NotAStatus => ("not-a-status", "must be active, expired, revoked or all"),
            Self::PageSizeOutOfRange => ("out-of-range", "must be from 1 to 100"),
            Self::RateLimitOutOfRange => ("out-of-range", "must be 1 to 1000000 requests in 1 to 86400 seconds"),
            Self::NotAScope => ("not-a-scope", "must be 1 to 64 printable ASCII characters without space, \" and \\"),
            Self::TooManyScopes => ("too-many-scopes", "must be at most 32 scopes"),
            Self::NotGrantable => ("not-grantable", "must be scopes that the caller may grant"),
            Self::NotJson => ("not-json", "must be JSON (RFC 8259)"),
            Self::NotAnObject => ("not-an-object", "must be a JSON object"),
            Self::TooDeep => ("too-deep", "must have at most 8 levels"),
            Self::DuplicateMember => ("duplicate-member", "must not have two members of one name"),
            Self::NumberTooLarge => ("number-too-large", "must have only numbers below 1e308 in magnitude"),
            Self::NotAnIdempotencyKey => ("not-an-idempotency-key", "must be 1 to 128 printable ASCII characters"),
        }
    }
}

/// Checks that none of the faults is present.
///
/// # Errors
///
/// All faults that are present, in order.
pub fn check(faults: &[(bool, Fault)]) -> Result<(), Vec<Fault>> {
    let mut present = Vec::new();
    for &(is_present, fault) in faults {
        if is_present {
            present.push(fault);
        }
    }
    if present.is_empty() { Ok(()) } else { Err(present) }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_code_and_is_displayed_as_its_message() {
        assert_eq!(Fault::Empty.to_string(), "must not be empty");
        assert_eq!(Fault::Empty.code(), "empty");
    }

    #[test]
    fn faults_keep_their_order() {
        let faults = [(true, Fault::NoOffset), (false, Fault::Empty), (true, Fault::LeapSecond)];
        assert_eq!(check(&faults), Err(vec![Fault::NoOffset, Fault::LeapSecond]));
        assert_eq!(check(&faults[1..2]), Ok(()));
    }
}
