//! Rate limits: one counter for each limited key, shared by every host of the bucket.
//!
//! The draft has no compare-and-swap, but an atomic increment. The component only ever moves the
//! integer of a key forward, so the difference to the new value is what is added.

use crate::{Result, bucket::Bucket};

/// `load`.
pub fn load(bucket: &dyn Bucket, key_id: &str) -> Result<i64> {
    increment(bucket, key_id, 0)
}

/// `compare-and-store`.
///
/// If another call counts between the two increments, the sum is more than `new`: the answer is
/// `false`, and the difference stays. So the limit is never exceeded, but calls at the same moment
/// may use up a part of it without being admitted.
pub fn compare_and_store(bucket: &dyn Bucket, key_id: &str, expected: i64, new: i64) -> Result<bool> {
    match new.checked_sub(expected).map(u64::try_from) {
        Some(Ok(delta)) if load(bucket, key_id)? == expected => Ok(increment(bucket, key_id, delta)? == new),
        _ => Ok(false),
    }
}

fn increment(bucket: &dyn Bucket, key_id: &str, delta: u64) -> Result<i64> {
    let name = format!("limit.{key_id}");
    i64::try_from(bucket.increment(&name, delta)?).map_err(|_| bucket.invalid(&name))
}
