//! The results and the arguments of calls about one key or a list of keys.

use keycell_component::{id::ApiKeyId, time::Time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    arguments::{cut_list, cut_owned},
    bindings::exports::keycell::api_keys::api_keys as guest,
    metadata::Metadata,
    response::{
        InvalidResponse, Response, as_id, as_optional_id, as_optional_time, as_time, id, optional_id, optional_time,
        time,
    },
    secret_key::SecretKey,
    storage::RateLimit,
};

/// The arguments of [`create_api_key`](crate::Keycell::create_api_key).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CreateApiKey {
    /// The name: 1 to 100 characters.
    pub name: String,
    /// The id or slug of a project; `None`: a user-level key.
    pub project_reference: Option<String>,
    /// The expiry: RFC 3339 with an offset, or a date; `None`: the policy's default.
    pub expires_at: Option<String>,
}

impl CreateApiKey {
    /// A user-level key with this name and the policy's default expiry.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the id or slug of the project.
    #[must_use]
    pub fn with_project(self, reference: impl Into<String>) -> Self {
        Self { project_reference: Some(reference.into()), ..self }
    }

    /// Sets the expiry: RFC 3339 with an offset, or a date.
    #[must_use]
    pub fn with_expiry(self, expires_at: impl Into<String>) -> Self {
        Self { expires_at: Some(expires_at.into()), ..self }
    }
}

/// The arguments of [`issue_api_key`](crate::Keycell::issue_api_key).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IssueApiKey {
    /// The name: 1 to 100 characters.
    pub name: String,
    /// The id of the user who will own the key; `None`: the caller.
    pub owner: Option<String>,
    /// The id or slug of a project; `None`: a user-level key.
    pub project_reference: Option<String>,
    /// The expiry: RFC 3339 with an offset, or a date; `None`: the policy's default.
    pub expires_at: Option<String>,
    /// The scopes; `None`: the policy's default scopes that the caller may grant.
    pub scopes: Option<Vec<String>>,
    /// The issuer's metadata: a JSON object, at most 4 KiB as compact text.
    #[serde(default, deserialize_with = "json_text")]
    pub metadata: Option<String>,
    /// The limit of successful verifications; `None`: unlimited.
    pub rate_limit: Option<RateLimit>,
    /// The idempotency key, which makes the call repeatable for 24 hours: 1 to 128 printable ASCII
    /// characters.
    pub idempotency_key: Option<String>,
}

impl IssueApiKey {
    /// A user-level key of the caller with this name and the policy's defaults.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the id of the user who will own the key.
    #[must_use]
    pub fn with_owner(self, user_id: impl Into<String>) -> Self {
        Self { owner: Some(user_id.into()), ..self }
    }

    /// Sets the id or slug of the project.
    #[must_use]
    pub fn with_project(self, reference: impl Into<String>) -> Self {
        Self { project_reference: Some(reference.into()), ..self }
    }

    /// Sets the expiry: RFC 3339 with an offset, or a date.
    #[must_use]
    pub fn with_expiry(self, expires_at: impl Into<String>) -> Self {
        Self { expires_at: Some(expires_at.into()), ..self }
    }

    /// Sets the scopes.
    #[must_use]
    pub fn with_scopes<T: Into<String>>(self, scopes: impl IntoIterator<Item = T>) -> Self {
        Self { scopes: Some(scopes.into_iter().map(Into::into).collect()), ..self }
    }

    /// Sets the metadata: a JSON object as text.
    #[must_use]
    pub fn with_metadata(self, json: impl Into<String>) -> Self {
        Self { metadata: Some(json.into()), ..self }
    }

    /// Sets the limit of successful verifications.
    #[must_use]
    pub fn with_rate_limit(self, limit: RateLimit) -> Self {
        Self { rate_limit: Some(limit), ..self }
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn with_idempotency_key(self, key: impl Into<String>) -> Self {
        Self { idempotency_key: Some(key.into()), ..self }
    }
}

/// The arguments of [`list_api_keys`](crate::Keycell::list_api_keys).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ListApiKeys {
    /// `active`, `expired`, `revoked` or `all`; `None`: `active`.
    pub status: Option<String>,
    /// The id or slug of a project; `None`: any project, and user-level keys.
    pub project_reference: Option<String>,
    /// The id of the owner; `None`: every owner whose keys the caller may list.
    pub owner: Option<String>,
    /// The page size, 1 to 100; `None`: 20.
    pub limit: Option<u32>,
    /// The cursor of the previous page.
    pub cursor: Option<String>,
}

/// The changes of [`update_api_key`](crate::Keycell::update_api_key). `None` keeps a field.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UpdateApiKey {
    /// The new name.
    pub name: Option<String>,
    /// An earlier expiry: RFC 3339 with an offset, or a date.
    pub expires_at: Option<String>,
    /// The new metadata: a JSON object as text, or `null` to remove it.
    pub metadata: Option<String>,
    /// The new limit, or `Some(None)` to remove it.
    pub rate_limit: Option<Option<RateLimit>>,
    /// The revision that the record must have.
    pub if_revision: Option<u32>,
}

