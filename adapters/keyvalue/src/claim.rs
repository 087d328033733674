//! A right that one alone can have: what the draft has in place of insert-if-absent.

use crate::{bucket::Bucket, storage::Error};

/// A counter that this one was the first to count up. Given back when dropped, so that a change
/// that failed may be tried again; if that fails, too, it stays taken, as after a crash.
pub struct Claim<'a> {
    bucket: &'a dyn Bucket,
    name: String,
    is_kept: bool,
}

impl<'a> Claim<'a> {
    /// Takes it, or says [`Error::Conflict`] if somebody was there first.
    pub fn take(bucket: &'a dyn Bucket, name: String) -> Result<Self, Error> {
        match bucket.increment(&name)? {
            1 => Ok(Self { bucket, name, is_kept: false }),
            _ => Err(Error::Conflict),
        }
    }

    /// Keeps it for good: what it was taken for is done.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // The caller is already told why the change failed.
            let _ = self.bucket.delete(&self.name);
        }
    }
}
