//! Changes of a record that others may be changing, too.

use super::api_keys::Error;
use super::find_key;
use super::storage::{self, KeyRecord};
use crate::access::Caller;
use crate::id::ApiKeyId;

/// Reads the key, and has `write` decide and store what becomes of it, again with the newer record
/// when another change came first, up to so many times.
pub fn change<T>(
    caller: &Caller,
    id: ApiKeyId,
    attempts: usize,
    mut write: impl FnMut(KeyRecord) -> Result<Result<T, storage::Error>, Error>,
) -> Result<T, Error> {
    for _ in 0..attempts {
        match write(find_key(caller, id)?)? {
            Ok(written) => return Ok(written),
            Err(storage::Error::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// Stores a record that was changed; gives it as it is told.
pub fn update(record: KeyRecord) -> Result<KeyRecord, storage::Error> {
    storage::update_key(&record)?;
    Ok(record)
}