/// The status of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyStatus {
    /// The key can be used.
    Active,
    /// The key has expired.
    Expired,
    /// The key was revoked, whether or not it has expired.
    Revoked,
}

impl KeyStatus {
    /// The name of the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A new key. In JSON it is the output of the tool `create_api_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CreatedApiKey {
    /// The id.
    #[serde(serialize_with = "as_id")]
    pub id: ApiKeyId,
    /// The id of the project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The normalised name.
    pub name: String,
    /// The key. It is not stored and cannot be returned again.
    pub key: SecretKey,
    /// The public beginning of the key: prefix and lookup.
    pub key_prefix: String,
    /// The time at which the key expires; `None`: never.
    #[serde(serialize_with = "as_optional_time")]
    pub expires_at: Option<Time>,
    /// The time at which the key was created.
    #[serde(serialize_with = "as_time")]
    pub created_at: Time,
    /// The scopes: sorted, without duplicates.
    pub scopes: Vec<String>,
}

/// A key that was issued. In JSON it is the output of the tool `issue_api_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IssuedApiKey {
    /// The key. It is not stored and cannot be returned again.
    pub key: SecretKey,
    /// All fields of the key.
    #[serde(flatten)]
    pub details: ApiKeyDetails,
}

/// The basic fields of a key. In JSON it is the output of the tool `get_api_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApiKey {
    /// The id.
    #[serde(serialize_with = "as_id")]
    pub id: ApiKeyId,
    /// The id of the project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The name.
    pub name: String,
    /// The public beginning of the key: prefix and lookup.
    pub key_prefix: String,
    /// The time of the newest successful verification or call as a bearer; `None`: never used.
    #[serde(serialize_with = "as_optional_time")]
    pub last_used_at: Option<Time>,
    /// The time at which the key expires; `None`: never.
    #[serde(serialize_with = "as_optional_time")]
    pub expires_at: Option<Time>,
    /// The time at which the key was created.
    #[serde(serialize_with = "as_time")]
    pub created_at: Time,
    /// The time at which the record was last changed.
    #[serde(serialize_with = "as_time")]
    pub updated_at: Time,
    /// The scopes: sorted, without duplicates.
    pub scopes: Vec<String>,
}

/// All fields of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApiKeyDetails {
    /// The id.
    #[serde(serialize_with = "as_id")]
    pub id: ApiKeyId,
    /// The id of the project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The name.
    pub name: String,
    /// The public beginning of the key: prefix and lookup.
    pub key_prefix: String,
    /// The status at the time of the call.
    pub status: KeyStatus,
    /// The time of the newest successful verification or call as a bearer; `None`: never used.
    #[serde(serialize_with = "as_optional_time")]
    pub last_used_at: Option<Time>,
    /// The time at which the key expires; `None`: never.
    #[serde(serialize_with = "as_optional_time")]
    pub expires_at: Option<Time>,
    /// The time at which the key was created.
    #[serde(serialize_with = "as_time")]
    pub created_at: Time,
    /// The time at which the record was last changed.
    #[serde(serialize_with = "as_time")]
    pub updated_at: Time,
    /// The time at which the key was revoked; `None`: not revoked.
    #[serde(serialize_with = "as_optional_time")]
    pub revoked_at: Option<Time>,
    /// The reason that was given for the revocation.
    pub revocation_reason: Option<String>,
    /// The id of the key that this key replaced.
    #[serde(serialize_with = "as_optional_id")]
    pub rotated_from: Option<ApiKeyId>,
    /// The id of the key that replaced this key.
    #[serde(serialize_with = "as_optional_id")]
    pub rotated_to: Option<ApiKeyId>,
    /// The scopes: sorted, without duplicates.
    pub scopes: Vec<String>,
    /// The issuer's metadata.
    pub metadata: Option<Metadata>,
    /// The limit of successful verifications; `None`: unlimited.
    pub rate_limit: Option<RateLimit>,
    /// The number of changes of the record, for optimistic concurrency.
    pub revision: u32,
}

/// One page of a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApiKeyPage {
    /// The keys, newest first.
    pub api_keys: Vec<ApiKeyDetails>,
    /// The cursor of the next page; `None`: this is the last page.
    pub next_cursor: Option<String>,
}

impl From<IssueApiKey> for guest::IssueRequest {
    fn from(request: IssueApiKey) -> Self {
        Self {
            name: cut_owned(request.name),
            owner: request.owner.map(cut_owned),
            project_reference: request.project_reference.map(cut_owned),
            expires_at: request.expires_at.map(cut_owned),
            rate_limit: request.rate_limit.map(Into::into),
            metadata: request.metadata.map(cut_owned),
            idempotency_key: request.idempotency_key.map(cut_owned),
            scopes: request.scopes.map(cut_list),
        }
    }
}

