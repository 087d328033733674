//! How entries are called.
//!
//! Letters, digits, `-` and `.` are what every store takes in a name: `/` and `:` are not.

const KEY: &str = "key.";

/// The user who calls.
pub const CALLER_USER_ID: &str = "caller.user-id";
/// The only project that the caller may act for.
pub const CALLER_PROJECT_ID: &str = "caller.project-id";
/// When the caller expires.
pub const CALLER_EXPIRES_AT: &str = "caller.expires-at";
/// What the caller may do.
pub const CALLER_SCOPES: &str = "caller.scopes";

/// What keys begin with.
pub const POLICY_PREFIX: &str = "policy.prefix";
/// The longest life of a key.
pub const POLICY_LONGEST_LIFE: &str = "policy.longest-life";
/// What a new key may do.
pub const POLICY_DEFAULT_SCOPES: &str = "policy.default-scopes";

/// How many incidents were written down.
pub const INCIDENTS: &str = "incidents";

/// The record of a key.
pub fn key(id: &str) -> String {
    format!("{KEY}{id}")
}

/// The id, if this is the name of a key's record.
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

/// The right to write this revision of a key's record.
pub fn claim_of_revision(id: &str, revision: u32) -> String {
    format!("claim.key.{id}.{revision}")
}

/// The right to use this lookup for a new key.
pub fn claim_of_lookup(lookup: &str) -> String {
    format!("claim.lookup.{lookup}")
}

/// The members of a project.
pub fn project(id: &str) -> String {
    format!("project.{id}")
}

/// The id of the project with this slug.
pub fn slug(slug: &str) -> String {
    format!("slug.{slug}")
}

/// What happened under a correlation id.
pub fn incident(correlation_id: &str) -> String {
    format!("incident.{correlation_id}")
}
