//! What listing, revoking and updating take and give, as types.

use keycell_component::{id::ApiKeyId, time::Time};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Nonsense, as_optional_text, as_text, id, optional_time, time},
    bindings::exports::keycell::api_keys::api_keys as guest,
};

/// The arguments of `list_api_keys`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListApiKeys {
    /// `active`, `expired`, `revoked` or `all`; `None`: `active`.
    pub status: Option<String>,
    /// A project's id or slug; `None`: all that the caller may see.
    pub project_reference: Option<String>,
    /// How many keys a page holds, 1 to 100; `None`: 20.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// The changes that `update_api_key` makes. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateApiKey {
    /// What people call the key.
    pub name: Option<String>,
    /// An earlier expiry: RFC 3339 with an offset, or a date alone.
    pub expires_at: Option<String>,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStatus {
    /// It is good.
    Active,
    /// Its time has come.
    Expired,
    /// It was revoked, whenever it would have expired.
    Revoked,
}

/// A key as its owner's list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedApiKey {
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
    /// What became of it by now.
    pub status: KeyStatus,
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
    /// When it was revoked; `None`: it was not.
    #[serde(serialize_with = "as_optional_text")]
    pub revoked_at: Option<Time>,
    /// Why it was revoked, in its owner's words.
    pub revocation_reason: Option<String>,
    /// The id of the key that it replaced.
    pub rotated_from: Option<String>,
    /// The id of the key that replaced it.
    pub rotated_to: Option<String>,
    /// What it may do: sorted, without duplicates.
    pub scopes: Vec<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiKeyPage {
    /// The keys, newest first.
    pub api_keys: Vec<ListedApiKey>,
    /// The cursor for the next page; `None`: this is the last.
    pub next_cursor: Option<String>,
}

impl Answer for ListedApiKey {
    type Guest = guest::ListedApiKey;

    fn read(answer: guest::ListedApiKey) -> Result<Self, Nonsense> {
        Ok(Self {
            id: id("id", &answer.id)?,
            project_id: answer.project_id,
            user_id: answer.user_id,
            name: answer.name,
            key_prefix: answer.key_prefix,
            status: match answer.status {
                guest::KeyStatus::Active => KeyStatus::Active,
                guest::KeyStatus::Expired => KeyStatus::Expired,
                guest::KeyStatus::Revoked => KeyStatus::Revoked,
            },
            last_used_at: optional_time("last_used_at", answer.last_used_at)?,
            expires_at: optional_time("expires_at", answer.expires_at)?,
            created_at: time("created_at", &answer.created_at)?,
            updated_at: time("updated_at", &answer.updated_at)?,
            revoked_at: optional_time("revoked_at", answer.revoked_at)?,
            revocation_reason: answer.revocation_reason,
            rotated_from: answer.rotated_from,
            rotated_to: answer.rotated_to,
            scopes: answer.scopes,
        })
    }
}

impl Answer for ApiKeyPage {
    type Guest = guest::ApiKeyPage;

    fn read(answer: guest::ApiKeyPage) -> Result<Self, Nonsense> {
        Ok(Self {
            api_keys: answer.api_keys.into_iter().map(Answer::read).collect::<Result<_, _>>()?,
            next_cursor: answer.next_cursor,
        })
    }
}
