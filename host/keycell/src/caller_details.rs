//! The caller, as the component sees it.

use keycell_component::{id::ApiKeyId, time::Time};
use serde::Serialize;

use crate::{
    bindings::exports::keycell::api_keys::api_keys as guest,
    response::{InvalidResponse, Response, as_optional_id, as_optional_time, optional_id, optional_time},
};

/// The caller, as the component sees it after authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallerDetails {
    /// The id of the user; for a bearer, the owner of the key.
    pub user_id: String,
    /// The id of the bearer's key; `None` for a user.
    #[serde(serialize_with = "as_optional_id")]
    pub api_key_id: Option<ApiKeyId>,
    /// The id of the only project that the bearer's key may act for; `None`: any.
    pub project_id: Option<String>,
    /// The time at which the bearer's key expires; `None`: never.
    #[serde(serialize_with = "as_optional_time")]
    pub expires_at: Option<Time>,
    /// Whether the caller may see and change every key, within the project if there is one.
    pub operator: bool,
    /// The scopes of the bearer's key. Empty for a user, who needs none.
    pub scopes: Vec<String>,
    /// The scopes that the caller may grant: sorted, without duplicates.
    pub grantable_scopes: Vec<String>,
}

impl Response for CallerDetails {
    type Guest = guest::CallerDetails;

    fn parse(response: guest::CallerDetails) -> Result<Self, InvalidResponse> {
        Ok(Self {
            user_id: response.user_id,
            api_key_id: optional_id("api_key_id", response.api_key_id)?,
            project_id: response.project_id,
            expires_at: optional_time("expires_at", response.expires_at)?,
            operator: response.operator,
            scopes: response.scopes,
            grantable_scopes: response.grantable_scopes,
        })
    }
}
