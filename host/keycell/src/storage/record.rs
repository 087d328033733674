//! The records that cross between the component and a storage.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bindings::keycell::api_keys::{limits, storage as wit};

/// A stored key.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The id: UUIDv7, lowercase and hyphenated. Unique.
    pub id: String,
    /// The prefix of the key.
    pub prefix: String,
    /// The public part of the key: 12 base62 characters. Unique.
    pub lookup: String,
    /// SHA-256 of the whole key: 32 bytes.
    pub hash: Vec<u8>,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The id of the project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The name.
    pub name: String,
    /// The scopes: sorted, without duplicates. Empty means none.
    pub scopes: Vec<String>,
    /// The issuer's metadata: a JSON object as compact text.
    pub metadata: Option<String>,
    /// The limit of successful verifications; `None`: unlimited.
    pub rate_limit: Option<RateLimit>,
    /// The time at which the key was created.
    pub created_at: i64,
    /// The time at which the record was last changed. A use of the key is not a change.
    pub updated_at: i64,
    /// The time at which the key expires; `None`: never.
    pub expires_at: Option<i64>,
    /// The newest use that [`record_use`](super::Storage::record_use) received.
    pub last_used_at: Option<i64>,
    /// The time at which the key was revoked; `None`: not revoked.
    pub revoked_at: Option<i64>,
    /// The reason of the revocation.
    pub revocation_reason: Option<String>,
    /// The id of the key that this key replaced.
    pub rotated_from: Option<String>,
    /// The id of the key that replaced this key.
    pub rotated_to: Option<String>,
    /// The number of changes of the record. The storage counts it, starting at 0.
    pub revision: u32,
}

impl fmt::Debug for KeyRecord {
    /// Shows the identity of the record, without the hash, the name and the metadata.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord").field("id", &self.id).field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl KeyRecord {
    /// Takes over the changes of `key`, as [`update_key`](super::Storage::update_key) defines them.
    ///
    /// For storages that change records in memory, after a comparison of the revisions.
    pub fn update(&mut self, key: Self) {
        self.name = key.name;
        self.metadata = key.metadata;
        self.rate_limit = key.rate_limit;
        self.updated_at = key.updated_at;
        self.expires_at = key.expires_at;
        self.revoked_at = key.revoked_at;
        self.revocation_reason = key.revocation_reason;
        self.rotated_to = key.rotated_to;
        self.revision += 1;
    }

    /// Takes over the secret of `key`, as [`replace_secret`](super::Storage::replace_secret) defines
    /// it.
    ///
    /// For storages that change records in memory, after a comparison of the revisions.
    pub fn replace_secret(&mut self, key: Self) {
        self.prefix = key.prefix;
        self.lookup = key.lookup;
        self.hash = key.hash;
        self.updated_at = key.updated_at;
        self.revision += 1;
    }
}

/// A limit of successful verifications of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The verifications in a window: 1 to 1,000,000.
    pub requests: u32,
    /// The window in seconds: 1 to 86,400.
    pub window_seconds: u32,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// The key was created.
    Created,
    /// The key's secret was replaced by a repeated issuing.
    IssuedAgain,
    /// The key's fields were changed.
    Updated,
    /// The key was replaced by another one.
    Rotated,
    /// The key was revoked.
    Revoked,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 5] = [Self::Created, Self::IssuedAgain, Self::Updated, Self::Rotated, Self::Revoked];

    /// The name of the action, as events show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::IssuedAgain => "issued-again",
            Self::Updated => "updated",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
        }
    }

    /// The action with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// A change of a key. Events are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventRecord {
    /// The id: UUIDv7, lowercase and hyphenated. Unique.
    pub id: String,
    /// The time of the change.
    pub time: i64,
    /// The kind of the change.
    pub action: Action,
    /// The id of the key that was changed.
    pub key_id: String,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The id of the key's project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The id of the user who made the change.
    pub actor_user_id: String,
    /// The id of the key that made the change; `None`: the user made it directly.
    pub actor_key_id: Option<String>,
    /// The names of the fields that changed, sorted.
    pub fields: Vec<String>,
}

