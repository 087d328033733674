//! `verify-api-key`.

use alloc::string::String;

use super::api_keys::{Error, Refusal, Verification, VerifiedApiKey};
use super::{Faults, imports, storage, told_optional_time};
use crate::key::Key;
use crate::scopes;
use crate::status::Status;

/// What a presented key is compared with where storage has none of its lookup, so that both take
/// the same work.
const NOBODYS_HASH: [u8; 32] = [0; 32];

/// Each refusal comes after those that a stranger may learn: what became of a key is told to those
/// alone who hold all of it.
pub fn verify_api_key(key: &str, needed: &[String]) -> Result<Verification, Error> {
    let mut faults = Faults::default();
    let Some(needed) = faults.take("scopes", scopes::parse_all(needed)) else {
        return Err(faults.into());
    };
    let refused = |refusal| Ok(Verification::Refused(refusal));
    let Some(key) = Key::parse(key) else {
        return refused(Refusal::Malformed);
    };
    let record = match storage::find_key_by_lookup(key.lookup()) {
        Ok(record) => Some(record),
        Err(storage::Error::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let is_its_hash = key.hash().matches(record.as_ref().map_or(&NOBODYS_HASH, |record| record.hash.as_slice()));
    let Some(record) = record.filter(|_| is_its_hash) else {
        return refused(Refusal::Unknown);
    };
    let now = imports::now()?;
    match record.status(now)? {
        Status::Revoked => return refused(Refusal::Revoked),
        Status::Expired => return refused(Refusal::Expired),
        Status::Active => {}
    }
    let missing = scopes::missing(&needed, &record.scopes);
    if !missing.is_empty() {
        return refused(Refusal::MissingScopes(missing));
    }
    storage::record_use(&record.id, now.millis());
    Ok(Verification::Valid(VerifiedApiKey {
        expires_at: told_optional_time(record.expires_at)?,
        id: record.id,
        user_id: record.user_id,
        project_id: record.project_id,
        scopes: record.scopes,
    }))
}