impl From<ListApiKeys> for guest::ListRequest {
    fn from(request: ListApiKeys) -> Self {
        Self {
            status: request.status.map(cut_owned),
            project_reference: request.project_reference.map(cut_owned),
            owner: request.owner.map(cut_owned),
            limit: request.limit,
            cursor: request.cursor.map(cut_owned),
        }
    }
}

impl From<UpdateApiKey> for guest::ApiKeyChanges {
    fn from(changes: UpdateApiKey) -> Self {
        Self {
            name: changes.name.map(cut_owned),
            expires_at: changes.expires_at.map(cut_owned),
            metadata: changes.metadata.map(cut_owned),
            rate_limit: match changes.rate_limit {
                None => guest::RateLimitChange::Keep,
                Some(None) => guest::RateLimitChange::Remove,
                Some(Some(limit)) => guest::RateLimitChange::Set(limit.into()),
            },
            if_revision: changes.if_revision,
        }
    }
}

impl From<guest::KeyStatus> for KeyStatus {
    fn from(status: guest::KeyStatus) -> Self {
        match status {
            guest::KeyStatus::Active => Self::Active,
            guest::KeyStatus::Expired => Self::Expired,
            guest::KeyStatus::Revoked => Self::Revoked,
        }
    }
}

impl Response for CreatedApiKey {
    type Guest = guest::CreatedApiKey;

    fn parse(response: guest::CreatedApiKey) -> Result<Self, InvalidResponse> {
        Ok(Self {
            id: id("id", &response.id)?,
            project_id: response.project_id,
            user_id: response.user_id,
            name: response.name,
            key: key(response.key, &response.key_prefix)?,
            key_prefix: response.key_prefix,
            expires_at: optional_time("expires_at", response.expires_at)?,
            created_at: time("created_at", &response.created_at)?,
            scopes: response.scopes,
        })
    }
}

impl Response for IssuedApiKey {
    type Guest = guest::IssuedApiKey;

    fn parse(response: guest::IssuedApiKey) -> Result<Self, InvalidResponse> {
        let key = key(response.key, &response.details.key_prefix)?;
        Ok(Self { key, details: ApiKeyDetails::parse(response.details)? })
    }
}

impl Response for ApiKey {
    type Guest = guest::ApiKey;

    fn parse(response: guest::ApiKey) -> Result<Self, InvalidResponse> {
        Ok(Self {
            id: id("id", &response.id)?,
            project_id: response.project_id,
            user_id: response.user_id,
            name: response.name,
            key_prefix: response.key_prefix,
            last_used_at: optional_time("last_used_at", response.last_used_at)?,
            expires_at: optional_time("expires_at", response.expires_at)?,
            created_at: time("created_at", &response.created_at)?,
            updated_at: time("updated_at", &response.updated_at)?,
            scopes: response.scopes,
        })
    }
}

impl Response for ApiKeyDetails {
    type Guest = guest::ApiKeyDetails;

    fn parse(response: guest::ApiKeyDetails) -> Result<Self, InvalidResponse> {
        Ok(Self {
            id: id("id", &response.id)?,
            project_id: response.project_id,
            user_id: response.user_id,
            name: response.name,
            key_prefix: response.key_prefix,
            status: response.status.into(),
            last_used_at: optional_time("last_used_at", response.last_used_at)?,
            expires_at: optional_time("expires_at", response.expires_at)?,
            created_at: time("created_at", &response.created_at)?,
            updated_at: time("updated_at", &response.updated_at)?,
            revoked_at: optional_time("revoked_at", response.revoked_at)?,
            revocation_reason: response.revocation_reason,
            rotated_from: optional_id("rotated_from", response.rotated_from)?,
            rotated_to: optional_id("rotated_to", response.rotated_to)?,
            scopes: response.scopes,
            metadata: Metadata::parse(response.metadata)?,
            rate_limit: response.rate_limit.map(Into::into),
            revision: response.revision,
        })
    }
}

impl Response for ApiKeyPage {
    type Guest = guest::ApiKeyPage;

    fn parse(response: guest::ApiKeyPage) -> Result<Self, InvalidResponse> {
        let api_keys = response.api_keys.into_iter().map(ApiKeyDetails::parse).collect::<Result<_, _>>()?;
        Ok(Self { api_keys, next_cursor: response.next_cursor })
    }
}

fn key(key: String, key_prefix: &str) -> Result<SecretKey, InvalidResponse> {
    let key = SecretKey::from(key);
    if key.expose().starts_with(key_prefix) { Ok(key) } else { Err(InvalidResponse("key")) }
}

/// Reads any JSON value as its text. The component judges it.
fn json_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let json = Box::<RawValue>::deserialize(deserializer)?;
    Ok(Some(json.get().to_owned()))
}