impl EventRecord {
    /// An event of this action with empty fields, to be filled in.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            id: String::new(),
            time: 0,
            action,
            key_id: String::new(),
            user_id: String::new(),
            project_id: None,
            actor_user_id: String::new(),
            actor_key_id: None,
            fields: Vec::new(),
        }
    }
}

/// An issuing that can be repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IdempotentRequest {
    /// The id of the user who issued the key.
    pub user_id: String,
    /// The idempotency key. Unique for each user, until `expires_at`.
    pub idempotency_key: String,
    /// The id of the key that was issued.
    pub key_id: String,
    /// The time after which the storage ignores the request and may delete it.
    pub expires_at: i64,
    /// SHA-256 of the normalised arguments: 32 bytes.
    pub digest: Vec<u8>,
}

/// A reference to a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectReference {
    /// By id: UUID-shaped, lowercase.
    Id(String),
    /// By slug.
    Slug(String),
}

/// The role of a user in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// May create keys for the project.
    Member,
    /// May also list, read and revoke every key of the project.
    Admin,
}

impl Role {
    /// The name of the role.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Member, Self::Admin].into_iter().find(|role| role.as_str() == name)
    }
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Project {
    /// The id: UUID, lowercase and hyphenated.
    pub id: String,
    /// The slug.
    pub slug: String,
}

impl Project {
    /// A project with this id and slug.
    #[must_use]
    pub fn new(id: impl Into<String>, slug: impl Into<String>) -> Self {
        Self { id: id.into(), slug: slug.into() }
    }
}

/// A member of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Member {
    /// The id of the user.
    pub user_id: String,
    /// The role of the user.
    pub role: Role,
}

impl Member {
    /// A member with this role.
    #[must_use]
    pub fn new(user_id: impl Into<String>, role: Role) -> Self {
        Self { user_id: user_id.into(), role }
    }
}

/// A project and the role of a user in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProjectWithRole {
    /// The id of the project.
    pub project_id: String,
    /// The role; `None`: the user is not a member.
    pub role: Option<Role>,
}

impl ProjectWithRole {
    /// A project and the role of a user in it.
    #[must_use]
    pub fn new(project_id: impl Into<String>, role: Option<Role>) -> Self {
        Self { project_id: project_id.into(), role }
    }
}

/// A key and the role of a user in its project.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyWithRole {
    /// The key.
    pub key: KeyRecord,
    /// The role; `None`: the user is not a member, or the key has no project.
    pub role: Option<Role>,
}

impl KeyWithRole {
    /// A key and the role of a user in its project.
    #[must_use]
    pub fn new(key: KeyRecord, role: Option<Role>) -> Self {
        Self { key, role }
    }
}

impl From<limits::RateLimit> for RateLimit {
    fn from(limit: limits::RateLimit) -> Self {
        Self { requests: limit.requests, window_seconds: limit.window_seconds }
    }
}

impl From<RateLimit> for limits::RateLimit {
    fn from(limit: RateLimit) -> Self {
        Self { requests: limit.requests, window_seconds: limit.window_seconds }
    }
}

impl From<wit::KeyRecord> for KeyRecord {
    fn from(key: wit::KeyRecord) -> Self {
        Self {
            id: key.id,
            prefix: key.prefix,
            lookup: key.lookup,
            hash: key.hash,
            user_id: key.user_id,
            project_id: key.project_id,
            name: key.name,
            scopes: key.scopes,
            metadata: key.metadata,
            rate_limit: key.rate_limit.map(Into::into),
            created_at: key.created_at,
            updated_at: key.updated_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            revocation_reason: key.revocation_reason,
            rotated_from: key.rotated_from,
            rotated_to: key.rotated_to,
            revision: key.revision,
        }
    }
}

