//! The filters of keys and events.

use super::{EventRecord, KeyRecord};
use crate::bindings::keycell::api_keys::storage as wit;

/// A filter of keys by status at the time [`KeyFilter::now`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusFilter {
    /// Every key.
    #[default]
    All,
    /// Keys that are not revoked and expire after `now`, or never.
    Active,
    /// Keys that are not revoked and expire at `now` or earlier.
    Expired,
    /// Keys that are revoked.
    Revoked,
}

/// A filter of keys. A key passes if it matches every field.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KeyFilter {
    /// Keys of this user; `None`: of every user.
    pub user_id: Option<String>,
    /// Keys of this project; `None`: of any project, and user-level keys.
    pub project_id: Option<String>,
    /// Keys of this status at the time `now`.
    pub status: StatusFilter,
    /// The time of the call in milliseconds since 1970.
    pub now: i64,
    /// Keys whose id is less than this one, compared as text.
    pub before: Option<String>,
    /// The maximum number of keys.
    pub limit: u32,
}

/// A filter of events. An event passes if it matches every field.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EventFilter {
    /// Events of this key; `None`: of every key.
    pub key_id: Option<String>,
    /// Events of keys of this user; `None`: of every user.
    pub user_id: Option<String>,
    /// Events of keys of this project; `None`: of any project, and of user-level keys.
    pub project_id: Option<String>,
    /// Events whose id is at least this one, compared as text.
    pub since: Option<String>,
    /// Events whose id is less than this one, compared as text.
    pub before: Option<String>,
    /// The maximum number of events.
    pub limit: u32,
}

impl KeyFilter {
    /// Returns whether a key passes, for storages that filter in memory.
    #[must_use]
    pub fn passes(&self, key: &KeyRecord) -> bool {
        let is_expired = key.expires_at.is_some_and(|expires_at| expires_at <= self.now);
        let is_revoked = key.revoked_at.is_some();
        let has_status = match self.status {
            StatusFilter::All => true,
            StatusFilter::Active => !is_revoked && !is_expired,
            StatusFilter::Expired => !is_revoked && is_expired,
            StatusFilter::Revoked => is_revoked,
        };
        has_status
            && self.user_id.as_ref().is_none_or(|user_id| key.user_id == *user_id)
            && self.project_id.as_ref().is_none_or(|project_id| key.project_id.as_ref() == Some(project_id))
            && self.before.as_ref().is_none_or(|before| key.id < *before)
    }
}

impl EventFilter {
    /// Returns whether an event passes, for storages that filter in memory.
    #[must_use]
    pub fn passes(&self, event: &EventRecord) -> bool {
        self.key_id.as_ref().is_none_or(|key_id| event.key_id == *key_id)
            && self.user_id.as_ref().is_none_or(|user_id| event.user_id == *user_id)
            && self.project_id.as_ref().is_none_or(|project_id| event.project_id.as_ref() == Some(project_id))
            && self.since.as_ref().is_none_or(|since| event.id >= *since)
            && self.before.as_ref().is_none_or(|before| event.id < *before)
    }
}

impl From<wit::KeyFilter> for KeyFilter {
    fn from(filter: wit::KeyFilter) -> Self {
        Self {
            user_id: filter.user_id,
            project_id: filter.project_id,
            status: match filter.status {
                wit::StatusFilter::All => StatusFilter::All,
                wit::StatusFilter::Active => StatusFilter::Active,
                wit::StatusFilter::Expired => StatusFilter::Expired,
                wit::StatusFilter::Revoked => StatusFilter::Revoked,
            },
            now: filter.now,
            before: filter.before,
            limit: filter.limit,
        }
    }
}

impl From<wit::EventFilter> for EventFilter {
    fn from(filter: wit::EventFilter) -> Self {
        Self {
            key_id: filter.key_id,
            user_id: filter.user_id,
            project_id: filter.project_id,
            since: filter.since,
            before: filter.before,
            limit: filter.limit,
        }
    }
}
