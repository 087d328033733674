//! Rate limits: one counter for each limited key, shared by every host of the bucket.
//!
//! The draft has no compare-and-swap, but an atomic increment. The component only ever moves the
//! integer of a key forward, so the difference to the new value is what is added.

use crate::{bucket::Bucket, incident, names, storage::Error};

/// `load`.
pub fn load(bucket: &dyn Bucket, key_id: &str) -> Result<i64, Error> {
    let name = names::limit(key_id);
    i64::try_from(bucket.increment(&name, 0)?).map_err(|_| incident::broken(bucket, &name))
}

/// `compare-and-store`.
///
/// If another call counts between the two increments, the sum is more than `new`: the answer is
/// `false`, and the difference stays. So the limit is never exceeded, but calls at the same moment
/// may use up a part of it without being admitted.
pub fn compare_and_store(bucket: &dyn Bucket, key_id: &str, expected: i64, new: i64) -> Result<bool, Error> {
    let Some(delta) = new.checked_sub(expected).and_then(|delta| u64::try_from(delta).ok()) else {
        return Ok(false);
    };
    if load(bucket, key_id)? != expected {
        return Ok(false);
    }
    Ok(i64::try_from(bucket.increment(&names::limit(key_id), delta)?) == Ok(new))
}
