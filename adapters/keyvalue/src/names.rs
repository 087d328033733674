//! The names of entries that belong to a key or a request.
//!
//! Names consist of letters, digits, `-` and `.`, which every store accepts. `/` and `:` are not
//! accepted everywhere.

use sha2::{Digest, Sha256};

use crate::storage::KeyRecord;

const KEY: &str = "key.";

pub fn key(id: &str) -> String {
    format!("{KEY}{id}")
}

/// The id in the name of a key's record; `None` for another name.
pub fn id_of_key(name: &str) -> Option<String> {
    name.strip_prefix(KEY).map(str::to_owned)
}

pub fn lookup(lookup: &str) -> String {
    format!("lookup.{lookup}")
}

pub fn revoked(id: &str) -> String {
    format!("revoked.{id}")
}

pub fn used(id: &str) -> String {
    format!("used.{id}")
}

/// A user id and an idempotency key may hold any character, so their hash is the name.
pub fn request(user_id: &str, idempotency_key: &str) -> String {
    // A user id holds no control character.
    format!("request.{}", hex::encode(Sha256::digest(format!("{user_id}\n{idempotency_key}"))))
}

/// The right to write this revision of a key's record.
pub fn claim_of_revision(id: &str, revision: u32) -> String {
    format!("claim.key.{id}.{revision}")
}

pub fn claim_of_lookup(lookup: &str) -> String {
    format!("claim.lookup.{lookup}")
}

/// The rights to the id and to the lookup of a new key.
pub fn claims_of_new(key: &KeyRecord) -> [String; 2] {
    [claim_of_revision(&key.id, key.revision), claim_of_lookup(&key.lookup)]
}
