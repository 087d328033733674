//! What the tools take and give, as types.

use std::fmt;

use keycell_component::{id::ApiKeyId, time::Time};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Nonsense, as_optional_text, as_text, id, optional_time, time},
    bindings::exports::keycell::api_keys::api_keys as guest,
};

/// The arguments of `create_api_key`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What people call the key.
    pub name: String,
    /// A project's id or slug; `None`: a key of the user's own.
    pub project_reference: Option<String>,
    /// RFC 3339 with an offset, or a date alone; `None`: as long as policy and caller allow.
    pub expires_at: Option<String>,
}

impl CreateApiKey {
    /// A user-level key that lives as long as it may.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), project_reference: None, expires_at: None }
    }
}

/// A key. Shown by [`SecretKey::expose`] and in JSON, and not by `{:?}`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SecretKey(String);

impl SecretKey {
    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// What `create_api_key` gives. In JSON it is the tool's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreatedApiKey {
    /// Unique identifier.
    #[serde(serialize_with = "as_text")]
    pub id: ApiKeyId,
    /// The project's id; `None` for a user-level key.
    pub project_id: Option<String>,
    /// Whose key it is.
    pub user_id: String,
    /// The name as it was stored.
    pub name: String,
    /// The key, told this once.
    pub key: SecretKey,
    /// The public beginning of the key.
    pub key_prefix: String,
    /// From when on the key is expired; `None`: never.
    #[serde(serialize_with = "as_optional_text")]
    pub expires_at: Option<Time>,
    /// When it was made.
    #[serde(serialize_with = "as_text")]
    pub created_at: Time,
    /// What it may do: sorted, without duplicates.
    pub scopes: Vec<String>,
}

/// What `get_api_key` gives. In JSON it is the tool's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Unique identifier.
    #[serde(serialize_with = "as_text")]
    pub id: ApiKeyId,
    /// The project's id; `None` for a user-level key.
    pub project_id: Option<String>,
    /// Whose key it is.
    pub user_id: String,
    /// Its name.
    pub name: String,
    /// The public beginning of the key.
    pub key_prefix: String,
    /// Its newest successful verification; `None`: it was never used.
    #[serde(serialize_with = "as_optional_text")]
    pub last_used_at: Option<Time>,
    /// From when on the key is expired; `None`: never.
    #[serde(serialize_with = "as_optional_text")]
    pub expires_at: Option<Time>,
    /// When it was made.
    #[serde(serialize_with = "as_text")]
    pub created_at: Time,
    /// When its record was last changed.
    #[serde(serialize_with = "as_text")]
    pub updated_at: Time,
    /// What it may do: sorted, without duplicates.
    pub scopes: Vec<String>,
}

impl Answer for CreatedApiKey {
    type Guest = guest::CreatedApiKey;

    fn read(answer: guest::CreatedApiKey) -> Result<Self, Nonsense> {
        if !answer.key.starts_with(&answer.key_prefix) {
            return Err(Nonsense("key_prefix"));
        }
        Ok(Self {
            id: id("id", &answer.id)?,
            project_id: answer.project_id,
            user_id: answer.user_id,
            name: answer.name,
            key: SecretKey(answer.key),
            key_prefix: answer.key_prefix,
            expires_at: optional_time("expires_at", answer.expires_at)?,
            created_at: time("created_at", &answer.created_at)?,
            scopes: answer.scopes,
        })
    }
}

impl Answer for ApiKey {
    type Guest = guest::ApiKey;

    fn read(answer: guest::ApiKey) -> Result<Self, Nonsense> {
        Ok(Self {
            id: id("id", &answer.id)?,
            project_id: answer.project_id,
            user_id: answer.user_id,
            name: answer.name,
            key_prefix: answer.key_prefix,
            last_used_at: optional_time("last_used_at", answer.last_used_at)?,
            expires_at: optional_time("expires_at", answer.expires_at)?,
            created_at: time("created_at", &answer.created_at)?,
            updated_at: time("updated_at", &answer.updated_at)?,
            scopes: answer.scopes,
        })
    }
}
