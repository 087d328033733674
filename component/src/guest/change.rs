//! Optimistic concurrency of writes.

use super::api_keys::Error;
use super::storage::{self, EventRecord, KeyRecord};

/// Calls `write` until storage reports no conflict, for at most this many attempts. Each attempt of
/// `write` reads the record again.
pub fn retry<T>(
    attempts: u32,
    mut write: impl FnMut() -> Result<Result<T, storage::Error>, Error>,
) -> Result<T, Error> {
    for _ in 0..attempts {
        match write()? {
            Ok(written) => return Ok(written),
            Err(storage::Error::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// Returns `conflict` if the record does not have the revision that the caller expects. A retry
/// after another call's change ends here, too.
pub fn require_revision(record: &KeyRecord, expected: Option<u32>) -> Result<(), Error> {
    if expected.is_none_or(|expected| expected == record.revision) { Ok(()) } else { Err(Error::Conflict) }
}

/// Stores a changed record with its event. Returns the record as it is then stored.
pub fn update(mut record: KeyRecord, event: &EventRecord) -> Result<KeyRecord, storage::Error> {
    storage::update_key(&record, event)?;
    record.revision += 1;
    Ok(record)
}
