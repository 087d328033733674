//! The fields that an event names.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// A field of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The expiry.
    ExpiresAt,
    /// The key itself.
    Key,
    /// The metadata.
    Metadata,
    /// The name.
    Name,
    /// The project.
    ProjectId,
    /// The rate limit.
    RateLimit,
    /// The reason of the revocation.
    RevocationReason,
    /// The time of the revocation.
    RevokedAt,
    /// The key that replaced this one.
    RotatedTo,
    /// The scopes.
    Scopes,
}

impl Field {
    const ALL: [Self; 10] = [
        Self::ExpiresAt,
        Self::Key,
        Self::Metadata,
        Self::Name,
        Self::ProjectId,
        Self::RateLimit,
        Self::RevocationReason,
        Self::RevokedAt,
        Self::RotatedTo,
        Self::Scopes,
    ];

    /// The name of the field in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExpiresAt => "expires_at",
            Self::Key => "key",
            Self::Metadata => "metadata",
            Self::Name => "name",
            Self::ProjectId => "project_id",
            Self::RateLimit => "rate_limit",
            Self::RevocationReason => "revocation_reason",
            Self::RevokedAt => "revoked_at",
            Self::RotatedTo => "rotated_to",
            Self::Scopes => "scopes",
        }
    }
}

/// Returns the names of the fields that changed, sorted.
#[must_use]
pub fn changed(fields: &[(Field, bool)]) -> Vec<String> {
    let mut names = Vec::new();
    for field in Field::ALL {
        if fields.contains(&(field, true)) {
            names.push(field.name().to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_changed_fields_are_sorted() {
        let fields = [
            (Field::Scopes, true),
            (Field::Name, true),
            (Field::RevokedAt, true),
            (Field::Key, true),
            (Field::ExpiresAt, false),
            (Field::RateLimit, true),
            (Field::RotatedTo, true),
            (Field::RevocationReason, true),
            (Field::Metadata, true),
            (Field::ProjectId, true),
        ];
        let names = changed(&fields);
        assert!(names.is_sorted());
        assert_eq!(names.len(), 9);
        assert_eq!(changed(&[(Field::ExpiresAt, true)]), ["expires_at"]);
        assert!(changed(&[(Field::Name, false)]).is_empty());
    }
}
