//! What a verification finds, as types.

use keycell_component::{id::ApiKeyId, time::Time};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    answer::{Answer, Nonsense, as_optional_text, as_text, id, optional_time},
    bindings::exports::keycell::api_keys::api_keys as guest,
};

/// Who a presented key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedApiKey {
    /// The key's id.
    #[serde(serialize_with = "as_text")]
    pub id: ApiKeyId,
    /// The user whose key it is.
    pub user_id: String,
    /// The project that it belongs to; `None` for a user-level key.
    pub project_id: Option<String>,
    /// From when on it is expired; `None`: never.
    #[serde(serialize_with = "as_optional_text")]
    pub expires_at: Option<Time>,
    /// What it may do: sorted, without duplicates.
    pub scopes: Vec<String>,
}

/// Why a presented key is refused. The first that applies, in this order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not of the form of a key, or its checksum is wrong. Storage was not asked.
    #[error("malformed")]
    Malformed,
    /// Nobody's key.
    #[error("unknown")]
    Unknown,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// It has expired.
    #[error("expired")]
    Expired,
    /// It may not do these of the things that it must be able to do.
    #[error("missing-scopes")]
    MissingScopes(Vec<String>),
}

/// What a verification finds. In JSON it is an object with all fields of both sides: `valid`,
/// `reason` and `missing_scopes`, and those of the key, which are null where it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The key is good for what was asked.
    Valid(VerifiedApiKey),
    /// It is not.
    Refused(Refusal),
}

impl Serialize for Verification {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, refusal) = match self {
            Self::Valid(key) => (Some(key), None),
            Self::Refused(refusal) => (None, Some(refusal)),
        };
        let missing = match refusal {
            Some(Refusal::MissingScopes(scopes)) => scopes.as_slice(),
            _ => &[],
        };
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("valid", &key.is_some())?;
        fields.serialize_entry("reason", &refusal.map(ToString::to_string))?;
        fields.serialize_entry("missing_scopes", missing)?;
        fields.serialize_entry("id", &key.map(|key| key.id.to_text()))?;
        fields.serialize_entry("user_id", &key.map(|key| &key.user_id))?;
        fields.serialize_entry("project_id", &key.and_then(|key| key.project_id.as_ref()))?;
        fields.serialize_entry("expires_at", &key.and_then(|key| key.expires_at).map(Time::to_text))?;
        fields.serialize_entry("scopes", key.map_or(&[][..], |key| &key.scopes))?;
        fields.end()
    }
}

impl Answer for Verification {
    type Guest = guest::Verification;

    fn read(answer: guest::Verification) -> Result<Self, Nonsense> {
        Ok(match answer {
            guest::Verification::Valid(key) => Self::Valid(VerifiedApiKey {
                id: id("id", &key.id)?,
                user_id: key.user_id,
                project_id: key.project_id,
                expires_at: optional_time("expires_at", key.expires_at)?,
                scopes: key.scopes,
            }),
            guest::Verification::Refused(refusal) => Self::Refused(match refusal {
                guest::Refusal::Malformed => Refusal::Malformed,
                guest::Refusal::Unknown => Refusal::Unknown,
                guest::Refusal::Revoked => Refusal::Revoked,
                guest::Refusal::Expired => Refusal::Expired,
                guest::Refusal::MissingScopes(scopes) => Refusal::MissingScopes(scopes),
            }),
        })
    }
}
