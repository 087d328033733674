//! The names of entries.
//!
//! Names consist of letters, digits, `-` and `.`, which every store accepts. `/` and `:` are not
//! accepted everywhere.

use sha2::{Digest, Sha256};

const KEY: &str = "key.";

/// The user who calls. Without it, the caller is the host.
pub const CALLER_USER_ID: &str = "caller.user-id";
/// Whether the user is an operator: `true` or `false`.
pub const CALLER_OPERATOR: &str = "caller.operator";
/// The scopes that the user may grant.
pub const CALLER_SCOPES: &str = "caller.scopes";

/// The prefix of keys.
pub const POLICY_PREFIX: &str = "policy.prefix";
/// The longest life of a key in milliseconds.
pub const POLICY_LONGEST_LIFE: &str = "policy.longest-life";
/// The life in milliseconds of a key that is created without an expiry.
pub const POLICY_DEFAULT_LIFE: &str = "policy.default-life";
/// The scopes of a key that is created without scopes.
pub const POLICY_DEFAULT_SCOPES: &str = "policy.default-scopes";
/// The scopes that may be granted.
pub const POLICY_GRANTABLE_SCOPES: &str = "policy.grantable-scopes";

/// The number of incidents.
pub const INCIDENTS: &str = "incidents";

/// The record of a key.
pub fn key(id: &str) -> String {
    format!("{KEY}{id}")
}

/// The id in the name of a key's record; `None` for another name.
pub fn id_of_key(name: &str) -> Option<&str> {
    name.strip_prefix(KEY)
}

/// The id of the key with this lookup.
pub fn lookup(lookup: &str) -> String {
    format!("lookup.{lookup}")
}

/// The revocation of a key.
pub fn revoked(id: &str) -> String {
    format!("revoked.{id}")
}

/// The last use of a key.
pub fn used(id: &str) -> String {
    format!("used.{id}")
}

/// The state of a key's rate limit.
pub fn limit(id: &str) -> String {
    format!("limit.{id}")
}

/// The request of this user with this idempotency key. Both may hold any character, so their hash
/// is the name.
pub fn request(user_id: &str, idempotency_key: &str) -> String {
    // A user id holds no control character.
    format!("request.{}", hex::encode(Sha256::digest(format!("{user_id}\n{idempotency_key}"))))
}

/// The right to write this revision of a key's record.
pub fn claim_of_revision(id: &str, revision: u32) -> String {
    format!("claim.key.{id}.{revision}")
}

/// The right to use this lookup for a key.
pub fn claim_of_lookup(lookup: &str) -> String {
    format!("claim.lookup.{lookup}")
}

/// The right to write a request for the `generation`th time.
pub fn claim_of_request(request: &str, generation: u32) -> String {
    format!("claim.{request}.{generation}")
}

/// The members of a project.
pub fn project(id: &str) -> String {
    format!("project.{id}")
}

/// The members of a project who are its admins.
pub fn admins(id: &str) -> String {
    format!("admins.{id}")
}

/// The id of the project with this slug.
pub fn slug(slug: &str) -> String {
    format!("slug.{slug}")
}

/// The cause of an internal error.
pub fn incident(correlation_id: &str) -> String {
    format!("incident.{correlation_id}")
}
