//! The result of a verification.

use std::time::Duration;

use keycell_component::{id::ApiKeyId, time::Time};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    bindings::exports::keycell::api_keys::api_keys as guest,
    metadata::Metadata,
    response::{InvalidResponse, Response, id, optional_time},
    storage::RateLimit,
};

/// The owner and rights of a verified key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedApiKey {
    /// The id of the key.
    pub id: ApiKeyId,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The id of the project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The name.
    pub name: String,
    /// The time at which the key expires; `None`: never.
    pub expires_at: Option<Time>,
    /// The scopes: sorted, without duplicates.
    pub scopes: Vec<String>,
    /// The issuer's metadata.
    pub metadata: Option<Metadata>,
    /// The state of the rate limit; `None`: unlimited.
    pub rate_limit: Option<RateLimitState>,
}

/// The state of a rate limit after a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitState {
    /// The limit.
    pub limit: RateLimit,
    /// The number of verifications that would succeed now.
    pub remaining: u32,
    /// The time until the whole limit is available again.
    pub reset_after: Duration,
}

/// The reason why a presented key is refused: the first that applies, in this order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The form or the checksum is wrong. Storage was not called.
    #[error("malformed")]
    Malformed,
    /// The key does not exist.
    #[error("unknown")]
    Unknown,
    /// The key was revoked.
    #[error("revoked")]
    Revoked,
    /// The key has expired.
    #[error("expired")]
    Expired,
    /// The key lacks these of the required scopes.
    #[error("missing-scopes")]
    MissingScopes(Vec<String>),
    /// The key's rate limit is used up.
    #[error("rate-limited")]
    RateLimited {
        /// The limit.
        limit: RateLimit,
        /// The time after which a verification can succeed.
        retry_after: Duration,
    },
}

/// The result of a verification.
///
/// In JSON it is an object with `valid`, `reason`, `missing_scopes`, `retry_after_ms` and the
/// fields of the key. Fields that do not apply are null, lists that do not apply are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The key is valid and has the required scopes.
    Valid(VerifiedApiKey),
    /// The key is refused.
    Refused(Refusal),
}

#[derive(Serialize)]
struct RateLimitJson {
    requests: u32,
    window_seconds: u32,
    remaining: u32,
    reset_after_ms: u64,
}

impl From<&RateLimitState> for RateLimitJson {
    fn from(state: &RateLimitState) -> Self {
        Self {
            requests: state.limit.requests,
            window_seconds: state.limit.window_seconds,
            remaining: state.remaining,
            reset_after_ms: milliseconds(state.reset_after),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Serialize for Verification {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, refusal) = match self {
            Self::Valid(key) => (Some(key), None),
            Self::Refused(refusal) => (None, Some(refusal)),
        };
        let missing_scopes = match refusal {
            Some(Refusal::MissingScopes(scopes)) => scopes.as_slice(),
            _ => &[],
        };
        let retry_after_ms = match refusal {
            Some(Refusal::RateLimited { retry_after, .. }) => Some(milliseconds(*retry_after)),
            _ => None,
        };
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("valid", &key.is_some())?;
        fields.serialize_entry("reason", &refusal.map(ToString::to_string))?;
        fields.serialize_entry("missing_scopes", missing_scopes)?;
        fields.serialize_entry("retry_after_ms", &retry_after_ms)?;
        fields.serialize_entry("id", &key.map(|key| key.id.to_string()))?;
        fields.serialize_entry("user_id", &key.map(|key| &key.user_id))?;
        fields.serialize_entry("project_id", &key.and_then(|key| key.project_id.as_ref()))?;
        fields.serialize_entry("name", &key.map(|key| &key.name))?;
        fields.serialize_entry("expires_at", &key.and_then(|key| key.expires_at).map(Time::to_rfc3339))?;
        fields.serialize_entry("scopes", key.map_or(&[][..], |key| &key.scopes))?;
        fields.serialize_entry("metadata", &key.and_then(|key| key.metadata.as_ref()))?;
        let rate_limit = key.and_then(|key| key.rate_limit.as_ref()).map(RateLimitJson::from);
        fields.serialize_entry("rate_limit", &rate_limit)?;
        fields.end()
    }
}

impl Response for Verification {
    type Guest = guest::Verification;

    fn parse(response: guest::Verification) -> Result<Self, InvalidResponse> {
        Ok(match response {
            guest::Verification::Valid(key) => Self::Valid(VerifiedApiKey {
                id: id("id", &key.id)?,
                user_id: key.user_id,
                project_id: key.project_id,
                name: key.name,
                expires_at: optional_time("expires_at", key.expires_at)?,
                scopes: key.scopes,
                metadata: Metadata::parse(key.metadata)?,
                rate_limit: key.rate_limit.map(|state| RateLimitState {
                    limit: state.limit.into(),
                    remaining: state.remaining,
                    reset_after: Duration::from_millis(state.reset_after_ms.into()),
                }),
            }),
            guest::Verification::Refused(refusal) => Self::Refused(match refusal {
                guest::Refusal::Malformed => Refusal::Malformed,
                guest::Refusal::Unknown => Refusal::Unknown,
                guest::Refusal::Revoked => Refusal::Revoked,
                guest::Refusal::Expired => Refusal::Expired,
                guest::Refusal::MissingScopes(scopes) => Refusal::MissingScopes(scopes),
                guest::Refusal::RateLimited(limited) => Refusal::RateLimited {
                    limit: limited.limit.into(),
                    retry_after: Duration::from_millis(limited.retry_after_ms.into()),
                },
            }),
        })
    }
}
