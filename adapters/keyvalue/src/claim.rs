//! Exclusive rights: a substitute for the insert-if-absent that the draft lacks.

use crate::{Result, bucket::Bucket, storage::Error};

/// Makes a change that needs these claims: counters that this call must be the first to increment.
/// If another call has one of them, the result is a conflict.
///
/// If the change fails, the claims are released, and it can be tried again. If the release fails
/// too, they stay taken, as after a crash.
pub fn with(bucket: &dyn Bucket, claims: &[String], change: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut taken = Vec::new();
    let take = |name| match bucket.increment(name, 1)? {
        1 => {
            taken.push(name);
            Ok(())
        }
        _ => Err(Error::Conflict),
    };
    let changed = claims.iter().map(String::as_str).try_for_each(take).and_then(|()| change());
    if changed.is_err() {
        for name in taken {
            let _ = bucket.delete(name);
        }
    }
    changed
}
