//! Exclusive rights: a substitute for the insert-if-absent that the draft lacks.

use crate::{bucket::Bucket, storage::Error};

/// An exclusive right: a counter that this call was the first to increment.
///
/// A claim is released when it is dropped, so that a failed change can be tried again. If the
/// release fails too, the claim stays taken, as after a crash.
pub struct Claim<'a> {
    bucket: &'a dyn Bucket,
    name: String,
    is_kept: bool,
}

impl<'a> Claim<'a> {
    /// Takes the claim of this name.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if another call has taken it.
    pub fn take(bucket: &'a dyn Bucket, name: String) -> Result<Self, Error> {
        match bucket.increment(&name, 1)? {
            1 => Ok(Self { bucket, name, is_kept: false }),
            _ => Err(Error::Conflict),
        }
    }

    /// Keeps the claim for good, after the change that it was taken for.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // The caller gets the error of the change itself.
            let _ = self.bucket.delete(&self.name);
        }
    }
}
