//! The log, which is in the bucket because a component has no output.

use crate::{bucket::Bucket, names, storage::Error};

/// Writes the cause of an internal error and returns its correlation id.
pub fn report(bucket: &dyn Bucket, cause: &str) -> Result<String, Error> {
    let correlation_id = bucket.increment(names::INCIDENTS, 1)?.to_string();
    bucket.set(&names::incident(&correlation_id), cause.as_bytes())?;
    Ok(correlation_id)
}

/// The error of an entry with an invalid value. The log names the entry and does not repeat the value.
pub fn broken(bucket: &dyn Bucket, name: &str) -> Error {
    match report(bucket, &format!("the entry {name} has an invalid value: correct or restore it")) {
        Ok(correlation_id) => Error::Internal(correlation_id),
        Err(error) => error,
    }
}
