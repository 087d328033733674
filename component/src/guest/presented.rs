//! Keys that are presented: by a bearer, or for verification.

use super::api_keys::{Error, Refusal};
use super::storage;
use crate::key::Key;
use crate::status::Status;
use crate::time::Time;

/// The hash that a key with an unknown lookup is compared with.
const UNKNOWN_HASH: [u8; 32] = [0; 32];

/// Finds a presented key and checks its secret and its status.
///
/// The hash is computed and compared whether or not storage has the lookup. The two cases of
/// `unknown` therefore differ only in the work of the storage and the transfer of the record. This
/// difference can be measured. It reveals at most that a lookup exists, which is not a secret. The
/// status of a key is returned only if its hash is equal.
pub fn find(text: &str, now: Time) -> Result<Result<storage::KeyRecord, Refusal>, Error> {
    let Some(key) = Key::parse(text) else {
        return Ok(Err(Refusal::Malformed));
    };
    let record = match storage::find_key_by_lookup(key.lookup()) {
        Ok(record) => Some(record),
        Err(storage::Error::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let is_equal = key.hash().matches(record.as_ref().map_or(&UNKNOWN_HASH, |record| &record.hash));
    let Some(record) = record.filter(|_| is_equal) else {
        return Ok(Err(Refusal::Unknown));
    };
    Ok(match record.status(now)? {
        Status::Active => Ok(record),
        Status::Revoked => Err(Refusal::Revoked),
        Status::Expired => Err(Refusal::Expired),
    })
}
