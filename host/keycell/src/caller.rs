//! For whom a call is made.

use keycell_component::{key, time::Time};

use crate::{bindings::keycell::api_keys::context, verification::VerifiedApiKey};

const LONGEST_USER_ID: usize = 255;

/// Why a caller can't be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// A user id is part of every answer and every log line.
    #[error("a user id has 1 to {LONGEST_USER_ID} bytes, no control characters, and no API key in it")]
    UserId,
}

/// For whom a call is made. The component takes it from the host, never from an argument, so
/// whoever makes one must have made sure of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    user_id: String,
    project_id: Option<String>,
    expires_at: Option<Time>,
    scopes: Vec<String>,
}

impl Caller {
    /// A user, who holds no scopes yet.
    ///
    /// # Errors
    ///
    /// The id is empty, longer than 255 bytes, or holds control characters or an API key.
    pub fn user(user_id: impl Into<String>) -> Result<Self, CallerError> {
        let user_id = user_id.into();
        let is_wrong_length = user_id.is_empty() || user_id.len() > LONGEST_USER_ID;
        if is_wrong_length || user_id.chars().any(char::is_control) || key::holds_form_of_key(&user_id) {
            return Err(CallerError::UserId);
        }
        Ok(Self { user_id, project_id: None, expires_at: None, scopes: Vec::new() })
    }

    /// The same, holding these scopes.
    #[must_use]
    pub fn with_scopes<T: Into<String>>(self, scopes: impl IntoIterator<Item = T>) -> Self {
        Self { scopes: scopes.into_iter().map(Into::into).collect(), ..self }
    }

    /// The same, as a key of this project.
    #[must_use]
    pub fn with_project(self, project_id: impl Into<String>) -> Self {
        Self { project_id: Some(project_id.into()), ..self }
    }

    /// The same, as a key that expires.
    #[must_use]
    pub fn with_expiry(self, expires_at: Time) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// Whether the caller holds this scope.
    #[must_use]
    pub fn holds(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }
}

/// Who presents a key that was verified: its user, in its project, with its scopes and its expiry.
impl TryFrom<VerifiedApiKey> for Caller {
    type Error = CallerError;

    fn try_from(key: VerifiedApiKey) -> Result<Self, CallerError> {
        let caller = Self::user(key.user_id)?.with_scopes(key.scopes);
        Ok(Self { project_id: key.project_id, expires_at: key.expires_at, ..caller })
    }
}

impl From<&Caller> for context::Caller {
    fn from(caller: &Caller) -> Self {
        Self {
            user_id: caller.user_id.clone(),
            project_id: caller.project_id.clone(),
            expires_at: caller.expires_at.map(Time::millis),
            scopes: caller.scopes.clone(),
        }
    }
}