impl From<KeyRecord> for wit::KeyRecord {
    fn from(key: KeyRecord) -> Self {
        Self {
            id: key.id,
            prefix: key.prefix,
            lookup: key.lookup,
            hash: key.hash,
            user_id: key.user_id,
            project_id: key.project_id,
            name: key.name,
            scopes: key.scopes,
            metadata: key.metadata,
            rate_limit: key.rate_limit.map(Into::into),
            created_at: key.created_at,
            updated_at: key.updated_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            revocation_reason: key.revocation_reason,
            rotated_from: key.rotated_from,
            rotated_to: key.rotated_to,
            revision: key.revision,
        }
    }
}

impl From<wit::Action> for Action {
    fn from(action: wit::Action) -> Self {
        match action {
            wit::Action::Created => Self::Created,
            wit::Action::IssuedAgain => Self::IssuedAgain,
            wit::Action::Updated => Self::Updated,
            wit::Action::Rotated => Self::Rotated,
            wit::Action::Revoked => Self::Revoked,
        }
    }
}

impl From<Action> for wit::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Created => Self::Created,
            Action::IssuedAgain => Self::IssuedAgain,
            Action::Updated => Self::Updated,
            Action::Rotated => Self::Rotated,
            Action::Revoked => Self::Revoked,
        }
    }
}

impl From<wit::EventRecord> for EventRecord {
    fn from(event: wit::EventRecord) -> Self {
        Self {
            id: event.id,
            time: event.time,
            action: event.action.into(),
            key_id: event.key_id,
            user_id: event.user_id,
            project_id: event.project_id,
            actor_user_id: event.actor_user_id,
            actor_key_id: event.actor_key_id,
            fields: event.fields,
        }
    }
}

impl From<EventRecord> for wit::EventRecord {
    fn from(event: EventRecord) -> Self {
        Self {
            id: event.id,
            time: event.time,
            action: event.action.into(),
            key_id: event.key_id,
            user_id: event.user_id,
            project_id: event.project_id,
            actor_user_id: event.actor_user_id,
            actor_key_id: event.actor_key_id,
            fields: event.fields,
        }
    }
}

impl From<wit::IdempotentRequest> for IdempotentRequest {
    fn from(request: wit::IdempotentRequest) -> Self {
        Self {
            user_id: request.user_id,
            idempotency_key: request.idempotency_key,
            key_id: request.key_id,
            expires_at: request.expires_at,
            digest: request.digest,
        }
    }
}

impl From<IdempotentRequest> for wit::IdempotentRequest {
    fn from(request: IdempotentRequest) -> Self {
        Self {
            user_id: request.user_id,
            idempotency_key: request.idempotency_key,
            key_id: request.key_id,
            expires_at: request.expires_at,
            digest: request.digest,
        }
    }
}

impl From<wit::ProjectReference> for ProjectReference {
    fn from(reference: wit::ProjectReference) -> Self {
        match reference {
            wit::ProjectReference::Id(id) => Self::Id(id),
            wit::ProjectReference::Slug(slug) => Self::Slug(slug),
        }
    }
}

impl From<Role> for wit::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<ProjectWithRole> for wit::ProjectRole {
    fn from(project: ProjectWithRole) -> Self {
        Self { project_id: project.project_id, role: project.role.map(Into::into) }
    }
}

impl From<KeyWithRole> for wit::KeyRole {
    fn from(found: KeyWithRole) -> Self {
        Self { role: found.role.map(Into::into), key: found.key.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_key_shows_no_hash_name_or_metadata() {
        let key = KeyRecord {
            id: "an id".to_owned(),
            hash: vec![0xAB; 32],
            name: "a name".to_owned(),
            metadata: Some("{}".to_owned()),
            ..KeyRecord::default()
        };
        assert_eq!(format!("{key:?}"), r#"KeyRecord { id: "an id", revision: 0, .. }"#);
    }
}
