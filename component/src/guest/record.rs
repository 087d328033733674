//! Stored keys, as the component returns them.

use alloc::string::String;

use super::api_keys::{ApiKey, ApiKeyDetails, CreatedApiKey, Error, KeyStatus};
use super::context::InternalCause;
use super::storage::KeyRecord;
use crate::key::{self, Key};
use crate::status::Status;
use crate::time::Time;

/// Reads a stored time.
pub fn stored_time(millis: i64) -> Result<Time, Error> {
    Time::from_millis(millis).ok_or_else(|| InternalCause::StorageRecord.into())
}

/// Reads a stored time.
pub fn stored_optional_time(millis: Option<i64>) -> Result<Option<Time>, Error> {
    millis.map(stored_time).transpose()
}

/// Formats a stored time.
pub fn rfc3339(millis: i64) -> Result<String, Error> {
    stored_time(millis).map(Time::to_rfc3339)
}

/// Formats a stored time.
pub fn optional_rfc3339(millis: Option<i64>) -> Result<Option<String>, Error> {
    millis.map(rfc3339).transpose()
}

impl KeyRecord {
    /// The status at `now`.
    pub fn status(&self, now: Time) -> Result<Status, Error> {
        Ok(Status::of(self.revoked_at.is_some(), stored_optional_time(self.expires_at)?, now))
    }

    /// The fields of `get-api-key`.
    pub fn basic(self) -> Result<ApiKey, Error> {
        Ok(ApiKey {
            last_used_at: optional_rfc3339(self.last_used_at)?,
            expires_at: optional_rfc3339(self.expires_at)?,
            created_at: rfc3339(self.created_at)?,
            updated_at: rfc3339(self.updated_at)?,
            key_prefix: key::key_prefix(&self.prefix, &self.lookup),
            id: self.id,
            project_id: self.project_id,
            user_id: self.user_id,
            name: self.name,
            scopes: self.scopes,
        })
    }

    /// All fields, as they are at `now`.
    pub fn details(self, now: Time) -> Result<ApiKeyDetails, Error> {
        let status = match self.status(now)? {
            Status::Active => KeyStatus::Active,
            Status::Expired => KeyStatus::Expired,
            Status::Revoked => KeyStatus::Revoked,
        };
        Ok(ApiKeyDetails {
            status,
            last_used_at: optional_rfc3339(self.last_used_at)?,
            expires_at: optional_rfc3339(self.expires_at)?,
            created_at: rfc3339(self.created_at)?,
            updated_at: rfc3339(self.updated_at)?,
            revoked_at: optional_rfc3339(self.revoked_at)?,
            key_prefix: key::key_prefix(&self.prefix, &self.lookup),
            id: self.id,
            project_id: self.project_id,
            user_id: self.user_id,
            name: self.name,
            revision: self.revision,
            rate_limit: self.rate_limit,
            revocation_reason: self.revocation_reason,
            rotated_from: self.rotated_from,
            rotated_to: self.rotated_to,
            metadata: self.metadata,
            scopes: self.scopes,
        })
    }

    /// The fields of a new key, with the key itself.
    pub fn created(self, key: Key) -> Result<CreatedApiKey, Error> {
        Ok(CreatedApiKey {
            key_prefix: key::key_prefix(&self.prefix, &self.lookup),
            expires_at: optional_rfc3339(self.expires_at)?,
            created_at: rfc3339(self.created_at)?,
            id: self.id,
            project_id: self.project_id,
            user_id: self.user_id,
            name: self.name,
            key: key.into_text(),
            scopes: self.scopes,
        })
    }
}
